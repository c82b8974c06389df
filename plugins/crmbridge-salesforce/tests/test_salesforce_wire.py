"""What the adapter sends, and what it makes of answers that a sandbox can't be talked into."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx

from crmbridge.errors import AuthenticationError, ConfigurationError, CrmbridgeError, RefusedError, RetryLaterError
from crmbridge.http.budget import LONGEST_WAIT
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Position, Ref, Status
from crmbridge.model.values import Money, Value
from crmbridge.testing.factories import make_change
from crmbridge_salesforce.adapter import SalesforceAdapter

from .orgs import BASE, HOST

DEAL = "006Sb0000000001IAA"
STAGES = (
    {"ApiName": "Talk", "IsActive": True, "IsClosed": False, "IsWon": False},
    {"ApiName": "Old", "IsActive": False, "IsClosed": False, "IsWon": False},
    {"ApiName": "Sold", "IsActive": True, "IsClosed": True, "IsWon": True},
)


def make_field(name: str, kind: str = "string", **overrides: Any) -> dict[str, Any]:
    """Make a writable field of a describe answer."""
    return {"name": name, "label": name, "type": kind, "createable": True, "updateable": True, **overrides}


def make_describe(*extra: Mapping[str, Any], **overrides: Any) -> dict[str, Any]:
    """Make a describe answer of Opportunity as an org without features gives it."""
    fields = [make_field("Id", "id"), make_field("Name"), make_field("StageName", "picklist")]
    fields += [make_field("Amount", "currency", precision=18, scale=2), make_field("SystemModstamp", "datetime")]
    return {"name": "Opportunity", "fields": [*fields, *extra], "recordTypeInfos": [], **overrides}


def make_key(**marks: bool) -> dict[str, Any]:
    """Make the field for the key."""
    return make_field("CrmBridge_Key__c", externalId=True, **marks)


def make_rows(*rows: Mapping[str, Any], **overrides: Any) -> dict[str, Any]:
    """Make the answer of a query."""
    return {"totalSize": len(rows), "done": True, "records": list(rows), **overrides}


def make_update(number: int = 1, place: Position | None = None, **fields: Value) -> Change:
    """Make the change of a deal's fields."""
    edits = tuple(FieldEdit(name, None, value) for name, value in fields.items())
    return make_change(number, target=Ref("sf", Kind.DEAL, DEAL), edits=edits, position=place)


@pytest.fixture
def routes() -> Iterator[respx.MockRouter]:
    """Stub the org: describe and stages answer, everything else is for the test to say."""
    with respx.mock(assert_all_called=False) as router:
        router.get(f"{BASE}/sobjects/Opportunity/describe").respond(json=make_describe())
        stages = [{"MasterLabel": stage["ApiName"], **stage} for stage in STAGES]
        router.get(f"{BASE}/query", params__contains={"q": _STAGE_QUERY}).respond(json=make_rows(*stages))
        yield router


_STAGE_QUERY = (
    "SELECT ApiName, MasterLabel, IsActive, IsClosed, IsWon, DefaultProbability"
    " FROM OpportunityStage ORDER BY SortOrder, Id"
)


@pytest.fixture
def stubbed(open_adapter: Callable[..., SalesforceAdapter], routes: respx.MockRouter) -> SalesforceAdapter:
    """Give an adapter on the stubbed org."""
    return open_adapter(HOST, "00D-token")


def test_following_pages_are_asked_for_as_they_are_named(stubbed: SalesforceAdapter, routes: respx.MockRouter) -> None:
    """The path in nextRecordsUrl goes out untouched, and short or empty pages end nothing ("Query More Results")."""
    first = make_rows({"Id": "00T1", "Description": "x"}, done=False, nextRecordsUrl="/services/data/v67.0/query/01g-5")
    routes.get(f"{BASE}/queryAll").respond(json=first)
    empty = make_rows(done=False, nextRecordsUrl="/services/data/v67.0/query/01g-6")
    routes.get(f"{BASE}/query/01g-5").respond(json=empty)
    last = routes.get(f"{BASE}/query/01g-6").respond(json=make_rows({"Id": "00T2", "Description": "a\n\nm-1"}))

    assert Ref("sf", Kind.TASK, "00T2") == stubbed.find(Kind.TASK, "m-1", Ref("sf", Kind.DEAL, DEAL))
    assert b"" == last.calls.last.request.url.query
    assert "Bearer 00D-token" == last.calls.last.request.headers["Authorization"]


