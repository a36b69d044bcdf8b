"""Sandbox papers as PDFs that are as awkward as real ones.

Two justified columns under a title across the page, arXiv's stamp in the margin, running heads, page numbers, words
hyphenated at line ends, displayed formulas, a table with its caption, a footnote and references. The same paper always
gives the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import NamedTuple
from xml.sax.saxutils import escape

import reportlab
from reportlab.lib.colors import black, white
from reportlab.lib.enums import TA_CENTER, TA_JUSTIFY
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus.doctemplate import BaseDocTemplate, FrameBreak, NextPageTemplate, PageTemplate
from reportlab.platypus.flowables import CondPageBreak, Flowable, KeepTogether, Spacer
from reportlab.platypus.frames import Frame
from reportlab.platypus.paragraph import Paragraph
from reportlab.platypus.tables import Table, TableStyle

from paperlora.sandbox.paper import Block, SandboxPaper

WIDTH, HEIGHT = A4
MARGIN = 60.0
"""Points on every side."""
GUTTER = 20.0
COLUMN = (WIDTH - 2 * MARGIN - GUTTER) / 2
BROKEN_SHARE = 0.45
"""Part of a broken PDF that is left: the page tree, which stands at the end, is gone."""
SOFT_HYPHEN = "\u00ad"


class Faces(NamedTuple):
    """Names of the fonts of one paper."""

    roman: str
    bold: str
    italic: str


TIMES = Faces("Times-Roman", "Times-Bold", "Times-Italic")
VERA = Faces("Vera", "VeraBd", "VeraIt")


def render(paper: SandboxPaper) -> bytes:
    """The paper's PDF; cut off in the middle where the paper is ``broken``."""
    data = _render(paper)
    return data[: int(len(data) * BROKEN_SHARE)] if paper.broken else data


@lru_cache(maxsize=64)
def _render(paper: SandboxPaper) -> bytes:
    buffer = BytesIO()
    faces = _faces(paper)
    head = _head(paper, faces)
    document = BaseDocTemplate(
        buffer, pagesize=A4, title=paper.title, author=", ".join(paper.authors), creator="PaperLoRA sandbox", invariant=1,
        pageTemplates=_pages(paper, faces, sum(_height(item, WIDTH - 2 * MARGIN) for item in head)),
    )  # fmt: skip
    document.build([*head, FrameBreak(), NextPageTemplate("later"), *_body(paper, faces)])
    return buffer.getvalue()


def _faces(paper: SandboxPaper) -> Faces:
    if not paper.ligatures:
        return TIMES
    for name in VERA:
        pdfmetrics.registerFont(TTFont(name, str(Path(reportlab.__file__).parent / "fonts" / f"{name}.ttf")))
    return VERA


def _height(item: Flowable, width: float) -> float:
    return float(item.wrap(width, HEIGHT)[1]) + item.getSpaceBefore() + item.getSpaceAfter()


# ------------------------------------------------------------------- furniture


def _pages(paper: SandboxPaper, faces: Faces, head_height: float) -> list[PageTemplate]:
    note = _footnote(paper, faces)
    note_height = note.wrap(COLUMN, HEIGHT)[1] + 8 if note else 0.0
    top = HEIGHT - MARGIN - head_height - 12
    first = [
        _frame("head", MARGIN, top, WIDTH - 2 * MARGIN, head_height + 12),
        _frame("left", MARGIN, MARGIN + note_height, COLUMN, top - MARGIN - note_height),
        _frame("right", MARGIN + COLUMN + GUTTER, MARGIN, COLUMN, top - MARGIN),
    ]
    later = [_frame(name, x, MARGIN, COLUMN, HEIGHT - 2 * MARGIN - 6) for name, x in _columns()]

    def draw_first(canvas: Canvas, document: BaseDocTemplate) -> None:
        _draw_stamp(canvas, paper)
        _draw_page_number(canvas, document, faces)
        if note:
            canvas.setLineWidth(0.4)
            canvas.line(MARGIN, MARGIN + note_height - 4, MARGIN + COLUMN / 3, MARGIN + note_height - 4)
            note.drawOn(canvas, MARGIN, MARGIN)

    def draw_later(canvas: Canvas, document: BaseDocTemplate) -> None:
        canvas.setFont(faces.italic, 9)
        canvas.drawString(MARGIN, HEIGHT - MARGIN + 10, paper.title.split(":")[0])
        canvas.drawRightString(WIDTH - MARGIN, HEIGHT - MARGIN + 10, f"{paper.authors[0].split()[-1]} et al.")
        _draw_page_number(canvas, document, faces)

    return [PageTemplate("first", first, onPage=draw_first), PageTemplate("later", later, onPage=draw_later)]


