"""arXiv: the ``arxiv`` package for queries and records, on a session that doesn't believe everything.

arxiv.py 4.0.2 knows no time-out and no Retry-After, takes a web page or an empty page for "no results" and a cut-off
feed for a whole one. The session below answers those cases with errors before the package sees them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any, NamedTuple
from urllib.parse import parse_qs, urlsplit

import arxiv
import requests
from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from paperlora.errors import SourceAnswerInvalid, SourceRefused, SourceUnavailable
from paperlora.literature.found import Found
from paperlora.literature.polite import Patience, check_status, patiently
from paperlora.records import Paper, Reject, Topic
from paperlora.settings import ArxivSettings, Settings

SOURCE = "arXiv"
ATOM = "{http://www.w3.org/2005/Atom}"
TOTAL_RESULTS = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
FIRST_DAY = "199101010000"
_ENTRY_ID = re.compile(r"arxiv\.org/abs/(?P<id>.+?)(?:v(?P<version>\d+))?$")
_WITHDRAWN = re.compile(r"\b(?:withdrawn|retracted)\b", re.I)
_WITHDRAWN_ABSTRACT = re.compile(
    r"\s*this (?:paper|article|submission|manuscript|work) (?:has been|is|was) (?:withdrawn|retracted)\b", re.I
)


class FeedFacts(NamedTuple):
    """What a feed says of itself."""

    total: int
    entries: int
    incomplete: tuple[str, ...]
    """Ids of entries without the fields that every record needs; the arxiv package drops them without a word."""


def search_arxiv(topic: Topic, settings: Settings) -> Found:
    """The papers that a topic's arXiv query matches, newest first.

    Raises:
        SourceError: arXiv can't be reached, refuses the query, or its answers don't fit together.
    """
    session = PoliteSession(settings.arxiv, settings.user_agent)
    limit = topic.max_papers
    client = arxiv.Client(min(settings.arxiv.page_size, limit), settings.arxiv.delay_seconds, num_retries=0)
    client.query_url_format = f"{settings.arxiv.url}?{{}}"
    client._session = session
    search = arxiv.Search(query_of(topic), max_results=limit, sort_by=arxiv.SortCriterion.SubmittedDate)
    try:
        results = list(client.results(search))
    except arxiv.ArxivError as error:
        raise SourceAnswerInvalid(f"{SOURCE}: {error}") from error
    _check_count(len(results), session, limit)
    papers = [paper_of(result, topic.name) for result in results]
    kept = [paper for paper in papers if _since(paper, topic.since)]
    rejects = [
        Reject(stage="ingest", item=item, reason="metadata_incomplete", detail=SOURCE) for item in session.incomplete
    ]
    return Found(tuple(kept), tuple(rejects), asked=len(papers) + len(rejects), beyond=max(session.total - limit, 0))


def query_of(topic: Topic) -> str:
    """The topic's query, bounded by its first day."""
    if topic.since is None:
        return topic.arxiv
    return f"({topic.arxiv}) AND submittedDate:[{topic.since:%Y%m%d}0000 TO {datetime.now(UTC).year + 100}12312359]"


def _since(paper: Paper, since: date | None) -> bool:
    return since is None or paper.published is None or paper.published.date() >= since


def _check_count(received: int, session: PoliteSession, limit: int) -> None:
    due = min(session.total, limit)
    if received + len(session.incomplete) < due:
        raise SourceAnswerInvalid(f"{SOURCE} announces {session.total} papers, but sends {received} of the {due} due.")


def parse_feed(content: bytes) -> Iterator[Paper]:
    """Records of a feed as arXiv sends it.

    Raises:
        SourceAnswerInvalid: no whole Atom feed.
        SourceRefused: the feed carries an error.
    """
    check_feed(content)
    for result in arxiv._feed.parse(content).results:
        yield paper_of(result)


def paper_of(result: arxiv.Result, topic: str | None = None) -> Paper:
    """arXiv's record in ours. The query API names no licence."""
    match = _ENTRY_ID.search(result.entry_id)
    if not match:
        raise SourceAnswerInvalid(f"{SOURCE} names a paper by {result.entry_id!r}, which is none of its ids.")
    abstract, authors = " ".join(result.summary.split()), tuple(author.name for author in result.authors)
    withdrawn = bool(_WITHDRAWN.search(result.comment or "") or _WITHDRAWN_ABSTRACT.match(abstract))
    return Paper(
        id=f"arxiv:{match['id']}",
        version=int(match["version"] or 1),
        title=" ".join(result.title.split()),
        abstract=abstract,
        authors=authors,
        published=result.published,
        updated=result.updated,
        pdf_url=result.pdf_url,
        landing_url=f"https://arxiv.org/abs/{match['id']}v{match['version'] or 1}",
        external_ids={"arxiv": match["id"]} | ({"doi": result.doi} if result.doi else {}),
        sources=("arxiv",),
        topics=(topic,) if topic else (),
        categories=tuple(dict.fromkeys([result.primary_category, *result.categories])) if result.primary_category else (),
        comment=" ".join((result.comment or "").split()),
        journal=" ".join((result.journal_ref or "").split()),
        withdrawn=withdrawn,
        metadata_status="complete" if result.title.strip() and abstract and authors else "partial",
    )