def test_the_token_stays_on_its_host(stubbed: SalesforceAdapter, routes: respx.MockRouter) -> None:
    """A nextRecordsUrl that leads elsewhere is not followed."""
    routes.get(f"{BASE}/queryAll").respond(
        json=make_rows(done=False, nextRecordsUrl="https://evil.example/services/data/")
    )

    with pytest.raises(RetryLaterError):
        stubbed.find(Kind.TASK, "m-1", Ref("sf", Kind.DEAL, DEAL))


def test_an_answer_that_says_there_is_more_and_not_where_is_no_whole_one(
    stubbed: SalesforceAdapter, routes: respx.MockRouter
) -> None:
    """What is left out would count as never made: the task would be made a second time."""
    routes.get(f"{BASE}/queryAll").respond(json=make_rows({"Id": "00T1", "Description": "x"}, done=False))

    with pytest.raises(RetryLaterError, match="where the rest"):
        stubbed.find(Kind.TASK, "m-1", Ref("sf", Kind.DEAL, DEAL))


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired or invalid"}], AuthenticationError),
        (401, [{"errorCode": "INVALID_SESSION_ID", "message": "Connected app is not attached"}], AuthenticationError),
        (403, [{"errorCode": "INSUFFICIENT_ACCESS", "message": "no"}], AuthenticationError),
        (403, [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}], RetryLaterError),
        (400, [{"errorCode": "INVALID_QUERY_LOCATOR", "message": "invalid query locator"}], RetryLaterError),
        (400, [{"errorCode": "MALFORMED_QUERY", "message": "\nSELECT\n  ^\nno"}], RefusedError),
        (400, {"error": "invalid_grant", "error_description": "expired"}, RefusedError),
        (404, [{"errorCode": "NOT_FOUND", "message": "The requested resource does not exist"}], RefusedError),
        (404, None, RetryLaterError),  # a page that says what is being mended (airbyte, rate_limiting.py)
        (410, None, ConfigurationError),
        (420, None, RetryLaterError),
    ],
)
def test_errors_are_told_apart(
    stubbed: SalesforceAdapter, routes: respx.MockRouter, status: int, body: Any, error: type[CrmbridgeError]
) -> None:
    """Each error body leads to the error that says what can be done, in one line and with the CRM's words."""
    route = routes.get(f"{BASE}/queryAll").respond(status, json=body)

    with pytest.raises(error) as caught:
        stubbed.find(Kind.TASK, "m-1", Ref("sf", Kind.DEAL, DEAL))

    assert caught.value.message.isprintable()
    assert "sf: " in caught.value.message
    assert "00D-token" not in caught.value.message + caught.value.advice
    # A sign-in that is refused for good must not be tried again (jsforce, http-api tests).
    assert 1 == route.call_count or error is RetryLaterError


def test_a_page_that_is_not_there_may_come_of_a_wrong_address(
    stubbed: SalesforceAdapter, routes: respx.MockRouter
) -> None:
    """An org that is being set up answers so too; so trying later is not all that there is to do."""
    routes.get(f"{BASE}/queryAll").respond(404, html="<html><h1>Not found</h1></html>")

    with pytest.raises(RetryLaterError) as caught:
        stubbed.find(Kind.TASK, "m-1", Ref("sf", Kind.DEAL, DEAL))

    assert "base_url" in caught.value.advice


def test_the_daily_limit_is_not_waited_for(stubbed: SalesforceAdapter, routes: respx.MockRouter) -> None:
    """Too many at once passes and is tried again; the daily allowance has the same code and does not pass."""
    too_many = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    route = routes.get(f"{BASE}/queryAll").respond(403, json=too_many)
    with pytest.raises(RetryLaterError) as caught:
        stubbed.find(Kind.TASK, "m-1", Ref("sf", Kind.DEAL, DEAL))
    assert caught.value.after is not None
    assert caught.value.after > LONGEST_WAIT
    assert 1 == route.call_count

    at_once = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "ConcurrentRequests Limit exceeded."}]
    route.side_effect = [httpx.Response(403, json=at_once), httpx.Response(200, json=make_rows())]
    assert None is stubbed.find(Kind.TASK, "m-1", Ref("sf", Kind.DEAL, DEAL))


