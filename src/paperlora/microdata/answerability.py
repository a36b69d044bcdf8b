"""Can the base answer an idea's probes at all, with the passage before it?

What it can't answer then, no training makes answerable: the quote doesn't hold the answer, the probes don't ask for it, or
this base can't read them. Such an idea could only be judged UNJUDGEABLE, so that it isn't trained. A base that doesn't
read plain passages of our own either says nothing about anybody's ideas: then none is left out, and that is noted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from paperlora.microdata.facts import fact_of, free
from paperlora.microdata.probe_wordings import ASKED, UNTRAINED
from paperlora.microdata.selection import Answerability, Asked
from paperlora.microdata.values import values_of
from paperlora.model.passage import WAYS, with_passage
from paperlora.model.scoring import score_answer
from paperlora.records import AnswerKind, Idea, Probe, Quote, Reject, digest

if TYPE_CHECKING:
    from paperlora.model.base import Base

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


def check_answerable(ideas: Sequence[Asked], base: Base) -> Answerability:
    """Ideas whose sampled probes the base doesn't answer: id → detail.

    A probe that one way of asking leaves unanswered is asked in the next, until enough of its idea's are.
    """
    controls = _controls()
    asked = {one.idea.id: sample(one.probes) for one in ideas}
    needed = {key: min(NEEDED, len(probes)) for key, probes in asked.items()}
    waiting = [_Open(one.idea, probe) for one in ideas for probe in asked[one.idea.id]]
    right = _count_right([*controls, *waiting], needed | {one.idea.id: 1 for one in controls}, base)
    read = sum(right[one.idea.id] for one in controls)
    if read < CONTROLS_NEEDED:
        detail = f"it answers {read} of {len(controls)} questions on plain passages: answerability was not tested"
        return Answerability({}, (Reject(stage="distill", item="base", reason="base_cannot_read", detail=detail),))
    faults = {
        key: f"with the passage the base answers {right[key]} of {len(probes)} sampled direct probes, {needed[key]} needed"
        for key, probes in asked.items()
        if right[key] < needed[key]
    }
    return Answerability(faults)


def _count_right(waiting: list[_Open], needed: dict[str, int], base: Base) -> dict[str, int]:
    """Answered probes of each idea; what has enough is not asked on."""
    from paperlora.model.answers import Ask, answer
    from paperlora.model.bank import Bank, SlotInfo

    right = dict.fromkeys(needed, 0)
    with Bank(base, [SlotInfo(0, 0.0)]) as bank:
        for way in range(WAYS):
            waiting = [one for one in waiting if right[one.idea.id] < needed[one.idea.id]]
            asks = [Ask(with_passage(one.probe, one.idea)[way], 0) for one in waiting]
            said = answer(bank, asks, max_new_tokens=MAX_NEW_TOKENS, batch_rows=BATCH_ROWS) if asks else []
            scores = [score_answer(a.text, one.probe, one.idea) == 1.0 for one, a in zip(waiting, said, strict=True)]
            for one, is_right in zip(waiting, scores, strict=True):
                right[one.idea.id] += is_right
            waiting = [one for one, is_right in zip(waiting, scores, strict=True) if not is_right]
    return right


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
