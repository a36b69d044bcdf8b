"""What every block of a paper is: heading, body, caption, table, figure, formula, footnote, reference or front matter."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from paperlora.literature.pdf_blocks import Block
from paperlora.literature.pdf_lines import Box, Page
from paperlora.literature.pdf_style import (
    WORD,
    Style,
    count_long_words,
    in_body_style,
    is_prose,
    is_strong_prose,
    letters_share,
    math_share,
)

_NUMBERED = re.compile(
    r"(?:(?:\d{1,2}|[A-Z])(?:\.\d{1,2}){0,3}\.?|[IVX]{1,5}\.|Appendix [A-Z]\b[.:]?|§ ?\d+)\s+(?=[^\W\d_])"
)
_NAMED = re.compile(
    r"(?:abstract|summary|introduction|related works?|background|methods?|methodology|experiments?|results?|discussions?"
    r"|conclusions?|limitations?|references|bibliography|acknowledge?ments?|appendix|appendices|supplementary material"
    r"|ethics statement|broader impacts?|impact statement|reproducibility statement|contents|keywords|index terms)[.:]?",
    re.I,
)
_REFERENCES = re.compile(
    r"(?:(?:\d{1,2}|[A-Z]|[IVX]{1,5})\.?\s+)?(?:references|bibliography|references and notes|literature cited)[.:]?",
    re.I,
)
_AFTER_REFERENCES = re.compile(
    r"(?:appendi(?:x|ces)|supplement|checklist|neurips paper checklist|acknowledge?ment|author contributions|[A-Z](?:\.\d+)*\.?\s+[^\W\d_])",
    re.I,
)
_CAPTION = re.compile(
    r"(?:(?:extended data|supplementary)\s+)?(figure|fig\.|table|tab\.|algorithm|listing|scheme|exhibit|box|prompt)\s*"
    r"(?-i:[A-Z]?\.?\d{1,3}(?:\.\d+)*[a-z]?|[IVX]{1,5}|[A-Z])(?!\w)\s*([.:|)]|[-–—]\s|\n|$)?",
    re.I,
)
_PART = re.compile(r"\([a-h]\)\s")
"""Of a figure that has several."""
_UNFINISHED = re.compile(r"\b(?:and|or|in|see|of|to|from|by|with|the|as|than|both)$")
_EQUATION_NUMBER = re.compile(r"\(\s*[A-Z]?\.?\d{1,3}(?:\.\d+)?[a-z]?\s*\)")
_FOOTNOTE_MARK = re.compile(r"\s*(?:\d{1,2}|[*∗†‡§¶♢♠♣♡⋆#]+)\s*\S")
FLOAT_GAP = 30.0
"""Points between a caption and its table or figure, and between their parts."""


def assign_roles(pages: Sequence[Page], blocks: Sequence[Sequence[Block]], style: Style) -> None:
    """Set ``role`` of every block; those of the title are set already.

    Args:
        pages: in order.
        blocks: of each page, in reading order.
        style: the body's.
    """
    for page, own in zip(pages, blocks, strict=True):
        _mark_captions(own, style)
        _mark_ruled_tables(page, own, style)
        _mark_pictures(page, own, style)
        _mark_floats(page, own, style)
        _mark_footnotes(page, own, style)
        _mark_headings(own, style)
        _mark_formulas(own, style)
        _mark_scraps(own, style)
    if blocks:
        _mark_front(blocks[0], style)
    _mark_references([block for own in blocks for block in own])


def _mark_captions(blocks: Sequence[Block], style: Style) -> None:
    for number, block in enumerate(blocks):
        if block.role != "body" or not _is_caption(block, style):
            continue
        before = next((b for b in reversed(blocks[:number]) if b.role == "body"), None)
        if before and _UNFINISHED.search(before.text) and abs(before.size - block.size) < 0.3:
            continue  # a sentence that happens to break before "Fig. 4."
        block.role = "caption"
        # A caption's bold first line and its plain rest were cut apart as two styles.
        for rest in blocks[number + 1 : number + 2]:
            step = rest.rows[0].baseline - block.rows[-1].baseline
            joined = 0 < step < 1.6 * block.size and abs(rest.size - block.size) < 0.3
            if joined and block.bold and not rest.bold and rest.x0 < block.x1:
                rest.role = "caption"
    for caption in [block for block in blocks if block.role == "caption"]:
        for block in blocks:
            if block.role == "body" and _is_part_of(block, caption, style):
                block.role = "caption"


def _is_part_of(block: Block, caption: Block, style: Style) -> bool:
    """``(a) …`` in small print right above a figure's caption."""
    above = -2 < caption.y0 - block.y1 < FLOAT_GAP and block.x0 < caption.x1 and block.x1 > caption.x0
    return above and block.size < 0.96 * style.size and _PART.match(block.text) is not None


