"""Jeffreys posteriors of shares, of their differences, and what many tests together may claim.

A share seen as k of n has the posterior Beta(k + ½, n − k + ½); its interval keeps its coverage for few probes too
(Brown, Cai & DasGupta 2001, doi:10.1214/ss/1009213286). Differences are integrated, not simulated: equal counts give
equal verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betainc, betaincinv

from paperlora.model.rates import Count as Count
from paperlora.model.rates import check_count
from paperlora.model.rates import p_above as p_above
from paperlora.model.rates import rate as rate
from paperlora.records import Interval

POINTS = 2001
"""Quantiles at which a posterior is integrated; the error of a probability stays below 1e-4."""


def p_gain(adapted: Count, rivals: Sequence[Count], least: float) -> float:
    """P(a − max(rivals) > least), posteriors taken as independent.

    The same probes were answered by all, so that the true difference is known better than this says: it errs towards
    INCONCLUSIVE.
    """
    return _p_gain(adapted, tuple(rivals), least)


def gain(adapted: Count, rivals: Sequence[Count]) -> Interval:
    """a − max(rivals): posterior median with its 95% interval, as shares."""
    return _gain(adapted, tuple(rivals))


@lru_cache(maxsize=65536)
def _p_gain(adapted: Count, rivals: tuple[Count, ...], least: float) -> float:
    shares = np.clip(_quantiles(adapted) - least, 0.0, 1.0)
    below = np.ones_like(shares)
    for rival in rivals:
        check_count(rival)
        below *= betainc(rival.right + 0.5, rival.asked - rival.right + 0.5, shares)
    return float(below.mean())


@lru_cache(maxsize=65536)
def _gain(adapted: Count, rivals: tuple[Count, ...]) -> Interval:
    def quantile(level: float) -> float:
        return float(brentq(lambda d: 1.0 - _p_gain(adapted, rivals, d) - level, -1.0, 1.0, xtol=1e-4))

    return Interval(value=quantile(0.5), low=quantile(0.025), high=quantile(0.975))


@lru_cache(maxsize=4096)
def _quantiles(count: Count) -> NDArray[np.float64]:
    check_count(count)
    levels = (np.arange(POINTS) + 0.5) / POINTS
    return np.asarray(betaincinv(count.right + 0.5, count.asked - count.right + 0.5, levels), dtype=np.float64)


def p_mcnemar(wins: int, losses: int) -> float:
    """One-sided mid-p of McNemar's test: how likely so many wins among the probes that differ, if both were equal.

    Args:
        wins: probes that only the adapter has right.
        losses: probes that only the other has right.
    """
    differ = wins + losses
    if not differ:
        return 1.0
    more = sum(math.comb(differ, count) for count in range(wins + 1, differ + 1))
    return (more + 0.5 * math.comb(differ, wins)) / 2.0**differ


def bh(p_values: Sequence[float]) -> list[float]:
    """Benjamini–Hochberg q-values (1995, doi:10.1111/j.2517-6161.1995.tb02031.x), in the order given."""
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted, least = [1.0] * len(p_values), 1.0
    for rank in range(len(order), 0, -1):
        index = order[rank - 1]
        least = min(least, p_values[index] * len(order) / rank)
        adjusted[index] = least
    return adjusted
