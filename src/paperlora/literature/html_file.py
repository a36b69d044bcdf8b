"""The bytes of one HTML page as a document's plain fields: arXiv's LaTeXML pages, and any other article."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from lxml import html

from paperlora.literature.flow import Flow, as_text
from paperlora.literature.html_styles import Styles
from paperlora.literature.limits import Limits, UnreadableError
from paperlora.literature.math_text import mathml_to_text

FATAL = "Conversion to HTML had a Fatal error"
"""LaTeXML's own words on a page that ends in mid-paper."""
MAIN_SHARE = 0.5
"""An ``article`` or ``main`` with this share of a page's text is what the page is about."""
LEAST_LAYOUT_CELL = 400
"""Characters in one cell of a table that serves to lay out a page."""
DEEPEST = 200
_DATA_TAG = re.compile(rb"<\s*(?:!doctype|html|head|body|article|div|p|h1|section|main)\b", re.I)
_POWER = re.compile(r"(?:^|[^\d.])(?:10|2|e)\s*$")
_EXPONENT = re.compile(r"[-−+]?\d{1,3}")
_MARK = re.compile(r"[\d*∗†‡§¶,⋆\[\]]+")
_BULLET = re.compile(r"\W*")

SILENT = {
    "script", "style", "template", "noscript", "head", "link", "meta", "svg", "canvas", "object", "iframe", "audio",
    "video", "source", "track", "map", "datalist",
}  # fmt: skip
CONTROLS = {"button", "select", "option", "input", "textarea", "label"}
BLOCKS = {
    "p", "div", "section", "article", "main", "body", "ul", "ol", "li", "dl", "dt", "dd", "blockquote", "figure",
    "table", "pre",
    "h1", "h2", "h3", "h4", "h5", "h6", "header", "footer", "nav", "aside", "form", "details", "summary", "hr",
    "center", "address",
    "tbody", "thead", "tfoot", "tr", "td", "th", "figcaption", "caption", "fieldset", "hgroup",
}  # fmt: skip
MARGINS = {"nav", "aside", "footer", "form", "dialog", "menu"}
CLASSES = {
    "ltx_authors": "front", "ltx_dates": "front", "ltx_classification": "front", "ltx_keywords": "front",
    "ltx_date": "front",
    "ltx_equation": "formula", "ltx_equationgroup": "formula", "ltx_eqn_table": "formula",
    "ltx_listing": "listing", "ltx_verbatim": "listing", "ltx_lstlisting": "listing", "highlight": "listing",
    "ltx_tabular": "table", "ltx_TOC": "margin", "ltx_page_header": "margin", "ltx_page_footer": "margin",
    "ltx_ERROR": "margin",
    "ltx_rdf": "margin", "ltx_pagination": "margin", "package-alerts": "margin", "toc": "margin",
}  # fmt: skip
"""What an element of this class is, whatever its tag."""
HEADING_TITLES = {
    "ltx_title_section", "ltx_title_subsection", "ltx_title_subsubsection", "ltx_title_appendix", "ltx_title_abstract",
    "ltx_title_acknowledgements", "ltx_title_part", "ltx_title_chapter",
}  # fmt: skip
HEADINGS = {"h1", "h2", "h3", "h4"}


def read(data: bytes, limits: Limits, name: str) -> dict[str, Any]:
    """The text of one page.

    Args:
        data: the file's bytes.
        limits: not needed here.
        name: of the file, the title where the page has none.

    Raises:
        UnreadableError: ``not_html``, ``html_damaged``, ``too_deep`` or ``no_text``.
    """
    if data.lstrip()[:5] == b"%PDF-" or b"\0" in data[:1024] or not _DATA_TAG.search(data[:65536]):
        raise UnreadableError("not_html", f"it begins with {data[:16]!r}")
    root = _parse(data)
    if FATAL in "".join(root.itertext()):
        raise UnreadableError("html_damaged", "its conversion to HTML broke off")
    flow = Flow()
    write_page(root, flow)
    title = root.findtext(".//title") or ""
    return flow.layout(" ".join(title.split()) or name.rsplit(".", 1)[0])


def write_page(root: Any, flow: Flow) -> None:
    """Write the text of a parsed page; raises UnreadableError ``too_deep``."""
    page, main = _Page(Styles(root), flow), _main(root)
    for element in _around(main):
        flow.leave("margin", " ".join(t for e in element.iter() if e.tag not in SILENT for t in (e.text, e.tail) if t))
    page.block(main, 0)
    page.flush()