def test_our_share_of_the_allowance_is_kept(stubbed: SalesforceAdapter, routes: respx.MockRouter) -> None:
    """When Sforce-Limit-Info says that our share is used up, nothing more is sent in this run."""
    info = {"Sforce-Limit-Info": "api-usage=90/100; per-app-api-usage=5/250(appName=crmbridge)"}
    route = routes.get(f"{BASE}/queryAll").respond(json=make_rows(), headers=info)
    near = Ref("sf", Kind.DEAL, DEAL)
    stubbed.find(Kind.TASK, "m-1", near)

    with pytest.raises(RetryLaterError, match="used up") as caught:
        stubbed.find(Kind.TASK, "m-1", near)
    assert 1 == route.call_count
    assert "day_share" in caught.value.advice


def test_amounts_go_out_digit_for_digit(stubbed: SalesforceAdapter, routes: respx.MockRouter) -> None:
    """An amount is a JSON number with the digits it has, and an org with one currency is not told which."""
    route = routes.patch(f"{BASE}/composite/sobjects").respond(json=[{"id": DEAL, "success": True, "errors": []}])
    receipt = stubbed.write([make_update(amount=Money(Decimal("1234567890123456.10"), "EUR"))])[0]

    assert Outcome.APPLIED == receipt.outcome
    assert b'"Amount":1234567890123456.10' in route.calls.last.request.content
    assert b"Currency" not in route.calls.last.request.content


def test_results_belong_to_their_changes(stubbed: SalesforceAdapter, routes: respx.MockRouter) -> None:
    """Results come in order, errors with `statusCode`; a rule's own words reach the receipt."""
    rule = {"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": "Say why first", "fields": ["Name"]}
    answer = [{"success": False, "errors": [rule]}, {"id": DEAL, "success": True, "errors": []}, {"odd": 1}]
    routes.patch(f"{BASE}/composite/sobjects").respond(json=answer)
    receipts = stubbed.write([make_update(number, name=f"N {number}") for number in (1, 2, 3)])

    assert [Outcome.REFUSED, Outcome.APPLIED, Outcome.UNKNOWN] == [receipt.outcome for receipt in receipts]
    assert "Say why first (Name) [FIELD_CUSTOM_VALIDATION_EXCEPTION]" == receipts[0].message
    assert [("name",), (), ()] == [receipt.blamed for receipt in receipts]


@pytest.mark.parametrize(("answers", "outcome"), [(2, Outcome.APPLIED), (9, Outcome.REFUSED)])
def test_a_key_that_is_taken_meanwhile_is_written_once_more(
    stubbed: SalesforceAdapter, routes: respx.MockRouter, answers: int, outcome: Outcome
) -> None:
    """Of two who create with one new key at once, one is told DUPLICATE_VALUE; the same request then finds the deal.

    What stays taken is another unique field of the org's: that waits for a person.
    """
    words = f"duplicate value found: CrmBridge_Key__c duplicates value on record with id: {DEAL}"
    taken = {"success": False, "errors": [{"statusCode": "DUPLICATE_VALUE", "message": words, "fields": []}]}
    found = {"id": DEAL, "success": True, "errors": [], "created": False}
    routes.get(f"{BASE}/sobjects/Opportunity/describe").respond(json=make_describe(make_key(unique=True)))
    route = routes.patch(f"{BASE}/composite/sobjects/Opportunity/CrmBridge_Key__c")
    route.side_effect = lambda _request, route: httpx.Response(
        200, json=[found if route.call_count + 1 >= answers else taken]
    )
    edits = (FieldEdit("name", None, "N"),)
    receipt = stubbed.write([make_change("n", action=Action.CREATE, target=None, key="k-1", edits=edits)])[0]

    assert (outcome, min(answers, 3)) == (receipt.outcome, route.call_count)
    assert outcome is Outcome.REFUSED or Ref("sf", Kind.DEAL, DEAL) == receipt.ref


def test_a_row_that_met_the_daily_limit_can_be_written_later(
    stubbed: SalesforceAdapter, routes: respx.MockRouter
) -> None:
    """The allowance may run out within a request: then it waits for the next run, and not for a person."""
    error = {"statusCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded.", "fields": []}
    routes.patch(f"{BASE}/composite/sobjects").respond(json=[{"success": False, "errors": [error]}])

    assert Outcome.FAILED == stubbed.write([make_update(name="N")])[0].outcome


