"""The report's drawings, each from plain numbers to one SVG. Colours and line styles live in ``style.css.j2``.

Widths are chosen so that the words stay legible on a telephone, where a drawing shrinks to some 350 pixels.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from paperlora.records import Rate, Verdict
from paperlora.report import svg
from paperlora.report.kinds import KINDS, Kind
from paperlora.report.text import fraction, interval, rate, signed

GAIN_LINE = 0.2
"""Gain from which a verdict may speak of learning (METHOD.md, section 4)."""
NLL_LINE = 0.05
"""Nats a token of drift on unrelated text from which an adapter may be called damaged (METHOD.md, section 4)."""
_CELL_WIDTH = 230.0
_GAIN = svg.Scale(-1, 1, 10, _CELL_WIDTH - 10)
_SHARE = svg.Scale(0, 1, 10, _CELL_WIDTH - 10)


def _axis(scale: svg.Scale, ticks: Sequence[tuple[float, str]], label: str) -> Markup:
    marks = [svg.line(scale(at), 15, scale(at), 20, "axis") for at, _ in ticks]
    words = [svg.text(scale(at), 12, name, "t small", "middle") for at, name in ticks]
    return svg.picture(
        _CELL_WIDTH, 20, label, svg.line(scale.start, 20, scale.end, 20, "axis"), *marks, *words, css="chart cell"
    )


def gain_axis() -> Markup:
    """Scale above the forest plot's column."""
    return _axis(_GAIN, [(-1, "−1"), (0, "0"), (GAIN_LINE, "+.2"), (1, "+1")], "scale of the gain, −1 to +1")


def share_axis() -> Markup:
    """Scale above the column of right answers."""
    return _axis(_SHARE, [(0, "0"), (0.5, ".5"), (1, "1")], "scale of the share of right answers, 0 to 1")


def gain_cell(verdict: Verdict) -> Markup:
    """One row of the forest plot: the gain a − b* and its 95% interval; an open verdict is hollow and dashed."""
    group = KINDS[verdict.kind].group
    gain = verdict.gain
    return svg.picture(
        _CELL_WIDTH,
        30,
        f"gain {interval(gain)}",
        svg.line(_GAIN(0), 0, _GAIN(0), 30, "axis"),
        svg.line(_GAIN(GAIN_LINE), 0, _GAIN(GAIN_LINE), 30, "rule"),
        svg.line(_GAIN(gain.low), 15, _GAIN(gain.high), 15, f"whisker g-{group}"),
        svg.dot(_GAIN(gain.value), 15, 5.5, f"point g-{group}"),
        css="chart cell",
    )


def share_cell(verdict: Verdict) -> Markup:
    """Right answers of base (hollow), other adapters (cross) and adapter (filled), each with its interval."""
    lanes = [("base", verdict.base), ("others", verdict.others), ("adapter", verdict.adapted)]
    asked = [(name, value) for name, value in lanes if value is not None and value.asked]
    label = ", ".join(f"{name} {rate(value)}" for name, value in asked) or "nothing asked"
    group = KINDS[verdict.kind].group
    heights = {"base": 7.0, "others": 16.0, "adapter": 25.0}
    grid = [svg.line(_SHARE(at), 0, _SHARE(at), 32, "grid") for at in (0, 0.5, 1)]
    return svg.picture(
        _CELL_WIDTH,
        32,
        label,
        *grid,
        *(_lane(name, value, heights[name], group) for name, value in asked),
        css="chart cell",
    )


def _lane(name: str, value: Rate, y: float, group: str) -> Markup:
    x = _SHARE(value.share)
    css = f"g-{group}" if name == "adapter" else "before"
    whisker = svg.line(_SHARE(value.low), y, _SHARE(value.high), y, f"thin {css}")
    if name == "others":
        cross = svg.line(x - 3, y - 3, x + 3, y + 3, "cross") + svg.line(x - 3, y + 3, x + 3, y - 3, "cross")
        return svg.element("g", whisker, cross)
    return svg.element("g", whisker, svg.dot(x, y, 4.5, f"point {css}"))


