"""The report's drawings, each from plain numbers to one SVG. Colours and line styles live in ``style.css.j2``.

Widths are chosen so that the words stay legible on a telephone, where a drawing shrinks to some 350 pixels.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from paperlora.records import Rate, Verdict
from paperlora.report import svg
from paperlora.report.kinds import KINDS, Kind
from paperlora.report.text import fraction, interval, number, rate, signed

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


# ------------------------------------------------------------ before → after


def state_before(base: Rate) -> str:
    """What the base knew of an idea, read from its 95% interval alone: ``knew``, ``did not know`` or ``unclear``."""
    if base.asked and base.low > 0.6:
        return "knew"
    if base.asked and base.high < 0.4:
        return "did not know"
    return "unclear"


def flows(verdicts: Iterable[Verdict]) -> Markup:
    """From what the base knew to what the verdict says: bands as wide as the number of ideas."""
    links: Counter[tuple[str, str]] = Counter((state_before(verdict.base), verdict.kind) for verdict in verdicts)
    states = [name for name in ("did not know", "unclear", "knew") if any(left == name for left, _ in links)]
    kinds = [name for name in KINDS if any(right == name for _, right in links)]
    total, gap, top = sum(links.values()), 20.0, 24.0
    height = max(150.0, 30.0 * len(kinds))
    unit = height / total
    left = _stack([(name, sum(n for (a, _), n in links.items() if a == name)) for name in states], unit, gap, top)
    right = _stack([(name, sum(n for (_, b), n in links.items() if b == name)) for name in kinds], unit, gap, top)
    bands = _bands(links, states, kinds, left, right, unit)
    marks = [_state(name, left[name], links, unit) for name in states] + [
        _outcome(name, right[name], links, unit) for name in kinds
    ]
    bottom = top + height + gap * max(len(kinds), len(states)) - gap + 12
    heads = [svg.text(0, 12, "the base before"), svg.text(460, 12, "after training", anchor="end")]
    return svg.picture(460, bottom, f"{total} ideas, before and after training", *heads, *bands, *marks)


def _stack(sizes: Sequence[tuple[str, int]], unit: float, gap: float, top: float) -> dict[str, float]:
    places, y = {}, top
    for name, count in sizes:
        places[name] = y
        y += count * unit + gap
    return places


def _bands(
    links: Counter[tuple[str, str]],
    states: Sequence[str],
    kinds: Sequence[str],
    left: Mapping[str, float],
    right: Mapping[str, float],
    unit: float,
) -> list[Markup]:
    from_y, to_y, bands = dict(left), dict(right), []
    for state in states:
        for kind in kinds:
            thick = links[state, kind] * unit
            if thick:
                y1, y2 = from_y[state], to_y[kind]
                path = (
                    f"M118 {y1:.1f}C220 {y1:.1f} 210 {y2:.1f} 300 {y2:.1f}"
                    f"V{y2 + thick:.1f}C210 {y2 + thick:.1f} 220 {y1 + thick:.1f} 118 {y1 + thick:.1f}Z"
                )
                words = svg.hint(f"{links[state, kind]}: {state} → {KINDS[kind].label}")
                bands.append(svg.element("path", words, d=path, class_=f"band g-{KINDS[kind].group}"))
                from_y[state], to_y[kind] = y1 + thick, y2 + thick
    return bands


def _state(name: str, y: float, links: Counter[tuple[str, str]], unit: float) -> Markup:
    count = sum(n for (left, _), n in links.items() if left == name)
    middle = y + count * unit / 2 + 4
    return svg.element(
        "g", svg.box(110, y, 8, count * unit, "node"), svg.text(104, middle, f"{name} · {count}", anchor="end")
    )


def _outcome(name: str, y: float, links: Counter[tuple[str, str]], unit: float) -> Markup:
    count = sum(n for (_, right), n in links.items() if right == name)
    kind = KINDS[name]
    middle = y + count * unit / 2 + 4
    return svg.element(
        "g",
        svg.box(300, y, 8, count * unit, f"bar g-{kind.group}"),
        svg.text(314, middle, f"{kind.sign} {kind.label} · {count}"),
    )


# ------------------------------------------------------------ gain and damage


class Place(NamedTuple):
    """One adapter in the plane of gain and damage."""

    code: str
    gain: float
    """Mean over its ideas."""
    drift: float
    """Nats a token on unrelated text, adapter minus base."""
    damaged: bool


def gain_damage(places: Sequence[Place]) -> Markup:
    """Gain to the right, drift on unrelated text upward: good adapters stand low and right."""
    low, high = (
        min(0.0, *(place.drift for place in places)),
        max(2 * NLL_LINE, *(1.15 * place.drift for place in places)),
    )
    across = svg.Scale(min(-0.2, *(place.gain for place in places)), 1, 46, 410)
    up = svg.Scale(low, high, 236, 14)
    frame = [
        svg.box(46, 14, 364, 222, "frame"),
        svg.line(across(0), 14, across(0), 236, "axis"),
        svg.line(across(GAIN_LINE), 14, across(GAIN_LINE), 236, "rule"),
        svg.line(46, up(NLL_LINE), 410, up(NLL_LINE), "rule bad"),
        svg.text(404, up(NLL_LINE) - 4, f"damage from {NLL_LINE} on", "t small", "end"),
        *(
            svg.text(across(at), 250, signed(at, 1) if at else "0", "t small", "middle")
            for at in (0, 0.2, 0.4, 0.6, 0.8, 1)
        ),
        *(svg.text(42, up(at) + 4, number(at), "t small", "end") for at in (low, high)),
        svg.text(228, 268, "mean gain of its ideas", "t small", "middle"),
        svg.element(
            "text",
            "drift, nats a token",
            class_="t small",
            text_anchor="middle",
            transform="translate(12 125) rotate(-90)",
        ),
    ]
    points = [_place(place, across(place.gain), up(place.drift)) for place in places]
    return svg.picture(428, 274, "gain against damage, one point an adapter", *frame, *points)


def _place(place: Place, x: float, y: float) -> Markup:
    words = svg.hint(f"{place.code}: mean gain {signed(place.gain)}, drift {signed(place.drift, 3)} nats a token")
    css = "point g-wrong" if place.damaged else "point g-good"
    anchor, shift = ("end", -9) if x > 380 else ("start", 9)
    return svg.element("g", words, svg.dot(x, y, 5.5, css), svg.text(x + shift, y + 4, place.code, anchor=anchor))


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
