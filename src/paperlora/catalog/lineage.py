"""What came from what, and what has to be made again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, literal, select

from paperlora.catalog.queue import newest, taken_back
from paperlora.catalog.tables import edges, items, papers
from paperlora.catalog.writing import chunks

REDO: dict[str, tuple[str, ...]] = {
    "document": ("ingest", "distill", "train", "judge", "reflect"),
    "idea": ("distill", "train", "judge", "reflect"), "dataset": ("distill", "train", "judge", "reflect"),
    "adapter": ("train", "judge", "reflect"), "verdict": ("judge", "reflect"), "lesson": ("reflect",),
}  # fmt: skip
"""Kind of item → the stages that make it again, and what comes after it."""


class Stale(NamedTuple):
    """Something that rests on an older version of a paper, or on one that its authors took back."""

    item: str
    kind: str
    because: str
    """One sentence for a person."""
    paper: str
    """Key of the paper that it rests on."""
    newest: str
    """Key of that paper's newest version."""
    withdrawn: bool
    """The newest version is a withdrawal: there is nothing to make again, only to take out of use."""
    replaced: bool
    """The newest version has an item of this kind already."""


class _Outdated(NamedTuple):
    """A version of a paper that no one should rest on any more."""

    key: str
    canonical: str
    because: str
    newest: str
    withdrawn: bool


def walk(connection: Connection, start: str, *, up: bool) -> tuple[str, ...]:
    """Ids of everything that this came from, or that came from it."""
    here, there = (edges.c.target, edges.c.source) if up else (edges.c.source, edges.c.target)
    reach = select(there.label("id")).where(here == start).cte(recursive=True)
    reach = reach.union(select(there).join(reach, here == reach.c.id))
    return tuple(sorted(connection.scalars(select(reach.c.id))))


def stale(connection: Connection, canonicals: Sequence[str] | None = None) -> tuple[Stale, ...]:
    """Everything that rests on an outdated version: by paper, then in the order of the stages.

    Args:
        canonicals: look at these papers alone; None for all.
    """
    outdated = {row.key: row for row in _outdated(connection, canonicals)}
    current = _current_kinds(connection, outdated.values())
    found = [
        Stale(item, kind, row.because, key, row.newest, row.withdrawn, not row.withdrawn and kind in current.get(row.canonical, ()))
        for item, kind, key in _fallen(connection, list(outdated)) for row in [outdated[key]]
    ]  # fmt: skip
    order = {kind: place for place, kind in enumerate(REDO)}
    return tuple(sorted(found, key=lambda entry: (entry.paper, order.get(entry.kind, len(order)), entry.item)))


def _outdated(connection: Connection, canonicals: Sequence[str] | None) -> list[_Outdated]:
    latest = newest(canonicals).subquery()
    gone = taken_back(latest)
    query = (
        select(papers.c.key, papers.c.canonical, latest.c.version, gone)
        .join(latest, latest.c.canonical == papers.c.canonical)
        .where((papers.c.version < latest.c.version) | gone)
    )
    return [
        _Outdated(key, canonical, _because(canonical, last, bool(withdrawn)), f"{canonical}v{last}", bool(withdrawn))
        for key, canonical, last, withdrawn in connection.execute(query)
    ]


def _because(canonical: str, version: int, withdrawn: bool) -> str:
    if withdrawn:
        return f"{canonical}v{version} was withdrawn by its authors"
    return f"{canonical}v{version} is newer"


def _fallen(connection: Connection, keys: Sequence[str]) -> list[tuple[str, str, str]]:
    """Item, kind and outdated paper of everything made from these papers, in one recursive query a part."""
    found: dict[str, tuple[str, str, str]] = {}
    for part in chunks(sorted(keys)):
        start = select(edges.c.target.label("id"), edges.c.source.label("paper")).where(edges.c.source.in_(part), _made())
        reach = start.cte(recursive=True)
        reach = reach.union(select(edges.c.target, reach.c.paper).join(reach, edges.c.source == reach.c.id).where(_made()))
        query = select(reach.c.id, items.c.kind, reach.c.paper).join(items, items.c.id == reach.c.id)
        found.update({row.id: (row.id, row.kind, row.paper) for row in connection.execute(query.order_by(reach.c.paper.desc()))})
    return list(found.values())


def _made() -> ColumnElement[bool]:
    # A lesson of an old version may well be considered when the new one is read: that alone makes nothing stale.
    return edges.c.role == literal("made_from")


def _current_kinds(connection: Connection, outdated: Iterable[_Outdated]) -> dict[str, set[str]]:
    """Canonical id → kinds of items that its newest version has already."""
    kinds: dict[str, set[str]] = {}
    for part in chunks(sorted({row.canonical for row in outdated})):
        latest = newest(part).subquery()
        query = (
            select(papers.c.canonical, items.c.kind).distinct()
            .join(latest, and_(latest.c.canonical == papers.c.canonical, latest.c.version == papers.c.version))
            .join(items, items.c.paper == papers.c.key)
        )  # fmt: skip
        for canonical, kind in connection.execute(query):
            kinds.setdefault(canonical, set()).add(kind)
    return kinds