def _parse(data: bytes) -> Any:
    parser = html.HTMLParser(encoding="utf-8", remove_comments=True, remove_pis=True, no_network=True)
    try:
        root = html.document_fromstring(as_text(data).encode(), parser=parser)
    except Exception as error:  # lxml raises ParserError, XMLSyntaxError and AssertionError for pages without content
        raise UnreadableError("not_html", str(error)) from error
    if any("RESOURCE_LIMIT" in entry.type_name or "depth" in entry.message for entry in parser.error_log):
        raise UnreadableError("too_deep", "its elements are nested without end")
    return root


def _main(root: Any) -> Any:
    """The element that the page is about."""
    paper = root.find_class("ltx_document")
    if paper:
        return paper[0]
    body = root.find("body")
    body = root if body is None else body
    whole = len(body.text_content())
    found = [e for tag in ("article", "main") for e in body.iter(tag) if len(e.text_content()) >= MAIN_SHARE * whole]
    return found[0] if found else body


def _around(main: Any) -> Iterator[Any]:
    """What stands on the page beside that."""
    for element in [main, *main.iterancestors()]:
        if element.tag != "body" and element.getparent() is not None:
            yield from (
                e for e in element.getparent() if e is not element and isinstance(e.tag, str) and e.tag not in SILENT
            )


def _classes(element: Any) -> set[str]:
    return set((element.get("class") or "").split())


def _text(element: Any) -> str:
    return " ".join("".join(element.itertext()).split())


