"""How the sandbox shows its records: properties, what is calculated from them, history, and the whole JSON form."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from crmbridge_hubspot.sandbox.account import (
    ASSOCIATIONS,
    PORTAL,
    PRIMARY_TYPES,
    STAGES,
    TYPE_NAMES,
    UI_DOMAIN,
    ObjectType,
    Stage,
)
from crmbridge_hubspot.sandbox.objects import HubSpotState
from crmbridge_hubspot.sandbox.properties import ENTERED, EXITED, LATEST_TIME, USUAL_PROPERTIES
from crmbridge_hubspot.sandbox.records import CrmObject
from crmbridge_hubspot.sandbox.replies import stamp

ALWAYS = ("createdate", "hs_object_id")
MOST_IN_LINE = 100  # associations of one kind with a record
KEPT_VERSIONS = 20  # of each property's values


def value_of(state: HubSpotState, record: CrmObject, name: str) -> str | None:
    """Give a property's value as text, calculated ones too, or None where there is none."""
    text = record.properties.get(name)
    if text is not None:
        return text
    if name in _EVERYWHERE:
        return _EVERYWHERE[name](record)
    if record.kind.name == "deals":
        if name in _CALCULATED:
            return _CALCULATED[name](state, record)
        if name in _CLOCKS:
            return _stage_clock(state, record, *_CLOCKS[name])
    return None


def _made(record: CrmObject) -> str | None:
    """Give when a record was made; companies and contacts have no value there (recorded, airbyte source-hubspot)."""
    return None if record.kind.name in {"companies", "contacts"} else stamp(record.created_at)


def _modified(record: CrmObject, name: str) -> str | None:
    return stamp(record.modified_at) if name == record.kind.modified else None


_EVERYWHERE: dict[str, Callable[[CrmObject], str | None]] = {
    "hs_object_id": lambda record: record.id,
    "hs_updated_by_user_id": lambda record: record.edited_by,
    "hs_createdate": _made,
    "createdate": lambda record: stamp(record.created_at),
    "hs_lastmodifieddate": lambda record: _modified(record, "hs_lastmodifieddate"),
    "lastmodifieddate": lambda record: _modified(record, "lastmodifieddate"),
}


_CLOCKS = {f"{prefix}{stage}": (prefix, stage) for prefix in (ENTERED, EXITED, LATEST_TIME) for stage in STAGES}


