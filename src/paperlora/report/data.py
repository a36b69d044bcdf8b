"""What a report is made of, and how much of it is listed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

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
    Lesson,
    Measurement,
    Merge,
    MicroDataset,
    Overlap,
    PriorBin,
    Probe,
    Reject,
    ScalePoint,
    Stability,
    Verdict,
    Why,
)


class DatasetPart(NamedTuple):
    """One revision with its rows and probes."""

    record: MicroDataset
    rows: Sequence[Example]
    probes: Sequence[Probe]


class ReportData(NamedTuple):
    """Everything a report is made of; whatever is empty is shown as not there yet."""

    title: str
    verdicts: Sequence[Verdict] = ()
    adapters: Sequence[Adapter] = ()
    adapter_reports: Sequence[AdapterReport] = ()
    diagnoses: Sequence[Diagnosis] = ()
    datasets: Sequence[DatasetPart] = ()
    measurements: Sequence[Measurement] = ()
    lessons: Sequence[Lesson] = ()
    rejects: Sequence[Reject] = ()
    whys: Sequence[Why] = ()
    grids: Sequence[GridCell] = ()
    stability: Sequence[Stability] = ()
    cross: Sequence[CrossProbe] = ()
    geometries: Sequence[AdapterGeometry] = ()
    overlaps: Sequence[Overlap] = ()
    correlations: Sequence[Correlation] = ()
    scales: Sequence[ScalePoint] = ()
    doses: Sequence[DosePoint] = ()
    priors: Sequence[PriorBin] = ()
    merges: Sequence[Merge] = ()
    agreements: Sequence[Agreement] = ()
    """Of every LLM that read answers, in the order of the judgements."""
    rounds: Mapping[str, int] = {}
    """Verdict id → number of the judgement that gave it first: later ones have larger numbers."""
    counts: Mapping[str, int] = {}
    """How many of each thing there are, in the order in which they are shown: papers, documents, ideas …"""
    base: str = ""
    """Name of the base model."""
    reader_note: str = ""
    """What a person must know of the reader of the ideas; the readers themselves are read from the datasets."""
    created: datetime | None = None
    """Time of the report; left out when None, so that equal data give equal bytes."""


class Limits(NamedTuple):
    """How much is listed. Counts and drawings of the whole are always made from everything."""

    parts: int
    """Datasets."""
    adapters: int
    verdicts: int
    answers: int
    """For one verdict."""
    rows: int
    """Of one dataset."""
    rejects: int
    lessons: int
    characters: int
    """Of one text."""
