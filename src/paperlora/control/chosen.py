"""What a person calls adapters, and the folders that are meant."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path

from paperlora.errors import NothingToDo, SettingsError
from paperlora.settings import Settings
from paperlora.store import Store, read_manifest

LIKE = 3
"""Known adapters that are named where none is found."""


def chosen_adapters(settings: Settings, names: Sequence[str]) -> list[str]:
    """URIs of adapters by folder, id or beginning of an id; of a beginning, the newest that fits. Empty stands for all.

    Looked up before anything is started: a wrong name costs no minute of waiting for Prefect.

    Raises:
        NothingToDo: none is named, and the store holds none.
        SettingsError: no such adapter.
        StoreError: a folder that is no complete one of the store.
    """
    if not names and not Store.at(settings.store_root).folders("adapters"):
        raise NothingToDo(
            f"There is no adapter to judge in {settings.store_root}.",
            "Train one first (`paperlora train`), or set PAPERLORA_HOME to where they are.",
        )
    return list(dict.fromkeys(_uri(settings, name) for name in names))


def _uri(settings: Settings, name: str) -> str:
    if "://" not in name and not Path(name).is_dir():
        return find_adapter(settings, name)
    uri = name if "://" in name else str(Path(name).resolve())
    read_manifest(uri)
    return uri


def find_adapter(settings: Settings, name: str, kinds: Sequence[str] = ("adapters",)) -> str:
    """URI of an adapter's folder in the store, by its id or the beginning of it; the newest one where several fit.

    Args:
        kinds: kinds of folders that are looked through, in this order.

    Raises:
        SettingsError: no such adapter; the message names those that are most like it.
    """
    store, wanted = Store.at(settings.store_root), name.replace(":", "-").replace("/", "-")
    known = [uri for kind in kinds for uri in store.folders(kind)]
    for kind in kinds:
        fitting = [uri for uri in store.folders(kind) if wanted and any(name.startswith(wanted) for name in _names(uri))]
        exact = [uri for uri in fitting if wanted in _names(uri)]
        if fitting:
            return max(exact or fitting, key=lambda uri: (read_manifest(uri).created, uri))
    raise SettingsError(f"There is no adapter {name}.", _nearest(wanted, [_key(uri) for uri in known], store.root))


def _key(uri: str) -> str:
    return uri.rsplit("/", 1)[-1]


def _names(uri: str) -> tuple[str, ...]:
    """Its folder's name, and its id: the same without the hash of the recipe, which ids in reports don't have."""
    key, parts = _key(uri), _key(uri).rsplit("-", 2)
    return (key, f"{parts[0]}-{parts[2]}") if len(parts) == 3 else (key,)


def _nearest(wanted: str, keys: Sequence[str], root: str) -> str:
    if not keys:
        return f"The store {root} holds none: train some (`paperlora train`), or set PAPERLORA_HOME to where they are."
    like = get_close_matches(wanted, keys, LIKE, 0.3) or sorted(keys)[:LIKE]
    return f"There are {len(keys)}, such as {', '.join(like)}." if len(keys) > 1 else f"There is {keys[0]} alone."
