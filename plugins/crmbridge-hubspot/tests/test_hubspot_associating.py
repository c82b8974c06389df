"""What hangs on a deal is added and taken away, what others added stays, and receipts are honest."""

import json
from typing import Any

import httpx
import pytest
import respx

from crmbridge.errors import RetryLaterError
from crmbridge.model.changes import Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value
from crmbridge.ports import Adapter
from crmbridge.testing import AdapterWorkbench
from crmbridge.testing.factories import make_change

from .accounts import DEALS, LINKS, Opener


def make_update(number: str, *edits: tuple[str, Value, Value], connection: str = "hs") -> Change:
    """Make an update of a deal."""
    target = Ref(connection, Kind.DEAL, number)
    return make_change(number, connection=connection, target=target, edits=tuple(FieldEdit(*each) for each in edits))


def sent(route: respx.Route) -> list[Any]:
    """Give the inputs of the last call."""
    return list(json.loads(route.calls.last.request.content)["inputs"])


def done(*ids: str) -> dict[str, Any]:
    """Make the answer to a batch update."""
    return {"status": "COMPLETE", "results": [{"id": each, "properties": {}} for each in ids]}


def test_a_company_is_made_primary_before_the_other_goes(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Type 5 makes it the primary one, and the one before is only unlabelled by that ("Associate records")."""
    made = hubspot.post(path=f"{LINKS}/companies/batch/create").respond(201, json=done())
    gone = hubspot.post(path=f"{LINKS}/companies/batch/archive").respond(204)
    (receipt,) = open_adapter().write([make_update("1", ("company", "30", "31"))])

    assert (Outcome.APPLIED, "1") == (receipt.outcome, receipt.ref and receipt.ref.id)
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 5}]
    assert [{"from": {"id": "1"}, "to": {"id": "31"}, "types": types}] == sent(made)
    assert [{"from": {"id": "1"}, "to": [{"id": "30"}]}] == sent(gone)


def test_contacts_of_several_deals_go_together(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Two calls for all deals; a contact that is on both sides of the edit is left alone."""
    made = hubspot.post(path=f"{LINKS}/contacts/batch/associate/default").respond(200, json=done())
    gone = hubspot.post(path=f"{LINKS}/contacts/batch/archive").respond(204)
    edits = [("contacts", ("50", "51"), ("51", "52")), ("contacts", None, ("53",))]
    receipts = open_adapter().write([make_update(str(n), edit) for n, edit in enumerate(edits, start=1)])

    assert [Outcome.APPLIED] * 2 == [receipt.outcome for receipt in receipts]
    assert [("1", "52"), ("2", "53")] == [(each["from"]["id"], each["to"]["id"]) for each in sent(made)]
    assert [{"from": {"id": "1"}, "to": [{"id": "50"}]}] == sent(gone)
    assert (1, 1) == (made.call_count, gone.call_count)


@pytest.mark.parametrize(
    ("trouble", "outcome"),
    [
        (httpx.Response(404, json={"message": "no company 31"}), Outcome.REFUSED),
        (httpx.Response(400, json={"message": "not allowed"}), Outcome.REFUSED),
        (httpx.Response(429, json={"message": "daily", "policyName": "DAILY"}), Outcome.FAILED),
        (httpx.Response(502), Outcome.UNKNOWN),
        (httpx.ReadTimeout("slow"), Outcome.UNKNOWN),
    ],
)
def test_fields_without_the_company_are_not_applied(
    hubspot: respx.MockRouter, open_adapter: Opener, trouble: httpx.Response | Exception, outcome: Outcome
) -> None:
    """The receipt names what is missing, and the company that was there is not taken away."""
    hubspot.post(path=f"{DEALS}/batch/update").respond(json=done("1"))
    hubspot.post(path=f"{LINKS}/companies/batch/create").side_effect = [trouble]
    gone = hubspot.post(path=f"{LINKS}/companies/batch/archive").respond(204)
    (receipt,) = open_adapter().write([make_update("1", ("company", "30", "31"), ("name", None, "x"))])

    assert (outcome, None) == (receipt.outcome, receipt.ref)
    assert "fields were written" in receipt.message
    assert 0 == gone.call_count


def test_without_its_fields_nothing_is_associated(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """A deal whose fields HubSpot refuses is left as it was."""
    hubspot.post(path=f"{DEALS}/batch/update").respond(400, json={"message": "bad"})
    (receipt,) = open_adapter().write([make_update("1", ("company", "30", "31"), ("name", None, "x"))])

    assert Outcome.REFUSED == receipt.outcome


def test_a_limit_before_anything_was_written_is_no_receipt(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Nothing was sent, so all of it is for later."""
    limit = httpx.Response(429, json={"message": "daily", "policyName": "DAILY"})
    hubspot.post(path=f"{LINKS}/companies/batch/create").side_effect = [limit]

    with pytest.raises(RetryLaterError):
        open_adapter().write([make_update("1", ("company", "30", "31"))])


@pytest.mark.parametrize("context", [{"ids": ["51"]}, {"id": "51"}, {}, {"objectType": ["contacts"]}, None])
def test_part_of_a_batch_is_refused(hubspot: respx.MockRouter, open_adapter: Opener, context: Any) -> None:
    """What 207 may speak of is sent again alone, where the answer can only mean that one.

    An error that names nothing of the batch may speak of all of it.
    """

    def answer(request: httpx.Request) -> httpx.Response:
        others = [each["to"]["id"] for each in json.loads(request.content)["inputs"]]
        if others == ["51"]:
            return httpx.Response(404, json={"message": "contact 51 is not there"})
        errors = [{"category": "OBJECT_NOT_FOUND", "message": "gone", "context": context}] if "51" in others else []
        return httpx.Response(207 if errors else 200, json={"status": "COMPLETE", "results": [], "errors": errors})

    hubspot.post(path=f"{LINKS}/contacts/batch/associate/default").mock(side_effect=answer)
    receipts = open_adapter().write(
        [make_update("1", ("contacts", (), ("50",))), make_update("2", ("contacts", (), ("51",)))]
    )

    assert [Outcome.APPLIED, Outcome.REFUSED] == [receipt.outcome for receipt in receipts]
    assert "contact 51" in receipts[1].message


def test_nothing_more_is_associated_through_a_door_that_is_shut(
    hubspot: respx.MockRouter, open_adapter: Opener
) -> None:
    """Neither the rest of a batch nor what hangs on deals otherwise; it would only draw more refusals."""
    answers = [
        httpx.Response(400, json={"message": "one of these"}),
        httpx.Response(200, json=done()),
        httpx.Response(429, json={"message": "daily", "policyName": "DAILY"}),
    ]
    made = hubspot.post(path=f"{LINKS}/companies/batch/create").mock(side_effect=answers)
    others = hubspot.post(path=f"{LINKS}/contacts/batch/associate/default").respond(200, json=done())
    edits = [(("company", None, "30"),)] * 3 + [(("contacts", None, ("50",)),)]
    receipts = open_adapter().write([make_update(str(number), *each) for number, each in enumerate(edits, start=1)])

    assert [Outcome.APPLIED, *[Outcome.FAILED] * 3] == [receipt.outcome for receipt in receipts]
    assert (3, 0) == (made.call_count, others.call_count)


def test_what_is_gone_hangs_on_nothing(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """A contact that was deleted can't be taken off a deal, and need not be."""
    none = {"category": "OBJECT_NOT_FOUND", "message": "no contact 50"}
    hubspot.post(path=f"{LINKS}/contacts/batch/archive").respond(404, json=none)
    (receipt,) = open_adapter().write([make_update("1", ("contacts", ("50",), ()))])

    assert Outcome.APPLIED == receipt.outcome


def test_a_path_that_is_gone_takes_nobody_off_a_deal(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Taken for done, the contact would come back from HubSpot as somebody's edit."""
    gone = {"status": "error", "message": "resource not found"}
    hubspot.post(path=f"{LINKS}/contacts/batch/archive").respond(404, json=gone)
    (receipt,) = open_adapter().write([make_update("1", ("contacts", ("50",), ()))])

    assert Outcome.REFUSED == receipt.outcome


def test_what_is_gone_may_be_said_beside_a_success(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """207 with one error is the same answer as 404."""
    error = {"category": "OBJECT_NOT_FOUND", "message": "no contact 50", "context": {"ids": ["50"]}}
    hubspot.post(path=f"{LINKS}/contacts/batch/archive").respond(207, json={"results": [], "errors": [error]})
    (receipt,) = open_adapter().write([make_update("1", ("contacts", ("50",), ()))])

    assert Outcome.APPLIED == receipt.outcome


def test_what_is_unclear_of_a_change_counts_most(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """One contact is refused, and of another nobody knows: the deal is looked at before anything more is written."""

    def answer(request: httpx.Request) -> httpx.Response:
        others = [each["to"]["id"] for each in json.loads(request.content)["inputs"]]
        if others == ["51"]:
            raise httpx.ReadTimeout("slow")
        return httpx.Response(400, json={"message": "not this one"})

    hubspot.post(path=f"{LINKS}/contacts/batch/associate/default").mock(side_effect=answer)
    (receipt,) = open_adapter().write([make_update("1", ("contacts", (), ("50", "51", "52")))])

    assert Outcome.UNKNOWN == receipt.outcome


def test_associations_are_read_back_and_what_others_added_stays(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """By `read` at once, and in the next pull; repeating it changes nothing."""
    state: Any = bench.hands
    deal = state.deal_ids()[0]
    cursor = list(adapter.pull(Kind.DEAL, None))[-1].cursor
    ref = Ref("bench", Kind.DEAL, deal)
    before = adapter.read([ref])[ref].fields
    company, mine, theirs = state.create_company(name="New"), state.create_contact(), state.create_contact()
    state.add_contact(deal, theirs)
    change = make_update(
        deal,
        ("company", before.get("company"), company),
        ("contacts", before["contacts"], (mine,)),
        connection="bench",
    )
    outcomes = [receipt.outcome for _ in range(2) for receipt in adapter.write([change])]
    read = adapter.read([ref])[ref].fields
    pulled = {r.ref: r.fields for page in adapter.pull(Kind.DEAL, cursor) for r in page.records}[ref]

    assert [Outcome.APPLIED] * 2 == outcomes
    assert (company, tuple(sorted((mine, theirs)))) == (read["company"], read["contacts"])
    assert (company, read["contacts"]) == (pulled["company"], pulled["contacts"])
    assert [company] == [record.id for record, _ in state.links.of("deals", deal, "companies")]


def test_what_people_change_on_the_screens_is_pulled(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """Another company, one contact more and one less; and a deal without a company."""
    state: Any = bench.hands
    deal, bare = state.deal_ids()[:2]
    cursor = list(adapter.pull(Kind.DEAL, None))[-1].cursor
    contacts = [record.id for record, _ in state.links.of("deals", deal, "contacts")]
    company, contact = state.create_company(name="New"), state.create_contact(email="new@acme.example")
    state.set_company(deal, company)
    state.add_contact(deal, contact)
    state.remove_contact(deal, contacts[0])
    state.set_company(bare, None)
    pulled = {r.ref.id: r.fields for page in adapter.pull(Kind.DEAL, cursor) for r in page.records}

    assert company == pulled[deal]["company"]
    assert tuple(sorted([*contacts[1:], contact])) == pulled[deal]["contacts"]
    assert None is pulled[bare].get("company")


def test_a_company_that_is_gone_is_refused_by_name(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """The deal keeps the company that it has."""
    state: Any = bench.hands
    deal = state.deal_ids()[0]
    (kept,) = [record.id for record, _ in state.links.of("deals", deal, "companies")]
    (receipt,) = adapter.write([make_update(deal, ("company", kept, "404"), connection="bench")])

    assert Outcome.REFUSED == receipt.outcome
    assert "company 404" in receipt.message
    assert [kept] == [record.id for record, _ in state.links.of("deals", deal, "companies")]


def test_who_edited_a_deal_is_known_by_the_owner_id(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """HubSpot says a user id, and pulled users are known by owner ids ("Owners" guide); an integration is nobody."""
    state: Any = bench.hands
    by_hand, by_api = state.deal_ids()[:2]
    state.edit_deal(by_hand, dealname="By hand")
    adapter.write([make_update(by_api, ("name", None, "By us"), connection="bench")])
    refs = [Ref("bench", Kind.DEAL, each) for each in (by_hand, by_api)]
    read = adapter.read(refs)
    users = {record.ref.id for page in adapter.pull(Kind.USER, None) for record in page.records}

    assert read[refs[0]].updated_by in users
    assert None is read[refs[1]].updated_by


def test_more_contacts_than_a_call_takes_go_in_several(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """2,000 are associated in a call, and 1,000 are taken off ("Associate records")."""
    made = hubspot.post(path=f"{LINKS}/contacts/batch/associate/default").respond(200, json=done())
    gone = hubspot.post(path=f"{LINKS}/contacts/batch/archive").respond(204)
    old, new = (tuple(str(first + each) for each in range(2_001)) for first in (10_000, 20_000))
    (receipt,) = open_adapter().write([make_update("1", ("contacts", old, new))])

    assert Outcome.APPLIED == receipt.outcome
    sizes = [[len(json.loads(call.request.content)["inputs"]) for call in route.calls] for route in (made, gone)]
    assert [[2_000, 1], [1_000, 1_000, 1]] == sizes
