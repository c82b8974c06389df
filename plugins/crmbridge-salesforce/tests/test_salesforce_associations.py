"""A deal's company and contacts: written with it or not at all, and changed by no more than an edit says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import count
from typing import Any

import httpx
import pytest
import respx

from crmbridge.errors import AuthenticationError, RetryLaterError
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Position, Record, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.testing.factories import make_change
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.sandbox import Rule, State
from crmbridge_salesforce.whole import MOST_GRAPHS

from .orgs import BASE, HOST, Opener

DEAL = "006Sb0000000001IAA"
ANN, BEN = "003Sb0000000001IAA", "003Sb0000000002IAA"


@pytest.fixture
def people(state: State) -> list[str]:
    """Give three contacts that are on no deal yet, in order."""
    return [state.create_contact(LastName=name) for name in ("Lee", "Roe", "Poe")]


def make_create(number: int = 1, *, key: str | None = None, **fields: Value) -> Change:
    """Make the change that creates a deal."""
    values: dict[str, Value] = {"name": f"New {number}", "close_date": date(2026, 9, 1), **fields}
    edits = tuple(FieldEdit(name, None, value) for name, value in values.items())
    place = Position("default", "Prospecting", Status.OPEN)
    key = key or f"key {number}"
    return make_change(number, action=Action.CREATE, target=None, edits=edits, position=place, key=key, expects=None)


def make_update(record: Record, **edits: tuple[Value, Value]) -> Change:
    """Make the change of a deal, each edit from a value to another."""
    changes = tuple(FieldEdit(name, before, after) for name, (before, after) in edits.items())
    return make_change(record.ref.id, target=record.ref, edits=changes, expects=record.version)


def read(adapter: SalesforceAdapter, deal: str) -> Record:
    """Read a deal."""
    ref = Ref("sf", Kind.DEAL, deal)
    return adapter.read([ref])[ref]


def roles(state: State, deal: str) -> list[str]:
    """Give the contacts of a deal as the org has them, doubles too."""
    return sorted(row["ContactId"] for row in state.tables.find("OpportunityContactRole", "OpportunityId", deal))


def test_contacts_are_asked_for_only_where_they_are_wanted(
    org: Served, adapter: SalesforceAdapter, state: State
) -> None:
    """They lie in another object and cost a request of their own, in each batch that is looked at before a write."""
    ref = Ref("sf", Kind.DEAL, state.deal_ids()[0])
    asked = []
    for fields in ({"amount"}, {"contacts"}, None):
        org.sandbox.log.clear()
        adapter.read([ref], fields=fields)
        asked.append(len([each for each in org.sandbox.log.all() if "OpportunityContactRole" in each.query]))

    assert [0, 1, 1] == asked


# ── Creating ────────────────────────────────────────────────────────────────────────────────────────────


def test_a_deal_is_created_with_its_company_and_contacts(
    org: Served, state: State, adapter: SalesforceAdapter, people: list[str]
) -> None:
    """In one request: there is no moment at which the deal is without them."""
    company = state.create_company(Name="Acme")
    change = make_create(company=company, contacts=tuple(people[:2]))
    receipt = adapter.write([change])[0]

    assert Outcome.APPLIED == receipt.outcome
    assert receipt.ref is not None
    found = read(adapter, receipt.ref.id)
    assert (company, tuple(people[:2])) == (found.fields["company"], found.fields["contacts"])
    assert (change.key, receipt.ref) == (found.key, adapter.find(Kind.DEAL, str(change.key), None))
    assert 1 == len(org.sandbox.log.matching("POST", "/composite/graph"))


def test_a_deal_whose_contact_is_refused_is_not_created(
    state: State, adapter: SalesforceAdapter, people: list[str]
) -> None:
    """A graph is taken back whole, and costs no other deal ("Using Composite Graphs")."""
    before = state.deal_ids()
    lost = make_create(2, contacts=(people[0], "003Sb00000zzzzzAAA"))
    receipts = adapter.write([make_create(1, contacts=(people[0],)), lost, make_create(3), make_create(4, contacts=())])

    outcomes = [Outcome.APPLIED, Outcome.REFUSED, Outcome.APPLIED, Outcome.APPLIED]
    assert outcomes == [receipt.outcome for receipt in receipts]
    assert "INVALID_CROSS_REFERENCE_KEY" in receipts[1].message
    assert "rolled back" not in receipts[1].message
    assert len(before) + 3 == len(state.deal_ids())
    assert adapter.find(Kind.DEAL, str(lost.key), None) is None


def test_a_company_that_is_not_there_refuses_the_deal(state: State, adapter: SalesforceAdapter) -> None:
    """The account is a column of the deal's own row."""
    before = state.deal_ids()
    receipt = adapter.write([make_create(company="001Sb00000zzzzzAAA")])[0]

    assert (Outcome.REFUSED, before) == (receipt.outcome, state.deal_ids())


