"""Deleting into the recycle bin: row by row, only what is as it was expected, and nothing that takes others along."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
import respx

from crmbridge.errors import AuthenticationError, RetryLaterError
from crmbridge.model.changes import Action, Change, Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.testing.factories import make_change
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.sandbox import State

from .orgs import HOST, Opener

COLLECTION = f"{HOST}/services/data/v67.0/composite/sobjects"
DEALS = [f"006Sb000000000{number}IAA" for number in (1, 2, 3)]


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    """Stub the org: nothing answers until the test says so."""
    with respx.mock as found:
        yield found


@pytest.fixture
def stubbed(open_adapter: Opener, router: respx.MockRouter) -> SalesforceAdapter:
    """Give an adapter on the stubbed org."""
    return open_adapter(HOST, "00D-token")


def make_archive(ref: Ref, expects: str | None = None) -> Change:
    """Make the change that archives a record."""
    return make_change(f"{ref.kind}-{ref.id}", action=Action.ARCHIVE, target=ref, edits=(), expects=expects)


def make_archives() -> list[Change]:
    """Make the changes that archive three deals."""
    return [make_archive(Ref("sf", Kind.DEAL, one)) for one in DEALS]


def pulled(adapter: SalesforceAdapter, kind: Kind) -> list[Record]:
    """Pull all records of a kind, in the order of their ids."""
    return sorted((r for page in adapter.pull(kind, None) for r in page.records), key=lambda record: record.ref)


def gone(code: str) -> dict[str, Any]:
    """Make the result of a row that was not deleted."""
    return {"success": False, "errors": [{"statusCode": code, "message": f"it is {code}", "fields": []}]}


def test_deals_go_into_the_recycle_bin_and_come_back(
    state: State, adapter: SalesforceAdapter, clock: VirtualClock
) -> None:
    """An archived deal is a tombstone; once somebody restores it, the next pull has it with all that hung on it."""
    pages = list(adapter.pull(Kind.DEAL, None))
    deal = next(r for page in pages for r in page.records if r.fields["contacts"])
    moves = [move for page in pages for move in page.moves if move.deal == deal.ref]
    clock.advance(timedelta(hours=1))
    receipt = adapter.write([make_archive(deal.ref, deal.version)])[0]
    after = list(adapter.pull(Kind.DEAL, pages[-1].cursor))
    clock.advance(timedelta(hours=1))
    state.restore_deal(deal.ref.id)
    back = list(adapter.pull(Kind.DEAL, after[-1].cursor))

    assert (Outcome.APPLIED, deal.ref) == (receipt.outcome, receipt.ref)
    assert [deal.ref] == [stone.ref for page in after for stone in page.tombstones]
    assert [deal.fields] == [record.fields for page in back for record in page.records]
    assert moves == [move for page in back for move in page.moves]
    assert not any(page.tombstones for page in back)


def test_records_of_every_kind_are_archived_in_one_request(
    org: Served, state: State, adapter: SalesforceAdapter
) -> None:
    """Ids say what they are, so deals, contacts, tasks and notes go together, and accounts after them."""
    deal, contact = (pulled(adapter, kind)[0].ref for kind in (Kind.DEAL, Kind.CONTACT))
    task, note = state.add_task(deal.id, Subject="Call"), state.add_note(deal.id, "Met at the fair")
    company = state.create_company(Name="Acme")
    refs = [
        Ref("sf", Kind.COMPANY, company),
        contact,
        Ref("sf", Kind.TASK, task),
        Ref("sf", Kind.NOTE, note),
        deal,
    ]
    receipts = adapter.write([make_archive(ref) for ref in refs])

    assert refs == [receipt.ref for receipt in receipts]
    assert {Outcome.APPLIED} == {receipt.outcome for receipt in receipts}
    assert {} == adapter.read([ref for ref in refs if ref.kind is not Kind.TASK])
    requests = org.sandbox.log.matching("DELETE", "/composite/sobjects")
    assert [4, 1] == [len(parse_qs(request.query)["ids"][0].split(",")) for request in requests]


def test_an_account_with_deals_or_contacts_is_kept(state: State, adapter: SalesforceAdapter) -> None:
    """Salesforce would delete them with it; one whose own are archived in the same call is deleted."""
    full, own = (state.create_company(Name=name) for name in ("Full", "Own"))
    state.create_contact(LastName="Lee", AccountId=full)
    contact = state.create_contact(LastName="Roe", AccountId=own)
    refs = [Ref("sf", Kind.COMPANY, full), Ref("sf", Kind.COMPANY, own), Ref("sf", Kind.CONTACT, contact)]
    receipts = adapter.write([make_archive(ref) for ref in refs])

    assert [Outcome.REFUSED, Outcome.APPLIED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert "tied to it" in receipts[0].message
    assert [full] == [ref.id for ref in adapter.read(refs)]


@pytest.mark.parametrize("kind", [Kind.DEAL, Kind.COMPANY, Kind.CONTACT, Kind.ACTIVITY])
def test_what_was_changed_since_stays(org: Served, state: State, adapter: SalesforceAdapter, kind: Kind) -> None:
    """An edit beats a deletion: the version is compared right before, as DELETE takes no condition."""
    state.add_task(state.deal_ids()[0], Subject="Call")
    record = pulled(adapter, kind)[-1]
    column = {Kind.COMPANY: "Name", Kind.CONTACT: "Title", Kind.DEAL: "Name", Kind.ACTIVITY: "Subject"}[kind]
    tables = {Kind.COMPANY: "Account", Kind.CONTACT: "Contact", Kind.DEAL: "Opportunity", Kind.ACTIVITY: "Task"}
    state.update(tables[kind], record.ref.id, {column: "changed"})
    receipt = adapter.write([make_archive(record.ref, record.version)])[0]

    assert Outcome.STALE == receipt.outcome
    assert record.ref in adapter.read([record.ref])
    assert not org.sandbox.log.matching("DELETE", "/composite/sobjects")


def test_what_is_gone_already_is_archived(state: State, adapter: SalesforceAdapter) -> None:
    """Somebody else was faster: what was asked for is so, also where a version was expected."""
    deals = pulled(adapter, Kind.DEAL)[:2]
    state.delete_deal(deals[0].ref.id)
    never = Ref("sf", Kind.DEAL, "006Sb00000zzzzzAAA")
    receipts = adapter.write([*(make_archive(deal.ref, deal.version) for deal in deals), make_archive(never)])

    assert [Outcome.APPLIED] * 3 == [receipt.outcome for receipt in receipts]
    assert ["it was gone already", "", "it was gone already"] == [receipt.message for receipt in receipts]


def test_each_row_has_its_own_result(stubbed: SalesforceAdapter, router: respx.MockRouter) -> None:
    """The answer is 200 with a result each, in order, `errors` with statusCode ("sObject Collections")."""
    results = [{"id": DEALS[0], "success": True, "errors": []}, gone("ENTITY_IS_DELETED"), gone("DELETE_FAILED")]
    route = router.delete(COLLECTION).respond(json=results)
    receipts = stubbed.write(make_archives())

    assert [Outcome.APPLIED, Outcome.APPLIED, Outcome.REFUSED] == [receipt.outcome for receipt in receipts]
    assert "it is DELETE_FAILED [DELETE_FAILED]" == receipts[2].message
    assert {"ids": ",".join(DEALS), "allOrNone": "false"} == dict(route.calls.last.request.url.params)


_UNCLEAR = [httpx.ReadTimeout("late"), httpx.Response(503), httpx.Response(200, json=[]), httpx.Response(200, json={})]


@pytest.mark.parametrize("answer", _UNCLEAR)
def test_an_unclear_answer_is_unknown_and_not_sent_again(
    stubbed: SalesforceAdapter, router: respx.MockRouter, answer: Any
) -> None:
    """Whether the deals were deleted, reading them back must tell."""
    route = router.delete(COLLECTION)
    route.side_effect = [answer]
    receipts = stubbed.write(make_archives())

    assert [Outcome.UNKNOWN] * 3 == [receipt.outcome for receipt in receipts]
    assert DEALS == [receipt.ref.id for receipt in receipts if receipt.ref]
    assert 1 == route.call_count


def test_one_id_that_spoils_the_request_costs_only_itself(stubbed: SalesforceAdapter, router: respx.MockRouter) -> None:
    """A malformed id refuses the whole request, of which nothing was done, so each is tried alone."""

    def answer(request: httpx.Request) -> httpx.Response:
        ids = request.url.params["ids"].split(",")
        if DEALS[1] in ids:
            return httpx.Response(400, json=[{"errorCode": "MALFORMED_ID", "message": "bad id"}])
        return httpx.Response(200, json=[{"id": one, "success": True, "errors": []} for one in ids])

    router.delete(COLLECTION).mock(side_effect=answer)
    receipts = stubbed.write(make_archives())

    assert [Outcome.APPLIED, Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}], AuthenticationError),
        (403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}], RetryLaterError),
    ],
)
def test_nothing_sent_is_raised(
    stubbed: SalesforceAdapter, router: respx.MockRouter, status: int, body: Any, error: type[Exception]
) -> None:
    """When everything was clearly turned away, the plan stays as it is."""
    router.delete(COLLECTION).respond(status, json=body)
    with pytest.raises(error):
        stubbed.write(make_archives())


def test_a_locked_row_is_tried_again(state: State, adapter: SalesforceAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody holds the row for a moment (jsforce issue 1018)."""
    free, held = pulled(adapter, Kind.DEAL)[:2]
    state.locked.add(held.ref.id)
    monkeypatch.setattr(state.clock, "sleep", lambda _seconds: state.locked.clear())
    receipts = adapter.write([make_archive(free.ref, free.version), make_archive(held.ref, held.version)])

    assert [Outcome.APPLIED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
