"""Whether the geometry of adapters says anything about what they do to each other and to the base.

Spearman's ρ, its interval by resampling papers, its p by permuting them (Mantel 1967: cells of a matrix are not independent,
its rows are). Pure: it needs no model. A nil result is a result; one that can't be had is a reject with its reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from paperlora.records import (
    Adapter,
    AdapterGeometry,
    AdapterReport,
    Correlation,
    CrossProbe,
    Overlap,
    Reject,
    digest,
)

if TYPE_CHECKING:
    from paperlora.judge.judged import Judged

FEWEST = 6
"""Papers, or adapters, below which no correlation is told: six can be permuted in 720 ways."""
PERMUTATIONS = 999
DRAWS = 1000
Numbers = NDArray[np.float64]
Places = NDArray[np.int64]


class Unit(NamedTuple):
    """What is drawn and permuted: papers; adapters of one paper stand or fall together."""

    dataset: str
    recipe: str


class Correlations(NamedTuple):
    """What could be told, and what couldn't."""

    found: tuple[Correlation, ...]
    rejects: tuple[Reject, ...]


class _Rho(NamedTuple):
    value: float
    low: float
    high: float
    p_value: float


def add_inside(
    judged: Judged, adapters: Sequence[Adapter], geometries: Sequence[AdapterGeometry], overlaps: Sequence[Overlap],
    rejects: Sequence[Reject] = (),
) -> Judged:  # fmt: skip
    """A judgement with what its adapters look like inside, and with what that has to do with their behaviour."""
    units = {one.id: Unit(one.dataset, digest(one.recipe)) for one in adapters}
    between = between_adapters(judged.cross, overlaps, units)
    alone = within_adapters(geometries, judged.reports, judged.cross)
    return judged._replace(
        geometries=tuple(geometries), overlaps=tuple(overlaps),
        correlations=(*judged.correlations, *between.found, *alone.found),
        rejects=(*judged.rejects, *rejects, *between.rejects, *alone.rejects),
    )  # fmt: skip


def between_adapters(cross: Sequence[CrossProbe], overlaps: Sequence[Overlap], units: Mapping[str, Unit]) -> Correlations:
    """Overlap of two adapters' weights against what one does to the other's ideas."""
    cosines = {(one.left, one.right): one.cosine for one in overlaps}
    known = [one for one in cross if one.relation != "own" and _cosine(cosines, one.adapter, one.of) is not None]
    weighed = [one for one in known if one.margin_change is not None]
    wanted: list[tuple[str, Sequence[CrossProbe], Callable[[CrossProbe], float], bool]] = [
        ("overlap / change of right answers", known, _change, False),
        ("overlap / change of margin", weighed, _moved, False),
        ("size of overlap / size of the change of margin", weighed, lambda one: abs(_moved(one)), True),
    ]
    told = []
    for name, cells, value, absolute in wanted:
        matrix = _Matrix(cells, [value(one) for one in cells], cosines, units, absolute)
        told.append(_tell(name, len(cells), len(matrix.papers), "papers", matrix.correlate))
    return _parted(told)


def within_adapters(
    geometries: Sequence[AdapterGeometry], reports: Sequence[AdapterReport], cross: Sequence[CrossProbe]
) -> Correlations:
    """Norm, effective rank and intruders of an adapter against its damage, what it learnt, and what it does to others' ideas."""
    shapes = {
        "relative norm": {one.adapter: one.relative_norm for one in geometries},
        "effective rank": {one.adapter: one.effective_rank for one in geometries},
        "intruders": {one.adapter: float(one.intruders) for one in geometries if one.intruders is not None},
    }
    effects = {
        "nll drift": {one.adapter: one.damage["nll_drift"] for one in reports if "nll_drift" in one.damage},
        "known facts": {one.adapter: one.damage["known_change"] for one in reports if "known_change" in one.damage},
        "own right answers": {one.adapter: _change(one) for one in cross if one.relation == "own"},
        "others' margins": _others_margins(cross),
    }
    told = []
    for shape, effect in ((shape, effect) for shape in shapes for effect in effects):
        both = sorted(shapes[shape].keys() & effects[effect].keys())
        x, y = (np.array([values[name] for name in both]) for values in (shapes[shape], effects[effect]))
        told.append(_tell(f"{shape} / {effect}", len(both), len(both), "adapters", _Lists(x, y).correlate))
    return _parted(told)


