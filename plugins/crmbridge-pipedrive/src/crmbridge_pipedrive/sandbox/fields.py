"""The sandbox's fields of deals and organizations: their list, and making, changing and deleting custom ones."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request

from crmbridge_pipedrive.sandbox.lists import ListRules, list_page
from crmbridge_pipedrive.sandbox.replies import Row, invalid, missing
from crmbridge_pipedrive.sandbox.routing import Router
from crmbridge_pipedrive.sandbox.schema import CUSTOM, Check, boolean, check_body, filled, integers, mapping, objects
from crmbridge_pipedrive.sandbox.schema import optional as or_null
from crmbridge_pipedrive.sandbox.schema import text as a_text
from crmbridge_pipedrive.sandbox.state import PipedriveState

RULES = ListRules(sorts=("id",), times=False, ids=False, others=("include_fields",))
NOT_REQUIRED: Mapping[str, Any] = {"enabled": False, "stage_ids": [], "statuses": {}}
SPACES: Mapping[str, Any] = {
    "ui_visibility": {"add_visible_flag": False, "details_visible_flag": True},
    "important_fields": {"enabled": False, "stage_ids": []},
    "required_fields": NOT_REQUIRED,
}
CHANGEABLE: Mapping[str, Check] = {
    "field_name": filled,
    "description": or_null(a_text),
    "ui_visibility": mapping,
    "important_fields": mapping,
    "required_fields": mapping,
}
MAKEABLE: Mapping[str, Check] = {**CHANGEABLE, "field_type": a_text, "options": objects}
OF_DEALS_ONLY = frozenset({"description"})  # organizations' fields have none ("Create one organization field")
REQUIRED_KEYS: Mapping[str, Check] = {"enabled": boolean, "stage_ids": integers, "statuses": mapping}


def add_routes(router: Router, root: str) -> None:
    """Serve deal fields, and of organizations' those calls that crmbridge uses."""
    for name in ("dealFields", "organizationFields"):
        router.add("GET", f"{root}/{name}", 10, _list)
        router.add("POST", f"{root}/{name}", 5, _create)
    router.add("GET", f"{root}/dealFields/{{code}}", 1, lambda s, r, _b: _answer(r, _row(s, r)))
    router.add("PATCH", f"{root}/dealFields/{{code}}", 5, _change)
    router.add("DELETE", f"{root}/dealFields/{{code}}", 3, _delete)


def _list(state: PipedriveState, request: Request, _body: Any) -> Row:
    rows = [{**row, "id": n} for n, row in enumerate(_fields(state, request).values(), start=1)]
    page, following = list_page(rows, request, RULES)
    data = [_shown(request, {name: value for name, value in row.items() if name != "id"}) for row in page]
    return {"success": True, "data": data, "additional_data": {"next_cursor": following}}


def _create(state: PipedriveState, request: Request, body: Any) -> Row:
    """Make a custom field; a second one of the same name is made like any other."""
    of_companies = _of_companies(request)
    takes = {name: check for name, check in MAKEABLE.items() if not of_companies or name not in OF_DEALS_ONLY}
    given = check_body(body, takes, required=("field_name", "field_type"))
    kind = given["field_type"]
    if kind not in CUSTOM:
        raise invalid(f"field_type: Invalid enum value {kind}")
    if kind in {"enum", "set"} and not given.get("options"):
        raise invalid("options: Required for the field types enum and set")
    _check_required(state, given)
    fields = _fields(state, request)
    known = sum(len(row["options"] or ()) for row in fields.values())
    code = hashlib.sha1(f"{given['field_name']} {len(fields)}".encode(), usedforsecurity=False).hexdigest()
    options = [{"id": 900 + known + n, "label": o.get("label")} for n, o in enumerate(given.get("options", ()))]
    about = {"field_code": code, "description": None, "subfields": None}
    flags = {"is_custom_field": True, "is_optional_response_field": False}
    fields[code] = {**about, **given, **flags, "options": options or None}
    for row in (state.tables.deals if fields is state.tables.fields else state.tables.organizations).values():
        row["custom_fields"][code] = None
    return _answer(request, fields[code])


def _fields(state: PipedriveState, request: Request) -> dict[str, Row]:
    return state.tables.organization_fields if _of_companies(request) else state.tables.fields


def _of_companies(request: Request) -> bool:
    return "organizationFields" in request.scope["path"]


def _change(state: PipedriveState, request: Request, body: Any) -> Row:
    row = _row(state, request)
    given = check_body(body, CHANGEABLE)
    if not given or not row["is_custom_field"]:
        raise invalid("body: At least one field must be provided" if not given else "field_code: Not a custom field")
    _check_required(state, given)
    row.update(given)
    return _answer(request, row)


def _delete(state: PipedriveState, request: Request, _body: Any) -> Row:
    row = _row(state, request)
    del state.tables.fields[row["field_code"]]
    return _answer(request, row)


def _check_required(state: PipedriveState, given: Row) -> None:
    """Take stages and pipelines that are there, and the two statuses that a deal is closed with."""
    wanted = check_body(given.get("required_fields", {}), REQUIRED_KEYS)
    complaints = [f"stage_ids: {n} not found" for n in wanted.get("stage_ids", ()) if n not in state.tables.stages]
    for pipeline, statuses in wanted.get("statuses", {}).items():
        known = pipeline.isdecimal() and int(pipeline) in state.tables.pipelines
        if not known or not isinstance(statuses, list) or not {"won", "lost"}.issuperset(statuses):
            complaints.append(f"statuses: {pipeline} is not valid")
    if complaints:
        raise invalid(*complaints)


def _row(state: PipedriveState, request: Request) -> Row:
    row = state.tables.fields.get(str(request.path_params["code"]))
    if row is None:
        raise missing("Field")
    return row


def _answer(request: Request, row: Row) -> Row:
    return {"success": True, "data": _shown(request, row, anyway=request.method != "GET")}


def _shown(request: Request, row: Row, *, anyway: bool = False) -> Row:
    """Give a field, with what only comes when asked for."""
    asked = request.query_params.get("include_fields", "").split(",")
    left_out = SPACES.keys() | (OF_DEALS_ONLY if _of_companies(request) else ())
    plain = {name: value for name, value in row.items() if name not in left_out}
    return {
        **plain,
        **{name: {**usual, **row.get(name, {})} for name, usual in SPACES.items() if anyway or name in asked},
    }
