"""`simple-salesforce`, unchanged, does its usual work against the sandbox."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge_salesforce.sandbox import State, build_org
from crmbridge_salesforce.sandbox.sign_in import CLIENT_ID, CLIENT_SECRET, USERNAME
from crmbridge_salesforce.soql import select

requests = pytest.importorskip("requests")
simple_salesforce = pytest.importorskip("simple_salesforce", reason="simple-salesforce is not installed")

NEW = {"Name": "Bolts", "StageName": "Prospecting", "CloseDate": "2026-07-01"}


class ToSandbox(requests.adapters.HTTPAdapter):  # type: ignore[misc]  # requests is not typed here
    """Carries what the client sends to any https host to the sandbox, which speaks plain http."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: Any, **more: Any) -> Any:
        """Send it on."""
        parts = urlsplit(request.url)
        request.url = f"{self._url}{parts.path}" + (f"?{parts.query}" if parts.query else "")
        return super().send(request, **more)


@pytest.fixture
def org() -> Iterator[Served]:
    """Serve an org whose time is now, as the client signs assertions by its own clock; jobs are over at once."""
    clock = VirtualClock(datetime.now(UTC))
    with serve(build_org(SandboxOptions(seed=3, deals=20, clock=clock), multi_currency=False)) as served:
        served.sandbox.state.jobs.takes = timedelta(0)
        yield served


@pytest.fixture
def session(org: Served) -> Iterator[Any]:
    """Give the client's own session, on its way to the sandbox."""
    with requests.Session() as found:
        found.trust_env = False
        found.mount("https://", ToSandbox(org.url))
        yield found


@pytest.fixture
def client(org: Served, session: Any) -> Any:
    """Sign in by client credentials, which the client does on a My Domain only."""
    return simple_salesforce.Salesforce(
        consumer_key=CLIENT_ID, consumer_secret=CLIENT_SECRET, domain="acme.my", version="67.0", session=session
    )


def test_signing_in_by_assertion(org: Served, session: Any, state: State) -> None:
    """An assertion that the client signs opens a session on the org's own address."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem, public = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    state.sign_in.keys["consumer"] = key.public_key().public_bytes(pem, public).decode()
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    client = simple_salesforce.Salesforce(
        username=USERNAME, consumer_key="consumer", privatekey=private, version="67.0", session=session
    )

    assert org.url.removeprefix("http://") == client.sf_instance
    assert 20 == client.query("SELECT count() FROM Opportunity")["totalSize"]
    assert client.api_usage["api-usage"].total == 100_000


def test_a_wrong_secret_is_told(org: Served, session: Any) -> None:
    """The client reads error and description from the one object that the token endpoint answers."""
    with pytest.raises(simple_salesforce.SalesforceAuthenticationFailed, match="invalid client credentials"):
        simple_salesforce.Salesforce(consumer_key=CLIENT_ID, consumer_secret="x", domain="acme.my", session=session)


def test_paging_through_a_query(client: Any, state: State) -> None:
    """query_all and query_all_iter follow nextRecordsUrl to the end; deleted rows come when they are asked for."""
    deal = state.deal_ids()[0]
    for number in range(2100):
        state.add_task(deal, Subject=f"Task {number}")
    statement = select(["Id", "Subject", "Owner.Name"], "Task", where=f"WhatId = '{deal}'")
    whole = client.query_all(statement)
    one_by_one = list(client.query_all_iter(statement))
    state.delete_deal(deal)

    assert whole["done"]
    assert whole["totalSize"] == len(whole["records"]) == len(one_by_one) > 2100
    assert 0 == client.query_all(statement)["totalSize"]
    assert len(one_by_one) == client.query_all(statement, include_deleted=True)["totalSize"]


def test_rows(client: Any, state: State) -> None:
    """Create, get, update, upsert, get by external id, delete, updated and deleted."""
    row_id = client.Opportunity.create(NEW)["id"]
    status = client.Opportunity.update(row_id, {"Amount": 12.5, "NextStep": None})
    upserted = [client.Opportunity.upsert("CrmBridge_Key__c/k-1", NEW) for _ in range(2)]
    row = client.Opportunity.get(row_id)
    start, end = state.clock.now() - timedelta(hours=1), state.clock.now() + timedelta(hours=1)

    assert (204, 12.5, "Bolts") == (status, row["Amount"], row["Name"])
    assert [201, 200] == upserted
    keyed = client.Opportunity.get_by_custom_id("CrmBridge_Key__c", "k-1")
    assert row_id in client.Opportunity.updated(start, end)["ids"]
    assert 204 == client.Opportunity.delete(keyed["Id"])
    assert [keyed["Id"]] == [gone["id"] for gone in client.Opportunity.deleted(start, end)["deletedRecords"]]


def test_describing(client: Any) -> None:
    """The list of objects, one object's fields and metadata, the limits."""
    names = {one["name"] for one in client.describe()["sobjects"]}
    fields = {field["name"]: field for field in client.Opportunity.describe()["fields"]}

    assert {"Opportunity", "Task", "OpportunityHistory"} <= names
    assert fields["CrmBridge_Key__c"]["externalId"]
    assert "Opportunity" == client.Opportunity.metadata()["objectDescribe"]["name"]
    assert {"Max", "Remaining"} == set(client.limits()["DailyApiRequests"])
    assert client.is_sandbox() is False


