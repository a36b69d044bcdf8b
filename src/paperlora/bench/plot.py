"""How a bank's speed grows with its size, as a picture that stands alone."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from paperlora.report import svg

WIDTH, HEIGHT = 560.0, 320.0
LEFT, RIGHT, TOP, BOTTOM = 70.0, 20.0, 36.0, 46.0
STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#333}.axis{stroke:#999}.grid{stroke:#eee}.bank{stroke:#0b6;stroke-width:2}"
    ".point{fill:#0b6}.peer{stroke:#c50;stroke-dasharray:5 4;stroke-width:1.5}"
)


class Level(NamedTuple):
    """A speed to compare with, drawn as a horizontal line."""

    name: str
    tokens_per_second: float


def growth_plot(points: Sequence[tuple[int, float]], levels: Sequence[Level]) -> str:
    """SVG of tokens a second over the number of adapters trained at once.

    Args:
        points: number of adapters and tokens a second of the bank.
        levels: the peers, which train one adapter after the other, and the frozen base alone.
    """
    most = max([speed for _, speed in points] + [level.tokens_per_second for level in levels]) * 1.1
    x = svg.Scale(0, len(points) - 1 or 1, LEFT + 20, WIDTH - RIGHT - 20)
    y = svg.Scale(0, most, HEIGHT - BOTTOM, TOP)
    places = [(x(number), y(speed)) for number, (_, speed) in enumerate(points)]
    parts = [svg.element("style", Markup(STYLE)), svg.text(LEFT, 20, "Tokens a second by adapters trained at once")]
    for step in range(5):
        value = most * step / 4
        parts += [svg.line(LEFT, y(value), WIDTH - RIGHT, y(value), "grid"), svg.text(LEFT - 8, y(value) + 4, f"{value:,.0f}", anchor="end")]
    for level in levels:
        height = y(level.tokens_per_second)
        parts += [svg.line(LEFT, height, WIDTH - RIGHT, height, "peer"), svg.text(WIDTH - RIGHT, height - 5, level.name, anchor="end")]
    for (x1, y1), (x2, y2) in itertools.pairwise(places):
        parts.append(svg.line(x1, y1, x2, y2, "bank"))
    for (place, height), (adapters, _) in zip(places, points, strict=True):
        parts += [svg.dot(place, height, 4, "point"), svg.text(place, HEIGHT - BOTTOM + 18, str(adapters), anchor="middle")]
    parts += [svg.line(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM, "axis"), svg.text(WIDTH / 2, HEIGHT - 8, "adapters in the bank", anchor="middle")]
    drawn = svg.picture(WIDTH, HEIGHT, "Tokens a second by adapters trained at once", *parts)
    return str(drawn).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1) + "\n"
