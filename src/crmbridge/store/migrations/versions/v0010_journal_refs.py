"""Which changes of the journal are about a record, so that nobody need look through the whole journal for them."""

from __future__ import annotations

import json
import re

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

# Code point order, which SQLite has anyway.
TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
AT_ONCE = 5000  # rows
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")  # what no database keeps in text; a change keeps it in JSON
_ROWS = sa.text("SELECT seq, change_id, change, ref FROM journal WHERE seq > :after ORDER BY seq LIMIT :most")
_ADD = sa.text("INSERT INTO journal_refs (ref, change_id) VALUES (:ref, :change_id) ON CONFLICT DO NOTHING")


def upgrade() -> None:
    """Add the table, with what the journal says."""
    op.create_table(
        "journal_refs",
        sa.Column("ref", TEXT, primary_key=True),
        sa.Column("change_id", TEXT, primary_key=True),
    )
    connection, after = op.get_bind(), 0
    while rows := connection.execute(_ROWS, {"after": after, "most": AT_ONCE}).all():
        after = rows[-1].seq
        about = {(ref, row.change_id) for row in rows for ref in (_target(row.change), row.ref) if ref is not None}
        if about:
            connection.execute(_ADD, [{"ref": ref, "change_id": id_} for ref, id_ in sorted(about)])


def _target(change: str) -> str | None:
    target = json.loads(change).get("target")
    return _UNSTORABLE.sub("\ufffd", "/".join(target)) if target else None
