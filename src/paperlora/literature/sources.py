"""Topic → Paper: the sources, and one record for each paper that several of them list."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

from paperlora.literature import arxiv_source, oai_source, openalex_source, scholar_source
from paperlora.literature.arxiv_source import search_arxiv
from paperlora.literature.found import EVER, Found, Page, SourceName, Window
from paperlora.literature.openalex_source import fallback_query
from paperlora.literature.query import matches
from paperlora.literature.refresh import refresh
from paperlora.literature.scholar_source import search_semantic_scholar
from paperlora.records import Paper
from paperlora.settings import Settings

__all__ = [
    "EVER", "Found", "Page", "SourceName", "Window", "fallback_query", "matches", "merge", "pages", "refresh",
    "search_arxiv", "search_semantic_scholar",
]  # fmt: skip

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


def merge(found: Iterable[Paper]) -> tuple[Paper, ...]:
    """One record for each paper, in the order of their first appearance.

    Papers are the same by canonical id or DOI. The newest version's record is kept; what it lacks (licence, abstract,
    ids) comes from the others, and sources and topics are united.
    """
    groups: list[list[Paper]] = []
    home: dict[str, int] = {}
    for paper in found:
        names = [paper.id, *(f"doi:{doi.casefold()}" for doi in [paper.external_ids.get("doi")] if doi)]
        known = next((home[name] for name in names if name in home), None)
        if known is None:
            known = len(groups)
            groups.append([])
        groups[known].append(paper)
        home.update(dict.fromkeys(names, known))
    return tuple(_one(group) for group in groups)


def _one(papers: Sequence[Paper]) -> Paper:
    if len(papers) == 1:
        return papers[0]
    # arXiv knows versions and withdrawals; among equals its record leads.
    best = max(papers, key=lambda paper: (paper.version, "arxiv" in paper.sources, len(paper.abstract)))
    whole = [best, *(paper for paper in papers if paper is not best)]
    same = [paper for paper in papers if paper.version == best.version]
    abstract = next((paper.abstract for paper in whole if paper.abstract), "")
    authors = next((paper.authors for paper in whole if paper.authors), ())
    published = min((paper.published for paper in papers if paper.published), default=None)
    return best.model_copy(update={
        "abstract": abstract, "authors": authors, "published": published,
        "licence": next((paper.licence for paper in whole if paper.licence), None),
        "pdf_url": next((paper.pdf_url for paper in whole if paper.pdf_url), None),
        "external_ids": {name: value for paper in reversed(whole) for name, value in paper.external_ids.items()},
        "sources": _united(paper.sources for paper in papers), "topics": _united(paper.topics for paper in papers),
        "withdrawn": any(paper.withdrawn for paper in same),
        "metadata_status": "complete" if abstract and authors and published else "partial",
    })  # fmt: skip


def _united(values: Iterable[Sequence[str]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for several in values for value in several))
