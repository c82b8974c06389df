"""The tables of the state."""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Double,
    ForeignKeyConstraint,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
)

from crmbridge.store.sql.written import Json, Moment, RefText, Words

_EMPTY = {"fields": "{}", "problems": "[]"}  # what a row that names none of them has


class Parsed(Text):
    """Text that nobody looks at but to parse it, so that it may come as bytes."""


def as_written(source: Table, parsed: tuple[str, ...] = ()) -> Table:
    """Give a table's twin whose columns take values as they are written, for rows that come by the thousand.

    SQLAlchemy turns value for value into what a column's type wants, which costs more than all the rest of a row.
    `parsed` names the columns that may come as bytes.
    """
    columns = (
        Column(
            column.name,
            column.type if isinstance(column.type, Integer) else Parsed if column.name in parsed else Text,
            primary_key=column.primary_key,
            default=_EMPTY.get(column.name),
        )
        for column in source.columns
    )
    return Table(source.name, MetaData(), *columns)


def _key(*names: str) -> list[Column[Any]]:
    """Make columns of text that are part of the primary key."""
    return [Column(name, Words, primary_key=True) for name in names]


def _text(*names: str) -> list[Column[Any]]:
    """Make columns of text that is always there."""
    return [Column(name, Words, nullable=False) for name in names]


def _maybe(*names: str) -> list[Column[Any]]:
    """Make columns of text that may be missing."""
    return [Column(name, Words) for name in names]


metadata = MetaData()

records = Table(
    "records",
    metadata,
    *_key("connection", "kind", "id"),
    *_maybe("key", "version"),
    Column("created_at", Moment),
    Column("updated_at", Moment),  # NULL: only its tombstone is known
    *_maybe("pipeline", "stage", "status", "url"),
    Column("name", Words),  # this and the next four repeat what is in `fields`, for SQL
    *_maybe("amount", "currency", "owner", "close_date"),
    Column("fields", Json, nullable=False, default=dict),
    Column("problems", Json, nullable=False, default=list),
    Column("gone_at", Moment),
    Column("merged_into", RefText),
    Column("updated_by", Words),
    Column(
        "mark", BigInteger, nullable=False, default=0, server_default="0"
    ),  # when it last changed: the marks count up
    Index("records_by_mark", "mark"),
)

# The last mark that was given. Who takes the next holds the row until it commits, so marks are committed in order.
marks = Table(
    "marks",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),  # always 1
    Column("mark", BigInteger, nullable=False),
)

readers = Table(
    "readers",
    metadata,
    *_key("reader"),
    Column("mark", BigInteger, nullable=False),  # everything up to here is dealt with, but for what was left
)

left_over = Table("left_over", metadata, *_key("reader", "connection", "kind", "id"))

moves = Table(
    "moves",
    metadata,
    *_key("connection", "deal", "id"),
    Column("ordinal", Integer, nullable=False),  # the CRM's order, for moves of one instant
    Column("at", Moment, nullable=False),
    *_maybe("from_pipeline", "from_stage", "from_status"),
    *_text("to_pipeline", "to_stage", "to_status"),
    Column("by", Words),
)

# What deals were found to hold before: a row for each time that one was found changed.
edits = Table(
    "edits",
    metadata,
    *_key("connection", "deal"),
    Column("mark", BigInteger, primary_key=True, autoincrement=False),  # in the order in which they were seen
    Column("since", Moment, nullable=False),  # when the copy before was last changed
    Column("at", Moment, nullable=False),  # when the copy that was found was last changed
    Column("before", Json, nullable=False),  # the fields that differ, as they were
    Column("after", Json, nullable=False),
)

# What CRMs recorded themselves of the fields of deals, where they were asked.
courses = Table(
    "courses",
    metadata,
    *_key("connection", "deal", "field"),
    Column("until", Moment, nullable=False),  # up to when it is known
    Column("asked", Moment),  # up to when the CRM was asked, where that is later
    Column("held", Json, nullable=False),  # the values, oldest first: since when, what, by whom, what is wrong with it
    Column("why", Words, nullable=False),  # why the CRM can't tell
    Column("reading", Words, nullable=False),  # how the connection read its fields then
)

cursors = Table(
    "cursors",
    metadata,
    *_key("connection", "kind"),
    Column("cursor", Words, nullable=False),
    Column("saved_at", Moment, nullable=False),
)

links = Table(
    "links",
    metadata,
    *_key("connection", "kind", "id"),
    Column("link", Words, nullable=False),
    Index("links_by_link", "link"),
)

bases = Table(
    "bases",
    metadata,
    *_key("connection", "kind", "id"),
    Column("fields", Json, nullable=False),
)

waiting = Table(
    "waiting",
    metadata,
    *_key("link", "connection", "kind", "id", "name", "cause"),
    Column("item", Json, nullable=False),
    Column("since", Moment, nullable=False),
)

matches = Table(
    "matches",
    metadata,
    Column("digest", Words, primary_key=True),  # of rule and text, which may be long
    *_key("connection", "kind", "id"),
    Column("rule", Words, nullable=False),
    Column("text", Json, nullable=False),
    Index("matches_by_ref", "connection", "kind", "id"),
    sqlite_with_rowid=False,
)

