"""Write the report: one HTML file that opens offline in any browser, with or without JavaScript."""

from __future__ import annotations

import base64
import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from paperlora.judge.stability import REPEAT
from paperlora.records import Example, MicroDataset
from paperlora.report import charts, figures, layers, text
from paperlora.report.data import DatasetPart, Limits, ReportData
from paperlora.report.kinds import KINDS
from paperlora.report.lists import Fragments, Lists
from paperlora.report.measures import measure_name
from paperlora.report.packed import LIST_BYTES
from paperlora.report.text import Mark, Piece
from paperlora.report.views import (
    Evidence,
    Index,
    Shown,
    VerdictView,
    adapter_views,
    all_rejects,
    first,
    kind_counts,
    reject_counts,
    verdict_views,
)
from paperlora.report.why_table import WHY_BYTES, WhyTable, why_table

__all__ = ["MAX_BYTES", "DatasetPart", "ReportData", "render", "write_report"]

PAGE_BYTES = 3_000_000
"""A browser on a telephone still opens this at once; beyond it less is listed, and the report says so."""
MAX_BYTES = PAGE_BYTES + WHY_BYTES + 2 * LIST_BYTES
"""Of the whole file: packed rows, verdicts and adapters are unpacked only when someone comes to them."""
FOLDER = Path(__file__).parent
LEVELS = (
    Limits(parts=1000, adapters=40, verdicts=200, answers=200, rows=400, rejects=5000, lessons=2000, characters=3000),
    Limits(parts=400, adapters=40, verdicts=200, answers=40, rows=80, rejects=1000, lessons=500, characters=1500),
    Limits(parts=200, adapters=40, verdicts=200, answers=20, rows=25, rejects=400, lessons=200, characters=800),
    Limits(parts=150, adapters=40, verdicts=200, answers=12, rows=12, rejects=300, lessons=150, characters=600),
    Limits(parts=80, adapters=40, verdicts=200, answers=8, rows=8, rejects=150, lessons=80, characters=400),
    Limits(parts=30, adapters=20, verdicts=80, answers=4, rows=3, rejects=50, lessons=30, characters=200),
)
"""Tried in turn until the report is small enough."""
PACKED = LEVELS[2]
"""How much of a text a packed verdict or adapter holds."""


class RowView(NamedTuple):
    """One training row beside its evidence."""

    row: Example
    turns: tuple[tuple[str, tuple[Piece, ...]], ...]
    """Role and text of every message; masked characters set apart."""
    evidence: tuple[Evidence, ...]


class DatasetView(NamedTuple):
    """One revision as it is listed."""

    code: str
    """Of its paper."""
    record: MicroDataset
    rows: Shown[RowView]
    generators: str
    reading: str
    """Who read the paper, in words."""
    adapters: tuple[str, ...]
    """Codes of the adapters trained on it."""


