"""How far the reading of a paper reached: section by section, what was read, proposed and kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from paperlora.ideas.drafts import Drafts, SectionRead
from paperlora.records import Document, Idea
from paperlora.records.base import Record


class SectionCoverage(Record):
    """One section of one paper."""

    section: int
    """Index into ``Document.sections``."""
    heading: str
    page: int
    characters: int
    passages: int
    """Pieces that an LLM was asked about; 0 for the extractive reader, which reads sentences."""
    failed: int
    """Passages without a usable answer; each is a reject."""
    hidden: int
    """Sentences that address the reader and were kept from it."""
    skipped: str
    """Why it was not read: ``heading``, ``short``, ``over_max_sections``; empty where it was."""
    proposed: int
    """Drafts that the reader took from it."""
    ideas: int
    """Ideas whose first evidence stands in it."""


def coverage(document: Document, read: Drafts, ideas: Sequence[Idea]) -> tuple[SectionCoverage, ...]:
    """One line for each section, in the order of the paper."""
    proposed = Counter(draft.section for draft in read.drafts)
    kept = Counter(idea.quotes[0].section for idea in ideas)
    sections = read.sections or (SectionRead(0, 0, 0),) * len(document.sections)
    return tuple(
        SectionCoverage(
            section=number,
            heading=section.heading,
            page=section.page,
            characters=len(section.text),
            proposed=proposed[number],
            ideas=kept[number],
            **seen._asdict(),
        )
        for number, (section, seen) in enumerate(zip(document.sections, sections, strict=True))
    )
