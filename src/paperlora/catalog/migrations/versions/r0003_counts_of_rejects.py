"""How often one reason dropped something of one item: six claims of a paper are six, not one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Each reject from before counts once; `paperlora rebuild` counts them anew."""
    op.add_column("rejects", sa.Column("count", sa.Integer, nullable=False, server_default="1"))
