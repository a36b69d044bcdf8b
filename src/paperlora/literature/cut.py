"""Listings that are not read to their end: where the next one goes on all the same.

A first run wants a topic's newest papers, not thirty years of them. But the next run looks again at the days that a
source may still add to, and must know what stood there. So a first listing may be cut once it has passed those days.
"""

from __future__ import annotations

from datetime import UTC, date, datetime

from paperlora.literature.arxiv_source import LOOK_BACK as ARXIV_LOOK_BACK
from paperlora.literature.arxiv_source import ArxivCursor
from paperlora.literature.cursors import opened
from paperlora.literature.found import EVER, Page, SourceName
from paperlora.literature.listing import LOOK_BACK, ListingCursor
from paperlora.literature.oai_source import OaiCursor


def cut(source: SourceName, page: Page) -> str:
    """The cursor of a listing that counts as read with this page; empty where the listing must go on."""
    if page.last:
        return page.cursor
    if source == "arxiv":
        return _cut_arxiv(page)
    return _cut_listing(page) if source in ("semantic_scholar", "openalex") else ""


def _cut_arxiv(page: Page) -> str:
    state = ArxivCursor.model_validate_json(page.cursor)
    changed = [paper.updated for paper in page.papers if paper.updated]
    if state.newest is None or not changed or min(changed) >= state.newest - ARXIV_LOOK_BACK:
        return ""
    return ArxivCursor(scope=state.scope, seen=state.fresh, floor=state.newest - ARXIV_LOOK_BACK).text()


def _cut_listing(page: Page) -> str:
    state = ListingCursor.model_validate_json(page.cursor)
    floor = (date.fromisoformat(state.began or f"{datetime.now(UTC):%Y-%m-%d}") - LOOK_BACK).isoformat()
    if not state.ordered or not state.reached or state.reached >= floor:
        return ""
    return ListingCursor(scope=state.scope, seen=state.fresh, floor=floor).text()


def harvest_from(query: str, day: date) -> str:
    """The cursor of a set that was harvested up to this day."""
    return opened(OaiCursor, "", query, EVER).model_copy(update={"since": day.isoformat()}).text()