def write_report(data: ReportData, path: Path) -> Path:
    """Write the report to ``path``, whole or not at all, in fewer than :data:`MAX_BYTES` bytes.

    Where everything would be too much, the lists are cut and say how much they leave out; counts and the
    drawings of the whole are always made from everything.
    """
    index = Index(data)
    why = why_table(index)
    lists = _lists(index, why)
    pages = ((_generate(index, why, lists, limits), most(why, lists, limits)) for limits in LEVELS)
    page = (
        next((page for pieces, bytes_ in pages if (page := _bounded(pieces, bytes_))), None)
        or "".join(_generate(index, why, lists, LEVELS[-1])).encode()
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    aside.write_bytes(page)
    aside.replace(path)
    return path


def most(why: WhyTable, lists: Lists, limits: Limits) -> int:
    """Bytes that the page may have with these limits: what travels packed is allowed on top."""
    return PAGE_BYTES + len(why.packed) + lists.packed_bytes(limits)


def _bounded(pieces: Iterable[str], most: int) -> bytes | None:
    """The pieces together, None as soon as they are too many bytes."""
    written, size = [], 0
    for piece in pieces:
        written.append(piece.encode())
        size += len(written[-1])
        if size >= most:
            return None
    return b"".join(written)


def render(data: ReportData, limits: Limits = LEVELS[0]) -> str:
    """The report as a string: the same data give the same string."""
    index = Index(data)
    why = why_table(index)
    return "".join(_generate(index, why, _lists(index, why), limits))


def _generate(index: Index, why: WhyTable, lists: Lists, limits: Limits) -> Iterator[str]:
    environment = _environment(limits)
    values = _context(index, limits, lists) | _own_files() | {"why": why, "lists": lists}
    one = _fragments(environment, index, why)
    values |= {"verdict_html": partial(one.verdict, linked=True), "adapter_html": one.adapter}
    return environment.get_template("report.html.j2").generate(values)


def _lists(index: Index, why: WhyTable) -> Lists:
    """All verdicts and adapters, for the lists that are too long to stand in the page."""
    return Lists(index, _fragments(_environment(PACKED), index, why), PACKED)


def _fragments(environment: Environment, index: Index, why: WhyTable) -> Fragments:
    return Fragments(environment, {
        "why": why,
        "evidence_of": _idea_evidence,
        "geometry_of": lambda view: index.geometries.get(view.adapter.id),
        "dose_of": lambda view: figures.dose_figure(view, index),
    })  # fmt: skip


def _environment(limits: Limits) -> Environment:
    """Every value that a template prints is cut, stripped of control characters and escaped."""

    def printed(value: Any) -> Any:
        return text.clean(value, limits.characters) if type(value) is str else value

    environment = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=printed,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for helper in (
        text.number,
        text.signed,
        text.small,
        text.rate,
        text.fraction,
        text.interval,
        text.moment,
        text.short,
        text.web_link,
        text.pieces,
        charts.gain_cell,
        charts.share_cell,
        charts.gain_axis,
        charts.share_axis,
        charts.kinds_bar,
        charts.count_bar,
        charts.rate_bar,
        layers.own_layers,
        layers.own_spectrum,
        measure_name,
    ):
        environment.globals[helper.__name__] = helper
    environment.globals["find_answer"] = text.find_answer
    return environment


def _own_files() -> dict[str, Any]:
    """Style and script, with the hashes that the page's policy allows: nothing else runs, whatever a paper says."""
    style, script = ((FOLDER / name).read_text(encoding="utf-8") for name in ("style.css.j2", "script.js.j2"))
    return {
        "style": Markup(style),
        "script": Markup(script),
        "style_hash": _policy_hash(style),
        "script_hash": _policy_hash(script),
    }


def _policy_hash(source: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()


def _context(index: Index, limits: Limits, lists: Lists) -> dict[str, Any]:
    data = index.data
    verdicts = verdict_views(index, limits)
    adapters = adapter_views(index, verdicts)
    rejects = all_rejects(data)
    parts = list(index.parts.values())
    pictures = lists.gallery
    # What one seed after another was judged on is one idea: it counts once, with the first of them.
    once = [view for view in verdicts if REPEAT not in view.verdict.flags]
    return {
        "data": data,
        "index": index,
        "kinds": KINDS,
        "gain_line": charts.GAIN_LINE,
        "counted": kind_counts(view.verdict for view in once),
        "learned": sum(view.counts_as_learned for view in once),
        "blocked": sum(view.blocked for view in once),
        "judged": len(once),
        "repeats": len(verdicts) - len(once),
        "verdicts": first(verdicts, limits.verdicts),
        "adapters": first(adapters, limits.adapters),
        "brief": lists.short,
        "dead": [view for view in adapters if view.report and not view.report.live],
        "gallery": pictures,
        "sections": pictures.further(),
        "datasets": first(
            [_dataset_view(part, index, limits) for part in parts[: limits.parts]], limits.parts
        )._replace(total=len(parts)),
        "readers": _readers(parts),
        "rejects": first(rejects, limits.rejects),
        "reasons": reject_counts(rejects),
        "lessons": first(data.lessons, limits.lessons),
    }


def _readers(parts: list[DatasetPart]) -> tuple[tuple[str, str, int], ...]:
    """Reader, what it is, and how many datasets it read."""
    counted = Counter(part.record.reader for part in parts)
    return tuple((reader, _reading(reader), count) for reader, count in sorted(counted.items()))


def _reading(reader: str) -> str:
    if reader.startswith("extractive"):
        return "no LLM: verbatim spans of the paper and fixed rules"
    if reader.startswith("llm/"):
        return "an LLM read the paper; every quote was found again in the text"
    return "a reader that this report doesn't know"


def _dataset_view(part: DatasetPart, index: Index, limits: Limits) -> DatasetView:
    answers = {idea.id: idea.answer for idea in part.record.ideas}
    rows = first(part.rows, limits.rows)
    listed = Shown(tuple(_row_view(row, answers.get(row.idea, "")) for row in rows.items), rows.total)
    generators = ", ".join(sorted({row.generator for row in part.rows}))
    mine = tuple(index.codes[adapter.id] for adapter in index.data.adapters if adapter.dataset == part.record.id)
    return DatasetView(
        index.paper_codes[part.record.paper.key], part.record, listed, generators, _reading(part.record.reader), mine
    )


def _row_view(row: Example, answer: str) -> RowView:
    turns = []
    for place, message in enumerate(row.messages):
        marks = [Mark(span.start, span.end, "masked") for span in row.masked if span.message == place]
        turns.append((message.role, text.pieces(message.content, marks)))
    evidence = tuple(Evidence(quote.text, answer, _place(quote.heading, quote.page)) for quote in row.evidence)
    return RowView(row, tuple(turns), evidence)


def _idea_evidence(view: VerdictView) -> tuple[Evidence, ...]:
    if view.idea is None:
        return ()
    return tuple(
        Evidence(quote.text, view.idea.answer, _place(quote.heading, quote.page)) for quote in view.idea.quotes
    )


def _place(heading: str, page: int) -> str:
    return f"{heading}, page {page}" if heading else f"page {page}"
