"""All verdicts in one drawing: gain and interval, grouped by kind, the open ones as visible as the rest."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from markupsafe import Markup

from paperlora.report import svg
from paperlora.report.charts import GAIN_LINE
from paperlora.report.picture import Picture, counted, words
from paperlora.report.views import VerdictView

_SCALE = svg.Scale(-1, 1, 52, 440)
_WIDTH, _TOP, _HEAD = 452.0, 26.0, 22.0
NAMED = 60
"""Verdicts up to which every line bears its code."""


def forest(views: Sequence[VerdictView]) -> Picture | None:
    """One line an idea, in the order of the list of verdicts."""
    if not views:
        return None
    opened = sum(view.kind.name == "INCONCLUSIVE" for view in views)
    return Picture(
        "forest",
        "All verdicts",
        _draw(views),
        words(
            f"{counted(len(views), 'verdict')}, all of them shown, {opened} inconclusive (hollow, dashed). Each line holds the gain a − b* with 95%",
            f"posterior probability, the dot is its estimate, the dotted rule stands at +{GAIN_LINE}. The gain alone decides no verdict:",
            "what the rules ask beside it stands with each one. The list of verdicts holds the same numbers.",
        ),
        high=True,
    )


def _draw(views: Sequence[VerdictView]) -> Markup:
    # a thousand lines must not be ten screens high: they stand closer, as thin as a pixel
    step = 15.0 if len(views) <= NAMED else 7.0 if len(views) <= 200 else max(0.5, min(4.0, 2400 / len(views)))
    parts: list[Markup] = []
    y = _TOP
    for _, found in groupby(views, key=lambda view: view.kind.name):
        group = list(found)
        parts.append(_heading(group[0], len(group), y + 14))
        parts += _lines(group, y + _HEAD, step, named=len(views) <= NAMED)
        y += _HEAD + step * len(group) + 4
    ticks = [(-1, "−1"), (0, "0"), (GAIN_LINE, f"+{GAIN_LINE}"), (1, "+1")]
    grid = [svg.line(_SCALE(at), 18, _SCALE(at), y, "rule" if at == GAIN_LINE else "grid") for at, _ in ticks]
    names = [svg.text(_SCALE(at), 12, label, "t small", "middle") for at, label in ticks]
    axis = svg.text(_SCALE(0), y + 14, "gain a − b*, share of direct probes", "t small", "middle")
    label = f"forest plot of {len(views)} verdicts with 95% intervals"
    return svg.picture(_WIDTH, y + 20, label, *grid, *names, *parts, axis)


def _heading(view: VerdictView, count: int, y: float) -> Markup:
    return svg.text(0, y, f"{view.kind.sign} {view.kind.label} · {count}", f"t strong kind g-{view.kind.group}")


def _lines(views: Sequence[VerdictView], top: float, step: float, *, named: bool) -> list[Markup]:
    """Whiskers and dots of one kind, each as one path: a thousand verdicts stay small."""
    group = views[0].kind.group
    whiskers = dots = ""
    for place, view in enumerate(views):
        gain, y = view.verdict.gain, f"{top + step * (place + 0.5):.1f}"
        whiskers += f"M{_SCALE(gain.low):.1f} {y}H{_SCALE(gain.high):.1f}"
        dots += f"M{_SCALE(gain.value):.1f} {y}h0"
    size = "" if step > 10 else " fine" if step >= 3 else " finest"
    drawn = [svg.path(whiskers, f"hair g-{group}{size}"), svg.path(dots, f"dots g-{group}{size}")]
    if group == "open":
        drawn.append(svg.path(dots, f"dots hole{size}"))
    if named:
        drawn += [
            svg.link(view.code, svg.text(46, top + step * (n + 0.5) + 4, view.code, "t small", "end"))
            for n, view in enumerate(views)
        ]
    return drawn
