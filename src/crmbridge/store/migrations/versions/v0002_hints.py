"""Hints from webhooks, what adapters keep between runs, and the requests that were sent."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# Code point order, which SQLite has anyway.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the tables; what is there already stays as it is."""
    op.create_table(
        "hints",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("kind", TEXT, primary_key=True),
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("noted_at", TEXT, nullable=False),
    )
    op.create_table(
        "deliveries",
        sa.Column("delivery", TEXT, primary_key=True),
        sa.Column("seen_at", TEXT, nullable=False),
    )
    op.create_index("deliveries_by_age", "deliveries", ["seen_at"])
    op.create_table(
        "memory",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("value", TEXT, nullable=False),
        sa.Column("saved_at", TEXT, nullable=False),
    )
    if op.get_bind().dialect.name == "postgresql":
        _rates()


def _rates() -> None:
    """Make the ledger of requests: not logged, as losing it costs nothing but a little speed."""
    op.create_table(
        "rates",
        sa.Column("account", TEXT, primary_key=True),
        sa.Column("rate", TEXT, primary_key=True),
        sa.Column("slot", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("amount", sa.BigInteger, nullable=False),
        prefixes=["UNLOGGED"],
    )
