"""Amounts keep their currency: in orgs with one currency, in orgs with several, and where nobody says it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import respx

from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType, Money
from crmbridge.ports import FieldBinding
from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge.testing.factories import make_change
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.sandbox import build_org

from .orgs import BASE, HOST, Opener

DEAL = Ref("sf", Kind.DEAL, "006Sb0000000001IAA")


@pytest.fixture
def several(clock: VirtualClock) -> Iterator[Served]:
    """Serve an org that keeps a currency with each deal."""
    with serve(build_org(SandboxOptions(seed=3, deals=6, clock=clock), multi_currency=True)) as served:
        yield served


def make_update(ref: Ref, amount: Money | None) -> Change:
    """Make the change of a deal's amount."""
    return make_change(ref.id, target=ref, edits=(FieldEdit("amount", None, amount),))


def read_deals(adapter: SalesforceAdapter) -> list[Record]:
    """Pull all deals."""
    return [record for page in adapter.pull(Kind.DEAL, None) for record in page.records]


def test_an_amount_without_a_currency_is_not_trusted(org: Served, open_adapter: Opener) -> None:
    """An org with one currency does not say which; until the connection says it, amounts are left out with a word."""
    adapter = open_adapter(org.url, org.token, currency=None)
    found = read_deals(adapter)

    assert 20 == len(found)
    assert [] == [deal for deal in found if "amount" in deal.fields]
    assert {("Amount",)} == {tuple(problem.path for problem in deal.problems) for deal in found}
    assert all("`currency`" in problem.message for deal in found for problem in deal.problems)
    assert () == adapter.describe().currencies


def test_what_the_connection_says_counts_in_an_org_with_one_currency(org: Served, open_adapter: Opener) -> None:
    """The currency that the connection names is the one of every amount."""
    adapter = open_adapter(org.url, org.token, currency="BRL")
    found = read_deals(adapter)

    assert {"BRL"} == {deal.fields["amount"].currency for deal in found}  # type: ignore[union-attr]  # an amount is Money
    assert ("BRL",) == adapter.describe().currencies


@pytest.mark.parametrize(("said", "words"), [(None, "`currency`"), ("BRL", "BRL; 98.70 USD")])
def test_another_currency_is_refused_in_an_org_with_one(
    org: Served, open_adapter: Opener, said: str | None, words: str
) -> None:
    """Dollars never become reais, nor a number of nobody knows what."""
    adapter = open_adapter(org.url, org.token, currency=said)
    deal = read_deals(adapter)[0]
    receipt = adapter.write([make_update(deal.ref, Money(Decimal("98.70"), "USD"))])[0]
    told = open_adapter(org.url, org.token, currency="BRL").read([deal.ref])[deal.ref]

    assert (Outcome.REFUSED, True) == (receipt.outcome, words in receipt.message)
    assert Money(Decimal("98.70"), "BRL") != told.fields["amount"]


def test_only_the_amount_is_blamed_for_its_currency(org: Served, open_adapter: Opener) -> None:
    """The other fields of the update go out with the next run."""
    adapter = open_adapter(org.url, org.token, currency="BRL")
    deal = read_deals(adapter)[0]
    change = make_update(deal.ref, Money(Decimal("98.70"), "USD"))
    both = replace(change, edits=(FieldEdit("name", None, "Renamed"), *change.edits))
    (receipt,) = adapter.write([both])

    assert (Outcome.REFUSED, ("amount",)) == (receipt.outcome, receipt.blamed)


def test_the_orgs_one_currency_is_written(org: Served, open_adapter: Opener) -> None:
    """An amount in the currency that the connection names goes out and comes back."""
    adapter = open_adapter(org.url, org.token, currency="BRL")
    deal, amount = read_deals(adapter)[0], Money(Decimal("98.70"), "BRL")

    assert Outcome.APPLIED == adapter.write([make_update(deal.ref, amount)])[0].outcome
    assert amount == adapter.read([deal.ref])[deal.ref].fields["amount"]


def test_clearing_an_amount_needs_no_currency(org: Served, open_adapter: Opener) -> None:
    """No amount is no amount in every currency, and no problem."""
    adapter = open_adapter(org.url, org.token, currency=None)
    deal = read_deals(adapter)[0]

    assert Outcome.APPLIED == adapter.write([make_update(deal.ref, None)])[0].outcome
    after = adapter.read([deal.ref])[deal.ref]
    assert (None, ()) == (after.fields["amount"], after.problems)


@pytest.mark.parametrize("said", [None, "GBP"])
def test_a_deals_own_code_counts_in_an_org_with_several(
    several: Served, open_adapter: Opener, said: str | None
) -> None:
    """Where rows have a CurrencyIsoCode, what the connection says stands in for nothing."""
    adapter = open_adapter(several.url, several.token, currency=said)
    found = read_deals(adapter)

    assert {"EUR"} == {deal.fields["amount"].currency for deal in found}  # type: ignore[union-attr]  # an amount is Money
    assert ("EUR", "USD", "GBP") == adapter.describe().currencies


