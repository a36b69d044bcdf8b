"""What the body text of a document looks like, and tests that compare with it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from paperlora.literature.pdf_blocks import Block, symbolic_share

WORD = re.compile(r"[A-Za-z]{3,}")
_NO_LETTER = re.compile(r"[\W\d_]+")
PROSE_ROW = 25
"""Characters of a row that counts in finding the body's style."""
FONT_SHARE = 0.02
FONT_PART = 0.25
"""A block is in the body's style where this share of its characters is in the body's fonts."""
SIZE_SHARE = 0.03
SIZE_TOLERANCE = 0.07


class Style(NamedTuple):
    """The look of the body text."""

    size: float
    """Points, of most of its characters."""
    sizes: tuple[float, ...]
    """Every size that a notable share of the running text has: abstract and appendix may differ from the rest."""
    fonts: frozenset[str]


def find_style(blocks: Iterable[Block]) -> Style:
    """The body's style, by characters in blocks of several full rows."""
    sizes: Counter[float] = Counter()
    fonts: Counter[str] = Counter()
    typed: set[str] = set()
    for block in blocks:
        if len(block.rows) < 3:
            continue
        for row in block.rows:
            if row.x1 - row.x0 < 0.7 * (block.x1 - block.x0):
                continue
            length = len(row.plain)
            if length < PROSE_ROW:
                continue
            sizes[round(row.size * 2) / 2] += length
            for span in row.spans:
                fonts[span.font] += len(span.text)
                if span.mono:
                    typed.add(span.font)
    total = sum(sizes.values()) or 1
    if not sizes:
        return Style(10.0, (10.0,), frozenset())
    common = tuple(size for size, count in sizes.items() if count >= SIZE_SHARE * total)
    used = frozenset(
        font
        for font, count in fonts.items()
        if count >= FONT_SHARE * total and not (font in typed and count < total / 2)
    )
    return Style(sizes.most_common(1)[0][0], common, used)


@lru_cache(maxsize=8192)
def letters_share(text: str) -> float:
    """Share of letters among the characters that are no space."""
    dense = "".join(text.split())
    return len(_NO_LETTER.sub("", dense)) / len(dense) if dense else 0.0


@lru_cache(maxsize=8192)
def count_long_words(text: str) -> int:
    """Words of at least three letters."""
    return len(WORD.findall(text))


def in_body_style(block: Block, style: Style) -> bool:
    """Size and font of the running text."""
    near = any(abs(block.size - size) <= SIZE_TOLERANCE * size for size in style.sizes)
    if not near or not style.fonts:
        return near
    total = sum(len(span.text) for row in block.rows for span in row.spans)
    known = sum(len(span.text) for row in block.rows for span in row.spans if span.font in style.fonts)
    return known >= FONT_PART * total


def is_prose(block: Block, style: Style) -> bool:
    """Running text: sentences in the body's style, not labels or cells."""
    words = count_long_words(block.text)
    if words < 5 or letters_share(block.text) < 0.6 or not in_body_style(block, style):
        return False
    return len(block.rows) == 1 or words / len(block.rows) >= 2.5


def is_strong_prose(block: Block, style: Style, width: float) -> bool:
    """Prose that fills a column.

    Args:
        width: of the column or the frame it stands in, points.
    """
    full = [row for row in block.rows if row.x1 - row.x0 >= 0.7 * width]
    return is_prose(block, style) and len(full) >= 2 and 2 * len(full) >= len(block.rows)


def math_share(block: Block) -> float:
    """Share of characters that mathematics is written with."""
    return symbolic_share(span for row in block.rows for span in row.spans)
