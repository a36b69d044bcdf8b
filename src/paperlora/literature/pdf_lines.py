"""PDF pages as lines of styled text with positions: the only module that asks MuPDF for text.

Lengths are PDF points (1/72 inch), the origin is the page's upper left corner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

from paperlora.literature.characters import mend_characters
from paperlora.literature.pdf_engine import pymupdf
from paperlora.literature.pdf_hidden import Drawing, Placed, hidden_lines

BOLD = 16
ITALIC = 2
SUPERSCRIPT = 1
IMAGE = 1
VECTOR = 3
"""Types of blocks: a picture, a drawing."""
NOTES = (0, 2)
"""Types of annotations that carry text of their own: text, free text."""
RULE_HEIGHT = 3.0
RULE_WIDTH = 30.0
_BOLD_NAME = re.compile(r"bold|black|heavy|demi|medi(?!um)|cmbx|sfbx|cmssbx|[-_]b(?:$|[^a-z])", re.I)
_ITALIC_NAME = re.compile(r"ital|obliq|slant|cmti|cmsl|sfti|[-_]it?$", re.I)
_MATH_NAME = re.compile(
    r"^(?:cmmi|cmsy|cmex|cmbsy|cmmib|msam|msbm|eufm|eusm|eurm|rsfs|stmary|wasy|bbm|dsrom|txsy|txex|rtxmi|pxsy|pxmi"
    r"|mtmi|mtsy|mtex|mt2|symbol|lmmath|esint|yhmath|newtxmi|ntxmi|ntxsy|fourier-math|zplm|eulervm)|math|NewPXMI",
    re.I,
)
_MONO_NAME = re.compile(r"mono|courier|typewriter|consol|cmtt|sftt|menlo|code|inconsolata|nimbusmon", re.I)


class Span(NamedTuple):
    """Characters of one line in one style."""

    text: str
    x0: float
    x1: float
    baseline: float
    size: float
    font: str
    bold: bool
    italic: bool
    math: bool
    mono: bool
    superscript: bool


class Line(NamedTuple):
    """A piece of text on one baseline, as MuPDF cuts it: a column's line, a table cell, a part of a formula."""

    x0: float
    y0: float
    x1: float
    y1: float
    baseline: float
    size: float
    """Of most of its characters."""
    spans: tuple[Span, ...]
    order: int
    """Place in the file's order of drawing."""

    @property
    def text(self) -> str:
        """The characters, unmended."""
        return "".join(span.text for span in self.spans)


class Box(NamedTuple):
    """A rectangle."""

    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def area(self) -> float:
        """Square points."""
        return max(self.x1 - self.x0, 0.0) * max(self.y1 - self.y0, 0.0)


class Page(NamedTuple):
    """What stands on one page."""

    number: int
    """From 1."""
    width: float
    height: float
    lines: tuple[Line, ...]
    hidden: tuple[str, ...]
    """Lines that no reader of the page can see."""
    margin: tuple[str, ...]
    """Rotated lines and the text of annotations."""
    rules: tuple[Box, ...]
    """Thin horizontal strokes."""
    pictures: tuple[Box, ...]
    """Images, and the extents of drawings."""


def read_pages(document: Any, max_pages: int) -> Iterator[Page]:
    """The pages of an open PyMuPDF document, one at a time."""
    for index in range(min(document.page_count, max_pages)):
        yield _read_page(document, index)


