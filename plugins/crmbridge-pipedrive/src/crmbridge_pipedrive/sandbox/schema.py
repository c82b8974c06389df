"""What v2 takes in a body: strictly the known keys, each as the right JSON type."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from crmbridge_pipedrive.sandbox.replies import Row, invalid

HASH = re.compile(r"[0-9a-f]{40}")
TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z")
V1_TIME = re.compile(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}")

Check = Callable[[Any], bool]


def integer(value: Any) -> bool:
    """Take a whole number; a number in quotes is not one."""
    return isinstance(value, int) and not isinstance(value, bool)


def number(value: Any) -> bool:
    """Take any number."""
    return integer(value) or isinstance(value, Decimal)


def text(value: Any) -> bool:
    """Take a text."""
    return isinstance(value, str)


def filled(value: Any) -> bool:
    """Take a text that is not empty."""
    return isinstance(value, str) and bool(value.strip())


def boolean(value: Any) -> bool:
    """Take true or false; 0 and 1 are v1."""
    return isinstance(value, bool)


def day(value: Any) -> bool:
    """Take a calendar date."""
    if not isinstance(value, str) or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def clock_time(value: Any) -> bool:
    """Take a time of day."""
    return isinstance(value, str) and re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?", value) is not None


def moment(value: Any) -> bool:
    """Take a time with a Z."""
    return isinstance(value, str) and TIME.fullmatch(value) is not None


def integers(value: Any) -> bool:
    """Take a list of whole numbers."""
    return isinstance(value, list) and all(integer(item) for item in value)


def objects(value: Any) -> bool:
    """Take a list of objects."""
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def mapping(value: Any) -> bool:
    """Take an object."""
    return isinstance(value, dict)


def optional(check: Check) -> Check:
    """Take null too."""
    return lambda value: value is None or check(value)


DEAL: Mapping[str, Check] = {
    "title": filled,
    "owner_id": integer,
    "person_id": optional(integer),
    "org_id": optional(integer),
    "pipeline_id": integer,
    "stage_id": integer,
    "value": number,
    "currency": lambda value: isinstance(value, str) and re.fullmatch(r"[A-Z]{3}", value) is not None,
    "is_deleted": boolean,
    "is_archived": boolean,
    "archive_time": lambda value: isinstance(value, str) and V1_TIME.fullmatch(value) is not None,
    "status": lambda value: value in {"open", "won", "lost"},
    "probability": optional(number),
    "lost_reason": optional(text),
    "visible_to": integer,
    "close_time": optional(moment),
    "won_time": optional(moment),
    "lost_time": optional(moment),
    "expected_close_date": optional(day),
    "label_ids": integers,
    "custom_fields": mapping,
}
PERSON: Mapping[str, Check] = {
    "name": filled,
    "owner_id": integer,
    "org_id": optional(integer),
    "add_time": moment,
    "emails": objects,
    "phones": objects,
    "visible_to": integer,
    "label_ids": integers,
    "job_title": text,
    "custom_fields": mapping,
}
ORGANIZATION: Mapping[str, Check] = {
    "name": filled,
    "owner_id": integer,
    "add_time": moment,
    "visible_to": integer,
    "label_ids": integers,
    "address": mapping,
    "website": optional(text),
    "linkedin": optional(text),
    "industry": optional(integer),
    "annual_revenue": optional(integer),
    "employee_count": optional(integer),
    "custom_fields": mapping,
}
ACTIVITY: Mapping[str, Check] = {
    "subject": text,
    "type": text,
    "owner_id": integer,
    "deal_id": integer,
    "lead_id": text,
    "org_id": integer,
    "project_id": integer,
    "due_date": day,
    "due_time": clock_time,
    "duration": text,
    "busy": boolean,
    "done": boolean,
    "location": mapping,
    "participants": objects,
    "attendees": objects,
    "public_description": text,
    "priority": integer,
    "note": text,
}
CUSTOM: Mapping[str, Check] = {
    "varchar": text,
    "varchar_auto": text,
    "text": text,
    "phone": text,
    "double": number,
    "monetary": lambda value: isinstance(value, dict) and number(value.get("value")) and text(value.get("currency")),
    "enum": integer,
    "set": lambda value: integers(value) and bool(value),  # an empty selection is null
    "user": integer,
    "org": integer,
    "people": integer,
    "date": day,
    "daterange": lambda value: isinstance(value, dict) and day(value.get("value")) and day(value.get("until")),
    "time": text,
    "address": lambda value: isinstance(value, dict) and text(value.get("value")),
}


def check_body(body: Any, schema: Mapping[str, Check], *, required: tuple[str, ...] = ()) -> Row:
    """Give the body if it fits; raises RefusalError naming every field that does not."""
    if not isinstance(body, dict):
        raise invalid("body: Expected object")
    complaints = [f"{name}: Required" for name in required if name not in body]
    complaints += [f"{name}: Parameter '{name}' is not allowed for this request" for name in body if name not in schema]
    complaints += [
        f"{name}: Invalid value {_shown(value)}"
        for name, value in body.items()
        if name in schema and not schema[name](value)
    ]
    if complaints:
        raise invalid(*complaints)
    return body


def check_custom(values: Row, definitions: Mapping[str, Row]) -> None:
    """Take only custom fields that the account has, each in the form of its type; null clears any of them."""
    complaints = []
    for code, value in values.items():
        definition = definitions.get(code)
        if definition is None or not definition["is_custom_field"]:
            complaints.append(f"custom_fields.{code}: Parameter '{code}' is not allowed for this request")
        elif value is not None and not _fits(value, definition):
            complaints.append(f"custom_fields.{code}: Invalid value {_shown(value)} for {definition['field_type']}")
    if complaints:
        raise invalid(*complaints)


def _fits(value: Any, definition: Row) -> bool:
    check = CUSTOM.get(definition["field_type"])
    if check is None or not check(value):
        return False
    if definition["field_type"] in {"enum", "set"}:
        known = {option["id"] for option in definition["options"]}
        return set(value if isinstance(value, list) else [value]) <= known
    return definition["field_type"] != "varchar" or len(value) <= 255


def _shown(value: Any) -> str:
    return "null" if value is None else type(value).__name__