def test_many_refused_deals_hold_back_no_other(
    org: Served, state: State, adapter: SalesforceAdapter, people: list[str]
) -> None:
    """After 14 failures the org looks at no more graphs and says so; they are sent again ("Composite Graph Limits")."""
    rule = Rule(refuses=lambda before, after: before is None and "bad" in after["Name"], message="Not this one")
    state.rules.append(rule)
    changes = [
        make_create(number, name="bad" if number < 60 else "good", contacts=(people[0],)) for number in range(75)
    ]
    receipts = adapter.write(changes)

    assert [Outcome.REFUSED] * 60 + [Outcome.APPLIED] * 15 == [receipt.outcome for receipt in receipts]
    assert {"Not this one [FIELD_CUSTOM_VALIDATION_EXCEPTION]"} == {receipt.message for receipt in receipts[:60]}
    assert [75, 60, 45, 30, 15] == [
        len(request.body["graphs"]) for request in org.sandbox.log.matching("POST", "/composite/graph")
    ]


def test_requests_hold_what_the_org_takes(org: Served, state: State, adapter: SalesforceAdapter) -> None:
    """At most 75 graphs, of 500 nodes in all; a deal that has more contacts than one can hold is refused."""
    crowd = tuple(state.create_contact(LastName=f"C{number}") for number in range(500))
    small = [make_create(number, contacts=crowd[:1]) for number in range(80)]
    big = [make_create(number, contacts=crowd[:200]) for number in range(80, 83)]
    receipts = adapter.write([*small, *big, make_create(90, contacts=crowd)])

    assert [Outcome.APPLIED] * 83 + [Outcome.REFUSED] == [receipt.outcome for receipt in receipts]
    sizes = [
        [len(graph["compositeRequest"]) for graph in request.body["graphs"]]
        for request in org.sandbox.log.matching("POST", "/composite/graph")
    ]
    assert [[2] * 75, [2] * 5 + [201] * 2, [201]] == sizes


def test_a_deal_that_was_there_keeps_one_role_for_each_contact(
    state: State, adapter: SalesforceAdapter, people: list[str]
) -> None:
    """An upsert finds it by its key; the contacts that it has already are not there twice."""
    first = adapter.write([make_create(contacts=tuple(people[:2]))])[0]
    again = adapter.write([make_create(contacts=tuple(people[1:]))])[0]

    assert first.ref is not None
    assert (Outcome.APPLIED, first.ref) == (again.outcome, again.ref)
    assert "already" in again.message
    assert people == roles(state, first.ref.id)


# ── Changing ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_update_sets_and_clears_the_company(state: State, adapter: SalesforceAdapter) -> None:
    """The account of a deal is a column."""
    deal, company = state.deal_ids()[0], state.create_company(Name="Acme")
    for wanted in (company, None):
        record = read(adapter, deal)
        assert (
            Outcome.APPLIED
            == adapter.write([make_update(record, company=(record.fields["company"], wanted))])[0].outcome
        )
        assert wanted == read(adapter, deal).fields["company"]


