"""Grids of shades: one path for each shade, so that a matrix of 300 × 300 takes kilobytes and not megabytes."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from paperlora.report import svg

SHADES = 6
"""Steps from nothing to the full colour: as many as an eye tells apart."""
STRONGEST = 0.8
"""Opacity of the full colour: a number on it stays legible."""


class At(NamedTuple):
    """A place in a grid."""

    row: int
    column: int


class Box(NamedTuple):
    """Where a grid stands in its drawing."""

    left: float
    top: float
    size: float
    """Side of a cell."""


def shade(value: float, full: float) -> int:
    """−SHADES to SHADES for values from −``full`` to ``full``; 0 is left blank."""
    if not math.isfinite(value) or full <= 0:
        return 0
    return max(-SHADES, min(SHADES, round(SHADES * value / full)))


def grid(values: Mapping[At, float], full: float, box: Box) -> list[Markup]:
    """The cells as paths: blue above 0, orange below, the stronger the further away.

    Args:
        values: what stands in each cell; others are left blank.
        full: the value that gets the full colour.
        box: place and size.
    """
    runs: dict[int, list[At]] = defaultdict(list)
    for place in sorted(values):
        runs[shade(values[place], full)].append(place)
    runs.pop(0, None)
    move = f"translate({box.left:g} {box.top + box.size / 2:g}) scale({box.size:g})"
    return [_path(tone, _strokes(found), move) for tone, found in sorted(runs.items())]


def _strokes(places: Sequence[At]) -> str:
    """Cells side by side as one stroke, over gaps by steps."""
    found: list[str] = []
    length, last = 0, None
    for place in places:
        gap = place.column - last.column - 1 if last is not None and last.row == place.row else None
        if gap != 0 and length:
            found.append(f"h{length}")
            length = 0
        if gap is None:
            found.append(f"M{place.column} {place.row}")
        elif gap:
            found.append(f"m{gap} 0")
        length, last = length + 1, place
    return "".join(found) + (f"h{length}" if length else "")


def _path(tone: int, d: str, move: str) -> Markup:
    css = "cells plus" if tone > 0 else "cells minus"
    return svg.element("path", d=Markup(d), class_=css, stroke_opacity=_opacity(tone), transform=move)


def _opacity(tone: int) -> float:
    return round(STRONGEST * abs(tone) / SHADES, 2)


def frame(rows: int, columns: int, box: Box) -> Markup:
    """The edge of a grid."""
    return svg.box(box.left, box.top, columns * box.size, rows * box.size, "frame")


def legend(low: str, high: str, x: float, y: float, *, both: bool) -> list[Markup]:
    """The shades in a row with what their ends mean."""
    tones = range(-SHADES if both else 0, SHADES + 1)
    side = 11.0
    start = x + 7 * len(low) + 6
    boxes = [
        svg.element(
            "rect", x=start + side * n, y=y - 9, width=side, height=side,
            class_="plus" if tone > 0 else "minus" if tone < 0 else "blank", fill_opacity=_opacity(tone) if tone else 1,
        )
        for n, tone in enumerate(tones)
    ]  # fmt: skip
    return [svg.text(x, y, low, "t small"), *boxes, svg.text(start + side * len(tones) + 6, y, high, "t small")]


def names(labels: Sequence[str], box: Box, *, down: bool, every: int = 1) -> list[Markup]:
    """Names along the left edge (``down``) or the upper one, every so many of them."""
    kept = [(n, label) for n, label in enumerate(labels) if n % every == 0]
    if down:
        places = [(box.left - 5, box.top + box.size * (n + 0.5) + 4, label) for n, label in kept]
    else:
        places = [(box.left + box.size * (n + 0.5), box.top - 5, label) for n, label in kept]
    words = [svg.element("text", label, x=x, y=y) for x, y, label in places]
    return [svg.element("g", *words, class_="t small", text_anchor="end" if down else "middle")]