def _is_caption(block: Block, style: Style) -> bool:
    match = _CAPTION.match(block.text)
    if not match or (match[1][0].islower() and match[1][0].isalpha()):
        return False
    if match[2]:
        return True
    first = block.rows[0].spans[0]
    return first.bold or block.size < 0.95 * style.size or (first.italic and not block.rows[0].spans[-1].italic)


def _mark_ruled_tables(page: Page, blocks: Sequence[Block], style: Style) -> None:
    """What stands between two horizontal rules of one extent, unless it is running text."""
    captions = [block for block in blocks if block.role == "caption"]
    for chain in _chains(page.rules):
        captioned = any(_beside(chain, caption) for caption in captions)
        width = chain[0].x1 - chain[0].x0
        for upper, lower in pairwise(chain):
            within = [b for b in blocks if b.role == "body" and _between(b, upper, lower)]
            prose = [b for b in within if is_strong_prose(b, style, width)]
            if not prose or (captioned and all(b.size < 0.9 * style.size for b in prose)):
                for block in within:
                    block.role = "table"


def _chains(rules: Sequence[Box]) -> list[list[Box]]:
    """Rules of one extent, from top to bottom."""
    chains: list[list[Box]] = []
    for rule in sorted(rules, key=lambda rule: rule.y0):
        home = next((chain for chain in chains if _same_extent(chain[0], rule)), None)
        if home is None:
            chains.append([rule])
        elif rule.y0 - home[-1].y0 > 4:
            home.append(rule)
    return [chain for chain in chains if len(chain) > 1]


def _beside(chain: Sequence[Box], caption: Block) -> bool:
    top, bottom = chain[0].y0, chain[-1].y1
    near = -4 < top - caption.y1 < FLOAT_GAP or -4 < caption.y0 - bottom < FLOAT_GAP
    inside = top < caption.y0 and caption.y1 < bottom
    return (near or inside) and caption.x0 < chain[0].x1 and caption.x1 > chain[0].x0


def _same_extent(first: Box, second: Box) -> bool:
    return abs(first.x0 - second.x0) < 4 and abs(first.x1 - second.x1) < 4


def _between(block: Block, upper: Box, lower: Box) -> bool:
    x, y = (block.x0 + block.x1) / 2, (block.y0 + block.y1) / 2
    return upper.x0 - 4 <= x <= upper.x1 + 4 and upper.y0 - 2 <= y <= lower.y1 + 2


def _mark_pictures(page: Page, blocks: Sequence[Block], style: Style) -> None:
    """Text on a picture; sentences in a frame stay body."""
    for block in blocks:
        if block.role != "body":
            continue
        x, y = (block.x0 + block.x1) / 2, (block.y0 + block.y1) / 2
        inside = [box for box in page.pictures if box.x0 <= x <= box.x1 and box.y0 <= y <= box.y1]
        if inside and not is_strong_prose(block, style, block.x1 - block.x0) and not _looks_like_heading(block, style):
            small = min(inside, key=lambda box: box.area)
            if block.y1 - block.y0 < 1.2 * (small.y1 - small.y0):
                block.role = "figure"


