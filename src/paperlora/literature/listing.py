"""Listings of sources that go from page to page by a token and sort by the day of publication, newest first.

Such a source shows a paper days or weeks after the day it bears. The next listing therefore asks for everything from
:data:`LOOK_BACK` before the last one began, and tells old from new by memory. A token that the source no longer takes
costs a new request for the days not reached yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

from paperlora.errors import SourceRefused
from paperlora.literature.cursors import Cursor, mark, name
from paperlora.literature.found import Page, Window
from paperlora.records import Paper, Reject

LOOK_BACK = timedelta(days=60)
"""Semantic Scholar and OpenAlex take up most papers within weeks."""


class Days(NamedTuple):
    """Days of publication to ask for, ISO and included; empty for an open end."""

    low: str
    high: str


class Slice(NamedTuple):
    """One page as the source sent it."""

    papers: tuple[Paper, ...]
    rejects: tuple[Reject, ...]
    received: int
    total: int
    token: str
    """Asks for the next page; empty at the end."""


class ListingCursor(Cursor):
    """A place in a listing sorted by the day of publication."""

    floor: str = ""
    """Day from which the listing under way, or the next one, asks; empty for the beginning."""
    began: str = ""
    """Day on which the listing under way began."""
    token: str = ""
    high: str = ""
    """Last day asked for, where a restart narrowed the listing."""
    reached: str = ""
    """Day of publication of the last record."""
    ordered: bool = True
    """Every record so far bore a day, and none was newer than the one before."""
    received: int = 0


class Question(NamedTuple):
    """What to ask for next."""

    days: Days
    token: str
    received: int
    """Records of this listing that came before."""


def listed(state: ListingCursor, window: Window, ask: Callable[[Question], Slice]) -> Iterator[Page]:
    """The pages of a listing.

    Args:
        ask: raises SourceRefused for a token that the source no longer takes.
    """
    restarts: set[str] = set()
    while True:
        try:
            answer = ask(Question(_days(state, window), state.token, state.received))
        except SourceRefused:
            again = _restarted(state)
            if not state.token or again.high in restarts:
                raise
            restarts.add(again.high)
            state = again
            continue
        page, state = _turned(state, answer, window)
        yield page
        if page.last:
            return


def _days(state: ListingCursor, window: Window) -> Days:
    low = max(state.floor, window.since.isoformat() if window.since else "")
    return Days(low, state.high or (window.until.isoformat() if window.until else ""))


def _restarted(state: ListingCursor) -> ListingCursor:
    """Everything newer than the day reached was listed; of that day itself the cursor knows what was."""
    high = state.reached if state.ordered and state.reached else state.high
    return state.model_copy(update={"token": "", "high": high, "received": 0})


def _turned(state: ListingCursor, answer: Slice, window: Window) -> tuple[Page, ListingCursor]:
    new = tuple(paper for paper in answer.papers if not state.knows(paper) and window.holds(paper))
    rejects = state.news(answer.rejects)
    began = state.began or f"{datetime.now(UTC):%Y-%m-%d}"
    floor = _floor(began, window)
    fresh = _remembered(state, answer, floor)
    days = [*filter(None, [state.reached]), *map(_day, answer.papers)]
    then = state.model_copy(
        update={
            "began": began, "fresh": fresh, "token": answer.token, "received": state.received + answer.received,
            "reached": days[-1] if days else "",
            "ordered": state.ordered and all(days) and days == sorted(days, reverse=True),
        }
    )  # fmt: skip
    last = not answer.token
    if last:
        then = ListingCursor(scope=state.scope, floor=floor, seen=fresh)
    elif not new and not rejects and _same_as_before(state, answer, began):
        last, then = True, ListingCursor(scope=state.scope, floor=state.floor, seen=state.seen)
    return Page(new, rejects, answer.received, answer.total, then.text(), last=last), then


def _remembered(state: ListingCursor, answer: Slice, floor: str) -> dict[str, str]:
    """What the next listing will be sent again: all from its first day on, and what comes although its day lies before
    the first one asked for (sources date some papers by the year alone)."""
    sent_again = (p for p in answer.papers if not _day(p) or _day(p) >= floor or _day(p) < state.floor)
    told: list[Paper | Reject] = [*sent_again, *answer.rejects]
    return state.fresh | {name(item): mark(item) for item in told}


def _same_as_before(state: ListingCursor, answer: Slice, began: str) -> bool:
    """A first page without news and as many records as before: the rest need not be asked for, but once a week it is."""
    if not state.floor or state.received or answer.total != len(state.seen):
        return False
    return date.fromisoformat(began) - date.fromisoformat(state.floor) - LOOK_BACK < timedelta(days=7)


def _floor(began: str, window: Window) -> str:
    latest = min(date.fromisoformat(began), window.until or date.max)
    return (latest - LOOK_BACK).isoformat()


def _day(paper: Paper) -> str:
    return paper.published.date().isoformat() if paper.published else ""
