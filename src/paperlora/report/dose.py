"""The dose curve: what an adapter's checkpoints say of each idea, and its training loss under it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from markupsafe import Markup

from paperlora.records import Adapter, Checkpoint
from paperlora.report import svg
from paperlora.report.charts import finite
from paperlora.report.text import number, signed

_LEFT, _RIGHT = 40.0, 372.0
_LABEL_HEIGHT = 12.0


class Curve(NamedTuple):
    """One idea over the checkpoints."""

    label: str
    """Short code that stands at the end of the line."""
    group: str
    """Colour family of its verdict."""
    points: tuple[tuple[int, float], ...]
    """Step and dev margin (nats a token)."""


def curves(adapter: Adapter, labels: Mapping[str, str], groups: Mapping[str, str]) -> tuple[Curve, ...]:
    """The curves of the ideas in ``labels`` (idea id → code) that were measured at a checkpoint."""
    found = []
    for idea, label in labels.items():
        points = tuple(
            (c.step, c.dev_margin[idea]) for c in adapter.checkpoints if math.isfinite(c.dev_margin.get(idea, math.nan))
        )
        if points:
            found.append(Curve(label, groups.get(idea, "open"), points))
    return tuple(found)


def dose_chart(checkpoints: Sequence[Checkpoint], lines: Sequence[Curve]) -> Markup:
    """Margins above, loss below, over the steps on a logarithmic scale (step 0 is the bare base)."""
    across = svg.Scale(0, math.log1p(max(checkpoint.step for checkpoint in checkpoints)), _LEFT, _RIGHT)
    ticks = _ticks([checkpoint.step for checkpoint in checkpoints], across)
    marks = [svg.line(x, 18, x, 262, "grid") for x, _ in ticks]
    names = [svg.text(x, 276, name, "t small", "middle") for x, name in ticks]
    return svg.picture(
        404,
        294,
        "dose curve: dev margin of each idea and training loss over the steps",
        *marks,
        *_margins(lines, across),
        *_loss(checkpoints, across),
        *names,
        svg.text((_LEFT + _RIGHT) / 2, 290, "optimiser steps (log scale)", "t small", "middle"),
    )


def _ticks(steps: Sequence[int], across: svg.Scale) -> list[tuple[float, str]]:
    """Steps whose names don't run into each other; the last one always has its name."""
    kept: list[tuple[float, str]] = []
    for step in sorted(set(steps), reverse=True):
        x = across(math.log1p(step))
        if not kept or kept[-1][0] - x > 24:
            kept.append((x, str(step)))
    return kept


def _margins(lines: Sequence[Curve], across: svg.Scale) -> list[Markup]:
    words = svg.text(_LEFT, 11, "dev margin: answer − best distractor (nats a token)", "t small")
    values = [value for curve in lines for _, value in curve.points]
    if not values:
        return [words, svg.text(206, 100, "no dev margins were measured", "t small", "middle")]
    low, high = min(0.0, *values), max(0.0, *values)
    up = svg.Scale(low - 0.05 * (high - low), high + 0.05 * (high - low), 168, 18)
    heights = _spread([up(curve.points[-1][1]) for curve in lines], 22, 168)
    drawn = [_curve(curve, across, up, height) for curve, height in zip(lines, heights, strict=True)]
    scale = [
        svg.text(_LEFT - 4, up(value) + 4, signed(value, 1), "t small", "end")
        for value in _apart([high, low], up)
        if value
    ]
    zero = [svg.line(_LEFT, up(0), _RIGHT, up(0), "axis"), svg.text(_LEFT - 4, up(0) + 4, "0", "t small", "end")]
    return [words, *zero, *scale, *drawn]


def _apart(values: Sequence[float], up: svg.Scale) -> list[float]:
    """Ends of the scale that are not so near to 0 that their names would cover its own."""
    return [value for value in values if abs(up(value) - up(0)) > _LABEL_HEIGHT]


def _curve(curve: Curve, across: svg.Scale, up: svg.Scale, label_y: float) -> Markup:
    places = [(across(math.log1p(step)), up(value)) for step, value in curve.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    words = svg.hint(f"{curve.label}: " + ", ".join(f"step {step} {signed(value)}" for step, value in curve.points))
    name = svg.text(_RIGHT + 8, label_y + 4, curve.label, "t small")
    css = f"g-{curve.group}"
    return svg.element(
        "g",
        words,
        svg.element("polyline", points=path, class_=f"curve {css}"),
        *(svg.dot(x, y, 2.8, f"point {css}") for x, y in places),
        name,
    )


def _spread(wanted: Sequence[float], top: float, bottom: float) -> list[float]:
    """Move labels apart, each as little as the others leave it; they keep their order."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    step = min(_LABEL_HEIGHT, (bottom - top) / max(len(order) - 1, 1))
    placed: dict[int, float] = {}
    floor = top
    for index in order:
        placed[index] = max(wanted[index], floor)
        floor = placed[index] + step
    ceiling = bottom
    for index in reversed(order):
        placed[index] = min(placed[index], ceiling)
        ceiling = placed[index] - step
    return [placed[index] for index in range(len(wanted))]


def _loss(checkpoints: Sequence[Checkpoint], across: svg.Scale) -> list[Markup]:
    points = [
        (checkpoint.step, checkpoint.loss)
        for checkpoint in checkpoints
        if math.isfinite(checkpoint.loss) and checkpoint.step > 0
    ]
    words = svg.text(_LEFT, 192, "training loss (nats a token)", "t small")
    if not points:
        return [words]
    high = max(finite(loss for _, loss in points)) or 1.0
    up = svg.Scale(0, high, 262, 200)
    places = [(across(math.log1p(step)), up(loss)) for step, loss in points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return [
        words,
        svg.line(_LEFT, 262, _RIGHT, 262, "axis"),
        svg.text(_LEFT - 4, 266, "0", "t small", "end"),
        svg.text(_LEFT - 4, up(high) + 8, number(high), "t small", "end"),
        svg.element("polyline", points=path, class_="curve plain"),
        *(
            svg.element("g", svg.hint(f"step {step}: {number(loss, 3)}"), svg.dot(x, y, 2.8, "point solid"))
            for (step, loss), (x, y) in zip(points, places, strict=True)
        ),
    ]
