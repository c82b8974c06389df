"""Answering SOQL: fields resolved against the org's objects, conditions turned into functions over rows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cmp_to_key
from typing import Any, NamedTuple

from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.sandbox.answers import ApiError, row_url, wire
from crmbridge_salesforce.sandbox.objects import Column, Object
from crmbridge_salesforce.sandbox.soql import Both, Compare, Condition, Literal, Negated, Order, Query, Token, at_fault

Row = Mapping[str, Any]
Test = Callable[[Row], bool]
# Gives the rows of an object, the deleted ones only when asked.
Rows = Callable[[str], Mapping[str, Row]]

LONGEST_LITERAL = 4000
_NUMBERS = frozenset({"int", "double", "currency", "percent", "long"})


class Path(NamedTuple):
    """A field, over at most a few parents. `parents` are the references on the way."""

    parents: tuple[Column, ...]
    column: Column


class Selection:
    """One query against the org."""

    def __init__(self, query: Query, objects: Mapping[str, Object], rows: Rows) -> None:
        self._query = query
        self._objects = objects
        self._rows = rows
        self._object = self._from(query.table)
        self._where = self._condition(query.where) if query.where else None
        self._order = [(self._path(part.field), part) for part in query.order]
        self._fields = [self._path(token) for token in query.fields]
        if query.count and query.count.text != "()":
            self._path(query.count)

    @property
    def table(self) -> str:
        """The object that is asked for."""
        return self._object.name

    @property
    def orders_by_stamp(self) -> bool:
        """Tell whether this is a walk by time of change."""
        return any(path.column.name == "SystemModstamp" for path, _ in self._order)

    @property
    def long_texts(self) -> int:
        """How many long text columns are asked for."""
        return sum(path.column.type == "textarea" for path in self._fields)

    @property
    def types(self) -> set[str]:
        """Which types of columns are asked for."""
        return {path.column.type for path in self._fields}

    @property
    def names(self) -> tuple[str, ...]:
        """What is asked for, in the org's own case."""
        return tuple(".".join((*(one.relation for one in path.parents), path.column.name)) for path in self._fields)

    def values(self, rows: Iterable[Row]) -> Iterator[list[Any]]:
        """Yield the bare values of each row that is asked for."""
        for row in self._found(rows):
            yield [self._value(row, path) for path in self._fields]

    def run(self, rows: Iterable[Row], version: str) -> tuple[int, list[dict[str, Any]]]:
        """Give the number of rows, and the rows as they go out."""
        found = self._found(rows)
        if self._query.count is None:
            return len(found), [self._record(row, version) for row in found]
        if self._query.count.text == "()":
            return len(found), []
        return 1, [{"attributes": {"type": "AggregateResult"}, "expr0": len(found)}]

    def _found(self, rows: Iterable[Row]) -> list[Row]:
        found = [row for row in rows if self._where is None or self._where(row)]
        found.sort(key=cmp_to_key(self._compare_rows))
        return found if self._query.limit is None else found[: self._query.limit]

    def _from(self, token: Token) -> Object:
        found = next((one for name, one in self._objects.items() if name.lower() == token.text.lower()), None)
        if found is None:
            words = (
                f"sObject type '{token.text}' is not supported. If you are attempting to use a custom object, be sure"
                " to append the '__c' after the entity name."
            )
            raise at_fault(self._query.text, token.at, "INVALID_TYPE", words)
        return found

    def _path(self, token: Token) -> Path:
        *relations, name = token.text.split(".")
        here, parents = self._object, []
        for relation in relations:
            parent = here.parent(relation)
            if parent is None:
                words = f"Didn't understand relationship '{relation}' in field path."
                raise at_fault(self._query.text, token.at, "INVALID_FIELD", words)
            parents.append(parent)
            here = self._objects[parent.refers.split(",")[0]]
        column = here.column(name)
        if column is None:
            words = f"No such column '{name}' on entity '{here.name}'."
            raise at_fault(self._query.text, token.at, "INVALID_FIELD", words)
        return Path(tuple(parents), column)

    def _value(self, row: Row, path: Path) -> Any:
        here: Row | None = row
        for parent in path.parents:
            here = self._rows(parent.refers.split(",")[0]).get(here.get(parent.name, "")) if here else None
        return here.get(path.column.name) if here else None

    def _record(self, row: Row, version: str) -> dict[str, Any]:
        url = row_url(version, self._object.name, row["Id"])
        found: dict[str, Any] = {"attributes": {"type": self._object.name, "url": url}}
        for path in self._fields:
            self._put(found, row, path, version)
        return found

    def _put(self, found: dict[str, Any], row: Row, path: Path, version: str) -> None:
        here: Row | None = row
        for parent in path.parents:
            table = parent.refers.split(",")[0]
            here = self._rows(table).get(here.get(parent.name) or "") if here else None
            if here is None:
                found.setdefault(parent.relation, None)
                return
            attributes = {"type": table, "url": row_url(version, table, here["Id"])}
            found = found.setdefault(parent.relation, {"attributes": attributes})
        found[path.column.name] = wire(here.get(path.column.name) if here else None)

    def _condition(self, condition: Condition) -> Test:
        match condition:
            case Negated():
                inside = self._condition(condition.part)
                return lambda row: not inside(row)
            case Both():
                parts = [self._condition(part) for part in condition.parts]
                joined = all if condition.word == "AND" else any
                return lambda row: joined(part(row) for part in parts)
            case Compare():
                return self._comparison(condition)

    def _comparison(self, condition: Compare) -> Test:
        path = self._path(condition.field)
        if not path.column.filterable:
            words = f"field '{path.column.name}' can not be filtered in a query call"
            raise at_fault(self._query.text, condition.field.at, "INVALID_FIELD", words)
        wanted = [self._literal(path.column, literal) for literal in condition.values]
        test = _test(condition.sign, wanted)
        return lambda row: test(_folded(path.column, self._value(row, path)))

    def _literal(self, column: Column, literal: Literal) -> Any:
        if literal.kind == "null":
            return None
        if literal.kind != _literal_kind(column):
            raise self._bad_literal(column, literal)
        match literal.kind:
            case "string":
                if len(literal.text) > LONGEST_LITERAL:
                    raise ApiError("MALFORMED_QUERY", "a string literal is too long")
                return _folded(column, to_18(literal.text) if column.type in {"id", "reference"} else literal.text)
            case "number":
                return Decimal(literal.text)
            case "boolean":
                return literal.text == "true"
            case "date":
                return date.fromisoformat(literal.text)
            case _:
                return datetime.fromisoformat(literal.text).astimezone(UTC)

    def _bad_literal(self, column: Column, literal: Literal) -> ApiError:
        quoted = "enclosed" if _literal_kind(column) == "string" else "not enclosed"
        words = f"value of filter criterion for field '{column.name}' must be of type {column.type}"
        return at_fault(self._query.text, literal.at, "INVALID_FIELD", f"{words} and should be {quoted} in quotes")

    def _compare_rows(self, first: Row, second: Row) -> int:
        for path, order in self._order:
            one, other = (_folded(path.column, self._value(row, path)) for row in (first, second))
            place = _compare(one, other, order)
            if place:
                return place
        return _before(first["Id"], second["Id"])


