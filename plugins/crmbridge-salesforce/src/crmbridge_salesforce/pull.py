"""Walking through what changed in an org, page by page, with a cursor that never runs ahead of what was delivered.

Stamps have whole seconds, many rows can share one, and a row can become visible after rows with a later stamp,
because the stamp is set when a transaction starts writing and the row is seen when it commits. So a walk
- goes by (stamp, id) and asks for each page anew from the last row it saw,
- ends at the newest stamp there was when it began,
- notes the org's own time at which it began; the next one starts an overlap before that,
- carries that note in its cursors, so that a walk that was cut short loses no late rows either.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from crmbridge.errors import ConfigurationError
from crmbridge.http import pages
from crmbridge.model.records import Kind, Ref, Tombstone
from crmbridge.model.values import iso, parse_iso
from crmbridge.ports import Page
from crmbridge_salesforce.details import details_of, moves_of
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.mapping import Shape
from crmbridge_salesforce.org import Org, Row
from crmbridge_salesforce.schema import Schema, Table
from crmbridge_salesforce.soql import moment, select, text
from crmbridge_salesforce.values import read_moment

DEAL_PREFIX = "006"
# Writing a task or a contact role need not touch the stamp of the deal it hangs on.
_TOUCHING = (("Task", "WhatId"), ("OpportunityContactRole", "OpportunityId"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """Where a walk stands. With an id it is under way, after that row; without, `at` is when the last one began.

    `floor` is when the walk under way began, `gone` when the one before it did: deletions are owed since then.
    """

    at: datetime | None = None
    id: str = ""
    floor: datetime | None = None
    gone: datetime | None = None

    @classmethod
    def parse(cls, written: str | None) -> Cursor:
        """Read what `dump` wrote; raises ConfigurationError for anything else."""
        if written is None:
            return cls()
        try:
            data = json.loads(written)
            times = {name: parse_iso(data[name]) for name in ("at", "floor", "gone") if data.get(name)}
            return cls(id=str(data.get("id", "")), **times)
        except (ValueError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                f"The state holds a Salesforce cursor that can't be read: {written[:60]!r}",
                advice="Pull this connection again from the beginning.",
            ) from error

    def dump(self) -> str:
        """Write it for the state."""
        parts = {"at": self.at, "floor": self.floor, "gone": self.gone}
        times = {name: iso(value) for name, value in parts.items() if value}
        return json.dumps({**times, "id": self.id} if self.id else times, separators=(",", ":"))


class Walk:
    """One pull of one kind."""

    def __init__(self, org: Org, schema: Schema, shape: Shape, *, overlap: timedelta, page_size: int) -> None:
        self._org = org
        self._schema = schema
        self._shape = shape
        self._table: Table = schema.table(shape.object)
        self._columns = shape.columns(self._table)
        self._overlap = overlap
        self._page_size = page_size

    def pages(self, since: str | None) -> Iterator[Page]:
        """Yield what changed since a cursor; the last page carries what is gone and where the next walk begins."""
        cursor = Cursor.parse(since)
        newest, now = self._newest()
        end = cursor.floor or now or newest or cursor.at
        gone = cursor.gone or cursor.at or end
        place = replace(cursor, floor=end, gone=gone)
        delivered: set[str] = set()
        if newest is not None:
            for rows, _ in pages(lambda token: self._rows(token, newest), start=place.dump()):
                if rows:
                    place = self._after(rows[-1], place)
                    delivered.update(to_18(str(row["Id"])) for row in rows if since is not None)
                    yield self._page(rows, place.dump())
        if since is not None and gone is not None and self._shape.kind is Kind.DEAL:
            for rows in self._touched(gone - self._overlap, delivered):
                yield self._page(rows, place.dump())
        yield Page(tombstones=self._tombstones(gone), cursor=Cursor(at=end).dump())

    def _newest(self) -> tuple[datetime | None, datetime | None]:
        """Give the newest stamp there is, and the org's own time."""
        stamp = self._table.stamp
        rows, now = self._org.query_now(select([stamp], self._table.name, order=f"{stamp} DESC", limit=1))
        return (read_moment(rows[0][stamp]) if rows else None), now

    def _rows(self, token: str | None, newest: datetime) -> tuple[list[Row], str | None]:
        """Give the next rows up to the newest stamp, and the cursor after them while there may be more."""
        place, stamp = Cursor.parse(token), self._table.stamp
        rows = self._org.query(
            select(
                self._columns,
                self._table.name,
                where=f"{self._begin(place)}{stamp} <= {moment(newest)}",
                order=f"{stamp}, Id",
                limit=self._page_size,
            )
        )
        more = len(rows) >= self._page_size
        return rows, self._after(rows[-1], place).dump() if more else None

    def _begin(self, place: Cursor) -> str:
        if place.at is None:
            return ""
        stamp = self._table.stamp
        if not place.id:
            return f"{stamp} >= {moment(place.at - self._overlap)} AND "
        at = moment(place.at)
        return f"(({stamp} = {at} AND Id > {text(place.id)}) OR {stamp} > {at}) AND "

    def _after(self, row: Row, place: Cursor) -> Cursor:
        return replace(place, at=read_moment(row[self._table.stamp]), id=to_18(str(row["Id"])))

    def _page(self, rows: list[Row], cursor: str) -> Page:
        if self._shape.kind is not Kind.DEAL:
            return Page(records=tuple(self._shape.record(row, self._table) for row in rows), cursor=cursor)
        found = details_of(self._org, rows)
        return Page(
            records=tuple(self._shape.record(row, self._table, found[to_18(str(row["Id"]))]) for row in rows),
            moves=tuple(moves_of(self._org, self._schema, rows)),
            cursor=cursor,
        )

    def _touched(self, since: datetime, delivered: set[str]) -> Iterator[list[Row]]:
        """Yield deals that did not change themselves while their tasks or contacts did."""
        ids: set[str] = set()
        for name, column in _TOUCHING:
            stamp = self._schema.table(name).stamp
            found = self._org.query(select([column], name, where=f"{stamp} >= {moment(since)}"), deleted_too=True)
            ids.update(to_18(str(row[column])) for row in found if str(row[column] or "").startswith(DEAL_PREFIX))
        wanted = sorted(ids - delivered)
        for start in range(0, len(wanted), self._page_size):
            part = wanted[start : start + self._page_size]
            rows = list(self._org.rows(self._table.name, part, self._columns))
            if rows:
                yield rows

    def _tombstones(self, since: datetime | None) -> tuple[Tombstone, ...]:
        if since is None or "IsDeleted" not in self._table.columns:
            return ()
        stamp = self._table.stamp
        columns = self._table.having("Id", stamp, "MasterRecordId")
        where = f"IsDeleted = true AND {stamp} >= {moment(since - self._overlap)}"
        rows = self._org.query(select(columns, self._table.name, where=where, order=f"{stamp}, Id"), deleted_too=True)
        return tuple(self._tombstone(row, stamp) for row in rows)

    def _tombstone(self, row: Row, stamp: str) -> Tombstone:
        master: Any = row.get("MasterRecordId")
        return Tombstone(
            ref=self._ref(row["Id"]), at=read_moment(row[stamp]), merged_into=self._ref(master) if master else None
        )

    def _ref(self, row_id: Any) -> Ref:
        return Ref(self._org.connection, self._shape.kind, to_18(str(row_id)))
