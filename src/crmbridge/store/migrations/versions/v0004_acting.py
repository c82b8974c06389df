"""What acting on findings remembers: waivers, since when a finding asks for something, and what happened to it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

# Code point order, which SQLite has anyway.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add columns and tables. Findings that are there ask since they were opened; their past is not made up."""
    for name in ("waived_by", "waived_why", "waived_until", "asks_since"):
        op.add_column("findings", sa.Column(name, TEXT))
    op.add_column("findings", sa.Column("openings", sa.Integer, nullable=False, server_default="1"))
    op.create_table(
        "finding_events",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("finding", TEXT, nullable=False),
        sa.Column("connection", TEXT, nullable=False),
        sa.Column("deal", TEXT, nullable=False),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("visit", sa.Integer),
        sa.Column("turn", TEXT, nullable=False),
        sa.Column("at", TEXT, nullable=False),
        sa.Column("said", TEXT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("finding_events_by_deal", "finding_events", ["connection", "deal", "rule", "seq"])
    op.create_table(
        "waivers",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("deal", TEXT, primary_key=True),
        sa.Column("rule", TEXT, primary_key=True),
        sa.Column("by", TEXT, nullable=False),
        sa.Column("why", TEXT, nullable=False),
        sa.Column("until", TEXT, nullable=False),
        sa.Column("at", TEXT, nullable=False),
    )
