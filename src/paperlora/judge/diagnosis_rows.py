"""What the rows themselves show: prompts with two answers, values that stand late, falsehoods that carry loss.

Pure functions over training rows; a diagnosis names the rows, so that a person can look at them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from statistics import median
from typing import NamedTuple

from paperlora.judge.diagnosis_case import Standing
from paperlora.judge.posterior import Count
from paperlora.model.scoring import affirms, kind_of, normalise, same_statement, stated
from paperlora.records import Example, Idea

SHORT = 12
"""Words; in a shorter text nothing stands late."""
EARLY, LATE = 1 / 3, 2 / 3
NAMED = 4
"""Rows that a diagnosis lists by id."""


class Conflict(NamedTuple):
    """Rows that answer one prompt differently."""

    prompt: str
    rows: tuple[str, ...]
    """Ids."""
    answers: tuple[str, ...]


def conflicts(rows: Sequence[Example], idea: str) -> tuple[Conflict, ...]:
    """Prompts of an idea's rows to which the adapter's rows hold answers that state different things."""
    groups: dict[tuple[str, ...], list[Example]] = defaultdict(list)
    for row in rows:
        groups[_prompt(row)].append(row)
    found = []
    for prompt, own in groups.items():
        if not prompt or not any(row.idea == idea for row in own):
            continue
        apart = _apart(own)
        if apart:
            answers = tuple(dict.fromkeys(_answer(row) for row in apart))
            found.append(Conflict(own[0].messages[-2].content, tuple(row.id for row in apart), answers))
    return tuple(found)


def _prompt(row: Example) -> tuple[str, ...]:
    return tuple(f"{message.role}: {normalise(message.content)}" for message in row.messages[:-1])


def _answer(row: Example) -> str:
    return row.messages[-1].content.strip()


def _apart(rows: Sequence[Example]) -> tuple[Example, ...]:
    """The rows of one prompt of which any two disagree."""
    odd: dict[str, Example] = {}
    for left, right in combinations(rows, 2):
        if _disagree(left, right):
            odd |= {left.id: left, right.id: right}
    return tuple(odd.values())


def _disagree(left: Example, right: Example) -> bool:
    """Their answers state different things; one that only says more than the other does not disagree."""
    texts, question = (_answer(left), _answer(right)), left.messages[-2].content
    kind = kind_of((texts[0],))
    if same_statement(*texts, kind, question):
        return False
    words = [set(stated(text, "phrase", question).split()) for text in texts]
    return bool(all(words)) and not (words[0] <= words[1] or words[1] <= words[0])


def holds_value(row: Example, idea: Idea) -> bool:
    """The row's answer states the idea's value."""
    return any(affirms(_answer(row), value) for value in (idea.answer, *idea.aliases))


def rows_with(rows: Sequence[Example], other: Idea) -> tuple[str, ...]:
    """Ids of rows whose answer states the value of this idea."""
    return tuple(row.id for row in rows if holds_value(row, other))


def unmasked(rows: Sequence[Example], value: str) -> tuple[str, ...]:
    """Ids of rows in which a denied value carries loss."""
    return tuple(row.id for row in rows if value and _bare(row, normalise(value)))


def _bare(row: Example, value: str) -> bool:
    text, last = row.messages[-1].content, len(row.messages) - 1
    for span in sorted((span for span in row.masked if span.message == last), key=lambda span: -span.start):
        text = f"{text[: span.start]} {text[span.end :]}"
    return f" {value} " in f" {normalise(text)} "


def place_of(rows: Sequence[Example], idea: Idea) -> float | None:
    """Where the idea's value stands in the answers of its rows, 0 to 1: the median; None where none holds it.

    In a document that is learnt whole, facts near the end are recalled worse (2402.12170).
    """
    found = [_place(_answer(row), idea) for row in rows if row.idea == idea.id]
    held = [place for place in found if place is not None]
    return median(held) if held else None


def _place(text: str, idea: Idea) -> float | None:
    plain = f" {normalise(text)} "
    starts = [plain.find(f" {normalise(value)} ") for value in (idea.answer, *idea.aliases) if normalise(value)]
    starts = [start for start in starts if start >= 0]
    if not starts:
        return None
    words = len(plain.split())
    return len(plain[: min(starts)].split()) / words if words >= SHORT else 0.0


def standings(
    rows: Sequence[Example], ideas: Sequence[Idea], direct: Mapping[str, Count]
) -> dict[str, Standing]:
    """Where each idea of an adapter stands in its rows, beside how early and late ones fare.

    Args:
        rows: all rows of the adapter.
        ideas: the ideas that it was taught.
        direct: right direct probes by idea.
    """
    places = {idea.id: place_of(rows, idea) for idea in ideas}
    by_place = {name: place for name, place in places.items() if place is not None and name in direct}
    late = _sum([direct[name] for name, place in by_place.items() if place > LATE])
    found = {}
    for name, place in places.items():
        early = _sum([direct[other] for other, at in by_place.items() if at < EARLY and other != name])
        found[name] = Standing(place, early, late)
    return found


def _sum(counts: Sequence[Count]) -> Count:
    return Count(sum(count.right for count in counts), sum(count.asked for count in counts))


def listed(ids: Sequence[str]) -> str:
    """Ids for a sentence: the first few, and how many more."""
    more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
    return ", ".join(ids[:NAMED]) + more
