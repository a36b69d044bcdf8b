"""Adapters of the store in one: merged, measured, and kept as a folder that can be talked to like an adapter."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from paperlora.control.chosen import find_adapter
from paperlora.errors import SettingsError
from paperlora.judge.judged import JUDGE_VERSION, JudgeItem
from paperlora.judge.merging import Merged, measure_merges
from paperlora.judge.pools import STANDARD, Pools
from paperlora.lora.merge import COMPARED, Blend, blend_of, merge_adapters
from paperlora.microdata.build import load
from paperlora.model.base import Base, base_of
from paperlora.model.peft_files import PeftAdapter, read_adapter, write_adapter
from paperlora.progress import Progress, silent
from paperlora.records import Adapter, Merge, digest
from paperlora.settings import Settings
from paperlora.store import Store, fetch, read_json, read_manifest, write_json

KIND = "merges"
RECORD = "merge.json"
ALL = "all"


class Done(NamedTuple):
    """A merge in the store."""

    uri: str
    merge: Merge


class _Source(NamedTuple):
    uri: str
    hash: str
    item: JudgeItem


def merge(
    settings: Settings, names: Sequence[str], method: str = "linear", weights: Sequence[float] = (), density: float = 0.5,
    seed: int = 0, progress: Progress = silent, pools: Pools = STANDARD,
) -> tuple[Done, ...]:  # fmt: skip
    """Merge adapters and measure what each keeps; merges that are in the store already are read.

    Args:
        names: ids of adapters or beginnings of them.
        method: one of :data:`paperlora.lora.merge.METHODS`, or ``all`` for every one that is compared.
        weights: one for each adapter; 1 for each where there are none.
        density: share of the entries that TIES and DARE keep.
        seed: of what DARE drops.

    Raises:
        SettingsError: an adapter is missing or named twice, or the method can't merge these.
    """
    methods = COMPARED if method == ALL else (method,)
    blends = [blend_of(name, len(names), weights, density, seed) for name in methods]
    store, sources = Store.at(settings.store_root), [_source(settings, name) for name in names]
    twice = [one.uri for one in sources if sum(other.uri == one.uri for other in sources) > 1]
    if twice:
        raise SettingsError(f"{twice[0]} is named twice.", "Name each adapter once.")
    keys = [_key(blend, sources, settings, pools) for blend in blends]
    missing = [(key, blend) for key, blend in zip(keys, blends, strict=True) if not store.has(KIND, key)]
    if missing:
        _make(missing, sources, settings, store, progress, pools)
    return tuple(Done(store.uri(KIND, key), read_json(store.folder(KIND, key) / RECORD, Merge)) for key in keys)


def _source(settings: Settings, name: str) -> _Source:
    uri = find_adapter(settings, name)
    folder = fetch(uri)
    adapter = read_json(folder / "adapter.json", Adapter)
    paper, revision = adapter.dataset.split("/")
    dataset = load(Store.at(settings.datasets.expanduser().resolve()).folder(paper, revision))
    item = JudgeItem(adapter, folder, dataset.record, dataset.probes, dataset.rows)
    return _Source(uri, read_manifest(uri).content_hash, item)


def _key(blend: Blend, sources: Sequence[_Source], settings: Settings, pools: Pools) -> str:
    """All that decides the merge and its numbers."""
    judge, probes = settings.judge, [[probe.id for probe in source.item.probes] for source in sources]
    measured = [JUDGE_VERSION, judge.max_new_tokens, judge.damage, pools.hash, probes]
    return f"{blend.method}-{digest('merge', [source.hash for source in sources], blend, measured)[:12]}"


def _make(
    missing: Sequence[tuple[str, Blend]], sources: Sequence[_Source], settings: Settings, store: Store, progress: Progress,
    pools: Pools,
) -> None:  # fmt: skip
    items = [source.item for source in sources]
    made = merge_adapters([item.adapter_folder / item.adapter.folder for item in items], [blend for _, blend in missing])
    base, work = base_of(settings, items[0].adapter.base.name), settings.home.expanduser().resolve() / "work" / "judge"
    with TemporaryDirectory(prefix="paperlora-merge-") as aside:
        merged = []
        for (key, blend), adapter in zip(missing, made, strict=True):
            write_adapter(Path(aside) / key, adapter, base.id.name)
            merged.append(Merged(_record(key, blend, adapter, items), Path(aside) / key))
        measured = measure_merges(items, merged, base, settings, work, progress, pools)
        for one, record in zip(merged, measured, strict=True):
            _write(store, record, read_adapter(one.folder), base, sources)


def _record(key: str, blend: Blend, adapter: PeftAdapter, items: Sequence[JudgeItem]) -> Merge:
    return Merge(
        id=key, method=blend.method, weights=blend.weights, density=blend.density, seed=blend.seed, rank=adapter.rank,
        adapters=tuple(item.adapter.id for item in items), folder="adapter", kept=(), damage={},
    )  # fmt: skip


def _write(store: Store, record: Merge, adapter: PeftAdapter, base: Base, sources: Sequence[_Source]) -> None:
    with store.writing(KIND, record.id) as draft:
        write_adapter(draft.path / record.folder, adapter, base.id.name)
        write_json(draft.path / RECORD, record)
        draft.inputs = {source.uri: source.hash for source in sources}
        draft.settings = {"judge_version": JUDGE_VERSION, "method": record.method, "weights": list(record.weights)}
        draft.models = {"base": base.id.name}
        draft.counts = {"adapters": len(sources), "lost": len(record.diagnoses)}
