"""Recorded answers of real orgs go through the adapter's own decoding, and the sandbox has their shape."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import respx

from crmbridge.errors import AuthenticationError, RefusedError
from crmbridge.http import Reply
from crmbridge.model.changes import Action, FieldEdit, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import FieldType
from crmbridge.sandbox import Served
from crmbridge.testing.factories import make_change
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.judge import judge, said
from crmbridge_salesforce.schema import Table

from .orgs import BASE, HOST

BESIDE = Path(__file__).resolve().parents[4] / "shared" / "recorded"
FOLDER = Path(os.environ.get("CRMBRIDGE_RECORDED", BESIDE)) / "salesforce"
SPECS = FOLDER.parent.parent / "specs" / "salesforce"

pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded answers are not here")


def load(name: str) -> Any:
    """Read a recorded exchange."""
    return json.loads((FOLDER / name).read_text("utf-8"))


def reply_to(name: str) -> httpx.Response:
    """Make the recorded answer anew."""
    answer = load(name)["response"]
    return httpx.Response(answer["status"], json=answer["body"])


@pytest.fixture
def recorded(open_adapter: Callable[..., SalesforceAdapter]) -> SalesforceAdapter:
    """Give an adapter whose org is stubbed with recorded answers."""
    return open_adapter(HOST, "00D-token", key_field="Email")


@pytest.mark.parametrize(
    "name",
    [
        "collections_patch_update.json",
        "collections_upsert_by_external_id_created.json",
        "collections_upsert_by_external_id_updated.json",
        "opportunity_collections_create.json",
        "opportunity_collections_upsert_by_id.json",
    ],
)
@respx.mock
def test_collection_results_become_receipts(recorded: SalesforceAdapter, name: str) -> None:
    """Each result of a recorded collection is one applied change with its id, in order."""
    fields = [{"name": "Name", "type": "string", "createable": True, "updateable": True}]
    key = {"name": "Email", "type": "string", "createable": True, "externalId": True, "unique": True}
    fields.append(key)
    described = {"name": "Opportunity", "fields": fields}
    respx.get(f"{BASE}/sobjects/Opportunity/describe").respond(json=described)
    respx.route(path__regex=r".*/composite/sobjects.*").mock(return_value=reply_to(name))
    results = load(name)["response"]["body"]
    edits = (FieldEdit("name", None, "N"),)
    keyed: dict[str, Any] = {"action": Action.CREATE, "target": None, "edits": edits}
    receipts = recorded.write([make_change(n, key=f"k{n}", **keyed) for n, _ in enumerate(results)])

    assert {Outcome.APPLIED} == {receipt.outcome for receipt in receipts}
    assert [result["id"] for result in results] == [receipt.ref.id for receipt in receipts if receipt.ref]


@respx.mock
def test_an_empty_query_finds_nothing(recorded: SalesforceAdapter) -> None:
    """No rows are no rows."""
    respx.get(f"{BASE}/queryAll").mock(return_value=reply_to("empty_query.json"))

    assert None is recorded.find(Kind.TASK, "m", Ref("sf", Kind.DEAL, "006"))


@respx.mock
def test_rows_of_a_query_are_read(recorded: SalesforceAdapter) -> None:
    """A recorded row is found by its id, whatever object it is of."""
    row = load("recordtype_query.json")["response"]["body"]
    row["records"][0]["Description"] = "m"
    respx.get(f"{BASE}/queryAll").respond(json=row)

    assert (
        row["records"][0]["Id"]
        == (recorded.find(Kind.TASK, "m", Ref("sf", Kind.DEAL, "006")) or Ref("", Kind.TASK, "")).id
    )


def test_recorded_ids_are_normal() -> None:
    """The check characters of real ids are what their first fifteen say."""
    text = "".join(path.read_text("utf-8") for path in FOLDER.glob("*collections*.json"))
    ids = {word for word in text.split('"') if len(word) == 18 and word.startswith("00")}

    assert 10 < len(ids)
    assert ids == {to_18(word[:15]) for word in ids}


@pytest.mark.parametrize(
    ("name", "status", "error"),
    [
        ("expired_session_response", 401, AuthenticationError),
        ("delete_error_response", 404, RefusedError),
        ("sobject_describe_error_response", 404, RefusedError),
        ("upsert_error_response", 404, RefusedError),
        ("write_error_response", 400, RefusedError),
        ("auth_error_response", 400, RefusedError),
        ("refresh_error_response", 400, RefusedError),
    ],
)
def test_error_bodies_are_understood(name: str, status: int, error: type[Exception]) -> None:
    """Arrays and single objects are told apart, and the words are kept."""
    body = load("error_bodies_restforce.json")[name]
    found = judge(Reply(status, {}, body, json.dumps(body)))

    assert isinstance(found, error)
    assert said(body)[0].message in str(found)


def test_the_sandbox_words_errors_as_recorded(org: Served, client: httpx.Client) -> None:
    """An unknown object in a query, and an unknown resource, are answered with the same lines up to the explanation."""
    for name in ("composite_invalid_type.json", "composite_not_found.json"):
        exchange = load(name)
        request = json.loads(json.dumps(exchange["request"]["body"]).replace("vxx.0", "v67.0"))
        answer = client.post("composite", json=request).json()["compositeResponse"]
        for expected, found in zip(exchange["response"]["body"]["compositeResponse"], answer, strict=True):
            assert expected["httpStatusCode"] == found["httpStatusCode"]
            if isinstance(expected["body"], list):
                assert expected["body"][0]["errorCode"] == found["body"][0]["errorCode"]
                lines = [item["body"][0]["message"].split("\n")[:4] for item in (expected, found)]
                assert lines[0] == lines[1]


def test_a_real_describe_is_read(client: httpx.Client) -> None:
    """Every field of a real org is known; the sandbox's own describe has the same form where both have a field."""
    path = SPECS / "describe_Opportunity.json"
    if not path.is_file():
        pytest.skip("the recorded describe is not here")
    real = json.loads(path.read_text("utf-8"))
    table = Table.parse(real)
    types = {column.name: column.native().type for column in table.columns.values()}

    assert 40 == len(table.columns)
    assert (FieldType.MONEY, FieldType.USER, FieldType.DATE) == (types["Amount"], types["OwnerId"], types["CloseDate"])
    assert ((), True, "SystemModstamp") == (table.record_types, table.master_available, table.stamp)
    ours = {field["name"]: field for field in client.get("sobjects/Opportunity/describe").json()["fields"]}
    for field in real["fields"]:
        if own := ours.get(field["name"]):
            same = ("type", "filterable", "referenceTo", "relationshipName", "updateable", "restrictedPicklist")
            assert {name: field[name] for name in same} == {name: own[name] for name in same}, field["name"]
            assert set(own) <= set(field)
