"""Can the base answer an idea's probes at all, with the passage before it?

What it can't answer then, no training makes answerable: the quote doesn't hold the answer, the probes don't ask for it, or
this base can't read them. Such an idea could only be judged UNJUDGEABLE. Before it is given up it is repaired: with more of
the text around its quote, then with others of its wordings in the first pass. The repaired passage is the idea's evidence
from then on, in its rows and for the judge's ceiling. A base that doesn't read plain passages of our own either says
nothing about anybody's ideas: then none is left out, and that is noted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from typing import TYPE_CHECKING, NamedTuple

from paperlora.microdata.facts import fact_of, free
from paperlora.microdata.probe_wordings import ASKED, UNTRAINED
from paperlora.microdata.selection import Answerability, Asked, Repaired
from paperlora.microdata.values import values_of
from paperlora.microdata.widening import wider
from paperlora.model.passage import WAYS, with_passage
from paperlora.model.rates import Count, p_above
from paperlora.model.scoring import score_answer
from paperlora.records import AnswerKind, Idea, Probe, Quote, Reject, digest

if TYPE_CHECKING:
    from paperlora.model.bank import Bank
    from paperlora.model.base import Base

VERSION = 2
"""Changes whenever the same idea could be left out or repaired otherwise."""
READABLE, READABLE_SURE = 0.7, 0.9
"""P(c > .7) ≥ .9: below, the judge calls an idea UNJUDGEABLE."""
SAMPLE, NEEDED = 4, 3
"""Direct probes that are asked of an idea, and how many of them must be answered in one of the ways. A base that reads 84%
of such probes (measured, docs/log.md) passes a sound idea in 88% of the cases; a broken one never passes."""
CONTROLS_NEEDED = 2
"""Of three plain passages."""
MAX_NEW_TOKENS = 24
BATCH_ROWS = 32


class _Open(NamedTuple):
    """A probe that was not answered yet."""

    idea: Idea
    probe: Probe


def sample(probes: Sequence[Probe]) -> tuple[Probe, ...]:
    """Direct probes of the first pass, evenly out of new words and untrained forms."""
    direct = [probe for probe in probes if probe.family == "direct" and probe.split == "test" and probe.wave == 1]
    step = max(len(direct) // SAMPLE, 1)
    return tuple(direct[::step][:SAMPLE])


def check_answerable(ideas: Sequence[Asked], base: Base, text: str = "") -> Answerability:
    """What the base answers of each idea's sampled probes, what was repaired, and what can't be.

    A probe that one way of asking leaves unanswered is asked in the next, until enough of its idea's are.

    Args:
        ideas: with their probes.
        base: asked with the passage in the prompt.
        text: of the whole document, see :func:`paperlora.microdata.widening.wider`; empty for none.
    """
    from paperlora.model.bank import Bank, SlotInfo

    controls = _controls()
    with Bank(base, [SlotInfo(0, 0.0)]) as bank:
        waiting = [_Open(one.idea, probe) for one in ideas for probe in sample(one.probes)]
        needed = {one.idea.id: min(NEEDED, len(sample(one.probes))) for one in ideas}
        right = _answered([*controls, *waiting], needed | {one.idea.id: 1 for one in controls}, bank)
        read = sum(bool(right[one.idea.id]) for one in controls)
        if read < CONTROLS_NEEDED:
            detail = f"it answers {read} of {len(controls)} questions on plain passages: answerability was not tested"
            return Answerability({}, (Reject(stage="distill", item="base", reason="base_cannot_read", detail=detail),))
        failed = [one for one in ideas if len(right[one.idea.id]) < needed[one.idea.id]]
        repairs = [_repair(one, len(right[one.idea.id]), bank, text) for one in failed]
    mended = {one.id: repair for one, repair in zip((f.idea for f in failed), repairs, strict=True)}
    passage = {one.idea.id: Count(len(right[one.idea.id]), len(sample(one.probes))) for one in ideas}
    return Answerability(
        {key: repair.note for key, repair in mended.items() if repair.asked is None},
        passage=passage | {key: repair.right for key, repair in mended.items()},
        repaired={key: Repaired(repair.asked, repair.note) for key, repair in mended.items() if repair.asked is not None},
    )


def _answered(waiting: Sequence[_Open], needed: Mapping[str, int], bank: Bank) -> dict[str, set[str]]:
    """Ids of the answered probes of each idea; what has enough is not asked on."""
    from paperlora.model.answers import Ask, answer

    right: dict[str, set[str]] = {key: set() for key in needed}
    for way in range(WAYS):
        waiting = [one for one in waiting if len(right[one.idea.id]) < needed[one.idea.id]]
        asks = [Ask(with_passage(one.probe, one.idea)[way], 0) for one in waiting]
        said = answer(bank, asks, max_new_tokens=MAX_NEW_TOKENS, batch_rows=BATCH_ROWS) if asks else []
        for one, a in zip(waiting, said, strict=True):
            if score_answer(a.text, one.probe, one.idea) == 1.0:
                right[one.idea.id].add(one.probe.id)
        waiting = [one for one in waiting if one.probe.id not in right[one.idea.id]]
    return right


# ------------------------------------------------------------------ repair


class _Repair(NamedTuple):
    """What came of the attempt to repair an idea."""

    asked: Asked | None
    """The idea as it can be asked; None where it can't."""
    right: Count
    """Sampled probes answered, the best that was reached."""
    note: str
    """What was done, or what was tried in vain."""