def test_contacts_that_others_added_meanwhile_stay(state: State, adapter: SalesforceAdapter, people: list[str]) -> None:
    """Only what the edit adds and removes is done, although the deal has other contacts by now."""
    ann, ben, cid = people
    deal = state.create_deal(Name="D")
    state.add_contact(deal, ann)
    record = read(adapter, deal)
    state.add_contact(deal, cid)
    receipt = adapter.write([make_update(record, contacts=((ann,), (ben,)))])[0]

    assert Outcome.APPLIED == receipt.outcome
    assert tuple(sorted((ben, cid))) == read(adapter, deal).fields["contacts"]


def test_contacts_that_an_edit_keeps_are_left_to_others(
    state: State, adapter: SalesforceAdapter, people: list[str]
) -> None:
    """They are neither taken off and put back, nor put back where somebody took them off meanwhile."""
    ann, ben, cid = people
    deal = state.create_deal(Name="D")
    for contact in (ann, cid):
        state.add_contact(deal, contact)
    kept = state.tables.find("OpportunityContactRole", "ContactId", ann)
    record = read(adapter, deal)
    state.remove_contact(deal, cid)
    receipt = adapter.write([make_update(record, contacts=((ann, cid), (ann, ben, cid)))])[0]

    assert (Outcome.APPLIED, [ann, ben]) == (receipt.outcome, roles(state, deal))
    assert kept == state.tables.find("OpportunityContactRole", "ContactId", ann)


def test_contacts_are_not_added_twice_nor_missed_when_they_are_gone(
    state: State, adapter: SalesforceAdapter, people: list[str]
) -> None:
    """Somebody did the same by hand meanwhile; a contact with several roles loses all of them."""
    ann, ben, cid = people
    deal = state.create_deal(Name="D")
    for contact in (ann, ann, cid):
        state.add_contact(deal, contact)
    record = read(adapter, deal)
    state.add_contact(deal, ben)
    state.remove_contact(deal, cid)
    receipt = adapter.write([make_update(record, contacts=((ann, cid), (ben,)))])[0]

    assert (Outcome.APPLIED, [ben]) == (receipt.outcome, roles(state, deal))


def test_two_edits_of_a_deals_contacts_come_to_what_the_last_one_says(
    state: State, adapter: SalesforceAdapter, people: list[str]
) -> None:
    """They may stand in one batch; what the first one added, the second one takes off."""
    ann, ben, cid = people
    deal = state.create_deal(Name="D")
    state.add_contact(deal, ann)
    first = make_update(read(adapter, deal), contacts=((ann,), (ben,)))
    second = replace(first, id="second", edits=(FieldEdit("contacts", (ben,), (cid,)),))
    receipts = adapter.write([first, second])

    assert [Outcome.APPLIED] * 2 == [receipt.outcome for receipt in receipts]
    assert [cid] == roles(state, deal)


