"""The sandbox carries out several requests in one as the org does: together or each for itself, within its limits."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import httpx
import pytest

from crmbridge.sandbox import VirtualClock
from crmbridge_salesforce.sandbox import State
from crmbridge_salesforce.sandbox.answers import ApiError

BASE = "/services/data/v67.0"
NEW = {"Name": "Bolts", "StageName": "Prospecting", "CloseDate": "2026-07-01"}


def make_node(path: str, body: Any = None, *, method: str = "POST", name: str = "one") -> dict[str, Any]:
    """Make a request inside another one."""
    return {"method": method, "url": f"{BASE}/{path}", "referenceId": name, "body": body}


def make_pair(contact: str, number: int = 0) -> list[dict[str, Any]]:
    """Make the requests that create a deal with a contact."""
    role = {"OpportunityId": f"@{{deal{number}.id}}", "ContactId": contact}
    return [
        make_node("sobjects/Opportunity/", {**NEW, "Name": f"Deal {number}"}, name=f"deal{number}"),
        make_node("sobjects/OpportunityContactRole/", role, name=f"role{number}"),
    ]


def ask(client: httpx.Client, *requests: dict[str, Any], whole: bool) -> list[dict[str, Any]]:
    """Send a composite request, and give its results."""
    answer = client.post("composite", json={"allOrNone": whole, "compositeRequest": list(requests)})
    found = answer.raise_for_status().json()["compositeResponse"]
    assert isinstance(found, list)
    return found


def graphs(client: httpx.Client, *requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Send graphs, and give what became of them."""
    sent = [{"graphId": str(number), "compositeRequest": each} for number, each in enumerate(requests)]
    found = client.post("composite/graph", json={"graphs": sent}).raise_for_status().json()["graphs"]
    assert isinstance(found, list)
    return found


def codes(results: list[dict[str, Any]]) -> list[str]:
    """Give the codes of results, empty for those that succeeded."""
    return [result["body"][0]["errorCode"] if result["httpStatusCode"] >= 300 else "" for result in results]


@pytest.mark.parametrize(("whole", "left"), [(True, 0), (False, 1)])
def test_all_or_none(client: httpx.Client, state: State, *, whole: bool, left: int) -> None:
    """With allOrNone one that fails takes back the others, which say so ("Send Multiple Requests Using Composite")."""
    before = len(state.deal_ids())
    wrong = make_node("sobjects/Opportunity", {"Name": "x"}, name="two")
    results = ask(client, make_node("sobjects/Opportunity", NEW), wrong, whole=whole)

    assert ["PROCESSING_HALTED" if whole else "", "REQUIRED_FIELD_MISSING"] == codes(results)
    assert before + left == len(state.deal_ids())


def test_all_or_none_takes_back_collections_too(client: httpx.Client, state: State) -> None:
    """A collection that was carried out inside is part of the whole."""
    before = state.deal_ids()
    rows = {"allOrNone": False, "records": [{"attributes": {"type": "Opportunity"}, **NEW}]}
    missing = make_node(f"sobjects/Opportunity/{before[0][:-3]}", None, method="DELETE", name="two")
    state.delete_deal(before.pop(0))
    results = ask(client, make_node("composite/sobjects", rows), missing, whole=True)

    assert (["PROCESSING_HALTED", "ENTITY_IS_DELETED"], before) == (codes(results), state.deal_ids())


def test_a_reference_to_what_failed_fails(client: httpx.Client) -> None:
    """The request that needed it is halted; the ones beside it are not."""
    contact = "003Sb000000000PIAQ"
    deal, role = make_pair(contact)
    results = ask(client, {**deal, "body": {"Name": "x"}}, role, make_node("limits", method="GET"), whole=False)

    assert ["REQUIRED_FIELD_MISSING", "PROCESSING_HALTED", ""] == codes(results)


def test_a_graph_is_done_whole_or_not_at_all(client: httpx.Client, state: State) -> None:
    """Each graph for itself ("Using Composite Graphs")."""
    contact, before = state.create_contact(LastName="Lee"), len(state.deal_ids())
    found = graphs(client, make_pair("003Sb00000zzzzzAAA", 0), make_pair(contact, 1))

    assert [("0", False), ("1", True)] == [(one["graphId"], one["isSuccessful"]) for one in found]
    lost = found[0]["graphResponse"]["compositeResponse"]
    assert ["PROCESSING_HALTED", "INVALID_CROSS_REFERENCE_KEY"] == codes(lost)
    assert before + 1 == len(state.deal_ids())
    assert ["role0"] == [result["referenceId"] for result in lost if "rolled back" not in result["body"][0]["message"]]


