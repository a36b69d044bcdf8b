"""Placebos, and verdicts that an earlier seed has given before, stand beside the papers' own and are not counted with them."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0004"
down_revision = "0003"
BATCH = 1000
items = sa.table("items", sa.column("id"), sa.column("kind"), sa.column("role"), sa.column("record", sa.JSON().with_variant(JSONB, "postgresql")))


def upgrade() -> None:
    """Mark the verdicts of later seeds; placebos stand in no catalog from before, the next refresh finds them."""
    op.add_column("items", sa.Column("role", sa.String, nullable=False, server_default=""))
    connection = op.get_bind()
    rows = connection.execute(sa.select(items.c.id, items.c.record).where(items.c.kind == "verdict"))
    repeats = [{"one": row.id} for row in rows if _is_repeat(row.record)]
    change = sa.update(items).where(items.c.id == sa.bindparam("one")).values(role="repeat")
    for start in range(0, len(repeats), BATCH):
        connection.execute(change, repeats[start : start + BATCH])


def _is_repeat(record: dict[str, Any]) -> bool:
    return "REPEAT" in record.get("flags", ())
