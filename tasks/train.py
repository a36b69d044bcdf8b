"""MicroDataset → Adapter.

What needs torch is imported where it is used: a machine without torch deploys and starts this stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from prefect import task

from paperlora.microdata.build import load
from paperlora.records import Recipe, Reject
from paperlora.store import Store
from tasks.placebos import train_placebos
from tasks.policy import RETRY, ProgressArtifact, open_stage, work_folder
from tasks.stages import open_uri, with_hash

if TYPE_CHECKING:
    from paperlora.lora.train import TrainItem


DATASETS_A_TASK = 48
"""Micro-datasets that take turns in the seats of one bank; the UI shows one task for them."""


class TrainPlan(NamedTuple):
    """Which datasets go through one bank, and which wait."""

    banks: list[list[str]]
    deferred: list[Reject]
    handled: list[str]


class Trained(NamedTuple):
    """The adapters of one bank, and what could not be trained."""

    uris: list[str]
    rejects: list[Reject]


@task(name="plan")
def plan_training(datasets: list[str] | None, pilots: int | None, config: str | None) -> TrainPlan:
    """Datasets for each task, those with the most ideas first; what is beyond the limit is counted."""
    settings, _ = open_stage(config)
    references = datasets if datasets is not None else _all_datasets(Store.at(settings.datasets.expanduser().resolve()))
    loaded = [(reference, load(open_uri(reference)[0]).record) for reference in references]
    loaded.sort(key=lambda pair: (-len(pair[1].ideas), pair[1].id))
    limit = pilots or settings.train.max_adapters or len(loaded)
    chosen = [reference for reference, _ in loaded[:limit]]
    deferred = [
        Reject(stage="train", item=record.id, reason="deferred", detail=f"at most {limit} datasets are trained in this run")
        for _, record in loaded[limit:]
    ]
    banks = [chosen[start : start + DATASETS_A_TASK] for start in range(0, len(chosen), DATASETS_A_TASK)]
    return TrainPlan(banks, deferred, [record.id for _, record in loaded])


def _all_datasets(store: Store) -> list[str]:
    newest: dict[str, tuple[float, str]] = {}
    for uri in store.folders():
        record = load(open_uri(uri)[0]).record
        newest[record.paper.id] = max(newest.get(record.paper.id, (0, "")), (record.paper.version, uri))
    return [with_hash(uri) for _, uri in newest.values()]


@task(name="bank", **RETRY)
def train_bank(datasets: Sequence[str], recipes: Sequence[dict[str, object]] | None, config: str | None) -> Trained:
    """Train every dataset with every recipe in one bank, some of them with several seeds; finished ones are reused, a
    killed one goes on."""
    from paperlora.lora.seeds import repeats
    from paperlora.lora.train import train_adapters
    from paperlora.model.base import base_of

    settings, store = open_stage(config)
    base = base_of(settings)
    chosen = [Recipe.model_validate(recipe) for recipe in recipes or ()] or [settings.recipe]
    items = [_item(reference) for reference in datasets]
    again = repeats([item.dataset_hash for item in items], chosen, settings.train.seed_share, settings.train.seeds)
    pairs = [(item, recipe) for item in items for recipe in chosen] + [(items[one.place], one.recipe) for one in again]
    dropped: list[Reject] = []
    uris = train_adapters(
        [item for item, _ in pairs], [recipe for _, recipe in pairs], base, store, work_folder(settings, "train"), bank_size=settings.train.bank_size,
        progress=ProgressArtifact("train"), dropped=dropped,
    )
    train_placebos(chosen, base, settings, store, dropped)
    return Trained([with_hash(uri) for uri in uris], dropped)


def _item(reference: str) -> TrainItem:
    from paperlora.lora.train import TrainItem

    path, content_hash = open_uri(reference)
    loaded = load(path)
    dev = tuple(probe for probe in loaded.probes if probe.split == "dev")
    return TrainItem(loaded.record, content_hash, loaded.rows, dev)
