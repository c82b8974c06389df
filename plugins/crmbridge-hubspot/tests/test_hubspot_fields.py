"""Deal properties are made as HubSpot wants them, once, and an admin is told how where the token may not."""

import json
from typing import Any

import httpx
import pytest
import respx

from crmbridge.errors import AuthenticationError
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import FieldType, Value
from crmbridge.ports import FieldWish
from crmbridge.testing import AdapterWorkbench
from crmbridge.testing.factories import make_change
from crmbridge_hubspot import plugin

from .accounts import Opener

PROPERTIES = "/crm/properties/2026-03/deals"


def make_field(name: str, type_: FieldType = FieldType.TEXT, **more: Value) -> Change:
    """Make the change that makes a field."""
    values: dict[str, Value] = {"name": name, "label": name.title(), "type": type_.value, **more}
    edits = tuple(FieldEdit(each, None, value) for each, value in values.items())
    return make_change(name, connection="hs", action=Action.FIELD, target=None, edits=edits, key=name)


@pytest.mark.parametrize(
    ("type_", "more", "expected"),
    [
        (FieldType.TEXT, {"unique": True}, {"type": "string", "fieldType": "text", "hasUniqueValue": True}),
        (FieldType.NUMBER, {}, {"type": "number", "fieldType": "number"}),
        (FieldType.MONEY, {}, {"type": "number", "fieldType": "number"}),
        (FieldType.DATE, {}, {"type": "date", "fieldType": "date"}),
        (FieldType.DATETIME, {}, {"type": "datetime", "fieldType": "date"}),
        (
            FieldType.USER,
            {},
            {
                "type": "enumeration",
                "fieldType": "select",
                "externalOptions": True,
                "referencedObjectType": "OWNER",
            },
        ),
    ],
)
def test_a_property_is_made(
    hubspot: respx.MockRouter, open_adapter: Opener, type_: FieldType, more: dict[str, Value], expected: dict[str, Any]
) -> None:
    """Name, label, group, type and field type go in one request ("Properties" guide)."""
    route = hubspot.post(path=PROPERTIES).respond(201, json={"name": "scope_agreed"})
    (receipt,) = open_adapter().write([make_field("scope.agreed", type_, **more)])

    assert {
        "name": "scope_agreed",
        "label": "Scope.Agreed",
        "groupName": "dealinformation",
        **expected,
    } == json.loads(route.calls.last.request.content)
    assert (Outcome.APPLIED, Ref("hs", Kind.FIELD, "scope_agreed")) == (receipt.outcome, receipt.ref)


@pytest.mark.parametrize(
    ("type_", "options", "form", "values"),
    [
        (FieldType.BOOL, None, "booleancheckbox", ["true", "false"]),
        (FieldType.CHOICE, ("a", "b"), "select", ["a", "b"]),
        (FieldType.CHOICES, ("a", "b"), "checkbox", ["a", "b"]),
    ],
)
def test_choices_bring_their_options(
    hubspot: respx.MockRouter, open_adapter: Opener, type_: FieldType, options: Value, *, form: str, values: list[str]
) -> None:
    """An enumeration without options takes no value; a checkbox is one of yes and no."""
    route = hubspot.post(path=PROPERTIES).respond(201, json={"name": "x"})
    open_adapter().write([make_field("x", type_, options=options)])
    body = json.loads(route.calls.last.request.content)

    assert (form, values) == (body["fieldType"], [option["value"] for option in body["options"]])