def test_who_may_not_make_records_can_be_given_that(stubbed: SalesforceAdapter, routes: respx.MockRouter) -> None:
    """It fails, and is tried again by each run; what is refused would wait for an edit of each record."""
    denied = {"statusCode": "INSUFFICIENT_ACCESS_OR_READONLY", "message": "no", "fields": []}
    routes.get(f"{BASE}/query").respond(json=make_rows())
    routes.get(f"{BASE}/sobjects/Account/describe").respond(
        json={**make_describe(make_field("Name")), "name": "Account"}
    )
    routes.route(path__regex="composite/sobjects").respond(json=[{"success": False, "errors": [denied]}])
    edits = (FieldEdit("name", None, "Acme"),)
    made = make_change("n", action=Action.CREATE, creates=Kind.COMPANY, target=None, edits=edits)
    receipts = [stubbed.write([change])[0] for change in (made, make_update(name="N"))]

    assert [Outcome.FAILED, Outcome.REFUSED] == [receipt.outcome for receipt in receipts]


@pytest.mark.parametrize("answer", [[], [{"id": DEAL, "success": True}] * 3, {"ok": True}])
def test_results_that_do_not_add_up_are_unknown(
    stubbed: SalesforceAdapter, routes: respx.MockRouter, answer: Any
) -> None:
    """Fewer or more results than rows say nothing about any row."""
    routes.patch(f"{BASE}/composite/sobjects").respond(json=answer)
    receipts = stubbed.write([make_update(1, name="A"), make_update(2, name="B")])

    assert [Outcome.UNKNOWN] * 2 == [receipt.outcome for receipt in receipts]


