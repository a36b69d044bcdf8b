"""arXiv over OAI-PMH: a whole set, every record with its licence and versions, by the day on which it changed.

The next listing begins with the day of the last one's first answer (days are the finest that arXiv dates by, and its
answers may be older than the moment they come), and knows by memory what of that day was there already. Resumption
tokens are forgotten every midnight; then the listing goes on from the day it had reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from paperlora.errors import SourceAnswerInvalid
from paperlora.literature.asking import ask
from paperlora.literature.cursors import Cursor, mark, name, opened
from paperlora.literature.found import EVER, Page, Window
from paperlora.literature.oai_feed import FORMAT, SOURCE, OaiPage, TokenExpired, read_page
from paperlora.literature.polite import Polite
from paperlora.records import Paper, Reject
from paperlora.settings import Settings

MOST_REMEMBERED = 20_000
"""Records of one day that a cursor remembers; beyond, some are listed twice after an expired token, none is lost."""
EARLIEST = date(1997, 1, 30)
"""Before it the server has no datestamp."""


class OaiCursor(Cursor):
    """A place in a harvest. What is remembered of a record is its day and its mark."""

    since: str = ""
    """Day from which the listing under way, or the next one, asks; empty for the beginning."""
    token: str = ""
    """Asks for the next page of the listing under way."""
    began: str = ""
    """Day of the server's clock when the listing under way began: the next one's ``since``."""
    reached: str = ""
    """Day of the last record."""
    ordered: bool = True
    """The records came by their day so far, as arXiv sends them. Else a restart goes back to the beginning."""
    received: int = 0

    def knows(self, item: Paper | Reject) -> bool:
        """It was listed before, with the same content."""
        said = mark(item)
        return any(said == past.get(name(item), "")[-len(said) :] for past in (self.seen, self.fresh))

    def news(self, rejects: Iterable[Reject]) -> tuple[Reject, ...]:
        """Those that were not reported before."""
        return tuple(reject for reject in rejects if not self.knows(reject))


def pages(query: str, settings: Settings, cursor: str = "", window: Window = EVER) -> Iterator[Page]:
    """A harvest of the set ``query``, see :func:`paperlora.literature.sources.pages`."""
    state = opened(OaiCursor, cursor, query, window)
    restarted = None
    with Polite("oai", settings) as polite:
        while True:
            try:
                answer = _ask(polite, query, settings, state, window)
            except TokenExpired as error:
                if restarted == (state.since, state.reached):
                    raise SourceAnswerInvalid(
                        f"{SOURCE} forgets its tokens before they can be used: {error}."
                    ) from error
                state = _restarted(state)
                restarted = (state.since, state.reached)
                continue
            page, state = _turned(state, answer, window)
            yield page
            if page.last:
                return


def _ask(polite: Polite, query: str, settings: Settings, state: OaiCursor, window: Window) -> OaiPage:
    def read(content: bytes) -> OaiPage:
        page = read_page(content, settings.arxiv.url, resumed=bool(state.token))
        if not page.token and page.total is not None and state.received + page.received < page.total:
            raise SourceAnswerInvalid(
                f"{SOURCE} ends a listing of {page.total} after {state.received + page.received}."
            )
        return page

    return ask(polite, settings.arxiv.oai_url, _parameters(query, state, window), read)


def _parameters(query: str, state: OaiCursor, window: Window) -> dict[str, str]:
    if state.token:
        return {"verb": "ListRecords", "resumptionToken": state.token}
    # No paper changed before it was published.
    opening = max(window.since, EARLIEST).isoformat() if window.since else ""
    first = max(state.since, opening)
    parameters = {"verb": "ListRecords", "metadataPrefix": FORMAT, "set": query, "from": first}
    return {name: value for name, value in parameters.items() if value}


def _restarted(state: OaiCursor) -> OaiCursor:
    """The listing under way, asked for anew from the day it had reached."""
    since = state.reached if state.ordered and state.reached else state.since
    return state.model_copy(
        update={"since": since, "token": "", "received": 0, "seen": state.seen | state.fresh, "fresh": state.fresh}
    )


def _turned(state: OaiCursor, answer: OaiPage, window: Window) -> tuple[Page, OaiCursor]:
    new = tuple(item.paper for item in answer.records if not state.knows(item.paper) and window.holds(item.paper))
    days = [state.reached, *(item.day for item in answer.records)]
    began, reached = state.began or answer.response_day, max(days)
    fresh = _remembered(state.fresh, answer, min(began, reached), reached)
    then = state.model_copy(
        update={
            "token": answer.token, "began": began, "reached": reached, "fresh": fresh,
            "ordered": state.ordered and days == sorted(days), "received": state.received + answer.received,
        }
    )  # fmt: skip
    if not answer.token:
        then = OaiCursor(scope=state.scope, since=max(began, state.since), seen=fresh)
    return Page(
        new, state.news(answer.rejects), answer.received, answer.total, then.text(), last=not answer.token
    ), then


def _remembered(fresh: dict[str, str], answer: OaiPage, floor: str, reached: str) -> dict[str, str]:
    """What was seen of the days from ``floor`` on."""
    told = fresh | {name(item.paper): f"{item.day} {mark(item.paper)}" for item in answer.records}
    told |= {name(reject): f"{reached} {mark(reject)}" for reject in answer.rejects}
    kept = {key: value for key, value in told.items() if value[:10] >= floor}
    return dict(list(kept.items())[-MOST_REMEMBERED:])
