"""The part of API v1 that has no successor: users, notes, history, participants, merging."""

from __future__ import annotations

import base64
import re
from typing import Any

from starlette.requests import Request

from crmbridge_pipedrive.sandbox.deal_rows import deal_rows
from crmbridge_pipedrive.sandbox.replies import RefusalError, Row, missing
from crmbridge_pipedrive.sandbox.routing import Router, number_in
from crmbridge_pipedrive.sandbox.schema import TIME
from crmbridge_pipedrive.sandbox.state import PipedriveState
from crmbridge_pipedrive.sandbox.tables import participant_id, row_of, v1_stamp

ROOTS = ("/v1", "/api/v1")
COMPANY = {"company_id": 7000001, "company_name": "Lumenworks", "company_domain": "lumenworks"}
CURRENCIES = (("EUR", "Euro", "€"), ("USD", "US Dollar", "$"), ("BRL", "Brazilian Real", "R$"))
TYPES = ("call", "meeting", "task", "deadline", "email", "lunch")
USUAL, MOST = 100, 500
NOTE_SORTS = ("id", "user_id", "deal_id", "person_id", "org_id", "content", "add_time", "update_time")
NOTE_KEYS = frozenset(
    {"content", "deal_id", "org_id", "person_id", "lead_id", "project_id", "task_id", "user_id", "add_time"}
    | {f"pinned_to_{what}_flag" for what in ("deal", "organization", "person", "lead", "project", "task")}
)


def add_routes(router: Router) -> None:
    """Serve v1 under both of its roots."""
    for root in ROOTS:
        router.add("GET", f"{root}/users", 20, _users)
        router.add("GET", f"{root}/users/me", 2, _me)
        router.add("GET", f"{root}/currencies", 20, _currencies)
        router.add("GET", f"{root}/activityTypes", 20, _types)
        router.add("GET", f"{root}/notes", 20, _notes)
        router.add("POST", f"{root}/notes", 10, _create_note)
        router.add("GET", f"{root}/notes/{{id}}", 2, _note)
        router.add("PUT", f"{root}/notes/{{id}}", 10, _change_note)
        router.add("DELETE", f"{root}/notes/{{id}}", 6, _delete_note)
        router.add("GET", f"{root}/deals/{{id}}/changelog", 20, _changelog)
        router.add("GET", f"{root}/deals/{{id}}/flow", 40, _flow)
        router.add("GET", f"{root}/deals/{{id}}/participants", 10, _participants)
        router.add("POST", f"{root}/deals/{{id}}/participants", 10, _add_participant)
        router.add("DELETE", f"{root}/deals/{{id}}/participants/{{other}}", 6, _drop_participant)
        router.add("PUT", f"{root}/deals/{{id}}/merge", 40, _merge)


def unknown_v1(_state: PipedriveState, _request: Request, _body: Any) -> Any:
    """Answer a path that v1 does not have; this error alone has no `success`."""
    return 404, {"status": False, "error": "Unknown method ."}


def _users(state: PipedriveState, _request: Request, _body: Any) -> Row:
    return _whole([{**row, "is_you": row["id"] == state.me} for row in state.tables.users.values()])


def _me(state: PipedriveState, _request: Request, _body: Any) -> Row:
    return {"success": True, "data": {**state.tables.users[state.me], "is_you": True, **COMPANY}}


def _currencies(_state: PipedriveState, _request: Request, _body: Any) -> Row:
    known = enumerate(CURRENCIES, start=1)
    rows = [{"id": n, "code": code, "name": name, "symbol": symbol} for n, (code, name, symbol) in known]
    return _whole([{**row, "decimal_points": 2, "active_flag": True, "is_custom_flag": False} for row in rows])


def _types(_state: PipedriveState, _request: Request, _body: Any) -> Row:
    named = enumerate(TYPES, start=1)
    return _whole([{"id": n, "order_nr": n, "name": t.title(), "key_string": t, "active_flag": True} for n, t in named])


# ── Notes ───────────────────────────────────────────────────────────────────────────────────────────────


def _notes(state: PipedriveState, request: Request, _body: Any) -> Row:
    rows = [row for row in state.tables.notes.values() if row["active_flag"]]
    for name in ("deal_id", "org_id", "person_id", "user_id"):
        if name in request.query_params:
            rows = [row for row in rows if str(row[name]) == request.query_params[name]]
    since = request.query_params.get("updated_since")
    if since is not None and TIME.fullmatch(since) is None:
        raise RefusalError(400, "updated_since must be in RFC3339 format")
    rows = [row for row in rows if since is None or str(row["update_time"]) >= str(v1_stamp(since))]
    by, _, direction = request.query_params.get("sort", "id").partition(" ")
    if by not in NOTE_SORTS:
        raise RefusalError(400, "sort is not valid")
    order = sorted(rows, key=lambda row: (row[by] or "", int(row["id"])), reverse=direction.lower() == "desc")
    return paged(order, request)


