"""When a damage measure is too much.

The bounds are those of the project's method (section 4) where it names one; instructions, arithmetic, the variety of words
and taught answers in foreign questions have none there and take the bound of the measure that is most like them. A pool
holds a few dozen questions, so that a bound is passed by chance alone now and then: a measure counts as damage where it is
*shown* to lie beyond its bound (posterior probability ≥ .95, Jeffreys posteriors of shares, Student's t over texts), and
where it lies beyond what the base shows against itself. The method's "lower 95% bound < −5 points" of known facts would
call every small pool damaged, which can exclude no loss of five points.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import betainc, betaincinv, stdtr

from paperlora.judge.posterior import POINTS, Count, p_above, p_gain

SURE = 0.95
"""Posterior probability from which something counts as shown."""
LEAST_REFUSALS = 5
"""Refusals of the base below which a loss of refusals can't be counted."""
LEAST_THOUGHTS = 5
"""Likewise of its thoughts."""


class Bound(NamedTuple):
    """Where damage begins."""

    limit: float
    neutral: float
    """What an unchanged model shows."""
    harm: int
    """1: larger values do harm; −1: smaller ones."""

    def passed(self, value: float) -> bool:
        """The value lies at the bound or on its harmful side."""
        return self.harm * (value - self.limit) >= 0


BOUNDS = {
    "nll_drift": Bound(0.05, 0.0, 1),
    "kl_drift": Bound(0.05, 0.0, 1),
    "known_change": Bound(-0.05, 0.0, -1),
    "arithmetic_change": Bound(-0.05, 0.0, -1),
    "instruction_change": Bound(-0.05, 0.0, -1),
    "unique_ratio": Bound(0.85, 1.0, -1),
    "distinct_ratio": Bound(0.85, 1.0, -1),
    "refusal_ratio": Bound(0.5, 1.0, -1),
    "cap_hit_change": Bound(0.05, 0.0, 1),
    "loop_change": Bound(0.05, 0.0, 1),
    "think_ratio": Bound(0.9, 1.0, -1),
    "think_leak": Bound(0.02, 0.0, 1),
    "false_trigger": Bound(0.02, 0.0, 1),
}
"""Every measure that can be damage, by its name in :attr:`paperlora.records.AdapterReport.damage`."""
DRIFTS = ("nll_drift", "kl_drift")
"""Measures that any training moves: they must also pass what placebo adapters of the recipe show, where there are any."""
NEEDS_PLACEBOS = ("kl_drift",)
"""The method gives no bound in nats alone for it: without placebos it is told and decides nothing."""


def broken(measures: Mapping[str, float]) -> tuple[str, ...]:
    """Names of the measures that lie beyond their bounds, for reports that hold no checks."""
    named = ((name, bound) for name, bound in BOUNDS.items() if name in measures and name not in NEEDS_PLACEBOS)
    return tuple(name for name, bound in named if bound.passed(measures[name]))


def p_lost(kept: Count, loss: float) -> float:
    """P(more than this share of what was held is lost)."""
    return 1.0 - p_above(kept, 1.0 - loss)


def p_risen(after: Count, before: Count, by: float) -> float:
    """P(after − before > by), posteriors taken as independent."""
    return p_gain(after, [before], by)


def p_ratio_below(after: Count, before: Count, ratio: float) -> float:
    """P(after < ratio · before), posteriors taken as independent."""
    levels = (np.arange(POINTS) + 0.5) / POINTS
    bars = ratio * betaincinv(before.right + 0.5, before.asked - before.right + 0.5, levels)
    return float(betainc(after.right + 0.5, after.asked - after.right + 0.5, bars).mean())


def p_mean_above(values: Sequence[float], bar: float) -> float:
    """P(mean > bar) of paired differences, by Student's t; for a single one whether it lies above."""
    if len(values) < 2:
        return float(bool(values) and values[0] > bar)
    mean, error = float(np.mean(values)), float(np.std(values, ddof=1)) / math.sqrt(len(values))
    if error == 0.0:
        return float(mean > bar)
    return float(stdtr(len(values) - 1, (mean - bar) / error))
