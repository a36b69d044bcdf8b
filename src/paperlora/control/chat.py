"""Base and adapter side by side."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from paperlora.errors import SettingsError
from paperlora.model.answers import Ask, answer
from paperlora.model.bank import Bank
from paperlora.model.base import base_of
from paperlora.records import Message
from paperlora.settings import Settings
from paperlora.store import Store


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
    """Load the base and one adapter.

    Raises:
        SettingsError: no such adapter.
    """
    folder = _folder(settings, adapter)
    base = base_of(settings)
    return Pair(Bank.load(base, [None, folder]))


def _folder(settings: Settings, adapter: str) -> Path:
    if (Path(adapter) / "adapter_config.json").exists():
        return Path(adapter)
    store = Store.at(settings.store_root)
    wanted = adapter.replace(":", "-").replace("/", "-")
    for uri in reversed(store.folders("adapters")):
        if uri.rsplit("/", 1)[-1].startswith(wanted):
            return store.fetch_file(uri, "adapter")
    raise SettingsError(f"There is no adapter {adapter}.", "`paperlora status` counts them; their ids stand in the report.")
