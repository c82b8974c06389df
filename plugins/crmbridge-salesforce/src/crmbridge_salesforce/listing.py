"""Asking for the rows of one source page by page, by time of change and id."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from crmbridge.errors import RetryLaterError
from crmbridge.http.replies import UNREADABLE
from crmbridge.model.replacing import replace
from crmbridge_salesforce import soql
from crmbridge_salesforce.cursor import Cursor
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.org import Answer, Org, Row
from crmbridge_salesforce.rows import Cells
from crmbridge_salesforce.soql import moment, select, text
from crmbridge_salesforce.sources import Source
from crmbridge_salesforce.values import read_moment


class Pace(Struct, frozen=True, kw_only=True):
    """How a walk goes: how much is read again for late rows, how many rows make a page, from when on in bulk."""

    overlap: timedelta
    page_size: int
    bulk_above: int


class Listing(NamedTuple):
    """One page of rows, and where the walk stands after it. `full` says that there may be more.

    Instead of rows it may have their ids, by which they are still to be read.
    """

    rows: list[Cells]
    after: Cursor
    full: bool
    ids: Sequence[str] = ()


class Listings:
    """The rows of one source, as a walk asks for them."""

    def __init__(self, org: Org, source: Source, pace: Pace) -> None:
        self._org = org
        self._source = source
        self._form = source.form
        self._table = source.form.table.name
        self._pace = pace
        self.ceiling: datetime | None = None  # the org's own time; what is younger is for the next walk

    def ask(self, place: Cursor, most: int | None = None) -> Answer:
        """Ask for the next rows, a page of them. Where all columns would not fit in a URL, ask for their ids first."""
        answer = self._org.query_now(self._statement(place, self._limit(most)), deleted_too=self._source.deleted_too)
        for row in answer.rows:
            self._must_have_place(row)
        return answer

    def _must_have_place(self, row: Row) -> None:
        """Raise RetryLaterError for a row by which a walk can't go on."""
        try:
            read_moment(row[self._form.stamp])
            is_sound = isinstance(row["Id"], str) and row["Id"] != ""
        except (KeyError, ValueError):
            is_sound = False
        if not is_sound:
            raise RetryLaterError(
                f"{self._org.connection}: a row of {self._table} has no id or no time of change", advice=UNREADABLE
            )

    def _limit(self, most: int | None) -> int:
        return self._pace.page_size if most is None else min(most, self._pace.page_size)

    def _statement(self, place: Cursor, limit: int) -> str:
        stamp, columns = self._form.stamp, self._form.columns
        wanted = columns if self._fits(columns) else columns[:2]
        where = self.where(place, None if self.ceiling is None else f"{stamp} <= {moment(self.ceiling)}")
        return select(wanted, self._table, where=where, order=f"{stamp}, Id", limit=limit)

    def _fits(self, columns: Sequence[str]) -> bool:
        return soql.size(select(columns, self._table)) < soql.LONGEST_QUERY - 1000

    def listing(self, answer: Answer, place: Cursor, most: int | None = None) -> Listing:
        """Read what was answered from a place on, where so many were asked for."""
        rows = answer.rows
        return Listing(
            rows=self._form.of_json(rows) if self._fits(self._form.columns) else self.by_ids(_ids(rows)),
            after=self._after(rows, place),
            full=len(rows) >= self._limit(most),
        )

    def named(self, answer: Answer, place: Cursor, most: int) -> Listing:
        """Read an answer that names the rows from a place on, where so many were asked for."""
        rows = answer.rows
        return Listing([], self._after(rows, place), full=len(rows) >= self._limit(most), ids=_ids(rows))

    def by_ids(self, ids: Sequence[str]) -> list[Cells]:
        """Read rows by their ids; the ones that are gone are left out."""
        return self._form.of_json(self._org.rows(self._table, ids, self._form.columns))

    def _after(self, rows: Sequence[Row], place: Cursor) -> Cursor:
        """Give the place after the last row that stands where it was sorted in.

        A row that was changed while its page was on its way shows a stamp from after the walk began: going on from
        there would leave out the rows before it.
        """
        for row in reversed(rows):
            at = read_moment(row[self._form.stamp])
            if self.ceiling is None or at <= self.ceiling:
                return replace(place, at=at, id=to_18(str(row["Id"])))
        return place

    def where(self, place: Cursor, *more: str | None) -> str:
        """Give the condition of the rows after a place, and of more."""
        there = "IsDeleted = false" if self._source.deleted_too else ""
        return " AND ".join(part for part in (self._begin(place), *more, self._source.where, there) if part)

    def _begin(self, place: Cursor) -> str:
        if place.at is None:
            return ""
        stamp = self._form.stamp
        if not place.id:
            return f"{stamp} >= {moment(place.at - self._pace.overlap)}"
        at = moment(place.at)
        return f"(({stamp} = {at} AND Id > {text(place.id)}) OR {stamp} > {at})"

    def count(self, place: Cursor) -> Answer:
        """Count the rows after a place; the answer also says the org's time."""
        statement = select(["COUNT()"], self._table, where=self.where(place))
        return self._org.query_now(statement, deleted_too=self._source.deleted_too)

    def newest(self) -> datetime | None:
        """Give the newest stamp there is, for an org whose answers do not say its time."""
        stamp = self._form.stamp
        rows = self._org.query(select([stamp], self._table, where=self._source.where, order=f"{stamp} DESC", limit=1))
        return read_moment(rows[0][stamp]) if rows else None


def _ids(rows: Sequence[Row]) -> list[str]:
    return [to_18(str(row["Id"])) for row in rows]
