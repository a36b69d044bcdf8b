"""One paper under all its ids, what waits to be read, how far each query has come, and what rests on which paper."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
# Rejects of the first version bear no time: any later run of their stage counts as later.
EPOCH = "1970-01-01 00:00:00.000000"
BATCH = 1000


def upgrade() -> None:
    """Widen what there is, make the new tables, and fill them from the records."""
    _widen()
    for make in (_handled, _papers, _aliases, _cursors, _candidates, _paces):
        make()
    _fill()


def _widen() -> None:
    op.add_column("items", sa.Column("paper", sa.String, nullable=False, server_default=""))
    op.create_index("ix_items_paper", "items", ["paper"])
    op.add_column("edges", sa.Column("role", sa.String, nullable=False, server_default="made_from"))
    op.add_column("rejects", sa.Column("created", sa.DateTime(timezone=True), nullable=False, server_default=EPOCH))
    op.create_index("ix_rejects_item", "rejects", ["item"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE items ALTER COLUMN record TYPE JSONB USING record::jsonb")


def _handled() -> None:
    op.create_table(
        "handled",
        sa.Column("stage", sa.String, primary_key=True),
        sa.Column("item", sa.String, primary_key=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    )


def _papers() -> None:
    op.create_table(
        "papers",
        sa.Column("key", sa.String, primary_key=True),
        sa.Column("canonical", sa.String, nullable=False, index=True),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("withdrawn", sa.Boolean, nullable=False),
        sa.Column("published", sa.DateTime(timezone=True)),
        sa.Column("updated", sa.DateTime(timezone=True)),
        sa.Column("read_at", sa.DateTime(timezone=True), index=True),
    )
    op.create_table(
        "listings",
        sa.Column("paper", sa.String, primary_key=True),
        sa.Column("source", sa.String, primary_key=True),
        sa.Column("uri", sa.String, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("rank", sa.Integer, nullable=False),
        sa.Column("record", sa.JSON().with_variant(JSONB, "postgresql"), nullable=False),
    )
    op.create_table(
        "paper_topics",
        sa.Column("paper", sa.String, primary_key=True),
        sa.Column("topic", sa.String, primary_key=True, index=True),
    )


def _aliases() -> None:
    op.create_table(
        "aliases",
        sa.Column("alias", sa.String, primary_key=True),
        sa.Column("canonical", sa.String, nullable=False, index=True),
        sa.Column("seen", sa.DateTime(timezone=True)),
    )


def _cursors() -> None:
    op.create_table(
        "cursors",
        sa.Column("name", sa.String, primary_key=True),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("query", sa.String, nullable=False),
        sa.Column("cursor", sa.String, nullable=False),
        sa.Column("uri", sa.String, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
    )


def _candidates() -> None:
    op.create_table(
        "candidates",
        sa.Column("a", sa.String, primary_key=True),
        sa.Column("b", sa.String, primary_key=True),
        sa.Column("score", sa.Float, nullable=False),
        sa.Column("why", sa.String, nullable=False),
    )


def _paces() -> None:
    op.create_table(
        "paces",
        sa.Column("host", sa.String, primary_key=True),
        sa.Column("next_at", sa.Double, nullable=False, server_default="0"),
        sa.Column("holder", sa.String, nullable=False, server_default=""),
        sa.Column("lease_until", sa.Double, nullable=False, server_default="0"),
        sa.Column("failures", sa.Integer, nullable=False, server_default="0"),
        sa.Column("open_until", sa.Double, nullable=False, server_default="0"),
        # The pacer of the sources makes its table itself where it comes first.
        if_not_exists=True,
    )


items = sa.table("items", *map(sa.column, ("id", "kind", "paper", "record")), sa.column("created", sa.DateTime(timezone=True)))
papers = sa.table(
    "papers", *map(sa.column, ("key", "canonical", "version", "withdrawn")),
    *(sa.column(name, sa.DateTime(timezone=True)) for name in ("published", "updated", "read_at")),
)  # fmt: skip
paper_topics = sa.table("paper_topics", sa.column("paper"), sa.column("topic"))
aliases = sa.table("aliases", sa.column("alias"), sa.column("canonical"), sa.column("seen", sa.DateTime(timezone=True)))


def _fill() -> None:
    bind = op.get_bind()
    read_at: dict[str, datetime] = {}
    seen: dict[str, datetime] = {}
    ids = list(bind.execute(sa.select(items.c.id).order_by(items.c.id)).scalars())
    for start in range(0, len(ids), BATCH):
        part = list(_records(bind, ids[start : start + BATCH]))
        bind.execute(
            sa.update(items).where(items.c.id == sa.bindparam("one")).values(paper=sa.bindparam("of")),
            [{"one": id_, "of": _paper_of(kind, record)} for id_, kind, record, _ in part],
        )
        read_at |= {record["paper"]: created for _, kind, record, created in part if kind == "document"}
        found = [(record, created) for _, kind, record, created in part if kind == "paper"]
        for record, created in found:
            seen[record["id"]] = min(created, seen.get(record["id"], created))
        _insert(bind, papers, [_paper_row(record) for record, _ in found])
        topics = [{"paper": _key(record), "topic": topic} for record, _ in found for topic in dict.fromkeys(record["topics"])]
        _insert(bind, paper_topics, topics)
    op.execute(
        "INSERT INTO listings (paper, source, uri, created, rank, record) "
        "SELECT id, '', uri, created, 0, record FROM items WHERE kind = 'paper'"
    )
    _insert(bind, aliases, [{"alias": id_, "canonical": id_, "seen": time} for id_, time in seen.items()])
    for key, time in read_at.items():
        bind.execute(sa.update(papers).where(papers.c.key == key).values(read_at=time))
    kinds = "SELECT id FROM items WHERE kind = "
    op.execute(
        f"UPDATE edges SET role = 'considered' WHERE source IN ({kinds} 'lesson') "
        f"OR (source IN ({kinds} 'dataset') AND target IN ({kinds} 'dataset'))"
    )


def _records(bind: sa.Connection, ids: list[str]) -> Iterator[tuple[str, str, dict[str, Any], datetime]]:
    query = sa.select(items.c.id, items.c.kind, items.c.record, items.c.created).where(items.c.id.in_(ids))
    for id_, kind, record, created in bind.execute(query):
        yield id_, kind, record if isinstance(record, dict) else json.loads(record), created


def _key(paper: dict[str, Any]) -> str:
    return f"{paper['id']}v{paper['version']}"


def _paper_of(kind: str, record: dict[str, Any]) -> str:
    if kind == "paper":
        return _key(record)
    return _key(record["paper"]) if kind == "dataset" else str(record["paper"])


def _paper_row(record: dict[str, Any]) -> dict[str, Any]:
    published, updated = (_time(record[name]) for name in ("published", "updated"))
    return {
        "key": _key(record), "canonical": record["id"], "version": record["version"], "withdrawn": record["withdrawn"],
        "published": published, "updated": updated or published, "read_at": None,
    }  # fmt: skip


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _insert(bind: sa.Connection, table: sa.TableClause, rows: list[dict[str, Any]]) -> None:
    if rows:
        bind.execute(sa.insert(table), rows)
