"""The four tables of the first version, made before there were migrations: where they stand, they are taken over."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make what isn't there."""
    there = set(sa.inspect(op.get_bind()).get_table_names())
    for name, make in {"items": _items, "edges": _edges, "rejects": _rejects, "folders": _folders}.items():
        if name not in there:
            make()


def _items() -> None:
    op.create_table(
        "items",
        sa.Column("id", sa.String, primary_key=True),
        sa.Column("kind", sa.String, nullable=False, index=True),
        sa.Column("label", sa.String, nullable=False, index=True),
        sa.Column("uri", sa.String, nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("record", sa.JSON, nullable=False),
    )


def _edges() -> None:
    op.create_table(
        "edges",
        sa.Column("source", sa.String, primary_key=True),
        sa.Column("target", sa.String, primary_key=True, index=True),
    )


def _rejects() -> None:
    op.create_table(
        "rejects",
        sa.Column("stage", sa.String, primary_key=True),
        sa.Column("item", sa.String, primary_key=True),
        sa.Column("reason", sa.String, primary_key=True),
        sa.Column("detail", sa.String, nullable=False),
        sa.Column("uri", sa.String, nullable=False, index=True),
    )


def _folders() -> None:
    op.create_table(
        "folders",
        sa.Column("uri", sa.String, primary_key=True),
        sa.Column("content_hash", sa.String, nullable=False),
    )
