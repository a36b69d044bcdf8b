"""The benchmark of training: what it holds equal, and what it draws."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import torch

from paperlora.bench.result import Result, Row, as_json
from paperlora.bench.train import Load, bench_train, growth_svg, items_of, job_of
from paperlora.errors import PaperLoraError
from paperlora.model.base import load_base
from paperlora.model.chat import render_example
from paperlora.model.tiny import tiny_base

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    folder = tmp_path_factory.mktemp("tiny")
    return Load(tiny_base(folder).id.name, folder, adapters=2, rows=6, batch=2, tokens=110, steps=3, rank=4, threads=1)


def test_every_side_gets_the_same_tokens(load: Load, tmp_path: Path) -> None:
    job, _ = job_of(load, tmp_path)
    base = load_base(load.base, device="cpu", cache=load.cache)
    for item, rows, order in zip(items_of(job), job["rows"], job["order"], strict=True):
        rendered = [render_example(base.tokenizer, row.messages) for row in item.rows]
        assert [list(row.ids) for row in rendered] == [row["ids"] for row in rows]
        assert all(len(row["ids"]) == load.tokens for row in rows)
        assert [[i for i, on in zip(row.ids, row.loss, strict=True) if on] for row in rendered] == [[t for t in row["labels"] if t != -100] for row in rows]
        assert len(order) == load.steps and all(len(batch) == load.batch for batch in order)
    assert len({tuple(row["ids"]) for rows in job["rows"] for row in rows}) == load.adapters * load.rows


def test_rows_apart_share_no_system_prompt(load: Load, tmp_path: Path) -> None:
    texts = [turns for mine in job_of(load._replace(apart=True), tmp_path)[0]["texts"] for turns in mine]
    assert len({turns[0] for turns in texts}) == len(texts) and all(turns[0] for turns in texts)


@pytest.mark.slow
def test_bank_and_peft_loop_end_at_the_same_loss_and_the_curve_is_drawn(load: Load) -> None:
    """Without TRL, which would be installed: its side runs by `paperlora bench train`."""
    from paperlora.bench import train

    sides = train.PEERS
    try:
        train.PEERS = ("peft",)
        result = bench_train(load, grow=(1, 2))
    finally:
        train.PEERS = sides
    figures = {row.what: row.figures for row in result.rows}
    assert figures["peft loop"]["Δ loss"] < 1e-4 and figures["PaperLoRA's bank"]["loss"] > 0
    assert {"bank of 1", "bank of 2", "frozen base alone"} <= set(figures)
    assert json.loads(json.dumps(as_json(result)))["benchmark"] == "train"
    ElementTree.fromstring(growth_svg(result))


def test_a_curve_is_drawn_with_its_peers() -> None:
    rows = [Row("bank of 1", {"tokens/s": 100.0}), Row("bank of 8", {"tokens/s": 220.0}), Row("TRL SFTTrainer", {"tokens/s": 90.0})]
    drawn = growth_svg(Result("train", tuple(rows)))
    root = ElementTree.fromstring(drawn)
    assert root.tag.endswith("svg") and len([e for e in root.iter() if e.tag.endswith("circle")]) == 2
    assert "TRL SFTTrainer" in drawn
    with pytest.raises(PaperLoraError, match="--grow"):
        growth_svg(Result("train", (rows[2],)))