def test_no_contact_is_taken_off_a_deal_that_its_new_one_can_not_be_given(
    state: State, adapter: SalesforceAdapter, people: list[str]
) -> None:
    """It would be left with nobody, and that read as what people wanted; another deal's contacts are not held up."""
    ann, ben, _ = people
    deals = [state.create_deal(Name=name) for name in ("D", "E")]
    for deal in deals:
        state.add_contact(deal, ann)
    records = [read(adapter, deal) for deal in deals]
    edits = [((ann,), ("003Sb00000zzzzzAAA",)), ((ann,), (ben,))]
    receipts = adapter.write([make_update(each, contacts=edit) for each, edit in zip(records, edits, strict=True)])

    assert [Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert [[ann], [ben]] == [roles(state, deal) for deal in deals]


def test_a_changed_deal_keeps_its_contacts(state: State, adapter: SalesforceAdapter, people: list[str]) -> None:
    """A stale update changes nothing, the contacts included."""
    deal = state.create_deal(Name="D")
    record = read(adapter, deal)
    state.edit_deal(deal, Name="Theirs")
    receipt = adapter.write([make_update(record, name=("D", "Ours"), contacts=((), (people[0],)))])[0]

    assert (Outcome.STALE, []) == (receipt.outcome, roles(state, deal))


@pytest.mark.parametrize("way", ["added", "removed", "deleted"])
def test_a_pull_sees_contacts_change_although_the_deal_does_not(
    state: State, adapter: SalesforceAdapter, clock: VirtualClock, people: list[str], way: str
) -> None:
    """Whether a role touches its deal's SystemModstamp is not documented: roles are asked for their own."""
    deal = state.create_deal(Name="D")
    state.add_contact(deal, people[0])
    pages = list(adapter.pull(Kind.DEAL, None))
    clock.advance(timedelta(days=1))
    cursor = list(adapter.pull(Kind.DEAL, pages[-1].cursor))[-1].cursor
    stamp = read(adapter, deal).updated_at
    if way == "added":
        state.add_contact(deal, people[1])
    elif way == "removed":
        state.remove_contact(deal, people[0])
    else:
        state.delete("Contact", people[0])
    found = [record for page in adapter.pull(Kind.DEAL, cursor) for record in page.records]

    wanted = tuple(people[:2]) if way == "added" else ()
    assert [(deal, wanted, stamp)] == [(one.ref.id, one.fields["contacts"], one.updated_at) for one in found]


@pytest.mark.parametrize("by", ["restore", "company", "contact"])
def test_bulk_jobs_and_pages_tell_the_same(
    state: State, open_adapter: Opener, org: Served, people: list[str], by: str
) -> None:
    """What people did to a deal reads the same by SOQL and by Bulk API 2.0."""
    deal = state.create_deal(Name="D", AccountId=state.create_company(Name="Acme"))
    state.add_contact(deal, people[0])
    if by == "restore":
        state.delete_deal(deal)
        state.restore_deal(deal)
    elif by == "company":
        state.set_company(deal, None)
    else:
        state.remove_contact(deal, people[0])
        state.add_contact(deal, people[1])
    ways = [open_adapter(org.url, org.token, bulk_above=number) for number in (2000, 5)]
    found = [{record.ref: record for page in one.pull(Kind.DEAL, None) for record in page.records} for one in ways]

    assert found[0] == found[1]
    assert org.sandbox.log.matching("POST", "/jobs/query")
    assert found[0][Ref("sf", Kind.DEAL, deal)].fields["contacts"] == tuple(roles(state, deal)) != ()


# ── On the wire ─────────────────────────────────────────────────────────────────────────────────────────


def _field(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"name": name, "label": name, "type": kind, "createable": True, "updateable": True, **more}


@pytest.fixture
def router() -> Iterator[respx.MockRouter]:
    """Stub the org: it is described and has a stage; everything else is for the test to say."""
    fields = [_field("Id", "id"), _field("Name"), _field("StageName", "picklist"), _field("SystemModstamp", "datetime")]
    fields += [
        _field("CloseDate", "date"),
        _field("AccountId", "reference"),
        _field("CrmBridge_Key__c", externalId=True, unique=True),
    ]
    stage = {"ApiName": "Prospecting", "MasterLabel": "P", "IsActive": True, "IsClosed": False, "IsWon": False}
    with respx.mock(assert_all_called=False) as found:
        described = {"name": "Opportunity", "fields": fields, "recordTypeInfos": []}
        found.get(f"{BASE}/sobjects/Opportunity/describe").respond(json=described)
        answer = {"totalSize": 1, "done": True, "records": [stage]}
        found.get(f"{BASE}/query", params__contains={"q": _STAGES}).respond(json=answer)
        yield found


_STAGES = (
    "SELECT ApiName, MasterLabel, IsActive, IsClosed, IsWon, DefaultProbability"
    " FROM OpportunityStage ORDER BY SortOrder, Id"
)


@pytest.fixture
def stubbed(open_adapter: Opener, router: respx.MockRouter) -> SalesforceAdapter:
    """Give an adapter on the stubbed org."""
    return open_adapter(HOST, "00D-token")


def make_graph(number: int, *nodes: dict[str, Any], fine: bool) -> dict[str, Any]:
    """Make the answer of one graph."""
    return {"graphId": f"g{number}", "isSuccessful": fine, "graphResponse": {"compositeResponse": list(nodes)}}


def make_node(body: Any, status: int = 201) -> dict[str, Any]:
    """Make the answer of one node."""
    return {"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": "any"}


def make_error(code: str, words: str = "words", name: str = "errorCode") -> dict[str, Any]:
    """Make the answer of a node that failed, in the form of whole answers or the one of collections."""
    return make_node([{name: code, "message": words}], 400)


MADE = make_node({"id": DEAL, "success": True, "errors": [], "created": True})
ROLE = make_node({"id": "00KSb0000000001IAA", "success": True, "errors": []})
HALTED = make_error("PROCESSING_HALTED")


def test_the_graph_that_is_sent(stubbed: SalesforceAdapter, router: respx.MockRouter) -> None:
    """The deal by its key, which is not in the body; then a role for each contact that refers to the deal."""
    route = router.post(f"{BASE}/composite/graph").respond(
        json={"graphs": [make_graph(0, MADE, ROLE, ROLE, fine=True)]}
    )
    receipt = stubbed.write([make_create(key="a/b ?", contacts=(ANN, BEN, ANN[:15]), company="001Sb0000000001IAA")])[0]

    deal = {"Name": "New 1", "CloseDate": "2026-09-01", "AccountId": "001Sb0000000001IAA", "StageName": "Prospecting"}
    keyed = "/services/data/v67.0/sobjects/Opportunity/CrmBridge_Key__c/a%2Fb%20%3F"
    nodes = [{"method": "PATCH", "url": keyed, "referenceId": "d0", "body": deal}]
    for place, contact in enumerate((ANN, BEN)):
        body = {"OpportunityId": "@{d0.id}", "ContactId": contact}
        url = "/services/data/v67.0/sobjects/OpportunityContactRole/"
        nodes.append({"method": "POST", "url": url, "referenceId": f"d0c{place}", "body": body})
    assert {"graphs": [{"graphId": "g0", "compositeRequest": nodes}]} == json.loads(route.calls.last.request.content)
    assert (Outcome.APPLIED, Ref("sf", Kind.DEAL, DEAL), "") == (receipt.outcome, receipt.ref, receipt.message)


def test_a_deal_without_a_key_is_made_as_a_new_one(stubbed: SalesforceAdapter, router: respx.MockRouter) -> None:
    """There is nothing by which it could be there already."""
    route = router.post(f"{BASE}/composite/graph").respond(json={"graphs": [make_graph(0, MADE, ROLE, fine=True)]})
    receipt = stubbed.write([replace(make_create(contacts=(ANN,)), key=None)])[0]
    (graph,) = json.loads(route.calls.last.request.content)["graphs"]
    deal = graph["compositeRequest"][0]

    assert Outcome.APPLIED == receipt.outcome
    assert ("POST", "/services/data/v67.0/sobjects/Opportunity/") == (deal["method"], deal["url"])
    assert "New 1" == deal["body"]["Name"]
    assert not {"attributes", "CrmBridge_Key__c"} & set(deal["body"])


@pytest.mark.parametrize("name", ["errorCode", "statusCode"])
def test_each_graph_is_read_for_itself(stubbed: SalesforceAdapter, router: respx.MockRouter, name: str) -> None:
    """By its own id, in any order; what failed says why, and what was only taken back adds nothing."""
    failed = make_graph(1, HALTED, make_error("DUPLICATES_DETECTED", "Use one of these?", name), fine=False)
    answer = [
        failed,
        make_graph(2, make_error("UNABLE_TO_LOCK_ROW"), HALTED, fine=False),
        make_graph(0, MADE, ROLE, fine=True),
    ]
    retried = [make_graph(0, MADE, ROLE, fine=True)]
    route = router.post(f"{BASE}/composite/graph")
    route.side_effect = [httpx.Response(200, json={"graphs": part}) for part in (answer, retried)]
    receipts = stubbed.write([make_create(number, contacts=(ANN,)) for number in range(3)])

    assert [Outcome.APPLIED, Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert "Use one of these? [DUPLICATES_DETECTED]" == receipts[1].message
    assert 2 == route.call_count  # once more for the row that was only locked


def test_an_org_that_gets_to_nothing_ends_it(stubbed: SalesforceAdapter, router: respx.MockRouter) -> None:
    """Graphs that are halted for ever are not sent for ever."""
    halted = {"graphs": [make_graph(number, HALTED, HALTED, fine=False) for number in range(3)]}
    route = router.post(f"{BASE}/composite/graph").respond(json=halted)
    receipts = stubbed.write([make_create(number, contacts=(ANN,)) for number in range(3)])

    assert [Outcome.FAILED] * 3 == [receipt.outcome for receipt in receipts]
    assert 1 == route.call_count


@pytest.mark.parametrize("odd", [{}, {"id": None}, {"success": True}, None, []])
def test_a_deal_that_was_there_is_brought_up_to_date_whatever_is_said_of_its_contacts(
    stubbed: SalesforceAdapter, router: respx.MockRouter, odd: Any
) -> None:
    """A role without an id is one that nobody can take off again; it is seen by people only."""
    there = make_node({"id": DEAL, "success": True, "errors": [], "created": False}, 200)
    answer = {"graphs": [make_graph(0, there, make_node(odd), fine=True), make_graph(1, MADE, ROLE, fine=True)]}
    router.post(f"{BASE}/composite/graph").respond(json=answer)
    router.get(url__regex=r"/query\?q=.*OpportunityContactRole").respond(json={"done": True, "records": []})
    receipts = stubbed.write([make_create(number, contacts=(ANN,)) for number in range(2)])

    assert [Outcome.APPLIED] * 2 == [receipt.outcome for receipt in receipts]
    assert "was there already" in receipts[0].message


def created(deals: int) -> httpx.Response:
    """Make the answer to so many deals of one contact each, all of which were made."""
    return httpx.Response(200, json={"graphs": [make_graph(each, MADE, ROLE, fine=True) for each in range(deals)]})


@pytest.mark.parametrize(
    "refusal",
    [
        httpx.Response(401, json=[{"errorCode": "INVALID_SESSION_ID", "message": "expired"}]),
        httpx.Response(403, json=[{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "for today"}]),
    ],
)
def test_what_was_made_before_a_request_that_failed_is_told(
    stubbed: SalesforceAdapter, router: respx.MockRouter, refusal: httpx.Response
) -> None:
    """Were it raised, nobody would know of the deals that are there; while nothing is, it is."""
    deals = [make_create(number, contacts=(ANN,)) for number in range(MOST_GRAPHS + 1)]
    route = router.post(f"{BASE}/composite/graph")
    route.side_effect = [created(MOST_GRAPHS), *[refusal] * 9]
    receipts = stubbed.write(deals)

    assert [Outcome.APPLIED] * MOST_GRAPHS + [Outcome.FAILED] == [receipt.outcome for receipt in receipts]
    route.side_effect = [refusal] * 9
    with pytest.raises((AuthenticationError, RetryLaterError)):
        stubbed.write(deals)


@pytest.mark.parametrize(("contacts", "outcome"), [(499, Outcome.APPLIED), (500, Outcome.REFUSED)])
def test_a_deal_has_as_many_contacts_as_one_request_holds(
    stubbed: SalesforceAdapter, router: respx.MockRouter, contacts: int, outcome: Outcome
) -> None:
    """One node is the deal itself. The next deal is made in any case."""
    router.post(f"{BASE}/composite/graph").side_effect = [created(1), created(1)]
    crowd = make_create(contacts=tuple(f"003Sb{number:010d}" for number in range(contacts)))
    receipts = stubbed.write([crowd, make_create(2, contacts=(ANN,))])

    assert [outcome, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert ("at most 499 contacts" in receipts[0].message) == (outcome is Outcome.REFUSED)


UNCLEAR: dict[str, Any] = {
    "late": httpx.ReadTimeout("late"),
    "broken": httpx.Response(503),
    "no graphs": httpx.Response(200, json={}),
    "a list": httpx.Response(200, json=[]),
    "another graph": httpx.Response(200, json={"graphs": [make_graph(7, MADE, ROLE, fine=True)]}),
    "no success": httpx.Response(
        200, json={"graphs": [{**make_graph(0, MADE, ROLE, fine=True), "isSuccessful": "yes"}]}
    ),
    "no nodes": httpx.Response(200, json={"graphs": [make_graph(0, fine=True)]}),
    "no id": httpx.Response(200, json={"graphs": [make_graph(0, make_node({}), ROLE, fine=True)]}),
    "a node of 500": httpx.Response(200, json={"graphs": [make_graph(0, HALTED, make_node(None, 500), fine=False)]}),
}


@pytest.mark.parametrize("answer", UNCLEAR.values(), ids=UNCLEAR)
def test_an_unclear_answer_is_unknown_and_not_sent_again(
    stubbed: SalesforceAdapter, router: respx.MockRouter, answer: Any
) -> None:
    """The deal is looked for by its key, which tells whether it was created: with its contacts, or not at all."""
    route = router.post(f"{BASE}/composite/graph")
    route.side_effect = [answer]
    receipt = stubbed.write([make_create(contacts=(ANN,))])[0]

    assert (Outcome.UNKNOWN, 1) == (receipt.outcome, route.call_count)


@pytest.fixture
def ann_on_deal(router: respx.MockRouter) -> respx.MockRouter:
    """Let the org have Ann on the deal."""
    role = {"Id": "00KSb0000000001IAA", "OpportunityId": DEAL, "ContactId": ANN}
    found = {"totalSize": 1, "done": True, "records": [role]}
    router.get(url__regex=r"/query\?q=.*OpportunityContactRole").respond(json=found)
    return router


def make_swap(before: tuple[str, ...], after: tuple[str, ...]) -> Change:
    """Make the change of a deal's contacts, and nothing else."""
    return make_change(1, target=Ref("sf", Kind.DEAL, DEAL), edits=(FieldEdit("contacts", before, after),))


def refusals(*codes: str) -> list[dict[str, Any]]:
    """Make what a collection answers of a row that it did not take."""
    return [{"success": False, "errors": [{"statusCode": code, "message": "words"} for code in codes]}]


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ([{"id": "00KSb0000000002IAA", "success": True, "errors": []}], Outcome.APPLIED),
        (refusals("FIELD_CUSTOM_VALIDATION_EXCEPTION"), Outcome.REFUSED),
        (refusals("UNABLE_TO_LOCK_ROW"), Outcome.FAILED),
        (refusals("UNABLE_TO_LOCK_ROW", "FIELD_CUSTOM_VALIDATION_EXCEPTION"), Outcome.REFUSED),
        ([{"odd": 1}], Outcome.UNKNOWN),
        ([], Outcome.UNKNOWN),
        ({}, Outcome.UNKNOWN),
    ],
)
def test_an_update_is_no_better_than_what_became_of_its_contacts(
    stubbed: SalesforceAdapter, ann_on_deal: respx.MockRouter, answer: Any, outcome: Outcome
) -> None:
    """Where the new contact was not certainly put on, the one before stays on."""
    ann_on_deal.post(f"{BASE}/composite/sobjects").respond(json=answer)
    gone = ann_on_deal.delete(f"{BASE}/composite/sobjects").respond(json=[{"success": True, "errors": []}])
    (receipt,) = stubbed.write([make_swap((ANN,), (BEN,))])

    assert (outcome, outcome is Outcome.APPLIED) == (receipt.outcome, gone.called)
    assert outcome is Outcome.APPLIED or "not its contacts" in receipt.message


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (refusals("ENTITY_IS_DELETED"), Outcome.APPLIED),
        (refusals("NOT_FOUND"), Outcome.APPLIED),
        (refusals("NOT_FOUND", "FIELD_CUSTOM_VALIDATION_EXCEPTION"), Outcome.REFUSED),
        (refusals(), Outcome.REFUSED),
    ],
)
def test_a_contact_that_somebody_took_off_meanwhile_is_off(
    stubbed: SalesforceAdapter, ann_on_deal: respx.MockRouter, answer: Any, outcome: Outcome
) -> None:
    """Between our look and our write; any other word of the org's is a refusal."""
    ann_on_deal.delete(f"{BASE}/composite/sobjects").respond(json=answer)
    (receipt,) = stubbed.write([make_swap((ANN,), ())])

    assert outcome == receipt.outcome


