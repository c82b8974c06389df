"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

# Code point order, which SQLite has anyway.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

# The journal only grows: its rows can't be changed or taken away, not even by hand.
KEEP_ROWS = """
    CREATE TRIGGER journal_keeps_rows BEFORE DELETE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
"""
KEEP_VALUES = """
    CREATE TRIGGER journal_keeps_values BEFORE UPDATE ON journal
    BEGIN SELECT RAISE(ABORT, 'the journal is append-only'); END
"""
REFUSE = """
    CREATE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$
"""
KEEP_ALL = """
    CREATE TRIGGER journal_keeps_all BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION journal_is_append_only()
"""
APPEND_ONLY = {"sqlite": (KEEP_ROWS, KEEP_VALUES), "postgresql": (REFUSE, KEEP_ALL)}


def upgrade() -> None:
    """Make all tables, indices and the journal's triggers."""
    _pulled()
    _linked()
    _found()
    _measured()
    _done()
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)


def _pulled() -> None:
    op.create_table(
        "records",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("kind", TEXT, primary_key=True),
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("key", TEXT),
        sa.Column("version", TEXT),
        sa.Column("created_at", TEXT),
        sa.Column("updated_at", TEXT),
        sa.Column("pipeline", TEXT),
        sa.Column("stage", TEXT),
        sa.Column("status", TEXT),
        sa.Column("url", TEXT),
        sa.Column("name", TEXT),
        sa.Column("amount", TEXT),
        sa.Column("currency", TEXT),
        sa.Column("owner", TEXT),
        sa.Column("close_date", TEXT),
        sa.Column("fields", TEXT, nullable=False),
        sa.Column("problems", TEXT, nullable=False),
        sa.Column("gone_at", TEXT),
        sa.Column("merged_into", TEXT),
    )
    op.create_table(
        "moves",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("deal", TEXT, primary_key=True),
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("at", TEXT, nullable=False),
        sa.Column("from_pipeline", TEXT),
        sa.Column("from_stage", TEXT),
        sa.Column("from_status", TEXT),
        sa.Column("to_pipeline", TEXT, nullable=False),
        sa.Column("to_stage", TEXT, nullable=False),
        sa.Column("to_status", TEXT, nullable=False),
        sa.Column("by", TEXT),
    )
    op.create_table(
        "cursors",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("kind", TEXT, primary_key=True),
        sa.Column("cursor", TEXT, nullable=False),
        sa.Column("saved_at", TEXT, nullable=False),
    )


def _linked() -> None:
    op.create_table(
        "links",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("kind", TEXT, primary_key=True),
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("link", TEXT, nullable=False),
    )
    op.create_index("links_by_link", "links", ["link"])
    op.create_table(
        "bases",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("kind", TEXT, primary_key=True),
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("field", TEXT, primary_key=True),
        sa.Column("value", TEXT, nullable=False),
    )


def _found() -> None:
    op.create_table(
        "findings",
        sa.Column("id", TEXT, primary_key=True),
        sa.Column("connection", TEXT, nullable=False),
        sa.Column("deal", TEXT, nullable=False),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("kind", TEXT, nullable=False),
        sa.Column("stage", TEXT),
        sa.Column("severity", TEXT, nullable=False),
        sa.Column("message", TEXT, nullable=False),
        sa.Column("since", TEXT, nullable=False),
        sa.Column("seen", TEXT, nullable=False),
        sa.Column("visit", sa.Integer),
        sa.Column("path", TEXT),
        sa.Column("opened_at", TEXT, nullable=False),
        sa.Column("cleared_at", TEXT),
    )
    op.create_index("findings_by_deal", "findings", ["connection", "deal"])
    op.create_index("findings_by_age", "findings", ["cleared_at", "opened_at"])
    op.create_table(
        "places",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("deal", TEXT, primary_key=True),
        sa.Column("stage", TEXT),
        sa.Column("status", TEXT, nullable=False),
        sa.Column("evaluated_at", TEXT, nullable=False),
    )


def _measured() -> None:
    op.create_table(
        "visits",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("deal", TEXT, primary_key=True),
        sa.Column("stage", TEXT, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.Column("entered_at", TEXT, nullable=False),
        sa.Column("left_at", TEXT),
        sa.Column("to_stage", TEXT),
        sa.Column("to_status", TEXT),
    )
    op.create_table(
        "sla_clocks",
        sa.Column("connection", TEXT, primary_key=True),
        sa.Column("deal", TEXT, primary_key=True),
        sa.Column("stage", TEXT, primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sla", TEXT, primary_key=True),
        sa.Column("calendar", TEXT, nullable=False),
        sa.Column("goal_seconds", sa.Double, nullable=False),
        sa.Column("elapsed_seconds", sa.Double, nullable=False),
        sa.Column("due_at", TEXT),
        sa.Column("state", TEXT, nullable=False),
        sa.Column("running", sa.Integer, nullable=False),
        sa.ForeignKeyConstraint(
            ["connection", "deal", "stage", "number"],
            ["visits.connection", "visits.deal", "visits.stage", "visits.number"],
            name="sla_clocks_visit",
            ondelete="CASCADE",
        ),
    )


def _done() -> None:
    op.create_table(
        "journal",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("run", TEXT, nullable=False),
        sa.Column("at", TEXT, nullable=False),
        sa.Column("change_id", TEXT, nullable=False),
        sa.Column("phase", TEXT, nullable=False),
        sa.Column("change", TEXT, nullable=False),
        sa.Column("outcome", TEXT),
        sa.Column("ref", TEXT),
        sa.Column("message", TEXT, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("journal_by_change", "journal", ["change_id", "seq"])
    op.create_index("journal_by_run", "journal", ["run", "seq"])
    op.create_table(
        "runs",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("id", TEXT, nullable=False, unique=True),
        sa.Column("command", TEXT, nullable=False),
        sa.Column("started_at", TEXT, nullable=False),
        sa.Column("finished_at", TEXT),
        sa.Column("exit_code", sa.Integer),
        sa.Column("summary", TEXT, nullable=False),
    )
    op.create_index("runs_by_start", "runs", ["started_at", "seq"])
    op.create_table(
        "lease",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("token", TEXT, nullable=False),
        sa.Column("holder", TEXT, nullable=False),
        sa.Column("since", TEXT, nullable=False),
        sa.Column("expires_at", TEXT, nullable=False),
        sa.CheckConstraint("one = 1", name="lease_is_one"),
    )
