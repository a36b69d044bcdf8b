"""arXiv's query API: the Atom feed, element by element as arXiv sent it in April 2026."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from xml.sax.saxutils import escape, quoteattr

from paperlora.literature.query import parse
from paperlora.sandbox.library import ARXIV_ID, Entry, Library

MOST_RESULTS = 30_000
"""arXiv refuses to list more for one query."""
SORTS = ("relevance", "lastUpdatedDate", "submittedDate")
_HEAD = """<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns="http://www.w3.org/2005/Atom">
"""


class Feed(NamedTuple):
    """An answer of the API."""

    status: int
    xml: str


class Query(NamedTuple):
    """The parameters of a request, checked."""

    search_query: str
    id_list: str
    start: int
    max_results: int
    sort_by: str
    descending: bool


class QueryError(ValueError):
    """arXiv answers it with status 400 and an entry titled Error."""


def answer(library: Library, parameters: Mapping[str, str], base_url: str, *, empty: bool = False) -> Feed:
    """The feed for a request.

    Args:
        base_url: where PDFs are served, without a slash at the end.
        empty: leave the entries out although ``totalResults`` counts them, as arXiv does on bad days.
    """
    try:
        query = _query(parameters)
        found = _sorted(_matches(library, query), query)
    except QueryError as error:
        return _error(str(error))
    page = [] if empty else found[query.start : query.start + query.max_results]
    return Feed(200, _feed(query, len(found), [_entry(entry, base_url) for entry in page]))


def _query(parameters: Mapping[str, str]) -> Query:
    sort_by = parameters.get("sortBy") or "relevance"
    if sort_by not in SORTS:
        raise QueryError(f"sortBy must be in: {', '.join(SORTS)}")
    order = parameters.get("sortOrder") or "descending"
    if order not in ("ascending", "descending"):
        raise QueryError("sortOrder must be in: ascending, descending")
    start, most = (_count(parameters, name, default) for name, default in (("start", 0), ("max_results", 10)))
    if start + most > MOST_RESULTS:
        raise QueryError(f"start plus max_results must not exceed {MOST_RESULTS}")
    return Query(
        parameters.get("search_query", ""), parameters.get("id_list", ""), start, most, sort_by, order == "descending"
    )


def _count(parameters: Mapping[str, str], name: str, default: int) -> int:
    try:
        value = int(parameters.get(name) or default)
    except ValueError:
        raise QueryError(f"{name} must be an integer") from None
    if value < 0:
        raise QueryError(f"{name} must be non-negative")
    return value


def _matches(library: Library, query: Query) -> Sequence[Entry]:
    listed = [_named(library, name.strip()) for name in query.id_list.split(",") if name.strip()]
    try:
        score = parse(query.search_query)
    except ValueError as error:
        raise QueryError(f"malformed query: {error}") from error
    if query.id_list.strip():
        return [entry for entry in listed if entry and (not query.search_query or score(entry.searched) > 0)]
    return library.search(score, source="arxiv")


def _named(library: Library, name: str) -> Entry | None:
    match = ARXIV_ID.fullmatch(name)
    if not match:
        raise QueryError(f"incorrect id format for {name}")
    return library.by_arxiv_id(match["id"], int(match["version"]) if match["version"] else None)


def _sorted(found: Sequence[Entry], query: Query) -> Sequence[Entry]:
    if query.sort_by == "relevance":
        return found if query.descending else found[::-1]
    by_update = query.sort_by == "lastUpdatedDate"
    return sorted(found, key=lambda e: e.updated if by_update else e.published, reverse=query.descending)


# ------------------------------------------------------------------------- XML


def _feed(query: Query, total: int, entries: Sequence[str]) -> str:
    asked = (
        f"search_query={query.search_query}&id_list={query.id_list}&start={query.start}&max_results={query.max_results}"
    )
    link = (
        f"https://arxiv.org/api/query?search_query={query.search_query}&start={query.start}"
        f"&max_results={query.max_results}&id_list={query.id_list}"
    )
    name = b64encode(hashlib.sha1(asked.encode(), usedforsecurity=False).digest()).decode().rstrip("=")
    lines = [
        f"  <id>https://arxiv.org/api/{name}</id>", f"  <title>arXiv Query: {escape(asked)}</title>",
        f"  <updated>{_time(datetime.now(UTC))}</updated>", f'  <link href={quoteattr(link)} type="application/atom+xml"/>',
        *_opensearch(query.max_results, total, query.start), *entries,
    ]  # fmt: skip
    return _HEAD + "\n".join(lines) + "\n</feed>\n"


def _opensearch(per_page: int, total: int, start: int) -> list[str]:
    values = {"itemsPerPage": per_page, "totalResults": total, "startIndex": start}
    return [f"  <opensearch:{name}>{value}</opensearch:{name}>" for name, value in values.items()]


def _entry(entry: Entry, base_url: str) -> str:
    name = f"{entry.arxiv_id}v{entry.version}"
    lines = [
        f"<id>http://arxiv.org/abs/{name}</id>",
        f"<title>{escape(entry.title)}</title>",
        f"<updated>{_time(entry.updated)}</updated>",
        f'<link href="{base_url}/abs/{name}" rel="alternate" type="text/html"/>',
        f'<link href="{base_url}/pdf/{name}" rel="related" type="application/pdf" title="pdf"/>',
        f"<summary>{escape(entry.abstract)}</summary>",
        *(f'<category term="{term}" scheme="http://arxiv.org/schemas/atom"/>' for term in entry.categories),
        f"<published>{_time(entry.published)}</published>",
        *([f"<arxiv:comment>{escape(entry.comment)}</arxiv:comment>"] if entry.comment else []),
        f'<arxiv:primary_category term="{entry.categories[0]}"/>',
        *(f"<author>\n      <name>{escape(author)}</name>\n    </author>" for author in entry.authors),
        *([f"<arxiv:doi>{escape(entry.doi)}</arxiv:doi>"] if entry.doi else []),
        *([f'<link rel="related" href="https://doi.org/{entry.doi}" title="doi"/>'] if entry.doi else []),
    ]
    return "  <entry>\n" + "\n".join(f"    {line}" for line in lines) + "\n  </entry>"


def _error(message: str) -> Feed:
    address = f"https://arxiv.org/api/errors#{'_'.join(message.split())}"
    now = _time(datetime.now(UTC))
    lines = [
        "  <id>https://arxiv.org/</id>", "  <title>arXiv Search Results</title>", f"  <updated>{now}</updated>",
        *_opensearch(1, 1, 0), "  <entry>", f"    <id>{escape(address)}</id>", "    <title>Error</title>",
        f"    <updated>{now}</updated>", f'    <link href={quoteattr(address)} rel="alternate" type="text/html"/>',
        f"    <summary>{escape(message)}</summary>", "    <author>", "      <name>arXiv api core</name>", "    </author>",
        "  </entry>",
    ]  # fmt: skip
    return Feed(400, _HEAD + "\n".join(lines) + "\n</feed>\n")


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
