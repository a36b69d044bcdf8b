"""What a search found: one page of a listing."""

from __future__ import annotations

from datetime import date
from typing import Literal, NamedTuple

from paperlora.records import Paper, Reject

SourceName = Literal["arxiv", "oai", "semantic_scholar", "openalex"]


class Window(NamedTuple):
    """Days of first publication, both included; None leaves that end open."""

    since: date | None
    until: date | None

    def holds(self, paper: Paper) -> bool:
        """The paper was published inside, or its source names no day."""
        day = paper.published.date() if paper.published else None
        return day is None or ((not self.since or day >= self.since) and (not self.until or day <= self.until))


EVER = Window(None, None)


class Page(NamedTuple):
    """One whole page of a listing."""

    papers: tuple[Paper, ...]
    """What is new on it, without ``topics``. What the cursor knew already is left out."""
    rejects: tuple[Reject, ...]
    """Records that make no paper, each with its reason."""
    received: int
    """Records that came in; those beyond papers and rejects were known, or lie outside the window."""
    total: int | None
    """Matches as the source counts them; None where it doesn't."""
    cursor: str
    """JSON; handed back, the source goes on right after this page."""
    last: bool
    """The listing ends here: the next one starts with what is new."""
