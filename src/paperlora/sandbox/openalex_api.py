"""OpenAlex's ``/works``: search, filters, a cursor from page to page, and its key."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from paperlora.records import digest
from paperlora.sandbox.library import Entry, Library, scholar_doi
from paperlora.sandbox.search import parse_openalex

MOST_PER_PAGE = 100
FILTERS = (
    "title_and_abstract.search",
    "default.search",
    "from_publication_date",
    "to_publication_date",
    "ids.openalex",
    "doi",
)
_LICENCES = {f"{kind}/": f"cc-{kind}" for kind in ("by", "by-sa", "by-nc", "by-nd", "by-nc-nd", "by-nc-sa")}


class Reply(NamedTuple):
    """An answer of the API."""

    status: int
    body: Any
    """JSON."""


class RequestError(ValueError):
    """Answered with an ``error`` and a ``message``."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def works(
    library: Library,
    parameters: Mapping[str, str],
    base_url: str,
    *,
    wrong_key: str,
    expired: bool = False,
    empty: bool = False,
) -> Reply:
    """``GET /works``.

    Args:
        wrong_key: the key that is refused; a cursor needs some key.
        expired: every cursor but the first is refused.
        empty: leave the works out although ``count`` counts them.
    """
    try:
        _check_key(parameters, wrong_key)
        found = _found(library, parameters)
        per_page = _per_page(parameters)
        start = _start(parameters, expired=expired)
        fields = [name.strip() for name in parameters.get("select", "").split(",") if name.strip()]
        page = [] if empty else [_work(entry, base_url, fields) for entry in found[start : start + per_page]]
    except RequestError as error:
        return Reply(error.status, {"error": "Invalid query parameters error.", "message": str(error)})
    more = start + per_page < len(found)
    cursor = _cursor(start + per_page, parameters) if "cursor" in parameters and more else None
    meta = {"count": len(found), "db_response_time_ms": 12, "page": None, "per_page": per_page, "next_cursor": cursor}
    return Reply(200, {"meta": meta, "results": page, "group_by": []})


def work_id(entry: Entry) -> str:
    """OpenAlex's own id of a paper."""
    return f"W{int(digest('openalex', entry.arxiv_id or entry.s2_id)[:8], 16)}"


def _check_key(parameters: Mapping[str, str], wrong_key: str) -> None:
    key = parameters.get("api_key", "")
    if key == wrong_key:
        raise RequestError("The API key is not valid", 401)
    if not key and "cursor" in parameters:
        raise RequestError("Cursor paging needs an API key", 401)


def _per_page(parameters: Mapping[str, str]) -> int:
    text = parameters.get("per_page") or parameters.get("per-page") or "25"
    if not text.isdigit() or not 1 <= int(text) <= MOST_PER_PAGE:
        raise RequestError(f"per-page parameter must be between 1 and {MOST_PER_PAGE}")
    return int(text)


def _found(library: Library, parameters: Mapping[str, str]) -> list[Entry]:
    filters = _filters(parameters.get("filter", ""))
    words = parameters.get("search") or filters.get("title_and_abstract.search") or filters.get("default.search") or ""
    try:
        score = parse_openalex(words)
    except ValueError as error:
        raise RequestError(f"Invalid search: {error}") from error
    low, high = filters.get("from_publication_date", ""), filters.get("to_publication_date", "~")
    ids = {name.rpartition("/")[2] for name in filters.get("ids.openalex", "").split("|") if name}
    dois = {name.removeprefix("https://doi.org/").lower() for name in filters.get("doi", "").split("|") if name}
    found = [
        entry for entry in library.search(score, source="openalex")
        if low <= f"{entry.published:%Y-%m-%d}" <= high and (not ids or work_id(entry) in ids)
        and (not dois or scholar_doi(entry).lower() in dois)
    ]  # fmt: skip
    return _sorted(found, parameters.get("sort", ""))


