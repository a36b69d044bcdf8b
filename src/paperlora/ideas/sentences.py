"""Sentences of scientific English with their exact place in a section's text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from paperlora.records import Document

_PARAGRAPH = re.compile(r"\n\s*\n")
_STOP = re.compile(r"[.!?][\"”’)\]]*(?=\s+[\"“‘(\[]*[A-Z0-9•])")
_EQUATION_NUMBER = re.compile(r"\(\d{1,3}[a-z]?\)(?=\s+[A-Z][a-z])")
"""A displayed formula that runs into the text ends with its number, not with a full stop."""
_ABBREVIATION = re.compile(
    r"\b(?:e\.g|i\.e|al|cf|vs|approx|resp|Fig|Figs|Sec|Secs|Eq|Eqs|Eqn|Eqns|Tab|Ref|Refs|App|Appx|Thm|Alg|No|Dr|Prof|Mr|Ms|St"
    r"|viz|w\.r\.t|a\.k\.a|ca)\.$"
)
LONGEST = 400
"""Characters. A longer "sentence" is a list, a table that escaped, or two sentences whose border was lost."""
_SHORTEST = 20


class Sentence(NamedTuple):
    """``document.sections[section].text[start:end] == text``."""

    section: int
    paragraph: int
    """Counted through the section."""
    start: int
    end: int
    text: str


class Span(NamedTuple):
    """A sentence of a text by its place."""

    paragraph: int
    """Counted through the text."""
    start: int
    end: int


def sentences(document: Document) -> Iterator[Sentence]:
    """Every sentence of the body text, in reading order; scraps and over-long ones are left out."""
    for index, section in enumerate(document.sections):
        for number, (begin, end) in enumerate(_pieces(section.text, _PARAGRAPH, 0, len(section.text))):
            for start, stop in _split(section.text, begin, end):
                text = section.text[start:stop]
                if _SHORTEST <= len(text) <= LONGEST and text[-1] in '.!?"”)]':
                    yield Sentence(index, number, start, stop, text)


def spans(text: str) -> Iterator[Span]:
    """Every sentence of a text by its place, scraps and over-long ones included."""
    for number, (begin, end) in enumerate(_pieces(text, _PARAGRAPH, 0, len(text))):
        yield from (Span(number, start, stop) for start, stop in _split(text, begin, end))


def _pieces(text: str, border: re.Pattern[str], begin: int, end: int) -> Iterator[tuple[int, int]]:
    at = begin
    for match in border.finditer(text, begin, end):
        yield at, match.start()
        at = match.end()
    yield at, end


def _split(text: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    at = begin
    ends = sorted(
        (*_STOP.finditer(text, begin, end), *_EQUATION_NUMBER.finditer(text, begin, end)),
        key=lambda match: match.start(),
    )
    for match in ends:
        if match.re is _EQUATION_NUMBER and "=" not in text[at : match.start()]:
            continue
        if text[match.start()] == "." and _ABBREVIATION.search(text, max(begin, match.start() - 12), match.start() + 1):
            continue
        yield from _trimmed(text, at, match.end())
        at = match.end()
    yield from _trimmed(text, at, end)


def _trimmed(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    if start < end:
        yield start, end
