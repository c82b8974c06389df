"""What deals were found to hold before, so that a rule can be judged by the values of an earlier moment."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

# Code point order, which SQLite has anyway.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table; what was changed before is not known."""
    op.create_table(
        "edits",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("deal", TEXT, primary_key=True),
        sa.Column("mark", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("since", TEXT, nullable=False),
        sa.Column("at", TEXT, nullable=False),
        sa.Column("before", TEXT, nullable=False),
        sa.Column("after", TEXT, nullable=False),
    )
