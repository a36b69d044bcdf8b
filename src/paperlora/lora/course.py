"""One adapter's training as planned: rows as tokens, their batches, the questions that draw its dose curve."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

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
REPLAY = "replay"
"""Forms of rows whose answers are the base's own begin so."""


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
    replayed: frozenset[int] = frozenset()
    """Rows whose answers are the base's own, counted from 0."""

    def places(self, step: int) -> list[int]:
        """Which rows a step takes, counted from 0 both."""
        return schedule.batch(step, len(self.rows), self.recipe)

    def batch(self, step: int) -> list[Rendered]:
        """Rows of a step, counted from 0."""
        return [self.rows[index] for index in self.places(step)]

    def epoch(self, step: int) -> float:
        """Passes over the rows after so many steps."""
        return step * self.recipe.batch_size / len(self.rows)


def plan_course(key: str, item: TrainItem, recipe: Recipe, base: Base) -> Course:
    """Render the rows and plan the steps.

    Raises:
        NothingToDo: no row can be trained on.
    """
    rendered, rejects = _render(item.rows, recipe, base)
    rows = [row for _, row in rendered]
    if not rows:
        reasons = ", ".join(sorted({reject.reason for reject in rejects})) or "it holds none"
        raise NothingToDo(f"No row of {item.dataset.id} can be trained on: {reasons}.")
    steps = schedule.total_steps(len(rows), recipe)
    shared = shared_prefix([row.ids[: row.prompt_tokens] for row in rows])
    return Course(
        key, item, recipe, tuple(rows), shared, steps, schedule.checkpoint_steps(steps, recipe),
        tuple(_margins(item.dev_probes)), tuple(rejects),
        frozenset(number for number, (form, _) in enumerate(rendered) if form.startswith(REPLAY)),
    )  # fmt: skip


def _render(
    examples: Sequence[Example], recipe: Recipe, base: Base
) -> tuple[list[tuple[str, Rendered]], list[Reject]]:
    rows: list[tuple[str, Rendered]] = []
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
        rows.append((example.form, row))
    return rows, rejects


def _margins(probes: Sequence[Probe]) -> Iterator[Margin]:
    for probe in probes:
        wrong = [text for text in probe.distractors if text.strip()][:DISTRACTORS]
        if wrong and probe.answers[0].strip():
            yield Margin(probe.idea, probe.messages, (probe.answers[0], *wrong))


class Held(NamedTuple):
    """A row's tokens at which the guess about the next one stays the base's."""

    question: range
    """Places in the row."""
    answer: range
    """Likewise; empty where the answer isn't the base's own. Its tokens carry no other loss."""
    states: Tensor
    """The base's last hidden states at ``question``, then at ``answer``: tokens × width."""


class Targets(NamedTuple):
    """A step's blocks of one slot, and what is to be learnt and kept in each."""

    blocks: list[Block]
    places: list[tuple[int, int]]
    """Block and offset of every token whose successor carries loss."""
    tokens: list[int]
    """Those successors."""
    kept: list[tuple[int, int]]
    """Tokens whose guesses stay the base's, row by row."""
    answered: list[bool]
    """For each of these, whether it belongs to a replayed answer."""


def lay_out(rows: Sequence[Rendered], shared: int, slot: int, held: Sequence[Held] = (), first: int = 0) -> Targets:
    """Blocks of one slot's rows: what they share, once, and each row's own rest.

    Args:
        held: what stays the base's in each row; empty where nothing is held.
        first: blocks of other slots that stand before them.
    """
    laid = Targets([Block(rows[0].ids[:shared], slot)] if shared else [], [], [], [], [])
    for number, row in enumerate(rows):
        block, own = first + len(laid.blocks), held[number] if held else None
        for place, learnt in enumerate(row.loss):
            if learnt and not (own and own.answer):
                laid.places.append((block, place - 1 - shared))
                laid.tokens.append(row.ids[place])
        if own:
            laid.kept.extend((block, place - shared) for place in (*own.question, *own.answer))
            laid.answered.extend([False] * len(own.question) + [True] * len(own.answer))
        laid.blocks.append(Block(row.ids[shared:], slot, first if shared else None))
    return laid
