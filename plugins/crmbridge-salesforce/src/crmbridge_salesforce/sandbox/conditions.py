"""The WHERE of a query, turned into a function over rows."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.sandbox.answers import ApiError
from crmbridge_salesforce.sandbox.objects import Column
from crmbridge_salesforce.sandbox.paths import IDS, Path, Paths, Row, folded
from crmbridge_salesforce.sandbox.soql import Both, Compare, Condition, Literal, Negated, Token, at_fault

Test = Callable[[Row], bool]

LONGEST_LITERAL = 4000
_NUMBERS = frozenset({"int", "double", "currency", "percent", "long"})


class Conditions:
    """Builds the tests of one statement."""

    def __init__(self, text: str, paths: Paths) -> None:
        self._text = text
        self._paths = paths

    def test(self, condition: Condition) -> Test:
        """Make the function that tells whether a row is let through; raises ApiError where it makes no sense."""
        match condition:
            case Negated():
                inside = self.test(condition.part)
                return lambda row: not inside(row)
            case Both():
                parts = [self.test(part) for part in condition.parts]
                joined = all if condition.word == "AND" else any
                return lambda row: joined(part(row) for part in parts)
            case Compare():
                return self._comparison(condition)

    def compared(self, condition: Compare) -> tuple[str, list[Any]] | None:
        """Give the column of the object itself and the values that a comparison is about; None for a parent's."""
        path = self._paths.find(condition.field)
        if path.parents or condition.inner is not None:
            return None
        return path.column.name, [self._literal(path.column, literal) for literal in condition.values]

    def _comparison(self, condition: Compare) -> Test:
        path = self._paths.find(condition.field)
        if not path.column.filterable:
            words = f"field '{path.column.name}' can not be filtered in a query call"
            raise at_fault(self._text, condition.field.at, "INVALID_FIELD", words)
        if condition.inner is not None:
            return self._joined(condition, path, condition.inner)
        holds = _holds(condition.sign, [self._literal(path.column, literal) for literal in condition.values])
        get, column = self._paths.getter(path), path.column
        if _kind(column) == "string" and column.type not in IDS:
            return lambda row: holds(folded(column, get(row)))
        return lambda row: holds(get(row))

    def _joined(self, condition: Compare, path: Path, table: Token) -> Test:
        """Look each value up among the rows of another object."""
        get, exists, wanted = self._paths.getter(path), self._paths.exists(table), condition.sign == "IN"
        return lambda row: exists(get(row)) is wanted

    def _literal(self, column: Column, literal: Literal) -> Any:
        if literal.kind == "null":
            return None
        if literal.kind != _kind(column):
            raise self._bad_literal(column, literal)
        match literal.kind:
            case "string":
                if len(literal.text) > LONGEST_LITERAL:
                    raise ApiError("MALFORMED_QUERY", "a string literal is too long")
                return folded(column, to_18(literal.text) if column.type in IDS else literal.text)
            case "number":
                return Decimal(literal.text)
            case "boolean":
                return literal.text == "true"
            case "date":
                return date.fromisoformat(literal.text)
            case _:
                return datetime.fromisoformat(literal.text).astimezone(UTC)

    def _bad_literal(self, column: Column, literal: Literal) -> ApiError:
        quoted = "enclosed" if _kind(column) == "string" else "not enclosed"
        words = f"value of filter criterion for field '{column.name}' must be of type {column.type}"
        return at_fault(self._text, literal.at, "INVALID_FIELD", f"{words} and should be {quoted} in quotes")


def _kind(column: Column) -> str:
    if column.type in _NUMBERS:
        return "number"
    return column.type if column.type in {"boolean", "date", "datetime"} else "string"


def _holds(sign: str, wanted: list[Any]) -> Callable[[Any], bool]:
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
    if sign == "LIKE":
        pattern = _like(str(first))
        return lambda value: value is not None and pattern.fullmatch(str(value)) is not None
    several = frozenset(wanted)
    return (lambda value: value in several) if sign in {"=", "IN"} else (lambda value: value not in several)


def _like(pattern: str) -> re.Pattern[str]:
    wild = {"%": ".*", "_": ".", "\\%": "%", "\\_": "_"}
    parts = re.findall(r"\\[%_]|.", pattern, re.DOTALL)
    return re.compile("".join(wild.get(part) or re.escape(part) for part in parts), re.DOTALL)
