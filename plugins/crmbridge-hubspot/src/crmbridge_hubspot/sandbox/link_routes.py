"""The sandbox's routes for associations: read, make and take away, one by one and in batches."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crmbridge.http import load_json
from crmbridge_hubspot.sandbox.account import ASSOCIATIONS, PRIMARY_TYPES, TYPE_NAMES, ObjectType
from crmbridge_hubspot.sandbox.call import Call, Routes
from crmbridge_hubspot.sandbox.objects import HubSpotState
from crmbridge_hubspot.sandbox.records import CrmObject
from crmbridge_hubspot.sandbox.replies import VendorError, batch_response, validation
from crmbridge_hubspot.sandbox.shown import link_page, link_token

MOST_LINK_INPUTS, MOST_LINKS_MADE = 1_000, 2_000
LINKS_PER_PAGE = 100  # of one record in the batch; the list of one record takes up to 500
LARGEST_LIST = 500


def _ends(request: Request) -> tuple[ObjectType, ObjectType]:
    names = (request.path_params["start"], request.path_params["end"])
    if not set(names) <= set(TYPE_NAMES):
        raise validation(f"Unable to infer object types from: {names}")
    return TYPE_NAMES[names[0]], TYPE_NAMES[names[1]]


def _inputs(call: Call, most: int) -> list[Mapping[str, Any]]:
    inputs = call.body.get("inputs")
    if not isinstance(inputs, list):
        raise validation("The request needs inputs")
    if len(inputs) > most:
        raise validation(f"The maximum number of inputs supported in a batch request is {most}")
    return inputs


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────


def _types_json(types: set[int]) -> list[dict[str, Any]]:
    return [
        {"category": "HUBSPOT_DEFINED", "typeId": number, "label": "Primary" if number in PRIMARY_TYPES else None}
        for number in sorted(types)
    ]


def _read(call: Call) -> Response:
    start, end = _ends(call.request)
    results, errors = [], []
    for each in _inputs(call, MOST_LINK_INPUTS):
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
    state: HubSpotState, start: ObjectType, end: ObjectType, each: Mapping[str, Any], size: int = LINKS_PER_PAGE
) -> dict[str, Any] | None:
    record_id = str(each.get("id"))
    linked = sorted(state.links.of(start.name, record_id, end.name), key=lambda pair: int(pair[0].id))
    first = _from_token(each.get("after"))
    rest = [pair for pair in linked if int(pair[0].id) >= first]
    if not rest:
        return None
    shown: dict[str, Any] = {
        "from": {"id": record_id},
        "to": [{"toObjectId": int(r.id), "associationTypes": _types_json(t)} for r, t in rest[:size]],
    }
    if len(rest) > size:
        after = link_token(rest[size][0].id)
        link = f"{link_page(state.tables[start.name][record_id], end)}?after={after}"
        shown["paging"] = {"next": {"after": after, "link": link}}
    return shown


def _from_token(token: Any) -> int:
    try:
        return int(base64.urlsafe_b64decode(str(token)).decode()) if token else 0
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise validation("The paging cursor is not valid") from None


def _list(call: Call) -> Response:
    start, end = _ends(call.request)
    query, size = call.request.query_params, LARGEST_LIST
    if (limit := query.get("limit", "")).isdecimal():
        size = min(int(limit) or size, size)
    found = _links_of(
        call.state, start, end, {"id": call.request.path_params["record"], "after": query.get("after")}, size
    )
    if found is None:
        return JSONResponse({"results": []})
    return JSONResponse({"results": found["to"], **({"paging": found["paging"]} if "paging" in found else {})})


def _labels(call: Call) -> Response:
    start, end = _ends(call.request)
    return JSONResponse({"results": _types_json(set(ASSOCIATIONS.get((start.name, end.name), ())))})


# ── Making and taking away ──────────────────────────────────────────────────────────────────────────────


def _pair(call: Call, one: Any, other: Any) -> tuple[CrmObject, CrmObject]:
    start, end = _ends(call.request)
    ids = [str(each.get("id") if isinstance(each, dict) else each) for each in (one, other)]
    return call.state.get(start.name, ids[0]), call.state.get(end.name, ids[1])


def _type_ids(types: Any) -> list[int]:
    if not isinstance(types, list) or any(not isinstance(each, dict) for each in types):
        raise validation("Association types are a list")
    return [each.get("associationTypeId") for each in types]


def _changed(state: HubSpotState, *records: CrmObject) -> None:
    for record in records:
        if record.kind.name == "deals":  # its count of contacts, and more, is calculated anew
            state.touch(record)


Write = Callable[[Call, Mapping[str, Any]], list[dict[str, Any]]]


def _each(call: Call, write: Write, status: int = 201) -> Response:
    """Carry out a batch; what can't be linked is an error of its own."""
    results: list[dict[str, Any]] = []
    errors: list[VendorError] = []
    for each in _inputs(call, MOST_LINKS_MADE):
        try:
            results += write(call, each)
        except VendorError as error:
            errors.append(error)
    if errors and not results:
        raise errors[0]
    now = call.state.clock.now()
    return batch_response(results, [error.as_item() for error in errors], now=now, status=status)


