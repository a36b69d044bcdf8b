"""What to read now, and what has to wait for another day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from typing import NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, String, Subquery, and_, cast, func, or_, select

from paperlora.catalog.listings import canonical_papers, one_paper
from paperlora.catalog.tables import paper_topics, papers, rejects
from paperlora.records import Paper, Topic

PASSING_REASONS = ("source_unavailable", "deferred")
"""Rejects that say "not now": such a paper waits on."""
UNTRIED_REASONS = (*PASSING_REASONS, "superseded", "withdrawn")
"""Rejects that take nothing of a day's share: nobody asked for these papers, or they may be asked for again at once."""
FEW = 100
"""Papers whose topics are looked up one by one."""


class Queue(NamedTuple):
    """The papers to read now."""

    papers: tuple[Paper, ...]
    """By priority of their topic, then newest first; each under its canonical id, with all its topics."""
    deferred: dict[str, int]
    """Topic name → papers that wait for another day, each counted under the first of its topics."""


class Choice(NamedTuple):
    """What to read now, by name alone."""

    chosen: dict[str, str]
    """Canonical id → topic for which it is read, in the order of reading."""
    deferred: dict[str, int]
    """As in :class:`Queue`."""


class Waiting(NamedTuple):
    """A paper whose newest version nobody has read."""

    canonical: str
    version: int
    published: datetime | None
    updated: datetime | None


def waiting(connection: Connection) -> tuple[Waiting, ...]:
    """Every paper that could be read, newest first: not withdrawn, unread, and not rejected for good."""
    rows = [Waiting._make(row) for row in connection.execute(_waiting())]
    oldest = datetime.min.replace(tzinfo=UTC)
    return tuple(sorted(rows, key=lambda row: (row.updated or oldest, row.canonical), reverse=True))


def count_waiting(connection: Connection) -> int:
    """Number of papers that wait to be read."""
    return connection.execute(select(func.count()).select_from(_waiting().subquery())).scalar_one()


def superseded(connection: Connection) -> tuple[str, ...]:
    """Keys of the versions that nobody read before a newer one came, and whose fate no reject tells yet."""
    latest = newest().subquery()
    key = papers.c.canonical + "v" + cast(papers.c.version, String)
    told = and_(rejects.c.stage == "ingest", rejects.c.item.in_([papers.c.key, key]))
    query = (
        select(papers.c.canonical, papers.c.version)
        .join(latest, and_(papers.c.canonical == latest.c.canonical, papers.c.version < latest.c.version))
        .outerjoin(rejects, told)
        .group_by(papers.c.canonical, papers.c.version)
        .having(func.count(papers.c.read_at) == 0, func.count(rejects.c.item) == 0)
    )
    return tuple(f"{canonical}v{version}" for canonical, version in connection.execute(query.order_by(*query.selected_columns)))


def newest(canonicals: Sequence[str] | None = None) -> Select[tuple[str, int]]:
    """Canonical id (of these, or of all) → newest version that any source has listed."""
    query = select(papers.c.canonical, func.max(papers.c.version).label("version")).group_by(papers.c.canonical)
    return query if canonicals is None else query.where(papers.c.canonical.in_(canonicals))


def taken_back(latest: Subquery) -> ColumnElement[bool]:
    """The newest version is a withdrawal, or the paper was withdrawn after it (a record that a source removed bears no version).

    Args:
        latest: :func:`newest` as a subquery.
    """
    now, last = papers.alias("now"), papers.alias("last")
    newest_version = (last.c.canonical == latest.c.canonical, last.c.version == latest.c.version)
    since = select(func.max(last.c.updated)).where(*newest_version).correlate(latest).scalar_subquery()
    withdrawal = or_(now.c.version == latest.c.version, now.c.updated > since)
    return select(now.c.key).where(now.c.canonical == latest.c.canonical, now.c.withdrawn, withdrawal).correlate(latest).exists()


