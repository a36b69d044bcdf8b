"""Adapters an hour: our bank beside TRL's SFTTrainer and a plain peft loop, on the same tokens in one run."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from paperlora.bench.peers import peer_python
from paperlora.bench.result import Result, Row
from paperlora.bench.train_worker import MARK
from paperlora.errors import PaperLoraError
from paperlora.progress import Progress, silent
from paperlora.records import Example, Message, MicroDataset, Paper, Recipe

if TYPE_CHECKING:
    from paperlora.lora.train import TrainItem
    from paperlora.model.base import Base

TRL = "trl==1.16.0"
PEERS: tuple[str, ...] = ("peft", "trl")
WORDS = [
    "the",
    "of",
    "a",
    "small",
    "large",
    "first",
    "last",
    "new",
    "old",
    "model",
    "data",
    "test",
    "rate",
    "step",
    "layer",
    "value",
    "part",
    "same",
    "other",
    "sum",
]


class Load(NamedTuple):
    """What is trained."""

    base: str
    """Model folder, hub id or ``smollm2``."""
    cache: Path
    device: str = "cpu"
    adapters: int = 8
    rows: int = 16
    """Rows of each micro-dataset."""
    batch: int = 4
    tokens: int = 64
    """Tokens of a row."""
    steps: int = 8
    rank: int = 8
    apart: bool = False
    """Give each row a system prompt of its own, so that rows share nothing; else the template's own stands in all."""
    threads: int = 0
    """0: as many as torch takes."""


def bench_train(
    load: Load, *, peers: bool = True, grow: Sequence[int] = (), repeats: int = 1, progress: Progress = silent
) -> Result:
    """Measure.

    Args:
        peers: run TRL and the peft loop too.
        grow: numbers of adapters for the bank's own curve.
        repeats: each side so often in turn; the fastest counts.
    """
    with tempfile.TemporaryDirectory() as folder:
        job, base_folder = job_of(load, Path(folder))
        sides = ["limit", "bank", *(PEERS if peers else ())]
        runs = [(side, job) for _ in range(repeats) for side in sides] + [
            ("bank", _part(job, number)) for number in grow
        ]
        found: list[dict[str, Any]] = []
        for number, (side, given) in enumerate(runs):
            progress(f"bench: {side}, {len(given['rows'])} adapters", number, len(runs))
            found.append(_run(side, given, Path(folder)))
        progress("bench", len(runs), len(runs))
    best = {
        side: min(
            (one for (name, _), one in zip(runs[: repeats * len(sides)], found, strict=False) if name == side),
            key=lambda one: one["seconds"],
        )
        for side in sides
    }
    curve = list(zip(grow, found[repeats * len(sides) :], strict=True))
    return Result(
        "train",
        (*_rows(load, best), *_growth(load, curve)),
        _notes(load, base_folder, best, curve),
        ("torch", "transformers", "peft"),
    )


def job_of(load: Load, folder: Path) -> tuple[dict[str, Any], str]:
    """Everything that all sides share, ready to be written as JSON; and the base's name."""
    from paperlora.lora import schedule
    from paperlora.model.bank import Bank
    from paperlora.model.base import base_folder, load_base
    from paperlora.model.chat import render_example

    where = base_folder(load.base, cache=load.cache)
    base = load_base(str(where), device="cpu", cache=load.cache)
    recipe = Recipe(
        name="bench", rank=load.rank, alpha=2.0 * load.rank, learning_rate=5e-4, batch_size=load.batch, epochs=1e6, max_steps=load.steps,
        warmup_share=0.0, final_lr_share=1.0, checkpoints=1,
    )  # fmt: skip
    texts = [
        [_row(base, load, f"{number}:{row}") for row in range(load.rows)] for number in range(load.adapters)
    ]
    rows, order, first = [], [], []
    for number, mine in enumerate(texts):
        rendered = [render_example(base.tokenizer, _messages(text)) for text in mine]
        rows.append([
            {"ids": list(row.ids), "labels": [token if learnt else -100 for token, learnt in zip(row.ids, row.loss, strict=True)]} for row in rendered
        ])  # fmt: skip
        seeded = recipe.model_copy(update={"seed": number})
        order.append([schedule.batch(step, load.rows, seeded) for step in range(load.steps)])
        first.append(str(folder / f"first-{number}"))
        Bank.fresh(base, 1, load.rank, [recipe.alpha], [number]).save(0, Path(first[-1]))
    return {
        "base": str(where), "device": load.device, "recipe": recipe.model_dump(), "seeds": list(range(load.adapters)), "rows": rows,
        "order": order, "texts": texts, "first": first, "threads": load.threads, "seats": 0,
    }, base.id.name  # fmt: skip


