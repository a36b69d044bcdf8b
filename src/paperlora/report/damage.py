"""Gain against damage, and every damage check beside its bound, its noise and the placebos."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from markupsafe import Markup

from paperlora.judge.bounds import BOUNDS, DRIFTS
from paperlora.judge.placebo import FEW, LEAST, spreads
from paperlora.records import DamageCheck
from paperlora.report import svg
from paperlora.report.charts import GAIN_LINE, NLL_LINE, finite
from paperlora.report.measures import measure_name
from paperlora.report.picture import Picture, counted, table, words
from paperlora.report.text import number, signed, small
from paperlora.report.views import AdapterView, Index

NAMED = 24
"""Adapters up to which every point bears its code."""


class Place(NamedTuple):
    """One adapter in the plane of gain and damage."""

    code: str
    gain: float
    """Mean over its ideas; NaN for a placebo, on which no verdict is given."""
    drift: float
    """Nats a token on unrelated text, adapter minus base."""
    damaged: bool
    placebo: str
    """Kind of the placebo; empty where it is none."""


def gain_against_damage(adapters: Sequence[AdapterView], index: Index) -> Picture | None:
    """Adapters that have both verdicts and a measured drift, and all placebos with a drift; None where there is none."""
    places = [*_judged(adapters), *_placebos(index)]
    taught = [place for place in places if not place.placebo]
    if not places:
        return None
    cloud, left_out = len(places) - len(taught), sum(not _is_placebo(view) for view in adapters) - len(taught)
    return Picture(
        "plane",
        "Gain against damage",
        _plane(places),
        words(
            f"{counted(len(taught), 'adapter')}, one point each: mean gain of its ideas to the right, drift on unrelated text upward.",
            "Squares are flagged as damaged, by any check, not by drift alone; circles are not.",
            f"Crosses at the left edge: {counted(cloud, 'placebo adapter')}, which learned no paper; what they drift is what any training does."
            if cloud
            else "No placebo adapter was judged, so what any training does to a base is not known here.",
            f"{counted(left_out, 'adapter')} without a measured drift or a verdict {'is' if left_out == 1 else 'are'} not drawn."
            if left_out
            else "",
            "A mean has no interval here and says nothing of a single idea.",
        ),
        table(
            ("Adapter", "Mean gain", "Drift, nats a token", "Flag"),
            [
                (p.code, signed(p.gain), signed(p.drift, 3), p.placebo or ("damaged" if p.damaged else ""))
                for p in sorted(places, key=lambda place: -place.drift)
            ],
            "largest drift first",
        ),
    )


def _judged(adapters: Sequence[AdapterView]) -> list[Place]:
    found = []
    for view in adapters:
        drift = view.report.damage.get("nll_drift", math.nan) if view.report else math.nan
        gains = finite(verdict.verdict.gain.value for verdict in view.verdicts)
        if view.report and not view.report.placebo and gains and math.isfinite(drift):
            found.append(Place(view.code, sum(gains) / len(gains), drift, view.report.damaged, ""))
    return found


def _placebos(index: Index) -> list[Place]:
    drifts = [(one, one.damage.get("nll_drift", math.nan)) for one in index.data.adapter_reports if one.placebo]
    return [
        Place(index.codes.get(one.adapter, "placebo"), math.nan, drift, one.damaged, one.placebo)
        for one, drift in drifts
        if math.isfinite(drift)
    ]


def _is_placebo(view: AdapterView) -> bool:
    return view.report is not None and bool(view.report.placebo)


def _plane(places: Sequence[Place]) -> Markup:
    gains = [place.gain for place in places if not place.placebo]
    across = svg.Scale(min(-0.2, *gains, -0.2), 1, 76, 430)
    drifts = [place.drift for place in places]
    up = svg.Scale(min(0.0, *drifts, 0.0), max(2 * NLL_LINE, *(1.1 * drift for drift in drifts), 0.0), 236, 14)
    label = f"gain against damage: {len(gains)} adapters, {len(places) - len(gains)} placebos"
    points = [_point(place, across, up, len(gains)) for place in places]
    named = _names(places, across, up) if len(gains) <= NAMED else []
    # above the points, or hundreds of them cover it
    bound = svg.text(426, up(NLL_LINE) - 4, f"the method's bound {NLL_LINE}", "t small haloed", "end")
    return svg.picture(448, 274, label, *_axes(across, up), *points, *named, bound)


def _names(places: Sequence[Place], across: svg.Scale, up: svg.Scale) -> list[Markup]:
    """Codes beside their points; where one would cover another it is left to the hint and the table."""
    taken: list[tuple[float, float]] = []
    drawn = []
    for place in sorted((one for one in places if not one.placebo), key=lambda one: not one.damaged):
        x, y = across(place.gain), up(place.drift)
        if all(abs(x - other) > 30 or abs(y - height) > 12 for other, height in taken):
            anchor, shift = ("end", -9) if x > 396 else ("start", 9)
            drawn.append(svg.text(x + shift, y + 4, place.code, anchor=anchor))
            taken.append((x, y))
    return drawn


def _axes(across: svg.Scale, up: svg.Scale) -> list[Markup]:
    ticks = [at for at in (-1, -0.5, 0, GAIN_LINE, 0.4, 0.6, 0.8, 1) if at >= across.low]
    crowded = up(0) - up(NLL_LINE) < 14
    return [
        svg.box(46, 14, 384, 222, "frame"),
        svg.line(across(0), 14, across(0), 236, "axis"),
        svg.line(across(GAIN_LINE), 14, across(GAIN_LINE), 236, "rule"),
        svg.line(46, up(0), 430, up(0), "grid"),
        svg.line(46, up(NLL_LINE), 430, up(NLL_LINE), "rule bad"),
        *(svg.text(across(at), 250, signed(at, 1) if at else "0", "t small", "middle") for at in ticks),
        *(
            svg.text(42, up(at) + 4, number(at), "t small", "end")
            for at in dict.fromkeys((up.high, *(() if crowded else (NLL_LINE,)), 0.0))
        ),
        svg.text(253, 268, "mean gain of its ideas", "t small", "middle"),
        svg.element(
            "text", "drift, nats a token", class_="t small", text_anchor="middle", transform="translate(12 125) rotate(-90)"
        ),
    ]  # fmt: skip


def _point(place: Place, across: svg.Scale, up: svg.Scale, many: int) -> Markup:
    y = up(place.drift)
    if place.placebo:
        cross = svg.path(f"M56 {y - 4:.1f}l8 8m0 -8l-8 8", "cross")
        return svg.element("g", svg.hint(f"placebo ({place.placebo}): drift {signed(place.drift, 3)}"), cross)
    x = across(place.gain)
    hint = svg.hint(f"{place.code}: mean gain {signed(place.gain)}, drift {signed(place.drift, 3)} nats a token")
    size = 5 if many <= NAMED else 3  # hundreds of large marks hide each other
    mark = svg.box(x - size, y - size, 2 * size, 2 * size, "point ring g-wrong") if place.damaged else svg.dot(x, y, size, "point ring g-good")
    return svg.element("g", hint, mark)


# ------------------------------------------------------------------ every check

_WIDE, _HIGH = 262.0, 96.0


class _Seen(NamedTuple):
    code: str
    check: DamageCheck
    placebo: bool


def checks(index: Index) -> Picture | None:
    """A strip for every damage check; None where the reports hold none."""
    found: dict[str, list[_Seen]] = defaultdict(list)
    for report in index.data.adapter_reports:
        for check in report.checks:
            if math.isfinite(check.value):
                found[check.name].append(_Seen(index.codes.get(report.adapter, "placebo"), check, bool(report.placebo)))
    if not found:
        return None
    order = sorted(found, key=lambda name: ([*BOUNDS].index(name) if name in BOUNDS else len(BOUNDS), name))
    adapters = len({report.adapter for report in index.data.adapter_reports if report.checks and not report.placebo})
    drawing = svg.element("div", *(_strip(name, found[name]) for name in order), class_="multiples")
    return Picture(
        "checks",
        "What broke",
        drawing,
        words(
            f"{counted(len(order), 'check')} of {counted(adapters, 'adapter')}: every dot is one adapter, filled squares are those that count as broken.",
            "Grey band: the base against itself, asked again (noise floor). Dotted line: where damage begins, one for each recipe where placebos move it. Triangle: what one more placebo",
            "adapter of the recipe stays within with 99% probability, where there are placebos. A dot beyond the bound that is not filled is not shown to lie there",
            "with so few questions: that is no proof of health.",
            _reach_in_words(found),
        ),
        table(
            ("Check", "Bound", "Noise", "Placebo mean", "Placebo 99%", "Placebos", "Broken", "Worst"),
            [_line(name, found[name]) for name in order],
        ),
    )


def _reach_in_words(found: Mapping[str, Sequence[_Seen]]) -> str:
    """What placebos can't show while there are few of them: the bound stands for a percentile that nobody could count."""
    drifts = [one for name in DRIFTS for one in found.get(name, ()) if not one.placebo]
    counts = sorted({one.check.placebos for one in drifts})
    known = [count for count in counts if count >= LEAST]
    said = " ".join(f"With {count} placebos the 99% bound lies {number(spreads(count), 1)} of their standard deviations beyond their mean." for count in known)
    bare = "Adapters of recipes without two placebos are held against the method's bounds alone." if drifts and counts[0] < LEAST else ""
    few = f"Fewer than {FEW} show only gross drift: more of it than the recipe's own may stand unnoticed below that bound." if known and known[0] < FEW else ""
    return " ".join(part for part in (said, few, bare) if part)


