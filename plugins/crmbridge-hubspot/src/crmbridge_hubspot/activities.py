"""What calls, e-mails, meetings, tasks and notes hold, beside what they hang on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from crmbridge.adapting import text_of
from crmbridge.model.values import FieldType, Value
from crmbridge_hubspot.objects import Bound
from crmbridge_hubspot.values import moment

DONE = "COMPLETED"
STATES = MappingProxyType({"calls": "hs_call_status", "meetings": "hs_meeting_outcome", "tasks": "hs_task_status"})
# A call that has not been made yet; every other state is of one that was logged ("Calls").
CALLS_TO_COME = frozenset({"SCHEDULED", "QUEUED", "CONNECTING", "CALLING_CRM_USER", "RINGING", "IN_PROGRESS"})
ACTIVITY_BOUND = (
    Bound("at", "hs_timestamp", FieldType.DATETIME),
    Bound("owner", "hubspot_owner_id", FieldType.USER),
)
COMPLETED_AT = "hs_task_completion_date"  # of a task that is not done, a date that says nothing of that
NOTE_BODY = "hs_note_body"
SUBJECTS = MappingProxyType(
    {
        "calls": "hs_call_title",
        "emails": "hs_email_subject",
        "meetings": "hs_meeting_title",
        "tasks": "hs_task_subject",
    }
)
WORDS = MappingProxyType({"calls": "call", "emails": "email", "meetings": "meeting", "tasks": "task"})
ACTIVITY_SYSTEM: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        **{name: (subject, *((STATES[name],) if name in STATES else ())) for name, subject in SUBJECTS.items()},
        "tasks": (SUBJECTS["tasks"], STATES["tasks"], COMPLETED_AT),
        "notes": (NOTE_BODY,),
    }
)


def activity_fields(name: str, properties: Mapping[str, str | None], now: datetime) -> dict[str, Value]:
    """Read what an activity or a note holds."""
    if name == "notes":
        text = text_of(properties.get(NOTE_BODY) or "")
        return {"body": text} if text else {}
    subject = properties.get(SUBJECTS[name])
    named: dict[str, Value] = {"subject": subject} if subject else {}
    done = _is_done(name, properties, now)
    if name == "tasks" and done and (at := _done_early(properties)) is not None:
        named["at"] = at
    return {"type": WORDS[name], "done": done, **named}


def _is_done(name: str, properties: Mapping[str, str | None], now: datetime) -> bool:
    """Tell whether it has happened: e-mails, and calls without a state, are logged afterwards.

    A meeting that was cancelled, or where nobody came, did not happen; one without an outcome did when its time passed.
    """
    state = (properties.get(STATES[name]) or "").upper() if name in STATES else ""
    match name:
        case "tasks":
            return state == DONE
        case "calls":
            return state not in CALLS_TO_COME
        case "meetings" if state:
            return state == DONE
        case "meetings":
            return _has_passed(properties.get("hs_timestamp"), now)
        case _:
            return True


def _done_early(properties: Mapping[str, str | None]) -> datetime | None:
    """Say when a task was done that was due later, or never; of one that was done late its due time is kept."""
    try:
        done, due = map(_moment_in, (properties.get(COMPLETED_AT), properties.get("hs_timestamp")))
    except ValueError:  # told as a problem of the field
        return None
    return done if done is not None and (due is None or done < due) else None


def _moment_in(text: str | None) -> datetime | None:
    return moment(text) if text else None


def _has_passed(at: str | None, now: datetime) -> bool:
    try:
        return not at or moment(at) <= now
    except ValueError:  # told as a problem of the field
        return True
