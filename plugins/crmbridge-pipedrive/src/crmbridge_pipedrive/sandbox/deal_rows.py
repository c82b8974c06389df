"""Deals as v2 lists send them: fields that are only sent when asked for, and custom fields by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request

from crmbridge_pipedrive.sandbox.replies import Row, invalid
from crmbridge_pipedrive.sandbox.tables import Tables

OPTIONAL = (
    "next_activity_id",
    "last_activity_id",
    "first_won_time",
    "products_count",
    "files_count",
    "notes_count",
    "followers_count",
    "email_messages_count",
    "activities_count",
    "done_activities_count",
    "undone_activities_count",
    "participants_count",
    "last_incoming_mail_time",
    "last_outgoing_mail_time",
    "smart_bcc_email",
    "source_lead_id",
)
MOST_KEYS = 15


def deal_rows(tables: Tables, rows: Sequence[Row], request: Request) -> list[Row]:
    """Give deals in the form that a request asks for."""
    asked = [name for name in request.query_params.get("include_fields", "").split(",") if name]
    wrong = [name for name in asked if name not in OPTIONAL]
    if wrong:
        raise invalid(f"include_fields: Unknown field {wrong[0]}")
    codes = [code for code in request.query_params.get("custom_fields", "").split(",") if code]
    if len(codes) > MOST_KEYS:
        raise invalid(f"custom_fields: Expected up to {MOST_KEYS} keys")
    labels = request.query_params.get("include_option_labels") == "true"
    around = _activities(tables, {row["id"] for row in rows}) if asked else {}
    return [
        {
            **{name: value for name, value in row.items() if name not in OPTIONAL},
            **{name: value for name, value in _extras(tables, row, around).items() if name in asked},
            "custom_fields": _custom(tables, row, codes, labels=labels),
        }
        for row in rows
    ]


def _activities(tables: Tables, deals: set[int]) -> dict[int, list[Row]]:
    found: dict[int, list[Row]] = {}
    for row in tables.activities.values():
        if row["deal_id"] in deals and not row["is_deleted"]:
            found.setdefault(row["deal_id"], []).append(row)
    return found


def _extras(tables: Tables, row: Row, around: dict[int, list[Row]]) -> Row:
    activities = sorted(around.get(row["id"], ()), key=_due)
    done = [activity for activity in activities if activity["done"]]
    planned = [activity for activity in activities if not activity["done"]]
    notes = [note for note in tables.notes.values() if note["deal_id"] == row["id"] and note["active_flag"]]
    return {
        **dict.fromkeys(OPTIONAL),
        "next_activity_id": planned[0]["id"] if planned else None,
        "last_activity_id": done[-1]["id"] if done else None,
        "first_won_time": row["first_won_time"],
        "products_count": tables.products.get(row["id"], 0),
        "files_count": 0,
        "notes_count": len(notes),
        "followers_count": 1,
        "email_messages_count": 0,
        "activities_count": len(activities),
        "done_activities_count": len(done),
        "undone_activities_count": len(planned),
        "participants_count": len(tables.participants.get(row["id"], ())),
    }


def _due(activity: Row) -> tuple[str, str, int]:
    return (activity["due_date"] or "9999", activity["due_time"] or "", activity["id"])


def _custom(tables: Tables, row: Row, codes: Sequence[str], *, labels: bool) -> Row:
    known = {code: definition for code, definition in tables.fields.items() if definition["is_custom_field"]}
    values = {code: row["custom_fields"].get(code) for code in known if not codes or code in codes}
    return {code: _labelled(value, known[code]) if labels else value for code, value in values.items()}


def _labelled(value: Any, definition: Row) -> Any:
    names = {option["id"]: option["label"] for option in definition["options"] or ()}
    if isinstance(value, list):
        return [{"id": item, "label": names.get(item)} for item in value]
    return {"id": value, "label": names[value]} if isinstance(value, int) and value in names else value
