"""Long lists of which the page shows a part at a time: all items travel packed, and a browser unpacks them when it comes near.

Five thousand verdicts are 20 MB of markup that nobody scrolls through; packed they are a tenth of it, all of them are
searched and filtered, and what stands in the page is one leaf of the list. Without JavaScript the first items stand there.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup

LIST_BYTES = 7_000_000
"""Bytes of one packed list in the page."""


class Item(NamedTuple):
    """One item of a list."""

    id: str
    """Its anchor."""
    facets: tuple[tuple[str, ...], ...]
    """Its values for each filter, in the order of the list's filters."""
    html: str
    """As the template makes it, escaped like everything there."""


class PackedList(NamedTuple):
    """A list that the page holds whole, or the first part of one."""

    text: Markup
    """Gzipped JSON in base64; empty where nothing is packed."""
    held: int
    """Items in ``text``."""
    total: int


NOTHING = PackedList(Markup(""), 0, 0)


def pack_list(filters: Sequence[str], items: Iterable[Item], most: int = LIST_BYTES) -> PackedList:
    """Pack as many items as fit, the first ones first.

    Args:
        filters: names of the filters, one for each of an item's facets.
        items: all of the list.
        most: bytes of the packed text.
    """
    every = list(items)
    kept, text = every, _pack(filters, every)
    while len(text) > most and kept:
        kept = kept[: int(len(kept) * min(0.9, 0.95 * most / len(text)))]
        text = _pack(filters, kept)
    return PackedList(Markup(text), len(kept), len(every))


def _pack(filters: Sequence[str], items: Sequence[Item]) -> str:
    facets = {}
    for place, name in enumerate(filters):
        values: dict[str, int] = {}
        of = [[values.setdefault(value, len(values)) for value in item.facets[place]] for item in items]
        facets[name] = {"values": [*values], "of": of}
    plain = json.dumps(
        {"ids": [item.id for item in items], "facets": facets, "html": [item.html for item in items]},
        ensure_ascii=False, separators=(",", ":"),
    )  # fmt: skip
    return base64.b64encode(gzip.compress(plain.encode(), 6, mtime=0)).decode()
