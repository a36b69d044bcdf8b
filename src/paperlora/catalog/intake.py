"""What folders hold → rows. The order in which folders come decides nothing, so that a rebuild gives the same catalog."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Table, bindparam, case, delete, or_, select, update

from paperlora.catalog import tables
from paperlora.catalog.folders import Pair, Taken, item_id, kind_of, paper_of, role_of
from paperlora.catalog.identity import Links, load_links, names
from paperlora.catalog.listings import Listing, united
from paperlora.catalog.writing import Row, combine, excluded, keep, keep_highest, replace
from paperlora.records import Paper, Record, Reject, Verdict


def take_in(connection: Connection, folders: Sequence[Taken]) -> None:
    """Write everything of these folders; writing it again changes nothing."""
    records = [(record, taken) for taken in folders for record in taken.records if not isinstance(record, Paper)]
    rows = [_row(record, taken.uri, taken.manifest.created) for record, taken in records]
    keep_highest(connection, tables.items, rows, ("created", "uri"))
    keep(connection, tables.edges, [edge._asdict() for taken in folders for edge in taken.edges])
    _take_papers(connection, [listing for taken in folders for listing in _listings(taken)])
    _take_fates(connection, folders)
    cursors = [{**cursor._asdict(), "uri": t.uri, "created": t.manifest.created} for t in folders for cursor in t.cursors]
    keep_highest(connection, tables.cursors, cursors, ("created", "uri"))
    _take_pairs(connection, [pair for taken in folders for pair in taken.candidates])
    known = [{"uri": taken.uri, "content_hash": taken.manifest.content_hash} for taken in folders]
    keep_highest(connection, tables.folders, known, ("uri",))


def take_papers(connection: Connection, papers: Iterable[Paper], created: datetime) -> None:
    """Take in papers that stand in no folder yet."""
    _take_papers(connection, [Listing(paper, "", created) for paper in papers])


def _row(record: Record, uri: str, created: datetime) -> Row:
    label = record.kind if isinstance(record, Verdict) else record.metadata_status if isinstance(record, Paper) else ""
    return {
        "id": item_id(record), "kind": kind_of(record), "label": label, "uri": uri, "created": created,
        "record": record.model_dump(mode="json"), "paper": paper_of(record), "role": role_of(record),
    }  # fmt: skip


def _listings(taken: Taken) -> Iterator[Listing]:
    read_at = taken.manifest.created if taken.manifest.kind == "documents" else None
    listed = (record for record in taken.records if isinstance(record, Paper))
    return (Listing(paper, taken.uri, taken.manifest.created, read_at) for paper in listed)


def _take_papers(connection: Connection, listings: Sequence[Listing]) -> None:
    if not listings:
        return
    keep_highest(connection, tables.listings, [listing.row() for listing in listings], ("rank", "created", "uri"))
    known = united(connection, sorted({listing.paper.key for listing in listings}))
    replace(connection, tables.items, [_row(one.paper, one.uri, one.created) for one in known.values()])
    links = load_links(connection, [listing.paper for listing in listings])
    for listing in listings:
        links.add(listing.paper, listing.created)
    ids = links.canonical()
    _keep_links(connection, links, ids)
    rows = [_paper_row(listing, ids[names(listing.paper)[0]]) for listing in listings]
    new, old = excluded(connection, tables.papers), tables.papers.c
    combine(connection, tables.papers, rows, {
        "canonical": new.canonical, "withdrawn": or_(old.withdrawn, new.withdrawn),
        "published": case((or_(old.published.is_(None), new.published < old.published), new.published), else_=old.published),
        "updated": case((or_(old.updated.is_(None), new.updated > old.updated), new.updated), else_=old.updated),
        "read_at": case((or_(old.read_at.is_(None), new.read_at > old.read_at), new.read_at), else_=old.read_at),
    })  # fmt: skip
    topics = [{"paper": listing.paper.key, "topic": topic} for listing in listings for topic in listing.paper.topics]
    keep(connection, tables.paper_topics, topics)


def _paper_row(listing: Listing, canonical: str) -> Row:
    paper = listing.paper
    return {
        "key": paper.key, "canonical": canonical, "version": paper.version, "withdrawn": paper.withdrawn,
        "published": paper.published, "updated": paper.updated or paper.published, "read_at": listing.read_at,
    }  # fmt: skip


def _keep_links(connection: Connection, links: Links, ids: dict[str, str]) -> None:
    moved = [{"before": before, "after": after} for before, after in links.changed().items()]
    if moved:
        papers = tables.papers
        change = update(papers).where(papers.c.canonical == bindparam("before")).values(canonical=bindparam("after"))
        connection.execute(change, moved)
    rows = [{"alias": alias, "canonical": canonical, "seen": links.seen(alias)} for alias, canonical in ids.items()]
    new = excluded(connection, tables.aliases)
    combine(connection, tables.aliases, rows, {"canonical": new.canonical, "seen": new.seen})
    _take_pairs(connection, [Pair(c.a, c.b, 1.0, f"both are said to be {c.shared}") for c in links.conflicts])


def _take_pairs(connection: Connection, pairs: Sequence[Pair]) -> None:
    ordered = [pair if pair.a <= pair.b else pair._replace(a=pair.b, b=pair.a) for pair in pairs]
    keep_highest(connection, tables.candidates, [pair._asdict() for pair in ordered], ("score", "why"))


def _take_fates(connection: Connection, folders: Sequence[Taken]) -> None:
    fates = [
        {"stage": taken.manifest.settings.get("stage", "distill"), "item": item, "created": taken.manifest.created}
        for taken in folders if taken.handled for item in dict.fromkeys(taken.handled)
    ]  # fmt: skip
    dropped = [row for taken in folders for row in _counted(taken)]
    keep_highest(connection, tables.handled, fates, ("created",))
    keep_highest(connection, tables.rejects, dropped, ("created", "uri"))
    _forget_outdated(connection, {(row["stage"], row["item"]) for row in (*fates, *dropped)})


def _counted(taken: Taken) -> Iterator[dict[str, Any]]:
    """One row for each item and reason of a folder, with how many there are."""
    groups: dict[tuple[str, str, str], list[Reject]] = defaultdict(list)
    for reject in taken.rejects:
        groups[reject.stage, reject.item, reject.reason].append(reject)
    for (stage, item, reason), group in groups.items():
        yield {
            "stage": stage, "item": item, "reason": reason, "detail": group[0].detail.replace("\0", ""), "uri": taken.uri,
            "created": taken.manifest.created, "count": len(group),
        }  # fmt: skip


def _forget_outdated(connection: Connection, items: set[tuple[str, str]]) -> None:
    """Of a failed item that a later run of the same stage handled again only the later fate counts."""
    drops, fates = tables.rejects.c, tables.handled.c
    last = select(fates.created).where(fates.stage == drops.stage, fates.item == drops.item).scalar_subquery()
    this = (drops.stage == bindparam("one_stage"), drops.item == bindparam("one_item"), drops.created < last)
    if items:
        rows = [{"one_stage": stage, "one_item": item} for stage, item in sorted(items)]
        connection.execute(delete(tables.rejects).where(*this), rows)


def empty(connection: Connection, derived: Iterable[Table] = tables.DERIVED) -> None:
    """Forget everything that the manifests hold."""
    for table in derived:
        connection.execute(delete(table))