def _columns() -> Iterator[tuple[str, float]]:
    yield "left", MARGIN
    yield "right", MARGIN + COLUMN + GUTTER


def _frame(name: str, x: float, y: float, width: float, height: float) -> Frame:
    return Frame(x, y, width, height, leftPadding=0, rightPadding=0, topPadding=0, bottomPadding=0, id=name)


def _draw_page_number(canvas: Canvas, document: BaseDocTemplate, faces: Faces) -> None:
    canvas.setFont(faces.roman, 9)
    canvas.drawCentredString(WIDTH / 2, MARGIN - 24, str(document.page))


def _draw_stamp(canvas: Canvas, paper: SandboxPaper) -> None:
    if not paper.arxiv_id:
        return
    canvas.saveState()
    canvas.setFont("Times-Roman", 16)
    canvas.setFillGray(0.5)
    canvas.translate(30, HEIGHT / 2 - 120)
    canvas.rotate(90)
    when = f"{paper.updated.day} {paper.updated:%b %Y}"
    canvas.drawString(0, 0, f"arXiv:{paper.arxiv_id}v{paper.version}  [{paper.categories[0]}]  {when}")
    canvas.restoreState()


def _footnote(paper: SandboxPaper, faces: Faces) -> Paragraph | None:
    notes = [block.footnote for section in paper.sections for block in section.blocks if block.footnote]
    if len(notes) > 1:
        raise ValueError(f"{paper.key} has {len(notes)} footnotes; the layout has room for one")
    style = ParagraphStyle("note", fontName=faces.roman, fontSize=8, leading=9.5, alignment=TA_JUSTIFY)
    return Paragraph(f"<super>1</super> {_prose(paper, notes[0], hyphenate=False)}", style) if notes else None


# ------------------------------------------------------------------------ text


def _head(paper: SandboxPaper, faces: Faces) -> list[Flowable]:
    centred = ParagraphStyle("centred", fontName=faces.roman, fontSize=11, leading=14, alignment=TA_CENTER)
    title = ParagraphStyle("title", centred, fontName=faces.bold, fontSize=16, leading=20, spaceAfter=8)
    small = ParagraphStyle("small", centred, fontName=faces.italic, fontSize=10, spaceAfter=10)
    return [
        Paragraph(_prose(paper, paper.title, hyphenate=False), title),
        Paragraph(escape(", ".join(paper.authors)), centred),
        Paragraph(escape(paper.affiliation), small),
    ]


def _body(paper: SandboxPaper, faces: Faces) -> Iterator[Flowable]:
    size = 11.0 if faces is TIMES else 9.0
    prose = ParagraphStyle(
        "prose", fontName=faces.roman, fontSize=size, leading=13, alignment=TA_JUSTIFY, spaceAfter=5,
        embeddedHyphenation=1,
    )  # fmt: skip
    abstract = ParagraphStyle("abstract", prose, leftIndent=10, rightIndent=10, fontSize=size - 0.5, leading=11.5)
    yield Paragraph("Abstract", ParagraphStyle("label", prose, fontName=faces.bold, alignment=TA_CENTER))
    yield Paragraph(_prose(paper, paper.abstract), abstract)
    if paper.hidden_text:
        yield Paragraph(
            escape(paper.hidden_text), ParagraphStyle("hidden", prose, fontSize=6, leading=6.5, textColor=white)
        )
    counts = {"formula": 0, "table": 0}
    for section in paper.sections:
        yield CondPageBreak(64)
        yield Paragraph(escape(section.heading), _heading_style(faces, 12))
        for block in section.blocks:
            counts.update({block.kind: counts[block.kind] + 1} if block.kind in counts else {})
            if block.kind == "subheading":
                yield CondPageBreak(40)
            yield _block(paper, block, prose, faces, counts.get(block.kind, 0))
    yield from _references(paper, prose, faces)


def _heading_style(faces: Faces, size: float) -> ParagraphStyle:
    return ParagraphStyle("heading", fontName=faces.bold, fontSize=size, leading=size + 2, spaceBefore=7, spaceAfter=3)


