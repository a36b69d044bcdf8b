"""What a judgement takes and what it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from paperlora.judge.pools import STANDARD, Pools
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
from paperlora.store import Store, write_jsonl

JUDGE_VERSION = "7"
"""Changes whenever the same adapters could get other verdicts; part of every judgement's key."""


class JudgeItem(NamedTuple):
    """One adapter to be judged."""

    adapter: Adapter
    adapter_folder: Path
    """The adapter's folder in the store."""
    dataset: MicroDataset
    probes: tuple[Probe, ...]
    rows: tuple[Example, ...] = ()
    """Its training rows: the values that they deny are what a false belief is looked for in."""
    placebo: str = ""
    """Kind of the placebo that it is: no verdict is given on it, it is what others are held against."""
    content_hash: str = ""
    """Of its folder: an adapter that was trained anew under its old id gets another judgement."""


class Judged(NamedTuple):
    """Everything that a judgement leaves."""

    measurements: tuple[Measurement, ...]
    verdicts: tuple[Verdict, ...]
    diagnoses: tuple[Diagnosis, ...]
    reports: tuple[AdapterReport, ...]
    rejects: tuple[Reject, ...]
    whys: tuple[Why, ...] = ()
    grids: tuple[GridCell, ...] = ()
    stability: tuple[Stability, ...] = ()
    cross: tuple[CrossProbe, ...] = ()
    geometries: tuple[AdapterGeometry, ...] = ()
    overlaps: tuple[Overlap, ...] = ()
    correlations: tuple[Correlation, ...] = ()
    priors: tuple[PriorBin, ...] = ()
    scales: tuple[ScalePoint, ...] = ()
    doses: tuple[DosePoint, ...] = ()
    agreement: tuple[Agreement, ...] = ()
    """Of the LLM that read what no rule could, where one was asked for."""


class Live(NamedTuple):
    """An adapter that is applied."""

    item: JudgeItem
    slot: int
    liveness: float


def write_judgement(judged: Judged, store: Store, key: str, inputs: Mapping[str, str], pools: Pools = STANDARD) -> str:
    """Write a judgement's folder.

    Args:
        inputs: adapter URI → content hash; of the adapters that were judged and of the placebos that they were held against.

    Returns:
        Its URI.
    """
    with store.writing("judgements", key) as draft:
        for name in Judged._fields:
            if name != "rejects":
                write_jsonl(draft.path / f"{name}.jsonl", getattr(judged, name))
        draft.inputs = dict(inputs)
        draft.settings = {"judge_version": JUDGE_VERSION, "pools": pools.hash}
        draft.counts = {name: len(getattr(judged, name)) for name in Judged._fields}
        draft.rejects = list(judged.rejects)
    return store.uri("judgements", key)
