"""Values of deals with products: they are worked out from these, and any other is refused before it is sent."""

from __future__ import annotations

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
ONE, TWO = Ref("pd", Kind.DEAL, "1"), Ref("pd", Kind.DEAL, "2")


def euros(amount: int | Decimal) -> Money:
    return Money(Decimal(amount), "EUR")


def update(ref: Ref, **after: Value) -> Change:
    edits = tuple(FieldEdit(name, None, value) for name, value in after.items())
    return make_change(ref.id, connection="pd", target=ref, edits=edits)


@pytest.fixture(autouse=True)
def euro_deals(state: Any) -> None:
    for number in (1, 2):
        state.tables.deals[number]["currency"] = "EUR"


def test_an_amount_that_would_not_be_kept_is_refused_unsent(adapter: Adapter, state: Any) -> None:
    """Sent, it would count as an edit of the deal, and be sent again by each run for that."""
    state.set_products("1", 700.5)
    state.clock.sleep(60)
    before = adapter.read([ONE, TWO], fields={"amount"})
    receipts = adapter.write([update(ref, amount=euros(5), name="Renamed") for ref in (ONE, TWO)])
    now = adapter.read([ONE, TWO], fields={"amount"})

    assert [Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert "products" in receipts[0].message
    assert ("amount",) == receipts[0].blamed
    assert [euros(Decimal("700.5")), euros(5)] == [now[ref].fields["amount"] for ref in (ONE, TWO)]
    assert before[ONE].version == now[ONE].version


def test_the_other_fields_of_a_deal_with_products_are_written(adapter: Adapter, state: Any) -> None:
    """Only the amount is worked out."""
    state.set_products("1", 700)
    adapter.read([ONE], fields={"name"})

    assert Outcome.APPLIED == adapter.write([update(ONE, name="Renamed")])[0].outcome
    assert "Renamed" == state.tables.deals[1]["title"]


def test_the_sum_itself_can_be_written(adapter: Adapter, state: Any) -> None:
    """An amount that is what the products come to is there already, and holds nothing up."""
    state.set_products("1", 700)
    adapter.read([ONE], fields={"amount", "name"})

    assert Outcome.APPLIED == adapter.write([update(ONE, amount=euros(700), name="Renamed")])[0].outcome


def test_an_amount_can_be_written_again_once_the_products_are_off(adapter: Adapter, state: Any) -> None:
    """Whether a deal has products is looked at before each write."""
    state.set_products("1", 700)
    outcomes = []
    for total in (700, None):
        state.set_products("1", total)
        adapter.read([ONE], fields={"amount"})
        outcomes.append(adapter.write([update(ONE, amount=None)])[0].outcome)

    assert [Outcome.REFUSED, Outcome.APPLIED] == outcomes


def test_what_nobody_looked_at_is_sent_and_compared(adapter: Adapter, state: Any) -> None:
    """Pipedrive takes the request and leaves the value as it is."""
    state.set_products("1", 700)
    held = euros(700)
    change = make_change("1", connection="pd", target=ONE, edits=(FieldEdit("amount", held, euros(5)),))

    assert Outcome.REFUSED == adapter.write([change])[0].outcome
    assert 700 == state.tables.deals[1]["value"]


def test_the_number_of_products_can_be_a_field_as_well(opened: Open, state: Any) -> None:
    """Then a read gives it, as a pull does."""
    state.set_products("1", 700)
    like = next(each for each in state.tables.fields.values() if each["is_optional_response_field"])
    state.tables.fields["products_count"] = {**like, "field_code": "products_count", "field_name": "Products"}
    bound = opened(fields=(FieldBinding(name="lines", native="products_count", type=FieldType.NUMBER),))
    read = bound.read([ONE])[ONE]

    assert 1 == read.fields["lines"]
    assert Outcome.REFUSED == bound.write([update(ONE, amount=euros(5))])[0].outcome


def test_a_read_has_the_version_that_a_pull_has(adapter: Adapter, state: Any) -> None:
    """What is asked for beside the fields, to see whether there are products, makes no other copy of a deal."""
    state.set_products("1", 700)
    pulled = {record.ref: record for page in adapter.pull(Kind.DEAL, None) for record in page.records}

    assert pulled[ONE].version == adapter.read([ONE])[ONE].version