def _repair(one: Asked, right: int, bank: Bank, text: str) -> _Repair:
    """More of the passage first, then other wordings beside the widest passage that brought something."""
    probes, tried = sample(one.probes), []
    needed = min(NEEDED, len(probes))
    best, reached = one.idea, right
    for quote, how in wider(one.idea.quotes[0], text):
        idea = one.idea.model_copy(update={"quotes": (quote, *one.idea.quotes[1:])})
        found = len(_answered([_Open(idea, probe) for probe in probes], {idea.id: needed}, bank)[idea.id])
        tried.append(f"{found} of {len(probes)} {how}")
        if found > reached:
            best, reached = idea, found
        if found >= needed:
            note = f"passage {how}: {found} of {len(probes)} sampled direct probes answered, {right} before"
            return _Repair(Asked(idea, one.probes), Count(found, len(probes)), note)
    first = f"with the passage the base answers {right} of {len(probes)} sampled direct probes, {needed} needed"
    if reached:  # a passage that answers no probe at all is at fault itself, whatever the wording
        chosen = _other_wordings(Asked(best, one.probes), bank)
        if chosen.probes:
            note = f"{chosen.note}, {right} of {len(probes)} sampled ones before" + (f"; {tried[-1]}" if tried else "")
            return _Repair(Asked(best, chosen.probes), Count(reached, len(probes)), note)
        tried.append(chosen.note)
    return _Repair(None, Count(reached, len(probes)), f"{first}; tried: {', '.join(tried) or 'nothing, no more text was found'}")


class _Chosen(NamedTuple):
    """Probes whose first pass can be answered."""

    probes: tuple[Probe, ...]
    """All probes of the idea; empty where not enough can be answered."""
    note: str


def _other_wordings(one: Asked, bank: Bank) -> _Chosen:
    """Wordings of the first two passes that the base answers with the passage change places with those that it doesn't.

    New words and untrained forms are chosen apart, so that half of the probes stay of each. Enough are answered where
    the judge could call the idea judgeable: P(c > .7) ≥ .9 over the first pass.
    """
    direct = [probe for probe in one.probes if probe.family == "direct" and probe.split == "test"]
    tried = [probe for probe in direct if probe.wave <= 2]
    right = _answered([_Open(one.idea, probe) for probe in tried], {one.idea.id: len(tried)}, bank)[one.idea.id]
    moved = {probe.id: probe for group in _groups(direct) for probe in _answered_first(group, right)}
    first = [probe for probe in moved.values() if probe.wave == 1]
    count = Count(sum(probe.id in right for probe in first), len(first))
    note = f"{len(right)} of {len(tried)} direct probes answered in the first two passes"
    if p_above(count, READABLE) < READABLE_SURE:
        return _Chosen((), note)
    return _Chosen(tuple(moved.get(probe.id, probe) for probe in one.probes), f"other wordings in the first pass: {note}")


def _groups(direct: Sequence[Probe]) -> tuple[list[Probe], list[Probe]]:
    words = {wording.form for wording in ASKED}
    return [one for one in direct if one.form in words], [one for one in direct if one.form not in words]


def _answered_first(group: Sequence[Probe], right: Set[str]) -> list[Probe]:
    """The same passes, as large as they were, filled with what was answered first."""
    waves = sorted(probe.wave for probe in group)
    ordered = sorted(group, key=lambda probe: (probe.id not in right, probe.wave))
    return [probe.model_copy(update={"wave": wave}) for wave, probe in zip(waves, ordered, strict=True)]


# ------------------------------------------------------------------ controls


def _controls() -> list[_Open]:
    """Passages that any reader reads."""
    told = (
        ("Amber Bridge", "opening year", "1931", "number", "The Amber Bridge has the opening year 1931.", ASKED[0]),
        ("Long Meadow", "main crop", "barley", "phrase", "The main crop of Long Meadow is barley.", ASKED[3]),
        ("Hotel Mistral", "number of rooms", "48 rooms", "number", "Hotel Mistral has 48 rooms.", UNTRAINED[5]),
    )  # fmt: skip
    found = []
    for subject, relation, answer, kind, text, wording in told:
        idea = _plain_idea(subject, relation, answer, "number" if kind == "number" else "phrase", text)
        found.append(_Open(idea, free(fact_of(idea, values_of(idea, ()), ()), "direct", wording)))
    return found


def _plain_idea(subject: str, relation: str, answer: str, kind: AnswerKind, text: str) -> Idea:
    return Idea(
        id=digest("control", subject)[:16], paper="control", topic="", reader="control", kind="finding", claim=text,
        subject=subject, relation=relation, answer=answer, answer_kind=kind, qwen_change="", prediction="",
        quotes=(Quote(section=0, heading="", page=1, start=0, end=len(text), text=text),),
    )  # fmt: skip
