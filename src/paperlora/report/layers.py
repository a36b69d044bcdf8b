"""Inside the adapters: how far each layer moved, over the steps, and how many directions the change has."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from markupsafe import Markup

from paperlora.records import AdapterGeometry, NormsAt
from paperlora.report import heat, svg
from paperlora.report.heat import At, Box
from paperlora.report.picture import Picture, counted, table, words
from paperlora.report.text import number, small
from paperlora.report.views import Index

STEPS = 4
"""Points of the dose curve that are drawn of one adapter."""
_ORDER = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class Site(NamedTuple):
    """One adapted linear layer."""

    layer: int
    module: str


class _Sheet(NamedTuple):
    name: str
    norms: Mapping[Site, float]


def geometry_pictures(index: Index) -> tuple[Picture, ...]:
    """The medians over all adapters and the spectra of all; nothing where no geometry was measured."""
    found = index.data.geometries
    return (_heat_of_all(found), _spectra_of_all(found, index)) if found else ()


def own_layers(geometry: AdapterGeometry) -> Markup:
    """Layer × module of one adapter, at several steps where its training left them."""
    sheets = [_Sheet(f"step {at.step}", _norms_at(at)) for at in _spread(geometry.course)]
    if not sheets:
        sheets = [_Sheet("", {Site(one.layer, one.module): one.relative_norm for one in geometry.layers})]
    return _sheets(sheets, "‖ΔW‖ / ‖W‖ by layer and module")


def own_spectrum(geometry: AdapterGeometry) -> Markup:
    """Singular values of one adapter's layers, each as a share of its largest: median and range over the layers."""
    spectra = [_scaled(one.singular_values) for one in geometry.layers if one.singular_values and one.singular_values[0] > 0]
    if not spectra:
        return Markup("")
    length = min(map(len, spectra))
    columns = [sorted(spectrum[k] for spectrum in spectra) for k in range(length)]
    across, up = svg.Scale(1, max(length, 2), 34, 250), svg.Scale(0, 1, 96, 12)
    low = [f"{across(k + 1):.1f} {up(column[0]):.1f}" for k, column in enumerate(columns)]
    high = [f"{across(k + 1):.1f} {up(column[-1]):.1f}" for k, column in enumerate(columns)]
    middle = " ".join(f"{across(k + 1):.1f},{up(median(column)):.1f}" for k, column in enumerate(columns))
    rank = across(geometry.effective_rank)
    return svg.picture(
        262, 128, f"singular values; effective rank {number(geometry.effective_rank, 1)}",
        *_spectrum_axes(across, up, length),
        svg.path(f"M{'L'.join(low)}L{'L'.join(reversed(high))}Z", "noise"),
        svg.element("polyline", points=Markup(middle), class_="curve plain"),
        svg.line(rank, 12, rank, 96, "rule"),
        svg.text(min(rank + 4, 200), 22, f"eff. {number(geometry.effective_rank, 1)}", "t small"),
    )  # fmt: skip


def _spread(course: Sequence[NormsAt]) -> list[NormsAt]:
    """The last points of a course and some before it, spaced evenly over the saved ones."""
    points = [at for at in course if at.step > 0]
    if len(points) <= STEPS:
        return points
    return [points[round(n * (len(points) - 1) / (STEPS - 1))] for n in range(STEPS)]


def _norms_at(at: NormsAt) -> dict[Site, float]:
    split = {name: name.split(".", 1) for name in at.relative}
    return {Site(int(layer), module): at.relative[name] for name, (layer, module) in split.items()}


# ------------------------------------------------------------------ layer × module


def _heat_of_all(found: Sequence[AdapterGeometry]) -> Picture:
    norms: dict[Site, list[float]] = defaultdict(list)
    for geometry in found:
        for one in geometry.layers:
            norms[Site(one.layer, one.module)].append(one.relative_norm)
    middle = {site: median(values) for site, values in norms.items()}
    courses = [sheet for sheet in _median_courses(found) if sheet.norms]
    most = max(middle, key=lambda site: middle[site])
    return Picture(
        "layers",
        "Which layers moved",
        _sheets(courses or [_Sheet("", middle)], "median ‖ΔW‖ / ‖W‖ by layer and module"),
        words(
            f"‖ΔW‖ as a share of ‖W‖ for every adapted layer, median over {counted(len(found), 'adapter')}"
            + (", point by point of the dose curve" if courses else "")
            + f". Most moved: layer {most.layer} {most.module}, {small(100 * middle[most])}%.",
            "The strongest colour is the largest value in the picture. Where weights move is not where a fact is stored: this explains no verdict.",
        ),
        table(
            ("Layer", "Module", "Median", "Least", "Most"),
            [
                (str(site.layer), site.module, *(f"{small(100 * v)}%" for v in (middle[site], min(norms[site]), max(norms[site]))))
                for site in sorted(middle, key=lambda site: -middle[site])
            ],
            "most moved first",
        ),
        wide=True,
    )  # fmt: skip


def _median_courses(found: Sequence[AdapterGeometry]) -> list[_Sheet]:
    """Medians at the steps that most adapters saved; empty where no course was kept."""
    by_step: dict[int, list[dict[Site, float]]] = defaultdict(list)
    for geometry in found:
        for at in geometry.course:
            if at.step > 0:
                by_step[at.step].append(_norms_at(at))
    common = sorted(step for step, sheets in by_step.items() if 2 * len(sheets) >= len(found))
    if len(common) > STEPS:
        common = [common[round(n * (len(common) - 1) / (STEPS - 1))] for n in range(STEPS)]
    return [
        _Sheet(
            f"step {step} ({counted(len(by_step[step]), 'adapter')})",
            {site: median(sheet[site] for sheet in by_step[step] if site in sheet) for site in by_step[step][0]},
        )
        for step in common
    ]