def test_collections_and_composite(client: Any, state: State) -> None:
    """The client leaves both to `restful`: one result for each row, one answer for each request."""
    first, second = state.deal_ids()[:2]
    typed = {"attributes": {"type": "Opportunity"}}
    body = {"allOrNone": False, "records": [{**typed, "id": first, "Name": "A"}, {**typed, "id": second, "Nope": 1}]}
    results = client.restful("composite/sobjects", method="PATCH", json=body)
    url = f"/services/data/v67.0/sobjects/Opportunity/{first}"
    asked = {"compositeRequest": [{"method": "GET", "url": url, "referenceId": "one"}]}
    answered = client.restful("composite", method="POST", json=asked)["compositeResponse"]

    assert [(True, []), (False, "INVALID_FIELD")] == [
        (result["success"], result["errors"] and result["errors"][0]["statusCode"]) for result in results
    ]
    assert (200, "A") == (answered[0]["httpStatusCode"], answered[0]["body"]["Name"])


def test_deletions_and_composite_requests(client: Any, state: State) -> None:
    """Rows are deleted each for itself; a composite request or a graph is done whole or not at all."""
    first, second = state.deal_ids()[:2]
    client.Opportunity.delete(first)
    path = f"composite/sobjects?ids={first},{second}&allOrNone=false"
    deleted = client.restful(path, method="DELETE")
    contact = client.query("SELECT Id FROM Contact LIMIT 1")["records"][0]["Id"]

    def nodes(who: str) -> list[dict[str, Any]]:
        role = {"OpportunityId": "@{deal.id}", "ContactId": who}
        paths = ("/services/data/v67.0/sobjects/Opportunity/", "/services/data/v67.0/sobjects/OpportunityContactRole/")
        return [
            {"method": "POST", "url": url, "referenceId": name, "body": body}
            for url, name, body in zip(paths, ("deal", "role"), (NEW, role), strict=True)
        ]

    whole = {"allOrNone": True, "compositeRequest": nodes("003Sb00000zzzzzAAA")}
    told = client.restful("composite", method="POST", json=whole)["compositeResponse"]
    graphs = [{"graphId": who, "compositeRequest": nodes(who)} for who in (contact, "003Sb00000zzzzzAAA")]
    drawn = client.restful("composite/graph", method="POST", json={"graphs": graphs})["graphs"]

    assert ["ENTITY_IS_DELETED", None] == [
        result["errors"][0]["statusCode"] if result["errors"] else None for result in deleted
    ]
    assert ["PROCESSING_HALTED", "INVALID_CROSS_REFERENCE_KEY"] == [one["body"][0]["errorCode"] for one in told]
    assert [True, False] == [one["isSuccessful"] for one in drawn]
    assert 19 == len(state.deal_ids())


def test_a_bulk_query_in_pages(client: Any, state: State) -> None:
    """The client goes on until the locator is the word null, and each page has its header."""
    pages = list(client.bulk2.Opportunity.query("SELECT Id, Name FROM Opportunity", max_records=8, wait=0))
    rows = [row for page in pages for row in csv.DictReader(io.StringIO(page))]

    assert [8, 8, 4] == [len(list(csv.DictReader(io.StringIO(page)))) for page in pages]
    assert state.deal_ids() == sorted(row["Id"] for row in rows)


