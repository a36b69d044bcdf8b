"""The drawings that need many records at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

from paperlora.records import Adapter
from paperlora.report import charts, dose
from paperlora.report.picture import Picture, words
from paperlora.report.views import BASE, AdapterView, Index

MATRIX_SIDE = 20
"""Adapters and papers that one interference matrix shows; more would not be legible."""


class DoseFigure(NamedTuple):
    """The dose curve of one adapter and the meaning of its lines."""

    picture: Markup
    lines: tuple[tuple[str, str], ...]
    """Code and claim."""


def interference(index: Index) -> Picture | None:
    """Every adapter on every paper's direct probes, minus the base on the same probes; None where nothing was crossed."""
    papers = list(dict.fromkeys(adapter.paper for adapter in index.data.adapters))
    shown, rows = list(index.data.adapters)[:MATRIX_SIDE], papers[:MATRIX_SIDE]
    ideas = {paper: [verdict.idea for verdict in index.data.verdicts if verdict.paper == paper] for paper in rows}
    cells = [cell for paper in rows for adapter in shown if (cell := _cross(index, paper, adapter, ideas[paper]))]
    if all(cell.own for cell in cells):
        return None
    drawing = charts.matrix(
        [index.paper_codes[paper] for paper in rows], [index.codes[adapter.id] for adapter in shown], cells
    )
    left_out = max(len(index.data.adapters) - len(shown), len(papers) - len(rows))
    caption = words(
        "Change in right answers on the direct probes of paper P… under adapter A…, against the base on the same n probes. Papers are",
        "numbered under Lineage. Outlined: the adapter's own paper. Others should stay near 0; dashed was not asked.",
        f"{left_out} more adapters or papers are not drawn." if left_out else "",
    )
    return Picture("interference", "Who moves whose probes", drawing, caption, wide=True)


def _cross(index: Index, paper: str, adapter: Adapter, ideas: Sequence[str]) -> charts.Cell | None:
    pairs = []
    for idea in dict.fromkeys(ideas):
        base = index.said.get((idea, BASE), {})
        for probe, measurement in index.said.get((idea, adapter.id), {}).items():
            if measurement.family == "direct" and probe in base:
                pairs.append((base[probe].score >= 0.5, measurement.score >= 0.5))
    if not pairs:
        return None
    before, after = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
    return charts.Cell(
        index.paper_codes[paper],
        index.codes[adapter.id],
        (after - before) / len(pairs),
        after,
        before,
        len(pairs),
        adapter.paper == paper,
    )


def dose_figure(view: AdapterView, index: Index) -> DoseFigure | None:
    """The dose curve of one adapter; ideas bear their verdict's code, without a verdict their number in the dataset."""
    if not view.adapter.checkpoints:
        return None
    labels = {verdict.verdict.idea: verdict.code for verdict in view.verdicts}
    groups = {verdict.verdict.idea: verdict.kind.group for verdict in view.verdicts}
    part = index.parts.get(view.adapter.dataset)
    for place, idea in enumerate(part.record.ideas if part else (), 1):
        labels.setdefault(idea.id, f"i{place}")
    lines = dose.curves(view.adapter, labels, groups)
    claims = {labels[idea.id]: idea.claim for idea in part.record.ideas} if part else {}
    claims |= {verdict.code: verdict.verdict.claim for verdict in view.verdicts}
    return DoseFigure(
        dose.dose_chart(view.adapter.checkpoints, lines), tuple((line.label, claims[line.label]) for line in lines)
    )