def _literal_kind(column: Column) -> str:
    if column.type in _NUMBERS:
        return "number"
    return column.type if column.type in {"boolean", "date", "datetime"} else "string"


def _folded(column: Column, value: Any) -> Any:
    """Give a value as it is compared: texts without case, ids with it."""
    return value.lower() if isinstance(value, str) and column.type not in {"id", "reference"} else value


def _test(sign: str, wanted: list[Any]) -> Callable[[Any], bool]:
    first = wanted[0]
    ordered: dict[str, Callable[[Any], bool]] = {
        "<": lambda value: value < first,
        "<=": lambda value: value <= first,
        ">": lambda value: value > first,
        ">=": lambda value: value >= first,
    }
    if sign in ordered:
        compare = ordered[sign]
        return lambda value: value is not None and first is not None and compare(value)
    tests: dict[str, Callable[[Any], bool]] = {
        "=": lambda value: value == first,
        "!=": lambda value: value != first,
        "IN": lambda value: value in wanted,
        "NOT IN": lambda value: value not in wanted,
        "LIKE": lambda value: value is not None and _like(str(first)).fullmatch(str(value)) is not None,
    }
    return tests[sign]


def _like(pattern: str) -> re.Pattern[str]:
    wild = {"%": ".*", "_": ".", "\\%": "%", "\\_": "_"}
    parts = re.findall(r"\\[%_]|.", pattern, re.DOTALL)
    return re.compile("".join(wild.get(part) or re.escape(part) for part in parts), re.DOTALL)


def _compare(first: Any, second: Any, order: Order) -> int:
    if first is None or second is None:
        here = (first is not None) - (second is not None)
        return -here if order.nulls_last else here
    return -_before(first, second) if order.descending else _before(first, second)


def _before(first: Any, second: Any) -> int:
    return int(first > second) - int(first < second)
