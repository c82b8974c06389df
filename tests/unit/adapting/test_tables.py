"""Tables read rows as records and write changes by the CRM's names."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crmbridge.adapting import FORMS, Column, Table, money_in, other_currency, standard_columns
from crmbridge.errors import RefusedError
from crmbridge.model.records import Kind, Position, Status
from crmbridge.model.values import Money
from crmbridge.testing.factories import NOON, make_ref

DEALS = Table(
    Kind.DEAL,
    "opportunity",
    (
        *standard_columns(Kind.DEAL, FORMS, name="title", owner="by"),
        Column("amount", "amount", money_in("currency", others=True)),
        Column("fee", "fee", money_in("currency")),
    ),
    version="stamp",
    created_at="made",
    updated_at="changed",
    key="reference",
    beside=("state", "currency"),
    position=lambda row: Position("p", row["state"], Status.OPEN),
    tidied=lambda row: {**row, "title": row["title"].strip()},
)
ROW: dict[str, Any] = {
    "id": 7,
    "stamp": "9",
    "made": NOON,
    "changed": NOON,
    "state": "lead",
    "currency": "JPY",
    "reference": "key-7",
    "title": " A ",
    "by": "u1",
    "amount": Decimal(3),
    "fee": 1.5,
}


def test_a_row_becomes_a_record() -> None:
    """With its key, its place and its amounts in its currency; what can't be read is a problem beside the rest."""
    record = DEALS.record(make_ref("7").connection, ROW)

    assert (make_ref("7"), "9", NOON, NOON, "key-7") == (
        record.ref,
        record.version,
        record.created_at,
        record.updated_at,
        record.key,
    )
    assert {"name": "A", "owner": "u1", "amount": Money(Decimal(3), "JPY")} == record.fields
    assert (Position("p", "lead", Status.OPEN), "lead") == (record.position, DEALS.stage(ROW))
    assert ["fee"] == [problem.path for problem in record.problems]


def test_what_a_record_is_made_from_is_named_once() -> None:
    """Two columns may stand in one field, and the key beside them."""
    names = DEALS.natives

    assert {"stamp", "made", "changed", "state", "currency", "reference", "title", "by", "amount", "fee"} == set(names)
    assert len(names) == len(set(names))


def test_amounts_are_written_for_the_currency_of_the_row() -> None:
    """One in another is refused, unless the column takes others; a new row has none yet."""
    assert {"fee": Decimal(1)} == DEALS.values({"fee": Money(Decimal(1), "JPY")}, ROW)
    assert {"amount": Decimal(1)} == DEALS.values({"amount": Money(Decimal(1), "EUR")}, {})
    with pytest.raises(RefusedError, match="JPY"):
        DEALS.values({"fee": Money(Decimal(1), "EUR")}, ROW)


def test_a_currency_is_asked_for_where_it_changes() -> None:
    """By the CRM's own name; one that it does not have is refused."""

    def known() -> dict[str, int]:
        asked.append(1)
        return {"EUR": 4}

    asked = list[int]()
    amount = Money(Decimal(1), "EUR")
    assert [None, None, None] == [other_currency(each, "EUR", known) for each in (amount, None, "EUR")]
    assert not asked
    assert 4 == other_currency(amount, "USD", known)
    with pytest.raises(RefusedError, match="CHF"):
        other_currency(Money(Decimal(1), "CHF"), None, known)
