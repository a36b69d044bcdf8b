"""Base and adapter side by side."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

from paperlora.control.chosen import find_adapter
from paperlora.errors import StoreError
from paperlora.model.answers import Ask, answer
from paperlora.model.bank import Bank
from paperlora.model.base import base_of
from paperlora.model.peft_files import CONFIG
from paperlora.records import Message
from paperlora.settings import Settings
from paperlora.store import fetch


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
        StoreError: its folder is broken.
    """
    folder = folder_of(settings, adapter)
    base = base_of(settings, _base_name(folder))
    return Pair(Bank.load(base, [None, folder]))


def folder_of(settings: Settings, adapter: str) -> Path:
    """Folder of a peft adapter: one that is named itself, or that of an adapter or a merge in the store."""
    if (Path(adapter) / CONFIG).exists():
        return Path(adapter)
    return fetch(find_adapter(settings, adapter, ("adapters", "merges"))) / "adapter"


def _base_name(folder: Path) -> str:
    try:
        named = json.loads((folder / CONFIG).read_text(encoding="utf-8")).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError) as error:
        raise StoreError(f"{folder} holds no readable peft adapter: {error}.") from error
    return named or ""