def _read_page(document: Any, index: int) -> Page:
    page, notes = _without_annotations(document, index)
    width, height = page.rect.width, page.rect.height
    # Without the wide clip MuPDF drops what stands off the page, and nobody would learn of it.
    # Images in the file are asked for their places, since extraction would unpack them; those in the page's own stream
    # are small.
    pictured = bool(page.get_images())
    flags = pymupdf.TEXT_COLLECT_VECTORS | (0 if pictured else pymupdf.TEXT_PRESERVE_IMAGES)
    blocks = page.get_textpage(clip=pymupdf.INFINITE_RECT(), flags=flags).extractDICT()["blocks"]
    images = page.get_image_info() if pictured else [block for block in blocks if block["type"] == IMAGE]
    raw = [Placed(order, line) for order, block in enumerate(blocks) for line in block.get("lines", ())]
    hidden = hidden_lines(
        page, raw, [Drawing.of(n, block) for n, block in enumerate(blocks) if block["type"] == VECTOR], images
    )
    lines: list[Line] = []
    unseen: list[str] = []
    margin = notes
    for number, (_, entry) in enumerate(raw):
        if number in hidden:
            unseen.append(mend_characters("".join(span["text"] for span in entry["spans"]).strip()))
        elif abs(entry["dir"][1]) > 0.1:
            margin.append(mend_characters("".join(span["text"] for span in entry["spans"]).strip()))
        elif line := _line(entry, number):
            lines.append(line)
    boxes = [Box(*block["bbox"]) for block in blocks if block["type"] == VECTOR] + [
        Box(*info["bbox"]) for info in images
    ]
    return Page(
        index + 1,
        width,
        height,
        tuple(lines),
        tuple(filter(None, unseen)),
        tuple(filter(None, margin)),
        tuple(box for box in boxes if box.y1 - box.y0 < RULE_HEIGHT and box.x1 - box.x0 > RULE_WIDTH),
        tuple(_pictures(boxes, width, height)),
    )


def _without_annotations(document: Any, index: int) -> tuple[Any, list[str]]:
    # Annotations are somebody's remarks on the paper; MuPDF would mix their text into the lines. They go before the
    # page is loaded: a page that knows its annotations takes ten times as long to read.
    own = document.page_xref(index)
    notes: list[str] = []
    if document.xref_get_key(own, "Annots")[0] != "null":
        remarks = [xref for xref, kind, _ in document.page_annot_xrefs(index) if kind in NOTES]
        notes = [" ".join(document.xref_get_key(xref, "Contents")[1].split()) for xref in remarks]
        document.xref_set_key(own, "Annots", "null")
    return document.load_page(index), [note for note in notes if note not in ("", "null")]


def _line(entry: dict[str, Any], order: int) -> Line | None:
    # MuPDF begins a new span at every space that it puts in itself.
    spans: list[Span] = []
    parts: list[str] = []
    first: dict[str, Any] | None = None
    last = entry["spans"][-1] if entry["spans"] else {}
    for raw in entry["spans"]:
        text = raw["text"]
        if first is not None and text != " " and _differs(first, raw) and not text.isspace():
            spans.append(_span("".join(parts), first, last))
            first, parts = None, []
        if first is None:
            first = raw
        parts.append(text)
        last = raw
    if first is None:
        return None
    spans.append(_span("".join(parts), first, last))
    main = spans[0] if len(spans) == 1 else max(spans, key=_inked)
    if not _inked(main):
        return None
    x0, y0, x1, y1 = entry["bbox"]
    return Line(x0, y0, x1, y1, main.baseline, main.size, tuple(spans), order)


def _inked(span: Span) -> int:
    return len(span.text.strip())


def _differs(first: dict[str, Any], raw: dict[str, Any]) -> bool:
    """In font, size or height above the line."""
    return bool(
        first["font"] != raw["font"]
        or abs(first["size"] - raw["size"]) >= 0.05
        or (first["flags"] ^ raw["flags"]) & SUPERSCRIPT
    )


def _span(text: str, first: dict[str, Any], last: dict[str, Any]) -> Span:
    font, flags = first["font"], first["flags"]
    bold, italic, math, mono = _traits(font)
    return Span(
        text if text.isascii() and text.isprintable() else mend_characters(text),
        first["bbox"][0],
        last["bbox"][2],
        first["origin"][1],
        first["size"],
        font,
        bold or bool(flags & BOLD),
        italic or bool(flags & ITALIC),
        math,
        mono,
        bool(flags & SUPERSCRIPT),
    )


@lru_cache(maxsize=4096)
def _traits(font: str) -> tuple[bool, bool, bool, bool]:
    name = font.split("+")[-1]
    return tuple(bool(kind.search(name)) for kind in (_BOLD_NAME, _ITALIC_NAME, _MATH_NAME, _MONO_NAME))  # type: ignore[return-value]


def _pictures(boxes: list[Box], width: float, height: float) -> Iterator[Box]:
    """What is more than a line and less than the page's ground."""
    for x0, y0, x1, y1 in boxes:
        box = Box(max(x0, 0.0), max(y0, 0.0), min(x1, width), min(y1, height))
        if box.x1 - box.x0 > 6.0 and box.y1 - box.y0 > 6.0 and box.area < 0.85 * width * height:
            yield box
