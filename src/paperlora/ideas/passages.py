"""The passages of a paper that an LLM is asked about: every section with something to say, in pieces that fit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from paperlora.ideas.drafts import SectionRead
from paperlora.ideas.injection import addresses_reader, shown
from paperlora.ideas.phrases import QUANTITY
from paperlora.records import Document

LONGEST = 6000
"""Characters of one question: about 1,500 tokens, so that prompt, text and answer fit a window of 8,192."""
_SHORTEST = 80
_SKIPPED = re.compile(
    r"\b(?:references|bibliography|acknowledge?ments?|related work|funding|author contributions|ethics|broader "
    r"impact|checklist)\b",
    re.IGNORECASE,
)
WITHHELD = "(withheld)"


class Passage(NamedTuple):
    """One piece of a section as it is shown: without what addresses the reader."""

    section: int
    heading: str
    text: str


class Hidden(NamedTuple):
    """A sentence that addresses the reader."""

    section: int
    text: str


class Chosen(NamedTuple):
    """What is asked about, and what is not."""

    passages: tuple[Passage, ...]
    hidden: tuple[Hidden, ...]
    sections: tuple[SectionRead, ...]
    """One for each section; failures are not known yet."""


def choose(document: Document, most: int | None) -> Chosen:
    """The passages of a document, in its order.

    Args:
        most: sections read, those with the most numbers first; None for all.
    """
    skipped = _skipped(document, most)
    passages: list[Passage] = []
    hidden: list[Hidden] = []
    sections: list[SectionRead] = []
    for index, section in enumerate(document.sections):
        if index in skipped:
            sections.append(SectionRead(0, 0, 0, skipped[index]))
            continue
        seen = shown(section.text)
        heading = WITHHELD if addresses_reader(section.heading) else section.heading
        withheld = [*seen.hidden, *([section.heading] if heading == WITHHELD else [])]
        pieces = [Passage(index, heading, text) for text in _pieces(seen.text, LONGEST)]
        passages += pieces
        hidden += [Hidden(index, text) for text in withheld]
        sections.append(SectionRead(len(pieces), 0, len(withheld)))
    return Chosen(tuple(passages), tuple(hidden), tuple(sections))


def halves(passage: Passage) -> tuple[Passage, ...]:
    """A passage in two pieces between sentences; empty where it is too short to be cut."""
    if len(passage.text) < 2 * _SHORTEST:
        return ()
    pieces = list(_pieces(passage.text, len(passage.text) // 2 + _SHORTEST))
    return tuple(passage._replace(text=text) for text in pieces) if len(pieces) > 1 else ()


def _skipped(document: Document, most: int | None) -> dict[int, str]:
    skipped: dict[int, str] = {}
    for index, section in enumerate(document.sections):
        if _SKIPPED.search(section.heading):
            skipped[index] = "heading"
        elif len(section.text) < _SHORTEST:
            skipped[index] = "short"
    left = [index for index in range(len(document.sections)) if index not in skipped]
    dense = sorted(left, key=lambda index: (-len(re.findall(QUANTITY, document.sections[index].text)), index))
    return skipped | dict.fromkeys(dense[most:] if most is not None else (), "over_max_sections")


def _pieces(text: str, longest: int) -> Iterator[str]:
    """A text in pieces at paragraph borders; a single paragraph that is too long is cut between sentences."""
    piece = ""
    for part in re.split(r"(?<=\n\n)", re.sub(r"[^\S\n]{4,}", " […] ", text)):
        whole = [part] if len(part) <= longest else _cut(part, longest)
        for bit in whole:
            if re.search(r"\w", piece) and len(piece) + len(bit) > longest:
                yield piece.strip()
                piece = ""
            piece += bit
    if re.search(r"\w", piece):
        yield piece.strip()


def _cut(text: str, longest: int) -> list[str]:
    return re.findall(rf"(?s).{{1,{longest}}}(?:(?<=[.!?])\s|\Z)|.{{1,{longest}}}", text)
