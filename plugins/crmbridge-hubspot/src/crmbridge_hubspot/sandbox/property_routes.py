"""The sandbox's routes for properties: list, make, change and archive them, and the groups they stand in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import JSONResponse, Response

from crmbridge.model.replacing import replace
from crmbridge_hubspot.sandbox.account import ObjectType
from crmbridge_hubspot.sandbox.call import Call, Routes
from crmbridge_hubspot.sandbox.objects import HubSpotState, not_found
from crmbridge_hubspot.sandbox.properties import Property
from crmbridge_hubspot.sandbox.replies import VendorError, batch_response, validation

MOST_UNIQUE = 10  # custom properties of an object type, and it can't be changed later ("Properties" guide)
FIELD_TYPES: Mapping[str, frozenset[str]] = {
    "string": frozenset({"text", "textarea", "html", "phonenumber", "file"}),
    "number": frozenset({"number"}),
    "bool": frozenset({"booleancheckbox", "calculation_equation"}),
    "enumeration": frozenset({"select", "radio", "checkbox", "booleancheckbox"}),
    "date": frozenset({"date"}),
    "datetime": frozenset({"date"}),
}


def _list(call: Call) -> Response:
    return JSONResponse({"results": [prop.as_json() for prop in call.state.properties[call.kind.name].values()]})


def _named(call: Call) -> Property:
    wanted = call.request.path_params["property"]
    found = call.state.properties[call.kind.name].get(wanted)
    if found is None:
        raise not_found(wanted)
    return found


def _get(call: Call) -> Response:
    return JSONResponse(_named(call).as_json())


def _make(call: Call) -> Response:
    return JSONResponse(make_property(call.state, call.kind, call.body).as_json(), status_code=201)


def _make_batch(call: Call) -> Response:
    made = [make_property(call.state, call.kind, each).as_json() for each in call.body.get("inputs") or ()]
    return batch_response(made, [], now=call.state.clock.now(), status=201)


def make_property(state: HubSpotState, kind: ObjectType, body: Mapping[str, Any]) -> Property:
    """Make a property as the call asks for; raises the error that HubSpot answers."""
    missing = [name for name in ("name", "label", "type", "fieldType", "groupName") if not body.get(name)]
    if missing:
        raise validation(f"Some required fields were not set: {missing}")
    _check(state, kind, body)
    options = _options(body)
    made = Property(
        name=body["name"],
        label=body["label"],
        type=body["type"],
        field_type=body["fieldType"],
        options=tuple(option["value"] for option in options),
        option_labels=tuple(option["label"] for option in options),
        unique=body.get("hasUniqueValue") is True,
        custom=True,
        group=body["groupName"],
        description=str(body.get("description") or ""),
    )
    state.properties[kind.name][made.name] = made
    return made


def _check(state: HubSpotState, kind: ObjectType, body: Mapping[str, Any]) -> None:
    name, known = str(body["name"]), state.properties[kind.name]
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,99}", name):
        raise validation(f"The property name '{name[:60]}' may hold lower-case letters, digits and underscores only")
    if name in known:
        raise VendorError(409, "CONFLICT", f"A property named '{name}' already exists.")
    if body["fieldType"] not in FIELD_TYPES.get(body["type"], ()):
        raise validation(f"A property of type {body['type']} can't have the field type {body['fieldType']}")
    if body["groupName"] not in state.groups[kind.name]:
        raise validation(f"Property group '{body['groupName']}' does not exist")
    if body.get("hasUniqueValue") is True:
        _check_unique(known, body)


def _check_unique(known: Mapping[str, Property], body: Mapping[str, Any]) -> None:
    if (body["type"], body["fieldType"]) not in {("string", "text"), ("number", "number")}:
        raise validation("Unique values can only be required of single-line text and number properties")
    if sum(prop.unique and prop.custom for prop in known.values()) >= MOST_UNIQUE:
        raise validation(f"An object type can have at most {MOST_UNIQUE} properties with unique values")


def _options(body: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    options = body.get("options") or []
    if body.get("fieldType") == "booleancheckbox" and not options:
        return [{"label": "Yes", "value": "true"}, {"label": "No", "value": "false"}]
    if any(not option.get("label") or option.get("value") in {None, ""} for option in options):
        raise validation("Every option needs a label and a value")
    if len({option["value"] for option in options}) < len(options):
        raise validation("The values of the options must differ")
    return list(options)


def _change(call: Call) -> Response:
    before, body = _named(call), call.body
    if not before.custom:
        raise validation(f"The property '{before.name}' is HubSpot's own and can't be changed")
    if "hasUniqueValue" in body and body["hasUniqueValue"] is not before.unique:
        raise validation("hasUniqueValue can't be changed once the property is made")
    options = _options(body) if "options" in body else None
    changed = replace(
        before,
        label=body.get("label") or before.label,
        description=body.get("description") or before.description,
        options=before.options if options is None else tuple(option["value"] for option in options),
        option_labels=before.option_labels if options is None else tuple(option["label"] for option in options),
    )
    call.state.properties[call.kind.name][before.name] = changed
    return JSONResponse(changed.as_json())


def _archive(call: Call) -> Response:
    found = _named(call)
    if not found.custom:
        raise validation(f"The property '{found.name}' is HubSpot's own and can't be archived")
    del call.state.properties[call.kind.name][found.name]
    return Response(status_code=204)


def _group_json(name: str, label: str) -> dict[str, Any]:
    return {"name": name, "label": label, "displayOrder": -1, "archived": False}


def _groups(call: Call) -> Response:
    known = call.state.groups[call.kind.name]
    return JSONResponse({"results": [_group_json(name, label) for name, label in known.items()]})


def _make_group(call: Call) -> Response:
    known, name, label = call.state.groups[call.kind.name], call.body.get("name"), call.body.get("label")
    if not name or not label:
        raise validation("A property group needs a name and a label")
    if name in known:
        raise VendorError(409, "CONFLICT", f"A property group named '{name}' already exists.")
    known[name] = label
    return JSONResponse(_group_json(name, label), status_code=201)


PROPERTY_ROUTES: Routes = (
    ("properties", "/{kind}", "GET", _list),
    ("properties", "/{kind}", "POST", _make),
    ("properties", "/{kind}/batch/create", "POST", _make_batch),
    ("properties", "/{kind}/groups", "GET", _groups),
    ("properties", "/{kind}/groups", "POST", _make_group),
    ("properties", "/{kind}/{property}", "GET", _get),
    ("properties", "/{kind}/{property}", "PATCH", _change),
    ("properties", "/{kind}/{property}", "DELETE", _archive),
)
