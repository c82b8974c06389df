"""The sandbox's routes for records: list, get, create, update, delete, merge, search and the batches of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crmbridge_hubspot.sandbox.account import ASSOCIATIONS, ObjectType
from crmbridge_hubspot.sandbox.call import DATED, Answer, Call, endpoint, integer
from crmbridge_hubspot.sandbox.merging import merge
from crmbridge_hubspot.sandbox.objects import HubSpotState, not_found
from crmbridge_hubspot.sandbox.records import CrmObject
from crmbridge_hubspot.sandbox.replies import VendorError, batch_response, invalid_values, validation
from crmbridge_hubspot.sandbox.search_routes import search
from crmbridge_hubspot.sandbox.shown import show, show_associations, show_written

LONGEST_URL = 8_000
MOST_LISTED, MOST_WITH_HISTORY, MOST_INPUTS = 100, 50, 100


# ── One record ──────────────────────────────────────────────────────────────────────────────────────────


def _list(call: Call) -> Response:
    if len(str(call.request.url)) > LONGEST_URL:
        return Response("<html><head><title>414 Request-URI Too Large</title></head></html>", status_code=414)
    query, history = call.request.query_params, call.listed("propertiesWithHistory")
    most = MOST_WITH_HISTORY if history else MOST_LISTED
    limit = integer(query.get("limit", "10"))
    if not 0 < limit <= most:
        raise validation(f"The limit must be between 1 and {most}")
    archived, after = call.archived, integer(query.get("after") or "0")
    there = call.state.tables[call.kind.name].from_number(after, archived=archived)
    found = list(islice(filter(call.state.keeps, there), limit + 1))
    reply: dict[str, Any] = {"results": list(map(_shower(call), found[:limit]))}
    if len(found) > limit:
        reply["paging"] = {"next": {"after": found[limit].id}}
    return JSONResponse(reply)


def _shower(call: Call) -> Callable[[CrmObject], dict[str, Any]]:
    """Give what shows a record as the query asks for it."""
    names, history = call.listed("properties"), call.listed("propertiesWithHistory")
    wanted = call.listed("associations")

    def shower(record: CrmObject) -> dict[str, Any]:
        shown = show(call.state, record, names, history=history)
        return shown | show_associations(call.state, record, wanted) if wanted else shown

    return shower


def _named(call: Call) -> CrmObject:
    record_id = call.request.path_params["record"]
    if prop := call.request.query_params.get("idProperty"):
        found = call.state.by_unique(call.kind.name, prop, record_id)
        if found is None:
            raise not_found(record_id)
        return found
    if call.archived:
        found = call.state.tables[call.kind.name].get(record_id)
        if found is None or found.archived_at is None or not call.state.keeps(found):
            raise not_found(record_id)
        return found
    return call.state.get(call.kind.name, record_id)


def _get(call: Call) -> Response:
    return JSONResponse(_shower(call)(_named(call)))


def _create(call: Call) -> Response:
    _refuse_partially(call)
    return JSONResponse(_created(call, call.body), status_code=201)


def _created(call: Call, given: Mapping[str, Any]) -> dict[str, Any]:
    state, wanted = call.state, given.get("associations") or []
    targets = [(_target(state, call.kind, each), each) for each in wanted]
    values = given.get("properties") or {}
    made = state.create(call.kind.name, values, strict=call.strict)
    for target, each in targets:
        state.links.link(made, target, [kind["associationTypeId"] for kind in each["types"]])
        if target.kind.name == "deals":  # its counts and dates of activities are calculated anew
            state.touch(target)
    return show_written(state, made, values)


def _target(state: HubSpotState, kind: ObjectType, each: Mapping[str, Any]) -> CrmObject:
    """Find what an association names: the type of the other end follows from the association type."""
    types = {each_type.get("associationTypeId") for each_type in each.get("types") or ()}
    ends = [to for (start, to), known in ASSOCIATIONS.items() if start == kind.name and types & set(known)]
    record_id = str((each.get("to") or {}).get("id"))
    if not ends or record_id not in state.tables[ends[0]]:
        raise validation(f"The association of {kind.name} with {record_id[:40]} is not valid")
    return state.get(ends[0], record_id)


def _update(call: Call) -> Response:
    _refuse_partially(call)
    record, values = _named(call), call.body.get("properties") or {}
    call.state.update(record, values, strict=call.strict)
    return JSONResponse(show_written(call.state, record, values))


def _delete(call: Call) -> Response:
    found = call.state.tables[call.kind.name].get(call.request.path_params["record"])
    if found is not None and found.archived_at is None:
        call.state.archive(found)
    return Response(status_code=204)  # also for an id that nobody knows


def _merge(call: Call) -> Response:
    ids = (str(call.body.get("primaryObjectId")), str(call.body.get("objectIdToMerge")))
    return JSONResponse(show(call.state, merge(call.state, call.kind.name, *ids)))


def _search(call: Call) -> Response:
    late = call.state.strikes("lag", call.request.method, call.request.scope["path"])
    return JSONResponse(search(call.state, call.kind, call.body, call.raw, late=late))


# ── Batches ─────────────────────────────────────────────────────────────────────────────────────────────


def _inputs(call: Call, most: int = MOST_INPUTS) -> list[Mapping[str, Any]]:
    inputs = call.body.get("inputs")
    if not isinstance(inputs, list):
        raise validation("The request needs inputs")
    if len(inputs) > most:
        what = "a batch request for property histories" if most == MOST_WITH_HISTORY else "a batch request"
        message = f"The maximum number of inputs supported in {what} is {most}. Please reduce the number of items"
        raise validation(message)
    return inputs


def _batch_read(call: Call) -> Response:
    history = call.body.get("propertiesWithHistory") or []
    inputs = _inputs(call, MOST_WITH_HISTORY if history else MOST_INPUTS)
    archived, by = call.archived, call.body.get("idProperty")
    found, missing = {}, []
    for record_id in (str(each.get("id")) for each in inputs):
        record = _read_one(call, record_id, by, archived=archived)
        if record is None:
            missing.append(record_id)
        else:
            found[record.id] = record
    shown = [show(call.state, record, call.body.get("properties") or (), history=history) for record in found.values()]
    errors = []
    if missing:
        message = f"Could not get some {call.kind.singular.upper()} objects, they may be deleted or not exist."
        errors.append(VendorError(404, "OBJECT_NOT_FOUND", message, context={"ids": missing}).as_item())
    return batch_response(shown, errors, now=call.state.clock.now())


def _read_one(call: Call, record_id: str, by: str | None, *, archived: bool) -> CrmObject | None:
    if by and by != "hs_object_id":
        return call.state.by_unique(call.kind.name, by, record_id)
    if archived:
        found = call.state.tables[call.kind.name].get(record_id)
        return found if found is not None and found.archived_at and call.state.keeps(found) else None
    try:
        return call.state.get(call.kind.name, record_id)
    except VendorError:
        return None


def _each(call: Call, status: int, write: Callable[[Mapping[str, Any]], dict[str, Any] | None]) -> Response:
    """Carry out a batch of writes. Only with trace ids on all inputs may some of it fail; else it is all or nothing."""
    inputs = _inputs(call)
    traced = all(each.get("objectWriteTraceId") for each in inputs)
    refused = len(inputs) // 2 if call.state.strikes("partial", call.request.method, call.request.scope["path"]) else -1
    results, errors = [], []
    with call.state.undo.unless_whole(may_fail=traced):
        for index, each in enumerate(inputs):
            try:
                if index == refused:
                    raise invalid_values([("amount", "INVALID_LONG", "The sandbox refuses this item")])
                shown = write(each)
            except VendorError as error:
                if not traced and error.category != "OBJECT_NOT_FOUND":
                    raise
                errors.append(error.as_item(str(each.get("objectWriteTraceId") or "") or None))
            else:
                results += [shown] if shown is not None else []
    return batch_response(list(reversed(results)), errors, now=call.state.clock.now(), status=status)


def _batch_create(call: Call) -> Response:
    return _each(call, 201, lambda each: _created(call, each))


def _batch_update(call: Call) -> Response:
    def write(each: Mapping[str, Any]) -> dict[str, Any] | None:
        record_id, values = str(each.get("id")), each.get("properties") or {}
        if record_id in call.state.merged:
            return None  # left out without a word
        record = _read_one(call, record_id, each.get("idProperty"), archived=False)
        if record is None:
            raise not_found(record_id)
        call.state.update(record, values, strict=call.strict)
        return show_written(call.state, record, values)

    return _each(call, 200, write)


def _batch_upsert(call: Call) -> Response:
    keys = [(each.get("idProperty"), str(each.get("id")).lower()) for each in _inputs(call)]
    if len(set(keys)) < len(keys):
        raise validation("Duplicate ids in the request")

    def write(each: Mapping[str, Any]) -> dict[str, Any] | None:
        by, value, values = str(each.get("idProperty")), str(each.get("id")), each.get("properties") or {}
        record = call.state.by_unique(call.kind.name, by, value)
        if record is None:
            made = call.state.create(call.kind.name, {**values, by: value}, strict=call.strict)
            return {**show_written(call.state, made, [*values, by]), "new": True}
        call.state.update(record, values, strict=call.strict)
        return {**show_written(call.state, record, values), "new": False}

    return _each(call, 200, write)


def _batch_archive(call: Call) -> Response:
    for each in _inputs(call):
        found = call.state.tables[call.kind.name].get(str(each.get("id")))
        if found is not None and found.archived_at is None:
            call.state.archive(found)
    return Response(status_code=204)


def _refuse_partially(call: Call) -> None:
    if call.state.strikes("partial", call.request.method, call.request.scope["path"]):
        raise invalid_values([("amount", "INVALID_LONG", "The sandbox refuses this item")])


def object_routes(state: HubSpotState) -> Sequence[Route]:
    """Give the routes, under the numbered path and under each dated one."""
    bases = ["/crm/v3/objects/{kind}", *(f"/crm/objects/{version}/{{kind}}" for version in DATED)]
    return [
        Route(f"{base}{path}", endpoint(state, answer), methods=[method])
        for base in bases
        for path, method, answer in _ROUTES
    ]


_ROUTES: tuple[tuple[str, str, Answer], ...] = (
    ("/search", "POST", _search),
    ("/merge", "POST", _merge),
    ("/batch/read", "POST", _batch_read),
    ("/batch/create", "POST", _batch_create),
    ("/batch/update", "POST", _batch_update),
    ("/batch/upsert", "POST", _batch_upsert),
    ("/batch/archive", "POST", _batch_archive),
    ("", "GET", _list),
    ("", "POST", _create),
    ("/{record}", "GET", _get),
    ("/{record}", "PATCH", _update),
    ("/{record}", "DELETE", _delete),
)
