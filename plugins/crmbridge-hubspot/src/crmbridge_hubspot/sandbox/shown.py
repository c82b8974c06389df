"""How the sandbox shows its records: properties, what is calculated from them, history, and the whole JSON form."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from crmbridge_hubspot.sandbox.account import PORTAL, STAGES, UI_DOMAIN, USUAL_PROPERTIES
from crmbridge_hubspot.sandbox.objects import CrmObject, HubSpotState
from crmbridge_hubspot.sandbox.replies import stamp

ALWAYS = ("createdate", "hs_object_id")


def value_of(state: HubSpotState, record: CrmObject, name: str) -> str | None:
    """Give a property's value as text, calculated ones too, or None where there is none."""
    match name:
        case "hs_object_id":
            return record.id
        case "hs_createdate":
            return stamp(record.created_at)
        case "createdate":
            return record.properties.get("createdate") or stamp(record.created_at)
        case "hs_lastmodifieddate" | "lastmodifieddate":
            return stamp(record.modified_at) if name == record.kind.modified else None
    if record.kind.name == "deals":
        calculated = _deal_value(state, record, name)
        if calculated is not None:
            return calculated
    return record.properties.get(name)


def _deal_value(state: HubSpotState, deal: CrmObject, name: str) -> str | None:
    stage = STAGES[deal.properties["dealstage"]][1]
    if name.startswith("hs_v2_date_entered_"):
        wanted = name.removeprefix("hs_v2_date_entered_")
        entries = [v.at for v in deal.history.get("dealstage", []) if v.value == wanted]
        return stamp(entries[-1]) if entries else None
    amount = deal.properties.get("amount")
    values: dict[str, Callable[[], str | None]] = {
        "hs_is_closed": lambda: "true" if stage.closed else "false",
        "hs_is_closed_won": lambda: "true" if stage.probability == "1.0" else "false",
        "hs_deal_stage_probability": lambda: repr(float(stage.probability)),
        "amount_in_home_currency": lambda: amount,
        # A float, with a float's tail.
        "hs_projected_amount": lambda: repr(float(amount) * float(stage.probability)) if amount else None,
        "num_associated_contacts": lambda: str(len(state.linked("deals", deal.id, "contacts"))),
        "notes_last_contacted": lambda: _activity_time(state, deal, last=True),
        "notes_next_activity_date": lambda: _activity_time(state, deal, last=False),
    }
    return values[name]() if name in values else None


def _activity_time(state: HubSpotState, deal: CrmObject, *, last: bool) -> str | None:
    now = stamp(state.clock.now())
    logged = [
        record.properties["hs_timestamp"]
        for kind in ("calls", "emails", "meetings")
        for record, _ in state.linked("deals", deal.id, kind)
    ]
    tasks = [record.properties for record, _ in state.linked("deals", deal.id, "tasks")]
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
        "createdAt": stamp(record.created_at),
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
    for version in reversed(record.history.get(name, [])):  # newest first
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
