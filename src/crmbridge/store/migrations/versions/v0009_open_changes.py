"""The changes that are still to be settled, so that a run need not look through the whole journal for them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"

# Code point order, which SQLite has anyway.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_OPEN = """
    INSERT INTO open_changes (change_id)
    SELECT change_id FROM journal
    WHERE seq IN (SELECT max(seq) FROM journal GROUP BY change_id) AND (phase = 'intent' OR outcome = 'unknown')
"""


def upgrade() -> None:
    """Add the table, with what the journal says."""
    op.create_table("open_changes", sa.Column("change_id", TEXT, primary_key=True))
    op.execute(_OPEN)