def _waiting() -> Select[tuple[str, int, datetime | None, datetime | None]]:
    latest = newest().subquery()
    # A paper is rejected under the id it was listed by, or under its canonical one.
    key = latest.c.canonical + "v" + cast(latest.c.version, String)
    lasting = and_(
        rejects.c.stage == "ingest", rejects.c.item.in_([papers.c.key, key]), rejects.c.reason.not_in(PASSING_REASONS)
    )
    return (
        select(papers.c.canonical, papers.c.version, func.min(papers.c.published), func.max(papers.c.updated))
        .join(latest, and_(papers.c.canonical == latest.c.canonical, papers.c.version == latest.c.version))
        .outerjoin(rejects, lasting)
        .where(~taken_back(latest))
        .group_by(papers.c.canonical, papers.c.version)
        .having(func.count(papers.c.read_at) == 0, func.count(rejects.c.item) == 0)
    )


def queue(connection: Connection, topics: Sequence[Topic], limit: int | None, today: date | None) -> Queue:
    """What to read now of these topics, by priority, at most ``max_papers`` a topic and day (UTC)."""
    choice = choose(connection, topics, limit, today)
    return Queue(records(connection, choice.chosen), choice.deferred)


def choose(connection: Connection, topics: Sequence[Topic], limit: int | None, today: date | None) -> Choice:
    """:func:`queue` without the records."""
    ordered = sorted(topics, key=lambda topic: -topic.priority)
    member = topics_of(connection)
    left = {topic.name: topic.max_papers for topic in ordered}
    for canonical in _tried_since(connection, datetime.combine(today or datetime.now(UTC).date(), time.min, UTC)):
        first = next((topic.name for topic in ordered if topic.name in member[canonical] and left[topic.name] > 0), None)
        if first is not None:
            left[first] -= 1
    eligible = {
        row.canonical: found
        for row in waiting(connection)
        if (found := [topic.name for topic in ordered if topic.name in member[row.canonical] and _in_window(row, topic)])
    }
    chosen = _share_out(eligible, left, limit)
    deferred: dict[str, int] = defaultdict(int)
    for canonical, found in eligible.items():
        if canonical not in chosen:
            deferred[found[0]] += 1
    return Choice(chosen, dict(deferred))


def _share_out(eligible: dict[str, list[str]], left: dict[str, int], limit: int | None) -> dict[str, str]:
    """Canonical id → topic for which it is read, in the order of reading."""
    chosen: dict[str, str] = {}
    for topic in left:
        for canonical, found in eligible.items():
            if left[topic] <= 0 or (limit is not None and len(chosen) >= limit):
                break
            if topic in found and canonical not in chosen:
                chosen[canonical] = topic
                left[topic] -= 1
    return chosen


def topics_of(connection: Connection, canonical: str | None = None) -> dict[str, set[str]]:
    """Canonical id (this one alone, or every one) → topics whose query found any version of it, under any of its ids."""
    member: dict[str, set[str]] = defaultdict(set)
    query = select(papers.c.canonical, paper_topics.c.topic).join(paper_topics, paper_topics.c.paper == papers.c.key)
    if canonical is not None:
        query = query.where(papers.c.canonical == canonical)
    for canonical, topic in connection.execute(query):
        member[canonical].add(topic)
    return member


def _tried_since(connection: Connection, start: datetime) -> list[str]:
    """Canonical ids of the papers that were read, or could not be read, since then."""
    read = select(papers.c.canonical).where(papers.c.read_at >= start)
    tried = (rejects.c.stage == "ingest", rejects.c.created >= start, rejects.c.reason.not_in(UNTRIED_REASONS))
    failed = select(papers.c.canonical).join(rejects, rejects.c.item == papers.c.key).where(*tried)
    return list(connection.scalars(read.union(failed)))


def _in_window(row: Waiting, topic: Topic) -> bool:
    if row.published is None:
        return True
    day = row.published.date()
    return (topic.since is None or day >= topic.since) and (topic.until is None or day <= topic.until)


def records(connection: Connection, chosen: Mapping[str, str]) -> tuple[Paper, ...]:
    """The newest versions of these papers, each with all its topics, that for which it is read first."""
    many = len(chosen) > FEW
    member = topics_of(connection) if many else {one: topics_of(connection, one)[one] for one in chosen}
    known = canonical_papers(connection, list(chosen))
    return tuple(
        one_paper(canonical, known[canonical]).model_copy(update={"topics": (topic, *sorted(member[canonical] - {topic}))})
        for canonical, topic in chosen.items()
    )
