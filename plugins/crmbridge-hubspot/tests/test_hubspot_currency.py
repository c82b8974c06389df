"""Amounts keep their currency: in accounts with one currency, in accounts with several, and where nobody says it."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import respx

from crmbridge.model.changes import Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import FieldType, Money
from crmbridge.ports import Adapter, FieldBinding
from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge.testing.factories import make_change
from crmbridge_hubspot.sandbox import build_account

from .accounts import DEALS, Answer, Opener

CURRENCY = {
    "name": "deal_currency_code",
    "label": "Currency",
    "type": "enumeration",
    "fieldType": "select",
    "options": [{"value": "EUR"}, {"value": "JPY"}],
}


@pytest.fixture(params=[False, True], ids=["one currency", "several"])
def account(request: pytest.FixtureRequest, clock: VirtualClock, token: str) -> Iterator[Served]:
    """Serve an account whose home currency is the euro."""
    options = SandboxOptions(seed=3, deals=6, clock=clock, token=token)
    with serve(build_account(options, multi_currency=request.param)) as served:
        yield served


@pytest.fixture
def several(account: Served) -> bool:
    """Tell whether the account keeps a currency with each deal."""
    return "deal_currency_code" in account.sandbox.state.properties["deals"]


def make_update(ref: Ref, amount: Money | None) -> Change:
    """Make the change of a deal's amount."""
    return make_change(ref.id, connection="hs", target=ref, edits=(FieldEdit("amount", None, amount),))


def read_deals(adapter: Adapter) -> list[Record]:
    """Pull all deals."""
    return [record for page in adapter.pull(Kind.DEAL, None) for record in page.records]


def make_details(**overrides: Any) -> dict[str, Any]:
    """Make what HubSpot says of an account."""
    return {"portalId": 42, "timeZone": "UTC", "uiDomain": "app.example", **overrides}


def answer_deal(router: respx.MockRouter, **properties: str | None) -> Ref:
    """Let the router answer with one deal, and nothing that hangs on it."""
    usual = {"dealstage": "first", "pipeline": "default", "amount": "1500.50"}
    stamp = "2026-06-01T10:00:00Z"
    deal = {"id": "1", "properties": {**usual, **properties}, "createdAt": stamp, "updatedAt": stamp}
    router.post(path=f"{DEALS}/batch/read").respond(json={"results": [deal]})
    router.post(path__regex=r"/crm/associations/.*").respond(json={"results": []})
    return Ref("hs", Kind.DEAL, "1")


def test_what_the_account_has_is_seen(account: Served, several: bool, open_adapter: Opener) -> None:  # noqa: FBT001  a fixture
    """An account with one currency has no property for it, and is not asked for what it does not have."""
    described = open_adapter(base_url=account.url, currency=None).describe()

    assert several is ("deal_currency_code" in {field.name for field in described.fields})
    assert (("EUR", "GBP", "USD") if several else ("EUR",)) == described.currencies


def test_amounts_are_in_the_accounts_own_currency(account: Served, open_adapter: Opener) -> None:
    """Nobody has to say `currency` for HubSpot: the deal says it, or else the account does."""
    deals = read_deals(open_adapter(base_url=account.url, currency=None))

    assert 6 == len(deals)
    assert {"EUR"} == {deal.fields["amount"].currency for deal in deals}  # type: ignore[union-attr]  # an amount is Money
    assert [()] * 6 == [deal.problems for deal in deals]


@pytest.mark.parametrize("code", ["EUR", "USD"])
def test_another_currency_is_written_with_its_code_or_refused(
    account: Served,
    several: bool,  # noqa: FBT001  a fixture
    open_adapter: Opener,
    code: str,
) -> None:
    """Dollars never become euros: where the account keeps only euros, they are refused with words."""
    adapter = open_adapter(base_url=account.url, currency=None)
    deal = read_deals(adapter)[0]
    amount = Money(Decimal("98.70"), code)
    receipt = adapter.write([make_update(deal.ref, amount)])[0]
    after = adapter.read([deal.ref])[deal.ref].fields["amount"]

    if several or code == "EUR":
        assert (Outcome.APPLIED, amount) == (receipt.outcome, after)
    else:
        assert (Outcome.REFUSED, deal.fields["amount"]) == (receipt.outcome, after)
        assert "EUR only, this one is in USD" in receipt.message


