"""Gather from store and catalog what the report shows."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

from paperlora.catalog import open_catalog, stores
from paperlora.records import (
    Adapter,
    AdapterGeometry,
    AdapterReport,
    Agreement,
    Correlation,
    CrossProbe,
    Diagnosis,
    DosePoint,
    Example,
    GridCell,
    Measurement,
    Merge,
    MicroDataset,
    Overlap,
    PriorBin,
    Probe,
    Record,
    ScalePoint,
    Stability,
    Verdict,
    Why,
)
from paperlora.report.data import DatasetPart, ReportData
from paperlora.settings import Settings
from paperlora.store import Store, fetch, read_json, read_jsonl, read_manifest

Kind = TypeVar("Kind", bound=Record)


def collect_report(settings: Settings) -> ReportData:
    """Everything that stands in the store; of several judgements of one adapter the newest counts."""
    store, datasets = stores(settings)
    catalog = open_catalog(settings)
    try:
        status, lessons, rejects = catalog.status(), catalog.lessons(), catalog.rejects()
    finally:
        catalog.close()
    judgements = _newest_last(store.folders("judgements"))
    verdicts = {(v.idea, v.adapter): v for folder in judgements for v in read_jsonl(folder / "verdicts.jsonl", Verdict)}
    adapters = [read_json(fetch(uri) / "adapter.json", Adapter) for uri in store.folders("adapters")]
    base = adapters[-1].base.name if adapters else settings.base_model
    return ReportData(
        title=f"What {base} learned",
        verdicts=tuple(verdicts.values()),
        adapters=adapters,
        adapter_reports=tuple(_reports(judgements).values()),
        diagnoses=_of(judgements, verdicts.values()),
        datasets=_datasets(datasets),
        measurements=tuple(_measurements(judgements).values()),
        whys=_newest(judgements, "whys", Why, lambda why: (why.adapter, why.probe)),
        grids=_newest(judgements, "grids", GridCell, lambda cell: (cell.adapter, cell.grid, cell.row, cell.column)),
        stability=_newest(judgements, "stability", Stability, lambda one: (one.dataset, one.recipe, one.idea)),
        cross=_newest(judgements, "cross", CrossProbe, lambda one: (one.adapter, one.of)),
        geometries=_newest(judgements, "geometries", AdapterGeometry, lambda one: one.adapter),
        overlaps=_newest(judgements, "overlaps", Overlap, lambda one: frozenset((one.left, one.right))),
        correlations=_last(judgements, "correlations", Correlation),
        scales=_newest(judgements, "scales", ScalePoint, lambda one: (one.adapter, one.idea, one.gamma)),
        doses=_newest(judgements, "doses", DosePoint, lambda one: (one.adapter, one.idea)),
        priors=_last(judgements, "priors", PriorBin),
        merges=[read_json(folder / "merge.json", Merge) for folder in _newest_last(store.folders("merges"))],
        agreements=_every(judgements, "agreement", Agreement),
        rounds=_rounds(judgements),
        lessons=lessons,
        rejects=rejects,
        counts={name: getattr(status, name) for name in ("papers", "documents", "ideas", "datasets", "adapters", "lessons")},
        base=base,
        created=datetime.now(UTC),
    )


def _newest_last(uris: Iterable[str]) -> list[Path]:
    return [fetch(uri) for uri in sorted(uris, key=lambda uri: read_manifest(uri).created)]


def _reports(judgements: Sequence[Path]) -> dict[str, AdapterReport]:
    return {r.adapter: r for folder in judgements for r in read_jsonl(folder / "reports.jsonl", AdapterReport)}


def _measurements(judgements: Sequence[Path]) -> dict[tuple[str, str], Measurement]:
    return {(m.probe, m.model): m for folder in judgements for m in read_jsonl(folder / "measurements.jsonl", Measurement)}


def _newest(
    judgements: Sequence[Path], name: str, kind: type[Kind], key: Callable[[Kind], Hashable]
) -> tuple[Kind, ...]:
    """Of everything that several judgements say about the same thing, what the newest says.

    Judgements of earlier versions lack some files: they say nothing about it.
    """
    files = [file for folder in judgements if (file := folder / f"{name}.jsonl").exists()]
    return tuple({key(one): one for file in files for one in read_jsonl(file, kind)}.values())


def _last(judgements: Sequence[Path], name: str, kind: type[Kind]) -> tuple[Kind, ...]:
    """What the newest judgement that has any says: these belong together and to its own adapters."""
    files = [file for folder in judgements if (file := folder / f"{name}.jsonl").exists()]
    return next((tuple(found) for file in reversed(files) if (found := read_jsonl(file, kind))), ())


def _every(judgements: Sequence[Path], name: str, kind: type[Kind]) -> tuple[Kind, ...]:
    """Everything that any judgement says, oldest first."""
    files = [file for folder in judgements if (file := folder / f"{name}.jsonl").exists()]
    return tuple(one for file in files for one in read_jsonl(file, kind))


def _rounds(judgements: Sequence[Path]) -> dict[str, int]:
    """Verdict id → number of the judgement that gave it first."""
    rounds: dict[str, int] = {}
    for number, folder in enumerate(judgements):
        for verdict in read_jsonl(folder / "verdicts.jsonl", Verdict):
            rounds.setdefault(verdict.id, number)
    return rounds


def _of(judgements: Sequence[Path], verdicts: Iterable[Verdict]) -> tuple[Diagnosis, ...]:
    shown = {verdict.id for verdict in verdicts}
    found = {d.id: d for folder in judgements for d in read_jsonl(folder / "diagnoses.jsonl", Diagnosis)}
    return tuple(diagnosis for diagnosis in found.values() if diagnosis.verdict in shown)


def _datasets(store: Store) -> tuple[DatasetPart, ...]:
    folders = [fetch(uri) for uri in store.folders()]
    return tuple(
        DatasetPart(
            read_json(folder / "dataset.json", MicroDataset),
            read_jsonl(folder / "rows.jsonl", Example),
            read_jsonl(folder / "probes.jsonl", Probe),
        )
        for folder in folders
    )
