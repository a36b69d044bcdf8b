"""Query → Paper: all sources behind one door."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from paperlora.literature import arxiv_source, oai_source, openalex_source, scholar_source
from paperlora.literature.found import EVER, Page, SourceName, Window
from paperlora.literature.openalex_source import fallback_query
from paperlora.literature.query import matches
from paperlora.literature.refresh import refresh
from paperlora.settings import Settings

__all__ = ["EVER", "Page", "SourceName", "Window", "fallback_query", "matches", "pages", "refresh"]

_PAGES: dict[SourceName, Callable[[str, Settings, str, Window], Iterator[Page]]] = {
    "arxiv": arxiv_source.pages,
    "oai": oai_source.pages,
    "semantic_scholar": scholar_source.pages,
    "openalex": openalex_source.pages,
}


def pages(
    source: SourceName, query: str, settings: Settings, cursor: str = "", window: Window = EVER
) -> Iterator[Page]:
    """A listing, page by page. Papers come without ``topics``.

    Args:
        query: in the source's own syntax; for ``oai`` a set (``cs``, ``cs:cs:CL``).
        cursor: of the last page that was stored. In mid-listing the source goes on right after that page; after the
            last page of a listing it gives what is new since: other papers, new versions, withdrawals, and records
            that say something else than before. Nothing new is one request and one empty page, as long as what the
            source shows again of the last days fits on a page. A cursor of another query or window begins anew.
        window: days of first publication.

    Raises:
        SourceUnavailable, SourceAnswerInvalid: no page, no new cursor; what came before them stands.
        SourceRefused: the query, the key or the cursor is wrong.
    """
    return _PAGES[source](query, settings, cursor, window)
