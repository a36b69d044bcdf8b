"""OpenAlex: a search of titles and abstracts, page by page with a cursor, and works by their ids.

Its key is a parameter of the address. It is added at the last moment, :class:`~paperlora.literature.polite.Polite` keeps
it out of messages and caches, and a filter keeps it out of httpx's log of requests.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import Any, NamedTuple

from paperlora.errors import SourceAnswerInvalid
from paperlora.literature.arxiv_feed import pdf_address
from paperlora.literature.asking import ask, json_body
from paperlora.literature.cursors import opened
from paperlora.literature.found import EVER, Page, Window
from paperlora.literature.listing import Days, ListingCursor, Question, Slice, listed
from paperlora.literature.polite import Polite
from paperlora.records import Paper, Reject
from paperlora.settings import Settings

SOURCE = "OpenAlex"
PER_PAGE = 100
"""Works a page, and ids a filter may name."""
FIELDS = (
    "id,doi,display_name,publication_date,publication_year,authorships,abstract_inverted_index,best_oa_location,locations,"
    "is_retracted"
)
_CC = re.compile(r"cc-(?P<kind>by(?:-nc)?(?:-nd|-sa)?)$")
_LICENCES = {
    "cc0": "https://creativecommons.org/publicdomain/zero/1.0/",
    "public-domain": "https://creativecommons.org/publicdomain/mark/1.0/",
}
_ARXIV = re.compile(
    r"(?:arxiv\.org/(?:abs|pdf|html)/|10\.48550/arxiv\.)(?P<id>\d{4}\.\d{4,5}|[a-z-]+(?:\.[a-z]{2})?/\d{7})", re.I
)
_SCHOLAR = re.compile(
    r'\s*(?:(?P<bracket>[()])|(?P<operator>[|+]|-(?=["(\w]))|(?P<phrase>"[^"]*")(?:~\d+)?|(?P<word>[^\s()|+"]+))'
)


class _WithoutKey(logging.Filter):
    """httpx logs every address that it asks for."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(
                _KEY.sub("api_key=…", str(arg)) if "api_key=" in str(arg) else arg for arg in record.args
            )
        return True


_KEY = re.compile(r"api_key=[^&\s]+")
_without_key = _WithoutKey()


class Answer(NamedTuple):
    """A page of works."""

    total: int
    cursor: str
    works: Sequence[Any]


def pages(query: str, settings: Settings, cursor: str = "", window: Window = EVER) -> Iterator[Page]:
    """A search, see :func:`paperlora.literature.sources.pages`."""

    def asked(question: Question) -> Slice:
        parameters = {"filter": _filter(query, question.days), "sort": "publication_date:desc"}
        answer = _ask(polite, settings, parameters | {"cursor": question.token or "*"}, question.received)
        papers, rejects = parse_works(answer.works, settings.arxiv.url)
        ended = question.received + len(answer.works) >= answer.total
        return Slice(papers, rejects, len(answer.works), answer.total, "" if ended else answer.cursor)

    with Polite("openalex", settings) as polite:
        yield from listed(opened(ListingCursor, cursor, query, window), window, asked)


class Works(NamedTuple):
    """Records of a page, and those that make no paper."""

    papers: tuple[Paper, ...]
    rejects: tuple[Reject, ...]


def works_by_id(polite: Polite, ids: Sequence[str], settings: Settings) -> Works:
    """Works by OpenAlex's own ids.

    Args:
        ids: ``W…``, at most :data:`PER_PAGE`; an unknown one is a reject by that name.
    """
    answer = _ask(polite, settings, {"filter": f"ids.openalex:{'|'.join(ids)}", "cursor": "*"}, 0)
    papers, rejects = parse_works(answer.works, settings.arxiv.url)
    known = {paper.external_ids["openalex"] for paper in papers} | {reject.item.partition(":")[2] for reject in rejects}
    unknown = tuple(
        Reject(stage="ingest", item=f"openalex:{identifier}", reason="unknown_at_source", detail=SOURCE)
        for identifier in ids
        if identifier not in known
    )
    return Works(papers, (*rejects, *unknown))


def fallback_query(query: str) -> str:
    """A query in the syntax of Semantic Scholar's bulk search as a search of OpenAlex: ``+ | -`` become words, distances
    after phrases and stars after words are left out (OpenAlex matches by stem)."""
    spelt = {"+": "AND", "|": "OR", "-": "NOT"}
    words: list[str] = []
    for match in _SCHOLAR.finditer(query):
        kind, text = str(match.lastgroup), match[str(match.lastgroup)]
        if kind == "operator" and text == "-" and words and words[-1] not in ("AND", "OR", "("):
            words.append("AND")
        words.append(spelt[text] if kind == "operator" else text.rstrip("*") if kind == "word" else text)
    return " ".join(word for word in words if word).replace("( ", "(").replace(" )", ")")


def _filter(query: str, days: Days) -> str:
    # A comma ends a filter, a bar and an exclamation mark mean something in it.
    words = " ".join(re.sub(r"[,|!:]", " ", query).split())
    parts = {
        "title_and_abstract.search": words if words != "*" else "", "from_publication_date": days.low,
        "to_publication_date": days.high,
    }  # fmt: skip
    return ",".join(f"{name}:{value}" for name, value in parts.items() if value)


