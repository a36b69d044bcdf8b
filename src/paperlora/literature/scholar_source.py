"""Semantic Scholar's Graph API: bulk search, page by page with a token, and batches of papers by their ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from paperlora.errors import SourceAnswerInvalid
from paperlora.literature.arxiv_feed import pdf_address
from paperlora.literature.asking import ask, json_body
from paperlora.literature.cursors import opened
from paperlora.literature.found import EVER, Page, Window
from paperlora.literature.listing import ListingCursor, Question, Slice, listed
from paperlora.literature.polite import Polite
from paperlora.records import Paper, Reject
from paperlora.settings import SemanticScholarSettings, Settings

SOURCE = "Semantic Scholar"
FIELDS = "title,abstract,authors,externalIds,openAccessPdf,publicationDate,year,url"
ARXIV_DOI = "10.48550/arxiv."
MOST_BATCH = 500
"""Ids of one batch."""
_LICENCES = {
    "CCBY": "https://creativecommons.org/licenses/by/4.0/", "CC0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "CCBYSA": "https://creativecommons.org/licenses/by-sa/4.0/", "CCBYNC": "https://creativecommons.org/licenses/by-nc/4.0/",
    "CCBYND": "https://creativecommons.org/licenses/by-nd/4.0/", "CCBYNCSA": "https://creativecommons.org/licenses/by-nc-sa/4.0/",
    "CCBYNCND": "https://creativecommons.org/licenses/by-nc-nd/4.0/",
}  # fmt: skip


class Batch(NamedTuple):
    """One page of a bulk search."""

    total: int
    """Matches, as the source estimates them."""
    token: str | None
    """Asks for the next page; None at the end."""
    items: Sequence[Any]


class Parsed(NamedTuple):
    """Records of a page, and those that make no paper."""

    papers: tuple[Paper, ...]
    rejects: tuple[Reject, ...]


def pages(query: str, settings: Settings, cursor: str = "", window: Window = EVER) -> Iterator[Page]:
    """A bulk search, see :func:`paperlora.literature.sources.pages`."""
    own = settings.semantic_scholar
    url = f"{own.url.rstrip('/')}/paper/search/bulk"

    def asked(question: Question) -> Slice:
        parameters = {"query": query, "fields": FIELDS, "sort": "publicationDate:desc"}
        if any(question.days):
            parameters["publicationDateOrYear"] = ":".join(question.days)
        if question.token:
            parameters["token"] = question.token
        batch = ask(polite, url, parameters, lambda content: _whole(content, question), _key(own))
        parsed = parse_papers(batch.items, settings.arxiv.url)
        return Slice(parsed.papers, parsed.rejects, len(batch.items), batch.total, batch.token or "")

    with Polite("semantic_scholar", settings) as polite:
        yield from listed(opened(ListingCursor, cursor, query, window), window, asked)


def papers_by_id(polite: Polite, ids: Sequence[str], settings: Settings) -> Parsed:
    """Papers by the ids that Semantic Scholar takes (``ARXIV:…``, ``DOI:…``, its own), in the order asked.

    Args:
        ids: at most :data:`MOST_BATCH`; an unknown one is a reject by that name.
    """
    own = settings.semantic_scholar
    url = f"{own.url.rstrip('/')}/paper/batch"

    def read(content: bytes) -> list[Any]:
        items = json_body(content, SOURCE)
        if not isinstance(items, list) or len(items) != len(ids):
            raise SourceAnswerInvalid(f"{SOURCE} sends JSON of another shape than a batch of {len(ids)} has.")
        return items

    items = ask(polite, url, {"fields": FIELDS}, read, _key(own), json={"ids": list(ids)})
    parsed = parse_papers([item for item in items if item is not None], settings.arxiv.url)
    unknown = tuple(
        Reject(stage="ingest", item=f"s2:{identifier}", reason="unknown_at_source", detail=SOURCE)
        for identifier, item in zip(ids, items, strict=True)
        if item is None
    )
    return Parsed(parsed.papers, (*parsed.rejects, *unknown))


def _key(settings: SemanticScholarSettings) -> dict[str, str]:
    return {"x-api-key": settings.api_key.get_secret_value()} if settings.api_key else {}


def _whole(content: bytes, question: Question) -> Batch:
    """A page as it must be in this place of the listing. The total is an estimate: only a listing that ends in less than
    half of it is taken for a broken one."""
    batch = parse_batch(content, first=not question.token, received=question.received)
    received = question.received + len(batch.items)
    if not batch.token and received < batch.total / 2:
        raise SourceAnswerInvalid(f"{SOURCE} ends a listing of about {batch.total} papers after {received}.")
    return batch


def parse_batch(content: bytes, *, first: bool = True, received: int = 0) -> Batch:
    """A page of a bulk search.

    Args:
        content: the body.
        first: no token was sent.
        received: papers of the pages before; when all are there, an empty page is the end.

    Raises:
        SourceAnswerInvalid: no JSON, another shape, or an empty page although there must be papers.
    """
    body = json_body(content, SOURCE)
    if not isinstance(body, dict) or not isinstance(body.get("data"), list) or not isinstance(body.get("total"), int):
        raise SourceAnswerInvalid(f"{SOURCE} sends JSON of another shape than a search has.")
    if not body["data"] and (body.get("token") or body["total"] > received or (not first and not received)):
        raise SourceAnswerInvalid(f"{SOURCE} sends an empty page, although {body['total']} papers match.")
    return Batch(body["total"], body.get("token") or None, body["data"])


def parse_papers(items: Sequence[Any], arxiv_url: str = "") -> Parsed:
    """Records of the Graph API in ours.

    Args:
        items: objects as in ``data`` of a search or in a batch, where an unknown id gives null.
        arxiv_url: address of arXiv's query API, beside which its PDFs are.
    """
    papers: list[Paper] = []
    rejects: list[Reject] = []
    for number, item in enumerate(items):
        if not isinstance(item, dict) or not item.get("paperId") or not (item.get("title") or "").strip():
            named = f"s2:{item['paperId']}" if isinstance(item, dict) and item.get("paperId") else f"s2:record-{number}"
            rejects.append(Reject(stage="ingest", item=named, reason="metadata_incomplete", detail=SOURCE))
            continue
        papers.append(_paper(item, arxiv_url))
    return Parsed(tuple(papers), tuple(rejects))


def _paper(item: Mapping[str, Any], arxiv_url: str) -> Paper:
    ids = _ids(item)
    abstract = " ".join((item.get("abstract") or "").split())
    authors = tuple(author["name"] for author in item.get("authors") or () if author.get("name"))
    published = _published(item)
    licence = (item.get("openAccessPdf") or {}).get("license")
    return Paper(
        id=f"arxiv:{ids['arxiv']}" if "arxiv" in ids else f"s2:{item['paperId']}",
        title=" ".join(item["title"].split()),
        abstract=abstract,
        authors=authors,
        licence=_LICENCES.get(licence, licence) if licence else None,
        published=published,
        pdf_url=_pdf_url(item, ids, arxiv_url),
        landing_url=item.get("url"),
        external_ids=ids,
        sources=("semantic_scholar",),
        metadata_status="complete" if abstract and authors and published else "partial",
    )


def _ids(item: Mapping[str, Any]) -> dict[str, str]:
    external = item.get("externalIds") or {}
    doi = str(external.get("DOI") or "")
    arxiv_id = external.get("ArXiv") or (doi[len(ARXIV_DOI) :] if doi.casefold().startswith(ARXIV_DOI) else None)
    named = {"s2": item["paperId"], "arxiv": arxiv_id, "doi": doi}
    return {name: str(value) for name, value in named.items() if value}


def _published(item: Mapping[str, Any]) -> datetime | None:
    try:
        day = date.fromisoformat(item.get("publicationDate") or "")
    except ValueError:
        year = item.get("year")
        day = date(year, 1, 1) if isinstance(year, int) and 1000 < year < 10000 else None  # type: ignore[assignment]
    return datetime.combine(day, time(), UTC) if day else None


def _pdf_url(item: Mapping[str, Any], ids: Mapping[str, str], arxiv_url: str) -> str | None:
    if "arxiv" in ids and arxiv_url:
        return pdf_address(arxiv_url, ids["arxiv"])
    return (item.get("openAccessPdf") or {}).get("url") or None
