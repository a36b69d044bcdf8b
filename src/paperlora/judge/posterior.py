"""Jeffreys posteriors of shares, of their differences, and what many tests together may claim.

A share seen as k of n has the posterior Beta(k + ½, n − k + ½); its interval keeps its coverage for few probes too
(Brown, Cai & DasGupta 2001, doi:10.1214/ss/1009213286). Differences are integrated, not simulated: equal counts give
equal verdicts.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import betainc, betaincinv, stdtrit

from paperlora.model.rates import Count as Count
from paperlora.model.rates import check_count
from paperlora.model.rates import p_above as p_above
from paperlora.model.rates import rate as rate
from paperlora.records import Interval, Verdict

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


def gain_over_ideas(pairs: Sequence[tuple[Count, Count]]) -> Interval | None:
    """Mean over ideas of share after − share before, with its 95% interval by Student's t over the ideas.

    Probes of one idea stand or fall together: pooled as if they were independent, a 95% interval holds the truth in half
    of the cases where ideas differ much. Ideas that happen to agree don't make it narrower than the posteriors of their
    own shares do.

    Args:
        pairs: of each idea the answers after and before.

    Returns:
        None for fewer than two ideas of which something was asked.
    """
    told = [(after, before) for after, before in pairs if after.asked and before.asked]
    if len(told) < 2:
        return None
    shares = np.array([after.share - before.share for after, before in told])
    within = sum(_variance(after) + _variance(before) for after, before in told) / len(told) ** 2
    error = math.sqrt(max(float(shares.var(ddof=1)) / len(told), within))
    reach, mean = float(stdtrit(len(told) - 1, 0.975)) * error, float(shares.mean())
    return Interval(value=mean, low=max(mean - reach, -1.0), high=min(mean + reach, 1.0))


def gain_of(verdicts: Iterable[Verdict]) -> Interval | None:
    """:func:`gain_over_ideas` of those that can be judged."""
    judged = (one for one in verdicts if one.kind != "UNJUDGEABLE")
    return gain_over_ideas([(Count(one.adapted.right, one.adapted.asked), Count(one.base.right, one.base.asked)) for one in judged])


def _variance(count: Count) -> float:
    """Of the share's posterior."""
    check_count(count)
    mean = (count.right + 0.5) / (count.asked + 1)
    return mean * (1 - mean) / (count.asked + 2)


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
