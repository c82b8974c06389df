"""The sandbox's routes for the account: details, pipelines, properties, owners, and the associations of records."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crmbridge_hubspot.sandbox.account import (
    ASSOCIATIONS,
    CURRENCIES,
    CURRENCY_CODE,
    PIPELINES,
    PORTAL,
    PRIMARY_TYPES,
    TIMEZONE,
    TYPE_NAMES,
    UI_DOMAIN,
    ObjectType,
    Pipeline,
    Property,
    Stage,
)
from crmbridge_hubspot.sandbox.object_routes import DATED, Answer, Call, endpoint
from crmbridge_hubspot.sandbox.objects import CrmObject, HubSpotState, Owner, not_found
from crmbridge_hubspot.sandbox.replies import VendorError, batch_response, stamp, validation

MOST_LINK_INPUTS, MOST_LINKS_MADE = 1_000, 2_000
LINKS_PER_PAGE = 100


# ── Account, pipelines, properties, owners ──────────────────────────────────────────────────────────────


def _details(call: Call) -> Response:
    more = CURRENCIES[1:] if CURRENCY_CODE in call.state.properties["deals"] else ()
    return JSONResponse(
        {
            "portalId": PORTAL,
            "accountType": "DEVELOPER_TEST",
            "timeZone": TIMEZONE,
            "companyCurrency": CURRENCIES[0],
            "additionalCurrencies": list(more),
            "utcOffset": "+01:00",
            "utcOffsetMilliseconds": 3_600_000,
            "uiDomain": UI_DOMAIN,
            "dataHostingLocation": "eu1",
        }
    )


def _stage_json(stage: Stage) -> dict[str, Any]:
    return {
        "label": stage.label,
        "displayOrder": stage.order,
        "metadata": {"isClosed": "true" if stage.closed else "false", "probability": stage.probability},
        "id": stage.id,
        "createdAt": "1970-01-01T00:00:00Z",
        "updatedAt": "1970-01-01T00:00:00Z",
        "archived": False,
        "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
    }


def _pipeline_json(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "label": pipeline.label,
        "displayOrder": pipeline.order,
        "id": pipeline.id,
        "stages": [_stage_json(stage) for stage in pipeline.stages],
        "createdAt": "1970-01-01T00:00:00Z",
        "updatedAt": "1970-01-01T00:00:00Z",
        "archived": False,
    }


def _pipelines(call: Call) -> Response:
    if call.kind.name != "deals":
        return JSONResponse({"results": []})
    return JSONResponse({"results": [_pipeline_json(pipeline) for pipeline in PIPELINES]})


def _pipeline(call: Call) -> Response:
    wanted = call.request.path_params["pipeline"]
    found = next((pipeline for pipeline in PIPELINES if pipeline.id == wanted), None)
    if found is None or call.kind.name != "deals":
        raise not_found(wanted)
    return JSONResponse(_pipeline_json(found))


def _properties(call: Call) -> Response:
    return JSONResponse({"results": [prop.as_json() for prop in call.state.properties[call.kind.name].values()]})


def _property(call: Call) -> Response:
    wanted = call.request.path_params["property"]
    found = call.state.properties[call.kind.name].get(wanted)
    if found is None:
        raise not_found(wanted)
    return JSONResponse(found.as_json())


def _make_property(call: Call) -> Response:
    body, known = call.body, call.state.properties[call.kind.name]
    missing = [name for name in ("name", "label", "type", "fieldType", "groupName") if not body.get(name)]
    if missing:
        raise validation(f"Some required fields were not set: {missing}")
    if body["name"] in known:
        raise VendorError(409, "CONFLICT", f"A property named '{body['name']}' already exists.")
    made = Property(
        name=body["name"],
        label=body["label"],
        type=body["type"],
        field_type=body["fieldType"],
        options=tuple(option["value"] for option in body.get("options") or ()),
        unique=bool(body.get("hasUniqueValue")),
        custom=True,
    )
    known[made.name] = made
    return JSONResponse(made.as_json(), status_code=201)


def _owner_json(owner: Owner) -> dict[str, Any]:
    return {
        "id": owner.id,
        "email": owner.email,
        "type": "PERSON",
        "firstName": owner.first_name,
        "lastName": owner.last_name,
        "userId": None if owner.archived else owner.user_id,
        "userIdIncludingInactive": owner.user_id,
        "createdAt": stamp(owner.created_at),
        "updatedAt": stamp(owner.created_at),
        "archived": owner.archived,
    }


def _owners(call: Call) -> Response:
    query = call.request.query_params
    archived, email = query.get("archived") == "true", query.get("email")
    limit, after = int(query.get("limit", "100")), query.get("after", "0")
    if not 0 < limit <= 500:
        raise validation("The limit must be between 1 and 500")
    there = [o for o in call.state.owners.values() if o.archived is archived and email in {None, o.email}]
    rest = [owner for owner in there if int(owner.id) >= int(after)]
    reply: dict[str, Any] = {"results": [_owner_json(owner) for owner in rest[:limit]]}
    if len(rest) > limit:
        reply["paging"] = {"next": {"after": rest[limit].id}}
    return JSONResponse(reply)


def _owner(call: Call) -> Response:
    wanted = call.request.path_params["owner"]
    by_user = call.request.query_params.get("idProperty") == "userId"
    there = call.state.owners.values()
    found = next((o for o in there if wanted == (str(o.user_id) if by_user else o.id)), None)
    if found is None:
        raise not_found(wanted)
    return JSONResponse(_owner_json(found))


# ── Associations ────────────────────────────────────────────────────────────────────────────────────────


def _ends(request: Request) -> tuple[ObjectType, ObjectType]:
    names = (request.path_params["start"], request.path_params["end"])
    if not set(names) <= set(TYPE_NAMES):
        raise validation(f"Unable to infer object types from: {names}")
    return TYPE_NAMES[names[0]], TYPE_NAMES[names[1]]


def _types_json(types: set[int]) -> list[dict[str, Any]]:
    return [
        {"category": "HUBSPOT_DEFINED", "typeId": number, "label": "Primary" if number in PRIMARY_TYPES else None}
        for number in sorted(types)
    ]


def _read_links(call: Call) -> Response:
    start, end = _ends(call.request)
    inputs = call.body.get("inputs") or []
    if len(inputs) > MOST_LINK_INPUTS:
        raise validation(f"The maximum number of inputs supported in a batch request is {MOST_LINK_INPUTS}")
    results, errors = [], []
    for each in inputs:
        found = _links_of(call.state, start, end, each)
        if found is None:
            message = f"No {end.singular} is associated with {start.name} {each.get('id')}."
            context = {"fromObjectId": [str(each.get("id"))], "toObjectType": [end.id]}
            error = VendorError(404, "OBJECT_NOT_FOUND", message, context=context).as_item()
            errors.append({**error, "subCategory": "crm.associations.NO_ASSOCIATIONS_FOUND"})
        else:
            results.append(found)
    return batch_response(results, errors, now=call.state.clock.now())


def _links_of(
    state: HubSpotState, start: ObjectType, end: ObjectType, each: Mapping[str, Any]
) -> dict[str, Any] | None:
    record_id = str(each.get("id"))
    linked = sorted(state.linked(start.name, record_id, end.name), key=lambda pair: int(pair[0].id))
    first = int(base64.urlsafe_b64decode(each["after"]).decode()) if each.get("after") else 0
    rest = [pair for pair in linked if int(pair[0].id) >= first]
    if not rest:
        return None
    shown: dict[str, Any] = {
        "from": {"id": record_id},
        "to": [{"toObjectId": int(r.id), "associationTypes": _types_json(t)} for r, t in rest[:LINKS_PER_PAGE]],
    }
    if len(rest) > LINKS_PER_PAGE:
        after = base64.urlsafe_b64encode(rest[LINKS_PER_PAGE][0].id.encode()).decode()
        shown["paging"] = {"next": {"after": after, "link": f"{call_link(start, record_id)}?after={after}"}}
    return shown


def call_link(start: ObjectType, record_id: str) -> str:
    """Give the address under which HubSpot lists one record's links."""
    return f"https://api.hubapi.com/crm/v4/objects/{start.id}/{record_id}/associations"


