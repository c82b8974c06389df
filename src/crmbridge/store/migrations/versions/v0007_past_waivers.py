"""Waivers that hold no more, so that an earlier moment is explained by what was accepted then."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

# Code point order, which SQLite has anyway.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table; what was replaced or taken back before is not known."""
    op.create_table(
        "past_waivers",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("deal", TEXT, primary_key=True),
        sa.Column("rule", TEXT, primary_key=True),
        sa.Column("by", TEXT, nullable=False),
        sa.Column("why", TEXT, nullable=False),
        sa.Column("until", TEXT, nullable=False),
        sa.Column("at", TEXT, primary_key=True),
        sa.Column("ended_at", TEXT, nullable=False),
    )