def _sheets(sheets: Sequence[_Sheet], label: str) -> Markup:
    sites = [site for sheet in sheets for site in sheet.norms]
    modules = sorted({site.module for site in sites}, key=lambda name: (name not in _ORDER, _ORDER.index(name) if name in _ORDER else 0, name))
    layers = sorted({site.layer for site in sites})
    full = max((value for sheet in sheets for value in sheet.norms.values()), default=0.0)
    size = max(6.0, min(16.0, 420 / max(len(layers), 1)))
    high = size * len(modules) + 44
    parts: list[Markup] = []
    for number_, sheet in enumerate(sheets):
        box = Box(74, 34 + number_ * high, size)
        cells = {At(modules.index(site.module), layers.index(site.layer)): value for site, value in sheet.norms.items()}
        every = max(1, round(26 / size))
        parts += [
            heat.frame(len(modules), len(layers), box),
            *heat.grid(cells, full, box),
            *_module_names(modules, box),
            *heat.names([str(layer) for layer in layers], box, down=False, every=every),
            svg.text(0, box.top - 20, sheet.name, "t small strong"),
            svg.text(0, box.top - 5, "layer →", "t small"),
        ]
    foot = 30 + high * len(sheets)
    legend = heat.legend("0", f"{small(100 * full)}% of ‖W‖", 74, foot, both=False)
    return svg.picture(max(84 + size * len(layers), 300), foot + 10, label, *parts, *legend)  # fmt: skip


def _module_names(modules: Sequence[str], box: Box) -> list[Markup]:
    """Names down the side, every other one where rows are too low for all."""
    every = 1 if box.size >= 11 else 2
    return heat.names([name.removesuffix("_proj") for name in modules], box, down=True, every=every)


# ------------------------------------------------------------------ spectra


def _scaled(values: Sequence[float]) -> list[float]:
    return [value / values[0] for value in values]


def _spectrum_axes(across: svg.Scale, up: svg.Scale, length: int) -> list[Markup]:
    bottom = up(0)
    return [
        svg.line(across.start, bottom, across.end, bottom, "axis"),
        svg.text(across.start - 4, up(1) + 4, "1", "t small", "end"),
        svg.text(across.start - 4, bottom + 4, "0", "t small", "end"),
        svg.text(across(1), bottom + 15, "1", "t small", "middle"),
        svg.text(across(length), bottom + 15, str(length), "t small", "middle"),
        svg.text((across.start + across.end) / 2, bottom + 28, "singular value, k-th largest", "t small", "middle"),
    ]


def _spectra_of_all(found: Sequence[AdapterGeometry], index: Index) -> Picture:
    """One thin line an adapter: the mean over its layers of σ_k / σ_1."""
    lines = [line for geometry in found if (line := _mean_spectrum(geometry))]
    length = max(map(len, lines), default=2)
    across, up = svg.Scale(1, max(length, 2), 34, 430), svg.Scale(0, 1, 190, 14)
    d = "".join(
        "M" + "L".join(f"{across(k + 1):.0f} {up(value):.0f}" for k, value in enumerate(line)) for line in lines
    )
    ranks = sorted(geometry.effective_rank for geometry in found)
    ticks = "".join(f"M{across(rank):.1f} 190v-7" for rank in ranks)
    middle = median(ranks)
    drawing = svg.picture(
        440, 224, f"spectra of {len(lines)} adapters",
        *_spectrum_axes(across, up, length), svg.path(d, "thread" if len(lines) > 20 else "thread strong-thread"), svg.path(ticks, "rank"),
        svg.line(across(middle), 14, across(middle), 190, "rule"),
        svg.text(across(middle) + 4, 26, f"median effective rank {number(middle, 1)}", "t small"),
    )  # fmt: skip
    intruders = [geometry.intruders for geometry in found if geometry.intruders is not None]
    return Picture(
        "spectra",
        "How many directions the change has",
        drawing,
        words(
            f"{counted(len(lines), 'adapter')}, one line each: singular values of ΔW as shares of the largest, mean over its layers. Ticks on the axis:",
            f"effective rank exp(H(σ²/Σσ²)), from {number(ranks[0], 1)} to {number(ranks[-1], 1)}. A low one says that few directions do the work, not that a lower rank would have learned as much.",
            f"Intruders, directions without a like in the base, were looked for in {counted(len(intruders), 'adapter')}: {min(intruders)} to {max(intruders)} each."
            if intruders
            else "",
        ),
        table(
            ("Adapter", "Effective rank", "‖ΔW‖ / ‖W‖", "Intruders"),
            [
                (index.code(one.adapter), number(one.effective_rank, 1), f"{small(100 * one.relative_norm)}%", "–" if one.intruders is None else str(one.intruders))
                for one in sorted(found, key=lambda one: one.effective_rank)
            ],
            "lowest first",
        ),
    )  # fmt: skip


def _mean_spectrum(geometry: AdapterGeometry) -> list[float]:
    spectra = [_scaled(one.singular_values) for one in geometry.layers if one.singular_values and one.singular_values[0] > 0]
    length = min(map(len, spectra), default=0)
    return [sum(spectrum[k] for spectrum in spectra) / len(spectra) for k in range(length)]
