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
        self._ids: list[str] = []  # in order
        self._stamps: list[tuple[datetime, str]] = []  # in order
        self._values: dict[str, dict[Any, set[str]]] = {}  # column -> value -> ids

    def __len__(self) -> int:
        return len(self._rows)

    def get(self, row_id: str) -> Values | None:
        """Give a row."""
        return self._rows.get(row_id)

    def put(self, row: Values) -> None:
        """Store a row under its id."""
        row_id = row["Id"]
        self.remove(row_id)
        self._rows[row_id] = row
        insort(self._ids, row_id)
        insort(self._stamps, (row["SystemModstamp"], row_id))
        for column, index in self._values.items():
            index.setdefault(folded(row.get(column)), set()).add(row_id)

    def remove(self, row_id: str) -> None:
        """Forget a row, where it is there."""
        row = self._rows.pop(row_id, None)
        if row is None:
            return
        del self._ids[bisect_left(self._ids, row_id)]
        del self._stamps[bisect_left(self._stamps, (row["SystemModstamp"], row_id))]
        for column, index in self._values.items():
            index[folded(row.get(column))].discard(row_id)

    def by_id(self, low: str | None = None, high: str | None = None) -> Iterator[Values]:
        """Yield rows in the order of their ids, from `low` to `high`, both included."""
        start = 0 if low is None else bisect_left(self._ids, low)
        end = len(self._ids) if high is None else bisect_right(self._ids, high)
        for row_id in self._ids[start:end]:
            yield self._rows[row_id]

    def by_stamp(self, low: datetime | None = None, high: datetime | None = None) -> Iterator[Values]:
        """Yield rows in the order of their change and their ids, from `low` to `high`, both included."""
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
