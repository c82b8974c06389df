"""Hints to re-read a record, and the deliveries that were seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, bindparam, delete, select

from crmbridge.model.records import Kind, Ref
from crmbridge.store.sql import schema
from crmbridge.store.sql.database import Database, insert_new, upsert
from crmbridge.store.sql.written import Moment

_hints, _deliveries = schema.hints, schema.deliveries
_PENDING = (
    select(_hints).where(_hints.c.connection == bindparam("of")).order_by(_hints.c.noted_at, _hints.c.kind, _hints.c.id)
)


class SqlHints:
    """Hints, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, refs: Sequence[Ref], at: datetime) -> None:
        """Note that these may have changed; one that was noted later already keeps that time."""
        with self._database.write() as open_:
            _add(open_, refs, at)

    def pending(self, connection: str) -> tuple[tuple[Ref, datetime], ...]:
        """Give the refs noted, oldest first, each with when it was last noted."""
        with self._database.read() as open_:
            rows = open_.execute(_PENDING, {"of": connection})
            return tuple((Ref(row.connection, Kind(row.kind), row.id), row.noted_at) for row in rows)

    def done(self, seen: Sequence[tuple[Ref, datetime]]) -> None:
        """Forget the refs that were re-read, unless they were noted again since the time given."""
        if not seen:
            return
        same = [_hints.c[name] == bindparam(f"the_{name}") for name in ("connection", "kind", "id")]
        gone = delete(_hints).where(and_(*same, _hints.c.noted_at <= bindparam("until", type_=Moment)))
        rows = [{f"the_{name}": value for name, value in _key(ref).items()} | {"until": at} for ref, at in sorted(seen)]
        with self._database.write() as open_:
            open_.execute(gone, rows)

    def first_seen(
        self, deliveries: Sequence[str], at: datetime, keep: timedelta, refs: Sequence[Ref] = ()
    ) -> frozenset[str]:
        """Give the deliveries that are seen for the first time within `keep`, and note them, with the refs."""
        names = sorted(set(deliveries))  # in one order, so that two processes never wait for each other
        with self._database.write() as open_:
            open_.execute(delete(_deliveries).where(_deliveries.c.seen_at <= at - keep))
            new = [name for name in names if insert_new(open_, _deliveries, {"delivery": name, "seen_at": at})]
            if new:
                _add(open_, refs, at)
            return frozenset(new)


def _add(open_: Connection, refs: Sequence[Ref], at: datetime) -> None:
    # In one order, here and where they are forgotten, so that two processes never wait for each other.
    rows = [{**_key(ref), "noted_at": at} for ref in sorted(set(refs))]
    upsert(open_, _hints, rows, only=_hints.c.noted_at < at)


def _key(ref: Ref) -> dict[str, str]:
    return {"connection": ref.connection, "kind": ref.kind, "id": ref.id}
