"""One adapter's training as planned: rows as tokens, their batches, the questions that draw its dose curve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from paperlora.errors import ModelUnavailable, NothingToDo
from paperlora.lora import schedule
from paperlora.model.answers import Continuation
from paperlora.model.base import Base
from paperlora.model.chat import Rendered, render_example
from paperlora.model.packing import Block
from paperlora.model.sharing import shared_prefix
from paperlora.records import Example, Message, MicroDataset, Probe, Recipe, Reject

DISTRACTORS = 3
"""Wrong answers scored beside the right one at each checkpoint."""


class TrainItem(NamedTuple):
    """What one adapter is trained on."""

    dataset: MicroDataset
    dataset_hash: str
    """Content hash of the dataset's folder, as verified."""
    rows: tuple[Example, ...]
    dev_probes: tuple[Probe, ...]
    """Probes with split ``dev``: they draw the dose curve and are never trained on."""


class Margin(NamedTuple):
    """One dev probe: its right answer against wrong ones."""

    idea: str
    messages: tuple[Message, ...]
    answers: tuple[str, ...]
    """The right one, then the wrong ones."""

    def texts(self, slot: int) -> tuple[Continuation, ...]:
        """What is scored while the adapter stands in that slot."""
        return tuple(Continuation(self.messages, text, slot) for text in self.answers)


class Course(NamedTuple):
    """One adapter's training, ready to run."""

    key: str
    """Folder of the adapter in the store."""
    item: TrainItem
    recipe: Recipe
    rows: tuple[Rendered, ...]
    shared: int
    """Tokens that all rows begin with; a step computes them once."""
    steps: int
    checkpoints: tuple[int, ...]
    margins: tuple[Margin, ...]
    rejects: tuple[Reject, ...]

    def batch(self, step: int) -> list[Rendered]:
        """Rows of a step, counted from 0."""
        return [self.rows[index] for index in schedule.batch(step, len(self.rows), self.recipe)]

    def epoch(self, step: int) -> float:
        """Passes over the rows after so many steps."""
        return step * self.recipe.batch_size / len(self.rows)


def plan_course(key: str, item: TrainItem, recipe: Recipe, base: Base) -> Course:
    """Render the rows and plan the steps.

    Raises:
        NothingToDo: no row can be trained on.
    """
    rows, rejects = _render(item.rows, recipe, base)
    if not rows:
        reasons = ", ".join(sorted({reject.reason for reject in rejects})) or "it holds none"
        raise NothingToDo(f"No row of {item.dataset.id} can be trained on: {reasons}.")
    steps = schedule.total_steps(len(rows), recipe)
    shared = shared_prefix([row.ids[: row.prompt_tokens] for row in rows])
    return Course(
        key, item, recipe, tuple(rows), shared, steps, schedule.checkpoint_steps(steps, recipe),
        tuple(_margins(item.dev_probes)), tuple(rejects),
    )  # fmt: skip


def _render(examples: Sequence[Example], recipe: Recipe, base: Base) -> tuple[list[Rendered], list[Reject]]:
    rows: list[Rendered] = []
    rejects: list[Reject] = []
    for example in examples:
        try:
            row = render_example(base.tokenizer, example.messages, example.masked)
        except ModelUnavailable as error:
            rejects.append(Reject(stage="train", item=example.id, reason="row_not_rendered", detail=error.message))
            continue
        if len(row.ids) > recipe.max_tokens:
            detail = f"{len(row.ids)} tokens, at most {recipe.max_tokens}"
            rejects.append(Reject(stage="train", item=example.id, reason="row_too_long", detail=detail))
            continue
        rows.append(row)
    return rows, rejects


def _margins(probes: Sequence[Probe]) -> Iterator[Margin]:
    for probe in probes:
        wrong = [text for text in probe.distractors if text.strip()][:DISTRACTORS]
        if wrong and probe.answers[0].strip():
            yield Margin(probe.idea, probe.messages, (probe.answers[0], *wrong))


class Targets(NamedTuple):
    """A step's blocks of one slot, and what is to be learnt in each."""

    blocks: list[Block]
    """Parents count from this slot's first block."""
    places: list[tuple[int, int]]
    """Block and offset of every token whose successor carries loss."""
    tokens: list[int]
    """Those successors."""


def lay_out(rows: Sequence[Rendered], shared: int, slot: int) -> Targets:
    """Blocks of one slot's rows: what they share, once, and each row's own rest."""
    blocks = [Block(rows[0].ids[:shared], slot)] if shared else []
    places, tokens = [], []
    for row in rows:
        for place, learnt in enumerate(row.loss):
            if learnt:
                places.append((len(blocks), place - 1 - shared))
                tokens.append(row.ids[place])
        blocks.append(Block(row.ids[shared:], slot, 0 if shared else None))
    return Targets(blocks, places, tokens)
