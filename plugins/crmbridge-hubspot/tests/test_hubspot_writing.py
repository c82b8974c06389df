"""What is sent for each change, and how receipts are read from HubSpot's answers, item by item."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
import respx

from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Position, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType, Money, Value
from crmbridge.ports import FieldBinding
from crmbridge.testing.factories import make_change
from crmbridge_hubspot.bodies import has_marker, to_html

from .accounts import DEALS, PROPERTIES, Answer, Opener, make_property

CHOICES = FieldBinding(name="tags", native="note_to_self", type=FieldType.CHOICES)


def make_update(number: int, position: Position | None = None, **fields: Value) -> Change:
    """Make an update of a deal."""
    edits = tuple(FieldEdit(name, None, value) for name, value in fields.items())
    target = Ref("hs", Kind.DEAL, str(number))
    return make_change(number, connection="hs", target=target, edits=edits, position=position)


def make_creation(key: str, **fields: Value) -> Change:
    """Make the creation of a deal."""
    edits = tuple(FieldEdit(name, None, value) for name, value in {"name": key, **fields}.items())
    place = Position("default", "first", Status.OPEN)
    return make_change(key, connection="hs", action=Action.CREATE, target=None, edits=edits, position=place, key=key)


def sent(route: respx.Route) -> list[Any]:
    """Give the inputs of the last call."""
    return list(json.loads(route.calls.last.request.content)["inputs"])


def done(*ids: int, **more: Any) -> dict[str, Any]:
    """Make a batch answer."""
    return {"status": "COMPLETE", "results": [{"id": str(each), "properties": {}} for each in ids], **more}


def test_an_update_sends_what_changed_and_nothing_else(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Values go out as texts; the stage goes with its pipeline in one write ("Deals" guide)."""
    route = hubspot.post(path=f"{DEALS}/batch/update").respond(json=done(1))
    change = make_update(
        1,
        Position("other", "elsewhere", Status.LOST),
        amount=Money(Decimal("1500.50"), "EUR"),
        close_date=date(2026, 3, 31),
        tags=("a", "b"),
        name=None,
    )

    assert [Outcome.APPLIED] == [receipt.outcome for receipt in open_adapter((CHOICES,)).write([change])]
    assert [
        {
            "id": "1",
            "objectWriteTraceId": change.id,
            "properties": {
                "amount": "1500.50",
                "closedate": "2026-03-31T15:00:00.000Z",  # noon in the account's zone
                "note_to_self": "a;b",  # a leading ; would add to what is there
                "dealname": "",  # clears; what null does is not documented
                "pipeline": "other",
                "dealstage": "elsewhere",
            },
        }
    ] == sent(route)


