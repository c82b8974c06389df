"""Answering SOQL: the rows that a statement is about, in its order, and as they go out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any

from crmbridge_salesforce.sandbox.answers import PLAIN, row_url, wire_cell
from crmbridge_salesforce.sandbox.conditions import Conditions
from crmbridge_salesforce.sandbox.narrowing import Choice, choices, joined, span
from crmbridge_salesforce.sandbox.objects import Column
from crmbridge_salesforce.sandbox.paths import IDS, Path, Paths, folded
from crmbridge_salesforce.sandbox.soql import Order, Query, Token
from crmbridge_salesforce.sandbox.tables import Tables, shows

Row = Mapping[str, Any]
STAMP = "SystemModstamp"


class Selection:
    """One query against the org."""

    def __init__(self, query: Query, tables: Tables) -> None:
        self._query = query
        self._tables = tables
        self._paths = Paths(query.text, query.table, tables)
        self._conditions = Conditions(query.text, self._paths)
        self._where = self._conditions.test(query.where) if query.where else None
        self._order = [(self._paths.find(part.field), part) for part in query.order]
        self._fields = [self._paths.find(token) for token in query.fields]
        if query.count and query.count.text != "()":
            self._paths.find(query.count)

    @property
    def table(self) -> str:
        """The object that is asked for."""
        return self._paths.object.name

    @property
    def counts(self) -> Token | None:
        """What is counted, where the query counts."""
        return self._query.count

    @property
    def orders_by_stamp(self) -> bool:
        """Tell whether this is a walk by time of change."""
        return any(path.column.name == STAMP for path, _ in self._order)

    @property
    def columns(self) -> list[Column]:
        """The columns that are asked for, those of parents too."""
        return [path.column for path in self._fields]

    @property
    def names(self) -> tuple[str, ...]:
        """What is asked for, in the org's own case."""
        return tuple(path.name for path in self._fields)

    def choices(self) -> list[Choice]:
        """Give the columns for which the query names all values."""
        return list(choices(self._query.where, self._conditions.compared))

    def joined(self) -> set[str]:
        """Give the fields that a semi-join narrows, in small letters."""
        return {name.lower() for name in joined(self._query.where)}

    def found(self, *, deleted_too: bool, lagging: bool = False) -> list[Row]:
        """Give the rows, in the order that was asked for."""
        rows, in_order = (self._tables.lagging(self.table), False) if lagging else self._candidates()
        kept: Iterable[Row] = (row for row in rows if shows(self._tables, row, deleted_too=deleted_too))
        if self._where is not None:
            kept = filter(self._where, kept)
        return list(islice(kept if in_order else self._sorted(kept), self._query.limit))

    def values(self, rows: Iterable[Row]) -> Iterable[list[Any]]:
        """Yield the bare values of rows that are asked for."""
        getters = [self._paths.getter(path) for path in self._fields]
        return ([get(row) for get in getters] for row in rows)

    def record(self, row: Row, version: str) -> dict[str, Any]:
        """Give a row as it goes out."""
        url = row_url(version, self.table, row["Id"])
        found: dict[str, Any] = {"attributes": {"type": self.table, "url": url}}
        for path in self._fields:
            if path.parents:
                self._paths.put(found, row, path, version)
            elif path.column.type in PLAIN:
                found[path.column.name] = row.get(path.column.name)
            else:
                found[path.column.name] = wire_cell(path.column, row, url)
        return found

    def _candidates(self) -> tuple[Iterable[Row], bool]:
        """Give the rows that can be meant, and whether they come in the order that was asked for."""
        storage, compared = self._tables.storage(self.table), self._conditions.compared
        columns = self._paths.object.columns
        named = [one for one in self.choices() if columns[one.column].type in IDS]
        if named:
            best = min(named, key=lambda one: len(one.values))
            if best.column != "Id":
                return storage.where(best.column, best.values), self._orders_by("Id")
            return filter(None, map(storage.get, sorted(best.values))), self._orders_by("Id")
        stamps = span(self._query.where, STAMP, compared)
        if STAMP in columns and (stamps.low is not None or self._orders_by(STAMP)):
            return storage.by_stamp(stamps.low, stamps.high), self._orders_by(STAMP)
        ids = span(self._query.where, "Id", compared)
        return storage.by_id(ids.low, ids.high), self._orders_by("Id")

    def _orders_by(self, column: str) -> bool:
        """Tell whether rows in the order of a column, and then of their ids, are in the order asked for."""
        wanted = [(path.name, order.descending) for path, order in self._order]
        whole = [(column, False), ("Id", False)]
        return wanted in (whole, whole[:1]) or (column == "Id" and not wanted)

    def _sorted(self, rows: Iterable[Row]) -> list[Row]:
        """Sort by one column after the other, the last one first; a stable sort keeps what went before."""
        found = sorted(rows, key=lambda row: str(row["Id"]))
        for path, order in reversed(self._order):
            found.sort(key=self._key(path, order), reverse=order.descending)
        return found

    def _key(self, path: Path, order: Order) -> Callable[[Row], tuple[bool, Any]]:
        get, column = self._paths.getter(path), path.column
        nulls_high = order.descending != order.nulls_last  # nulls come first unless it is said otherwise

        def key(row: Row) -> tuple[bool, Any]:
            value = folded(column, get(row))
            return (value is None) == nulls_high, value

        return key
