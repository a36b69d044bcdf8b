"""What there is and where it came from: one SQL database, written by tasks alone, rebuilt from the manifests.

Every record stands whole as JSON in ``items``; the columns beside it are what is asked for. ``edges`` point from what
was used to what was made of it, so that lineage is one recursive query in either direction.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, Select, func, select

from paperlora.catalog import identity, intake, lineage, queue, yields
from paperlora.catalog.database import Database
from paperlora.catalog.entry import Entry, find_entry
from paperlora.catalog.folders import MATERIAL, PLURALS, RECORDS, ItemKind, Pair, Taken, read_folder, shelves
from paperlora.catalog.queue import Choice
from paperlora.catalog.tables import aliases, candidates, cursors, folders, items, papers, rejects
from paperlora.records import Adapter, Lesson, Manifest, Paper, Record, Reject, Topic
from paperlora.settings import Settings
from paperlora.store import Store, read_manifest

# A transaction takes so many folders, or the records of so many: its cost is small then, and it lets other writers in
# after a moment.
FOLDERS, RECORDS_AT_LEAST = 200, 1000


class Status(NamedTuple):
    """Counts for `paperlora status`."""

    papers: int
    """Versions of papers, each counted once under whichever ids it was listed."""
    documents: int
    ideas: int
    datasets: int
    adapters: int
    lessons: int
    verdicts: dict[str, int]
    rejects: dict[str, dict[str, int]]
    waiting: int = 0
    """Papers that could be read and have not been."""
    stale: int = 0
    """Things that rest on an older version of a paper or on a withdrawn one, and were not made anew."""
    placebos: int = 0
    """Placebo adapters; ``adapters`` and ``datasets`` are of papers alone."""
    repeats: int = 0
    """Verdicts on what an adapter with an earlier seed was judged on; ``verdicts`` counts each of these ideas once."""


AT_A_TIME = 200
"""Rows that are fetched at once where all are wanted."""


class Catalog:
    """The database. Opening it brings its tables up to date; every write is one transaction and may be repeated.

    Raises:
        StoreError: it can't be opened, or a newer PaperLoRA made it.
    """

    def __init__(self, url: str) -> None:
        self._database = Database(url)

    def close(self) -> None:
        """Give the connections back."""
        self._database.close()

    def add_folder(self, uri: str, manifest: Manifest, folder: Path | None = None) -> None:
        """Take in one complete folder: its records, edges, rejects, cursors and candidates."""
        taken = read_folder(uri, manifest)
        with self._database.writing() as connection:
            intake.take_in(connection, [taken])

    def add_papers(self, papers: Iterable[Paper]) -> None:
        """Take in papers that stand in no folder; only those in folders come back after a rebuild."""
        with self._database.writing() as connection:
            intake.take_papers(connection, papers, datetime.now(UTC))

    def rebuild(self, stores: Iterable[Store]) -> int:
        """Empty the tables and read every complete folder again. Cut short, it is finished by the next refresh.

        Returns:
            Number of folders read.
        """
        with self._database.writing() as connection:
            intake.empty(connection)
        return self._take_all(stores)

    def refresh(self, stores: Iterable[Store]) -> int:
        """Read the complete folders that the catalog doesn't know yet.

        Returns:
            Number of folders read.
        """
        with self._database.reading() as connection:
            known = set(connection.scalars(select(folders.c.uri)))
        return self._take_all(stores, known)

    def _take_all(self, stores: Iterable[Store], known: Container[str] = ()) -> int:
        rooms = [room for store in stores for room in (store, *shelves(store))]
        uris = [uri for room in rooms for uri in room.folders() if uri.split("/")[-2] not in MATERIAL]
        # Manifests are read twice rather than kept: of thousands of new folders they would fill the memory.
        new = sorted((read_manifest(uri).created, uri) for uri in uris if uri not in known)
        # A run's folder is its last: with the oldest first no cursor stands in the catalog before what it stands for.
        for taken in _batches(read_folder(uri, read_manifest(uri)) for _, uri in new):
            with self._database.writing() as connection:
                intake.take_in(connection, taken)
        return len(new)

    def status(self) -> Status:
        """Counts of everything."""
        with self._database.reading() as connection:
            kinds = _counts(connection, select(items.c.kind, func.count()).where(items.c.role == "").group_by(items.c.kind))
            numbers = {PLURALS[kind]: kinds.get(kind, 0) for kind in PLURALS if kind not in ("verdict", "paper")}
            different = select(papers.c.canonical, papers.c.version).distinct().subquery()
            verdicts = select(items.c.label, func.count()).where(items.c.kind == "verdict", items.c.role == "")
            placebo = (items.c.kind == "adapter", items.c.role == "placebo")
            return Status(
                papers=connection.execute(select(func.count()).select_from(different)).scalar_one(), **numbers,
                verdicts=_counts(connection, verdicts.group_by(items.c.label)), rejects=_reject_counts(connection),
                waiting=queue.count_waiting(connection),
                stale=sum(not entry.replaced for entry in lineage.stale(connection)),
                placebos=_number(connection, *placebo), repeats=_number(connection, items.c.role == "repeat"),
            )  # fmt: skip

    def show(self, identifier: str) -> Entry | None:
        """One item by its id, by any id of a paper, or by the beginning of an id; None when there is none.

        Raises:
            StoreError: several ids begin with this.
        """
        with self._database.reading() as connection:
            return find_entry(connection, identifier)

    def records(self, kind: ItemKind) -> tuple[Record, ...]:
        """Every record of a kind, oldest first; placebos are none of papers and left out."""
        with self._database.reading() as connection:
            query = _of_kind(kind)
            return tuple(RECORDS[kind].model_validate(record) for record in connection.scalars(query))

    def each(self, kind: ItemKind) -> Iterator[Record]:
        """Every record of a kind, one after another, however many there are; oldest first, without placebos."""
        with self._database.reading() as connection:
            for record in connection.execution_options(yield_per=AT_A_TIME).scalars(_of_kind(kind)):
                yield RECORDS[kind].model_validate(record)

    def placebos(self) -> tuple[Adapter, ...]:
        """Adapters that were taught nothing of any paper, oldest first."""
        with self._database.reading() as connection:
            return tuple(Adapter.model_validate(record) for record in connection.scalars(_of_kind("adapter", "placebo")))

    def lessons(self) -> tuple[Lesson, ...]:
        """The knowledge core."""
        return tuple(record for record in self.records("lesson") if isinstance(record, Lesson))

    def rejects(self) -> tuple[Reject, ...]:
        """Every reject."""
        with self._database.reading() as connection:
            rows = connection.execute(select(rejects).order_by(rejects.c.stage, rejects.c.reason, rejects.c.item))
            return tuple(Reject(stage=row.stage, item=row.item, reason=row.reason, detail=row.detail) for row in rows)

    def cursors(self) -> dict[str, str]:
        """How far each query of each source has come: ``<source>:<query digest>`` → the source's own cursor."""
        with self._database.reading() as connection:
            return dict(connection.execute(select(cursors.c.name, cursors.c.cursor)).tuples().all())

    def canonical(self, papers: Sequence[Paper]) -> tuple[Paper, ...]:
        """The same papers in the same order, each under the one id that it is known by."""
        with self._database.reading() as connection:
            return identity.canonical(connection, papers)

    def known(self, papers: Iterable[Paper]) -> frozenset[str]:
        """Ids of those of these papers that the catalog has under any of their ids."""
        with self._database.reading() as connection:
            return identity.known(connection, list(papers))

    def queue(self, topics: Sequence[Topic], limit: int | None = None, today: date | None = None) -> queue.Queue:
        """What to read now: newest versions that nobody read, by topic priority, then newest first.

        Args:
            topics: at most ``max_papers`` of each are read a day, those tried earlier that day included.
            limit: at most this many papers in all.
            today: the day (UTC) whose share is handed out; None for now.
        """
        with self._database.reading() as connection:
            return queue.queue(connection, topics, limit, today)

    def choose(self, topics: Sequence[Topic], limit: int | None = None, today: date | None = None) -> Choice:
        """What :meth:`queue` would give, by name alone: thousands of papers need not be in memory at once."""
        with self._database.reading() as connection:
            return queue.choose(connection, topics, limit, today)

    def chosen(self, names: Mapping[str, str]) -> tuple[Paper, ...]:
        """The papers of a choice, or of a part of it."""
        with self._database.reading() as connection:
            return queue.records(connection, names)

    def superseded(self) -> tuple[str, ...]:
        """Keys of paper versions that a newer one overtook unread, and whose fate no reject tells yet."""
        with self._database.reading() as connection:
            return queue.superseded(connection)

    def stale(self) -> tuple[lineage.Stale, ...]:
        """Documents, ideas, datasets, adapters, verdicts and lessons that rest on an older version or a withdrawn paper."""
        with self._database.reading() as connection:
            return lineage.stale(connection)

    def topics(self) -> tuple[yields.TopicYield, ...]:
        """What each topic brought."""
        with self._database.reading() as connection:
            return yields.topic_yields(connection)

    def candidates(self) -> tuple[Pair, ...]:
        """Pairs of papers that may be one, likeliest first; a pair that has become one paper is no candidate any more."""
        with self._database.reading() as connection:
            same = dict(connection.execute(select(aliases.c.alias, aliases.c.canonical)).tuples().all())
            same |= dict(connection.execute(select(papers.c.key, papers.c.canonical)).tuples().all())
            query = select(candidates).order_by(candidates.c.score.desc(), candidates.c.a, candidates.c.b)
            pairs = [Pair(*row) for row in connection.execute(query)]
        return tuple(pair for pair in pairs if same.get(pair.a, pair.a) != same.get(pair.b, pair.b))


