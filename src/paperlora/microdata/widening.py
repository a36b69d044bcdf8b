"""More of a document around a quote: what a reader may need to understand it.

A wider passage is a quote like any other: verbatim, with its span in the section. A quote that isn't found under its
heading stays as it is, for then no span could be stated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from paperlora.records import Quote

LONGEST = 160
"""Words of a passage: a small base finds nothing in longer ones, and a prompt is paid by its tokens."""
_GAP = re.compile(r"(?<=[.!?])[\"')\]]*\s+(?=[\"'(\[]?[A-Z0-9])")


class Wider(NamedTuple):
    """A passage in place of a quote."""

    quote: Quote
    how: str
    """What was added, for people."""


def wider(quote: Quote, text: str) -> Iterator[Wider]:
    """The quote with the sentences before and after it, then its whole paragraph, as far as these say more.

    Args:
        quote: a verbatim span.
        text: of the whole document: sections one after another, each a heading, a line break and paragraphs that one
            blank line separates.
    """
    start = _section_start(quote, text)
    if start is None:
        return
    at = start + quote.start
    own = found = _Span(at, at + len(quote.text))
    paragraph = _paragraph(own, start, text)
    around = _neighbours(own, paragraph, text)
    for span, how in ((around, "with the sentences before and after it"), (paragraph, "with its whole paragraph")):
        if span != found and len(text[span.start : span.end].split()) <= LONGEST:
            found = span
            yield Wider(_cut(quote, span, start, text), how)


class _Span(NamedTuple):
    start: int
    end: int


def _section_start(quote: Quote, text: str) -> int | None:
    """Where the quote's section begins in the text of the document."""
    at = text.find(quote.text)
    while at >= 0:
        start = at - quote.start
        if start >= 0 and text[:start].endswith(f"{quote.heading}\n"):
            return start
        at = text.find(quote.text, at + 1)
    return None


def _paragraph(own: _Span, start: int, text: str) -> _Span:
    first, last = text.rfind("\n\n", start, own.start), text.find("\n\n", own.end)
    return _Span(start if first < 0 else first + 2, len(text) if last < 0 else last)


def _neighbours(own: _Span, paragraph: _Span, text: str) -> _Span:
    """From the beginning of the sentence before to the end of the sentence after, within the paragraph."""
    gaps = list(_GAP.finditer(text, paragraph.start, paragraph.end))
    before = [edge for edge in (paragraph.start, *(gap.end() for gap in gaps)) if edge <= own.start]
    after = [edge for edge in (*(gap.start() for gap in gaps), paragraph.end) if edge >= own.end]
    return _Span(before[-2] if len(before) > 1 else before[-1], after[min(1, len(after) - 1)])


def _cut(quote: Quote, span: _Span, start: int, text: str) -> Quote:
    said = text[span.start : span.end]
    left, right = len(said) - len(said.lstrip()), len(said.rstrip())
    begin = span.start - start + left
    return quote.model_copy(update={"start": begin, "end": begin + right - left, "text": said.strip()})