def _line(name: str, seen: Sequence[_Seen]) -> tuple[str, ...]:
    own = [one for one in seen if not one.placebo] or list(seen)
    bounds = sorted({one.check.bound for one in own})
    worst = max(own, key=lambda one: _harm(name) * one.check.value)
    placebos = [one.check.placebo for one in own if one.check.placebo is not None]
    means = [one.check.placebo_mean for one in own if one.check.placebo_mean is not None]
    return (
        measure_name(name),
        " / ".join(map(small, bounds[:4])),
        small(median(one.check.noise for one in own)),
        small(median(means)) if means else "none",
        small(median(placebos)) if placebos else "none",
        str(max(one.check.placebos for one in own)),
        f"{sum(one.check.broken for one in own)} of {len(own)}",
        f"{worst.code} {small(worst.check.value)}",
    )


def _harm(name: str) -> int:
    return BOUNDS[name].harm if name in BOUNDS else 1


def _strip(name: str, seen: Sequence[_Seen]) -> Markup:
    neutral = BOUNDS[name].neutral if name in BOUNDS else 0.0
    bounds, noise = sorted({one.check.bound for one in seen}), median(one.check.noise for one in seen)
    placebos = [one.check.placebo for one in seen if one.check.placebo is not None]
    ends = [neutral, *bounds, *placebos, *(one.check.value for one in seen)]
    margin = 0.06 * (max(ends) - min(ends) or 1)
    across = svg.Scale(min(ends) - margin, max(ends) + margin, 12, _WIDE - 22)
    band = across(neutral - noise), across(neutral + noise)
    drawn = [
        svg.text(12, 13, measure_name(name), "t strong"),
        svg.box(band[0], 20, max(band[1] - band[0], 1), 50, "noise"),
        svg.line(across(neutral), 20, across(neutral), 70, "axis"),
        *(svg.line(across(bound), 20, across(bound), 70, "rule bad") for bound in bounds),
        svg.line(12, 70, _WIDE - 22, 70, "axis"),
        *_numbers({neutral: small(neutral) if neutral else "0", bounds[0]: small(bounds[0])}, across),
        *_dots(seen, across),
    ]
    if placebos:
        x = across(median(placebos))
        drawn.append(svg.path(f"M{x:.1f} 70l-5 9h10z", "node"))
    told = f"{measure_name(name)}: {sum(one.check.broken for one in seen)} of {len(seen)} adapters beyond the bound"
    return svg.picture(_WIDE, _HIGH, told, *drawn)