def test_answers_come_in_any_order(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """The recorded answer to a batch update is not in the order of its inputs."""
    hubspot.post(path=f"{DEALS}/batch/update").respond(json=done(3, 1, 2))
    receipts = open_adapter().write([make_update(number, name="x") for number in (1, 2, 3)])

    assert ["1", "2", "3"] == [receipt.ref.id for receipt in receipts if receipt.ref]


def test_part_of_a_batch_is_refused(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """207 names the item by its trace id, a missing deal by its id too; the rest is done ("Deals" guide)."""
    changes = [make_update(number, name="x") for number in (1, 2, 3)]
    errors = [
        {"status": "error", "message": "bad\x1b value", "context": {"objectWriteTraceId": [changes[1].id]}},
        {"status": "error", "category": "OBJECT_NOT_FOUND", "message": "gone", "context": {"ids": ["3"]}},
    ]
    hubspot.post(path=f"{DEALS}/batch/update").respond(207, json=done(1, numErrors=2, errors=errors))
    receipts = open_adapter().write(changes)

    assert [Outcome.APPLIED, Outcome.REFUSED, Outcome.REFUSED] == [receipt.outcome for receipt in receipts]
    assert receipts[1].message.isprintable()
    assert "gone" in receipts[2].message


@pytest.mark.parametrize(
    ("now", "outcome"),
    [
        ([], Outcome.REFUSED),  # merged away, or deleted
        ([{"id": "9", "properties": {"dealname": "x"}}], Outcome.REFUSED),  # the survivor answers in its place
        ([{"id": "2", "properties": {"dealname": "x"}}], Outcome.APPLIED),
        ([{"id": "2", "properties": {"dealname": "old"}}], Outcome.FAILED),
    ],
)
def test_what_the_answer_leaves_out_is_read_back(
    hubspot: respx.MockRouter, open_adapter: Opener, now: list[Any], outcome: Outcome
) -> None:
    """Batch update does not take merged-away ids and need not say so (rudder-transformer's tests): we look."""
    hubspot.post(path=f"{DEALS}/batch/update").respond(json=done(1))
    read = hubspot.post(path=f"{DEALS}/batch/read").respond(json={"results": now})
    receipts = open_adapter().write([make_update(1, name="x"), make_update(2, name="x")])

    assert [Outcome.APPLIED, outcome] == [receipt.outcome for receipt in receipts]
    assert [{"id": "2"}] == sent(read)


@pytest.mark.parametrize("status", [502, 401, 403, 400])
def test_what_can_not_be_read_back_stays_unknown(hubspot: respx.MockRouter, open_adapter: Opener, status: int) -> None:
    """While HubSpot is down nobody can say what became of the update, nor with a token that was revoked meanwhile.

    What was written beside it is told all the same.
    """
    hubspot.post(path=f"{DEALS}/batch/update").respond(json=done(1))
    hubspot.post(path=f"{DEALS}/batch/read").respond(status)
    receipts = open_adapter().write([make_update(1, name="x"), make_update(2, name="x")])

    assert [Outcome.APPLIED, Outcome.UNKNOWN] == [receipt.outcome for receipt in receipts]


@pytest.mark.parametrize("named", ["key", "trace"])
def test_answers_to_creations_come_in_any_order(hubspot: respx.MockRouter, open_adapter: Opener, named: str) -> None:
    """Each deal is told by its key, or by the trace id that was sent with it; a wrong link would merge two deals."""
    changes = [make_creation("k1"), make_creation("k2")]
    results: list[dict[str, Any]] = [
        {"id": "8", "properties": {"crmbridge_key": "k2"}} if named == "key" else {"id": "8"},
        {"id": "9", "properties": {"crmbridge_key": "k1"}} if named == "key" else {"id": "9"},
    ]
    if named == "trace":
        for result, change in zip(results, reversed(changes), strict=True):
            result["objectWriteTraceId"] = change.id
    hubspot.post(path=f"{DEALS}/batch/create").respond(201, json={"status": "COMPLETE", "results": results})
    receipts = open_adapter().write(changes)

    assert ["9", "8"] == [receipt.ref and receipt.ref.id for receipt in receipts]


def test_a_creation_that_the_answer_leaves_out_is_unknown(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Its key tells later whether it was made; of the other one is known that it was."""
    made = {"id": "9", "properties": {"crmbridge_key": "k1"}}
    hubspot.post(path=f"{DEALS}/batch/create").respond(201, json={"status": "COMPLETE", "results": [made]})
    receipts = open_adapter().write([make_creation("k1"), make_creation("k2")])

    assert [Outcome.APPLIED, Outcome.UNKNOWN] == [receipt.outcome for receipt in receipts]


def test_creations_with_one_key_are_not_sent_together(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """Two inputs with one key fail together, after part of it was done (action-destinations PR 3969)."""
    made = {"id": "5", "properties": {"crmbridge_key": "k"}}
    route = hubspot.post(path=f"{DEALS}/batch/create").respond(201, json={"status": "COMPLETE", "results": [made]})
    first = make_creation("k")
    open_adapter().write([first, replace(first, id="other")])

    assert [1, 1] == [len(json.loads(call.request.content)["inputs"]) for call in route.calls]


def test_a_batch_that_is_refused_whole_goes_one_by_one(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """One bad item can fail the batch (hubspot-api-python#51); nothing was done, so each is sent alone."""

    def answer(request: httpx.Request) -> httpx.Response:
        ids = [each["id"] for each in json.loads(request.content)["inputs"]]
        if "2" in ids:
            return httpx.Response(
                400, json={"category": "VALIDATION_ERROR", "message": "Property values were not valid"}
            )
        return httpx.Response(200, json=done(*map(int, ids)))

    route = hubspot.post(path=f"{DEALS}/batch/update").mock(side_effect=answer)
    receipts = open_adapter().write([make_update(number, name="x") for number in (1, 2, 3)])

    assert [Outcome.APPLIED, Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert "not valid" in receipts[1].message
    assert 4 == route.call_count


LISTED = '[{"message":"Enter only letters","error":"INVALID_ALPHA","name":"dealname"},{"message":"no","name":"other"}]'
SAID = {"category": "VALIDATION_ERROR", "message": f"Property values were not valid: {LISTED}"}
IN_PARTS = {"message": "no", "errors": [{"message": "no", "context": {"propertyName": ["deal_currency_code"]}}, 7]}


@pytest.mark.parametrize(
    ("status", "body", "blamed"),
    [
        (400, SAID, ("name",)),
        (400, {**SAID, **IN_PARTS}, ("amount",)),
        (400, {**SAID, "errors": IN_PARTS["errors"]}, ("amount", "name")),
        (400, {"message": "no", "context": {"propertyName": "dealstage"}}, ("stage",)),
        (400, {"message": "dealname is not valid"}, ()),
        (400, {**SAID, "errors": 5}, ("name",)),
        (409, {"category": "CONFLICT", "message": "taken", "context": {"propertyName": ["dealname"]}}, ("name",)),
        (207, {"status": "COMPLETE", "results": [], "errors": [SAID]}, ("name",)),
    ],
)
def test_the_fields_that_hubspot_names_are_blamed(
    hubspot: respx.MockRouter, open_adapter: Opener, status: int, body: dict[str, Any], blamed: tuple[str, ...]
) -> None:
    """By their names in the change ("Error handling", "Using Object APIs"); what is no field of it does not count."""
    hubspot.post(path=f"{DEALS}/batch/update").respond(status, json=body)
    change = make_update(1, name="7", amount=Money(Decimal(5), "EUR"))
    moved = replace(change, edits=(*change.edits, FieldEdit("stage", None, "proposal")))
    (receipt,) = open_adapter().write([moved])

    assert (Outcome.REFUSED, blamed) == (receipt.outcome, tuple(sorted(receipt.blamed)))


SPENT = httpx.Response(429, json={"message": "You have reached your daily limit.", "policyName": "DAILY"})


@pytest.mark.parametrize("trouble", [SPENT, httpx.Response(401, json={"message": "revoked"})], ids=str)
def test_nothing_more_is_sent_to_a_door_that_is_shut(
    hubspot: respx.MockRouter, open_adapter: Opener, trouble: httpx.Response
) -> None:
    """Each of the rest would only be refused as well, and counted; what was made by then is told."""
    route = hubspot.post(path=f"{DEALS}/batch/update")
    route.side_effect = [
        httpx.Response(400, json={"message": "one of these"}),
        httpx.Response(200, json=done(1)),
        trouble,
    ]
    receipts = open_adapter().write([make_update(number, name="x") for number in (1, 2, 3, 4)])

    assert [Outcome.APPLIED, *[Outcome.FAILED] * 3] == [receipt.outcome for receipt in receipts]
    assert 3 == route.call_count


def test_a_locked_deal_holds_up_no_other(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """423 is about one record that is written to much, and passes ("Error handling")."""

    def answer(request: httpx.Request) -> httpx.Response:
        ids = [each["id"] for each in json.loads(request.content)["inputs"]]
        if len(ids) > 1:
            return httpx.Response(400, json={"message": "one of these"})
        return httpx.Response(423, json={"message": "locked"}) if ids == ["1"] else httpx.Response(200, json=done(2))

    hubspot.post(path=f"{DEALS}/batch/update").mock(side_effect=answer)
    receipts = open_adapter().write([make_update(number, name="x") for number in (1, 2)])

    assert [Outcome.FAILED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert "locked the record" in receipts[0].message


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        ('[{"isValid":false,"message":"x was not one of the allowed options","error":"INVALID_OPTION","name":"stage"}]',
         "stage: x was not one of the allowed options"),
        ('[{"message":"a","name":"b"},{"message":"c","name":"d"},7,{"name":"e"}]', "b: a; d: c"),
        ('[{"message":"cut', '[{"message":"cut'),
        ("[[[" * 9000, "[[["),
        ("nothing more", "nothing more"),
        ("7", "7"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_each_value_is_said_in_words(
    listed: str, said: str, hubspot: respx.MockRouter, open_adapter: Opener
) -> None:
    """HubSpot puts a list of its own, in JSON, into the sentence; what is no such list stays as it is."""
    body = {"category": "VALIDATION_ERROR", "message": f"Property values were not valid: {listed}"}
    hubspot.post(path=f"{DEALS}/batch/update").mock(return_value=httpx.Response(400, json=body))
    (receipt,) = open_adapter().write([make_update(1, name="x")])

    assert f"HubSpot refused it (400): Property values were not valid: {said}" in receipt.message
    assert receipt.message.endswith((said, "…"))


@pytest.mark.parametrize(
    "trouble", [httpx.ReadTimeout("slow"), httpx.Response(502), httpx.Response(200, text="<html>")]
)
def test_an_unclear_batch_is_not_sent_again(
    hubspot: respx.MockRouter, open_adapter: Opener, trouble: httpx.Response | Exception
) -> None:
    """Sent and not clearly answered: every change of the batch is unknown, and the write went out once."""
    route = hubspot.post(path=f"{DEALS}/batch/create")
    route.side_effect = [trouble]
    receipts = open_adapter().write([make_creation("k1"), make_creation("k2")])

    assert [Outcome.UNKNOWN] * 2 == [receipt.outcome for receipt in receipts]
    assert 1 == route.call_count


def test_two_changes_of_one_deal_go_out_apart(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """In one batch their answers could not be told apart."""
    route = hubspot.post(path=f"{DEALS}/batch/update").respond(json=done(1))
    first, second = (
        make_update(1, name="x"),
        make_change("other", **_of(make_update(1, amount=Money(Decimal(1), "EUR")))),
    )
    receipts = open_adapter().write([first, second])

    assert [Outcome.APPLIED] * 2 == [receipt.outcome for receipt in receipts]
    assert 2 == route.call_count


def _of(change: Change) -> dict[str, Any]:
    return {"connection": "hs", "target": change.target, "edits": change.edits}


def test_a_creation_carries_its_key_and_links(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """One request makes the deal with its links; the unique key makes a second one impossible ("Properties" guide)."""
    result = {"id": "9", "properties": {"crmbridge_key": "k1"}}
    route = hubspot.post(path=f"{DEALS}/batch/create").respond(201, json={"results": [result]})
    receipts = open_adapter().write([make_creation("k1", company="30", contacts=("50", "51"))])

    assert [Ref("hs", Kind.DEAL, "9")] == [receipt.ref for receipt in receipts]
    (body,) = sent(route)
    assert {"dealname": "k1", "crmbridge_key": "k1", "pipeline": "default", "dealstage": "first"} == body["properties"]
    links = [(link["to"]["id"], link["types"][0]["associationTypeId"]) for link in body["associations"]]
    assert [("30", 5), ("50", 3), ("51", 3)] == links


def test_a_key_that_is_taken_finds_the_deal(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """A creation that had happened before is not made again, and what people changed since stays."""
    change = make_creation("k1")
    error = {"category": "CONFLICT", "message": "exists", "context": {"objectWriteTraceId": [change.id]}}
    hubspot.post(path=f"{DEALS}/batch/create").respond(207, json=done(errors=[error]))
    there = {"id": "9", "properties": {"crmbridge_key": "k1"}}
    hubspot.post(path=f"{DEALS}/batch/read").respond(json={"results": [there]})
    (receipt,) = open_adapter().write([change])

    assert (Outcome.APPLIED, Ref("hs", Kind.DEAL, "9")) == (receipt.outcome, receipt.ref)


def test_a_key_that_is_taken_may_be_said_of_the_whole_request(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """409 for all of it is the same answer as 207 with one error ("Error handling")."""
    conflict = {"status": "error", "category": "CONFLICT", "message": "crmbridge_key k1 is taken"}
    hubspot.post(path=f"{DEALS}/batch/create").respond(409, json=conflict)
    there = {"id": "9", "properties": {"crmbridge_key": "k1"}}
    hubspot.post(path=f"{DEALS}/batch/read").respond(json={"results": [there]})
    (receipt,) = open_adapter().write([make_creation("k1")])

    assert (Outcome.APPLIED, Ref("hs", Kind.DEAL, "9")) == (receipt.outcome, receipt.ref)


TAKEN = (
    'Property values were not valid: [{"isValid":false,"message":"k1 is already in use",'
    '"error":"CONFLICTING_UNIQUE_VALUE","name":"crmbridge_key"}]'
)


@pytest.mark.parametrize("status", [207, 400])
@pytest.mark.parametrize("said", ["in the words", "in the code"])
def test_a_key_that_is_taken_may_be_said_as_a_wrong_value(
    hubspot: respx.MockRouter, open_adapter: Opener, status: int, said: str
) -> None:
    """Of properties that an account made unique itself, integrations in public repositories meet it as a 400.

    Refused for good, a deal that is there would wait for a person, and never be linked.
    """
    change = make_creation("k1")
    error = {"category": "VALIDATION_ERROR", "context": {"objectWriteTraceId": [change.id]}}
    error |= {"message": TAKEN} if said == "in the words" else {"message": "not valid"}
    error |= {} if said == "in the words" else {"errors": [{"message": "in use", "code": "CONFLICTING_UNIQUE_VALUE"}]}
    hubspot.post(path=f"{DEALS}/batch/create").respond(status, json=done(errors=[error]) if status == 207 else error)
    there = {"id": "9", "properties": {"crmbridge_key": "k1"}}
    hubspot.post(path=f"{DEALS}/batch/read").respond(json={"results": [there]})
    (receipt,) = open_adapter().write([change])

    assert (Outcome.APPLIED, Ref("hs", Kind.DEAL, "9")) == (receipt.outcome, receipt.ref)


def test_another_unique_value_that_is_taken_is_refused(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """No deal has the key, so it is a property of the account's own that a person has to look at."""
    hubspot.post(path=f"{DEALS}/batch/create").respond(400, json={"category": "VALIDATION_ERROR", "message": TAKEN})
    hubspot.post(path=f"{DEALS}/batch/read").respond(json={"results": []})
    (receipt,) = open_adapter().write([make_creation("k1")])

    assert (Outcome.REFUSED, True) == (receipt.outcome, "already in use" in receipt.message)


def test_a_key_that_is_taken_by_what_can_not_be_read_is_unknown(
    hubspot: respx.MockRouter, open_adapter: Opener
) -> None:
    """The token may have been revoked meanwhile; what was made beside it is told all the same."""
    changes = [make_creation("k1"), make_creation("k2")]
    errors = [{"category": "CONFLICT", "message": "taken", "context": {"objectWriteTraceId": [changes[1].id]}}]
    answer = {"results": [{"id": "1", "objectWriteTraceId": changes[0].id, "properties": {}}], "errors": errors}
    hubspot.post(path=f"{DEALS}/batch/create").respond(207, json=answer)
    hubspot.post(path=f"{DEALS}/batch/read").respond(401)

    assert [Outcome.APPLIED, Outcome.UNKNOWN] == [receipt.outcome for receipt in open_adapter().write(changes)]


def test_a_key_is_found_exactly(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """HubSpot compares without case; a key is what it is."""
    there = {"id": "9", "properties": {"crmbridge_key": "K1"}}
    route = hubspot.post(path=f"{DEALS}/batch/read").respond(json={"results": [there]})
    adapter = open_adapter()

    assert None is adapter.find(Kind.DEAL, "k1", None)
    assert Ref("hs", Kind.DEAL, "9") == adapter.find(Kind.DEAL, "K1", None)
    assert "crmbridge_key" == json.loads(route.calls.last.request.content)["idProperty"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"amount": Money(Decimal(5), "JPY")}, "EUR only"),
        ({"closed": True}, "read-only"),
        ({"missing": "x"}, "has no deal property"),
    ],
)
def test_what_cannot_be_written_is_refused_unsent(
    hubspot: respx.MockRouter, open_adapter: Opener, fields: dict[str, Value], why: str
) -> None:
    """Writes to read-only properties may be ignored without a word ("Tasks" guide), so they are not sent."""
    bindings = (
        FieldBinding(name="closed", native="hs_is_closed", type=FieldType.BOOL),
        FieldBinding(name="missing", native="not_there", type=FieldType.TEXT),
    )
    (receipt,) = open_adapter(bindings).write([make_update(1, None, **fields)])

    assert Outcome.REFUSED == receipt.outcome
    assert why in receipt.message


DROPDOWN = make_property("answered", "enumeration", fieldType="select")


@pytest.mark.parametrize(
    ("options", "sent_as"),
    [(["Yes", "No"], ["Yes", "No", ""]), (["sim", "não", "?"], ["sim", "não", ""]), (["Good", "Bad"], None)],
)
def test_a_yes_or_no_goes_into_a_dropdown_as_its_option(
    hubspot: respx.MockRouter, open_adapter: Opener, answer_account: Answer, options: list[str], sent_as: Any
) -> None:
    """HubSpot refuses `true` there; where no option says yes or no, that is said before anything is sent."""
    known = {**DROPDOWN, "options": [{"value": each, "label": each} for each in options]}
    answer_account(hubspot, properties={"results": [*PROPERTIES, known]})
    route = hubspot.post(path=f"{DEALS}/batch/update")
    route.side_effect = lambda request: httpx.Response(
        200, json=done(*(int(each["id"]) for each in json.loads(request.content)["inputs"]))
    )
    adapter = open_adapter((FieldBinding(name="asked", native="answered", type=FieldType.BOOL),))
    receipts = adapter.write([make_update(n, None, asked=value) for n, value in enumerate([True, False, None], 1)])
    bodies = [each["properties"]["answered"] for each in sent(route)]

    if sent_as is None:
        assert [Outcome.REFUSED, Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
        assert "no option says yes" in receipts[0].message
    else:
        assert ([Outcome.APPLIED] * 3, sent_as) == ([receipt.outcome for receipt in receipts], bodies)


def test_without_a_key_property_nothing_is_created(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """A creation that could happen twice is not begun; the message says what to make.

    It fails, so that the next run makes it then: what is refused would wait for somebody to edit each deal.
    """
    adapter = open_adapter(key_field="note_to_self")
    (receipt,) = adapter.write([make_creation("k1")])

    assert (Outcome.FAILED, True) == (receipt.outcome, "'note_to_self'" in receipt.message)
    assert None is adapter.find(Kind.DEAL, "k1", None)


@pytest.mark.parametrize("code", ["PROPERTY_DOESNT_EXIST", "READ_ONLY_VALUE"])
def test_a_creation_can_be_made_once_the_key_property_is_there_again(
    hubspot: respx.MockRouter, open_adapter: Opener, code: str
) -> None:
    """It went, or is locked, since the account was looked at: its people mend it once, and not for each deal."""
    error = {"message": "it is not", "code": code, "context": {"propertyName": ["crmbridge_key"]}}
    said = {"category": "VALIDATION_ERROR", "message": "Property values were not valid", "errors": [error]}
    hubspot.post(path=f"{DEALS}/batch/create").respond(400, json=said)
    (receipt,) = open_adapter().write([make_creation("k1")])

    assert Outcome.FAILED == receipt.outcome


def test_a_task_is_due_and_linked(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """`hs_timestamp` is the due time; type 216 hangs a task on a deal ("Tasks" guide)."""
    route = hubspot.post(path="/crm/objects/2026-03/tasks/batch/create").respond(201, json=done(4))
    edits: dict[str, Value] = {
        "subject": "Call",
        "body": "a < b\n& c",
        "due_at": datetime(2026, 6, 11, 9, tzinfo=UTC),
        "owner": "71",
    }
    change = make_change(
        action=Action.TASK,
        connection="hs",
        target=Ref("hs", Kind.DEAL, "1"),
        edits=tuple(FieldEdit(name, None, value) for name, value in edits.items()),
        key="m1",
    )
    (receipt,) = open_adapter().write([change])

    assert Ref("hs", Kind.TASK, "4") == receipt.ref
    (body,) = sent(route)
    assert "2026-06-11T09:00:00.000Z" == body["properties"]["hs_timestamp"]
    assert "a &lt; b<br>&amp; c<br>[m1]" == body["properties"]["hs_task_body"]
    assert ("1", 216) == (body["associations"][0]["to"]["id"], body["associations"][0]["types"][0]["associationTypeId"])


def test_a_marker_is_found_however_it_is_wrapped() -> None:
    """HubSpot's editor wraps bodies in markup of its own."""
    body = to_html({"body": "text"}, "rule/1&2")

    assert has_marker(body, "rule/1&2")
    assert has_marker(f'<div dir="auto"><p>{body}</p></div>\n', "rule/1&2")
    assert not has_marker(to_html({"body": "text"}, "rule/1&23"), "rule/1&2")
    assert has_marker(f"{body}<br>and a person added this", "rule/1&2")
    assert not has_marker(body, "rule/1")
    assert not has_marker(None, "rule/1")


@pytest.mark.parametrize("status", [200, 201, 202, 207])
def test_any_success_will_do(hubspot: respx.MockRouter, open_adapter: Opener, status: int) -> None:
    """Success codes changed overnight before (hubspot-api-php#506)."""
    made = {"id": "5", "properties": {"crmbridge_key": "k"}}
    hubspot.post(path=f"{DEALS}/batch/create").respond(status, json={"status": "COMPLETE", "results": [made]})
    (receipt,) = open_adapter().write([make_creation("k")])

    assert (Outcome.APPLIED, "5") == (receipt.outcome, receipt.ref and receipt.ref.id)
