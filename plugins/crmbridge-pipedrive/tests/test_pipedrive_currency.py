"""Amounts keep their currency: Pipedrive says one with every deal, and nothing is guessed where it does not."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from crmbridge.model.changes import Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import FieldType, Money, Value
from crmbridge.ports import Adapter, FieldBinding
from crmbridge.testing.factories import make_change

Open = Callable[..., Adapter]
DEAL = Ref("pd", Kind.DEAL, "2")
AS_NUMBER = (FieldBinding(name="list_price", native="List price", type=FieldType.NUMBER),)
MONEY = {"amount": Money(Decimal("98.70"), "JPY"), "list_price": Money(Decimal(12), "BRL")}


def make_update(**after: Value) -> Change:
    """Make the change of a deal's fields."""
    edits = tuple(FieldEdit(name, None, value) for name, value in after.items())
    return make_change(DEAL.id, connection="pd", target=DEAL, edits=edits)


def list_price(state: Any) -> str:
    """Give the code of the account's monetary field."""
    return str(next(code for code, row in state.tables.fields.items() if row["field_name"] == "List price"))


@pytest.fixture
def without_currency(state: Any) -> str:
    """Take the currency off a deal's amounts, and give the code of its monetary field."""
    row, code = state.tables.deals[2], list_price(state)
    row["value"], row["currency"] = Decimal("1500.50"), None
    row["custom_fields"][code] = {"value": Decimal(12), "currency": None}
    return code


@pytest.mark.parametrize("said", [None, "GBP"])
def test_each_amount_is_written_with_its_code(opened: Open, state: Any, said: str | None) -> None:
    """A deal's amount and a monetary field each have a currency of their own, whatever the connection says."""
    adapter = opened(currency=said)
    receipt = adapter.write([make_update(**MONEY)])[0]
    found = adapter.read([DEAL])[DEAL]

    assert Outcome.APPLIED == receipt.outcome
    assert MONEY == {name: found.fields[name] for name in MONEY}
    assert "JPY" == state.tables.deals[2]["currency"]
    assert "BRL" == state.tables.deals[2]["custom_fields"][list_price(state)]["currency"]


@pytest.mark.parametrize("said", [None, "GBP"])
def test_a_deals_own_code_counts(opened: Open, said: str | None) -> None:
    """What the connection says stands in for nothing that the account says."""
    found = [record for page in opened(currency=said).pull(Kind.DEAL, None) for record in page.records]

    assert 12 == len(found)
    assert {"EUR"} == {deal.fields["amount"].currency for deal in found}  # type: ignore[union-attr]  # an amount is Money


def test_an_amount_without_a_currency_is_not_trusted(opened: Open, without_currency: str) -> None:
    """It is left out, and what to do is said; nothing is taken for dollars."""
    found = opened(currency=None).read([DEAL])[DEAL]

    assert not {"amount", "list_price"} & set(found.fields)
    assert {"value", without_currency} == {problem.path for problem in found.problems}
    assert all("`currency`" in problem.message for problem in found.problems)


@pytest.mark.usefixtures("without_currency")
def test_what_the_connection_says_stands_in(opened: Open) -> None:
    """Where a row says no currency, the connection's is the one."""
    found = opened(currency="GBP").read([DEAL])[DEAL]

    expected = {"amount": Money(Decimal("1500.50"), "GBP"), "list_price": Money(Decimal(12), "GBP")}
    assert expected == {name: found.fields[name] for name in expected}
    assert () == found.problems


@pytest.mark.parametrize(("said", "outcome"), [(None, Outcome.REFUSED), ("GBP", Outcome.APPLIED)])
@pytest.mark.parametrize("name", ["amount", "list_price"])
def test_a_plain_number_needs_a_currency(
    opened: Open, state: Any, name: str, said: str | None, outcome: Outcome
) -> None:
    """A number becomes an amount only where the connection says of what."""
    before = dict(state.tables.deals[2])
    receipt = opened(AS_NUMBER, currency=said).write([make_update(**{name: Decimal(12)})])[0]
    row = state.tables.deals[2]

    assert outcome is receipt.outcome
    if outcome is Outcome.REFUSED:
        assert before == row
        assert "`currency`" in receipt.message
        assert name in receipt.message
    else:
        assert "GBP" == (row["currency"] if name == "amount" else row["custom_fields"][list_price(state)]["currency"])


def test_no_amount_needs_no_currency(opened: Open, state: Any) -> None:
    """Clearing an amount asks for no currency, and a deal without one has no problem."""
    adapter = opened(currency=None)
    receipt = adapter.write([make_update(amount=None, list_price=None)])[0]
    state.tables.deals[2].update(value=None, currency=None)
    found = adapter.read([DEAL])[DEAL]

    assert Outcome.APPLIED == receipt.outcome
    assert (None, None, ()) == (found.fields["amount"], found.fields["list_price"], found.problems)


def test_zero_is_no_amount(opened: Open, state: Any) -> None:
    """Pipedrive says 0 of a deal for which nobody entered an amount: nobody wants that in another CRM."""
    adapter = opened(currency=None)
    state.tables.deals[2].update(value=0, currency=None)
    state.tables.deals[3].update(value=Decimal("0.00"))
    pulled = {r.ref.id: r for page in adapter.pull(Kind.DEAL, None) for r in page.records}
    found = adapter.read([DEAL])[DEAL]

    assert [None, None] == [pulled[number].fields["amount"] for number in ("2", "3")]
    assert (None, ()) == (found.fields["amount"], found.problems)
    assert Outcome.APPLIED == adapter.write([make_update(amount=Money(Decimal(0), "EUR"))])[0].outcome
