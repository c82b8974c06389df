"""What CRMs recorded of the fields of deals, so that a rule can be judged by the values at a move."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

# Code point order, which SQLite has anyway.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table; CRMs are asked from the next move on."""
    op.create_table(
        "courses",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("deal", TEXT, primary_key=True),
        sa.Column("field", TEXT, primary_key=True),
        sa.Column("until", TEXT, nullable=False),
        sa.Column("asked", TEXT),
        sa.Column("held", TEXT, nullable=False),
        sa.Column("why", TEXT, nullable=False),
        sa.Column("reading", TEXT, nullable=False),
    )
