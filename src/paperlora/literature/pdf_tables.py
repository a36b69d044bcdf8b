"""Tables as text: a line for each row, cells parted by a bar."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from paperlora.literature.pdf_blocks import Block, Row
from paperlora.literature.pdf_text import row_text

ROW_GAP = 18.0
"""Points between two parts of one table, one above the other."""
COLUMN_GAP = 250.0
"""Points between two parts of one table, side by side."""
SAME_BASELINE = 0.35
"""In units of the font size."""


class Table(NamedTuple):
    """Rows of one table on one page."""

    page: int
    lines: tuple[str, ...]


def tables_as_rows(blocks: Sequence[Block]) -> Iterator[Table]:
    """The tables of a document, each as lines.

    Args:
        blocks: of all pages; those with the role ``table`` count.
    """
    for page, every in groupby(blocks, key=lambda block: block.page):
        own = list(every)
        for table in _tables([block for block in own if block.role == "table"], _gutter(own)):
            yield Table(page, tuple(_lines([row for block in table for row in block.rows])))


def _gutter(blocks: Sequence[Block]) -> float | None:
    """The x that no table of a page with two columns runs across; a caption across it says that one does."""
    text = [block for block in blocks if block.role in ("body", "references") and len(block.rows) > 1]
    if not text:
        return None
    middle = (min(block.x0 for block in text) + max(block.x1 for block in text)) / 2
    beside = any(b.x1 < middle for b in text) and any(b.x0 > middle for b in text)
    across = any(b.x0 < middle < b.x1 for b in blocks if b.role in ("caption", "body"))
    return middle if beside and not across else None


def _tables(parts: Sequence[Block], gutter: float | None) -> list[list[Block]]:
    """Parts that stand close together."""
    tables: list[list[Block]] = []
    for part in parts:
        near = [table for table in tables if any(_near(part, other, gutter) for other in table)]
        joined = [part] if not near else [*(block for table in near for block in table), part]
        tables = [table for table in tables if table not in near] + [joined]
    return tables


def _near(first: Block, second: Block, gutter: float | None) -> bool:
    if gutter is not None and min(first.x1, second.x1) < gutter < max(first.x0, second.x0):
        return False
    down = max(first.y0, second.y0) - min(first.y1, second.y1)
    across = max(first.x0, second.x0) - min(first.x1, second.x1)
    return down < ROW_GAP and across < COLUMN_GAP


def _lines(rows: Sequence[Row]) -> Iterator[str]:
    """Rows on one baseline from left to right."""
    line: list[Row] = []
    for row in sorted(rows, key=lambda row: row.baseline):
        if line and row.baseline - line[0].baseline > SAME_BASELINE * row.size:
            yield _line(line)
            line = []
        line.append(row)
    if line:
        yield _line(line)


def _line(rows: Sequence[Row]) -> str:
    return " | ".join(filter(None, (row_text(row) for row in sorted(rows, key=lambda row: row.x0))))
