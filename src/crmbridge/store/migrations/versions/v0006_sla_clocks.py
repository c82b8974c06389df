"""SLA clocks that begin and end by themselves, know their pauses, and keep what judged them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

# Code point order, which SQLite has anyway.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

# What is there was measured on whole visits. Its goal is written in minutes or hours, and nobody knows what judged it:
# so it is judged once more by the next evaluation, and stays from then on.
FILL = """
INSERT INTO sla_clocks (connection, deal, stage, number, sla, started_at, ended_at, calendar, goal, goal_seconds,
    elapsed_seconds, due_at, state, running, pauses, judged_by)
SELECT clock.connection, clock.deal, clock.stage, clock.number, clock.sla, visit.entered_at, visit.left_at,
    clock.calendar,
    CASE WHEN clock.goal_seconds < 3600000 THEN CAST(CAST(clock.goal_seconds / 60 AS INTEGER) AS TEXT)
        || CASE clock.calendar WHEN '' THEN 'm' ELSE 'bm' END
    ELSE CAST(CAST(clock.goal_seconds / 3600 AS INTEGER) AS TEXT)
        || CASE clock.calendar WHEN '' THEN 'h' ELSE 'bh' END END,
    clock.goal_seconds, clock.elapsed_seconds, clock.due_at, clock.state, clock.running, '[]', ''
FROM sla_clocks_before AS clock
JOIN visits AS visit ON visit.connection = clock.connection AND visit.deal = clock.deal
    AND visit.stage = clock.stage AND visit.number = clock.number
WHERE clock.goal_seconds < 3600000000
"""


def upgrade() -> None:
    """Make the table anew, as when a clock began is a part of its key now."""
    op.execute("CREATE TEMPORARY TABLE sla_clocks_before AS SELECT * FROM sla_clocks")
    op.drop_table("sla_clocks")
    op.create_table(
        "sla_clocks",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("deal", TEXT, primary_key=True),
        sa.Column("stage", TEXT, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sla", TEXT, primary_key=True),
        sa.Column("started_at", TEXT, primary_key=True),
        sa.Column("ended_at", TEXT),
        sa.Column("calendar", TEXT, nullable=False),
        sa.Column("goal", TEXT, nullable=False),
        sa.Column("goal_seconds", sa.Double, nullable=False),
        sa.Column("elapsed_seconds", sa.Double, nullable=False),
        sa.Column("due_at", TEXT),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("running", sa.Integer, nullable=False),
        sa.Column("pauses", TEXT, nullable=False),
        sa.Column("judged_by", TEXT, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection", "deal", "stage", "number"],
            ["visits.connection", "visits.deal", "visits.stage", "visits.number"],
            name="sla_clocks_visit",
            ondelete="CASCADE",
        ),
    )
    op.execute(FILL)
    op.execute("DROP TABLE sla_clocks_before")