def _numbers(ticks: Mapping[float, str], across: svg.Scale) -> list[Markup]:
    """Names below the axis that stand apart; the bound's own stays where they would meet."""
    places = sorted(ticks)
    close = len(places) > 1 and across(places[1]) - across(places[0]) < 34
    kept = [[*ticks][-1]] if close else places
    return [svg.text(across(at), 90, ticks[at], "t small", "middle") for at in kept]


def _dots(seen: Sequence[_Seen], across: svg.Scale) -> list[Markup]:
    """Dots in heaps, so that three hundred of them stay countable; a full heap is flattened."""
    step = 5.0
    piles: Counter[int] = Counter(round(across(one.check.value) / step) for one in seen)
    rise = min(step, 46 / max(piles.values()))
    filled: Counter[int] = Counter()
    drawn = []
    for one in sorted(seen, key=lambda one: one.check.broken):
        column = round(across(one.check.value) / step)
        y = 66 - rise * filled[column]
        filled[column] += 1
        drawn.append(_dot(one, column * step, y))
    return drawn


def _dot(one: _Seen, x: float, y: float) -> Markup:
    hint = svg.hint(f"{one.code}: {small(one.check.value)}")
    if one.placebo:
        return svg.element("g", hint, svg.path(f"M{x - 2:g} {y - 2:.1f}l4 4m0 -4l-4 4", "cross thin-cross"))
    if one.check.broken:
        return svg.box(x - 2.5, y - 2.5, 5, 5, "point g-wrong", hint)
    return svg.element("circle", hint, cx=x, cy=y, r=2.2, class_="point g-known")