def test_an_upsert_in_a_graph(client: httpx.Client, state: State) -> None:
    """By external id, with the id in the answer for the nodes after it."""
    contact = state.create_contact(LastName="Lee")
    _, role = make_pair(contact)
    keyed = make_node("sobjects/Opportunity/CrmBridge_Key__c/a%3Ab", NEW, method="PATCH", name="deal0")
    made, again = (graphs(client, [keyed, role])[0]["graphResponse"]["compositeResponse"] for _ in range(2))
    deal = made[0]["body"]["id"]

    assert [(201, True), (200, False)] == [
        (each[0]["httpStatusCode"], each[0]["body"]["created"]) for each in (made, again)
    ]
    assert [deal, deal] == [
        row["OpportunityId"] for row in state.tables.find("OpportunityContactRole", "ContactId", contact)
    ]
    assert "a:b" == state.tables.present("Opportunity", deal)["CrmBridge_Key__c"]


def test_after_many_failures_graphs_are_halted(client: httpx.Client, state: State) -> None:
    """More than 14 in one request, and the others are not looked at ("Composite Graph Limits")."""
    contact, before = state.create_contact(LastName="Lee"), len(state.deal_ids())
    wrong = [make_pair("003Sb00000zzzzzAAA", number) for number in range(15)]
    found = graphs(client, *wrong, make_pair(contact, 15))

    assert ["PROCESSING_HALTED"] * 2 == codes(found[-1]["graphResponse"]["compositeResponse"])
    assert (False, before) == (found[-1]["isSuccessful"], len(state.deal_ids()))


_DEAL = make_node("sobjects/Opportunity", NEW)


@pytest.mark.parametrize(
    "sent",
    [
        [],
        [[_DEAL]] * 76,
        [[_DEAL] * 501],
        [[_DEAL] * 300, [_DEAL] * 201],
        [[make_node("query?q=SELECT+Id+FROM+Task", method="GET")]],
        [[make_node("composite/sobjects", {"records": []})]],
        [[make_node(f"sobjects/{name}") for name in "ABCDEFGHIJKLMNOP"]],
    ],
    ids=["none", "graphs", "nodes of one", "nodes of all", "a query", "a collection", "sorts"],
)
def test_what_is_no_graph_is_refused(client: httpx.Client, sent: list[list[dict[str, Any]]]) -> None:
    """Limits of the org, and what a node may ask for."""
    body = {"graphs": [{"graphId": str(number), "compositeRequest": each} for number, each in enumerate(sent)]}

    assert 400 == client.post("composite/graph", json=body).status_code


def test_few_queries_and_collections_fit_in_one_request(client: httpx.Client) -> None:
    """Five of them ("Send Multiple Requests Using Composite")."""
    query = make_node("query?q=SELECT+Id+FROM+Task+LIMIT+1", method="GET")
    asked = [client.post("composite", json={"compositeRequest": [query] * number}).status_code for number in (5, 6)]

    assert [200, 400] == asked


def test_an_account_takes_its_own_with_it(client: httpx.Client, state: State) -> None:
    """Deals, contacts, and what hangs on these."""
    company = state.create_company(Name="Acme")
    contact = state.create_contact(LastName="Lee", AccountId=company)
    deal, other = (state.create_deal(Name="D", AccountId=account) for account in (company, None))
    for each in (deal, other):
        state.add_contact(each, contact)
    answer = client.delete("composite/sobjects", params={"ids": company, "allOrNone": "false"}).json()

    assert [True] == [result["success"] for result in answer]
    assert deal not in state.deal_ids()
    assert state.tables.get("Contact", contact) is None
    assert [] == state.tables.find("OpportunityContactRole", "ContactId", contact)


def test_a_deal_comes_back_with_what_was_deleted_with_it(state: State, clock: VirtualClock) -> None:
    """What was deleted before stays deleted."""
    deal, contact = state.create_deal(Name="D"), state.create_contact(LastName="Lee")
    state.add_contact(deal, contact)
    kept, gone = (state.add_task(deal, Subject=subject) for subject in ("Kept", "Gone"))
    state.delete_activity(gone)
    clock.advance(timedelta(minutes=1))
    state.delete_deal(deal)
    clock.advance(timedelta(minutes=1))
    state.restore_deal(deal)

    assert clock.now() == state.tables.present("Opportunity", deal)["SystemModstamp"]
    assert [contact] == [row["ContactId"] for row in state.tables.find("OpportunityContactRole", "OpportunityId", deal)]
    assert [kept] == [row["Id"] for row in state.tables.find("Task", "WhatId", deal)]
    assert 1 == len(state.tables.find("OpportunityHistory", "OpportunityId", deal))
    with pytest.raises(ApiError, match="not in the recycle bin"):
        state.restore_deal(deal)