@pytest.mark.parametrize(
    ("codes", "expected"),
    [
        ((None, None, "BRL"), "BRL"),
        ((None, "GBP", "BRL"), "GBP"),
        (("", "GBP", None), "GBP"),
        (("JPY", "GBP", "BRL"), "JPY"),
    ],
)
def test_the_nearest_word_on_the_currency_counts(
    router: respx.MockRouter,
    answer_account: Answer,
    open_adapter: Opener,
    codes: tuple[str | None, str | None, str | None],
    expected: str,
) -> None:
    """The deal's own code comes first, then what the connection says, then the account's home currency."""
    deal, said, home = codes
    answer_account(router, details=make_details(companyCurrency=home))
    ref = answer_deal(router, deal_currency_code=deal)
    found = open_adapter(currency=said).read([ref])[ref]

    assert Money(Decimal("1500.50"), expected) == found.fields["amount"]


def test_an_amount_without_a_currency_is_not_trusted(
    router: respx.MockRouter, answer_account: Answer, open_adapter: Opener
) -> None:
    """Where neither deal, connection nor account says a currency, the amount is left out and what to do is said."""
    answer_account(router, details=make_details())
    adapter = open_adapter(currency=None)
    ref = answer_deal(router)
    found = adapter.read([ref])[ref]
    receipt = adapter.write([make_update(ref, Money(Decimal(5), "EUR"))])[0]

    assert "amount" not in found.fields
    assert [("amount", True)] == [(problem.path, "`currency`" in problem.message) for problem in found.problems]
    assert (Outcome.REFUSED, True) == (receipt.outcome, "`currency`" in receipt.message)
    assert () == adapter.describe().currencies


def test_no_amount_needs_no_currency(router: respx.MockRouter, answer_account: Answer, open_adapter: Opener) -> None:
    """A deal without an amount has no problem, and clearing an amount asks for no currency."""
    answer_account(router, details=make_details())
    route = router.post(path=f"{DEALS}/batch/update").respond(
        json={"status": "COMPLETE", "results": [{"id": "1", "properties": {}}]}
    )
    adapter = open_adapter(currency=None)
    ref = answer_deal(router, amount=None)
    receipt = adapter.write([make_update(ref, None)])[0]

    assert () == adapter.read([ref])[ref].problems
    assert Outcome.APPLIED == receipt.outcome
    assert {"amount": ""} == json.loads(route.calls.last.request.content)["inputs"][0]["properties"]


def test_deals_get_the_code_with_the_amount(
    router: respx.MockRouter, answer_account: Answer, open_adapter: Opener
) -> None:
    """In an account with several currencies amount and code go out together, whatever the connection says."""
    usual = [{"name": "amount", "label": "Amount", "type": "number", "fieldType": "number", "options": []}]
    answer_account(router, details=make_details(companyCurrency="EUR"), properties={"results": [*usual, CURRENCY]})
    route = router.post(path=f"{DEALS}/batch/update").respond(
        json={"status": "COMPLETE", "results": [{"id": "1", "properties": {}}]}
    )
    open_adapter(currency="GBP").write([make_update(Ref("hs", Kind.DEAL, "1"), Money(Decimal(500000), "JPY"))])

    expected = {"amount": "500000", "deal_currency_code": "JPY"}
    assert expected == json.loads(route.calls.last.request.content)["inputs"][0]["properties"]


PRICED = (FieldBinding(name="list_price", native="list_price", type=FieldType.MONEY),)


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
    router: respx.MockRouter, answer_account: Answer, open_adapter: Opener, codes: dict[str, str], outcome: Outcome
) -> None:
    """A deal has one code for all its amounts: 20 EUR would be 20 JPY, and travel to the other CRMs as an edit."""
    numbers = [{"name": name, "label": name, "type": "number"} for name in ("amount", "list_price")]
    answer_account(router, details=make_details(companyCurrency="EUR"), properties={"results": [*numbers, CURRENCY]})
    deal = answer_deal(router, amount="10", list_price="20", deal_currency_code="EUR")
    done = {"status": "COMPLETE", "results": [{"id": "1", "properties": {}}]}
    route = router.post(path=f"{DEALS}/batch/update").respond(json=done)
    edits = tuple(FieldEdit(name, None, Money(Decimal(30), code)) for name, code in codes.items())
    (receipt,) = open_adapter(PRICED).write([make_change("c", connection="hs", target=deal, edits=edits)])

    assert outcome == receipt.outcome
    assert route.called is (outcome is Outcome.APPLIED)
    assert outcome is Outcome.APPLIED or "one currency" in receipt.message