def worst(cross: Sequence[CrossProbe], most: int) -> list[CrossProbe]:
    """The pairs in which an adapter does most harm to another one's ideas, worst first; only those with any."""
    harmed = [one for one in cross if one.relation != "own" and (_change(one) < 0 or (one.margin_change or 0.0) < 0)]
    return sorted(harmed, key=lambda one: (_change(one), one.margin_change or 0.0, one.adapter, one.of))[:most]


def spearman(x: Numbers, y: Numbers) -> float:
    """ρ of two equally long lists; NaN where one of them doesn't vary."""
    if len(x) < 3:
        return float("nan")
    return float(_rho(rankdata(x)[None], rankdata(y)[None], np.ones((1, len(x))))[0])


def _others_margins(cross: Sequence[CrossProbe]) -> dict[str, float]:
    """Mean change of the margins on others' ideas, by the adapter that makes it."""
    moved: dict[str, list[float]] = {}
    for one in cross:
        if one.relation != "own" and one.margin_change is not None:
            moved.setdefault(one.adapter, []).append(one.margin_change)
    return {adapter: sum(values) / len(values) for adapter, values in moved.items()}


def _change(one: CrossProbe) -> float:
    """As it was seen: the posterior's median would be drawn towards nought where fewer probes were asked."""
    return one.adapted.share - one.base.share


def _moved(one: CrossProbe) -> float:
    return one.margin_change if one.margin_change is not None else float("nan")


def _cosine(cosines: Mapping[tuple[str, str], float], left: str, right: str) -> float | None:
    return cosines.get((left, right), cosines.get((right, left)))


def _tell(name: str, pairs: int, units: int, of: str, correlate: Callable[[], _Rho | None]) -> Correlation | Reject:
    if units < FEWEST:
        return Reject(stage="judge", item=name, reason="too_few", detail=f"{units} {of}, at least {FEWEST} are needed")
    rho = correlate()
    if rho is None:
        return Reject(stage="judge", item=name, reason="no_variation", detail=f"one side is the same for {pairs} pairs")
    return Correlation(name=name, pairs=pairs, value=rho.value, low=rho.low, high=rho.high, p_value=rho.p_value)


def _parted(told: Sequence[Correlation | Reject]) -> Correlations:
    found = tuple(one for one in told if isinstance(one, Correlation))
    return Correlations(found, tuple(one for one in told if isinstance(one, Reject)))


def _told(value: float, drawn: Numbers, permuted: Numbers) -> _Rho | None:
    """Interval and p; None where ρ, or most of what is drawn, isn't defined."""
    draws, nulls = (values[~np.isnan(values)] for values in (drawn, permuted))
    if np.isnan(value) or len(draws) < DRAWS / 2 or len(nulls) < PERMUTATIONS / 2:
        return None
    low, high = np.quantile(draws, (0.025, 0.975))
    extreme = int((np.abs(nulls) >= abs(value) - 1e-9).sum())
    return _Rho(value, float(low), float(high), (1 + extreme) / (1 + len(nulls)))


class _Lists:
    """One number against another, adapter by adapter."""

    def __init__(self, x: Numbers, y: Numbers) -> None:
        self._x, self._y = x, y

    def correlate(self) -> _Rho | None:
        """ρ with its interval and p."""
        rng, count = np.random.default_rng(0), len(self._x)
        often = rng.multinomial(count, [1 / count] * count, size=DRAWS).astype(np.float64)
        drawn = _rho(_weighted_ranks(self._x, often), _weighted_ranks(self._y, often), often)
        orders = np.array([rng.permutation(count) for _ in range(PERMUTATIONS)])
        ranks, whole = rankdata(self._x)[orders], np.ones(orders.shape)
        return _told(spearman(self._x, self._y), drawn, _rho(ranks, np.broadcast_to(rankdata(self._y), orders.shape), whole))