def kinds_bar(counts: Mapping[str, int]) -> Markup:
    """All verdicts in one bar, in the order of the legend. Places are per cent, so that its words never shrink."""
    total = sum(counts.values())
    parts, x = [], 0.0
    for name, count in counts.items():
        parts.append(_part_of_bar(KINDS[name], count, x, 100 * count / total))
        x += 100 * count / total
    return svg.element(
        "svg", *parts, class_="chart wide", width="100%", height=28, role="img", aria_label=f"{total} verdicts by kind"
    )


def _part_of_bar(kind: Kind, count: int, x: float, width: float) -> Markup:
    bar = svg.element(
        "rect", x=f"{x:.2f}%", y=2, width=f"{max(width - 0.3, 0.1):.2f}%", height=24, class_=f"bar g-{kind.group}"
    )
    words = svg.element(
        "text", str(count), x=f"{x + width / 2:.2f}%", y=19, class_=f"t onbar g-{kind.group}", text_anchor="middle"
    )
    return svg.element("g", svg.hint(f"{kind.label}: {count}"), bar, *([words] if width > 4 else []))


# --------------------------------------------------------------- interference


class Cell(NamedTuple):
    """Adapter ``column`` on the direct probes of paper ``row``."""

    row: str
    column: str
    change: float
    """Share of right answers minus the base's on the same probes."""
    adapted: int
    base: int
    asked: int
    own: bool
    """The adapter was trained on this paper."""


def matrix(rows: Sequence[str], columns: Sequence[str], cells: Sequence[Cell]) -> Markup:
    """Who moves whose probes: the diagonal should gain, everything else should stay near 0."""
    size, left, top = 50.0, 36.0, 22.0
    heads = [svg.text(left + size * (i + 0.5), 14, name, "t", "middle") for i, name in enumerate(columns)]
    sides = [svg.text(left - 8, top + size * (i + 0.5) + 4, name, "t", "end") for i, name in enumerate(rows)]
    drawn = [
        _cell(cell, left + size * columns.index(cell.column), top + size * rows.index(cell.row), size) for cell in cells
    ]
    empty = [
        svg.box(left + size * x + 1, top + size * y + 1, size - 2, size - 2, "unasked")
        for x in range(len(columns))
        for y in range(len(rows))
    ]
    label = "change of every adapter on every paper's direct probes"
    return svg.picture(
        left + size * len(columns) + 2, top + size * len(rows) + 2, label, *heads, *sides, *empty, *drawn
    )


def _cell(cell: Cell, x: float, y: float, size: float) -> Markup:
    words = f"{cell.column} on {cell.row}: {cell.adapted}/{cell.asked} right, base {cell.base}/{cell.asked}"
    fill = svg.element(
        "rect",
        x=x + 1,
        y=y + 1,
        width=size - 2,
        height=size - 2,
        class_="gain" if cell.change >= 0 else "loss",
        fill_opacity=round(min(abs(cell.change), 1) * 0.85, 2),
    )
    outline = [svg.box(x + 2, y + 2, size - 4, size - 4, "own")] if cell.own else []
    middle = x + size / 2
    return svg.element(
        "g",
        svg.hint(words),
        fill,
        *outline,
        svg.text(middle, y + size / 2 + 1, signed(cell.change), "t strong", "middle"),
        svg.text(middle, y + size / 2 + 15, f"n {cell.asked}", "t small", "middle"),
    )


def count_bar(count: int, most: int) -> Markup:
    """A bar beside a count."""
    return svg.picture(
        120, 12, str(count), svg.box(0, 1, max(2.0, 120 * count / most), 10, "bar plain"), css="chart cell"
    )


def rate_bar(value: Rate) -> Markup:
    """A share of right answers with its interval, 0 to 1."""
    scale = svg.Scale(0, 1, 4, 116)
    return svg.picture(
        120,
        12,
        fraction(value),
        svg.line(4, 6, 116, 6, "grid"),
        svg.line(scale(value.low), 6, scale(value.high), 6, "thin before"),
        svg.dot(scale(value.share), 6, 4, "point solid"),
        css="chart cell",
    )


def finite(values: Iterable[float]) -> list[float]:
    """Those that can be drawn."""
    return [value for value in values if math.isfinite(value)]
