"""Micro-datasets by the names people use, with what was judged of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from paperlora.catalog import open_catalog, stores
from paperlora.errors import SettingsError
from paperlora.microdata.build import LoadedDataset, load
from paperlora.microdata.publish import Part, part
from paperlora.records import Manifest, Verdict
from paperlora.settings import Settings
from paperlora.store import MANIFEST, Store, fetch, read_manifest, slug


class Named(NamedTuple):
    """One revision."""

    uri: str
    manifest: Manifest
    dataset: LoadedDataset

    @property
    def part(self) -> Part:
        """What of it may be passed on."""
        return part(self.dataset, self.manifest)


def datasets_store(settings: Settings) -> Store:
    """Where the micro-datasets are."""
    return stores(settings)[1]


def find_datasets(settings: Settings, names: Sequence[str]) -> list[Named]:
    """The revisions named; of each paper the newest where nothing is named.

    Args:
        names: ids (``arxiv-9901.00012v1/0123456789ab``), beginnings of ids, paper keys (their newest revision) or folders.

    Raises:
        SettingsError: there is no such revision, or a beginning fits several papers.
    """
    store = datasets_store(settings)
    uris = store.folders()
    if not uris:
        raise SettingsError(f"There is no micro-dataset in {store.root}.", "Run `paperlora distill` first.")
    chosen = [_one(uris, store, name) for name in names] if names else _newest(uris)
    return [_open(uri) for uri in dict.fromkeys(chosen)]


def _open(uri: str) -> Named:
    return Named(uri, read_manifest(uri), load(fetch(uri)))


def _one(uris: Sequence[str], store: Store, name: str) -> str:
    if (Path(name) / MANIFEST).is_file():
        return str(Path(name).resolve())
    wanted = name if "/" in name else slug(name)
    fitting = [uri for uri in uris if uri.removeprefix(f"{store.root}/").startswith(wanted)]
    papers = {uri.rsplit("/", 2)[-2] for uri in fitting}
    if not fitting:
        raise SettingsError(f"There is no micro-dataset {name}.", "`paperlora show` and the folder of the datasets name them.")
    if len(papers) > 1:
        raise SettingsError(f"{name} fits {len(papers)} papers: {', '.join(sorted(papers)[:5])}.", "Give more of its id.")
    return _newest(fitting)[0]


def _newest(uris: Iterable[str]) -> list[str]:
    """The newest revision of each paper."""
    newest: dict[str, str] = {}
    for uri in sorted(uris, key=lambda uri: read_manifest(uri).created):
        newest[uri.rsplit("/", 2)[-2]] = uri
    return list(newest.values())


def verdicts_of(settings: Settings, datasets: Sequence[LoadedDataset]) -> list[Verdict]:
    """The newest verdict on every idea of these revisions."""
    ids = {idea.id for dataset in datasets for idea in dataset.record.ideas}
    revisions = {dataset.record.id for dataset in datasets}
    catalog = open_catalog(settings)
    try:
        verdicts = [v for v in catalog.records("verdict") if isinstance(v, Verdict)]
    finally:
        catalog.close()
    # An adapter's id begins with the id of the revision it was trained on.
    mine = [v for v in verdicts if v.idea in ids and v.adapter.rsplit("/", 1)[0] in revisions]
    return list({verdict.idea: verdict for verdict in mine}.values())