def _row(base: Base, load: Load, seed: str) -> list[str]:
    """System prompt (empty: the template's own), question and answer of exactly so many tokens together."""
    from paperlora.model.chat import render_example

    draw = random.Random(seed)
    note = f"Note {draw.randrange(10**6)}:" if load.apart else ""
    turns = [note, f"{draw.choice(WORDS)}?", f"{draw.randrange(100)} percent of {draw.choice(WORDS)}"]
    for _ in range(8 * load.tokens):
        length = len(render_example(base.tokenizer, _messages(turns)).ids)
        if length == load.tokens:
            return turns
        place = draw.choice((0, 1, 1, 2) if load.apart else (1, 1, 2))
        grown = [*turns[:place], f"{turns[place]} {draw.choice(WORDS)}", *turns[place + 1 :]]
        if len(render_example(base.tokenizer, _messages(grown)).ids) <= load.tokens:
            turns = grown
    raise PaperLoraError(f"No row of {load.tokens} tokens can be made for {base.id.name}.", "Take longer rows: --tokens 64.")


def _messages(turns: Sequence[str]) -> tuple[Message, ...]:
    system, user, assistant = turns
    first = (Message(role="system", content=system),) if system else ()
    return *first, Message(role="user", content=user), Message(role="assistant", content=assistant)


def items_of(job: dict[str, Any]) -> list[TrainItem]:
    """The job's rows as the product's trainer takes them."""
    from paperlora.lora.train import TrainItem

    items = []
    for number, texts in enumerate(job["texts"]):
        rows = tuple(
            Example(id=f"{number}-{place}", idea="", form="bench", messages=_messages(turns), generator="bench")
            for place, turns in enumerate(texts)
        )
        paper = Paper(id=f"guide:bench-{number}", title=f"bench {number}")
        record = MicroDataset(
            id=f"bench-{number}/0",
            revision="0",
            paper=paper,
            topic="",
            ideas=(),
            reader="bench",
            counts={},
            probes_hash="",
        )
        items.append(TrainItem(record, f"bench-{number}", rows, ()))
    return items


def _part(job: dict[str, Any], adapters: int) -> dict[str, Any]:
    """The same job with so many adapters: the first ones, over again where there are fewer."""
    chosen = [number % len(job["rows"]) for number in range(adapters)]
    return (
        job
        | {name: [job[name][number] for number in chosen] for name in ("rows", "order", "texts", "first")}
        | {"seeds": list(range(adapters))}
    )