def test_bulk_loads(client: Any, state: State) -> None:
    """Insert, update, upsert and delete, with their results row by row."""
    bulk = client.bulk2.Opportunity
    made = bulk.insert(records=[NEW, {**NEW, "Name": ""}], wait=0)
    done = bulk.get_all_ingest_records(made[0]["job_id"])
    row_id = done["successfulRecords"][0]["sf__Id"]
    changed = bulk.update(records=[{"Id": row_id, "NextStep": "call", "Amount": "7"}], wait=0)
    cleared = bulk.update(records=[{"Id": row_id, "NextStep": "", "Amount": "#N/A"}], wait=0)
    upserted = [
        bulk.upsert(records=[{**NEW, "CrmBridge_Key__c": "k-2"}], external_id_field="CrmBridge_Key__c", wait=0)
        for _ in range(2)
    ]
    row = client.Opportunity.get(row_id)
    removed = bulk.delete(records=[{"Id": row_id}], wait=0)

    assert (2, 1) == (made[0]["numberRecordsProcessed"], made[0]["numberRecordsFailed"])
    assert "REQUIRED_FIELD_MISSING" in done["failedRecords"][0]["sf__Error"]
    assert ("call", None) == (row["NextStep"], row["Amount"])
    for job in (*changed, *cleared, *upserted[0], *upserted[1], *removed):
        assert (1, 0) == (job["numberRecordsProcessed"], job["numberRecordsFailed"])
    assert row_id not in state.deal_ids()


def test_a_bulk_job_that_fails(client: Any, state: State) -> None:
    """The client reads errorMessage and raises."""
    state.jobs.plan("Failed", "Query timed out")
    with pytest.raises(simple_salesforce.exceptions.SalesforceOperationError, match="Query timed out"):
        list(client.bulk2.Opportunity.query("SELECT Id FROM Opportunity", wait=0))


@pytest.mark.parametrize(
    ("call", "error", "code"),
    [
        (lambda sf: sf.query("SELECT Nope FROM Task"), "SalesforceMalformedRequest", "INVALID_FIELD"),
        (lambda sf: sf.Opportunity.create({"Name": "x"}), "SalesforceMalformedRequest", "REQUIRED_FIELD_MISSING"),
        (lambda sf: sf.Opportunity.get("006Sb0000099999"), "SalesforceResourceNotFound", "NOT_FOUND"),
        (lambda sf: sf.Nope.describe(), "SalesforceResourceNotFound", "NOT_FOUND"),
    ],
)
def test_errors_are_of_the_clients_classes(client: Any, call: Any, error: str, code: str) -> None:
    """Status and body are what the client knows them to be."""
    with pytest.raises(getattr(simple_salesforce, error)) as caught:
        call(client)

    assert code == caught.value.content[0]["errorCode"]


def test_an_expired_session(client: Any, state: State) -> None:
    """The client signs in anew where it can, and raises its own error where it was given a session."""
    state.sign_in.expire()
    count = client.query("SELECT count() FROM Opportunity")["totalSize"]
    given = simple_salesforce.Salesforce(
        session_id="gone", instance="acme.my.salesforce.com", version="67.0", session=client.session
    )

    assert 20 == count
    with pytest.raises(simple_salesforce.SalesforceExpiredSession, match="Session expired or invalid"):
        given.limits()


def test_an_external_id_of_several_rows(client: Any, state: State) -> None:
    """They answer 300 with their paths, which the client has a class for."""
    now = state.clock.now()
    for name in ("A", "B"):  # planted, as an org may have a key field that is not unique
        row = {"Name": name, "StageName": "Prospecting", "CrmBridge_Key__c": "double"}
        state.tables.plant("Opportunity", row, created=now, changed=now)
    with pytest.raises(simple_salesforce.SalesforceMoreThanOneRecord) as caught:
        client.Opportunity.get_by_custom_id("CrmBridge_Key__c", "double")

    assert 2 == len(caught.value.content)


def test_reading_the_history_of_a_tracked_field(client: Any, state: State) -> None:
    """By the very query that people write for it, old and new values in the field's own types."""
    deal = state.deal_ids()[0]
    state.edit_deal(deal, discount__c=5)
    state.track_fields("discount__c")
    state.edit_deal(deal, discount__c=10)
    columns = ["Field", "OldValue", "NewValue"]
    found = client.query(select(columns, "OpportunityFieldHistory", where=f"OpportunityId = '{deal}'"))

    assert [("discount__c", 5, 10)] == [(r["Field"], r["OldValue"], r["NewValue"]) for r in found["records"]]
