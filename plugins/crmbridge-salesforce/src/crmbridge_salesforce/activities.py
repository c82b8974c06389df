"""Activities of an org: its tasks, and the events in its calendars."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from types import MappingProxyType
from typing import Any

from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value
from crmbridge.ports import Clock
from crmbridge_salesforce.days import beginning, day_in
from crmbridge_salesforce.details import Details
from crmbridge_salesforce.encode import NOTE_SUBJECT
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.org import Org
from crmbridge_salesforce.rows import BY, Cells, Form
from crmbridge_salesforce.schema import Table
from crmbridge_salesforce.soql import moment, select, text
from crmbridge_salesforce.sources import Span
from crmbridge_salesforce.values import day_of, read_moment

DEAL, COMPANY, CONTACT = "006", "001", "003"  # how the ids of these begin
_COMMON = ("Subject", "OwnerId", "WhatId", "WhoId", "AccountId", "ActivityDate")
_OF_TASK = ("IsClosed", "TaskSubtype", "Type", "CompletedDateTime")
_OF_EVENT = ("ActivityDateTime", "StartDateTime", "EndDateTime", "DurationInMinutes", "IsChild")
# What people choose as a task's type says more than that it is a task; other words of theirs are no kind of activity.
_CHOSEN: Mapping[str, str] = MappingProxyType(
    {"call": "call", "email": "email", "e-mail": "email", "meeting": "meeting"}
)
_TYPES: Mapping[str, str] = MappingProxyType(
    {"Call": "call", "Email": "email", "ListEmail": "email", "Task": "task", "": "task"}
)


class Activities:
    """Task or Event: every row is an activity, but for our own notes and the copies that guests have of an event.

    Old activities are archived and only seen by a look into the recycle bin (Object Reference, "Task").
    """

    kind = Kind.ACTIVITY
    deleted_too = True

    def __init__(self, connection: str, org: Org, table: Table, clock: Clock, zone: Callable[[], tzinfo]) -> None:
        self._connection = connection
        self._org = org
        self._clock = clock
        self._zone = zone  # the org's, which costs a request and is only asked for where there are days
        self._event = table.name == "Event"
        self.form = Form(table, (*_COMMON, *(_OF_EVENT if self._event else _OF_TASK)))
        self.where = _own_rows(table)

    def records(self, rows: Sequence[Cells], details: Details) -> list[Record]:  # noqa: ARG002  nothing lies beside
        """Make the activities of rows."""
        get = self.form.get
        theirs = (row for row in rows if get(row, "Subject") != NOTE_SUBJECT and get(row, "IsChild") != "true")
        return [
            record_of(Ref(self._connection, self.kind, to_18(row[0])), self.form, row, self._fields(row))
            for row in theirs
        ]

    def touched(self, span: Span) -> set[str]:
        """Find the events that ended: nobody writes that down in them."""
        end = self.form.place("EndDateTime")
        if not self._event or end is None or span.since is None:
            return set()
        where = f"EndDateTime >= {moment(span.since)} AND EndDateTime <= {moment(span.until)} AND {self.where}"
        rows = self._org.query(select(["Id"], "Event", where=where.removesuffix(" AND ")))
        return {to_18(str(row["Id"])) for row in rows}

    def _fields(self, row: Cells) -> dict[str, Value]:
        get = self.form.get
        what = get(row, "WhatId")
        at, done = self._event_time(row) if self._event else self._task_time(row)
        return {
            "type": "meeting" if self._event else self._task_type(row),
            "subject": get(row, "Subject") or None,
            "done": done,
            "at": at,
            "owner": to_18(get(row, "OwnerId")) or None,
            **hangs_on([what, get(row, "WhoId")], get(row, "AccountId")),
        }

    def _task_type(self, row: Cells) -> str:
        subtype = self.form.get(row, "TaskSubtype")
        kind = _TYPES.get(subtype, subtype)
        return _CHOSEN.get(self.form.get(row, "Type").strip().lower(), kind) if kind == "task" else kind

    def _task_time(self, row: Cells) -> tuple[datetime | None, bool]:
        """Give when a task's day begins in the org, or when it was completed, where that was not after that day.

        A day has no time. One that was closed later is taken to have happened on its day, and was noted afterwards.
        """
        get = self.form.get
        closed, ticked = get(row, "IsClosed") == "true", get(row, "CompletedDateTime")
        completed = read_moment(ticked) if ticked else None
        if not get(row, "ActivityDate"):
            return completed, closed
        zone, day = self._zone(), day_of(get(row, "ActivityDate"))
        early = closed and completed is not None and day_in(zone, completed) <= day
        return (completed if early else beginning(zone, day)), closed

    def _event_time(self, row: Cells) -> tuple[datetime | None, bool]:
        """Give when an event begins, and whether it is over: nobody ticks it off."""
        get = self.form.get
        begin = get(row, "StartDateTime") or get(row, "ActivityDateTime") or get(row, "ActivityDate")
        at = read_moment(begin) if begin else None
        if get(row, "EndDateTime"):
            return at, read_moment(get(row, "EndDateTime")) <= self._clock.now()
        return at, at is not None and at <= self._clock.now() - self._length(row)  # one may begin in the last year

    def _length(self, row: Cells) -> timedelta:
        minutes = self.form.get(row, "DurationInMinutes")
        return timedelta(minutes=int(minutes)) if re.fullmatch("[0-9]{1,6}", minutes) else timedelta(0)


def _own_rows(table: Table) -> str:
    """Give the condition that leaves out our notes, or the copies of an event that its guests have."""
    if table.name == "Task":
        return f"(Subject = null OR Subject != {text(NOTE_SUBJECT)})"
    child = table.columns.get("IsChild")
    return "IsChild = false" if child is not None and child.filterable else ""


def hangs_on(ids: Sequence[str], account: str = "") -> dict[str, Value]:
    """Sort the ids of what a task, event or note hangs on into deals, company and contacts."""
    found = sorted({to_18(one) for one in ids if one})
    companies = [one for one in found if one.startswith(COMPANY)]
    return {
        "deals": tuple(one for one in found if one.startswith(DEAL)),
        "company": companies[0] if companies else to_18(account) or None,
        "contacts": tuple(one for one in found if one.startswith(CONTACT)),
    }


def record_of(ref: Ref, form: Form, row: Cells, fields: Mapping[str, Any]) -> Record:
    """Make the record of a row with these fields."""
    created, by = form.get(row, "CreatedDate"), form.get(row, BY)
    return Record(
        ref=ref,
        fields=dict(fields),
        version=form.version(row),
        created_at=read_moment(created) if created else None,
        updated_at=read_moment(row[1]),
        url=form.table.page_of.replace("{ID}", ref.id) or None,
        updated_by=to_18(by) if by else None,
    )