class _Page:
    """Walks over a page's elements and writes the document."""

    def __init__(self, styles: Styles, flow: Flow) -> None:
        self.flow = flow
        self._styles = styles
        self._words: list[str] = []
        self._number = ""
        """Of the list's item that begins."""

    def flush(self) -> None:
        """End the paragraph that is being written."""
        text, self._words = "".join(self._words), []
        if text.strip():
            self.flow.paragraph(self._number + text)
            self._number = ""

    def block(self, element: Any, depth: int) -> None:
        """An element's text and children, paragraph by paragraph."""
        if depth > DEEPEST:
            raise UnreadableError("too_deep", "its elements are nested without end")
        self._words.append(element.text or "")
        for child in element:
            self._child(child, depth + 1)
            self._words.append(child.tail or "")

    def _child(self, element: Any, depth: int) -> None:
        tag, classes = element.tag, _classes(element)
        if not isinstance(tag, str) or tag in SILENT or tag in CONTROLS:
            return
        if self._styles.hides(element):
            self.flow.leave("hidden", self._inner(element))
        elif self._is_title(tag, classes):
            self._title(element, tag, classes)
        elif self._apart(element, tag, classes):
            return
        elif tag in BLOCKS or classes & {"ltx_p", "ltx_para"}:
            self.flush()
            self.block(element, depth)
            self.flush()
        else:
            self._inline(element, tag, classes, depth)

    def _is_title(self, tag: str, classes: set[str]) -> bool:
        return tag in {*HEADINGS, "h5", "h6"} or bool(classes & {"ltx_title", "ltx_title_document"})

    def _title(self, element: Any, tag: str, classes: set[str]) -> None:
        self.flush()
        text = self._inner(element)
        if "ltx_title_document" in classes or (tag == "h1" and not self.flow.title and "ltx_title" not in classes):
            self.flow.title = text
        elif classes & HEADING_TITLES or (tag in HEADINGS and "ltx_title" not in classes):
            self.flow.heading(text)
        else:
            self.flow.paragraph(text)  # the head of a paragraph, of a theorem

    def _inner(self, element: Any) -> str:
        """An element's inline text; notes in it are kept apart as everywhere."""
        kept, self._words = self._words, []
        self.block(element, 0)
        text, self._words = "".join(self._words), kept
        return text

    # ------------------------------------------------------------------ what is no body text

    def _apart(self, element: Any, tag: str, classes: set[str]) -> bool:
        """True for what was kept apart, or needs nothing more."""
        if "ltx_bibliography" in classes or element.get("role") == "doc-bibliography":
            self._references(element)
        elif "ltx_note" in classes:
            self._note(element, classes)
        elif tag == "math":
            self._formula(element)
        elif "katex" in classes or "MathJax" in classes:
            formula = element.find(".//math")
            self._words.append(mathml_to_text(formula) if formula is not None else _text(element))
        elif tag == "figure" or classes & {"ltx_figure", "ltx_table", "ltx_float"}:
            self._float(element, classes)
        elif tag == "table" and not classes & set(CLASSES) and self._lays_out(element):
            return False
        elif tag in MARGINS or element.get("role") in ("navigation", "banner", "contentinfo", "search"):
            self._leave("margin", element)
        elif tag in ("code", "samp", "kbd", "tt"):
            return False  # a word of code in a sentence
        elif tag in ("pre", "table") or classes & set(CLASSES):
            known = next((CLASSES[name] for name in CLASSES if name in classes), "")
            self._leave(known or ("listing" if tag == "pre" else "table"), element)
        else:
            return False
        return True

    def _leave(self, kind: str, element: Any) -> None:
        if kind not in ("formula", "margin") or element.tag in BLOCKS:
            self.flush()
        if kind == "table":
            self.flow.leave(kind, self._cells(element), lines=True)
        elif kind == "listing":
            self.flow.leave(kind, _listing(element), lines=True)
        elif kind == "formula":
            self.flow.leave(kind, self._inner_formula(element))
        else:
            self.flow.leave(kind, " ".join(element.itertext()))

    def _references(self, element: Any) -> None:
        self.flush()
        items = element.find_class("ltx_bibitem") or [element]
        for item in items:
            self.flow.leave("references", " ".join(item.itertext()))

    def _note(self, element: Any, classes: set[str]) -> None:
        content = element.find_class("ltx_note_content")
        for mark in [*element.find_class("ltx_note_mark"), *element.find_class("ltx_tag_note")]:
            mark.text = ""
            for child in list(mark):
                mark.remove(child)
        text = self._inner(content[0] if content else element)
        self.flow.leave("footnote" if not classes & {"ltx_role_thanks", "ltx_role_institutetext"} else "front", text)

    def _formula(self, element: Any) -> None:
        if element.get("display") == "block":
            self.flush()
            self.flow.leave("formula", mathml_to_text(element))
        else:
            self._words.append(mathml_to_text(element))

    def _inner_formula(self, element: Any) -> str:
        formulas = [mathml_to_text(math) for math in element.iter("math")]
        number = [_text(tag) for tag in element.find_class("ltx_tag_equation")]
        return " ".join([*formulas, *number]) or _text(element)

    def _float(self, element: Any, classes: set[str]) -> None:
        """A figure or table: its caption, its cells, its words."""
        self.flush()
        for caption in [*element.iter("figcaption"), *element.iter("caption")]:
            self.flow.leave("caption", self._inner(caption))
            caption.getparent().remove(caption)
        for table in [e for e in element.iter("table") if not any(a.tag == "table" for a in e.iterancestors())]:
            self.flow.leave("table", self._cells(table), lines=True)
            table.getparent().remove(table)
        code = next(iter([*element.iter("pre"), *element.find_class("ltx_listing")]), None)
        if code is not None:
            self.flow.leave("listing", _listing(code), lines=True)
        else:
            self.flow.leave("table" if "ltx_table" in classes else "figure", self._inner(element))

    def _lays_out(self, element: Any) -> bool:
        if any(True for tag in ("h1", "h2", "h3") for _ in element.iter(tag)):
            return True
        return any(len(cell.text_content()) > LEAST_LAYOUT_CELL for cell in element.iter("td"))

    def _cells(self, element: Any) -> str:
        rows = [*element.iter("tr")] or element.find_class("ltx_tr")
        lines = []
        for row in rows:
            cells = [c for c in row if c.tag in ("td", "th")] or row.find_class("ltx_td")
            lines.append(" | ".join(" ".join(self._inner(cell).split()) for cell in cells))
        return "\n".join(line for line in lines if line.strip(" |"))

    # ------------------------------------------------------------------------------- inline

    def _inline(self, element: Any, tag: str, classes: set[str], depth: int) -> None:
        if tag == "br":
            self._words.append(" ")
        elif tag == "img":
            return
        elif tag in ("sup", "sub"):
            self._raised(element, tag)
        elif "ltx_tag_item" in classes:
            self._number = "" if _BULLET.fullmatch(_text(element)) else _text(element) + " "
        elif classes & {"ltx_tag"}:
            self._words.append(_text(element) + " ")
        else:
            self.block(element, depth)

    def _raised(self, element: Any, tag: str) -> None:
        """``10<sup>-4</sup>`` as 10^-4; marks of footnotes go."""
        text = " ".join(self._inner(element).split())
        before = "".join(self._words[-3:])
        if tag == "sub" or (_POWER.search(before) and _EXPONENT.fullmatch(text)):
            self._words.append(("_" if tag == "sub" else "^") + text.replace("−", "-"))
        elif not _MARK.fullmatch(text):
            self._words.append(text)


def _listing(element: Any) -> str:
    lines = element.find_class("ltx_listingline")
    if lines:
        return "\n".join("".join(line.itertext()) for line in lines)
    for cut in element.iter("br"):
        cut.tail = "\n" + (cut.tail or "")
    return "".join(element.itertext())
