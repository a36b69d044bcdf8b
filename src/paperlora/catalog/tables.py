"""The catalog's tables. A change here needs a migration beside it: a test compares the two."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, Boolean, Column, DateTime, Dialect, Float, Integer, MetaData, String, Table, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB

REVISION = "0004"
"""Newest migration: what an open catalog stands at."""


class UtcDateTime(TypeDecorator[datetime]):
    """A time with its zone; SQLite keeps none, so everything is written and read as UTC."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What goes in."""
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        """What comes out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Document = JSON().with_variant(JSONB, "postgresql")
metadata = MetaData()

items = Table(
    "items", metadata,
    Column("id", String, primary_key=True),
    Column("kind", String, nullable=False, index=True),
    # Verdict kind, or metadata status of a paper; empty elsewhere.
    Column("label", String, nullable=False, index=True),
    # Folder it was read from.
    Column("uri", String, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("record", Document, nullable=False),
    # Key of the paper that it rests on; empty where it rests on none.
    Column("paper", String, nullable=False, server_default="", index=True),
    # placebo: it teaches nothing of any paper, others are held against it. repeat: a verdict on what an adapter with an
    # earlier seed was judged on. Empty elsewhere; only what has none counts as an adapter, a dataset or a verdict of papers.
    Column("role", String, nullable=False, server_default=""),
)  # fmt: skip

edges = Table(
    "edges", metadata,
    Column("source", String, primary_key=True),
    Column("target", String, primary_key=True, index=True),
    # made_from: the target falls with the source. considered: it was looked at (a lesson, an earlier revision, a placebo).
    Column("role", String, nullable=False, server_default="made_from"),
)  # fmt: skip

rejects = Table(
    "rejects", metadata,
    Column("stage", String, primary_key=True),
    Column("item", String, primary_key=True, index=True),
    Column("reason", String, primary_key=True),
    Column("detail", String, nullable=False),
    Column("uri", String, nullable=False, index=True),
    Column("created", UtcDateTime, nullable=False),
    # How many of the item this reason dropped; the detail is that of the first.
    Column("count", Integer, nullable=False, server_default="1"),
)  # fmt: skip

handled = Table(
    "handled", metadata,
    Column("stage", String, primary_key=True),
    Column("item", String, primary_key=True),
    # The last run of the stage that handled it: rejects from before count no more.
    Column("created", UtcDateTime, nullable=False),
)  # fmt: skip

folders = Table(
    "folders", metadata,
    Column("uri", String, primary_key=True),
    Column("content_hash", String, nullable=False),
)  # fmt: skip

papers = Table(
    "papers", metadata,
    Column("key", String, primary_key=True),
    Column("canonical", String, nullable=False, index=True),
    Column("version", Integer, nullable=False),
    Column("withdrawn", Boolean, nullable=False),
    Column("published", UtcDateTime),
    Column("updated", UtcDateTime),
    # When its text was read; empty while it waits.
    Column("read_at", UtcDateTime, index=True),
)  # fmt: skip

listings = Table(
    "listings", metadata,
    # Of each paper key and source the highest (rank, created, uri) stands; the paper's item is made of all of them.
    Column("paper", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("uri", String, nullable=False),
    Column("created", UtcDateTime, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("record", Document, nullable=False),
)  # fmt: skip

paper_topics = Table(
    "paper_topics", metadata,
    Column("paper", String, primary_key=True),
    Column("topic", String, primary_key=True, index=True),
)  # fmt: skip

aliases = Table(
    "aliases", metadata,
    Column("alias", String, primary_key=True),
    Column("canonical", String, nullable=False, index=True),
    # When a paper was first listed under this id; empty where it was only named beside another.
    Column("seen", UtcDateTime),
)  # fmt: skip

cursors = Table(
    "cursors", metadata,
    Column("name", String, primary_key=True),
    Column("source", String, nullable=False),
    Column("query", String, nullable=False),
    Column("cursor", String, nullable=False),
    Column("uri", String, nullable=False),
    Column("created", UtcDateTime, nullable=False),
)  # fmt: skip

candidates = Table(
    "candidates", metadata,
    Column("a", String, primary_key=True),
    Column("b", String, primary_key=True),
    Column("score", Float, nullable=False),
    Column("why", String, nullable=False),
)  # fmt: skip

DERIVED = (items, edges, rejects, handled, folders, listings, papers, paper_topics, aliases, cursors, candidates)
"""Everything that the manifests hold and a rebuild makes anew: all but the paces."""