def open_catalog(settings: Settings) -> Catalog:
    """The catalog of these settings."""
    return Catalog(settings.catalog_address)


def stores(settings: Settings) -> tuple[Store, Store]:
    """The two roots that hold complete folders: the store and the micro-datasets."""
    return Store.at(settings.store_root), Store.at(settings.datasets.expanduser().resolve())


def _batches(folders: Iterable[Taken]) -> Iterator[list[Taken]]:
    batch: list[Taken] = []
    for taken in folders:
        batch.append(taken)
        if len(batch) >= FOLDERS or sum(len(one.records) for one in batch) >= RECORDS_AT_LEAST:
            yield batch
            batch = []
    if batch:
        yield batch


def _of_kind(kind: ItemKind, role: str | None = None) -> Select[tuple[Any]]:
    wanted = items.c.role != "placebo" if role is None else items.c.role == role
    return select(items.c.record).where(items.c.kind == kind, wanted).order_by(items.c.created, items.c.id)


def _number(connection: Connection, *where: ColumnElement[bool]) -> int:
    return connection.execute(select(func.count()).select_from(items).where(*where)).scalar_one()


def _counts(connection: Connection, query: Select[Any]) -> dict[str, int]:
    return dict(connection.execute(query).tuples().all())


def _reject_counts(connection: Connection) -> dict[str, dict[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    query = select(rejects.c.stage, rejects.c.reason, func.sum(rejects.c.count)).group_by(rejects.c.stage, rejects.c.reason)
    for stage, reason, count in connection.execute(query.order_by(rejects.c.stage)):
        counts.setdefault(stage, {})[reason] = count
    return counts