def test_what_comes_after_a_limit_takes_no_receipt_away(stubbed: SalesforceAdapter, router: respx.MockRouter) -> None:
    """Deals with contacts go by a request of their own; the one before it was answered."""
    upsert = router.patch(f"{BASE}/composite/sobjects/Opportunity/CrmBridge_Key__c")
    upsert.respond(json=[{"id": DEAL, "success": True, "created": True, "errors": []}])
    used_up = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    router.post(f"{BASE}/composite/graph").respond(403, json=used_up)
    receipts = stubbed.write([make_create(1), make_create(2, contacts=(ANN,))])

    assert [Outcome.APPLIED, Outcome.FAILED] == [receipt.outcome for receipt in receipts]


def test_a_request_that_is_refused_whole_is_tried_deal_by_deal(
    stubbed: SalesforceAdapter, router: respx.MockRouter
) -> None:
    """One value that the org can't read spoils the request of all."""
    number = count()

    def answer(request: httpx.Request) -> httpx.Response:
        graphs = json.loads(request.content)["graphs"]
        if next(number) in {0, 2}:
            return httpx.Response(400, json=[{"errorCode": "JSON_PARSER_ERROR", "message": "no"}])
        return httpx.Response(
            200, json={"graphs": [make_graph(place, MADE, ROLE, fine=True) for place in range(len(graphs))]}
        )

    router.post(f"{BASE}/composite/graph").mock(side_effect=answer)
    receipts = stubbed.write([make_create(each, contacts=(ANN,)) for each in range(3)])

    assert [Outcome.APPLIED, Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]


