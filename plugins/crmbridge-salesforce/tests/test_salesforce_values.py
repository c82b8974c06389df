"""Ids, literals and single values keep their meaning between the org and the model."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.errors import RefusedError
from crmbridge.model.values import FieldType, Money, Value
from crmbridge_salesforce import soql
from crmbridge_salesforce.encode import has_marker, marked
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.sandbox.soql import Compare, parse
from crmbridge_salesforce.schema import Column
from crmbridge_salesforce.settings import SalesforceSettings
from crmbridge_salesforce.values import cell_of, decode, encode, tidier


def make_column(kind: str = "string", *options: str, **overrides: Any) -> Column:
    """Make a column of a type, with the values of a picklist."""
    values = [{"value": option, "label": f"The {option}", "active": True} for option in options]
    usual = {"name": "X__c", "type": kind, "picklistValues": values, "precision": 18, "scale": 2}
    return Column.parse({**usual, **overrides})


def test_ids_get_their_check_characters() -> None:
    """Five characters at a time, a bit for each capital: ids of 15 and of 18 characters become one id."""
    assert "012000000000000AAA" == to_18("012000000000000")
    assert "00QAAAAAbbbbbbb2HA" == to_18("00QAAAAAbbbbbbb")


@given(st.from_regex(r"[0-9A-Za-z]{15}", fullmatch=True))
def test_normal_ids_stay(short: str) -> None:
    """An id that has its 18 characters is not changed again, and case can be read off its end."""
    long = to_18(short)

    assert long == to_18(long)
    assert 18 == len(long)
    bits = ["ABCDEFGHIJKLMNOPQRSTUVWXYZ012345".index(char) for char in long[15:]]
    capitals = [char.isupper() for char in short]
    assert capitals == [bool(bits[place // 5] >> place % 5 & 1) for place in range(15)]


@pytest.mark.parametrize("text", ["", "0065", "no such/deal?", "0065500000KQ12XAA"])
def test_what_is_no_id_stays(text: str) -> None:
    """Nothing is added to texts of another form."""
    assert text == to_18(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_literals_can_not_break_out(value: str) -> None:
    """Whatever a text holds, the sandbox's parser reads it back as one value (SOQL "Reserved Characters")."""
    where = parse(soql.select(["Id"], "Task", where=f"Subject = {soql.text(value)}")).where

    assert isinstance(where, Compare)
    assert value == where.values[0].text


def test_long_lists_are_split_below_the_uri_limit() -> None:
    """No statement takes more room than a URI allows, every value is asked for once, and no list is empty."""
    ids = [f"006Sb00000{number:05}AAA" for number in range(2000)]
    statements = list(soql.in_parts("SELECT Id FROM Task WHERE WhatId IN ({})", ids))

    assert 1 < len(statements)
    assert all(soql.size(statement) < 16_384 for statement in statements)
    assert ids == [word for statement in statements for word in statement.split("'")[1::2]]
    assert [] == list(soql.in_parts("SELECT Id FROM Task WHERE WhatId IN ({})", []))


@pytest.mark.parametrize(
    ("raw", "kind", "expected"),
    [
        (None, FieldType.MONEY, None),
        ("", FieldType.TEXT, None),
        (Decimal("120.50"), FieldType.MONEY, Money(Decimal("120.5"), "EUR")),
        (12000, FieldType.MONEY, Money(Decimal(12000), "EUR")),
        ("12.5", FieldType.NUMBER, Decimal("12.5")),
        (Decimal("1E+3"), FieldType.NUMBER, Decimal(1000)),
        (False, FieldType.BOOL, False),
        ("Yes", FieldType.BOOL, True),
        ("no", FieldType.BOOL, False),
        ("2026-11-23", FieldType.DATE, date(2026, 11, 23)),
        ("2026-11-23T06:00:00.000+0000", FieldType.DATETIME, datetime(2026, 11, 23, 6, tzinfo=UTC)),
        ("b;a", FieldType.CHOICES, ("a", "b")),
        ("012000000000000", FieldType.USER, "012000000000000AAA"),
        (True, FieldType.TEXT, "true"),
    ],
)
def test_values_are_decoded(raw: Any, kind: FieldType, expected: Value) -> None:
    """Each type reads its own form, numbers exactly."""
    assert expected == decode(raw, kind, "EUR")