def _stage_clock(state: HubSpotState, deal: CrmObject, prefix: str, wanted: str) -> str | None:
    """Give when a deal's last stay in a stage began or ended, or how long it was, in milliseconds."""
    left = None
    for move in reversed(deal.history.get("dealstage", [])):
        if move.value == wanted:
            break
        left = move.at
    else:
        return None
    if prefix == LATEST_TIME:
        return str(((left or state.clock.now()) - move.at) // timedelta(milliseconds=1))
    moment = move.at if prefix == ENTERED else left
    return stamp(moment) if moment else None


def _stage(deal: CrmObject) -> Stage:
    return STAGES[deal.properties["dealstage"]][1]


def _projected(deal: CrmObject) -> str | None:
    amount = deal.properties.get("amount")
    return repr(float(amount) * float(_stage(deal).probability)) if amount else None  # a float, with a float's tail


_CALCULATED: dict[str, Callable[[HubSpotState, CrmObject], str | None]] = {
    "hs_is_closed": lambda _, deal: "true" if _stage(deal).closed else "false",
    "hs_is_closed_won": lambda _, deal: "true" if _stage(deal).probability == "1.0" else "false",
    "hs_deal_stage_probability": lambda _, deal: repr(float(_stage(deal).probability)),
    "amount_in_home_currency": lambda _, deal: deal.properties.get("amount"),
    "hs_projected_amount": lambda _, deal: _projected(deal),
    "num_associated_contacts": lambda state, deal: str(len(state.links.of("deals", deal.id, "contacts"))),
    "notes_last_contacted": lambda state, deal: _activity_time(state, deal, last=True),
    "notes_next_activity_date": lambda state, deal: _activity_time(state, deal, last=False),
}


def _activity_time(state: HubSpotState, deal: CrmObject, *, last: bool) -> str | None:
    now = stamp(state.clock.now())
    logged = [
        record.properties["hs_timestamp"]
        for kind in ("calls", "emails", "meetings")
        for record, _ in state.links.of("deals", deal.id, kind)
    ]
    tasks = [record.properties for record, _ in state.links.of("deals", deal.id, "tasks")]
    due = [task["hs_timestamp"] for task in tasks if task.get("hs_task_status") != "COMPLETED"]
    if last:
        return max((at for at in logged if at <= now), default=None)
    return min((at for at in [*logged, *due] if at > now), default=None)


def show(
    state: HubSpotState,
    record: CrmObject,
    names: Iterable[str] = (),
    *,
    unset: str = "null",
    history: Iterable[str] = (),
) -> dict[str, Any]:
    """Give a record's JSON. `unset` tells what becomes of properties without a value: "null", or "absent" in searches.

    Names that the account does not have are dropped without a word.
    """
    known = state.properties[record.kind.name]
    wanted = [name for name in names if name in known] or USUAL_PROPERTIES.get(record.kind.name, ())
    everything = {*ALWAYS, record.kind.modified, *wanted}
    values = {name: value_of(state, record, name) for name in everything}
    shown: dict[str, Any] = {
        "id": record.id,
        "properties": {n: values[n] for n in sorted(values) if values[n] is not None or unset == "null"},
        "createdAt": value_of(state, record, "createdate"),  # also where people back-dated it (recorded)
        "updatedAt": stamp(record.modified_at),
        "archived": record.archived_at is not None,
    }
    if record.archived_at is not None:
        shown["archivedAt"] = stamp(record.archived_at)
    if wanted_history := [name for name in history if name in known]:
        shown["propertiesWithHistory"] = {name: _history(record, name) for name in wanted_history}
    if record.kind.name == "deals":
        shown["url"] = f"https://{UI_DOMAIN}/contacts/{PORTAL}/record/{record.kind.id}/{record.id}"
    return shown


def _history(record: CrmObject, name: str) -> list[dict[str, Any]]:
    entries = []
    for version in reversed(record.history.get(name, [])[-KEPT_VERSIONS:]):  # newest first
        entry: dict[str, Any] = {
            "value": version.value,
            "timestamp": stamp(version.at),
            "sourceType": version.source.type,
        }
        if version.source.user:
            entry |= {"sourceId": f"userId:{version.source.user}", "updatedByUserId": int(version.source.user)}
        entries.append(entry)
    return entries


def show_written(state: HubSpotState, record: CrmObject, written: Iterable[str]) -> dict[str, Any]:
    """Give the reply to a write: the properties that were sent, a cleared one as ""."""
    names = list(written)
    shown = show(state, record, names)
    shown["properties"] |= {name: shown["properties"].get(name) or "" for name in names}
    return shown


def show_associations(state: HubSpotState, record: CrmObject, names: Iterable[str]) -> dict[str, Any]:
    """Give what hangs on a record, in line: a row for each association type, so that an id can come twice.

    Only so many rows come; what is beyond has a page token of its own, for the associations call (airbyte#56447).
    """
    found: dict[str, Any] = {}
    for kind in dict.fromkeys(TYPE_NAMES[name] for name in names if name in TYPE_NAMES):
        rows = [
            {"id": other.id, "type": _association_name(record.kind, kind, number)}
            for other, types in sorted(
                state.links.of(record.kind.name, record.id, kind.name), key=lambda p: int(p[0].id)
            )
            for number in sorted(types)
        ]
        if rows:
            found[kind.name] = {"results": rows[:MOST_IN_LINE], **_beyond(record, kind, rows)}
    return {"associations": found} if found else {}


def _association_name(start: ObjectType, end: ObjectType, number: int) -> str:
    plain = len(ASSOCIATIONS[start.name, end.name]) == 1 or number in PRIMARY_TYPES
    return f"{start.singular}_to_{end.singular}" + ("" if plain else "_unlabeled")


def _beyond(record: CrmObject, kind: ObjectType, rows: list[dict[str, str]]) -> dict[str, Any]:
    if len(rows) <= MOST_IN_LINE:
        return {}
    after = link_token(rows[MOST_IN_LINE]["id"])
    return {"paging": {"next": {"after": after, "link": f"{link_page(record, kind)}?after={after}"}}}


def link_token(record_id: str) -> str:
    """Give the page token that goes on with a record's links at this one."""
    return base64.urlsafe_b64encode(record_id.encode()).decode()


def link_page(record: CrmObject, kind: ObjectType) -> str:
    """Give the address under which HubSpot lists one record's links."""
    return f"https://api.hubapi.com/crm/v4/objects/{record.kind.id}/{record.id}/associations/{kind.id}"
