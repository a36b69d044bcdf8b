"""Right answers by properties of the question: order of the options, wording trained × form asked, place of the fact.

Pictures beside the verdicts, pure from measurements, probes and rows. A cell without any probe is left out.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

from paperlora.judge.again import trained_prompts
from paperlora.judge.choosing import options_of
from paperlora.judge.tally import Sheet, Subject
from paperlora.model.scoring import normalise
from paperlora.records import Example, GridCell, Idea, Measurement, Probe

PLACES = ("first", "middle", "last")
SHORT = 4
"""Words; in a shorter text nothing stands late."""
SAME = "same wording"
SPOKEN = ("direct", "trained_form", "implication", "reverse", "robustness")
"""Families whose probes carry the fact's wording in their form."""


class _Cell(NamedTuple):
    grid: Literal["position", "template", "option_order"]
    row: str
    column: str


class _Seen(NamedTuple):
    cell: _Cell
    right: bool


def grids(subjects: Sequence[Subject], rows: Sequence[Example], measurements: Sequence[Measurement]) -> tuple[GridCell, ...]:
    """All grids of one adapter.

    Args:
        subjects: its ideas, with the probes that were asked.
        rows: all rows that it was trained on; without any only option orders are counted.
        measurements: of all models.
    """
    sheet = Sheet(measurements)
    counts: dict[_Cell, list[bool]] = defaultdict(list)
    for subject in subjects:
        for seen in (*_orders(subject, sheet), *_templates(subject, rows, sheet), *_positions(subject, rows, sheet)):
            counts[seen.cell].append(seen.right)
    adapter = subjects[0].adapter if subjects else ""
    return tuple(
        GridCell(adapter=adapter, **cell._asdict(), right=sum(found), asked=len(found))
        for cell, found in sorted(counts.items())
    )


def _orders(subject: Subject, sheet: Sheet) -> Iterator[_Seen]:
    """The gold's letter × the letter that came: one of four for each probe, so that a habit shows as a full column."""
    for probe, said in sheet.answered(subject.adapter, subject.family("choice")):
        options = options_of(probe)
        for letter in options.texts if options else ():
            assert options is not None
            yield _Seen(_Cell("option_order", options.gold, letter), said.text == letter)


def _templates(subject: Subject, rows: Sequence[Example], sheet: Sheet) -> Iterator[_Seen]:
    """Each wording that an idea's rows train × the form in which it was asked.

    An idea counts in the row of every wording that it was trained in; the same wording has a column of its own.
    """
    prompts = set(trained_prompts(rows, subject.idea))
    trained = {row.form: row.messages[:-1] for row in rows if row.idea == subject.idea.id and row.messages[:-1] in prompts}
    probes = [probe for probe in subject.probes if probe.family in ("direct", "trained_form")]
    for probe, said in sheet.answered(subject.adapter, probes):
        for form, messages in trained.items():
            same = probe.form == form or probe.messages == messages
            yield _Seen(_Cell("template", form, SAME if same else form_of(probe)), said.score == 1.0)


def _positions(subject: Subject, rows: Sequence[Example], sheet: Sheet) -> Iterator[_Seen]:
    """Where the fact stands in the longest text that states it × the form in which it was asked (2402.12170)."""
    place = place_in_longest(rows, subject.idea)
    if place is None:
        return
    probes = [probe for probe in subject.probes if probe.family in SPOKEN]
    for probe, said in sheet.answered(subject.adapter, probes):
        yield _Seen(_Cell("position", place, form_of(probe)), said.score == 1.0)


def form_of(probe: Probe) -> str:
    """The kind of a probe's form: "ask", "json", "cloze" … for direct probes, their family for all others."""
    if probe.family != "direct":
        return probe.family.replace("_", " ")
    kind, _, number = probe.form.partition("_")
    return kind if kind == "ask" or number.isdigit() else probe.form.replace("_", " ")


def place_in_longest(rows: Sequence[Example], idea: Idea) -> str | None:
    """First, middle or last third of the longest trained answer that states the idea's value, shared summaries included;
    None where none does."""
    texts = [row.messages[-1].content for row in rows if row.idea in ("", idea.id)]
    placed = [(len(text.split()), place) for text in texts if (place := _share(text, idea)) is not None]
    if not placed:
        return None
    share = max(placed, key=lambda pair: pair[0])[1]
    return PLACES[min(int(3 * share), 2)]


def _share(text: str, idea: Idea) -> float | None:
    """How far from the beginning the value begins: 0 at the beginning, 1 where nothing follows it."""
    words = f" {normalise(text)} "
    for value in map(normalise, (idea.answer, *idea.aliases)):
        start = words.find(f" {value} ") if value else -1
        if start >= 0:
            left, after = len(words[:start].split()), len(words[start + len(value) + 1 :].split())
            return left / (left + after) if len(words.split()) >= SHORT else 0.0
    return None
