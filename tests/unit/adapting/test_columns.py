"""Columns read rows and write changes, and reading by ids keeps to the size of a lot."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from crmbridge.adapting import (
    FORMS,
    ID,
    Column,
    Form,
    bound_columns,
    form,
    money_form,
    never_empty,
    read_columns,
    read_in_lots,
    single,
    write_columns,
)
from crmbridge.errors import RefusedError
from crmbridge.model.records import Kind, Problem, Record
from crmbridge.model.values import FieldType, Money, Value
from crmbridge.ports import FieldBinding
from crmbridge.testing.factories import make_deal, make_ref

NUMBER = form(int)
BOUND = bound_columns([FieldBinding(name="size", native="x_size", type=FieldType.NUMBER)], {FieldType.NUMBER: NUMBER})
COLUMNS = (Column("name", "title", form(str)), Column("owner", "by", form(int, str, int)), *BOUND)


def test_a_row_is_read_by_its_columns() -> None:
    """What it lacks is empty."""
    assert ({"name": "A", "owner": "7", "size": None}, ()) == read_columns(COLUMNS, {"title": "A", "by": 7})


@pytest.mark.parametrize("value", ["1", 1.5, True, [1]])
def test_a_value_of_another_kind_is_a_problem(value: object) -> None:
    """The rest of the record is kept; a yes-or-no is no number."""
    fields, problems = read_columns(COLUMNS, {"title": "A", "by": 7, "x_size": value})

    assert {"name": "A", "owner": "7"} == fields
    assert ["x_size"] == [problem.path for problem in problems]
    assert all(isinstance(problem, Problem) for problem in problems)


def test_a_yes_or_no_that_comes_as_a_number_is_read_where_it_is_asked_for() -> None:
    """Some databases have no type for it."""
    assert [True, False] == [form(int, bool).read(value) for value in (1, False)]


def test_a_change_is_written_by_its_columns() -> None:
    """Under the CRM's names, and only what it says; empty is a value."""
    assert {"title": None, "by": 7} == write_columns(COLUMNS, {"name": None, "owner": "7"})


def test_a_field_without_a_column_is_refused() -> None:
    """It is not left out: somebody would take it for written."""
    with pytest.raises(RefusedError, match="source"):
        write_columns(COLUMNS, {"name": "A", "source": "web"})


def test_a_form_may_refuse_what_the_crm_has_no_room_for() -> None:
    """In its own words."""

    def write(value: object) -> object:
        raise RefusedError(f"no room for {value}")

    with pytest.raises(RefusedError, match="no room for 2026"):
        write_columns([Column("day", "day", Form(str, write))], {"day": date(2026, 1, 1)})


def test_ids_are_read_in_lots_of_one_kind() -> None:
    """What is gone is left out."""
    asked: list[tuple[Kind, list[str]]] = []

    def fetch(kind: Kind, ids: list[str]) -> list[Record]:
        asked.append((kind, ids))
        return [make_deal(number) for number in ids if number != "2" and kind is Kind.DEAL]

    refs = [make_ref("1"), make_ref("2"), make_ref("9", kind=Kind.NOTE), make_ref("3")]

    assert {make_ref("1"), make_ref("3")} == read_in_lots(refs, fetch, lot=2).keys()
    assert [(Kind.DEAL, ["1", "2"]), (Kind.DEAL, ["3"]), (Kind.NOTE, ["9"])] == asked


@pytest.mark.parametrize(
    ("type_", "value", "expected"),
    [
        (FieldType.NUMBER, 3, Decimal(3)),
        (FieldType.CHOICES, ["b", "a"], ("a", "b")),
        (FieldType.DATE, date(2026, 1, 1), date(2026, 1, 1)),
        (FieldType.BOOL, False, False),
    ],
)
def test_values_that_come_as_what_they_are_are_read(type_: FieldType, value: Any, expected: Value) -> None:
    """Choices come in an order, so that another order is no edit."""
    assert expected == FORMS[type_].read(value)


def test_an_amount_has_the_currency_of_its_deal() -> None:
    """One in another is refused, unless the CRM moves the deal to it."""
    assert Money(Decimal(5), "EUR") == money_form("EUR").read(Decimal(5))
    assert Decimal(5) == money_form("EUR", others=True).write(Money(Decimal(5), "USD"))
    with pytest.raises(RefusedError, match="EUR, not in USD"):
        money_form("EUR").write(Money(Decimal(5), "USD"))
    with pytest.raises(RefusedError, match="no amount"):
        money_form("EUR", others=True).write("5")


@pytest.mark.parametrize("value", ["", "x", "-1", "1" * 19, ("1",)])
def test_what_can_be_no_number_is_refused_as_an_id(value: Value) -> None:
    """It is another CRM's id, or none at all."""
    assert (7, None) == (ID.write("7"), ID.write(None))
    with pytest.raises(RefusedError, match="no id"):
        ID.write(value)


def test_a_list_of_which_the_crm_holds_one() -> None:
    """Several are refused: none is left out without a word."""
    one = single(ID)

    assert [("7",), ()] == [one.read(7), one.read(None)]
    assert [7, None] == [one.write(("7",)), one.write(())]
    with pytest.raises(RefusedError, match="one of these at most"):
        one.write(("7", "8"))


def test_what_can_not_be_empty_is_not_cleared() -> None:
    """No is another thing than nothing."""
    always = never_empty(form(bool))

    assert False is always.write(False)
    with pytest.raises(RefusedError, match="empty"):
        always.write(None)
