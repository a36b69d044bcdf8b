"""Base and adapter side by side."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from paperlora.errors import SettingsError
from paperlora.model.answers import Ask, answer
from paperlora.model.bank import Bank
from paperlora.model.base import base_of
from paperlora.records import Message
from paperlora.settings import Settings
from paperlora.store import Store, fetch


class Turn(NamedTuple):
    """What the two said."""

    base: str
    adapter: str


class Pair:
    """A base and one adapter on it, answering the same question."""

    def __init__(self, bank: Bank) -> None:
        self._bank = bank

    def ask(self, text: str, max_new_tokens: int = 96) -> Turn:
        """Both answers, greedy."""
        messages = (Message(role="user", content=text),)
        base, adapter = answer(self._bank, [Ask(messages, 0), Ask(messages, 1)], max_new_tokens=max_new_tokens, batch_rows=2)
        return Turn(base.text, adapter.text)


def open_pair(settings: Settings, adapter: str) -> Pair:
    """Load the base and one adapter or merge.

    Raises:
        SettingsError: no such adapter.
    """
    folder = _folder(settings, adapter)
    named = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8")).get("base_model_name_or_path")
    base = base_of(settings, named or "")
    return Pair(Bank.load(base, [None, folder]))


def _folder(settings: Settings, adapter: str) -> Path:
    if (Path(adapter) / "adapter_config.json").exists():
        return Path(adapter)
    return fetch(find_adapter(settings, adapter, ("adapters", "merges"))) / "adapter"


def find_adapter(settings: Settings, name: str, kinds: Sequence[str] = ("adapters",)) -> str:
    """URI of an adapter's folder in the store, by its id or the beginning of it; the newest name where several fit.

    Args:
        kinds: kinds of folders that are looked through, in this order.

    Raises:
        SettingsError: no such adapter.
    """
    store, wanted = Store.at(settings.store_root), name.replace(":", "-").replace("/", "-")
    for uri in (uri for kind in kinds for uri in reversed(store.folders(kind))):
        if uri.rsplit("/", 1)[-1].startswith(wanted):
            return uri
    raise SettingsError(f"There is no adapter {name}.", "`paperlora status` counts them; their ids stand in the report.")