def _block(paper: SandboxPaper, block: Block, prose: ParagraphStyle, faces: Faces, number: int) -> Flowable:
    if block.kind == "subheading":
        return Paragraph(escape(block.text), _heading_style(faces, 10))
    if block.kind == "formula":
        return _formula(block.text, number, prose)
    if block.kind == "table":
        return _table(paper, block, number, prose, faces)
    marker = "<super>1</super>" if block.footnote else ""
    return Paragraph(_prose(paper, block.text) + marker, prose)


def _formula(markup: str, number: int, prose: ParagraphStyle) -> Table:
    centred = ParagraphStyle("formula", prose, alignment=TA_CENTER, spaceAfter=0, fontName="Times-Roman", fontSize=10)
    small = markup.replace("<sub>", '<sub rise="2" size="7">').replace("<super>", '<super rise="4" size="7">')
    table = Table([["", Paragraph(small, centred), Paragraph(f"({number})", centred)]], colWidths=[24, COLUMN - 48, 24])
    table.setStyle(TableStyle([("VALIGN", (0, 0), (-1, -1), "MIDDLE")]))
    return table


def _table(paper: SandboxPaper, block: Block, number: int, prose: ParagraphStyle, faces: Faces) -> KeepTogether:
    caption = ParagraphStyle("caption", prose, fontSize=8.5, leading=10, spaceBefore=6, spaceAfter=4)
    table = Table([list(row) for row in block.rows], spaceAfter=10, rowHeights=13)
    table.setStyle(
        TableStyle([
            ("FONT", (0, 0), (-1, -1), faces.roman, 8.5), ("FONT", (0, 0), (-1, 0), faces.bold, 8.5),
            ("ALIGN", (1, 0), (-1, -1), "RIGHT"), ("LINEABOVE", (0, 0), (-1, 0), 0.8, black),
            ("LINEBELOW", (0, 0), (-1, 0), 0.4, black), ("LINEBELOW", (0, -1), (-1, -1), 0.8, black),
        ])
    )  # fmt: skip
    return KeepTogether([Paragraph(f"Table {number}: {_prose(paper, block.text, hyphenate=False)}", caption), table])


def _references(paper: SandboxPaper, prose: ParagraphStyle, faces: Faces) -> Iterator[Flowable]:
    small = ParagraphStyle(
        "reference", prose, fontSize=8.5, leading=10, leftIndent=16, firstLineIndent=-16, spaceAfter=2
    )
    yield Spacer(1, 4)
    yield Paragraph("References", _heading_style(faces, 12))
    for number, reference in enumerate(paper.references, start=1):
        yield Paragraph(f"[{number}] {_prose(paper, reference)}", small)


def _prose(paper: SandboxPaper, text: str, *, hyphenate: bool = True) -> str:
    words = [hyphenated(word) for word in text.split()] if hyphenate else text.split()
    joined = escape(" ".join(words))
    return joined.replace("ffi", "ﬃ").replace("fi", "ﬁ").replace("fl", "ﬂ") if paper.ligatures else joined


# ----------------------------------------------------------------- hyphenation

_BETWEEN_CONSONANTS = re.compile(r"(?<=[aeiouy][bcdfgklmnprstvx])(?=[bcdfgklmnprstvz][aeiou])(?!\we[sd]?$)")
_AFTER_VOWEL = re.compile(r"(?<=[aeiou])(?=[bcdfgklmnprstv][aeiou]\w{3})")
_BEFORE_ENDING = re.compile(r"(?<=[a-z][bcdfgklmnprstvxz])(?=(?:tion|ment|ness|less|able)\w*$)")
_STICK_TOGETHER = re.compile(r"(?:ch|sh|th|ph|ck|ng|gh|[bcdfgkpt]l|[bcdfgkpt]r|st|sc|sp|qu)")


def hyphenated(word: str) -> str:
    """The word with soft hyphens where an English typesetter would break it; three letters stay on each side."""
    letters = re.fullmatch(r"(\W*)([A-Za-z][a-z]{6,})(\W*)", word)
    if not letters:
        return word
    before, core, after = letters.groups()
    marks = {
        match.start()
        for pattern in (_BETWEEN_CONSONANTS, _AFTER_VOWEL, _BEFORE_ENDING)
        for match in pattern.finditer(core)
    }
    allowed = sorted(
        mark
        for mark in marks
        if 3 <= mark <= len(core) - 3 and not _STICK_TOGETHER.fullmatch(core[mark - 1 : mark + 1])
    )
    pieces = [core[start:end] for start, end in zip([0, *allowed], [*allowed, len(core)], strict=True)]
    return before + SOFT_HYPHEN.join(pieces) + after
