"""What every picture of the report brings along: how to read it, what it can't say, and its numbers as a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from markupsafe import Markup, escape

from paperlora.report.text import clean

TABLE_ROWS = 60
"""Rows of a table under a picture; the true count is always told."""
_LONGEST = 4000


class Table(NamedTuple):
    """The numbers behind a picture."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    total: int
    """How many rows there are; the first ones are listed."""
    order: str = ""
    """Which ones come first, where not all are listed."""


class Picture(NamedTuple):
    """One drawing with its words."""

    name: str
    """Its anchor."""
    title: str
    drawing: Markup
    caption: Markup
    table: Table | None = None
    wide: bool = False
    """It keeps its size and scrolls where it is too wide or too high."""
    high: bool = False
    """It fits the width and scrolls where it is too high."""
    full: bool = False
    """It stands alone in its row."""


def words(*parts: str) -> Markup:
    """Our own words, which no limit on texts of papers cuts; escaped and cleaned all the same."""
    return Markup(escape(clean(" ".join(part for part in parts if part), _LONGEST)))


def table(head: Sequence[str], rows: Iterable[Sequence[str]], order: str = "") -> Table:
    """The first rows and how many there are."""
    every = [tuple(row) for row in rows]
    return Table(tuple(head), tuple(every[:TABLE_ROWS]), len(every), order)


def counted(count: int, one: str, many: str = "") -> str:
    """``1 adapter``, ``1,234 adapters``."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
