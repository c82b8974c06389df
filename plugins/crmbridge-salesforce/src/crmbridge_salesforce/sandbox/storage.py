"""One object's rows, kept so that a query finds the few it is about without looking at all of them."""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from datetime import datetime
from typing import Any

Values = dict[str, Any]
LAST = "\uffff"  # sorts after every id


def folded(value: Any) -> Any:
    """Give a value as external ids are compared: texts without case."""
    return value.lower() if isinstance(value, str) else value


class Storage:
    """The rows of one object by id, by time of change, and by the values of columns that were asked for before.

    A row that is put in is never changed afterwards; another one takes its place.
    """

    def __init__(self) -> None:
        self._rows: dict[str, Values] = {}
        self._ids: list[str] = []
        self._stamps: list[tuple[datetime, str]] = []
        self._in_order = True  # the two lists; put right when somebody reads them, not at each of many rows
        self._values: dict[str, dict[Any, set[str]]] = {}  # column -> value -> ids

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, row_id: str) -> Values | None:
        """Give a row."""
        return self._rows.get(row_id)

    def put(self, row: Values) -> None:
        """Store a row under its id."""
        row_id = row["Id"]
        before = self._rows.get(row_id)
        if before is None:
            self._add(row_id, row["SystemModstamp"])
        else:
            self._move(row_id, before["SystemModstamp"], row["SystemModstamp"])
        self._rows[row_id] = row
        for column, index in self._values.items():
            if before is not None:
                index[folded(before.get(column))].discard(row_id)
            index.setdefault(folded(row.get(column)), set()).add(row_id)

    def remove(self, row_id: str) -> None:
        """Forget a row, where it is there."""
        row = self._rows.pop(row_id, None)
        if row is None:
            return
        self._sort()
        del self._ids[bisect_left(self._ids, row_id)]
        del self._stamps[bisect_left(self._stamps, (row["SystemModstamp"], row_id))]
        for column, index in self._values.items():
            index[folded(row.get(column))].discard(row_id)

    def _add(self, row_id: str, stamp: datetime) -> None:
        last = self._stamps[-1] if self._stamps else None
        self._in_order &= last is None or (row_id > self._ids[-1] and (stamp, row_id) > last)
        self._ids.append(row_id)
        self._stamps.append((stamp, row_id))

    def _move(self, row_id: str, before: datetime, stamp: datetime) -> None:
        if before != stamp:
            self._sort()
            del self._stamps[bisect_left(self._stamps, (before, row_id))]
            insort(self._stamps, (stamp, row_id))

    def _sort(self) -> None:
        if not self._in_order:
            self._ids.sort()
            self._stamps.sort()
            self._in_order = True

    def by_id(self, low: str | None = None, high: str | None = None) -> Iterator[Values]:
        """Yield rows in the order of their ids, from `low` to `high`, both included."""
        self._sort()
        start = 0 if low is None else bisect_left(self._ids, low)
        end = len(self._ids) if high is None else bisect_right(self._ids, high)
        for row_id in self._ids[start:end]:
            yield self._rows[row_id]

    def by_stamp(self, low: datetime | None = None, high: datetime | None = None) -> Iterator[Values]:
        """Yield rows in the order of their change and their ids, from `low` to `high`, both included."""
        self._sort()
        start = 0 if low is None else bisect_left(self._stamps, (low, ""))
        end = len(self._stamps) if high is None else bisect_right(self._stamps, (high, LAST))
        for _, row_id in self._stamps[start:end]:
            yield self._rows[row_id]

    def where(self, column: str, values: set[Any]) -> Iterator[Values]:
        """Yield the rows that have one of these values in a column, in the order of their ids."""
        if column not in self._values:
            index = self._values[column] = {}
            for row_id, row in self._rows.items():
                index.setdefault(folded(row.get(column)), set()).add(row_id)
        found = self._values[column]
        ids = set().union(*(found.get(folded(value), ()) for value in values))
        for row_id in sorted(ids):
            yield self._rows[row_id]
