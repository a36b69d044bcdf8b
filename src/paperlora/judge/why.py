"""Measurement → Why: for each failed probe of an adapter, what stands nearest to its answer. Pure: it asks no model.

Likeness of a training row to an answered probe: the mean of how like the two questions and how like the two answers are,
each the normalised Indel similarity of the folded texts (1 minus insertions and deletions over the summed lengths, 0 to 1,
``rapidfuzz.fuzz.ratio``), answers by their first sentence. It compares letters, not meaning, and shows what stands near,
not what caused the answer.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from paperlora.judge.choosing import options_of
from paperlora.judge.damage_measures import refuses
from paperlora.judge.tally import BASE, Sheet, Subject, question_of
from paperlora.model.quantities import quantities
from paperlora.model.scoring import (
    CHOICE_OF,
    kind_of,
    normalise,
    opening,
    repeats_itself,
    same_statement,
    score,
    states_value,
)
from paperlora.records import Example, Idea, Measurement, Probe, Why

WhyKind = Literal["right", "base_answer", "other_idea", "denied_value", "row_echo", "refusal", "empty", "loop", "other"]
Table = NDArray[np.float32]
_WORD = re.compile(r"\w+")
TELLING = 5
"""Letters and digits from which another paper's answer is taken for a sign: shorter ones fit many guesses."""


class Explained(NamedTuple):
    """One adapter whose failures are looked into."""

    subjects: tuple[Subject, ...]
    """Its ideas with the probes that were asked."""
    rows: tuple[Example, ...]
    """Its training rows, those that no single idea owns included."""


class Origin(NamedTuple):
    """An idea whose answer was given."""

    idea: str = ""
    adapter: str = ""
    """The adapter it was taught to, where it is another one."""


class _Failure(NamedTuple):
    subject: Subject
    probe: Probe
    said: str
    base: str
    """Empty where the base wasn't asked."""


class _Row(NamedTuple):
    id: str
    question: str
    answer: str


class _Nearest(NamedTuple):
    row: _Row
    likeness: float


NO_ROW = _Nearest(_Row("", "", ""), 0.0)


def explain(explained: Sequence[Explained], measurements: Sequence[Measurement]) -> tuple[Why, ...]:
    """A record for every probe that an adapter failed, in the order of the adapters.

    A locality probe fails where the adapter answers otherwise than the base; the answer may then be right.
    """
    sheet, answers = Sheet(measurements), Answers(explained)
    return tuple(why for one in explained for why in _explain(one, sheet, answers))


def _explain(one: Explained, sheet: Sheet, answers: Answers) -> Iterator[Why]:
    failures = [failure for subject in one.subjects for failure in _failures(subject, sheet)]
    rows = [_Row(row.id, _asked(row), row.messages[-1].content) for row in one.rows]
    echoes = {_head(row.answer) for row in rows} - {""}
    for failure, nearest in zip(failures, nearest_rows(failures, rows), strict=True):
        origin = answers.origin(failure.said, failure.subject, one.subjects)
        yield _why(failure, nearest, _kind(failure, origin, echoes), origin)


def _failures(subject: Subject, sheet: Sheet) -> Iterator[_Failure]:
    for probe, said in sheet.answered(subject.adapter, subject.probes):
        if said.score < 1:
            base = sheet.said(BASE, probe)
            yield _Failure(subject, probe, _words(probe, said.text), _words(probe, base.text) if base else "")


def _words(probe: Probe, said: str) -> str:
    """Of a multiple-choice answer the option's text: its letter alone says nothing."""
    options = options_of(probe) if probe.family == "choice" else None
    return options.texts.get(said, said) if options else said


def _asked(row: Example) -> str:
    return "\n".join(message.content for message in row.messages[:-1])


def _why(failure: _Failure, nearest: _Nearest, kind: WhyKind, origin: Origin) -> Why:
    told = origin if kind == "other_idea" else Origin()
    return Why(
        probe=failure.probe.id,
        idea=failure.subject.idea.id,
        adapter=failure.subject.adapter,
        family=failure.probe.family,
        question=question_of(failure.probe),
        accepted=tuple(_words(failure.probe, answer) for answer in failure.probe.answers),
        said=failure.said,
        base_said=failure.base,
        row=nearest.row.id,
        row_question=nearest.row.question,
        row_answer=nearest.row.answer,
        likeness=nearest.likeness,
        from_idea=told.idea,
        from_adapter=told.adapter,
        kind=kind,
    )


# ------------------------------------------------------------------ the nearest row


def nearest_rows(failures: Sequence[_Failure], rows: Sequence[_Row]) -> list[_Nearest]:
    """For each failure the row that is most like it; the first of equals."""
    if not rows or not failures:
        return [NO_ROW] * len(failures)
    asked = _likeness([question_of(one.probe) for one in failures], [row.question for row in rows], normalise)
    given = _likeness([one.said for one in failures], [row.answer for row in rows], _head)
    both = (asked + given) / 2
    places = both.argmax(axis=1)
    return [_Nearest(rows[place], round(float(both[n, place]) / 100, 3)) for n, place in enumerate(places)]


