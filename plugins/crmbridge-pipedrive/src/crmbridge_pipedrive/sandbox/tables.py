"""The rows of the sandbox's account, in v2's form, and the history of its deals."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import Struct, field

from crmbridge_pipedrive.sandbox.replies import Row, missing

Table = dict[int, Row]


def stamp(at: datetime) -> str:
    """Write a time as v2 does."""
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def v1_stamp(text: str | None) -> str | None:
    """Turn a v2 time into v1's form."""
    return text.replace("T", " ").replace("Z", "") if text else None


class Tables(Struct):
    """The account's rows by id.

    `history` has the changes of each deal, oldest first; `participants` its contacts, `products` how many of these.
    """

    users: Table = field(default_factory=dict)
    pipelines: Table = field(default_factory=dict)
    stages: Table = field(default_factory=dict)
    fields: dict[str, Row] = field(default_factory=dict)
    organization_fields: dict[str, Row] = field(default_factory=dict)
    organizations: Table = field(default_factory=dict)
    persons: Table = field(default_factory=dict)
    deals: Table = field(default_factory=dict)
    activities: Table = field(default_factory=dict)
    notes: Table = field(default_factory=dict)
    files: Table = field(default_factory=dict)
    participants: dict[int, list[int]] = field(default_factory=dict)
    products: dict[int, int] = field(default_factory=dict)
    history: dict[int, list[Row]] = field(default_factory=dict)


def row_of(table: Mapping[int, Row], number: int, what: str) -> Row:
    """Give a row that is not deleted; raises RefusalError when there is none."""
    row = table.get(number)
    if row is None or row.get("is_deleted"):
        raise missing(what)
    return row


def next_id(table: Mapping[int, Row]) -> int:
    """Give the next free id."""
    return max(table, default=0) + 1


def empty_deal(number: int, fields: Mapping[str, Row], *, at: str, owner: int) -> Row:
    """Give a deal as it is when only its title was said; every custom field there is comes along, as null."""
    return {
        "id": number,
        "title": "",
        "creator_user_id": owner,
        "owner_id": owner,
        "person_id": None,
        "org_id": None,
        "pipeline_id": 0,
        "stage_id": 0,
        "value": 0,
        "currency": "EUR",
        "add_time": at,
        "update_time": at,
        "stage_change_time": None,
        "status": "open",
        "is_deleted": False,
        "is_archived": False,
        "archive_time": None,
        "probability": None,
        "lost_reason": None,
        "visible_to": 3,
        "close_time": None,
        "won_time": None,
        "lost_time": None,
        "local_won_date": None,
        "local_lost_date": None,
        "local_close_date": None,
        "expected_close_date": None,
        "label_ids": [],
        "origin": "ManuallyCreated",
        "origin_id": None,
        "channel": None,
        "channel_id": None,
        "acv": None,
        "arr": None,
        "mrr": None,
        "first_won_time": None,
        "custom_fields": {code: None for code, row in fields.items() if row["is_custom_field"]},
    }


def empty_company(number: int, *, owner: int, at: str) -> Row:
    """Give an organization as it is when only its name was said."""
    about: Row = {"address": None, "website": None, "linkedin": None, "industry": None}
    return {**_entity(number, owner, at), **about, "annual_revenue": None, "employee_count": None}


def empty_person(number: int, *, owner: int, at: str) -> Row:
    """Give a person as it is when nothing was said about them."""
    about: Row = {"first_name": None, "last_name": None, "org_id": None, "emails": [], "phones": [], "picture_id": None}
    return {**_entity(number, owner, at), **about}


def _entity(number: int, owner: int, at: str) -> Row:
    return {
        "id": number,
        "name": None,
        "owner_id": owner,
        "add_time": at,
        "update_time": at,
        "is_deleted": False,
        "visible_to": 3,
        "label_ids": [],
        "custom_fields": {},
    }


def participant_id(deal: int, person: int) -> int:
    """Give the id that a person has as a participant of a deal, which is not the person's own."""
    return deal * 1_000_000 + person


def empty_activity(number: int, *, owner: int, at: str) -> Row:
    """Give an activity as it is when nothing was said about it."""
    return {
        "id": number,
        "subject": "Call",
        "type": "call",
        "owner_id": owner,
        "creator_user_id": owner,
        "is_deleted": False,
        "add_time": at,
        "update_time": at,
        "deal_id": None,
        "lead_id": None,
        "person_id": None,
        "org_id": None,
        "project_id": None,
        "due_date": None,
        "due_time": None,
        "duration": None,
        "busy": None,
        "done": False,
        "marked_as_done_time": None,
        "location": None,
        "participants": [],
        "public_description": None,
        "priority": None,
        "note": None,
    }


def log_change(tables: Tables, deal: int, field_key: str, values: tuple[Any, Any], **about: Any) -> None:
    """Note one change of one field: `values` are old and new, `about` says at (a v2 time), by and source."""
    number = sum(len(rows) for rows in tables.history.values()) + 1
    tables.history.setdefault(deal, []).append(
        {
            "id": number,
            "field_key": field_key,
            "old_value": _as_text(values[0]),
            "new_value": _as_text(values[1]),
            "time": v1_stamp(about["at"]),
            "by": about["by"],
            "source": about.get("source", "app"),
        }
    )


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, list):
        return ",".join(str(item) for item in value)
    return str(value.get("value")) if isinstance(value, dict) else str(value)