def _create_note(state: PipedriveState, _request: Request, body: Any) -> Any:
    given = _note_body(state, body)
    if not given.get("content"):
        raise RefusalError(400, "Note content must be given.")
    if not any(given.get(name) for name in ("deal_id", "org_id", "person_id", "lead_id", "project_id", "task_id")):
        raise RefusalError(400, "Note must be linked to a deal, person, organization, lead or project.")
    return 201, {"success": True, "data": state.create_note(given, by=state.me)}


def _note(state: PipedriveState, request: Request, _body: Any) -> Row:
    return {"success": True, "data": _one_note(state, request)}


def _change_note(state: PipedriveState, request: Request, body: Any) -> Row:
    row = _one_note(state, request)
    row.update(_note_body(state, body), update_time=v1_stamp(state.now()), last_update_user_id=state.me)
    return {"success": True, "data": row}


def _delete_note(state: PipedriveState, request: Request, _body: Any) -> Row:
    _one_note(state, request)["active_flag"] = False
    return {"success": True, "data": True}


def _one_note(state: PipedriveState, request: Request) -> Row:
    row = row_of(state.tables.notes, number_in(request), "Note")
    if not row["active_flag"]:
        raise missing("Note")
    return row


def _note_body(state: PipedriveState, body: Any) -> Row:
    if not isinstance(body, dict) or not body.keys() <= NOTE_KEYS:
        raise RefusalError(400, "Bad request")
    for name, table in (("deal_id", state.tables.deals), ("org_id", state.tables.organizations)):
        if body.get(name) is not None and (body[name] not in table or table[body[name]].get("is_deleted")):
            raise RefusalError(400, f"{name} is not valid")
    return {**body, **({"content": _sanitised(str(body["content"]))} if "content" in body else {})}


def _sanitised(content: str) -> str:
    """Drop what a note's HTML may not hold."""
    return re.sub(r"<(?!/?(?:br|b|i|u|p|div|ul|ol|li|a|strong|em)\b)[^>]*>", "", content, flags=re.IGNORECASE)


# ── History ─────────────────────────────────────────────────────────────────────────────────────────────


def _changelog(state: PipedriveState, request: Request, _body: Any) -> Row:
    """Give a deal's changes, newest first; the marker is the id of the next row."""
    rows = _history(state, request)
    cursor = request.query_params.get("cursor")
    if cursor:
        start = _row_id(cursor)
        rows = [row for row in rows if row["id"] <= start]
    limit = _limit(request)
    page = [
        {
            "field_key": row["field_key"],
            "old_value": row["old_value"],
            "new_value": row["new_value"],
            "actor_user_id": row["by"],
            "time": row["time"],
            "change_source": row["source"],
            "change_source_user_agent": None,
            "is_bulk_update_flag": False,
        }
        for row in rows[:limit]
        if row["field_key"] != "add_time"
    ]
    following = base64.b64encode(f"id:{rows[limit]['id']}".encode()).decode() if len(rows) > limit else None
    return {"success": True, "data": page, "additional_data": {"next_cursor": following}}


def _row_id(cursor: str) -> int:
    try:
        return int(base64.b64decode(cursor).decode().removeprefix("id:"))
    except ValueError:
        raise RefusalError(400, "Invalid cursor") from None


def _flow(state: PipedriveState, request: Request, _body: Any) -> Row:
    """Give everything that happened on a deal, newest first; planned activities lie ahead and so come first."""
    wanted = {part for part in request.query_params.get("items", "").split(",") if part}
    changes = [_flow_change(state, number_in(request), row) for row in _history(state, request)]
    if request.query_params.get("all_changes") != "1":
        changes = [row for row in changes if len(row["data"]["field_key"]) != 40]
    happened = [row for row in state.tables.activities.values() if row["deal_id"] == number_in(request)]
    activities = [{"object": "activity", "timestamp": f"{r['due_date']} 00:00:00", "data": r} for r in happened]
    feed = [row for row in (*activities, *changes) if not wanted or row["object"] in wanted]
    return paged(sorted(feed, key=lambda row: str(row["timestamp"]), reverse=True), request)