def _ask(polite: Polite, settings: Settings, parameters: Mapping[str, str], received: int) -> Answer:
    own = settings.openalex
    logging.getLogger("httpx").addFilter(_without_key)
    key = {"api_key": own.api_key.get_secret_value()} if own.api_key else {}
    asked = (
        {name: value for name, value in parameters.items() if value}
        | {"per_page": str(PER_PAGE), "select": FIELDS}
        | key
    )
    return ask(polite, f"{own.url.rstrip('/')}/works", asked, lambda content: parse_page(content, received))


def parse_page(content: bytes, received: int = 0) -> Answer:
    """A page of works.

    Args:
        received: works of the pages before.

    Raises:
        SourceAnswerInvalid: no JSON, another shape, or the list ends before what it counts has come. A hundredth may be
            missing: works are merged while a listing goes on.
    """
    body = json_body(content, SOURCE)
    meta = body.get("meta") if isinstance(body, dict) else None
    if (
        not isinstance(meta, dict)
        or not isinstance(meta.get("count"), int)
        or not isinstance(body.get("results"), list)
    ):
        raise SourceAnswerInvalid(f"{SOURCE} sends JSON of another shape than a list of works has.")
    total, works, cursor = meta["count"], body["results"], str(meta.get("next_cursor") or "")
    if (not works or not cursor) and received + len(works) < total - total // 100:
        raise SourceAnswerInvalid(f"{SOURCE} ends a list of {total} works after {received + len(works)}.")
    return Answer(total, cursor if works else "", works)


def parse_works(items: Sequence[Any], arxiv_url: str = "") -> Works:
    """OpenAlex's works in our records.

    Args:
        arxiv_url: address of arXiv's query API, beside which its PDFs are.
    """
    papers: list[Paper] = []
    rejects: list[Reject] = []
    for number, item in enumerate(items):
        identifier = str(item.get("id") or "").rpartition("/")[2] if isinstance(item, dict) else ""
        if not identifier or not (item.get("display_name") or "").strip():
            named = f"openalex:{identifier or f'record-{number}'}"
            rejects.append(Reject(stage="ingest", item=named, reason="metadata_incomplete", detail=SOURCE))
            continue
        papers.append(_paper(item, identifier, arxiv_url))
    return Works(tuple(papers), tuple(rejects))


def _paper(item: Mapping[str, Any], identifier: str, arxiv_url: str) -> Paper:
    place = item.get("best_oa_location") or {}
    doi = re.sub(r"^https?://(?:dx\.)?doi\.org/", "", item.get("doi") or "", flags=re.I)
    arxiv_id = _arxiv_id(item, doi)
    ids = {"arxiv": arxiv_id, "doi": doi, "openalex": identifier}
    authors, abstract, published = _authors(item), abstract_of(item.get("abstract_inverted_index")), _published(item)
    return Paper(
        id=f"arxiv:{arxiv_id}" if arxiv_id else f"openalex:{identifier}",
        title=" ".join(item["display_name"].split()), abstract=abstract, authors=authors,
        licence=licence_of(place.get("license")), published=published,
        pdf_url=pdf_address(arxiv_url, arxiv_id) if arxiv_id and arxiv_url else place.get("pdf_url") or None,
        landing_url=place.get("landing_page_url") or (f"https://doi.org/{doi}" if doi else item["id"]),
        external_ids={name: value for name, value in ids.items() if value}, sources=("openalex",),
        withdrawn=bool(item.get("is_retracted")),
        metadata_status="complete" if abstract and authors and published else "partial",
    )  # fmt: skip


def _arxiv_id(item: Mapping[str, Any], doi: str) -> str:
    places = [item.get("best_oa_location"), *(item.get("locations") or ())]
    addresses = [str(place.get(name) or "") for place in places if place for name in ("landing_page_url", "pdf_url")]
    found = next(filter(None, map(_ARXIV.search, [doi, *addresses])), None)
    return found["id"] if found else ""


def _authors(item: Mapping[str, Any]) -> tuple[str, ...]:
    named = (
        (work.get("author") or {}).get("display_name") or work.get("raw_author_name")
        for work in item.get("authorships") or ()
    )
    return tuple(filter(None, named))


def abstract_of(index: Any) -> str:
    """The text of an inverted index: each word with the places where it stands."""
    if not isinstance(index, dict):
        return ""
    placed = [(place, word) for word, places in index.items() for place in places if isinstance(place, int)]
    return " ".join(" ".join(word for _, word in sorted(placed)).split())


def licence_of(name: str | None) -> str | None:
    """OpenAlex's short name as the licence's address; a name without one stays."""
    if name and (found := _CC.match(name)):
        return f"https://creativecommons.org/licenses/{found['kind']}/4.0/"
    return _LICENCES.get(name, name) if name else None


def _published(item: Mapping[str, Any]) -> datetime | None:
    try:
        day = date.fromisoformat(item.get("publication_date") or "")
    except ValueError:
        year = item.get("publication_year")
        if not isinstance(year, int) or not 1000 < year < 10000:
            return None
        day = date(year, 1, 1)
    return datetime.combine(day, time(), UTC)
