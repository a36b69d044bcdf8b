"""Shares of right answers and their Jeffreys posteriors, for everybody who counts what a model answers.

A share seen as k of n has the posterior Beta(k + ½, n − k + ½); its interval keeps its coverage for few probes too
(Brown, Cai & DasGupta 2001, doi:10.1214/ss/1009213286).
"""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy.special import betainc, betaincinv

from paperlora.records import Rate


class Count(NamedTuple):
    """``right`` of ``asked``. Both may be fractions where several models answered the same probes."""

    right: float
    asked: float

    @property
    def share(self) -> float:
        """right / asked; NaN when nothing was asked."""
        return self.right / self.asked if self.asked else math.nan

    def __str__(self) -> str:
        return f"{self.right:g} of {self.asked:g}"


def rate(right: int, asked: int) -> Rate:
    """A share with its 95% Jeffreys interval.

    Raises:
        ValueError: not 0 ≤ right ≤ asked.
    """
    check_count(Count(right, asked))
    low, high = betaincinv(right + 0.5, asked - right + 0.5, [0.025, 0.975])
    return Rate(right=right, asked=asked, low=float(low), high=float(high))


def p_above(count: Count, bar: float) -> float:
    """P(share > bar)."""
    check_count(count)
    return float(1.0 - betainc(count.right + 0.5, count.asked - count.right + 0.5, min(max(bar, 0.0), 1.0)))


def check_count(count: Count) -> None:
    """Refuse what is no count.

    Raises:
        ValueError: not 0 ≤ right ≤ asked.
    """
    if not 0 <= count.right <= count.asked:  # NaN fails here too
        raise ValueError(f"{count.right} right of {count.asked} asked is no count.")
