"""Can the base answer an idea's probes at all, with the passage before it?

What it can't answer then, no training makes answerable: the quote doesn't hold the answer, the probes don't ask for it, or
this base can't read them. Such an idea could only be judged UNJUDGEABLE, so that it isn't trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from paperlora.microdata.selection import Asked
from paperlora.model.passage import WAYS, with_passage
from paperlora.model.scoring import score_answer
from paperlora.records import Idea, Probe

if TYPE_CHECKING:
    from paperlora.model.base import Base

SAMPLE, NEEDED = 4, 3
"""Direct probes that are asked of an idea, and how many of them must be answered in one of the ways. A base that reads 84%
of such probes (measured, docs/log.md) passes a sound idea in 88% of the cases; a broken one never passes."""
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


def unanswerable(ideas: Sequence[Asked], base: Base) -> Mapping[str, str]:
    """Ideas whose sampled probes the base doesn't answer: id → detail.

    A probe that one way of asking leaves unanswered is asked in the next, until enough of its idea's are.
    """
    from paperlora.model.answers import Ask, answer
    from paperlora.model.bank import Bank, SlotInfo

    waiting = [_Open(idea, probe) for idea, probes in ideas for probe in sample(probes)]
    asked = {idea.id: len(sample(probes)) for idea, probes in ideas}
    right = dict.fromkeys(asked, 0)
    with Bank(base, [SlotInfo(0, 0.0)]) as bank:
        for way in range(WAYS):
            waiting = [one for one in waiting if right[one.idea.id] < min(NEEDED, asked[one.idea.id])]
            asks = [Ask(with_passage(one.probe, one.idea)[way], 0) for one in waiting]
            said = answer(bank, asks, max_new_tokens=MAX_NEW_TOKENS, batch_rows=BATCH_ROWS) if asks else []
            scores = [score_answer(a.text, one.probe, one.idea) == 1.0 for one, a in zip(waiting, said, strict=True)]
            for one, answered in zip(waiting, scores, strict=True):
                right[one.idea.id] += answered
            waiting = [one for one, answered in zip(waiting, scores, strict=True) if not answered]
    return {
        key: f"with the passage the base answers {right[key]} of {asked[key]} sampled direct probes, {NEEDED} are needed"
        for key in asked
        if right[key] < min(NEEDED, asked[key])
    }