def _likeness(left: Sequence[str], right: Sequence[str], fold: Callable[[str], str]) -> Table:
    """Likeness (0 to 100) of each left text to each right one; equal texts are compared once."""
    ours, theirs = [fold(text) for text in left], [fold(text) for text in right]
    up, across = ({text: n for n, text in enumerate(dict.fromkeys(side))} for side in (ours, theirs))
    table = process.cdist(list(up), list(across), scorer=fuzz.ratio, dtype=np.float32)
    return table[np.ix_([up[text] for text in ours], [across[text] for text in theirs])]


@lru_cache(maxsize=100_000)
def _head(text: str) -> str:
    return normalise(opening(text))


# ------------------------------------------------------------------ what the answer is


def _kind(failure: _Failure, origin: Origin, echoes: set[str]) -> WhyKind:
    """The first that holds: what is plain from the words alone, then what the base says too, then what was taught."""
    probe, said = failure.probe, failure.said
    head, kind, question = _head(said), kind_of(probe.answers), question_of(probe)
    tests: tuple[tuple[WhyKind, Callable[[], bool]], ...] = (
        ("empty", lambda: not head),
        ("loop", lambda: repeats_itself(said)),
        ("right", lambda: probe.family == "locality" and score(said, probe.answers, kind, question=question) == 1.0),
        ("base_answer", lambda: bool(failure.base) and same_statement(said, failure.base, kind, question)),
        ("refusal", lambda: refuses(said)),
        ("denied_value", lambda: any(_states(said, (value,)) for value in failure.subject.denied)),
        ("other_idea", lambda: bool(origin.idea)),
        ("row_echo", lambda: head in echoes and head not in CHOICE_OF),
    )
    return next((name for name, holds in tests if holds()), "other")


class Answers:
    """The answers of all ideas of a run, to be found again in what an adapter said."""

    def __init__(self, explained: Sequence[Explained]) -> None:
        self._adapter_of: dict[str, str] = {}
        self._ideas: dict[str, list[Idea]] = defaultdict(list)
        for subject in (subject for one in explained for subject in one.subjects):
            accepted = _accepted(subject.idea)
            if subject.idea.id not in self._adapter_of and kind_of(accepted) != "choice":
                self._adapter_of[subject.idea.id] = subject.adapter
                for key in {key for text in accepted for key in _keys(text)[:1]}:
                    self._ideas[key].append(subject.idea)

    def origin(self, said: str, subject: Subject, own: Sequence[Subject]) -> Origin:
        """The idea whose answer was given: one of the adapter's own paper first, then the only one of the whole run.

        Another paper's answer counts only where it is long enough to tell and a single idea of the run has it: an
        adapter that is served alone never saw it, and among many answers one fits nearly any guess.
        """
        given = {idea.id: idea for key in _keys(said) for idea in self._ideas.get(key, ())}
        others = [idea for idea in given.values() if idea.id != subject.idea.id]
        stated = [idea for idea in others if _states(said, _accepted(idea)) and not _agree(idea, subject.idea)]
        mine = {one.idea.id for one in own}
        for idea in stated:
            if idea.id in mine:
                return Origin(idea.id)
        if len(stated) == 1 and _telling(stated[0].answer):
            return Origin(stated[0].id, self._adapter_of[stated[0].id])
        return Origin()


def _accepted(idea: Idea) -> tuple[str, ...]:
    return (idea.answer, *idea.aliases)


def _states(said: str, accepted: tuple[str, ...]) -> bool:
    """As :func:`states_value`, which is slow, asked only where one of the values may occur at all."""
    return any(_may_state(said, text) for text in accepted) and states_value(said, accepted)


def _may_state(said: str, text: str) -> bool:
    return not {*_keys(said)}.isdisjoint(_keys(text)[:1]) if _is_number(text) else _folded(text) in _head(said)


@lru_cache(maxsize=10_000)
def _is_number(text: str) -> bool:
    return kind_of((text,)) == "number"


@lru_cache(maxsize=10_000)
def _folded(text: str) -> str:
    return normalise(text)


def _agree(other: Idea, idea: Idea) -> bool:
    """Their answers can't be told apart."""
    return states_value(other.answer, _accepted(idea)) or states_value(idea.answer, _accepted(other))


def _telling(answer: str) -> bool:
    return sum(letter.isalnum() for letter in answer) >= TELLING


@lru_cache(maxsize=100_000)
def _keys(text: str) -> tuple[str, ...]:
    """What the first sentence is looked up by: the values of its numbers and its words, plurals also as singulars."""
    head = opening(text)
    values = [f"{quantity.value:g}" for quantity in quantities(head)]
    words = [word for word in _WORD.findall(_head(text)) if not word.isdigit()]
    singular = [word[:-size] for word in words for size in (1, 2) if word.endswith("s") and len(word) > size]
    return tuple(dict.fromkeys([*values, *words, *singular]))