def _filters(text: str) -> dict[str, str]:
    parts = dict(part.partition(":")[::2] for part in text.split(",") if part)
    if unknown := set(parts) - set(FILTERS):
        raise RequestError(f"{', '.join(sorted(unknown))} is not a valid filter")
    return parts


def _sorted(found: list[Entry], sort: str) -> list[Entry]:
    name, _, order = sort.partition(":")
    if name not in ("", "publication_date") or order not in ("", "asc", "desc"):
        raise RequestError(f"{name} is not a valid sort")
    return sorted(found, key=lambda e: e.published, reverse=order == "desc") if name else found


def _cursor(start: int, parameters: Mapping[str, str]) -> str:
    mark = digest(parameters.get("filter", ""), parameters.get("search", ""))[:12]
    return urlsafe_b64encode(f"{start}:{mark}".encode()).decode()


def _start(parameters: Mapping[str, str], *, expired: bool) -> int:
    cursor = parameters.get("cursor", "*")
    if cursor == "*":
        return 0
    try:
        start = urlsafe_b64decode(cursor.encode()).decode().partition(":")[0]
        valid = start.isdigit() and cursor == _cursor(int(start), parameters)
    except ValueError:
        valid = False
    if expired or not valid:
        raise RequestError("Cursor is not valid")
    return int(start)


def _work(entry: Entry, base_url: str, fields: Sequence[str]) -> dict[str, Any]:
    doi, day = scholar_doi(entry), f"{entry.published:%Y-%m-%d}"
    place = _place(entry, base_url)
    whole: dict[str, Any] = {
        "id": f"https://openalex.org/{work_id(entry)}", "doi": f"https://doi.org/{doi.lower()}" if doi else None,
        "title": entry.title, "display_name": entry.title, "publication_year": entry.published.year,
        "publication_date": day, "language": "en", "type": "preprint" if entry.arxiv_id else "article",
        "ids": {"openalex": f"https://openalex.org/{work_id(entry)}"} | ({"doi": f"https://doi.org/{doi.lower()}"} if doi else {}),
        "indexed_in": ["arxiv"] if entry.arxiv_id else ["crossref"],
        "authorships": [
            {
                "author_position": "first" if number == 0 else "middle", "raw_author_name": name,
                "author": {"id": f"https://openalex.org/A{int(digest(name)[:8], 16)}", "display_name": name, "orcid": None},
            }
            for number, name in enumerate(entry.authors)
        ],
        "abstract_inverted_index": _inverted(entry.abstract) if entry.s2_abstract else None,
        "best_oa_location": place, "primary_location": place, "locations": [place], "is_retracted": False,
        "open_access": {"is_oa": True, "oa_status": "green", "oa_url": place["pdf_url"]}, "cited_by_count": 0,
    }  # fmt: skip
    if unknown := [name for name in fields if name not in whole]:
        raise RequestError(f"{', '.join(unknown)} is not a valid select field")
    return {name: value for name, value in whole.items() if not fields or name in fields}


def _place(entry: Entry, base_url: str) -> dict[str, Any]:
    licence = re.search(r"creativecommons\.org/licenses/(?P<kind>[a-z-]+/)", entry.licence)
    on_arxiv = bool(entry.arxiv_id)
    return {
        "is_oa": True, "version": "submittedVersion", "license": _LICENCES.get(licence["kind"]) if licence else None,
        "landing_page_url": f"http://arxiv.org/abs/{entry.arxiv_id}" if on_arxiv else f"{base_url}/reader/{entry.s2_id}",
        "pdf_url": f"https://arxiv.org/pdf/{entry.arxiv_id}" if on_arxiv else f"{base_url}/reader/{entry.s2_id}.pdf",
        "source": {"display_name": "arXiv (Cornell University)" if on_arxiv else "Sandbox Letters", "type": "repository"},
    }  # fmt: skip


def _inverted(text: str) -> dict[str, list[int]]:
    index: dict[str, list[int]] = {}
    for place, word in enumerate(text.split()):
        index.setdefault(word, []).append(place)
    return index
