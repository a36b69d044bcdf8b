"""Does the strength of what a base believed foretell what training can't teach?

The prior is measured before training, on questions that no verdict counts (:mod:`paperlora.microdata.quiz`). Its power is
the AUC: how often, of one idea that was absorbed and one that was not (RESISTED or NOT_LEARNED), the latter had the
stronger prior; ½ is nil. One idea in several adapters has one prior, so that ideas are drawn and permuted, not verdicts.
Pure: it needs no model.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from paperlora.judge.posterior import rate
from paperlora.records import Correlation, PriorBin, Reject, Verdict

if TYPE_CHECKING:
    from paperlora.judge.judged import Judged

NAME = "prior / resistance"
ABSORBED = ("ABSORBED_DEEP", "ABSORBED_SHALLOW")
KEPT_OUT = ("RESISTED", "NOT_LEARNED")
FEWEST = 3
"""Ideas of either kind below which no AUC is told."""
EDGES = (0.0, 0.05, 0.2, 0.5, 1.0)
"""Of the table's bins; from ½ a wrong answer counts as a belief."""
DRAWS = 1000
Numbers = NDArray[np.float64]


class Foretold(NamedTuple):
    """What the priors of a run say of its verdicts."""

    power: Correlation | None
    """None where it can't be had."""
    bins: tuple[PriorBin, ...]
    rejects: tuple[Reject, ...]


def add_prior(judged: Judged) -> Judged:
    """A judgement with what its ideas' priors foretold."""
    found = foretell(judged.verdicts)
    power = (found.power,) if found.power else ()
    return judged._replace(
        correlations=(*judged.correlations, *power), priors=found.bins, rejects=(*judged.rejects, *found.rejects)
    )


def foretell(verdicts: Sequence[Verdict]) -> Foretold:
    """AUC with its 95% interval by resampling ideas and its p by permuting their priors, and a table by prior.

    Verdicts without a prior, and those that are neither absorbed nor kept out, say nothing here.
    """
    told = [one for one in verdicts if one.prior is not None and one.kind in (*ABSORBED, *KEPT_OUT)]
    bins = _bins(told)
    if all(one.prior is None for one in verdicts):
        return Foretold(None, bins, (_reject("not_quizzed", f"none of {len(verdicts)} verdicts has a prior"),))
    out, absorbed = ({one.idea for one in told if one.kind in kinds} for kinds in (KEPT_OUT, ABSORBED))
    if min(len(out), len(absorbed)) < FEWEST:
        detail = f"{len(out)} ideas kept out, {len(absorbed)} absorbed, at least {FEWEST} of each are needed"
        return Foretold(None, bins, (_reject("too_few", detail),))
    return Foretold(_power(told), bins, ())


def auc(kept_out: Numbers, absorbed: Numbers) -> float:
    """Share of pairs in which the first is larger; equal ones count half. NaN where one list is empty."""
    if not len(kept_out) or not len(absorbed):
        return float("nan")
    ranks = rankdata(np.concatenate([kept_out, absorbed]))[: len(kept_out)]
    return float((ranks.sum() - len(kept_out) * (len(kept_out) + 1) / 2) / (len(kept_out) * len(absorbed)))


def _power(told: Sequence[Verdict]) -> Correlation:
    ideas = sorted({one.idea for one in told})
    place = {idea: number for number, idea in enumerate(ideas)}
    owner = np.array([place[one.idea] for one in told])
    prior = np.array([float(one.prior or 0.0) for one in told])
    out = np.array([one.kind in KEPT_OUT for one in told])
    value, rng = auc(prior[out], prior[~out]), np.random.default_rng(0)
    drawn = np.array([_resampled(prior, out, owner, rng.integers(0, len(ideas), len(ideas))) for _ in range(DRAWS)])
    first = np.array([prior[owner == number][0] for number in range(len(ideas))])
    nulls = np.array([auc(shuffled[out], shuffled[~out]) for shuffled in (rng.permutation(first)[owner] for _ in range(DRAWS))])
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    extreme = int((np.abs(nulls - 0.5) >= abs(value - 0.5) - 1e-9).sum())
    return Correlation(
        name=NAME, pairs=len(told), value=value, low=float(low), high=float(high), p_value=(1 + extreme) / (1 + DRAWS)
    )


def _resampled(prior: Numbers, out: NDArray[np.bool_], owner: NDArray[np.int64], drawn: NDArray[np.int64]) -> float:
    """NaN where a draw holds ideas of one kind only."""
    rows = np.concatenate([np.flatnonzero(owner == number) for number in drawn])
    return auc(prior[rows][out[rows]], prior[rows][~out[rows]])


def _bins(told: Sequence[Verdict]) -> tuple[PriorBin, ...]:
    found = []
    for low, high in pairwise(EDGES):
        inside = [one for one in told if low <= (one.prior or 0.0) and ((one.prior or 0.0) < high or high == EDGES[-1])]
        count = {kind: sum(one.kind == kind for one in inside) for kind in KEPT_OUT}
        absorbed = sum(one.kind in ABSORBED for one in inside)
        if inside:
            found.append(
                PriorBin(
                    low=low, high=high, absorbed=rate(absorbed, len(inside)), resisted=count["RESISTED"],
                    not_learned=count["NOT_LEARNED"],
                )
            )  # fmt: skip
    return tuple(found)


def _reject(reason: str, detail: str) -> Reject:
    return Reject(stage="judge", item=NAME, reason=reason, detail=detail)
