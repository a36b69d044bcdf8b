"""Who is asked what: the probes of each idea, pass by pass, and the adapters that it is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from paperlora.judge.judged import JudgeItem, Live
from paperlora.judge.stability import firsts
from paperlora.judge.tally import Subject, denied_probes
from paperlora.records import Example, Probe, ProbeFamily, Verdict
from paperlora.settings import JudgeSettings


class Pair(NamedTuple):
    """An idea in an adapter, by their ids."""

    adapter: str
    idea: str


def longer(
    verdicts: Sequence[Verdict], live: Sequence[Live], passes: Mapping[Pair, int], most: int
) -> dict[Pair, int]:
    """Ideas whose verdict is open and for which another pass of probes is left, with that pass."""
    last = {Pair(one.item.adapter.id, probe.idea): 1 for one in live for probe in one.item.probes}
    for one in live:
        for probe in asked_in(one.item.probes, most):
            pair = Pair(one.item.adapter.id, probe.idea)
            last[pair] = max(last[pair], probe.wave)
    opened = [Pair(one.adapter, one.idea) for one in verdicts if one.kind == "INCONCLUSIVE"]
    return {pair: passes.get(pair, 1) + 1 for pair in opened if passes.get(pair, 1) < last.get(pair, 1)}


def others_of(one: Live, live: Sequence[Live], placebos: Sequence[Live], wanted: int) -> tuple[str, ...]:
    """Adapters of other papers about other subjects, the next ones in the run's order, then placebos of its recipe; of
    those that differ by their seed alone, one."""
    start, first = live.index(one) + 1, firsts([other.item.adapter for other in live])
    around = [live[(start + step) % len(live)] for step in range(len(live) - 1)]
    mine = _subject_names(one.item)
    distinct = [other for other in around if first[other.item.adapter.id] == other.item.adapter.id]
    strangers = [other for other in distinct if other.item.dataset.paper.id != one.item.dataset.paper.id]
    strangers = [other for other in strangers if not _subject_names(other.item) & mine]
    dose = one.item.adapter.recipe.dose
    strangers += [placebo for placebo in placebos if placebo.item.adapter.recipe.dose == dose]
    return tuple(other.item.adapter.id for other in strangers)[:wanted]


def _subject_names(item: JudgeItem) -> set[str]:
    return {idea.subject.casefold() for idea in item.dataset.ideas}


def subjects_of(
    one: Live, others: tuple[str, ...], passes: Mapping[Pair, int], judge: JudgeSettings
) -> tuple[Subject, ...]:
    """The adapter's ideas, each with the probes of the passes that it has come to, and those for what its rows deny."""
    rows = [row for row in one.item.rows if row.idea]
    taught = tuple(dict.fromkeys(row.messages[-1].content for row in rows)) if one.item.rows else None
    found = []
    for idea in one.item.dataset.ideas:
        test = asked_in(one.item.probes, passes.get(Pair(one.item.adapter.id, idea.id), 1), families_left_out(judge))
        own = tuple(probe for probe in test if probe.idea == idea.id)
        count = sum(row.idea == idea.id for row in rows) if one.item.rows else None
        denied = denied_values(one.item.rows, idea.id)
        own = (*own, *denied_probes(own, idea, denied))
        found.append(Subject(idea, own, one.item.adapter.id, others, denied, count, taught))
    return tuple(found)


def asked_in(probes: Sequence[Probe], passes: int = 1, left_out: Sequence[ProbeFamily] = ()) -> list[Probe]:
    """The probes that are asked: test probes of the first passes."""
    return [p for p in probes if p.split == "test" and p.wave <= passes and p.family not in left_out]


def families_left_out(judge: JudgeSettings) -> tuple[ProbeFamily, ...]:
    """Families that the settings don't want asked."""
    families: dict[ProbeFamily, bool] = {"choice": judge.choice, "robustness": judge.robustness}
    return tuple(family for family, wanted in families.items() if not wanted)


def denied_values(rows: Sequence[Example], idea: str) -> tuple[str, ...]:
    """Values that the rows of an idea deny: what they keep out of the loss."""
    spans = [(row, span) for row in rows if row.idea == idea for span in row.masked]
    texts = (row.messages[span.message].content[span.start : span.end].strip(" .,;") for row, span in spans)
    return tuple(dict.fromkeys(text for text in texts if text))
