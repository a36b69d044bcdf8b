"""What the sandbox serves: its own papers, or a person's folder of PDFs."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

from paperlora.literature.query import Score, Searched, searchable
from paperlora.sandbox.corpus import PAPERS
from paperlora.sandbox.html_page import render_html
from paperlora.sandbox.latex_source import render_latex
from paperlora.sandbox.paper import Fact, SandboxPaper
from paperlora.sandbox.pdf import render

ARXIV_ID = re.compile(r"(?P<id>\d{4}\.\d{4,5}|[a-z-]+(?:\.[A-Z]{2})?/\d{7})(?:v(?P<version>[1-9]\d*))?")


class Printed(Protocol):
    """Something that makes its own PDF."""

    def pdf_bytes(self) -> bytes:
        """The same bytes each time."""
        ...


@dataclass(frozen=True)
class Entry:
    """One version of one paper as the sources list it."""

    title: str
    abstract: str
    authors: tuple[str, ...]
    published: datetime
    """Time of the first version."""
    updated: datetime
    """Time of this version."""
    pdf: SandboxPaper | Path | Printed
    """What its PDF is made from, or where it lies."""
    arxiv_id: str = ""
    """Without version; empty where only Semantic Scholar has it."""
    version: int = 1
    categories: tuple[str, ...] = ("cs.LG",)
    comment: str = ""
    licence: str = ""
    """URL of the licence; empty when unknown."""
    doi: str = ""
    s2_id: str = ""
    s2_abstract: bool = True
    withdrawn: bool = False
    keywords: str = ""
    """Further text that a query may match."""
    listed: datetime | None = None
    """Time at which the sources first showed this version; None where that was when it was made."""

    @cached_property
    def searched(self) -> Searched:
        """What queries are matched against."""
        return searchable(
            {"ti": self.title, "abs": self.abstract, "au": ", ".join(self.authors), "co": self.comment},
            identifier=self.arxiv_id, categories=self.categories, further=self.keywords,
            dates={"submittedDate": self.published, "lastUpdatedDate": self.updated},
        )  # fmt: skip

    @property
    def stamp(self) -> str:
        """Day on which this version appeared, ISO."""
        return f"{(self.listed or self.updated).astimezone(UTC):%Y-%m-%d}"

    def html_bytes(self) -> bytes | None:
        """arXiv's HTML; None where it has none."""
        shown = isinstance(self.pdf, SandboxPaper) and self.pdf.html and not self.withdrawn
        return render_html(self.pdf) if shown and isinstance(self.pdf, SandboxPaper) else None

    def source_bytes(self) -> bytes | None:
        """What arXiv hands out as the source: an archive, a packed TeX file or the PDF; None where it hands out nothing."""
        if not isinstance(self.pdf, SandboxPaper) or not self.pdf.source or self.withdrawn:
            return None
        return self.pdf_bytes() if self.pdf.source == "pdf" else render_latex(self.pdf)

    def pdf_bytes(self) -> bytes:
        """The PDF, rendered or read."""
        if isinstance(self.pdf, Path):
            return self.pdf.read_bytes()
        return render(self.pdf) if isinstance(self.pdf, SandboxPaper) else self.pdf.pdf_bytes()


class Library:
    """All versions of all papers, with the look-ups that the sources need."""

    def __init__(
        self, entries: Iterable[Entry], facts: Iterable[Fact] = (), deleted: Mapping[str, str] | None = None
    ) -> None:
        self.entries = tuple(entries)
        self.facts = tuple(facts)
        self.deleted = dict(deleted or {})
        """arXiv ids that were removed, with the day."""

    @cached_property
    def today(self) -> str:
        """The day of the newest change, ISO: the sources' clock."""
        return max([*(entry.stamp for entry in self.entries), *self.deleted.values()], default="2099-01-01")

    @property
    def newest(self) -> Iterator[Entry]:
        """The newest version of every paper, in the order of the library."""
        return iter(self._newest)

    @cached_property
    def _newest(self) -> tuple[Entry, ...]:
        best: dict[str, Entry] = {}
        for entry in self.entries:
            name = entry.arxiv_id or entry.s2_id
            if name not in best or best[name].version < entry.version:
                best[name] = entry
        return tuple(best.values())

    def search(self, score: Score, *, source: str) -> list[Entry]:
        """Newest versions that match, best first. ``source``: arxiv, semantic_scholar or openalex, which has all."""
        ids = {"arxiv": lambda entry: entry.arxiv_id, "semantic_scholar": lambda entry: entry.s2_id}
        known = [entry for entry in self.newest if ids.get(source, lambda entry: True)(entry)]
        scored = [(score(entry.searched), entry) for entry in known]
        return [entry for value, entry in sorted(scored, key=lambda pair: -pair[0]) if value > 0]

    def by_arxiv_id(self, arxiv_id: str, version: int | None = None) -> Entry | None:
        """That version, or the newest where none is named."""
        found = [e for e in self._by_arxiv_id.get(arxiv_id, ()) if version in (None, e.version)]
        return max(found, key=lambda entry: entry.version, default=None)

    @cached_property
    def _by_arxiv_id(self) -> dict[str, list[Entry]]:
        versions: dict[str, list[Entry]] = {}
        for entry in self.entries:
            versions.setdefault(entry.arxiv_id, []).append(entry)
        return versions

    def by_scholar_id(self, identifier: str) -> Entry | None:
        """The newest version by any id that Semantic Scholar takes: its own, ``ARXIV:``, ``DOI:``, ``CorpusId:`` or a bare DOI."""
        prefix, colon, rest = identifier.partition(":")
        named = self._scholar_names.get(f"{prefix.lower()}:{rest}") if colon else None
        return named or self._scholar_names.get(identifier)

    @cached_property
    def _scholar_names(self) -> dict[str, Entry]:
        names: dict[str, Entry] = {}
        for entry in self.newest:
            doi, known = scholar_doi(entry), (f"arxiv:{entry.arxiv_id}", f"corpusid:{corpus_id(entry)}")
            for name in (entry.s2_id, doi, f"doi:{doi}", *known) if entry.s2_id else ():
                names.setdefault(name, entry)
        return names


def corpus_id(entry: Entry) -> int:
    """Semantic Scholar's running number of a paper."""
    return int(entry.s2_id[:7], 16) if entry.s2_id else 0


def scholar_doi(entry: Entry) -> str:
    """The DOI that Semantic Scholar shows: the publisher's, else the one arXiv registers for every paper."""
    return entry.doi or (f"10.48550/arXiv.{entry.arxiv_id}" if entry.arxiv_id else "")


def sandbox_library() -> Library:
    """The invented papers, with the facts that are planted in them."""
    entries = [entry_of(paper) for paper in PAPERS]
    return Library(entries, [fact for paper in PAPERS for fact in paper.facts])


def entry_of(paper: SandboxPaper) -> Entry:
    """A paper as the sources list it."""
    return Entry(
        title=paper.title, abstract=paper.abstract, authors=paper.authors, published=paper.published,
        updated=paper.updated, pdf=paper, arxiv_id=paper.arxiv_id, version=paper.version, categories=paper.categories,
        comment=paper.comment, licence=paper.licence, doi=paper.doi, s2_id=paper.s2_id, s2_abstract=paper.s2_abstract,
        withdrawn=paper.withdrawn, keywords=paper.technique,
    )  # fmt: skip


def moment_from(text: str) -> datetime:
    """An ISO date or time; UTC where it names no zone."""
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
