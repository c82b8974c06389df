"""Pipedrive's activities and notes as canonical records."""

from __future__ import annotations

from crmbridge.adapting import text_of
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value
from crmbridge_pipedrive.api import Row, is_id
from crmbridge_pipedrive.mapping import plain_record
from crmbridge_pipedrive.standard import activity_time
from crmbridge_pipedrive.values import moment


def activity_record(row: Row, connection: str) -> Record:
    """Read an activity: a call, meeting, email or task, or whatever other types the company has."""
    fields: dict[str, Value] = {
        # The stock types' keys are our words; any other type, such as `lunch`, keeps its own ("Activity types").
        "type": str(row.get("type") or "") or None,
        "subject": _text(row.get("subject")),
        "done": row.get("done") is True,
        "at": activity_time(row),
        "owner": _id(row.get("owner_id")),
        "deals": _ids(row.get("deal_id")),
        "company": _id(row.get("org_id")),
        "contacts": _ids(row.get("person_id"), *_participants(row)),
    }
    return plain_record(row, Ref(connection, Kind.ACTIVITY, str(row["id"])), fields)


def note_record(row: Row, connection: str) -> Record:
    """Read a note; what hangs on it comes along by name too, which is no part of it."""
    fields: dict[str, Value] = {
        "body": text_of(str(row.get("content") or "")),
        "at": moment(row.get("add_time")),
        "owner": _id(row.get("user_id")),
        "deals": _ids(row.get("deal_id")),
        "company": _id(row.get("org_id")),
        "contacts": _ids(row.get("person_id")),
    }
    own = {name: value for name, value in row.items() if not isinstance(value, dict)}
    return plain_record(own, Ref(connection, Kind.NOTE, str(row["id"])), fields)


def _participants(row: Row) -> list[object]:
    people = row.get("participants")
    listed = people if isinstance(people, list) else []
    return [person.get("person_id") for person in listed if isinstance(person, dict)]


def _text(raw: object) -> str | None:
    return raw if isinstance(raw, str) else None


def _id(raw: object) -> str | None:
    return str(raw) if is_id(raw) else None


def _ids(*raw: object) -> tuple[str, ...]:
    return tuple(sorted({str(item) for item in raw if is_id(item)}))
