"""The benchmark of the judge's speed: both sides get the same, and what each says is told apart question by question."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from paperlora.bench.judge_speed import (
    CHOICE_TASK,
    FREE_TASK,
    Load,
    Posed,
    bench_judge_speed,
    compare,
    job_of,
    questions_of,
)
from paperlora.bench.judge_worker import ask_all
from paperlora.bench.peers import PeerUnavailable
from paperlora.bench.result import as_json
from paperlora.cli import app
from paperlora.errors import PaperLoraError
from paperlora.model.answers import Ask, answer
from paperlora.model.bank import Bank
from paperlora.model.base import load_base
from paperlora.model.chat import render_prompt
from paperlora.model.tiny import tiny_base
from paperlora.records import Message

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Load:
    folder = tmp_path_factory.mktemp("tiny")
    return Load(tiny_base(folder).id.name, folder, adapters=2, questions=14, max_new_tokens=6, batch_rows=8, strength=0.3, threads=1)


def test_questions_are_a_sample_of_what_the_judge_asks() -> None:
    posed = questions_of(58)
    families = {one.probe.family for one in posed if not one.choices}
    assert {"direct", "trained_form", "implication", "near_miss", "locality", "choice", "robustness"} <= families
    assert all(len(set(one.choices)) == 4 for one in posed if one.choices)
    assert {one.probe.family for one in posed if one.choices} == {"choice", "direct"}
    assert len({(one.probe.id, one.choices) for one in questions_of(150)}) == 150
    with pytest.raises(PaperLoraError, match="--questions"):
        questions_of(10**6)


def test_task_files_hold_every_question_as_it_is_rendered(load: Load, tmp_path: Path) -> None:
    posed = questions_of(load.questions)
    job, _ = job_of(load, posed, tmp_path)
    tokenizer = load_base(load.base, device="cpu", cache=load.cache).tokenizer
    found = {}
    for name in (FREE_TASK, CHOICE_TASK):
        config = json.loads((tmp_path / "tasks" / f"{name}.yaml").read_text())
        assert config["task"] == name
        for line in Path(config["dataset_kwargs"]["data_files"]["test"]).read_text().splitlines():
            row = json.loads(line)
            found[row["place"]] = row
    assert sorted(found) == list(range(load.questions))
    for place, one in enumerate(posed):
        assert tuple(tokenizer(found[place]["prompt"]).input_ids) == render_prompt(tokenizer, one.probe.messages)
        assert found[place].get("choices", []) == list(one.choices)
    assert json.loads((tmp_path / "tasks" / f"{FREE_TASK}.yaml").read_text())["generation_kwargs"]["max_gen_toks"] == load.max_new_tokens
    assert len(job["adapters"]) == load.adapters + 1 and job["adapters"][0] is None


def test_adapters_change_every_layer_by_the_share_that_is_asked_for_and_are_felt(load: Load, tmp_path: Path) -> None:
    job, _ = job_of(load, questions_of(load.questions), tmp_path)
    base = load_base(load.base, device="cpu", cache=load.cache)
    bank = Bank.load(base, [None, *map(Path, job["adapters"][1:])])
    for slot in (1, 2):
        for name, norm in bank.delta_norms(slot).items():
            assert norm / bank.base_norms[name] == pytest.approx(load.strength, rel=1e-3)
    asks = [Ask((Message(role="user", content="What is the replay share?"),), slot) for slot in range(3)]
    assert len({one.text for one in answer(bank, asks, max_new_tokens=12, batch_rows=3)}) == 3


def test_our_side_answers_every_question_of_every_model_in_its_place(load: Load, tmp_path: Path) -> None:
    posed = questions_of(load.questions)
    job, _ = job_of(load, posed, tmp_path)
    said = ask_all(job)["said"]
    turned = ask_all(job | {"adapters": job["adapters"][::-1], "questions": job["questions"][::-1], "batch_rows": 3})["said"]
    assert len(said) == 3 and all(len(model) == load.questions for model in said)
    again = [model[::-1] for model in turned[::-1]]
    found = compare(again, said, posed)
    assert (found.texts, found.scores, found.choices) == (1.0, 1.0, 1.0) and found.apart < 1e-4


def test_what_differs_is_seen() -> None:
    posed = [next(one for one in questions_of(58) if bool(one.choices) == closed and one.probe.family == "direct") for closed in (False, True)]
    right = posed[0].probe.answers[0]
    ours = [[right, [-1.0, -2.0, -3.0, -4.0]], [right, [-1.0, -2.0, -3.0, -4.0]]]
    theirs = [[f" {right}.", [-2.0, -3.0, -4.0, -5.0]], ["who knows", [-2.0, -1.5, -3.0, -4.0]]]
    found = compare(theirs, ours, [Posed(*one) for one in posed])
    assert (found.texts, found.scores, found.choices) == (0.0, 0.5, 0.5)
    assert found.apart == pytest.approx(1.5)


def test_command_measures_the_bank_alone(load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PAPERLORA_MODELS", str(tmp_path))
    done = CliRunner().invoke(app, [
        "bench", "judge", "--model", load.base, "--adapters", "1", "--questions", "4", "--tokens", "3", "--no-peers", "--json",
    ])  # fmt: skip
    found = json.loads(done.stdout)
    (row,) = found["rows"]
    assert row["probes/s"] > 0 and row["s/bank"] == 1.0 and "The peers were left out." in found["notes"]


@pytest.mark.slow
def test_lm_eval_says_the_same_on_both_of_its_ways(load: Load) -> None:
    try:
        result = bench_judge_speed(load)
    except PeerUnavailable as error:
        pytest.skip(f"lm-evaluation-harness can't be installed here: {error.message}")
    _, used, best = result.rows
    for row in (used, best):
        assert row.figures["equal texts"] == row.figures["equal scores"] == row.figures["equal choices"] == "100.0%"
        assert float(row.figures["Δ log-lik."]) < 1e-3 and float(row.figures["s/bank"]) > 0
    assert json.loads(json.dumps(as_json(result)))["benchmark"] == "judge, probes a second"
