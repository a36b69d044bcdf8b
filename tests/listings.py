"""What the tests of sources share: a sandbox of one's own, and whole listings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import SecretStr

from paperlora.literature.sources import EVER, Page, SourceName, Window, pages
from paperlora.records import Paper
from paperlora.sandbox.corpus import PAPERS
from paperlora.sandbox.library import Entry, entry_of
from paperlora.sandbox.server import Sandbox
from paperlora.settings import Settings

KEY = "a-key-that-nobody-may-see"
ROUTES: dict[SourceName, str] = {
    "arxiv": "arxiv.query", "oai": "oai", "semantic_scholar": "s2.bulk", "openalex": "openalex",
}  # fmt: skip
EVERYTHING: dict[SourceName, str] = {"arxiv": "all:*", "oai": "cs", "semantic_scholar": "*", "openalex": "*"}
"""The query by which a source lists all it has."""


class Listing(NamedTuple):
    """All pages of one listing."""

    pages: tuple[Page, ...]

    @property
    def keys(self) -> list[str]:
        return [paper.key for page in self.pages for paper in page.papers]

    @property
    def papers(self) -> dict[str, Paper]:
        return {paper.id: paper for page in self.pages for paper in page.papers}

    @property
    def cursor(self) -> str:
        return self.pages[-1].cursor


def renewed(sandbox: Sandbox) -> Sandbox:
    """A running sandbox as it was at first."""
    sandbox.heal()
    sandbox.restock()
    sandbox.counts.clear()
    sandbox.requests.clear()
    return sandbox


def settings_for(sandbox: Sandbox, home: Path, page_size: int = 4, **arxiv: Any) -> Settings:
    """Settings that know every source of the sandbox, without a pause."""
    return Settings(
        home=home,
        arxiv={"url": sandbox.arxiv_url, "oai_url": sandbox.oai_url, "delay_seconds": 0, "timeout_seconds": 30, "page_size": page_size, **arxiv},
        semantic_scholar={"url": sandbox.semantic_scholar_url, "delay_seconds": 0, "timeout_seconds": 30},
        openalex={"url": sandbox.openalex_url, "api_key": SecretStr(KEY), "delay_seconds": 0, "timeout_seconds": 30},
    )  # fmt: skip


def listing(
    source: SourceName, settings: Settings, cursor: str = "", window: Window = EVER, query: str = ""
) -> Listing:
    """A whole listing of a source."""
    return Listing(tuple(pages(source, query or EVERYTHING[source], settings, cursor, window)))


def some(source: SourceName, settings: Settings, number: int, cursor: str = "", query: str = "") -> Listing:
    """The first pages of a listing, which then is broken off."""
    under_way = pages(source, query or EVERYTHING[source], settings, cursor)
    taken = Listing(tuple(page for page, _ in zip(under_way, range(number), strict=False)))
    under_way.close()  # type: ignore[attr-defined]
    return taken


def invented(number: int, published: str, **changes: Any) -> Entry:
    """One more paper that every source has."""
    first = entry_of(PAPERS[0])
    day = first.published.fromisoformat(f"{published}T12:00:00+00:00")
    return replace(
        first, title=f"Tidal Paper {number}", arxiv_id=f"9903.{number:05d}", s2_id=f"{number:040x}", version=1,
        published=day, updated=day, doi="", **changes,
    )  # fmt: skip
