"""Amounts of deals with products: they are the sum of these, and the org leaves any other out without a word."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx

from crmbridge.model.changes import Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Money, Value
from crmbridge.testing.factories import make_change
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.sandbox import State

from .orgs import BASE, HOST, Opener, deals

TOTAL = Decimal("700.50")


def make_update(ref: Ref, version: str | None = None, **after: Value) -> Change:
    """Make a change of some of a deal's fields."""
    edits = tuple(FieldEdit(name, None, value) for name, value in after.items())
    return make_change(ref.id, target=ref, edits=edits, expects=version)


def euros(amount: int | Decimal) -> Money:
    """Make an amount in the org's currency."""
    return Money(Decimal(amount), "EUR")


def test_an_org_leaves_the_amount_of_products_as_it_is(client: httpx.Client, state: State) -> None:
    """The call succeeds, other fields are written, and the amount stays (Object Reference, "Opportunity")."""
    deal = state.deal_ids()[0]
    state.set_products(deal, TOTAL)
    reply = client.patch(f"sobjects/Opportunity/{deal}", json={"Amount": 5, "NextStep": "Call"})
    now = client.get(f"sobjects/Opportunity/{deal}").json()

    assert (204, 700.5, "Call", True) == (
        reply.status_code,
        now["Amount"],
        now["NextStep"],
        now["HasOpportunityLineItem"],
    )


@pytest.mark.parametrize("with_version", [True, False])
def test_an_amount_that_the_org_would_leave_out_is_refused(
    state: State, adapter: SalesforceAdapter, *, with_version: bool
) -> None:
    """Counted as written, the sum of the products would come back as somebody's edit and undo the seller's elsewhere.

    What the org does is in the Object Reference, "Opportunity", field Amount.
    """
    priced, plain = state.deal_ids()[:2]
    state.set_products(priced, TOTAL)
    known = deals(adapter.pull(Kind.DEAL, None))
    changes = [
        make_update(known[each].ref, known[each].version if with_version else None, amount=euros(5), name="Renamed")
        for each in (priced, plain)
    ]
    receipts = adapter.write(changes)
    now = adapter.read([known[each].ref for each in (priced, plain)])

    assert [Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert "products" in receipts[0].message
    assert ("amount",) == receipts[0].blamed
    assert [euros(TOTAL), euros(5)] == [now[known[each].ref].fields["amount"] for each in (priced, plain)]


def test_the_other_fields_of_a_deal_with_products_are_written(state: State, adapter: SalesforceAdapter) -> None:
    """Only the amount is worked out."""
    deal = state.deal_ids()[0]
    state.set_products(deal, TOTAL)
    ref = Ref("sf", Kind.DEAL, deal)

    assert Outcome.APPLIED == adapter.write([make_update(ref, name="Renamed")])[0].outcome
    assert "Renamed" == adapter.read([ref])[ref].fields["name"]


def test_the_sum_itself_can_be_written(state: State, adapter: SalesforceAdapter) -> None:
    """An amount that is what the products come to is there already, and holds nothing up."""
    deal = state.deal_ids()[0]
    state.set_products(deal, TOTAL)

    assert Outcome.APPLIED == adapter.write([make_update(Ref("sf", Kind.DEAL, deal), amount=euros(TOTAL))])[0].outcome


def test_an_amount_can_be_written_again_once_the_products_are_off(state: State, adapter: SalesforceAdapter) -> None:
    """Whether a deal has products is asked each time."""
    deal = state.deal_ids()[0]
    ref = Ref("sf", Kind.DEAL, deal)
    state.set_products(deal, TOTAL)
    before = adapter.write([make_update(ref, amount=None)])[0].outcome
    state.set_products(deal, None)
    after = adapter.write([make_update(ref, amount=None)])[0].outcome

    assert [Outcome.REFUSED, Outcome.APPLIED] == [before, after]


@respx.mock
def test_where_products_are_hidden_nothing_is_asked(open_adapter: Opener) -> None:
    """An org without the column, or a user who may not see it, costs no request."""
    usual: dict[str, Any] = {"createable": True, "updateable": True}
    fields = [{"name": "Amount", "type": "currency", "precision": 18, "scale": 2, **usual}]
    respx.get(f"{BASE}/sobjects/Opportunity/describe").respond(json={"name": "Opportunity", "fields": fields})
    ref = Ref("sf", Kind.DEAL, "006Sb0000000001IAA")
    route = respx.patch(f"{BASE}/composite/sobjects").respond(json=[{"id": ref.id, "success": True, "errors": []}])

    assert Outcome.APPLIED == open_adapter(HOST, "00D-token").write([make_update(ref, amount=euros(5))])[0].outcome
    assert 5 == json.loads(route.calls.last.request.content)["records"][0]["Amount"]
