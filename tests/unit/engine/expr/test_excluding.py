"""Conditions of one expression that exclude each other are found, and no others."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.expr.checking import checked
from crmbridge.engine.expr.excluding import excluding
from crmbridge.model.values import FieldType

FIELDS = {"size": FieldType.NUMBER, "amount": FieldType.MONEY, "kind": FieldType.TEXT}
HOLDS = {
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    "==": lambda a, b: a == b,
}


def found(text: str) -> list[str]:
    """Give the second of each two conditions that exclude each other."""
    term, faults = checked(text, FIELDS)
    assert () == faults
    assert term is not None
    return [text[other.span.start : other.span.end] for _, other in excluding(term)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("size >= 20 && size < 10", ["size < 10"]),
        ("size > 20 && amount > 5 && size == 20", ["size == 20"]),
        ("20 <= size && (amount > 1 && 10 > size)", ["10 > size"]),
        ('kind == "flat" && kind == "steep"', ['kind == "steep"']),
        ("amount > 5 || (size > 2 && size < 1)", ["size < 1"]),
        ("size >= 20 && size <= 20", []),
        ("size > 20 && amount < 10", []),
        ("size >= 20 || size < 10", []),
        ("!(size >= 20 && size < 10)", []),
        ('kind == "flat" && kind != "steep"', []),
        ("size > 1 && size < 2", []),
    ],
)
def test_two_conditions_that_exclude_each_other_are_found(text: str, expected: list[str]) -> None:
    """Of those that must hold together, wherever brackets stand."""
    assert expected == found(text)


@given(st.sampled_from(sorted(HOLDS)), st.integers(0, 3), st.sampled_from(sorted(HOLDS)), st.integers(0, 3))
def test_what_is_found_is_true_of_no_value(one: str, low: int, other: str, high: int) -> None:
    """And what is not found is true of some value: every quarter from below to above is tried."""
    quarters = [Decimal(n) / 4 for n in range(-8, 24)]
    possible = any(HOLDS[one](value, low) and HOLDS[other](value, high) for value in quarters)

    assert possible == (not found(f"size {one} {low} && size {other} {high}"))