def _mark_floats(page: Page, blocks: Sequence[Block], style: Style) -> None:
    """Labels and cells near a caption that no rule or picture holds."""
    for caption in [b for b in blocks if b.role == "caption"]:
        kind = "figure" if caption.text[:3].casefold() == "fig" else "table"
        grown = _grow(caption, page, blocks, style, kind, upwards=kind == "figure")
        if not grown:
            _grow(caption, page, blocks, style, kind, upwards=kind != "figure")
        elif kind == "table":
            _grow(caption, page, blocks, style, kind, upwards=True)


def _grow(caption: Block, page: Page, blocks: Sequence[Block], style: Style, kind: str, *, upwards: bool) -> bool:
    """Extend from a caption over parts of its float; True where there were any."""
    region = [caption.x0, caption.y0, caption.x1, caption.y1]
    fixed = [b for b in blocks if b is not caption and (b.role == "caption" or (b.role == "body" and _stays(b, style)))]
    loose = [b for b in blocks if b.role in ("body", "figure", "table") and b not in fixed]
    parts: list[Box | Block] = [*loose, *page.pictures]
    found = False
    while True:
        near = [
            part for part in parts if _adjoins(region, part, upwards) and not _blocked(region, part, fixed, upwards)
        ]
        if not near:
            return found
        for part in near:
            parts.remove(part)
            region = [
                min(region[0], part.x0),
                min(region[1], part.y0),
                max(region[2], part.x1),
                max(region[3], part.y1),
            ]
            found = True
            if isinstance(part, Block) and part.role == "body":
                part.role = kind


def _stays(block: Block, style: Style) -> bool:
    return is_prose(block, style) or _looks_like_heading(block, style)


def _adjoins(region: Sequence[float], part: Box | Block, upwards: bool) -> bool:
    if part.x1 < region[0] - 10 or part.x0 > region[2] + 10:
        return False
    if part.y0 >= region[1] - 1 and part.y1 <= region[3] + 1:
        return True
    if upwards:
        return part.y0 < region[1] and region[1] - part.y1 < FLOAT_GAP
    return part.y1 > region[3] and part.y0 - region[3] < FLOAT_GAP


def _blocked(region: Sequence[float], part: Box | Block, fixed: Sequence[Block], upwards: bool) -> bool:
    """Running text lies between."""
    top, bottom = (part.y0, region[1]) if upwards else (region[3], part.y1)
    return any(b.x0 < part.x1 and b.x1 > part.x0 and top - 1 <= (b.y0 + b.y1) / 2 <= bottom + 1 for b in fixed)


def _mark_footnotes(page: Page, blocks: Sequence[Block], style: Style) -> None:
    """Small print at the foot of a column: below a short rule, with a mark, or on the first page."""
    for block in sorted(blocks, key=lambda b: -b.y0):
        if block.role != "body" or block.y0 < 0.5 * page.height or block.size > 0.94 * style.size:
            continue
        if block.bold and _looks_like_heading(block, style):
            continue  # its text begins in the next column
        below = [b for b in blocks if b.y0 > block.y1 - 2 and b.x0 < block.x1 and b.x1 > block.x0]
        if any(b.role not in ("footnote", "formula") for b in below):
            continue
        ruled = any(0 <= block.y0 - rule.y1 < 14 and abs(rule.x0 - block.x0) < 24 for rule in page.rules)
        if ruled or page.number == 1 or _FOOTNOTE_MARK.match(block.text) or any(b.role == "footnote" for b in below):
            block.role = "footnote"


def _mark_headings(blocks: Sequence[Block], style: Style) -> None:
    for block in blocks:
        if block.role == "body" and _looks_like_heading(block, style):
            block.role = "heading"


