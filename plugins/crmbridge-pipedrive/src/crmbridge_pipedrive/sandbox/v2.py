"""The sandbox's API v2: deals, persons, organizations, activities, pipelines, stages and deal fields."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from msgspec import Struct
from starlette.requests import Request

from crmbridge_pipedrive.sandbox import fields
from crmbridge_pipedrive.sandbox.deal_rows import OPTIONAL, deal_rows
from crmbridge_pipedrive.sandbox.lists import ListRules, list_page
from crmbridge_pipedrive.sandbox.replies import RefusalError, Row, invalid, missing
from crmbridge_pipedrive.sandbox.routing import Router, number_in
from crmbridge_pipedrive.sandbox.schema import ACTIVITY, DEAL, ORGANIZATION, PERSON, Check, check_body, check_custom
from crmbridge_pipedrive.sandbox.state import PipedriveState, require
from crmbridge_pipedrive.sandbox.tables import Table, row_of, stamp

ROOT = "/api/v2"
LATE = timedelta(seconds=30)  # how late the search index is when it is late
KEPT = timedelta(days=30)  # how long deleted deals are listed
STATUSES = {"open", "won", "lost", "deleted"}
DEAL_FILTERS = ("owner_id", "person_id", "org_id", "pipeline_id", "stage_id")
DEAL_EXTRAS = ("status", "include_fields", "custom_fields", "include_option_labels", "include_labels")
DEALS = ListRules(filters=DEAL_FILTERS, others=DEAL_EXTRAS)
ARCHIVED = ListRules(filters=DEAL_FILTERS, others=DEAL_EXTRAS[:3])  # without labels ("Deals: Get all archived deals")


def add_routes(router: Router) -> None:
    """Serve v2."""
    _add_deals(router)
    for name, entity in ENTITIES.items():
        _add_entity(router, name, entity)
    for name, rules in METADATA.items():
        _add_metadata(router, name, rules)
    fields.add_routes(router, ROOT)


def _add_metadata(router: Router, name: str, rules: ListRules) -> None:
    router.add("GET", f"{ROOT}/{name}", 5, lambda s, r, _b: _paged(_live(_table(s, name)), r, rules))
    router.add("GET", f"{ROOT}/{name}/{{id}}", 1, lambda s, r, _b: _one(_table(s, name), r, name[:-1].capitalize()))


METADATA = {
    "pipelines": ListRules(times=False, ids=False),
    "stages": ListRules(
        filters=("pipeline_id",), sorts=("id", "update_time", "add_time", "order_nr"), times=False, ids=False
    ),
}


class Entity(Struct, frozen=True, kw_only=True):
    """A kind of row with a list, single reads, writes and a search by one of its texts."""

    what: str
    schema: Mapping[str, Check]
    rules: ListRules
    title: str = "name"
    required: tuple[str, ...] = ()


ENTITIES = {
    "persons": Entity(
        what="Person",
        schema=PERSON,
        rules=ListRules(filters=("owner_id", "org_id"), others=("deal_id", *DEAL_EXTRAS[1:])),
    ),
    "organizations": Entity(
        what="Organization",
        schema=ORGANIZATION,
        rules=ListRules(filters=("owner_id",), others=DEAL_EXTRAS[1:]),
        required=("name",),
    ),
    "activities": Entity(
        what="Activity",
        schema=ACTIVITY,
        rules=ListRules(
            filters=("owner_id", "deal_id", "lead_id", "person_id", "org_id", "done"),
            sorts=("id", "update_time", "add_time", "due_date"),
            others=("include_fields",),
        ),
        title="subject",
    ),
}


# ── Deals ───────────────────────────────────────────────────────────────────────────────────────────────


def _add_deals(router: Router) -> None:
    path = f"{ROOT}/deals"
    router.add("GET", path, 10, lambda s, r, _b: _list_deals(s, r, archived=False))
    router.add("POST", path, 5, _create_deal)
    router.add("GET", f"{path}/archived", 20, lambda s, r, _b: _list_deals(s, r, archived=True))
    router.add("GET", f"{path}/search", 20, lambda s, r, _b: _search(s, r, "deals", "title"))
    router.add("GET", f"{path}/{{id}}", 1, _get_deal)
    router.add("PATCH", f"{path}/{{id}}", 5, _change_deal)
    router.add("DELETE", f"{path}/{{id}}", 3, _delete_deal)


def _list_deals(state: PipedriveState, request: Request, *, archived: bool) -> Row:
    wanted = {part for part in request.query_params.get("status", "open,won,lost").split(",") if part}
    if not wanted <= STATUSES:
        raise invalid(f"status: Expected some of {', '.join(sorted(STATUSES))}")
    rows = [r for r in state.tables.deals.values() if r["is_archived"] is archived and r["status"] in wanted]
    if "deleted" in wanted:
        oldest = stamp(state.clock.now() - KEPT)
        rows = [r for r in rows if r["status"] != "deleted" or r["update_time"] > oldest]
    page, following = list_page(rows, request, ARCHIVED if archived else DEALS)
    return _list(deal_rows(state.tables, page, request), following)


def _get_deal(state: PipedriveState, request: Request, _body: Any) -> Row:
    row = row_of(state.tables.deals, number_in(request), "Deal")
    return _data(deal_rows(state.tables, [row], request)[0])


def _create_deal(state: PipedriveState, _request: Request, body: Any) -> Row:
    row = state.make_deal(check_body(body, DEAL, required=("title",)), by=state.me)
    return _data(_whole(row))


def _change_deal(state: PipedriveState, request: Request, body: Any) -> Row:
    row = state.change_deal(number_in(request), check_body(body, DEAL), by=state.me, source="api")
    return _data(_whole(row))


def _delete_deal(state: PipedriveState, request: Request, _body: Any) -> Row:
    number = number_in(request)
    row_of(state.tables.deals, number, "Deal")
    state.delete_deal(str(number))
    return _data({"id": number})


def _whole(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in OPTIONAL}


# ── Persons, organizations, activities ──────────────────────────────────────────────────────────────────


def _add_entity(router: Router, name: str, entity: Entity) -> None:
    path = f"{ROOT}/{name}"
    router.add("GET", path, 10, lambda s, r, _b: _paged(_linked(s, r, _live(_table(s, name))), r, entity.rules))
    router.add("POST", path, 5, lambda s, _r, b: _create(s, name, entity, b))
    router.add("GET", f"{path}/search", 20, lambda s, r, _b: _search(s, r, name, entity.title))
    router.add("GET", f"{path}/{{id}}", 1, lambda s, r, _b: _one(_table(s, name), r, entity.what))
    router.add("PATCH", f"{path}/{{id}}", 5, lambda s, r, b: _change(s, r, name, entity, b))
    router.add("DELETE", f"{path}/{{id}}", 3, lambda s, r, _b: _delete(s, r, name, entity))


def _create(state: PipedriveState, name: str, entity: Entity, body: Any) -> Row:
    given = check_body(body, entity.schema, required=entity.required)
    return _data(state.make_row(name, _checked(state, given), by=state.me))


def _change(state: PipedriveState, request: Request, name: str, entity: Entity, body: Any) -> Row:
    row = row_of(_table(state, name), number_in(request), entity.what)
    given = _checked(state, check_body(body, entity.schema))
    if "done" in given:
        given["marked_as_done_time"] = state.now() if given["done"] else None
    if "custom_fields" in given and name == "organizations":
        check_custom(given["custom_fields"], state.tables.organization_fields)
        given["custom_fields"] = {**row["custom_fields"], **given["custom_fields"]}
    row.update(given, update_time=state.now())
    return _data(row)


def _checked(state: PipedriveState, given: Row) -> Row:
    """Refuse references to what is not there; a person's main participant is the activity's person."""
    if "job_title" in given and not state.contact_sync:
        raise RefusalError(403, "job_title: Contact sync is not enabled", "ERR_FORBIDDEN")
    require(state.tables.deals, given.get("deal_id"), "Deal")
    require(state.tables.organizations, given.get("org_id"), "Organization")
    require(state.tables.users, given.get("owner_id"), "User")
    people = [p.get("person_id") for p in given.get("participants", ()) if p.get("primary")]
    return {**given, **({"person_id": people[0]} if people else {})}


def _delete(state: PipedriveState, request: Request, name: str, entity: Entity) -> Row:
    row = row_of(_table(state, name), number_in(request), entity.what)
    row.update(is_deleted=True, update_time=state.now())
    return _data({"id": row["id"]})


def _linked(state: PipedriveState, request: Request, rows: list[Row]) -> list[Row]:
    deal = request.query_params.get("deal_id", "")
    if "/persons" not in request.scope["path"] or not deal.isdecimal():
        return rows
    return [row for row in rows if row["id"] in state.tables.participants.get(int(deal), ())]


# ── Search, shapes ──────────────────────────────────────────────────────────────────────────────


def _search(state: PipedriveState, request: Request, name: str, title: str) -> Row:
    """Search by a text; the index may be late, and is when the fault `lag` says so."""
    query = request.query_params
    exact = query.get("exact_match") == "true"
    term = query.get("term", "").casefold()
    if len(term) < (1 if exact else 2):
        raise invalid("term: Too short")
    rows = _live(_table(state, name))
    if state.faults.strikes("lag", request.method, request.scope["path"]):
        indexed = stamp(state.clock.now() - LATE)
        rows = [row for row in rows if row["add_time"] <= indexed]
    texts = [(row, _texts(row, title, query.get("fields", "").split(","))) for row in rows]
    found = [row for row, known in texts if any(term == t if exact else term in t for t in known)]
    items = [{"result_score": 1, "item": {"id": row["id"], "type": name[:-1], title: row[title]}} for row in found]
    return {"success": True, "data": {"items": items[:500]}, "additional_data": {"next_cursor": None}}


def _texts(row: Row, title: str, fields: list[str]) -> list[str]:
    custom = [value for value in (row.get("custom_fields") or {}).values() if isinstance(value, str)]
    named = [str(row[title])] if fields in ([""], [title]) or title in fields else []
    return [text.casefold() for text in (*named, *(custom if fields == [""] or "custom_fields" in fields else ()))]


def _table(state: PipedriveState, name: str) -> Table:
    found: Table = getattr(state.tables, name)
    return found


def _live(table: Table) -> list[Row]:
    return [row for row in table.values() if not row.get("is_deleted")]


def _paged(rows: list[Row], request: Request, rules: ListRules) -> Row:
    page, following = list_page(rows, request, rules)
    return _list(page, following)


def _one(table: Table, request: Request, what: str) -> Row:
    return _data(row_of(table, number_in(request), what))


def _data(row: Row) -> Row:
    return {"success": True, "data": row}


def _list(rows: list[Row], following: str | None) -> Row:
    return {"success": True, "data": rows, "additional_data": {"next_cursor": following}}


def unknown_v2(_state: PipedriveState, request: Request, _body: Any) -> Any:
    """Answer a path that v2 does not have."""
    raise missing(f"Route {request.url.path}")