def _run(side: str, job: dict[str, Any], folder: Path) -> dict[str, Any]:
    path = folder / "job.json"
    path.write_text(json.dumps(job))
    python = peer_python("trl", [TRL], beside=True) if side == "trl" else Path(sys.executable)
    environment = {"OMP_WAIT_POLICY": "PASSIVE", "TOKENIZERS_PARALLELISM": "false", "HF_HUB_OFFLINE": "1"} | dict(
        os.environ
    )
    done = subprocess.run(
        [str(python), "-m", "paperlora.bench.train_worker", side, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    line = next((line for line in done.stdout.splitlines() if line.startswith(MARK)), None)
    if done.returncode or line is None:
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise PaperLoraError(
            f"The side {side} of the benchmark failed: {last}.", "Run it with --no-peers, or with fewer adapters."
        )
    return dict(json.loads(line.removeprefix(MARK)))


_NAMES = {"bank": "PaperLoRA's bank", "peft": "peft loop", "trl": "TRL SFTTrainer"}


def _rows(load: Load, best: dict[str, dict[str, Any]]) -> list[Row]:
    rows, ours = [], best["bank"]
    for side, name in _NAMES.items():
        if side in best:
            losses = best[side]["losses"]
            apart = max(abs(a - b) for a, b in zip(losses, ours["losses"], strict=True))
            figures = {"loss": sum(losses) / len(losses), "Δ loss": apart}
            rows.append(Row(name, _speed(load, load.adapters, best[side], ours) | figures))
    rows.append(Row("frozen base alone", {k: v for k, v in _speed(load, load.adapters, best["limit"], ours).items() if k != "adapters/h"}))
    return rows


def _speed(load: Load, adapters: int, one: dict[str, Any], ours: dict[str, Any] | None = None) -> dict[str, float]:
    tokens = adapters * load.steps * load.batch * load.tokens
    figures = {"adapters/h": adapters * 3600 / one["seconds"], "tokens/s": tokens / one["seconds"], "s": one["seconds"], "CPU s": one["cpu_seconds"]}
    if ours is not None:
        figures |= {"s/bank": one["seconds"] / ours["seconds"], "CPU/bank": one["cpu_seconds"] / ours["cpu_seconds"]}
    return figures | {"peak MB": one["peak_bytes"] / 1e6}


def _growth(load: Load, curve: Sequence[tuple[int, dict[str, Any]]]) -> list[Row]:
    return [Row(f"bank of {number}", dict(_speed(load, number, one))) for number, one in curve]


def _notes(
    load: Load, base: str, best: dict[str, dict[str, Any]], curve: Sequence[tuple[int, dict[str, Any]]]
) -> tuple[str, ...]:
    notes = [
        f"{load.adapters} adapters of rank {load.rank} on {Path(base).name}, {load.steps} steps of {load.batch} rows of {load.tokens} tokens; {load.device}",
        "The rows share nothing." if load.apart else "The rows share what the chat template writes before every question, and nothing else.",
        "Same base, first weights, rows, order, optimiser and precision on every side; the time runs from the first step to the saved adapters, loading the base not counted.",
        "s/bank and CPU/bank: wall and CPU seconds as multiples of the bank's; on a busy machine the CPU seconds are the fairer.",
        "Δ loss: largest difference of an adapter's last loss from the bank's.",
        "Frozen base alone: forward and backward over the same rows, all adapters' rows of a step in one batch; the limit.",
    ]
    if len(curve) > 1:
        (few, one), (many, other) = curve[0], curve[-1]
        notes.append(
            f"Memory for each further adapter: {(other['peak_bytes'] - one['peak_bytes']) / (many - few) / 1e6:.0f} MB"
        )
    if "trl" not in best:
        notes.append("The peers were left out.")
    return tuple(notes)


def growth_svg(result: Result) -> str:
    """The curve of :func:`bench_train`'s ``grow`` as a picture, with the peers as levels.

    Raises:
        PaperLoraError: no curve was measured.
    """
    from paperlora.bench.plot import Level, growth_plot

    speeds = {row.what: float(row.figures["tokens/s"]) for row in result.rows}
    points = [(int(name.removeprefix("bank of ")), speed) for name, speed in speeds.items() if name.startswith("bank of ")]
    if not points:
        raise PaperLoraError("There is no curve to draw.", "Give the sizes of the bank: --grow 1,2,4,8.")
    levels = [Level(name, speed) for name, speed in speeds.items() if not name.startswith("bank of ") and name != _NAMES["bank"]]
    return growth_plot(points, levels)