@pytest.mark.parametrize(
    ("raw", "kind"),
    [
        ({"city": "Lisbon"}, FieldType.TEXT),
        (True, FieldType.NUMBER),
        ("many", FieldType.MONEY),
        ("maybe", FieldType.BOOL),
        ("soon", FieldType.DATE),
    ],
)
def test_what_is_no_value_says_so(raw: Any, kind: FieldType) -> None:
    """What can't be read raises ValueError with words, which become a problem of the record."""
    with pytest.raises(ValueError, match="holds"):
        decode(raw, kind, "EUR")


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        (make_column("boolean"), None, False),
        (make_column("picklist", "Yes", "No"), False, "No"),
        (make_column("picklist", "a", "b"), "B", "b"),
        (make_column("picklist", "a", "b"), "other", "other"),
        (make_column("multipicklist", "a", "b"), ("a", "b"), "a;b"),
        (make_column("currency"), Money(Decimal("10.25"), "EUR"), Decimal("10.25")),
        (make_column("date"), datetime(2026, 11, 23, 23, tzinfo=UTC), "2026-11-23"),
        (make_column("datetime"), date(2026, 11, 23), "2026-11-23T00:00:00Z"),
        (make_column(), Decimal("1E+2"), "100"),
        (make_column(), "", None),
    ],
)
def test_values_are_encoded(column: Column, value: Value, expected: Any) -> None:
    """Each column gets the form that it takes; no value clears it, and unticks a checkbox."""
    assert expected == encode(column, value)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        (make_column("boolean"), "yes"),
        (make_column("multipicklist", "a", "b"), ("a;b",)),
        (make_column("currency"), Money(Decimal("0.125"), "EUR")),
        (make_column("currency"), Money(Decimal("1" * 17), "EUR")),
        (make_column("double"), Decimal("1" * 40)),
        (make_column("date"), "tomorrow"),
        (make_column("picklist", "a", restrictedPicklist=True), "b"),
        (make_column("picklist", "a", "b"), True),
        (make_column("picklist", "a", "b"), "The b"),  # a label; `b` would come back, and travel on as an edit
        (make_column("multipicklist", "a", "b"), ("a", "The b")),
    ],
)
def test_what_a_column_would_change_is_refused(column: Column, value: Value) -> None:
    """What the org would round or refuse, or give back as another value, is not sent."""
    with pytest.raises(RefusedError, match="X__c"):
        encode(column, value)


def test_markers_stand_alone() -> None:
    """A marker is found on its own line only, also below a text that had to give way for it."""
    body = marked("x" * 40_000, "m-1")

    assert 32_000 == len(body)
    assert has_marker(body + "\nadded by hand", "m-1")
    assert not has_marker(body, "m-")
    assert not has_marker(None, "m-1")


def test_settings_need_an_address() -> None:
    """Without instance_url or base_url there is nowhere to send anything."""
    with pytest.raises(ValueError, match="instance_url"):
        SalesforceSettings.model_validate({"token": {"env": "X"}})
    settings = SalesforceSettings.model_validate(
        {"token": {"env": "X"}, "instance_url": "https://a.my.salesforce.com/"}
    )
    assert ("https://a.my.salesforce.com", "67.0") == (settings.address, settings.api_version)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**18), max_value=10**18, places=6), st.data())
def test_a_number_has_one_cell_however_it_is_written(number: Decimal, data: st.DataObject) -> None:
    """With an exponent, with zeros at its end, or as JSON has it: versions must not depend on that."""
    tidy = tidier("currency")
    assert tidy is not None
    ways = [f"{number:f}", f"{number:f}000" if "." in f"{number:f}" else f"{number:f}.0", f"{number:E}", str(number)]
    cells = {tidy(way) for way in ways} | {tidy(cell_of(number))}

    assert 1 == len(cells)
    assert number == decode(cells.pop(), FieldType.NUMBER, None)


@pytest.mark.parametrize("cell", ["NaN", "Infinity", "abc", "1,5", "--1"])
def test_what_is_no_number_stays_as_it_is(cell: str) -> None:
    """It is told as a problem when it is read, and is part of the version like any other text."""
    tidy = tidier("double")
    assert tidy is not None
    assert cell == tidy(cell)
    with pytest.raises(ValueError, match="no number"):
        decode(cell, FieldType.NUMBER, None)
