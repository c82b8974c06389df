"""Which rows a condition can let through at most, read off it before any row is looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from crmbridge_salesforce.sandbox.soql import Both, Compare, Condition

# Gives the column of the object itself and the values that a comparison is about; None for a parent's column.
Reader = Callable[[Compare], tuple[str, list[Any]] | None]


class Span(NamedTuple):
    """The lowest and the highest value that may be let through; None where there is no limit."""

    low: Any = None
    high: Any = None


class Choice(NamedTuple):
    """A column, and the values of which it must have one."""

    column: str
    values: set[Any]


def span(condition: Condition | None, column: str, read: Reader) -> Span:
    """Give the limits that a condition sets to a column."""
    match condition:
        case Compare():
            return _compared(condition, column, read)
        case Both():
            parts = [span(part, column, read) for part in condition.parts]
            return _within_all(parts) if condition.word == "AND" else _within_any(parts)
        case _:
            return Span()


def _compared(condition: Compare, column: str, read: Reader) -> Span:
    found = read(condition)
    if found is None or found[0] != column or None in found[1]:
        return Span()
    low, high = min(found[1]), max(found[1])
    match condition.sign:
        case "=" | "IN":
            return Span(low, high)
        case ">" | ">=":
            return Span(low, None)
        case "<" | "<=":
            return Span(None, high)
        case _:
            return Span()


def _within_all(parts: list[Span]) -> Span:
    lows = [part.low for part in parts if part.low is not None]
    highs = [part.high for part in parts if part.high is not None]
    return Span(max(lows, default=None), min(highs, default=None))


def _within_any(parts: list[Span]) -> Span:
    lows, highs = [part.low for part in parts], [part.high for part in parts]
    return Span(None if None in lows else min(lows), None if None in highs else max(highs))


def joined(condition: Condition | None) -> Iterator[str]:
    """Yield the fields that must be among the ids of another object's rows, as the condition names them."""
    match condition:
        case Compare(sign="IN") if condition.inner is not None:
            yield condition.field.text
        case Both(word="AND"):
            for part in condition.parts:
                yield from joined(part)
        case _:
            return


def choices(condition: Condition | None, read: Reader) -> Iterator[Choice]:
    """Yield the columns for which a condition names all the values that it lets through."""
    match condition:
        case Compare(sign="=" | "IN"):
            found = read(condition)
            if found is not None and None not in found[1]:
                yield Choice(found[0], set(found[1]))
        case Both(word="AND"):
            for part in condition.parts:
                yield from choices(part, read)
        case _:
            return