def check_feed(content: bytes) -> FeedFacts:
    """What the feed says of itself.

    Raises:
        SourceAnswerInvalid: no whole Atom feed.
        SourceRefused: the feed carries an error.
    """
    try:
        root = fromstring(content)
    except (ParseError, DefusedXmlException) as error:
        raise SourceAnswerInvalid(f"{SOURCE} sends no whole feed: {error}.") from error
    if root.tag != f"{ATOM}feed":
        raise SourceAnswerInvalid(f"{SOURCE} sends a document <{root.tag.rpartition('}')[2]}> where a feed is due.")
    entries = root.findall(f"{ATOM}entry")
    for entry in entries:
        if "/api/errors" in (entry.findtext(f"{ATOM}id") or ""):
            raise SourceRefused(f"{SOURCE} refuses the query: {(entry.findtext(f'{ATOM}summary') or '').strip()}.")
    total = (root.findtext(TOTAL_RESULTS) or "").strip()
    if not total.isdecimal():
        raise SourceAnswerInvalid(f"{SOURCE} sends a feed without totalResults.")
    return FeedFacts(int(total), len(entries), tuple(filter(None, map(_incomplete, entries))))


def _incomplete(entry: Any) -> str | None:
    needed = all((entry.findtext(f"{ATOM}{name}") or "").strip() for name in ("id", "updated", "published"))
    return None if needed else (entry.findtext(f"{ATOM}id") or "arxiv:unnamed").strip()


class PoliteSession(requests.Session):
    """A session that times out, retries what is transient, and passes on only whole feeds.

    Args:
        settings: address, pause and time-out.
        user_agent: what arXiv sees.
    """

    def __init__(self, settings: ArxivSettings, user_agent: str) -> None:
        super().__init__()
        self.total = 0
        """Matches that the last feed announced."""
        self.incomplete: list[str] = []
        """Ids of entries that make no record."""
        self._settings = settings
        self._agent = user_agent

    def get(self, url: str | bytes, **kwargs: Any) -> requests.Response:  # type: ignore[override]
        """A page of results.

        Raises:
            SourceError: after the last attempt.
        """
        return patiently(lambda: self._try(str(url)), Patience(self._settings.delay_seconds))

    def _try(self, url: str) -> requests.Response:
        seconds = self._settings.timeout_seconds
        try:
            response = super().get(url, headers={"User-Agent": self._agent}, timeout=(min(seconds, 10.0), seconds))
        except requests.exceptions.ChunkedEncodingError as error:
            raise SourceAnswerInvalid(f"{SOURCE}'s answer was cut off.") from error
        except (
            requests.exceptions.InvalidURL,
            requests.exceptions.MissingSchema,
            requests.exceptions.InvalidSchema,
        ) as error:
            raise SourceRefused(f"{self._settings.url} is no address.", "Correct arxiv.url in the settings.") from error
        except requests.exceptions.RequestException as error:
            raise SourceUnavailable(f"{SOURCE} can't be reached at {self._settings.url}: {_cause(error)}.") from error
        self._check(response, url)
        return response

    def _check(self, response: requests.Response, url: str) -> None:
        if response.status_code == 400:
            check_feed(response.content)  # names what was wrong with the query
        check_status(SOURCE, response.status_code, response.headers)
        facts = check_feed(response.content)
        asked = {
            name: int(values[0])
            for name, values in parse_qs(urlsplit(url).query).items()
            if name in ("start", "max_results")
        }
        due = min(asked.get("max_results", 10), facts.total - asked.get("start", 0))
        if due > 0 and facts.entries == 0:
            raise SourceAnswerInvalid(f"{SOURCE} sends an empty page, although {facts.total} papers match.")
        self.total = facts.total
        self.incomplete += facts.incomplete


def _cause(error: Exception) -> str:
    if isinstance(error, requests.exceptions.Timeout):
        return "no answer in time"
    return "connection refused" if "refused" in str(error) else type(error).__name__