def _flow_change(state: PipedriveState, deal: int, row: Row) -> Row:
    formatted: Any = []  # an empty list when there is nothing to format, an object when there is
    if row["field_key"] == "stage_id":
        names = [state.tables.stages[int(row[name])]["name"] for name in ("old_value", "new_value")]
        formatted = {"old_value_formatted": names[0], "new_value_formatted": names[1]}
    data = {
        "id": row["id"],
        "item_id": deal,
        "user_id": row["by"],
        "field_key": row["field_key"],
        "old_value": row["old_value"],
        "new_value": row["new_value"],
        "is_bulk_update_flag": None,
        "log_time": row["time"],
        "change_source": row["source"],
        "change_source_user_agent": None,
        "additional_data": formatted,
    }
    return {"object": "dealChange", "timestamp": row["time"], "data": data}


def _history(state: PipedriveState, request: Request) -> list[Row]:
    number = number_in(request)
    if not state.sessions.grants(request, "recents:read"):
        raise RefusalError(403, "Scope and URL mismatch")
    row_of(state.tables.deals, number, "Deal")
    return sorted(
        state.tables.history.get(number, ()), key=lambda row: (str(row["time"]), int(row["id"])), reverse=True
    )


# ── Participants and merging ────────────────────────────────────────────────────────────────────────────


def _participants(state: PipedriveState, request: Request, _body: Any) -> Row:
    number = number_in(request)
    deal = row_of(state.tables.deals, number, "Deal")
    people = state.tables.participants.get(number, ())
    return paged([_participant(state, deal, person) for person in people], request)


def _participant(state: PipedriveState, deal: Row, person: int) -> Row:
    row = state.tables.persons[person]
    emails = [{name: email.get(name) for name in ("label", "value", "primary")} for email in row["emails"]]
    return {
        "id": participant_id(deal["id"], person),
        "person_id": {"active_flag": True, "name": row["name"], "email": emails, "phone": [], "value": person},
        "add_time": v1_stamp(deal["add_time"]),
        "active_flag": True,
        "related_item_data": {"deal_id": deal["id"], "title": deal["title"]},
        "person": {"id": person, "name": row["name"]},
    }


def _add_participant(state: PipedriveState, request: Request, body: Any) -> Row:
    number = number_in(request)
    deal = row_of(state.tables.deals, number, "Deal")
    person = body.get("person_id") if isinstance(body, dict) else None
    if not isinstance(person, int) or state.tables.persons.get(person, {"is_deleted": True})["is_deleted"]:
        raise RefusalError(400, "person_id is not valid")
    state.add_participant(number, person)
    return {"success": True, "data": _participant(state, deal, person)}


def _drop_participant(state: PipedriveState, request: Request, _body: Any) -> Row:
    """Take a participant off a deal; the main contact can't be taken off in this way."""
    number, asked = number_in(request), number_in(request, "other")
    deal = row_of(state.tables.deals, number, "Deal")
    people = state.tables.participants.get(number, ())
    person = next((person for person in people if participant_id(number, person) == asked), None)
    if person is None:
        raise missing("Participant")
    if person == deal["person_id"]:
        raise RefusalError(400, "The main contact person of a deal can not be removed.")
    state.drop_participant(number, person)
    return {"success": True, "data": {"id": asked}}


def _merge(state: PipedriveState, request: Request, body: Any) -> Row:
    """Merge the deal in the path into the one in the body, which survives."""
    survivor = body.get("merge_with_id") if isinstance(body, dict) else None
    if not isinstance(survivor, int):
        raise RefusalError(400, "merge_with_id is not valid")
    row_of(state.tables.deals, number_in(request), "Deal")
    state.merge_deals(loser=str(number_in(request)), winner=str(survivor))
    row = row_of(state.tables.deals, survivor, "Deal")
    return {"success": True, "data": deal_rows(state.tables, [row], request)[0]}


# ── Shapes ──────────────────────────────────────────────────────────────────────────────────────────────


def _whole(rows: list[Row]) -> Row:
    return {"success": True, "data": rows}


def _limit(request: Request, most: int = MOST) -> int:
    text = request.query_params.get("limit", str(USUAL))
    return min(int(text), most) if text.isdecimal() and int(text) > 0 else USUAL


def paged(rows: list[Row], request: Request, *, most: int = MOST) -> Row:
    """Give a v1 page; an empty list is null."""
    text = request.query_params.get("start", "0")
    start, limit = int(text) if text.isdecimal() else 0, _limit(request, most)
    more = len(rows) > start + limit
    pagination: Row = {"start": start, "limit": limit, "more_items_in_collection": more}
    if more:
        pagination["next_start"] = start + limit
    return {
        "success": True,
        "data": rows[start : start + limit] or None,
        "additional_data": {"pagination": pagination},
    }