def test_a_refused_sign_in_is_raised_while_nothing_was_sent(
    stubbed: SalesforceAdapter, router: respx.MockRouter
) -> None:
    """The whole connection is of no use then, and the plan stays as it is."""
    said = [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}]
    router.post(f"{BASE}/composite/graph").respond(401, json=said)
    with pytest.raises(AuthenticationError):
        stubbed.write([make_create(contacts=(ANN,))])


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (httpx.ReadTimeout("late"), Outcome.UNKNOWN),
        (httpx.Response(503), Outcome.UNKNOWN),
        (httpx.Response(200, json=[]), Outcome.UNKNOWN),
        (httpx.Response(200, json=[{"id": "00K1"}]), Outcome.UNKNOWN),
        (httpx.Response(400, json=[{"errorCode": "INVALID_TYPE", "message": "no"}]), Outcome.REFUSED),
        (
            httpx.Response(200, json=[{"success": False, "errors": [{"statusCode": "INVALID_CROSS_REFERENCE_KEY"}]}]),
            Outcome.REFUSED,
        ),
        (
            httpx.Response(200, json=[{"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW"}]}]),
            Outcome.FAILED,
        ),
    ],
)
def test_an_update_whose_contacts_fail_says_what_was_written(
    org: Served, open_adapter: Opener, people: list[str], answer: Any, outcome: Outcome
) -> None:
    """The fields are written before the contacts: the receipt says that they are, and what became of the rest."""
    deal = org.sandbox.state.create_deal(Name="D")
    with respx.mock(assert_all_called=False) as router:
        router.post(path__regex=".*/composite/sobjects$").mock(side_effect=[answer])
        router.route(host="127.0.0.1").pass_through()
        adapter = open_adapter(org.url, org.token)
        record = read(adapter, deal)
        receipt = adapter.write([make_update(record, name=("D", "Ours"), contacts=((), (people[0],)))])[0]

    assert (outcome, record.ref) == (receipt.outcome, receipt.ref)
    assert receipt.message.startswith("written, but not its contacts: ")
    assert "Ours" == read(adapter, deal).fields["name"]