def test_a_spoiled_batch_is_sent_row_by_row(stubbed: SalesforceAdapter, routes: respx.MockRouter) -> None:
    """When one row makes the org refuse the whole request, the others are written alone."""

    def respond(request: httpx.Request) -> httpx.Response:
        records = json.loads(request.content)["records"]
        if any(record["Name"] == "bad" for record in records):
            return httpx.Response(400, json=[{"errorCode": "JSON_PARSER_ERROR", "message": "can't read"}])
        return httpx.Response(200, json=[{"id": DEAL, "success": True, "errors": []} for _ in records])

    routes.patch(f"{BASE}/composite/sobjects").mock(side_effect=respond)
    receipts = stubbed.write([make_update(n, name=name) for n, name in enumerate(("good", "bad", "fine"))])

    assert [Outcome.APPLIED, Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert "can't read" in receipts[1].message


def test_rows_are_not_sent_on_once_the_day_is_used_up(stubbed: SalesforceAdapter, routes: respx.MockRouter) -> None:
    """Each of the rest would only be refused as well; what was written by then is told."""
    used_up = [{"errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded."}]
    route = routes.patch(f"{BASE}/composite/sobjects")
    route.side_effect = [
        httpx.Response(400, json=[{"errorCode": "JSON_PARSER_ERROR", "message": "can't read"}]),
        httpx.Response(200, json=[{"id": DEAL, "success": True, "errors": []}]),
        httpx.Response(403, json=used_up),
    ]
    receipts = stubbed.write([make_update(number, name=f"N {number}") for number in range(4)])

    assert [Outcome.APPLIED, *[Outcome.FAILED] * 3] == [receipt.outcome for receipt in receipts]
    assert 3 == route.call_count


@pytest.mark.parametrize("stage", ["Nowhere", "Old"])
def test_unknown_and_inactive_stages_are_refused_here(
    stubbed: SalesforceAdapter, routes: respx.MockRouter, stage: str
) -> None:
    """The org accepts any StageName, as recorded creates show, so nothing is sent."""
    route = routes.patch(f"{BASE}/composite/sobjects").respond(json=[])
    receipt = stubbed.write([make_update(place=Position("default", stage, Status.OPEN))])[0]

    assert (Outcome.REFUSED, 0) == (receipt.outcome, route.call_count)
    assert stage in receipt.message


def test_the_key_field_is_needed_to_create(stubbed: SalesforceAdapter, routes: respx.MockRouter) -> None:
    """Without the external id field a create could double, so it is not sent; and no key can be found either.

    It fails, so that a run makes it once the field is there: what is refused would wait for an edit of each deal.
    """
    change = make_change(action=Action.CREATE, target=None, key="k", edits=(FieldEdit("name", None, "N"),))

    assert Outcome.FAILED == stubbed.write([change])[0].outcome
    assert None is stubbed.find(Kind.DEAL, "k", None)


def test_a_key_field_must_be_unique_to_create(stubbed: SalesforceAdapter, routes: respx.MockRouter) -> None:
    """Two who create with one key at once would make two deals ("sObject Rows by External ID"): an admin is told."""
    routes.get(f"{BASE}/sobjects/Opportunity/describe").respond(json=make_describe(make_key(unique=False)))
    change = make_change(action=Action.CREATE, target=None, key="k", edits=(FieldEdit("name", None, "N"),))
    receipt = stubbed.write([change])[0]

    assert (Outcome.FAILED, True) == (receipt.outcome, "unique" in receipt.message)


def test_record_types_are_pipelines(open_adapter: Callable[..., SalesforceAdapter], routes: respx.MockRouter) -> None:
    """Each record type is a pipeline with the stages that its layout offers; the master one is the default."""
    kinds = [
        {"recordTypeId": "012Sb0000000001", "name": "Renewal", "active": True, "available": True, "master": False},
        {"recordTypeId": "012000000000000AAA", "name": "Master", "active": True, "available": True, "master": True},
    ]
    described = make_describe(make_field("RecordTypeId", "reference"), recordTypeInfos=kinds)
    routes.get(f"{BASE}/sobjects/Opportunity/describe").respond(json=described)
    lists = [{"picklistName": "StageName", "picklistValues": [{"value": "Sold"}]}]
    layout = f"{BASE}/sobjects/Opportunity/describe/layouts/012Sb0000000001IAA"
    routes.get(layout).respond(json={"recordTypeMappings": [{"picklistsForRecordType": lists}]})
    user = {"name": "User", "fields": [make_field("Id", "id"), make_field("SystemModstamp", "datetime")]}
    routes.get(f"{BASE}/sobjects/User/describe").respond(json=user)
    routes.get(f"{BASE}/query").respond(json=make_rows())
    route = routes.patch(f"{BASE}/composite/sobjects").respond(json=[{"id": DEAL, "success": True, "errors": []}])
    opened = open_adapter(HOST, "00D-token")

    found = {pipeline.id: [stage.id for stage in pipeline.stages] for pipeline in opened.describe().pipelines}
    opened.write([make_update(place=Position("012Sb0000000001IAA", "Sold", Status.WON))])

    assert {"default": ["Talk", "Sold"], "012Sb0000000001IAA": ["Sold"]} == found
    assert "012Sb0000000001IAA" == json.loads(route.calls.last.request.content)["records"][0]["RecordTypeId"]
    assert "acme.my.salesforce.com" == opened.describe().account


def test_tasks_get_a_status_that_the_org_has(stubbed: SalesforceAdapter, routes: respx.MockRouter) -> None:
    """Orgs rename theirs, and only TaskStatus tells which of them count as closed (Object Reference, "Task").

    A task that is to be done says none: the org's own default counts.
    """
    asked = {"q": "SELECT ApiName FROM TaskStatus WHERE IsClosed = true ORDER BY SortOrder"}
    routes.get(f"{BASE}/query", params=asked).respond(json=make_rows({"ApiName": "Erledigt"}, {"ApiName": "Weg"}))
    made = routes.post(f"{BASE}/composite/sobjects").respond(json=[{"id": "00T1", "success": True, "errors": []}])
    edits = (FieldEdit("subject", None, "Call"), FieldEdit("body", None, "x"))
    rows = []
    for action in (Action.NOTE, Action.TASK):
        stubbed.write([make_change(1, action=action, target=Ref("sf", Kind.DEAL, DEAL), edits=edits)])
        rows += json.loads(made.calls.last.request.content)["records"]

    assert ["Erledigt", None] == [row.get("Status") for row in rows]


def test_the_rest_of_a_look_into_the_recycle_bin_is_asked_for_as_it_is_named(
    stubbed: SalesforceAdapter, routes: respx.MockRouter
) -> None:
    """`nextRecordsUrl` of a queryAll says `query`, and that is right ("QueryAll More Results")."""
    fields = [make_field("IsDeleted", "boolean"), make_field("IsClosed", "boolean"), make_field("IsWon", "boolean")]
    routes.get(f"{BASE}/sobjects/Opportunity/describe").respond(json=make_describe(*fields))
    routes.get(f"{BASE}/query").respond(json=make_rows())
    gone = [{"Id": f"006Sb000000000{n}IAA", "SystemModstamp": "2026-06-10T11:00:00.000+0000"} for n in (1, 2)]
    first = make_rows(gone[0], done=False, nextRecordsUrl="/services/data/v67.0/query/01g-1")

    def look(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json=first if "IsDeleted" in request.url.params["q"] else make_rows())

    routes.get(f"{BASE}/queryAll").mock(side_effect=look)
    routes.get(f"{BASE}/query/01g-1").respond(json=make_rows(gone[1]))
    pages = list(stubbed.pull(Kind.DEAL, '{"at":"2026-06-10T10:00:00Z"}'))

    assert [each["Id"] for each in gone] == [stone.ref.id for page in pages for stone in page.tombstones]