class _Matrix:
    """Some cells of a matrix of papers, each with the recipes of the two adapters that met there.

    A permutation moves papers and leaves recipes where they are: the overlap of two adapters of one paper, or of two
    recipes, is nothing that the observed cells could have shown.
    """

    def __init__(
        self, cells: Sequence[CrossProbe], values: Sequence[float], cosines: Mapping[tuple[str, str], float],
        units: Mapping[str, Unit], absolute: bool,
    ) -> None:  # fmt: skip
        self.papers = sorted({units[name].dataset for one in cells for name in (one.adapter, one.of)})
        places = {paper: place for place, paper in enumerate(self.papers)}
        self._y = np.array(values, dtype=np.float64)
        self._left, self._right = (
            np.array([places[units[getattr(one, side)].dataset] for one in cells], dtype=np.int64) for side in ("adapter", "of")
        )
        recipes = [(units[one.adapter].recipe, units[one.of].recipe) for one in cells]
        kinds = sorted(set(recipes))
        self._kind = np.array([kinds.index(both) for both in recipes], dtype=np.int64)
        self._x = _overlap_tables(cosines, units, places, kinds, absolute)

    def correlate(self) -> _Rho | None:
        """ρ with its interval and p."""
        rng, count = np.random.default_rng(0), len(self.papers)
        times = rng.multinomial(count, [1 / count] * count, size=DRAWS)
        often = (times[:, self._left] * times[:, self._right]).astype(np.float64)
        x = self._x[self._kind, self._left, self._right]
        drawn = _rho(_weighted_ranks(x, often), _weighted_ranks(self._y, often), often)
        orders = np.array([rng.permutation(count) for _ in range(PERMUTATIONS)])
        return _told(spearman(x, self._y), drawn, self._permuted(orders))

    def _permuted(self, orders: Places) -> Numbers:
        """ρ after each permutation of the papers; a cell where no two such adapters are doesn't count in it."""
        x = self._x[self._kind, orders[:, self._left], orders[:, self._right]]
        known = (~np.isnan(x)).astype(np.float64)
        # Infinity ranks above all others, so that it changes no other rank.
        ranks = rankdata(np.where(known > 0, x, np.inf), axis=1)
        return _rho(ranks, _weighted_ranks(self._y, known), known)


def _weighted_ranks(values: Numbers, often: Numbers) -> Numbers:
    """Mean ranks (draws × n) of a list in which each value stands as often (draws × n) as it was drawn."""
    order = np.argsort(values, kind="stable")
    new = np.r_[True, np.diff(values[order]) > 0]
    groups = np.add.reduceat(often[:, order], np.flatnonzero(new), axis=1)
    mean = np.cumsum(groups, axis=1) - groups / 2 + 0.5
    ranks = np.empty_like(often)
    ranks[:, order] = mean[:, np.cumsum(new) - 1]
    return ranks


def _rho(x: Numbers, y: Numbers, often: Numbers) -> Numbers:
    """Correlation of ranks row by row (draws × n), weighted; NaN where one side doesn't vary."""
    total = np.maximum(often.sum(axis=1, keepdims=True), 1.0)
    x, y = (side - (side * often).sum(axis=1, keepdims=True) / total for side in (x, y))
    spread = np.sqrt((x * x * often).sum(axis=1) * (y * y * often).sum(axis=1))
    both = (x * y * often).sum(axis=1)
    return np.divide(both, spread, out=np.full(len(both), np.nan), where=spread > 1e-9)


def _overlap_tables(
    cosines: Mapping[tuple[str, str], float], units: Mapping[str, Unit], places: Mapping[str, int],
    kinds: Sequence[tuple[str, str]], absolute: bool,
) -> Numbers:  # fmt: skip
    """Overlaps by (recipe of the one, recipe of the other) × paper × paper; NaN where no such two adapters are."""
    table = np.full((len(kinds), len(places), len(places)), np.nan)
    number = {kind: place for place, kind in enumerate(kinds)}
    for (left, right), cosine in cosines.items():
        for one, other in ((left, right), (right, left)):
            if one in units and other in units:
                mine, theirs = units[one], units[other]
                kind = number.get((mine.recipe, theirs.recipe))
                if kind is not None and mine.dataset in places and theirs.dataset in places:
                    table[kind, places[mine.dataset], places[theirs.dataset]] = abs(cosine) if absolute else cosine
    return table
