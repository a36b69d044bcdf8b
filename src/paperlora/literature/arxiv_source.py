"""arXiv's query API: listings by the day of the last change, and papers by their ids.

A listing is sorted by lastUpdatedDate, newest first. What changes while it is under way moves to its top, so that a
place in it only ever shifts away from what was listed: nothing is skipped, and what is listed twice is known. arXiv
shows a paper days after the date it bears (moderation), so that the next listing goes back :data:`LOOK_BACK` behind the
newest date seen, and tells old from new by memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from paperlora.errors import SourceRefused
from paperlora.literature.arxiv_feed import SOURCE, Feed, check_feed, read_feed
from paperlora.literature.asking import ask
from paperlora.literature.cursors import Cursor, mark, name, opened
from paperlora.literature.found import EVER, Page, Window
from paperlora.literature.polite import Polite
from paperlora.records import Paper
from paperlora.settings import Settings

LOOK_BACK = timedelta(days=7)
"""Held submissions are announced within days; a longer hold is seen by a harvest over OAI-PMH alone."""
MOST_A_QUERY = 30_000
"""Entries that arXiv lists for one query; a larger listing is split by the day of submission."""
MOST_A_PAGE = 2000
"""Entries of one request."""
FIRST_DAY = date(1991, 1, 1)


class Span(NamedTuple):
    """Days of submission, both included; empty for an open end."""

    low: str
    high: str


class ArxivCursor(Cursor):
    """A place in a listing sorted by the last change."""

    floor: datetime | None = None
    """What changed before was listed; None in a first listing."""
    newest: datetime | None = None
    """Newest change, as the first page of the listing under way had it."""
    spans: tuple[Span, ...] = ()
    """Still to list, the one under way first."""
    start: int = 0
    total: int = 0


def pages(query: str, settings: Settings, cursor: str = "", window: Window = EVER) -> Iterator[Page]:
    """A listing, see :func:`paperlora.literature.sources.pages`."""
    state = opened(ArxivCursor, cursor, query, window)
    with Polite("arxiv", settings) as polite:
        while True:
            state = state if state.spans else _begun(state, window)
            feed = ask_feed(polite, settings, _parameters(query, state, settings.arxiv.page_size))
            if smaller := _smaller(state, feed):
                state = smaller
                continue
            page, state = _turned(state, feed, window)
            yield page
            if page.last:
                return


def ask_feed(polite: Polite, settings: Settings, parameters: dict[str, str]) -> Feed:
    """A page of arXiv's answer, which must be as long as its total promises."""
    start, most = int(parameters["start"]), int(parameters["max_results"])

    def read(content: bytes) -> Feed:
        return read_feed(content, max(min(most, check_feed(content).total - start), 0))

    return ask(polite, settings.arxiv.url, parameters, read)


def _begun(state: ArxivCursor, window: Window) -> ArxivCursor:
    span = Span(f"{window.since:%Y%m%d}" if window.since else "", f"{window.until:%Y%m%d}" if window.until else "")
    return state.model_copy(update={"spans": (span,), "start": 0, "total": 0, "newest": None, "fresh": {}})


def _parameters(query: str, state: ArxivCursor, page_size: int) -> dict[str, str]:
    # One request is enough for a night without news: it holds all that is known and one entry more.
    size = max(page_size, len(state.seen) + 1) if state.floor else page_size
    span = state.spans[0]
    asked = query
    if span.low or span.high:
        low, high = span.low or f"{FIRST_DAY:%Y%m%d}", span.high or f"{datetime.now(UTC).year + 100}1231"
        days = f"submittedDate:[{low}0000 TO {high}2359]"
        asked = f"({query}) AND {days}" if query else days
    return {
        "search_query": asked, "start": str(state.start), "max_results": str(min(size, MOST_A_PAGE, MOST_A_QUERY - state.start)),
        "sortBy": "lastUpdatedDate", "sortOrder": "descending",
    }  # fmt: skip


def _smaller(state: ArxivCursor, feed: Feed) -> ArxivCursor | None:
    """The step to make instead of taking the page: the span is split, or a place that shifted is sought again."""
    if feed.total > MOST_A_QUERY and (state.floor is None or state.start + feed.received >= MOST_A_QUERY):
        return _split(state, feed)
    if state.start and feed.total < state.total:
        # Papers left the listing, perhaps before this place: what stood here may have moved up by as many.
        return state.model_copy(update={"start": max(state.start - (state.total - feed.total), 0), "total": feed.total})
    return None


def _split(state: ArxivCursor, feed: Feed) -> ArxivCursor:
    span = state.spans[0]
    newest = _newest(state, feed) or datetime.now(UTC)
    low = datetime.strptime(span.low, "%Y%m%d").date() if span.low else FIRST_DAY
    high = datetime.strptime(span.high, "%Y%m%d").date() if span.high else newest.date()
    if low >= high:
        raise SourceRefused(
            f"{SOURCE} has {feed.total} papers of {low} for this query, more than it lists.", "Narrow the query."
        )
    middle = low + (high - low) / 2
    # The open end stays open: what is submitted meanwhile belongs to the newer half.
    halves = (Span(f"{middle + timedelta(days=1):%Y%m%d}", span.high), Span(span.low, f"{middle:%Y%m%d}"))
    return state.model_copy(update={"spans": (*halves, *state.spans[1:]), "start": 0, "total": 0, "newest": newest})


def _turned(state: ArxivCursor, feed: Feed, window: Window) -> tuple[Page, ArxivCursor]:
    newest = _newest(state, feed)
    floor = max(filter(None, [newest and newest - LOOK_BACK, state.floor]), default=None)
    new = [p for p in feed.papers if not _listed(state, p) and window.holds(p)]
    fresh = state.fresh | {name(p): mark(p) for p in feed.papers if floor is None or (p.updated or floor) >= floor}
    fresh |= {name(reject): mark(reject) for reject in feed.rejects}
    start = state.start + feed.received
    ended = start >= feed.total or (state.floor is not None and any(_older(p, state.floor) for p in feed.papers))
    spans = state.spans[1:] if ended else state.spans
    then = state.model_copy(
        update={"newest": newest, "fresh": fresh, "spans": spans, "start": 0 if ended else start, "total": 0 if ended else feed.total}
    )  # fmt: skip
    if not spans:
        then = ArxivCursor(scope=state.scope, seen=fresh, floor=floor)
    return Page(tuple(new), state.news(feed.rejects), feed.received, feed.total, then.text(), last=not spans), then


def _newest(state: ArxivCursor, feed: Feed) -> datetime | None:
    return state.newest or max((paper.updated for paper in feed.papers if paper.updated), default=None)


def _listed(state: ArxivCursor, paper: Paper) -> bool:
    return state.knows(paper) or (state.floor is not None and _older(paper, state.floor))


def _older(paper: Paper, floor: datetime) -> bool:
    return paper.updated is not None and paper.updated < floor
