"""Semantic Scholar: bulk search of the Graph API, page by page with a token."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import urlsplit, urlunsplit

import httpx

from paperlora.errors import SourceAnswerInvalid, SourceRefused, SourceUnavailable
from paperlora.literature.found import Found
from paperlora.literature.polite import Pace, Patience, check_status, patiently
from paperlora.records import Paper, Reject, Topic
from paperlora.settings import SemanticScholarSettings, Settings

SOURCE = "Semantic Scholar"
FIELDS = "title,abstract,authors,externalIds,openAccessPdf,publicationDate,year,url"
ARXIV_DOI = "10.48550/arxiv."
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


def search_semantic_scholar(topic: Topic, settings: Settings) -> Found:
    """The papers that a topic's Semantic Scholar query matches, newest first.

    Raises:
        SourceError: the source can't be reached, refuses query or key, or its answers don't fit together.
    """
    taken: list[Any] = []
    total = 0
    with _client(settings) as client:
        for batch in _batches(client, topic, settings.semantic_scholar):
            total = max(total, batch.total)
            taken += batch.items
            if len(taken) >= topic.max_papers:
                break
    parsed = parse_papers(taken[: topic.max_papers], topic.name, settings.arxiv.url)
    return Found(
        parsed.papers, parsed.rejects, asked=min(len(taken), topic.max_papers), beyond=max(total - topic.max_papers, 0)
    )


def _client(settings: Settings) -> httpx.Client:
    own = settings.semantic_scholar
    key = {"x-api-key": own.api_key.get_secret_value()} if own.api_key else {}
    timeout = httpx.Timeout(own.timeout_seconds, connect=min(own.timeout_seconds, 10.0))
    return httpx.Client(headers={"User-Agent": settings.user_agent, **key}, timeout=timeout, follow_redirects=True)


def _batches(client: httpx.Client, topic: Topic, settings: SemanticScholarSettings) -> Iterator[Batch]:
    parameters = {"query": topic.semantic_scholar, "fields": FIELDS, "sort": "publicationDate:desc"}
    if topic.since:
        parameters["publicationDateOrYear"] = f"{topic.since.isoformat()}:"
    url, pace = f"{settings.url.rstrip('/')}/paper/search/bulk", Pace(settings.delay_seconds)
    token: str | None = None
    while True:
        asked = {**parameters, "token": token} if token else parameters
        batch = patiently(partial(_batch, client, url, asked, pace), Patience(settings.delay_seconds))
        yield batch
        token = batch.token
        if not token:
            return


def _batch(client: httpx.Client, url: str, parameters: Mapping[str, str], pace: Pace) -> Batch:
    pace.wait()
    try:
        response = client.get(url, params=dict(parameters))
    except (httpx.RemoteProtocolError, httpx.DecodingError) as error:
        raise SourceAnswerInvalid(f"{SOURCE}'s answer was cut off.") from error
    except httpx.TimeoutException as error:
        raise SourceUnavailable(f"{SOURCE} can't be reached at {url}: no answer in time.") from error
    except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
        raise SourceRefused(f"{url} is no address.", "Correct semantic_scholar.url in the settings.") from error
    except httpx.TransportError as error:
        raise SourceUnavailable(f"{SOURCE} can't be reached at {url}: {error}.") from error
    check_status(SOURCE, response.status_code, response.headers, _error_of(response))
    return parse_batch(response.content, first=not parameters.get("token"))


def _error_of(response: httpx.Response) -> str:
    try:
        body = response.json()
    except ValueError:
        return ""
    return str(body.get("error") or body.get("message") or "")[:200] if isinstance(body, dict) else ""


def parse_batch(content: bytes, *, first: bool = True) -> Batch:
    """A page of a bulk search.

    Args:
        content: the body.
        first: no token was sent.

    Raises:
        SourceAnswerInvalid: no JSON, another shape, or an empty page although there must be papers.
    """
    try:
        body = json.loads(content)
    except ValueError as error:
        raise SourceAnswerInvalid(f"{SOURCE} sends no whole JSON: {error}.") from error
    if not isinstance(body, dict) or not isinstance(body.get("data"), list) or not isinstance(body.get("total"), int):
        raise SourceAnswerInvalid(f"{SOURCE} sends JSON of another shape than a search has.")
    if not body["data"] and (body.get("token") or not first or body["total"] > 0):
        raise SourceAnswerInvalid(f"{SOURCE} sends an empty page, although {body['total']} papers match.")
    return Batch(body["total"], body.get("token") or None, body["data"])


def parse_papers(items: Sequence[Any], topic: str | None = None, arxiv_url: str = "") -> Parsed:
    """Records of the Graph API in ours.

    Args:
        items: objects as in ``data`` of a search or in a batch, where an unknown id gives null.
        topic: whose query found them.
        arxiv_url: address of arXiv's query API, beside which its PDFs are.
    """
    papers: list[Paper] = []
    rejects: list[Reject] = []
    for number, item in enumerate(items):
        if not isinstance(item, dict) or not item.get("paperId") or not (item.get("title") or "").strip():
            named = f"s2:{item['paperId']}" if isinstance(item, dict) and item.get("paperId") else f"s2:record-{number}"
            rejects.append(Reject(stage="ingest", item=named, reason="metadata_incomplete", detail=SOURCE))
            continue
        papers.append(_paper(item, topic, arxiv_url))
    return Parsed(tuple(papers), tuple(rejects))


def _paper(item: Mapping[str, Any], topic: str | None, arxiv_url: str) -> Paper:
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
        topics=(topic,) if topic else (),
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
        parts = urlsplit(arxiv_url)
        return urlunsplit((parts.scheme, parts.netloc, f"/pdf/{ids['arxiv']}", "", ""))
    return (item.get("openAccessPdf") or {}).get("url") or None
