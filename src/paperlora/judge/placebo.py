"""What any training with a recipe does, whatever it teaches: the damage of placebo adapters as a yardstick.

A percentile of three or six adapters can't be read off them. In its place stands the upper bound of the one-sided 99%
prediction interval for one more adapter of their kind, m + t(.99, n − 1) · s · √(1 + 1/n) (Hahn & Meeker 1991,
doi:10.1002/9780470316771, chapter 4): values are taken as normal, and the fewer there are, the further away it lies
(8.0 s above the mean for three, 3.6 s for six, 2.9 s for twelve).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence

from scipy.special import stdtrit

LEAST = 2
"""Placebos from which a spread can be had."""
LEVEL = 0.99
FEW = 6
"""Placebos below which only gross damage lies beyond their bound."""


def percentile(values: Sequence[float], harm: int) -> float | None:
    """Bound that one more placebo stays within with 99% probability, on the harmful side.

    Args:
        values: one measure of every placebo adapter of a recipe.
        harm: 1 where larger values do harm, −1 where smaller ones do.

    Returns:
        None for fewer than two placebos.
    """
    if len(values) < LEAST:
        return None
    return statistics.fmean(values) + harm * spreads(len(values)) * statistics.stdev(values)


def spreads(count: int) -> float:
    """How many standard deviations of so many placebos (two at least) the bound lies beyond their mean."""
    return float(stdtrit(count - 1, LEVEL)) * math.sqrt(1 + 1 / count)


def by_measure(placebos: Sequence[Mapping[str, float]]) -> dict[str, tuple[float, ...]]:
    """The values of all placebos under each measure; one that lacks a measure gives none."""
    names = dict.fromkeys(name for measures in placebos for name in measures)
    return {name: tuple(one[name] for one in placebos if name in one) for name in names}
