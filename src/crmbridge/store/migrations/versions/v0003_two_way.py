"""What two-way sync remembers: marks of what changed, bases by record, what waits, and what records are matched by."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby, islice
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

AT_ONCE = 1000  # rows

# Code point order, which SQLite has anyway.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add columns and tables; the bases, which had a row for each field, get one for each record."""
    op.add_column("records", sa.Column("updated_by", TEXT))
    op.add_column("records", sa.Column("mark", sa.BigInteger, nullable=False, server_default="0"))
    op.execute("UPDATE records SET mark = 1")  # everything is looked at once: nobody knows what was dealt with
    op.create_index("records_by_mark", "records", ["mark"])
    op.add_column("places", sa.Column("until", TEXT))
    op.create_index("places_by_until", "places", ["until"])
    _readers()
    _bases()
    _waiting()
    _matches()


def _ref() -> tuple[sa.Column[Any], ...]:
    return tuple(sa.Column(name, TEXT, primary_key=True) for name in ("connection", "kind", "id"))


def _readers() -> None:
    marks = op.create_table(
        "marks",
        sa.Column("one", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("mark", sa.BigInteger, nullable=False),
    )
    op.get_bind().execute(marks.insert().values(one=1, mark=1))
    op.create_table(
        "readers",
        sa.Column("reader", TEXT, primary_key=True),
        sa.Column("mark", sa.BigInteger, nullable=False),
    )
    op.create_table("left_over", sa.Column("reader", TEXT, primary_key=True), *_ref())


def _bases() -> None:
    """Go through the old rows some at a time: there may be millions."""
    bind = op.get_bind()
    op.execute("CREATE TEMPORARY TABLE bases_before AS SELECT connection, kind, id, field, value FROM bases")
    op.drop_table("bases")
    made = op.create_table("bases", *_ref(), sa.Column("fields", TEXT, nullable=False))
    query = sa.text("SELECT connection, kind, id, field, value FROM bases_before ORDER BY connection, kind, id, field")
    rows = bind.execute(query, execution_options={"yield_per": AT_ONCE})
    groups = groupby(rows, key=lambda row: tuple(row[:3]))
    bases = (_base(key, group) for key, group in groups)
    while some := list(islice(bases, AT_ONCE)):
        bind.execute(made.insert(), some)
    op.execute("DROP TABLE bases_before")


def _base(key: tuple[str, ...], rows: Iterable[sa.Row[Any]]) -> dict[str, str]:
    connection, kind, id_ = key
    text = json.dumps({row.field: json.loads(row.value) for row in rows}, separators=(",", ":"))
    return {"connection": connection, "kind": kind, "id": id_, "fields": text}


def _waiting() -> None:
    op.create_table(
        "waiting",
        sa.Column("link", TEXT, primary_key=True),
        *_ref(),
        sa.Column("name", TEXT, primary_key=True),
        sa.Column("cause", TEXT, primary_key=True),
        sa.Column("item", TEXT, nullable=False),
        sa.Column("since", TEXT, nullable=False),
    )


def _matches() -> None:
    op.create_table(
        "matches",
        sa.Column("digest", TEXT, primary_key=True),
        *_ref(),
        sa.Column("rule", TEXT, nullable=False),
        sa.Column("text", TEXT, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_index("matches_by_ref", "matches", ["connection", "kind", "id"])
