"""Ideas of several papers held against each other: what contradicts is contested, what repeats is one idea."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

from paperlora.records import Idea, Reject


class Sorted(NamedTuple):
    """Ideas that may be trained as fact, and those that may not."""

    kept: tuple[Idea, ...]
    rejects: tuple[Reject, ...]


def split_conflicts(ideas: Sequence[Idea]) -> Sorted:
    """Take out contested ideas (all sides) and repetitions (all but the first).

    Two ideas meet when subject and relation are the same after folding case, articles and punctuation. Different
    answers in different papers make both contested: neither is trained as fact.
    """
    meeting: dict[tuple[str, str], list[Idea]] = defaultdict(list)
    for idea in ideas:
        meeting[fold(idea.subject), fold(idea.relation)].append(idea)
    rejects: dict[str, Reject] = {}
    for group in meeting.values():
        rejects |= _contested(group) or _repeated(group)
    return Sorted(tuple(idea for idea in ideas if idea.id not in rejects), tuple(rejects.values()))


def fold(text: str) -> str:
    """Lower case, letters and digits only, articles dropped: "The  Replay-Share" → "replay share"."""
    words = re.findall(r"[\w.%]+", text.casefold())
    return " ".join(word for word in words if word not in ("a", "an", "the"))


def _answers(idea: Idea) -> frozenset[str]:
    return frozenset(fold(answer) for answer in (idea.answer, *idea.aliases))


def _contested(group: Sequence[Idea]) -> dict[str, Reject]:
    out: dict[str, Reject] = {}
    for idea in group:
        other = next((o for o in group if o.paper != idea.paper and not _answers(o) & _answers(idea)), None)
        if other is not None:
            detail = f"{idea.subject}, {idea.relation}: {idea.answer} here, {other.answer} in {other.paper}"
            out[idea.id] = Reject(stage="distill", item=f"idea:{idea.id}", reason="contested", detail=detail)
    return out


def _repeated(group: Sequence[Idea]) -> dict[str, Reject]:
    first = group[0]
    return {
        idea.id: Reject(stage="distill", item=f"idea:{idea.id}", reason="duplicate", detail=f"same as idea:{first.id} of {first.paper}")
        for idea in group[1:]
        if idea.id != first.id
    }