def _pair(call: Call, each: Mapping[str, Any]) -> tuple[CrmObject, CrmObject]:
    start, end = _ends(call.request)
    ids = (str((each.get("from") or {}).get("id")), str((each.get("to") or {}).get("id")))
    return call.state.get(start.name, ids[0]), call.state.get(end.name, ids[1])


def _linked(state: HubSpotState, one: CrmObject, other: CrmObject, types: Sequence[int]) -> None:
    state.link(one, other, types)
    for record in (one, other):
        if record.kind.name == "deals":  # its count of contacts, and more, is calculated anew
            state.touch(record)


def _make_links(call: Call) -> Response:
    inputs = call.body.get("inputs") or []
    if len(inputs) > MOST_LINKS_MADE:
        raise validation(f"The maximum number of inputs supported in a batch request is {MOST_LINKS_MADE}")
    results = []
    for each in inputs:
        one, other = _pair(call, each)
        _linked(call.state, one, other, [kind["associationTypeId"] for kind in each.get("types") or ()])
        results.append({"fromObjectId": int(one.id), "toObjectId": int(other.id), "labels": []})
    return batch_response(results, [], now=call.state.clock.now())


def _make_link(call: Call) -> Response:
    path = call.request.path_params
    one, other = _pair(call, {"from": {"id": path["record"]}, "to": {"id": path["other"]}})
    _linked(call.state, one, other, [])
    pair = (one.kind.name, other.kind.name)
    result = {"from": {"id": one.id}, "to": {"id": other.id}}
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": ASSOCIATIONS[pair][0]}
    return batch_response([{**result, "associationSpec": spec}], [], now=call.state.clock.now())