@pytest.mark.parametrize(("code", "outcome"), [("USD", Outcome.APPLIED), ("JPY", Outcome.REFUSED)])
def test_an_org_with_several_gets_the_code_too(
    several: Served, open_adapter: Opener, code: str, outcome: Outcome
) -> None:
    """A currency that the org has is written with its amount; one that it has not is refused with words."""
    adapter = open_adapter(several.url, several.token, currency=None)
    deal, amount = read_deals(adapter)[0], Money(Decimal("98.70"), code)
    receipt = adapter.write([make_update(deal.ref, amount)])[0]
    after = adapter.read([deal.ref])[deal.ref].fields["amount"]

    assert outcome == receipt.outcome
    assert (amount if outcome is Outcome.APPLIED else deal.fields["amount"]) == after
    assert outcome is Outcome.APPLIED or "EUR, USD, GBP" in receipt.message


@respx.mock
def test_the_code_goes_out_with_the_amount(open_adapter: Opener) -> None:
    """Amount and CurrencyIsoCode are in one row of one request."""
    codes = [{"value": code, "label": code, "active": code != "GBP"} for code in ("EUR", "JPY", "GBP")]
    usual: dict[str, Any] = {"createable": True, "updateable": True}
    fields = [
        {"name": "Amount", "type": "currency", "precision": 18, "scale": 2, **usual},
        {"name": "CurrencyIsoCode", "type": "picklist", "picklistValues": codes, **usual},
    ]
    respx.get(f"{BASE}/sobjects/Opportunity/describe").respond(json={"name": "Opportunity", "fields": fields})
    answer = [{"id": DEAL.id, "success": True, "errors": []}]
    route = respx.patch(f"{BASE}/composite/sobjects").respond(json=answer)
    adapter = open_adapter(HOST, "00D-token", currency="EUR")
    receipts = [adapter.write([make_update(DEAL, Money(Decimal(500), code))])[0] for code in ("JPY", "GBP")]

    assert [Outcome.APPLIED, Outcome.REFUSED] == [receipt.outcome for receipt in receipts]
    row = json.loads(route.calls.last.request.content)["records"][0]
    assert (1, 500, "JPY") == (route.call_count, row["Amount"], row["CurrencyIsoCode"])


def test_a_creation_waits_for_the_currency_and_an_update_goes_on_without(org: Served, open_adapter: Opener) -> None:
    """Once `currency` is set the deal is made; of an update the other fields need not wait for that."""
    adapter = open_adapter(org.url, org.token, currency=None)
    deal, amount = read_deals(adapter)[0], Money(Decimal(5), "EUR")
    made = make_change("n", action=Action.CREATE, target=None, key="k", edits=(FieldEdit("amount", None, amount),))
    receipts = [adapter.write([change])[0] for change in (made, make_update(deal.ref, amount))]

    assert [Outcome.FAILED, Outcome.REFUSED] == [receipt.outcome for receipt in receipts]
    assert all("`currency`" in receipt.message for receipt in receipts)


PRICED = (FieldBinding(name="list_price", native="List_Price__c", type=FieldType.MONEY),)


@respx.mock
@pytest.mark.parametrize(
    ("codes", "outcome"),
    [
        ({"amount": "EUR"}, Outcome.APPLIED),  # as the list price that stays
        ({"amount": "JPY"}, Outcome.REFUSED),
        ({"amount": "JPY", "list_price": "JPY"}, Outcome.APPLIED),
        ({"amount": "JPY", "list_price": "EUR"}, Outcome.REFUSED),
    ],
)
def test_no_amount_turns_another_into_its_currency(
    open_adapter: Opener, codes: dict[str, str], outcome: Outcome
) -> None:
    """A row has one code for all its amounts: 20 EUR would be 20 JPY, and travel to the other CRMs as an edit."""
    options = [{"value": code, "label": code, "active": True} for code in ("EUR", "JPY")]
    usual: dict[str, Any] = {"createable": True, "updateable": True}
    columns = [
        {"name": "Amount", "type": "currency", "precision": 18, "scale": 2, **usual},
        {"name": "List_Price__c", "type": "currency", "precision": 18, "scale": 2, **usual},
        {"name": "CurrencyIsoCode", "type": "picklist", "picklistValues": options, **usual},
    ]
    respx.get(f"{BASE}/sobjects/Opportunity/describe").respond(json={"name": "Opportunity", "fields": columns})
    row = {"Id": DEAL.id, "Amount": 10, "List_Price__c": 20, "CurrencyIsoCode": "EUR"}
    respx.post(f"{BASE}/composite/sobjects/Opportunity").respond(json=[row])
    route = respx.patch(f"{BASE}/composite/sobjects").respond(json=[{"id": DEAL.id, "success": True, "errors": []}])
    edits = tuple(FieldEdit(name, None, Money(Decimal(30), code)) for name, code in codes.items())
    (receipt,) = open_adapter(HOST, "00D-token", fields=PRICED).write([make_change("c", target=DEAL, edits=edits)])

    assert outcome == receipt.outcome
    assert route.called is (outcome is Outcome.APPLIED)
    assert outcome is Outcome.APPLIED or "one currency" in receipt.message
    assert outcome is Outcome.APPLIED or set(codes) == set(receipt.blamed)