def _linked(call: Call, each: Mapping[str, Any]) -> list[dict[str, Any]]:
    one, other = _pair(call, each.get("from"), each.get("to"))
    call.state.links.link(one, other, _type_ids(each.get("types") or []))
    _changed(call.state, one, other)
    return [_between(one, other)]


def _between(one: CrmObject, other: CrmObject) -> dict[str, Any]:
    ends = {"fromObjectTypeId": one.kind.id, "fromObjectId": int(one.id), "toObjectTypeId": other.kind.id}
    return {**ends, "toObjectId": int(other.id), "labels": []}


def _linked_plainly(call: Call, each: Mapping[str, Any]) -> list[dict[str, Any]]:
    one, other = _pair(call, each.get("from"), each.get("to"))
    call.state.links.link(one, other)
    _changed(call.state, one, other)
    return [
        {
            "from": {"id": first.id},
            "to": {"id": second.id},
            "associationSpec": {
                "associationCategory": "HUBSPOT_DEFINED",
                "associationTypeId": ASSOCIATIONS[first.kind.name, second.kind.name][0],
            },
        }
        for first, second in ((one, other), (other, one))
    ]


def _make_batch(call: Call) -> Response:
    return _each(call, _linked)


def _make_plain_batch(call: Call) -> Response:
    return _each(call, _linked_plainly, status=200)


def _make_plain(call: Call) -> Response:
    path = call.request.path_params
    made = _linked_plainly(call, {"from": {"id": path["record"]}, "to": {"id": path["other"]}})
    return batch_response(made, [], now=call.state.clock.now())


def _make_labelled(call: Call) -> Response:
    path = call.request.path_params
    one, other = _pair(call, path["record"], path["other"])
    call.state.links.link(one, other, _type_ids(load_json(call.raw) if call.raw else []))
    _changed(call.state, one, other)
    return JSONResponse(_between(one, other), status_code=201)


def _delete(call: Call) -> Response:
    path = call.request.path_params
    _unlink(call, path["record"], path["other"])
    return Response(status_code=204)


def _unlink(call: Call, one_id: Any, other_id: Any) -> None:
    one, other = _pair(call, one_id, other_id)
    call.state.links.unlink(one, other)
    _changed(call.state, one, other)


def _delete_batch(call: Call) -> Response:
    for each in _inputs(call, MOST_LINK_INPUTS):
        for other in each.get("to") or ():
            _unlink(call, each.get("from"), other)
    return Response(status_code=204)


def _unlabel_batch(call: Call) -> Response:
    for each in _inputs(call, MOST_LINK_INPUTS):
        one, other = _pair(call, each.get("from"), each.get("to"))
        call.state.links.unlabel(one, other, _type_ids(each.get("types") or []))
        _changed(call.state, one, other)
    return Response(status_code=204)


_BATCH = "/{start}/{end}/batch"
_ONE: Sequence[str] = ("/{start}/{record}/associations/{end}", "/{start}/{record}/associations/{end}/{other}")
LINK_ROUTES: Routes = (
    ("associations", f"{_BATCH}/read", "POST", _read),
    ("associations", f"{_BATCH}/create", "POST", _make_batch),
    ("associations", f"{_BATCH}/associate/default", "POST", _make_plain_batch),
    ("associations", f"{_BATCH}/archive", "POST", _delete_batch),
    ("associations", f"{_BATCH}/labels/archive", "POST", _unlabel_batch),
    ("associations", "/{start}/{end}/labels", "GET", _labels),
    ("objects", "/{start}/{record}/associations/default/{end}/{other}", "PUT", _make_plain),
    ("objects", _ONE[0], "GET", _list),
    ("objects", _ONE[1], "PUT", _make_labelled),
    ("objects", _ONE[1], "DELETE", _delete),
)
