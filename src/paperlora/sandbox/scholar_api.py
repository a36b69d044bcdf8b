"""Semantic Scholar's Graph API: bulk search with a token, batch by ids, single papers."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from paperlora.records import digest
from paperlora.sandbox.library import Entry, Library, corpus_id, scholar_doi
from paperlora.sandbox.search import parse_scholar

# fmt: off
FIELDS = frozenset({
    "paperId", "corpusId", "externalIds", "url", "title",
    "abstract", "venue", "publicationVenue", "year", "referenceCount",
    "citationCount", "influentialCitationCount", "isOpenAccess", "openAccessPdf", "fieldsOfStudy",
    "s2FieldsOfStudy", "publicationTypes", "publicationDate", "journal", "citationStyles",
    "authors", "tldr",
})
# fmt: on
MOST_BATCH = 500
"""Ids that one batch request may name."""
_LICENCES = {"creativecommons.org/licenses/by/": "CCBY", "creativecommons.org/publicdomain/zero": "CC0"}


class Reply(NamedTuple):
    """An answer of the API."""

    status: int
    body: Any
    """JSON."""


class RequestError(ValueError):
    """Answered with status 400 and an ``error``."""


def bulk(
    library: Library, parameters: Mapping[str, str], base_url: str, page_size: int, *, empty: bool = False, expired: bool = False,
) -> Reply:  # fmt: skip
    """``GET /paper/search/bulk``: one page, and a token while there are more.

    Args:
        expired: every token is refused.
        empty: leave the papers out although ``total`` counts them.
    """
    try:
        fields = _fields(parameters.get("fields", "title"))
        found = _found(library, parameters)
        start = _start(parameters.get("token"), parameters.get("query", ""), expired=expired)
    except RequestError as error:
        return Reply(400, {"error": str(error)})
    page = found[start : start + page_size]
    more = start + page_size < len(found)
    token = _token(start + page_size, parameters.get("query", "")) if more else None
    data = [] if empty else [_paper(entry, fields, base_url) for entry in page]
    return Reply(200, {"total": len(found), "token": token, "data": data})


def batch(library: Library, fields: str, body: Any, base_url: str) -> Reply:
    """``POST /paper/batch``: a paper or null for each id, in the order asked."""
    ids = body.get("ids") if isinstance(body, dict) else None
    if not isinstance(ids, list) or not ids or not all(isinstance(item, str) for item in ids):
        return Reply(400, {"error": "No valid paper ids given"})
    if len(ids) > MOST_BATCH:
        return Reply(400, {"error": f"Up to {MOST_BATCH} paper ids can be given"})
    try:
        wanted = _fields(fields or "title")
    except RequestError as error:
        return Reply(400, {"error": str(error)})
    found = [library.by_scholar_id(item) for item in ids]
    return Reply(200, [_paper(entry, wanted, base_url) if entry else None for entry in found])


def single(library: Library, identifier: str, fields: str, base_url: str) -> Reply:
    """``GET /paper/{id}``."""
    try:
        wanted = _fields(fields or "title")
    except RequestError as error:
        return Reply(400, {"error": str(error)})
    entry = library.by_scholar_id(identifier)
    return Reply(200, _paper(entry, wanted, base_url)) if entry else _not_found(identifier)


def _not_found(identifier: str) -> Reply:
    return Reply(404, {"error": f"Paper with id {identifier} not found"})


def _fields(text: str) -> Sequence[str]:
    names = [name.strip().split(".")[0] for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in FIELDS]
    if unknown:
        raise RequestError(f"Unrecognized or unsupported fields: [{', '.join(unknown)}]")
    return list(dict.fromkeys(["paperId", *names]))


def _found(library: Library, parameters: Mapping[str, str]) -> list[Entry]:
    try:
        score = parse_scholar(parameters.get("query", ""))
    except ValueError as error:
        raise RequestError(f"Malformed query: {error}") from error
    low, high = _dates(parameters.get("publicationDateOrYear") or parameters.get("year") or ":")
    found = [
        entry for entry in library.search(score, source="semantic_scholar")
        if low <= entry.published.date().isoformat() and entry.published.date().isoformat()[: len(high)] <= high
        and (not parameters.get("fieldsOfStudy") or "Computer Science" in parameters["fieldsOfStudy"].split(","))
    ]  # fmt: skip
    return _sorted(found, parameters.get("sort", "paperId:asc"))


def _sorted(found: list[Entry], sort: str) -> list[Entry]:
    name, _, order = sort.partition(":")
    if name not in ("paperId", "publicationDate", "citationCount") or order not in ("", "asc", "desc"):
        raise RequestError(f"Unsupported sort: {sort}")
    key = {"publicationDate": lambda e: e.published.isoformat(), "citationCount": lambda e: 0}.get(
        name, lambda e: e.s2_id
    )
    return sorted(found, key=key, reverse=order == "desc")


def _dates(text: str) -> tuple[str, str]:
    """Bounds of a range such as ``2099-01-05:2099-02``, ``2099-``, ``2098-2099`` or ``2099``; an open end is ``~``."""
    match = re.fullmatch(r"(?P<low>\d{4}(?:-\d{2}){0,2}|)(?::|-(?=\d{4}$|$))(?P<high>[\d-]*)", text)
    parts = (match["low"], match["high"]) if match else (text, text)
    for part in parts:
        if part and not re.fullmatch(r"\d{4}(-\d{2}){0,2}", part):
            raise RequestError(f"Unrecognized date range: {text}")
    return parts[0], parts[1] or "~"


def _token(start: int, query: str) -> str:
    return urlsafe_b64encode(f"{start}:{digest(query)[:16]}".encode()).decode()


def _start(token: str | None, query: str, *, expired: bool) -> int:
    if not token:
        return 0
    try:
        start, mark = urlsafe_b64decode(token.encode()).decode().split(":")
        valid = mark == digest(query)[:16] and start.isdigit()
    except ValueError:
        valid = False
    if expired or not valid:
        raise RequestError("Invalid or expired continuation token")
    return int(start)


def _paper(entry: Entry, fields: Sequence[str], base_url: str) -> dict[str, Any]:
    published: date = entry.published.date()
    licence = next((name for part, name in _LICENCES.items() if part in entry.licence), None)
    whole: dict[str, Any] = {
        "paperId": entry.s2_id, "corpusId": corpus_id(entry), "externalIds": _external_ids(entry),
        "url": f"https://www.semanticscholar.org/paper/{entry.s2_id}", "title": entry.title,
        "abstract": entry.abstract if entry.s2_abstract else None, "venue": "arXiv.org" if entry.arxiv_id else "",
        "publicationVenue": None, "year": published.year, "referenceCount": 0, "citationCount": 0,
        "influentialCitationCount": 0, "isOpenAccess": True,
        "openAccessPdf": {"url": _pdf_url(entry, base_url), "status": "GREEN", "license": licence},
        "fieldsOfStudy": ["Computer Science"],
        "s2FieldsOfStudy": [{"category": "Computer Science", "source": "s2-fos-model"}],
        "publicationTypes": ["JournalArticle"], "publicationDate": published.isoformat(),
        "journal": {"name": "ArXiv", "volume": f"abs/{entry.arxiv_id}"} if entry.arxiv_id else None,
        "citationStyles": {"bibtex": f"@Article{{{entry.s2_id[:8]},\n title = {{{entry.title}}},\n year = {{{published.year}}}\n}}\n"},
        "authors": [{"authorId": str(int(digest(name)[:7], 16)), "name": name} for name in entry.authors], "tldr": None,
    }  # fmt: skip
    return {name: whole[name] for name in fields}


def _external_ids(entry: Entry) -> dict[str, Any]:
    named = {"ArXiv": entry.arxiv_id, "DOI": scholar_doi(entry), "CorpusId": corpus_id(entry)}
    return {name: value for name, value in named.items() if value}


def _pdf_url(entry: Entry, base_url: str) -> str:
    return f"{base_url}/pdf/{entry.arxiv_id}" if entry.arxiv_id else f"{base_url}/reader/{entry.s2_id}.pdf"
