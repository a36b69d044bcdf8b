"""One PDF as a document's plain fields: pages → lines → blocks → roles → sections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from paperlora.literature.pdf_blocks import Block, page_blocks
from paperlora.literature.pdf_furniture import Furniture, part_furniture
from paperlora.literature.pdf_lines import Line, Page, read_pages
from paperlora.literature.pdf_order import in_reading_order
from paperlora.literature.pdf_roles import assign_roles
from paperlora.literature.pdf_style import find_style
from paperlora.literature.pdf_tables import tables_as_rows
from paperlora.literature.pdf_text import Piece, assemble, continues, count_words, paragraphs_of, row_text, spell_rows
from paperlora.literature.pdf_title import find_title

_ET_AL = re.compile(r"[\w.,’' -]{2,40} et al\.?")
HEAD_ZONE = 0.12
LEFT_OUT = ("running_head", "caption", "figure", "formula", "footnote", "references", "front", "listing")


class _Open(NamedTuple):
    heading: str
    page: int
    pieces: list[Piece]


def read_layout(document: Any, max_pages: int) -> dict[str, Any]:
    """Title, sections and what was left out, as JSON values.

    Args:
        document: an open PyMuPDF document.
        max_pages: pages beyond are not read.
    """
    pages = list(read_pages(document, max_pages))
    parted = part_furniture(pages)
    metadata = (document.metadata or {}).get("title") or ""
    blocks = [
        list(in_reading_order(page_blocks(f.text, p.number, p.width))) for p, f in zip(pages, parted, strict=True)
    ]
    style = find_style(block for own in blocks for block in own)
    title, on_lines = find_title(pages[0], parted[0].text, metadata, style.size) if pages else ("", [])
    if blocks and on_lines:
        _mark_title(blocks[0], on_lines)
    _mark_short_title(pages, blocks, title)
    assign_roles(pages, blocks, style)
    ordered = [block for own in blocks for block in own]
    words = count_words(block for block in ordered if block.role in ("body", "references"))
    return {
        "title": title,
        "sections": [section for section in _sections(ordered, words) if section["text"] or section["heading"]],
        "left_out": list(_left_out(pages, parted, ordered, words)),
        "pages": len(pages),
    }


def _mark_title(blocks: Sequence[Block], lines: Sequence[Line]) -> None:
    places = {(round(line.baseline), round(line.size, 1)) for line in lines}
    for block in blocks:
        if any((round(span.baseline), round(span.size, 1)) in places for row in block.rows for span in row.spans):
            block.role = "title"


def _mark_short_title(pages: Sequence[Page], blocks: Sequence[Sequence[Block]], title: str) -> None:
    """A running head that a short paper prints only once: words of the title, or the authors, at the top of a later page."""
    for page, own in zip(pages[1:], blocks[1:], strict=True):
        for block in own:
            at_top = len(block.rows) == 1 and block.y1 < HEAD_ZONE * page.height
            named = len(block.text) > 3 and block.text.casefold() in title.casefold()
            if at_top and (named or _ET_AL.fullmatch(block.text)):
                block.role = "running_head"


def _sections(blocks: Sequence[Block], words: Mapping[str, int]) -> Iterator[dict[str, Any]]:
    section = _Open("", blocks[0].page if blocks else 1, [])
    heading: Block | None = None
    last: Block | None = None
    formulas: list[Block] = []
    for block in blocks:
        if block.role == "heading":
            if heading is not None and _one_heading(heading, block, section):
                section = _Open(f"{section.heading} {_heading(block, words)}", section.page, section.pieces)
            else:
                yield _close(section, words)
                section = _Open(_heading(block, words), block.page, [])
            heading = block
        elif block.role == "body":
            _add(
                section.pieces,
                block,
                words,
                last is not None and any(_between(last, formula, block) for formula in formulas),
            )
            heading, last, formulas = None, block, []
        elif block.role == "formula":
            formulas.append(block)
    yield _close(section, words)


def _between(before: Block, formula: Block, block: Block) -> bool:
    """A formula stands between two pieces of text: below the first or right above the second, in its column."""
    if formula.page == before.page and formula.y0 > before.y0 and _one_column(formula, before):
        return True
    above = formula.page == block.page and formula.y1 - 2 < block.y0 < formula.y1 + 4 * block.size
    return above and _one_column(formula, block)


def _one_column(first: Block, second: Block) -> bool:
    return first.x0 < second.x1 and first.x1 > second.x0


def _one_heading(first: Block, second: Block, section: _Open) -> bool:
    """Two lines of one long heading, or a number apart from its words."""
    step = second.rows[0].baseline - first.rows[-1].baseline
    near = first.page == second.page and 0 < step < 1.6 * second.size and first.x0 < second.x1
    return (
        near
        and not section.pieces
        and abs(first.size - second.size) < 0.3
        and not re.match(r"[\dA-Z]+(\.\d+)*\.?\s", second.text)
    )


def _heading(block: Block, words: Mapping[str, int]) -> str:
    return " ".join(spell_rows([row_text(row) for row in block.rows], words).split())


def _add(pieces: list[Piece], block: Block, words: Mapping[str, int], after_formula: bool) -> None:
    for number, (opens, rows) in enumerate(paragraphs_of(block)):
        text = spell_rows(rows, words)
        end = pieces[-1].text if pieces else ""
        starts = number > 0 or after_formula or not continues(end, text, opens)
        pieces.append(Piece(text, block.page, starts))


def _close(section: _Open, words: Mapping[str, int]) -> dict[str, Any]:
    whole = assemble(section.pieces, words)
    starts = [{"page": page, "start": start} for page, start in whole.page_starts]
    return {
        "heading": section.heading,
        "text": whole.text,
        "page": starts[0]["page"] if starts else section.page,
        "page_starts": starts,
    }


def _left_out(
    pages: Sequence[Page], parted: Sequence[Furniture], blocks: Sequence[Block], words: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    for page, furniture in zip(pages, parted, strict=True):
        yield from _parts("hidden", page.number, page.hidden)
        yield from _parts(
            "margin", page.number, [*page.margin, *(line.text.strip() for line in furniture.line_numbers)]
        )
        yield from _parts("running_head", page.number, [line.text.strip() for line in furniture.heads])
        yield from _parts("page_number", page.number, [line.text.strip() for line in furniture.numbers])
    for table in tables_as_rows(blocks):
        yield {"kind": "table", "page": table.page, "text": "\n".join(table.lines)}
    for block in blocks:
        if block.role in LEFT_OUT:
            yield {
                "kind": block.role,
                "page": block.page,
                "text": spell_rows([row_text(row) for row in block.rows], words),
            }


def _parts(kind: str, page: int, texts: Sequence[str]) -> Iterator[dict[str, Any]]:
    if texts:
        yield {"kind": kind, "page": page, "text": "\n".join(texts)}
