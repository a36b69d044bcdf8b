"""One item with everything that a person wants to know of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select

from paperlora.catalog.folders import Pair, claims_of
from paperlora.catalog.identity import guess
from paperlora.catalog.lineage import REDO, Stale, stale, walk
from paperlora.catalog.listings import canonical_papers, one_paper
from paperlora.catalog.queue import PASSING_REASONS, newest, taken_back, topics_of
from paperlora.catalog.tables import aliases, candidates, items, papers, rejects
from paperlora.errors import StoreError
from paperlora.records import Reject

SHOWN = 5


class Entry(NamedTuple):
    """One item with its neighbours in the lineage."""

    kind: str
    id: str
    uri: str
    record: dict[str, Any]
    ancestors: tuple[str, ...]
    descendants: tuple[str, ...]
    rejects: tuple[Reject, ...]
    kinds: dict[str, str] = {}  # noqa: RUF012 - a default of a NamedTuple, never changed
    """Kind of each ancestor and descendant; ``placebo`` and ``placebo dataset`` beside those of papers."""
    aliases: tuple[str, ...] = ()
    """Every id that the paper is known by, the canonical one first."""
    versions: tuple[str, ...] = ()
    """Keys of every version and listing of the paper, newest first."""
    candidates: tuple[Pair, ...] = ()
    """Papers that may be the same one."""
    state: str = ""
    """What became of it, in words: read, waits to be read, rejected …"""
    stale: tuple[Stale, ...] = ()
    """It rests on an older version or a withdrawn paper; for a paper, whatever came of any of its versions and does."""
    role: str = ""
    """``placebo``: it teaches nothing of any paper. ``repeat``: a verdict on what an earlier seed was judged on."""
    redo: tuple[str, ...] = ()
    """The commands that make it again, in order; empty where nothing has to be done."""


def find_entry(connection: Connection, identifier: str) -> Entry | None:
    """An item by its id, by any id of a paper, or by the beginning of an id; None where there is none.

    Raises:
        StoreError: several ids begin with this.
    """
    item = _find(connection, identifier)
    if item is None:
        return None
    up, down = walk(connection, item.id, up=True), walk(connection, item.id, up=False)
    entry = Entry(item.kind, item.id, item.uri, item.record, up, down, _rejects(connection, [item.id]),
                  kinds=_kinds(connection, [*up, *down]), role=item.role)  # fmt: skip
    canonical = connection.scalar(select(papers.c.canonical).where(papers.c.key == item.paper))
    if canonical is None:
        return entry
    outdated = stale(connection, [canonical])
    if item.kind == "paper":
        return _of_paper(connection, entry, canonical, outdated)
    mine = tuple(one for one in outdated if one.item == item.id)
    return entry._replace(stale=mine, redo=_redo(mine), state="; ".join(one.because for one in mine))


def _find(connection: Connection, identifier: str) -> Row[Any] | None:
    exact = connection.execute(select(items).where(items.c.id == identifier)).first()
    if exact is not None:
        return exact
    return _by_alias(connection, identifier) or _by_beginning(connection, identifier)


def _by_alias(connection: Connection, identifier: str) -> Row[Any] | None:
    alias = guess(identifier)
    if alias is None:
        return None
    same = select(aliases.c.canonical).where(aliases.c.alias == alias).scalar_subquery()
    query = select(items).join(papers, papers.c.key == items.c.id).where(papers.c.canonical == same)
    rows = connection.execute(query.order_by(papers.c.version.desc(), items.c.label, items.c.id)).all()
    # Who asks for 2405.05904v1 means that version; without one the newest is meant.
    return next((row for row in rows if row.id.rpartition("v")[2] == _version(identifier)), rows[0] if rows else None)


def _version(identifier: str) -> str | None:
    beginning, v, digits = identifier.rpartition("v")
    return digits if v and digits.isdigit() and beginning[-1:].isdigit() else None


def _by_beginning(connection: Connection, identifier: str) -> Row[Any] | None:
    found = connection.execute(
        select(items).where(items.c.id.startswith(identifier, autoescape=True)).order_by(items.c.id).limit(SHOWN)
    ).all()
    if len(found) > 1:
        raise StoreError(f"Several ids begin with {identifier}: {', '.join(row.id for row in found)} …", "Give more of the id.")
    return found[0] if found else None


def _kinds(connection: Connection, ids: Sequence[str]) -> dict[str, str]:
    rows = connection.execute(select(items.c.id, items.c.kind, items.c.role).where(items.c.id.in_(ids)))
    return {id_: named(kind, role) for id_, kind, role in rows}


def named(kind: str, role: str) -> str:
    """How lineage calls it: a placebo is no adapter of a paper, and its rows are no dataset of one."""
    if role != "placebo":
        return kind
    return "placebo" if kind == "adapter" else f"placebo {kind}"


def _rejects(connection: Connection, ids: Sequence[str]) -> tuple[Reject, ...]:
    rows = connection.execute(select(rejects).where(rejects.c.item.in_(ids)).order_by(rejects.c.created))
    return tuple(
        Reject(stage=row.stage, item=row.item, reason=row.reason, detail=row.detail + _more(row._mapping["count"]))
        for row in rows
    )


def _more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""


def _of_paper(connection: Connection, entry: Entry, canonical: str, outdated: tuple[Stale, ...]) -> Entry:
    known = canonical_papers(connection, [canonical])[canonical]
    this = next(paper for paper in known if paper.key == entry.id)
    same = [paper for paper in known if paper.version == this.version]
    keys = [paper.key for paper in known]
    mine = {f"{canonical}v{this.version}", *(paper.key for paper in same)}
    dropped, claims = _rejects(connection, list(mine)), _rejects(connection, list(map(claims_of, mine)))
    names = connection.scalars(select(aliases.c.alias).where(aliases.c.canonical == canonical).order_by(aliases.c.alias)).all()
    record = one_paper(canonical, same) if this.id == canonical else this
    record = record.model_copy(update={"topics": tuple(sorted(topics_of(connection, canonical)[canonical]))})
    return entry._replace(
        record=record.model_dump(mode="json"), aliases=(canonical, *(name for name in names if name != canonical)),
        versions=tuple(keys), candidates=_pairs(connection, {*names, *keys}), rejects=(*dropped, *claims),
        state=_state(connection, canonical, this.version, known[0].version, dropped), stale=outdated, redo=_redo(outdated),
    )  # fmt: skip


def _pairs(connection: Connection, ids: set[str]) -> tuple[Pair, ...]:
    either = candidates.c.a.in_(ids) | candidates.c.b.in_(ids)
    return tuple(Pair(*row) for row in connection.execute(select(candidates).where(either).order_by(candidates.c.score.desc())))


def _state(connection: Connection, canonical: str, version: int, last: int, dropped: Sequence[Reject]) -> str:
    latest, this = newest([canonical]).subquery(), (papers.c.canonical == canonical, papers.c.version == version)
    read_at = connection.scalar(select(func.max(papers.c.read_at)).where(*this))
    read = f"read on {read_at:%Y-%m-%d}" if read_at else "not read"
    if connection.scalar(select(taken_back(latest)).select_from(latest)):
        return f"withdrawn by its authors; {read}"
    if last > version:
        return f"superseded by {canonical}v{last}; {read}"
    lasting = next((reject for reject in dropped if reject.stage == "ingest" and reject.reason not in PASSING_REASONS), None)
    if read_at is None and lasting is not None:
        return f"rejected: {lasting.reason}"
    passing = next((f" (last time: {reject.reason})" for reject in dropped if reject.stage == "ingest"), "")
    return read if read_at else f"waits to be read{passing}"


def _redo(outdated: Sequence[Stale]) -> tuple[str, ...]:
    """The commands for what is neither replaced nor withdrawn, first stage first."""
    waiting = [one for one in outdated if not one.replaced and not one.withdrawn]
    if not waiting:
        return ()
    longest = max((REDO[one.kind] for one in waiting), key=len)
    return tuple(f"paperlora {stage}" for stage in longest)
