"""What adapters do to each other's probes beside how alike they change the weights, in one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup
from scipy.cluster.hierarchy import leaves_list, linkage
from scipy.spatial.distance import squareform

from paperlora.judge.prior import NAME as PRIOR
from paperlora.records import Correlation, CrossProbe
from paperlora.report import heat, svg
from paperlora.report.heat import At, Box
from paperlora.report.picture import Picture, counted, table, words
from paperlora.report.text import fraction, interval, number, signed
from paperlora.report.views import Index

NUMBERED = 12
"""Adapters up to which every cell bears its number."""
MOST = 400
"""Adapters in one matrix; more would be finer than a pixel."""
ABREAST = 30
"""Adapters up to which both matrices stand side by side."""


class Pair(NamedTuple):
    """Two adapters."""

    left: str
    right: str


class _Square(NamedTuple):
    """A matrix over adapters in one order."""

    names: tuple[str, ...]
    cells: Mapping[At, float]
    own: frozenset[At] = frozenset()


def beside(index: Index) -> tuple[Picture, ...]:
    """The matrix of behaviour and the matrix of the weights, each where there is one."""
    data = index.data
    cosines = {Pair(one.left, one.right): one.cosine for one in data.overlaps}
    cosines |= {Pair(pair.right, pair.left): value for pair, value in cosines.items()}
    known = dict.fromkeys([*(name for pair in cosines for name in pair), *(n for c in data.cross for n in (c.adapter, c.of))])
    if not known:
        return ()
    order = cluster(list(known), cosines)
    shown = order[:MOST]
    left_out = f"{counted(len(order) - MOST, 'adapter')} more are not drawn." if len(order) > MOST else ""
    behaviour = _interference(index, shown, cosines, left_out)
    weights = _overlap(index, shown, cosines, left_out)
    return tuple(picture for picture in (behaviour, weights) if picture)


def cluster(names: Sequence[str], cosines: Mapping[Pair, float]) -> list[str]:
    """The adapters with like ones side by side: average linkage over 1 − cosine; unmeasured pairs count as unlike."""
    if len(names) < 3 or not cosines:
        return list(names)
    distance = np.ones((len(names), len(names)))
    for row, left in enumerate(names):
        for column, right in enumerate(names):
            distance[row, column] = 0.0 if row == column else 1.0 - cosines.get(Pair(left, right), 0.0)
    tree = linkage(squareform(np.clip(distance, 0, 2), checks=False), "average", optimal_ordering=len(names) <= MOST)
    return [names[place] for place in leaves_list(tree)]


def _interference(index: Index, shown: Sequence[str], cosines: Mapping[Pair, float], left_out: str) -> Picture | None:
    crossed = {Pair(one.of, one.adapter): one for one in index.data.cross}
    if not crossed:
        return None
    place = {name: n for n, name in enumerate(shown)}
    inside = {pair: one for pair, one in crossed.items() if pair.left in place and pair.right in place}
    cells = {At(place[p.left], place[p.right]): one.change.value for p, one in inside.items()}
    own = frozenset(At(place[p.left], place[p.right]) for p, one in inside.items() if one.relation == "own")
    square = _Square(tuple(map(index.code, shown)), cells, own)
    foreign = [one for one in crossed.values() if one.relation != "own"]
    full = 1.0 if len(shown) <= NUMBERED else max(0.1, *(abs(one.change.value) for one in foreign), 0.0)
    worst = sorted(crossed.values(), key=lambda one: (one.relation == "own", -abs(one.change.value)))
    return Picture(
        "cross",
        "What adapters do to each other's probes",
        _draw(square, full, "adapter", f"change of right answers, ±{number(full)}"),
        words(
            f"Column: the adapter that answers; row: whose ideas are asked. {counted(len(crossed), 'pair')} of {counted(len(shown), 'adapter')} were asked:",
            f"each one's own ideas (outlined) and {counted(len(foreign), 'foreign pair')}, its nearest neighbours and some drawn at random.",
            f"Blue: more right than the base, orange: fewer, the strongest colour from {number(full)} on; blank: no change, or not asked. Foreign cells should stay blank.",
            "Single cells rest on few probes, so that one may turn by chance: the table holds their intervals.",
            left_out,
            _correlations(index.data.correlations),
        ),
        table(
            ("Adapter", "On ideas of", "Relation", "Base", "Adapter", "Change", "Overlap"),
            [_line(one, index, cosines) for one in worst],
            "foreign pairs first, the largest change on top",
        ),
        wide=True,
        full=len(shown) > ABREAST,
    )  # fmt: skip


def _line(one: CrossProbe, index: Index, cosines: Mapping[Pair, float]) -> tuple[str, ...]:
    cosine = cosines.get(Pair(one.adapter, one.of))
    cells = index.code(one.adapter), index.code(one.of), one.relation, fraction(one.base), fraction(one.adapted)
    return (*cells, interval(one.change), signed(cosine, 3) if cosine is not None else "–")


def _overlap(index: Index, shown: Sequence[str], cosines: Mapping[Pair, float], left_out: str) -> Picture | None:
    place = {name: n for n, name in enumerate(shown)}
    # the matrix is symmetric, so that its lower half says it all
    lower = {
        At(place[pair.left], place[pair.right]): value
        for pair, value in cosines.items()
        if pair.left in place and pair.right in place and place[pair.left] > place[pair.right]
    }
    if not lower:
        return None
    full = max(0.05, max(map(abs, lower.values())))
    strongest = sorted(index.data.overlaps, key=lambda one: -abs(one.cosine))
    return Picture(
        "overlap",
        "How alike they change the weights",
        _draw(_Square(tuple(map(index.code, shown)), lower), full, "", f"cosine of ΔW, ±{number(full)}"),
        words(
            f"Cosine of the weight changes of {counted(len(lower), 'pair')}, in the same order of adapters as the matrix of behaviour, like ones side by side;",
            f"the strongest colour stands for {number(full)}. It compares whole ΔW, never entries of A or B. A picture of the weights is no verdict:",
            _correlations(index.data.correlations) or "whether it says anything about behaviour was not computed.",
            left_out,
        ),
        table(
            ("Left", "Right", "Cosine"),
            [(index.code(one.left), index.code(one.right), signed(one.cosine, 3)) for one in strongest],
            "largest first",
        ),
        wide=True,
        full=len(shown) > ABREAST,
    )


def _correlations(found: Sequence[Correlation]) -> str:
    """Every correlation, nil or not."""
    said = [
        f"{one.name}: Spearman's ρ = {signed(one.value)} [{signed(one.low)}, {signed(one.high)}], p = {_p(one.p_value)} by permuting adapters, "
        f"{counted(one.pairs, 'pair')}{'' if one.p_value <= 0.05 else ' – no relation is shown'}."
        for one in found
        if one.name != PRIOR
    ]
    return " ".join(said)


def _p(value: float) -> str:
    return "< 0.001" if value < 0.001 else number(value, 3)


# ------------------------------------------------------------------ drawing


def _draw(square: _Square, full: float, across: str, scale: str) -> Markup:
    count = len(square.names)
    size = 40.0 if count <= NUMBERED else max(3.0, min(18.0, 460 / count))
    every = 1 if size >= 12 else max(1, round(16 / size))
    box = Box(44, 40, size)
    side = box.left + size * count
    drawn = [
        svg.text(box.left, 12, f"→ {across}" if across else "", "t small"),
        heat.frame(count, count, box),
        *heat.grid(square.cells, full, box),
        *heat.names(square.names, box, down=True, every=every),
        *heat.names(square.names, box, down=False, every=max(every, 1 if size >= 24 else round(44 / size))),
        *(svg.box(box.left + size * at.column + 0.5, box.top + size * at.row + 0.5, size - 1, size - 1, "own") for at in square.own if size >= 6),
        *heat.legend("−", f"+   {scale}", box.left, box.top + size * count + 22, both=True),
    ]  # fmt: skip
    if count <= NUMBERED:
        drawn += [
            svg.text(box.left + size * (at.column + 0.5), box.top + size * (at.row + 0.5) + 4, signed(value), "t strong tight", "middle")
            for at, value in square.cells.items()
        ]  # fmt: skip
    label = f"{scale}: {count} × {count} adapters"
    return svg.picture(max(side + 6, 440), box.top + size * count + 34, label, *drawn)
