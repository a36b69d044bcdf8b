"""Gather from store and catalog what the report shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from paperlora.catalog import open_catalog, stores
from paperlora.records import (
    Adapter,
    AdapterReport,
    Diagnosis,
    Example,
    Measurement,
    MicroDataset,
    Probe,
    Verdict,
)
from paperlora.report.views import DatasetPart, ReportData
from paperlora.settings import Settings
from paperlora.store import Store, fetch, read_json, read_jsonl, read_manifest


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
