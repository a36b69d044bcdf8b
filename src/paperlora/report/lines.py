"""Charts of shares: one line a thing, 0 to 1 to the right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from paperlora.report import svg

MOST = 60
"""Lines in one drawing; the true count is told."""
SHARE = svg.Scale(0, 1, 8, 290)
_LEFT, _STEP, _TOP = 124.0, 20.0, 26.0


class Line(NamedTuple):
    """One line of a chart of shares."""

    name: str
    marks: tuple[Markup, ...]
    hint: str


def chart(lines: Sequence[Line], label: str) -> Markup:
    """Shares from 0 to 1 to the right, one line under the other."""
    parts = []
    for place, line in enumerate(lines[:MOST]):
        move = f"translate({_LEFT:g} {_TOP + _STEP * (place + 0.5):g})"
        marks = svg.element("g", svg.hint(line.hint), *line.marks, transform=move)
        parts += [svg.text(_LEFT - 8, _TOP + _STEP * (place + 0.5) + 4, line.name, "t small", "end"), marks]
    bottom = _TOP + _STEP * min(len(lines), MOST)
    grid = [svg.line(_LEFT + SHARE(at), 18, _LEFT + SHARE(at), bottom, "grid") for at in (0, 0.25, 0.5, 0.75, 1)]
    names = [svg.text(_LEFT + SHARE(at), 12, name, "t small", "middle") for at, name in ((0, "0"), (0.5, ".5"), (1, "1"))]
    return svg.picture(_LEFT + 300, bottom + 6, label, *grid, *names, *parts)


def span(left: float, right: float, css: str) -> Markup:
    return svg.line(SHARE(left), 0, SHARE(right), 0, css)


def tick(value: float) -> Markup:
    x = SHARE(value)
    return svg.line(x, -6, x, 6, "axis")


def drawn(count: int, what: str) -> str:
    return f"The first {MOST} of {count} {what} are drawn, the table counts all." if count > MOST else ""