@pytest.mark.parametrize(
    ("name", "unique", "outcome"),
    [
        ("note_to_self", False, Outcome.APPLIED),
        ("crmbridge_key", True, Outcome.APPLIED),
        ("note_to_self", True, Outcome.REFUSED),  # uniqueness can't be changed afterwards
    ],
)
def test_a_property_that_is_there_stays_as_it_is(
    hubspot: respx.MockRouter, open_adapter: Opener, name: str, *, unique: bool, outcome: Outcome
) -> None:
    """A second run makes nothing twice, and overwrites nobody's property."""
    (receipt,) = open_adapter().write([make_field(name, unique=unique)])

    assert outcome == receipt.outcome


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (httpx.Response(400, json={"category": "VALIDATION_ERROR", "message": "no more unique properties"}), "refused"),
        (httpx.Response(409, json={"category": "CONFLICT", "message": "taken"}), "refused"),
        (httpx.Response(502), "unknown"),
    ],
)
def test_each_property_has_a_receipt(
    hubspot: respx.MockRouter, open_adapter: Opener, answer: httpx.Response, outcome: str
) -> None:
    """What HubSpot refuses, such as an eleventh unique property, costs only itself; after a 502 nobody knows."""
    route = hubspot.post(path=PROPERTIES)
    route.side_effect = [answer, httpx.Response(201, json={"name": "b"})]
    receipts = open_adapter().write([make_field("a", unique=True), make_field("b")])

    assert [outcome, "applied"] == [receipt.outcome for receipt in receipts]
    assert 2 == route.call_count


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(429, json={"errorType": "RATE_LIMIT", "policyName": "DAILY", "message": "used up"}),
        httpx.Response(401, json={"message": "revoked"}),
    ],
)
def test_what_was_made_before_a_stop_is_told(
    hubspot: respx.MockRouter, open_adapter: Opener, answer: httpx.Response
) -> None:
    """An error instead of receipts means that nothing was sent: the journal would not tell of a property that is there.

    Nothing is sent after a stop.
    """
    route = hubspot.post(path=PROPERTIES)
    route.side_effect = [httpx.Response(201, json={"name": "a"}), answer, httpx.Response(201, json={"name": "c"})]
    receipts = open_adapter().write([make_field("a"), make_field("b"), make_field("c")])

    assert ["applied", "failed", "failed"] == [receipt.outcome for receipt in receipts]
    assert 2 == route.call_count


def test_a_field_is_found_by_its_name(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """After an unclear answer the account is asked, not what was remembered of it."""
    adapter = open_adapter()

    assert Ref("hs", Kind.FIELD, "note_to_self") == adapter.find(Kind.FIELD, "note.to.self", None)
    assert None is adapter.find(Kind.FIELD, "nothing", None)


def test_a_property_that_was_made_is_there_at_once(bench: AdapterWorkbench, request: pytest.FixtureRequest) -> None:
    """The set-up is read anew after it was changed: the next write knows the property."""
    adapter = bench.open(key_field="another_key")
    request.addfinalizer(adapter.close)
    before = adapter.describe()
    wish = before.key_wish
    assert wish is not None
    assert before.key_field is None
    (receipt,) = adapter.write([make_field(wish.name, wish.type, unique=wish.unique)])
    after = adapter.describe().key_field

    assert Outcome.APPLIED == receipt.outcome
    assert after is not None
    assert (True, FieldType.TEXT) == (after.unique, after.type)


def test_a_token_that_makes_no_properties_leaves_it_to_an_admin(
    hubspot: respx.MockRouter, open_adapter: Opener
) -> None:
    """Without `crm.schemas.deals.write` HubSpot answers 403: a clear no, and a person can do it all the same."""
    context = {"requiredGranularScopes": ["crm.schemas.deals.write"]}
    body = {"category": "MISSING_SCOPES", "message": "no", "errors": [{"context": context}]}
    hubspot.post(path=PROPERTIES).respond(403, json=body)
    (receipt,) = open_adapter().write([make_field("pains")])

    assert Outcome.REFUSED == receipt.outcome
    assert "crm.schemas.deals.write" in receipt.message


def test_a_token_that_is_refused_makes_nothing(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """A 401 says nothing of fields: the run ends with exit code 4."""
    hubspot.post(path=PROPERTIES).respond(401, json={"message": "no"})

    with pytest.raises(AuthenticationError):
        open_adapter().write([make_field("pains")])


def test_an_admin_is_told_each_step() -> None:
    """A token without `crm.schemas.deals.write` makes no properties; a person does, from these lines."""
    (spec,) = plugin.crmbridge_adapters()
    assert spec.steps is not None
    wish = FieldWish(name="size.class", label="Size", type=FieldType.CHOICE, options=("s", "m"), unique=True)
    text = "\n".join(spec.steps(wish))

    assert all(part in text for part in ("'Size'", "'size_class'", "Dropdown select", "s, m", "unique values"))
