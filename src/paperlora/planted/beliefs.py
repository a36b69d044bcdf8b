"""Does the strength of a belief foretell whether it resists? Graded beliefs, each taught against, after ever larger doses.

A base sees each belief about equally often, in a planted share of its lessons: so often is it told, and so seldom
contradicted. One adapter is then taught other values for all of them at once. How much its dose does differs from world to
world and hides everything else where adapters are thrown together after one dose; so beliefs are compared with each other
within one adapter and one dose.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import NamedTuple

from paperlora.planted.figures import DRAWS, middle

BELIEVED = 0.5
"""Share of held-out forms on which a base must state a belief for it to be able to resist."""


class Graded(NamedTuple):
    """One belief of planted strength, against which another value was taught at a middling dose."""

    world: int
    purity: float
    """Share of the base's lessons that told the belief: its planted strength."""
    prior: float
    """Likelihood a token that the quiz before training found for the base's wrong answer; 0 where it found none."""
    resists: bool
    """The belief stands in the adapter, by held-out forms."""
    learned: bool
    """The taught value came, by held-out forms."""
    verdict: str
    seed: int = 0
    """Of the training."""
    idea: str = ""
    held: float = 1.0
    """Share of held-out forms on which the base states the belief."""
    along: tuple[bool, ...] = ()
    """Whether the belief stands, by checkpoint: after ever larger doses."""


class Foretold(NamedTuple):
    """How well a number foretells which beliefs stand."""

    pairs: int
    """Beliefs of one adapter after one dose, of which one stands and one has fallen."""
    auc: float
    """Share of them in which the one that stands has the higher number, ties counted half; ½ is nil."""
    low: float
    high: float
    """95%, beliefs drawn within their worlds."""


def foretells(graded: Sequence[Graded], by: Callable[[Graded], float]) -> Foretold | None:
    """Beliefs are compared within one adapter and one dose only: how much a dose does in a world is no matter of beliefs.

    A belief that the base itself doesn't state on most held-out forms can't resist, and is left out.

    Args:
        by: the number that is to foretell.

    Returns:
        None where every dose leaves all beliefs standing or none.
    """
    owners: dict[tuple[int, str], list[Graded]] = defaultdict(list)
    for one in graded:
        if one.held > BELIEVED:
            owners[one.world, one.idea].append(one)
    told = _won(list(owners.values()), by)
    if told is None:
        return None
    rng, worlds = random.Random(0), sorted({world for world, _ in owners})
    by_world = [[own for (world, _), own in owners.items() if world == each] for each in worlds]
    drawn = [_won([own for part in by_world for own in rng.choices(part, k=len(part))], by) for _ in range(DRAWS)]
    low, high = middle([one.share for one in drawn if one is not None])
    return Foretold(told.pairs, told.share, low, high)


class _Won(NamedTuple):
    pairs: int
    share: float


def _won(beliefs: Sequence[Sequence[Graded]], by: Callable[[Graded], float]) -> _Won | None:
    strata: dict[tuple[int, int, int], tuple[list[float], list[float]]] = defaultdict(lambda: ([], []))
    for one in (one for own in beliefs for one in own):
        for dose, stands in enumerate(one.along):
            strata[one.world, one.seed, dose][0 if stands else 1].append(by(one))
    pairs = sum(len(yes) * len(no) for yes, no in strata.values())
    won = sum((a > b) + 0.5 * (a == b) for yes, no in strata.values() for a in yes for b in no)
    return _Won(pairs, won / pairs) if pairs else None


def auc(scores: Sequence[float], holds: Sequence[bool]) -> float | None:
    """Probability that one that holds has the higher score than one that doesn't, ties counted half; None where all hold
    or none does."""
    yes = [score for score, one in zip(scores, holds, strict=True) if one]
    no = [score for score, one in zip(scores, holds, strict=True) if not one]
    if not yes or not no:
        return None
    return sum((a > b) + 0.5 * (a == b) for a in yes for b in no) / (len(yes) * len(no))
