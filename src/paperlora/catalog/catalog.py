"""What there is and where it came from: one SQL database, written by tasks alone, rebuilt from the manifests.

Every record stands whole as JSON in ``items``; the columns beside it are what is asked for. ``edges`` point from what
was used to what was made of it, so that lineage is one recursive query in either direction.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple

from sqlalchemy import JSON, DateTime, Engine, String, create_engine, delete, event, func, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from paperlora.errors import StoreError
from paperlora.records import Adapter, Document, Idea, Lesson, Manifest, MicroDataset, Paper, Record, Reject, Verdict
from paperlora.settings import Settings
from paperlora.store import Store, fetch, read_json, read_jsonl, read_manifest

ItemKind = Literal["paper", "document", "idea", "dataset", "adapter", "verdict", "lesson"]
PLURALS: dict[str, str] = {
    "paper": "papers", "document": "documents", "idea": "ideas", "dataset": "datasets", "adapter": "adapters",
    "verdict": "verdicts", "lesson": "lessons",
}


class Base(DeclarativeBase):
    """Tables of the catalog."""


class Item(Base):
    """One record of any kind."""

    __tablename__ = "items"
    id: Mapped[str] = mapped_column(String, primary_key=True)
    kind: Mapped[str] = mapped_column(String, index=True)
    label: Mapped[str] = mapped_column(String, index=True)
    """Verdict kind, or metadata status of a paper; empty elsewhere."""
    uri: Mapped[str] = mapped_column(String)
    """Folder it was read from."""
    created: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    record: Mapped[dict[str, Any]] = mapped_column(JSON)


class Edge(Base):
    """``target`` was made from ``source``."""

    __tablename__ = "edges"
    source: Mapped[str] = mapped_column(String, primary_key=True)
    target: Mapped[str] = mapped_column(String, primary_key=True, index=True)


class Drop(Base):
    """One reject."""

    __tablename__ = "rejects"
    stage: Mapped[str] = mapped_column(String, primary_key=True)
    item: Mapped[str] = mapped_column(String, primary_key=True)
    reason: Mapped[str] = mapped_column(String, primary_key=True)
    detail: Mapped[str] = mapped_column(String)
    uri: Mapped[str] = mapped_column(String, index=True)


class Folder(Base):
    """A folder of the store that the catalog has read."""

    __tablename__ = "folders"
    uri: Mapped[str] = mapped_column(String, primary_key=True)
    content_hash: Mapped[str] = mapped_column(String)


class Status(NamedTuple):
    """Counts for `paperlora status`."""

    papers: int
    documents: int
    ideas: int
    datasets: int
    adapters: int
    lessons: int
    verdicts: dict[str, int]
    rejects: dict[str, dict[str, int]]


class Entry(NamedTuple):
    """One item with its neighbours in the lineage."""

    kind: str
    id: str
    uri: str
    record: dict[str, Any]
    ancestors: tuple[str, ...]
    descendants: tuple[str, ...]
    rejects: tuple[Reject, ...]


class Catalog:
    """The database. Opening it creates the tables; every write is one transaction and may be repeated."""

    def __init__(self, url: str) -> None:
        if url.startswith("sqlite:///"):
            Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
        self._engine = _engine(url)
        try:
            Base.metadata.create_all(self._engine)
        except SQLAlchemyError as error:
            raise StoreError(f"The catalog can't be opened: {error.__class__.__name__}.",
                             "Check PAPERLORA_CATALOG_URL.") from error

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def add_folder(self, uri: str, manifest: Manifest, folder: Path) -> None:
        """Take in one complete folder: its records, edges and rejects."""
        # A dataset's folder stands below its paper's name, so that it is known by what it holds.
        kind = "datasets" if "dataset.json" in manifest.files else manifest.kind
        items, edges = _READERS[kind](folder) if kind in _READERS else ([], [])
        with Session(self._engine) as session, session.begin():
            if kind == "runs":
                _forget_handled(session, folder, manifest)
            for item in items:
                session.merge(_row(item, uri, manifest.created))
            for source, target in edges:
                session.merge(Edge(source=source, target=target))
            for reject in manifest.rejects:
                session.merge(Drop(**reject.model_dump(), uri=uri))
            session.merge(Folder(uri=uri, content_hash=manifest.content_hash))

    def add_papers(self, papers: Iterable[Paper], uri: str = "") -> None:
        """Take in papers that were found, whether or not they can be read."""
        with Session(self._engine) as session, session.begin():
            for paper in papers:
                if session.get(Item, paper.key) is None or uri:
                    session.merge(_row(paper, uri, paper.updated or paper.published or datetime.now().astimezone()))

    def rebuild(self, stores: Iterable[Store]) -> int:
        """Empty the tables and read every complete folder again.

        Returns:
            Number of folders read.
        """
        with Session(self._engine) as session, session.begin():
            for table in (Item, Edge, Drop, Folder):
                session.execute(delete(table))
        return self._take_all(stores)

    def refresh(self, stores: Iterable[Store]) -> int:
        """Read the complete folders that the catalog doesn't know yet.

        Returns:
            Number of folders read.
        """
        with Session(self._engine) as session:
            known = set(session.scalars(select(Folder.uri)))
        return self._take_all(stores, known)

    def _take_all(self, stores: Iterable[Store], known: Container[str] = ()) -> int:
        new = [(uri, read_manifest(uri)) for store in stores for uri in store.folders() if uri not in known]
        # In order of time: of two runs that handled the same paper the later one tells what became of it.
        for uri, manifest in sorted(new, key=lambda pair: pair[1].created):
            self.add_folder(uri, manifest, fetch(uri))
        return len(new)

    def status(self) -> Status:
        """Counts of everything."""
        with Session(self._engine) as session:
            kinds = _counts(session, select(Item.kind, func.count()).group_by(Item.kind))
            verdicts = _counts(session, select(Item.label, func.count()).where(Item.kind == "verdict").group_by(Item.label))
            rejects: dict[str, dict[str, int]] = {}
            for stage, reason, count in session.execute(
                select(Drop.stage, Drop.reason, func.count()).group_by(Drop.stage, Drop.reason).order_by(Drop.stage)
            ):
                rejects.setdefault(stage, {})[reason] = count
        numbers = {PLURALS[kind]: kinds.get(kind, 0) for kind in PLURALS if kind != "verdict"}
        return Status(**numbers, verdicts=verdicts, rejects=rejects)

    def show(self, identifier: str) -> Entry | None:
        """One item by its id (or a unique beginning of it) with its lineage both ways; None when there is none."""
        with Session(self._engine) as session:
            item = session.get(Item, identifier) or session.scalars(
                select(Item).where(Item.id.startswith(identifier, autoescape=True)).limit(1)
            ).first()
            if item is None:
                return None
            drops = session.scalars(select(Drop).where(Drop.item == item.id)).all()
            return Entry(
                item.kind, item.id, item.uri, item.record, _walk(session, item.id, up=True), _walk(session, item.id, up=False),
                tuple(Reject(stage=d.stage, item=d.item, reason=d.reason, detail=d.detail) for d in drops),
            )

    def records(self, kind: ItemKind) -> tuple[Record, ...]:
        """Every record of a kind, oldest first."""
        with Session(self._engine) as session:
            rows = session.scalars(select(Item).where(Item.kind == kind).order_by(Item.created, Item.id)).all()
            return tuple(_RECORDS[kind].model_validate(row.record) for row in rows)

    def lessons(self) -> tuple[Lesson, ...]:
        """The knowledge core."""
        return tuple(record for record in self.records("lesson") if isinstance(record, Lesson))

    def rejects(self) -> tuple[Reject, ...]:
        """Every reject."""
        with Session(self._engine) as session:
            rows = session.scalars(select(Drop).order_by(Drop.stage, Drop.reason, Drop.item)).all()
            return tuple(Reject(stage=d.stage, item=d.item, reason=d.reason, detail=d.detail) for d in rows)


def open_catalog(settings: Settings) -> Catalog:
    """The catalog of these settings."""
    return Catalog(settings.catalog_address)


def stores(settings: Settings) -> tuple[Store, Store]:
    """The two roots that hold complete folders: the store and the micro-datasets."""
    return Store.at(settings.store_root), Store.at(settings.datasets.expanduser().resolve())


def _engine(url: str) -> Engine:
    engine = create_engine(url)
    if url.startswith("sqlite"):
        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _: Any) -> None:
            # WAL lets readers go on while one writes; the time-out makes several writers queue instead of fail.
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "busy_timeout=30000"):
                connection.execute(f"PRAGMA {pragma}")
    return engine


def _forget_handled(session: Session, folder: Path, manifest: Manifest) -> None:
    handled = json.loads((folder / "handled.json").read_text(encoding="utf-8"))
    stage = manifest.settings["stage"]
    for start in range(0, len(handled), 500):
        part = handled[start : start + 500]
        session.execute(delete(Drop).where(Drop.stage == stage, Drop.item.in_(part)))


def _counts(session: Session, query: Any) -> dict[str, int]:
    return dict(session.execute(query).tuples().all())


def _walk(session: Session, start: str, *, up: bool) -> tuple[str, ...]:
    here, there = (Edge.target, Edge.source) if up else (Edge.source, Edge.target)
    reach = select(there.label("id")).where(here == start).cte(recursive=True)
    reach = reach.union(select(there).join(reach, here == reach.c.id))
    return tuple(sorted(session.scalars(select(reach.c.id))))


_RECORDS: dict[str, type[Record]] = {
    "paper": Paper, "document": Document, "idea": Idea, "dataset": MicroDataset, "adapter": Adapter, "verdict": Verdict,
    "lesson": Lesson,
}


def _row(record: Record, uri: str, created: datetime) -> Item:
    kind = next(name for name, type_ in _RECORDS.items() if isinstance(record, type_))
    label = record.kind if isinstance(record, Verdict) else record.metadata_status if isinstance(record, Paper) else ""
    return Item(id=item_id(record), kind=kind, label=label, uri=uri, created=created, record=record.model_dump(mode="json"))


def item_id(record: Record) -> str:
    """The id under which a record stands in the catalog."""
    if isinstance(record, Paper):
        return record.key
    if isinstance(record, Document):
        return f"document:{record.paper}"
    if isinstance(record, Idea):
        return f"idea:{record.id}"
    return str(record.id)  # type: ignore[attr-defined]


Taken = tuple[list[Record], list[tuple[str, str]]]


def _documents(folder: Path) -> Taken:
    paper, document = read_json(folder / "paper.json", Paper), read_json(folder / "document.json", Document)
    slim = document.model_copy(update={"sections": (), "left_out": ()})
    return [paper, slim], [(paper.key, item_id(document))]


def _ideas(folder: Path) -> Taken:
    ideas = read_jsonl(folder / "ideas.jsonl", Idea)
    return list(ideas), [(f"document:{idea.paper}", item_id(idea)) for idea in ideas]


def _datasets(folder: Path) -> Taken:
    dataset = read_json(folder / "dataset.json", MicroDataset)
    edges = [(item_id(idea), dataset.id) for idea in dataset.ideas] + [(parent, dataset.id) for parent in dataset.parents]
    return [dataset], edges + [(lesson, dataset.id) for lesson in dataset.lessons]


def _adapters(folder: Path) -> Taken:
    adapter = read_json(folder / "adapter.json", Adapter)
    return [adapter], [(adapter.dataset, adapter.id)]


def _judgements(folder: Path) -> Taken:
    verdicts = read_jsonl(folder / "verdicts.jsonl", Verdict)
    edges = [edge for v in verdicts for edge in ((v.adapter, v.id), (f"idea:{v.idea}", v.id))]
    return list(verdicts), edges


def _lessons(folder: Path) -> Taken:
    lessons = read_jsonl(folder / "lessons.jsonl", Lesson)
    return list(lessons), [(lesson.verdict, lesson.id) for lesson in lessons]


_READERS = {
    "documents": _documents, "ideas": _ideas, "datasets": _datasets, "adapters": _adapters, "judgements": _judgements,
    "lessons": _lessons,
}
