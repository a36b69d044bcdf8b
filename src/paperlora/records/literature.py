"""Topic → Paper → Document."""

from __future__ import annotations

from datetime import date, datetime
from typing import Literal

from pydantic import Field

from paperlora.records.base import Record


class Topic(Record):
    """A node of the map of AI that somebody follows."""

    name: str
    """Unique among the topics."""
    angle: str = ""
    """The unusual solution to look for; it goes into the reader's prompt."""
    arxiv: str = ""
    """A query in arXiv's own syntax, empty for none."""
    semantic_scholar: str = ""
    """A query in the syntax of Semantic Scholar's bulk search, empty for none."""
    openalex: str = ""
    """A plain search for OpenAlex (words, "phrases", AND OR NOT), empty for none."""
    priority: int = 0
    """Topics with a higher number are read first."""
    max_papers: int = Field(default=25, ge=1)
    """At most this many papers a run and source; what lies beyond is counted as not taken."""
    since: date | None = None
    """Only papers published on or after this day."""
    until: date | None = None
    """Only papers published on or before this day."""


class Paper(Record):
    """One version of one paper."""

    id: str
    """Canonical and without version: ``arxiv:2405.05904``, ``s2:<40 hex>``, ``openalex:W…``, ``doi:10.…``, ``guide:…``."""
    version: int = Field(default=1, ge=1)
    """arXiv's version number; 1 where the source knows none."""
    title: str
    abstract: str = ""
    """Empty where the source has none (then ``metadata_status`` is partial)."""
    authors: tuple[str, ...] = ()
    licence: str | None = None
    """Licence URL or SPDX name as the source gives it; None when unknown."""
    published: datetime | None = None
    """Time of the first version."""
    updated: datetime | None = None
    """Time of this version."""
    pdf_url: str | None = None
    """Where the full text is fetched; None where no source offers one."""
    landing_url: str | None = None
    """The page a person would open."""
    external_ids: dict[str, str] = Field(default_factory=dict)
    """Ids at other places by source name: arxiv, doi, s2, openalex."""
    sources: tuple[str, ...] = ()
    """Every source that listed it: arxiv, oai, semantic_scholar, openalex, guide."""
    categories: tuple[str, ...] = ()
    """arXiv's categories, the primary one first; empty where the source names none."""
    comment: str = ""
    """What the authors say beside the paper, as arXiv shows it: pages, venue, why it was withdrawn."""
    journal: str = ""
    """Where it appeared, as arXiv shows it."""
    topics: tuple[str, ...] = ()
    """Names of the topics whose query found it."""
    withdrawn: bool = False
    """Its authors took it back."""
    metadata_status: Literal["complete", "partial"] = "complete"
    """Partial when title, abstract, authors or date is missing at the source."""

    @property
    def key(self) -> str:
        """Id with version, as used in edges, manifests and folder names: ``arxiv:2405.05904v2``."""
        return f"{self.id}v{self.version}"


class PageStart(Record):
    """Where a page begins inside a section's text."""

    page: int
    """Counted from 1, as a PDF viewer shows it."""
    start: int
    """Character offset into the section's text."""


class Section(Record):
    """A stretch of body text under one heading."""

    heading: str
    """As printed, with its number; empty for text before the first heading."""
    text: str
    """Paragraphs separated by one blank line; hyphenation mended, columns in reading order."""
    page: int
    """Page on which it begins, from 1."""
    page_starts: tuple[PageStart, ...] = ()
    """One for every page the text runs over, in order."""

    def page_at(self, offset: int) -> int:
        """Page on which the character at ``offset`` of the text stands."""
        page = self.page
        for mark in self.page_starts:
            if mark.start > offset:
                break
            page = mark.page
        return page


LeftOutKind = Literal[
    "references",
    "running_head",
    "page_number",
    "hidden",
    "footnote",
    "caption",
    "table",
    "figure",
    "formula",
    "listing",
    "margin",
    "front",
]


class LeftOut(Record):
    """Text of the paper that is not body text: kept, never taught from."""

    kind: LeftOutKind
    page: int
    text: str


class Origin(Record):
    """Where a document's text was taken from."""

    kind: Literal["html", "latex", "pdf", "guide"]
    """How it was read."""
    url: str = ""
    """Address that it was fetched from; of a guide its file."""
    why: str = ""
    """Why this kind and no other: what was asked before, and what came."""
    licence: str | None = None
    """Of the paper, as the source gave it; None when unknown."""


class Document(Record):
    """The text of one paper as the reader understood it."""

    paper: str
    """Paper key; ``file:<name>`` where a bare file was read."""
    sha256: str
    """Of the bytes that were read."""
    title: str
    sections: tuple[Section, ...]
    left_out: tuple[LeftOut, ...] = ()
    pages: int
    parser: str
    """Name of the reader and of the library under it."""
    parser_version: str
    """Changes whenever the same bytes could give another text; part of every cache key downstream."""
    origin: Origin | None = None
    """Where the text was taken from; None where a bare file was read."""

    @property
    def characters(self) -> int:
        """Length of the body text."""
        return sum(len(section.text) for section in self.sections)