def _list_links(call: Call) -> Response:
    start, end = _ends(call.request)
    after = call.request.query_params.get("after")
    found = _links_of(call.state, start, end, {"id": call.request.path_params["record"], "after": after})
    return JSONResponse({"results": []} if found is None else {"results": found["to"], **_paging(found)})


def _paging(found: Mapping[str, Any]) -> dict[str, Any]:
    return {"paging": found["paging"]} if "paging" in found else {}


# ── Routes ──────────────────────────────────────────────────────────────────────────────────────────────


def account_routes(state: HubSpotState) -> Sequence[Route]:
    """Give the routes, under the numbered path and under each dated one."""
    numbered = {"account-info": "/account-info/v3", "pipelines": "/crm/v3/pipelines", "owners": "/crm/v3/owners"}
    numbered |= {"properties": "/crm/v3/properties", "associations": "/crm/v4/associations"}
    numbered |= {"objects": "/crm/v4/objects"}
    versions = [numbered]
    for date in DATED:
        dated = {name: f"/crm/{name}/{date}" for name in numbered}
        versions.append({**dated, "account-info": f"/account-info/{date}"})
    return [
        Route(f"{version[family]}{path}", endpoint(state, answer), methods=[method])
        for version in versions
        for family, path, method, answer in _ROUTES
    ]


_ROUTES: tuple[tuple[str, str, str, Answer], ...] = (
    ("account-info", "/details", "GET", _details),
    ("pipelines", "/{kind}", "GET", _pipelines),
    ("pipelines", "/{kind}/{pipeline}", "GET", _pipeline),
    ("properties", "/{kind}", "GET", _properties),
    ("properties", "/{kind}", "POST", _make_property),
    ("properties", "/{kind}/{property}", "GET", _property),
    ("owners", "", "GET", _owners),
    ("owners", "/", "GET", _owners),  # as the Python client writes it
    ("owners", "/{owner}", "GET", _owner),
    ("associations", "/{start}/{end}/batch/read", "POST", _read_links),
    ("associations", "/{start}/{end}/batch/create", "POST", _make_links),
    ("associations", "/{start}/{end}/batch/associate/default", "POST", _make_links),
    ("objects", "/{start}/{record}/associations/default/{end}/{other}", "PUT", _make_link),
    ("objects", "/{start}/{record}/associations/{end}", "GET", _list_links),
)
