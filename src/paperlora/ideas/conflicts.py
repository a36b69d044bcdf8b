"""Ideas of several papers held against each other: what repeats is one idea, what contradicts is contested."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple, Protocol

from paperlora.ideas.likeness import (
    agreeing_names,
    asked,
    fold,
    near_claims,
    near_relations,
    same_subject,
    same_value,
)
from paperlora.records import Idea, Reject, Source

__all__ = ["Settled", "Sorted", "fold", "settle", "teachable"]


class Alike(Protocol):
    """Finds pairs of ideas that mean nearly the same."""

    def __call__(self, ideas: Sequence[Idea]) -> Iterable[tuple[int, int]]:
        """Pairs of indices, the smaller first."""
        ...


class Settled(NamedTuple):
    """The ideas of several papers, each once, with what the others say of it."""

    ideas: tuple[Idea, ...]
    """In the order given; with ``sources`` and ``contested_by`` as they are now."""
    rejects: tuple[Reject, ...]
    """Every repetition, naming the idea that stands for it."""


class Sorted(NamedTuple):
    """Ideas that may be trained as fact, and those that may not."""

    kept: tuple[Idea, ...]
    rejects: tuple[Reject, ...]


def settle(ideas: Sequence[Idea], alike: Alike | None = None) -> Settled:
    """Merge what repeats and mark what contradicts.

    Two ideas are one where the same is asked of the same subject and the answers are equal, units normalised. They
    contradict each other where the answers are of one type and differ, and the papers differ too; both are kept, each
    with the other's id in ``contested_by``. Likeness of claims proposes further pairs; such a pair is one idea only
    where subject and answer agree as well.

    Args:
        ideas: those that stand for their repetitions first.
        alike: proposes pairs by meaning, where a model is at hand.
    """
    plain = [idea.model_copy(update={"contested_by": ()}) for idea in ideas]
    leader = _leaders(plain, alike)
    repeated: dict[int, list[int]] = defaultdict(list)
    for number, first in enumerate(leader):
        if first != number:
            repeated[first].append(number)
    merged = {n: _merged(plain[n], [plain[m] for m in repeated[n]]) for n in range(len(plain)) if leader[n] == n}
    against = _contradictions(merged)
    kept = tuple(
        idea.model_copy(update={"contested_by": tuple(sorted(merged[m].id for m in against[n]))})
        for n, idea in merged.items()
    )
    return Settled(kept, tuple(_duplicate(plain[m], plain[n]) for n, group in repeated.items() for m in group))


def teachable(ideas: Iterable[Idea], reviewed: Collection[str] = ()) -> Sorted:
    """Take out what may not be trained as fact: contested ideas, and ideas of guides that nobody has accepted.

    Args:
        reviewed: ids of ideas that a person accepted.
    """
    kept: list[Idea] = []
    rejects: list[Reject] = []
    for idea in ideas:
        said = f"{idea.subject}, {idea.relation}: {idea.answer}"
        if idea.contested_by:
            others = ", ".join(f"idea:{other}" for other in idea.contested_by)
            rejects.append(_reject(idea, "contested", f"{said} here, otherwise in {others}"))
        elif idea.guide and idea.id not in reviewed:
            rejects.append(_reject(idea, "guide_unreviewed", f"{said}, by {idea.paper}"))
        else:
            kept.append(idea)
    return Sorted(tuple(kept), tuple(rejects))


def paper_id(key: str) -> str:
    """A paper's id without its version: two versions of one paper are no two papers."""
    return key.rpartition("v")[0] or key


def _reject(idea: Idea, reason: str, detail: str) -> Reject:
    return Reject(stage="distill", item=f"idea:{idea.id}", reason=reason, detail=detail)


def _duplicate(idea: Idea, first: Idea) -> Reject:
    detail = f"{idea.subject}, {idea.relation}: {idea.answer} in {idea.paper}: same as idea:{first.id} of {first.paper}"
    return _reject(idea, "duplicate", detail)


def _leaders(ideas: Sequence[Idea], alike: Alike | None) -> list[int]:
    """For each idea the index of the first one that is the same, a paper's before a guide's; else its own."""
    leader = list(range(len(ideas)))

    def first(number: int) -> int:
        while leader[number] != number:
            number = leader[number]
        return number

    for one, other in sorted(set(_same(ideas, alike))):
        low, high = sorted((first(one), first(other)), key=lambda number: (ideas[number].guide, number))
        leader[high] = low
    return [first(number) for number in range(len(ideas))]


def _same(ideas: Sequence[Idea], alike: Alike | None) -> Iterable[tuple[int, int]]:
    meeting: dict[frozenset[str], list[int]] = defaultdict(list)
    for number, idea in enumerate(ideas):
        meeting[asked(idea)].append(number)
    for group in meeting.values():
        yield from ((n, m) for n in group for m in group if n < m and same_value(ideas[n], ideas[m]))
    for one, other in near_claims(ideas):
        if _agree(ideas[one], ideas[other]) and near_relations(ideas[one], ideas[other]):
            yield one, other
    for one, other in alike(ideas) if alike else ():
        if _agree(ideas[one], ideas[other]) and agreeing_names(ideas[one], ideas[other]):
            yield one, other


def _agree(left: Idea, right: Idea) -> bool:
    return same_subject(left, right) and same_value(left, right) is True


def _merged(idea: Idea, others: Sequence[Idea]) -> Idea:
    """One idea with the evidence of all."""
    quotes, sources = list(idea.quotes), {source.paper: source for source in idea.sources}
    for other in others:
        for source in (Source(paper=other.paper, quotes=other.quotes), *other.sources):
            if paper_id(source.paper) == paper_id(idea.paper):
                quotes += [quote for quote in source.quotes if quote not in quotes]
            else:
                sources.setdefault(source.paper, source)
    kept = tuple(sources[paper] for paper in sorted(sources))
    return idea.model_copy(update={"quotes": tuple(quotes), "sources": kept})


def _contradictions(ideas: dict[int, Idea]) -> dict[int, set[int]]:
    against: dict[int, set[int]] = defaultdict(set)
    meeting: dict[frozenset[str], list[int]] = defaultdict(list)
    for number, idea in ideas.items():
        meeting[asked(idea)].append(number)
    for group in meeting.values():
        for one in group:
            # A guide that says otherwise makes no paper contested; the paper makes the guide so.
            others = (
                n for n in group if same_value(ideas[one], ideas[n]) is False and ideas[one].guide >= ideas[n].guide
            )
            against[one] |= {n for n in others if _papers(ideas[one]) != _papers(ideas[n])}
    return against


def _papers(idea: Idea) -> frozenset[str]:
    return frozenset(paper_id(key) for key in (idea.paper, *(source.paper for source in idea.sources)))
