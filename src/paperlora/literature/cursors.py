"""Where a listing stands: JSON that is handed out with every page and taken back to go on after it.

A cursor remembers two things: the place inside a listing that is under way, and which records the last listing saw in
the days that the next one looks at again. Sources date their records when they were made, but show them later, in any
order; only a second look with a memory finds what is new without losing or repeating anything.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from paperlora.errors import SourceRefused
from paperlora.literature.found import Window
from paperlora.records import Paper, Reject, digest

S = TypeVar("S", bound="Cursor")


class Cursor(BaseModel):
    """What every source's cursor holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scope: str
    """Digest of query and window: with others, the listing begins anew."""
    seen: dict[str, str] = {}
    """Records that the last listing saw in the days looked at again: name → what it said."""
    fresh: dict[str, str] = {}
    """The same of the listing under way; it becomes ``seen`` at its end."""

    def knows(self, paper: Paper) -> bool:
        """The paper was listed before, with the same content."""
        said = mark(paper)
        return said in (self.seen.get(name(paper)), self.fresh.get(name(paper)))

    def news(self, rejects: Iterable[Reject]) -> tuple[Reject, ...]:
        """Those that were not reported before."""
        return tuple(r for r in rejects if mark(r) not in (self.seen.get(name(r)), self.fresh.get(name(r))))

    def text(self) -> str:
        """For :func:`opened`."""
        return self.model_dump_json(exclude_defaults=True)


def opened(kind: type[S], cursor: str, query: str, window: Window) -> S:
    """A cursor's content; that of a first listing where there is none, or it belongs to another query or window.

    Raises:
        SourceRefused: it is no cursor.
    """
    scope = digest(query, window)[:12]
    if not cursor:
        return kind(scope=scope)
    try:
        state = kind.model_validate_json(cursor)
    except ValidationError as error:
        raise SourceRefused(
            f"The cursor of {query!r} can't be read.", "Delete it: the listing then begins anew."
        ) from error
    return state if state.scope == scope else kind(scope=scope)


def name(item: Paper | Reject) -> str:
    """A short name that is unique within one source."""
    return (item.item if isinstance(item, Reject) else item.id).partition(":")[2][-20:]


def mark(item: Paper | Reject) -> str:
    """Eight hex digits that change with what the source says; the host it says it from doesn't matter."""
    if isinstance(item, Reject):
        return digest(item)[:8]
    return digest(item.model_copy(update={"pdf_url": "yes" if item.pdf_url else None, "landing_url": None}))[:8]