def _looks_like_heading(block: Block, style: Style) -> bool:
    text = " ".join(block.text.split())
    # Of small capitals the capital counts.
    size = max(span.size for row in block.rows for span in row.spans) if text.isupper() else block.size
    if len(block.rows) > 3 or len(text) > 150 or size < 0.9 * style.size:
        return False
    if _NAMED.fullmatch(text):
        return True
    number = _NUMBERED.match(text)
    title = text[number.end() :] if number else text
    if not title[:1].isupper() or title[-1:] in ".,;" or len(title.split()) > 18 or not WORD.search(title):
        return False
    if letters_share(title) < 0.6:
        return False
    larger = block.size >= 1.08 * style.size
    if number:
        return block.bold or larger or title.isupper() or _all_italic(block)
    return (block.bold or larger) and title[-1] != ":" and block.size >= 0.98 * style.size


def _all_italic(block: Block) -> bool:
    return len(block.rows) == 1 and all(span.italic for span in block.rows[0].spans if WORD.search(span.text))


def _mark_formulas(blocks: Sequence[Block], style: Style) -> None:
    numbers = [b for b in blocks if b.role == "body" and _EQUATION_NUMBER.fullmatch(b.text.strip())]
    for block in blocks:
        if block.role != "body":
            continue
        words = count_long_words(block.text)
        wordless = words == 0 and len(block.text) < 80
        numbered = any(_on_line_of(block, number) for number in numbers)
        symbolic = words <= 4 * len(block.rows) and math_share(block) > 0.25 and not is_prose(block, style)
        if block in numbers or wordless or numbered or symbolic:
            block.role = "formula"


def _on_line_of(block: Block, number: Block) -> bool:
    """A short piece with mathematics left of an equation's number."""
    level = number.y0 - 2 < (block.y0 + block.y1) / 2 < number.y1 + 2
    return level and len(block.rows) <= 3 and block.x1 < number.x0 and math_share(block) > 0.1


def _mark_scraps(blocks: Sequence[Block], style: Style) -> None:
    """Program text, and labels far from any caption: not sentences, not in the body's style."""
    for block in blocks:
        if block.role != "body" or in_body_style(block, style):
            continue
        if all(row.mono for row in block.rows):
            block.role = "listing"
        elif count_long_words(block.text) < 8:
            block.role = "figure"


def _mark_front(blocks: Sequence[Block], style: Style) -> None:
    """Authors and addresses: what stands on the first page before abstract or introduction, except running text."""
    first = next((n for n, b in enumerate(blocks) if b.role == "heading" and _opens_text(b)), None)
    if first is None:
        first = next((n for n, b in enumerate(blocks) if _is_opening_prose(b, style)), 0)
    for block in blocks[:first]:
        if block.role in ("body", "heading", "formula", "figure") and not _is_opening_prose(block, style):
            block.role = "front"


def _opens_text(block: Block) -> bool:
    text = " ".join(block.text.split())
    return bool(_NAMED.fullmatch(text) or _NUMBERED.match(text))


def _is_opening_prose(block: Block, style: Style) -> bool:
    return block.role == "body" and len(block.rows) >= 3 and len(block.text) >= 200 and is_prose(block, style)


def _mark_references(blocks: Sequence[Block]) -> None:
    """From the heading of the references to the next heading of its rank or to the appendix."""
    opened: Block | None = None
    for block in blocks:
        text = " ".join(block.text.split())
        if block.role == "heading":
            if _REFERENCES.fullmatch(text):
                opened = block
            elif opened and (_AFTER_REFERENCES.match(text) or _same_rank(block, opened)):
                opened = None
        if opened and block.role in ("body", "heading", "formula", "footnote", "figure", "listing"):
            block.role = "references"


def _same_rank(block: Block, opened: Block) -> bool:
    return abs(block.size - opened.size) < 0.3 and block.bold == opened.bold