findings = Table(
    "findings",
    metadata,
    *_key("id"),
    *_text("connection", "deal", "rule", "kind"),
    Column("stage", Words),
    *_text("severity", "message"),
    Column("since", Moment, nullable=False),
    Column("seen", Json, nullable=False),
    Column("visit", Integer),
    Column("path", Words),
    Column("opened_at", Moment, nullable=False),
    Column("cleared_at", Moment),
    Column("waived_by", Words),  # NULL: it is not waived
    Column("waived_why", Words),
    Column("waived_until", Moment),  # NULL for one that is waived: for good
    Column("asks_since", Moment),  # NULL: since it was opened
    Column("openings", Integer, nullable=False, default=1, server_default="1"),
    Index("findings_by_deal", "connection", "deal"),
    Index("findings_by_age", "cleared_at", "opened_at"),
)

finding_events = Table(
    "finding_events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    *_text("finding", "connection", "deal", "rule"),
    Column("visit", Integer),
    Column("turn", Words, nullable=False),
    Column("at", Moment, nullable=False),
    Column("said", Words, nullable=False),
    Index("finding_events_by_deal", "connection", "deal", "rule", "seq"),
    sqlite_autoincrement=True,
)

waivers = Table(
    "waivers",
    metadata,
    *_key("connection", "deal", "rule"),
    *_text("by", "why"),
    Column("until", Moment, nullable=False),
    Column("at", Moment, nullable=False),
)

# Those that another took the place of, or that were taken back.
past_waivers = Table(
    "past_waivers",
    metadata,
    *_key("connection", "deal", "rule"),
    *_text("by", "why"),
    Column("until", Moment, nullable=False),
    Column("at", Moment, primary_key=True),
    Column("ended_at", Moment, nullable=False),
)

places = Table(
    "places",
    metadata,
    *_key("connection", "deal"),
    Column("stage", Words),
    Column("status", Words, nullable=False),
    Column("evaluated_at", Moment, nullable=False),
    Column("until", Moment),  # when it may say something else although nothing changes; NULL: never
    Index("places_by_until", "until"),
)

visits = Table(
    "visits",
    metadata,
    *_key("connection", "deal", "stage"),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("ordinal", Integer, nullable=False),  # the order of the deal's visits
    Column("entered_at", Moment, nullable=False),
    Column("left_at", Moment),
    Column("to_stage", Words),
    Column("to_status", Words),  # NULL: the visit lasts
)

sla_clocks = Table(
    "sla_clocks",
    metadata,
    *_key("connection", "deal", "stage"),
    Column("number", Integer, primary_key=True, autoincrement=False),
    *_key("sla"),
    Column("started_at", Moment, primary_key=True),
    Column("ended_at", Moment),  # NULL while it runs
    Column("calendar", Words, nullable=False),
    Column("goal", Words, nullable=False),  # as the process writes it, such as 5bd
    Column("goal_seconds", Double, nullable=False),
    Column("elapsed_seconds", Double, nullable=False),
    Column("due_at", Moment),
    Column("state", Words, nullable=False),
    Column("running", Integer, nullable=False),  # 1 or 0
    Column("pauses", Json, nullable=False),  # [[from, until], ...]; the last may have no end
    Column("judged_by", Words, nullable=False),  # digests of the SLA and of the calendar; empty: not known
    ForeignKeyConstraint(
        ["connection", "deal", "stage", "number"],
        ["visits.connection", "visits.deal", "visits.stage", "visits.number"],
        name="sla_clocks_visit",
        ondelete="CASCADE",
    ),
)

journal = Table(
    "journal",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("run", Words, nullable=False),
    Column("at", Moment, nullable=False),
    Column("change_id", Words, nullable=False),
    Column("phase", Words, nullable=False),  # intent or outcome
    Column("change", Json, nullable=False),
    Column("outcome", Words),
    Column("ref", RefText),
    Column("message", Words, nullable=False),
    Index("journal_by_change", "change_id", "seq"),
    Index("journal_by_run", "run", "seq"),
    sqlite_autoincrement=True,
)

# The changes of the journal whose last row is an intent, or an unknown outcome: what is still to be settled.
open_changes = Table("open_changes", metadata, Column("change_id", Words, primary_key=True))

# Which changes of the journal were meant for a record, or made it, so that nobody looks through it for them.
journal_refs = Table(
    "journal_refs",
    metadata,
    Column("ref", RefText, primary_key=True),
    Column("change_id", Words, primary_key=True),
)

runs = Table(
    "runs",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=True),
    Column("id", Words, nullable=False, unique=True),
    Column("command", Words, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("finished_at", Moment),
    Column("exit_code", Integer),
    Column("summary", Json, nullable=False),
    Index("runs_by_start", "started_at", "seq"),
)

lease = Table(
    "lease",
    metadata,
    Column("one", Integer, primary_key=True, autoincrement=False),  # always 1: there is one lease
    *_text("token", "holder"),
    Column("since", Moment, nullable=False),
    Column("expires_at", Moment, nullable=False),
    CheckConstraint("one = 1", name="lease_is_one"),
)

hints = Table(
    "hints",
    metadata,
    *_key("connection", "kind", "id"),
    Column("noted_at", Moment, nullable=False),
)

deliveries = Table(
    "deliveries",
    metadata,
    *_key("delivery"),
    Column("seen_at", Moment, nullable=False),
    Index("deliveries_by_age", "seen_at"),
)

memory = Table(
    "memory",
    metadata,
    *_key("connection", "name"),
    Column("value", Json, nullable=False),
    Column("saved_at", Moment, nullable=False),
)

# In PostgreSQL only: beside a SQLite state, requests are counted in a file of their own (rates.py says why).
rates = Table(
    "rates",
    MetaData(),
    *_key("account", "rate"),
    Column("slot", BigInteger, primary_key=True, autoincrement=False),
    Column("amount", BigInteger, nullable=False),
    prefixes=["UNLOGGED"],  # losing it costs nothing but a little speed
)
