"""Pipedrive's rows as canonical records and tombstones."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from crmbridge.http import dump_json
from crmbridge.model.records import Kind, Position, Problem, Record, Ref, Status, Tombstone
from crmbridge.model.values import FieldType, Money, Value
from crmbridge_pipedrive.account import DealFields
from crmbridge_pipedrive.api import Row, is_id
from crmbridge_pipedrive.values import currency_of, decimal, decode, moment

# Built-in fields that are only sent when asked for. What people do around a deal changes them without editing the
# deal, so they are no part of its version.
COUNTS: Mapping[str, str] = {
    "activities_count": "activities",
    "done_activities_count": "activities_done",
    "undone_activities_count": "activities_open",
}
AROUND = (*COUNTS, "next_activity_id", "last_activity_id", "participants_count")
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What was read beside a page of deals: activities by id, and the contacts of deals that have several."""

    activities: Mapping[int, Row] = field(default_factory=dict)
    contacts: Mapping[int, Collection[int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DealReader:
    """Turns deal rows into records for one connection."""

    connection: str
    currency: str | None  # for a deal that says none
    fields: DealFields
    company: str | None  # the company domain, for links into the account

    def record(self, row: Row, around: Surroundings) -> Record:
        """Read one deal; values that can't be read become problems and are left out."""
        problems: list[Problem] = []
        values = {
            **self._standard(row, around, problems),
            **_activity_times(row, around),
            **self._bound(row, problems),
        }
        updated = _updated(row, problems)
        return Record(
            ref=Ref(self.connection, Kind.DEAL, str(row["id"])),
            fields=values,
            version=version_of(row, updated),
            created_at=moment(row.get("add_time")),
            updated_at=updated,
            position=_position(row, problems),
            key=self._key(row),
            url=f"https://{self.company}.pipedrive.com/deal/{row['id']}" if self.company else None,
            problems=tuple(problems),
        )

    def tombstone(self, row: Row) -> Tombstone:
        """Read a deal that is deleted or archived; which deal it was merged into is nowhere to be read."""
        at = moment(row.get("archive_time")) or moment(row.get("update_time")) or NEVER
        return Tombstone(ref=Ref(self.connection, Kind.DEAL, str(row["id"])), at=at)

    def _standard(self, row: Row, around: Surroundings, problems: list[Problem]) -> dict[str, Value]:
        found: dict[str, Value] = {
            "name": _text(row.get("title")),
            "owner": _id_text(row.get("owner_id")),
            "company": _id_text(row.get("org_id")),
            "contacts": _contacts(row, around),
            "lost_reason": _text(row.get("lost_reason")),
        }
        if "channel" in row:
            channel = row["channel"]
            found["source"] = None if channel is None else self.fields.channels.get(str(channel), str(channel))
        found |= {name: row[count] for count, name in COUNTS.items() if is_id(row.get(count))}
        _keep(found, problems, "amount", "value", lambda: self._amount(row))
        _keep(found, problems, "close_date", "expected_close_date", lambda: _day(row.get("expected_close_date")))
        return found

    def _amount(self, row: Row) -> Value:
        if row.get("value") is None:
            return None
        return Money(decimal(row["value"]), currency_of(row.get("currency"), self.currency))

    def _bound(self, row: Row, problems: list[Problem]) -> dict[str, Value]:
        custom = row.get("custom_fields")
        hashes = custom if isinstance(custom, dict) else {}
        found: dict[str, Value] = {}
        for name, bound in self.fields.bound.items():
            definition, kind = bound.definition, bound.binding.type
            raw = hashes.get(definition.code) if definition.custom else row.get(definition.code)
            _keep(found, problems, name, definition.code, lambda r=raw, d=definition, k=kind: self._decoded(r, d, k))
        return found

    def _decoded(self, raw: Any, definition: Any, kind: FieldType) -> Value:
        return decode(raw, definition, kind, self.currency)

    def _key(self, row: Row) -> str | None:
        custom = row.get("custom_fields")
        if self.fields.key is None or not isinstance(custom, dict):
            return None
        return _text(custom.get(self.fields.key.code)) or None


def person_record(row: Row, connection: str) -> Record:
    """Read a contact. The job title is only sent by companies that use contact sync."""
    return _record(
        row,
        Ref(connection, Kind.CONTACT, str(row["id"])),
        {
            "name": _text(row.get("name")),
            "email": _primary(row.get("emails")),
            "title": _text(row.get("job_title")),
            "company": _id_text(row.get("org_id")),
        },
    )


def organization_record(row: Row, connection: str) -> Record:
    """Read a company; its domain is taken from its website, which people write in many ways."""
    fields: dict[str, Value] = {"name": _text(row.get("name")), "domain": _domain(row.get("website"))}
    return _record(row, Ref(connection, Kind.COMPANY, str(row["id"])), fields)


def user_record(row: Row, connection: str) -> Record:
    """Read a user; the ones who left stay listed, not active."""
    active = row.get("active_flag") is True and row.get("is_deleted") is not True
    fields: dict[str, Value] = {"name": _text(row.get("name")), "email": _text(row.get("email")), "active": active}
    as_v2 = {**row, "add_time": row.get("created"), "update_time": row.get("modified") or row.get("created")}
    return _record(as_v2, Ref(connection, Kind.USER, str(row["id"])), fields)


def digest(data: Any) -> str:
    """Give a short fingerprint of a row: the same row, the same fingerprint."""
    return hashlib.sha256(dump_json(_sorted(data))).hexdigest()[:12]


def version_of(row: Row, updated: datetime) -> str:
    """Make a version: the time of the last edit, and a fingerprint because that time has only whole seconds."""
    own = {name: value for name, value in row.items() if name not in AROUND}
    return f"{updated:%Y-%m-%dT%H:%M:%SZ}-{digest(own)}"


def _sorted(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _sorted(data[name]) for name in sorted(data)}
    return [_sorted(item) for item in data] if isinstance(data, list) else data


def _record(row: Row, ref: Ref, fields: dict[str, Value]) -> Record:
    problems: list[Problem] = []
    updated = _updated(row, problems)
    return Record(
        ref=ref,
        fields=fields,
        version=version_of(row, updated),
        created_at=moment(row.get("add_time")),
        updated_at=updated,
        problems=tuple(problems),
    )


def _updated(row: Row, problems: list[Problem]) -> datetime:
    updated = moment(row.get("update_time")) or moment(row.get("add_time"))
    if updated is None:
        problems.append(Problem("update_time", "there is no time of the last change"))
    return updated or NEVER


def _position(row: Row, problems: list[Problem]) -> Position | None:
    pipeline, stage = row.get("pipeline_id"), row.get("stage_id")
    try:
        status = Status(str(row.get("status")))
    except ValueError:
        problems.append(Problem("status", f"{row.get('status')!r} is no status that crmbridge knows"))
        return None
    if not is_id(pipeline) or not is_id(stage):
        problems.append(Problem("stage_id", "the deal stands in no stage"))
        return None
    return Position(str(pipeline), str(stage), status)


def _keep(found: dict[str, Value], problems: list[Problem], name: str, native: str, read: Any) -> None:
    """Put a value under its name, or note why it can't be read."""
    try:
        found[name] = read()
    except ValueError as error:
        problems.append(Problem(native, str(error)))


def _day(raw: Any) -> Value:
    if raw is None or raw == "":
        return None
    read = moment(raw)
    if read is None:
        raise ValueError(f"{raw!r} is not a date")
    return read.date()


def _contacts(row: Row, around: Surroundings) -> tuple[str, ...]:
    main = [row["person_id"]] if is_id(row.get("person_id")) else []
    return tuple(sorted({str(person) for person in (*main, *around.contacts.get(row["id"], ()))}))


def _activity_times(row: Row, around: Surroundings) -> dict[str, Value]:
    """Say when the last activity took place and the next one is due, where the row names them at all."""
    found: dict[str, Value] = {}
    for native, name in (("last_activity_id", "last_activity_at"), ("next_activity_id", "next_activity_at")):
        if native not in row:
            continue
        activity = around.activities.get(row[native]) if is_id(row[native]) else None
        if row[native] is None or activity is not None:
            found[name] = activity_time(activity) if activity else None
    return found


def activity_time(row: Row) -> datetime | None:
    """Say when an activity is due; without a time of day at the start of its day, without a day when it was done.

    Due times are in UTC ("Activities", API v1).
    """
    day = moment(row.get("due_date"))
    if day is None:
        return moment(row.get("marked_as_done_time"))
    hours, minutes, seconds = (*str(row.get("due_time") or "0:0").split(":"), "0", "0")[:3]
    if not (hours + minutes + seconds).isdecimal():
        return day
    return day + timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds))


def _text(raw: Any) -> str | None:
    if isinstance(raw, str):
        return raw
    return str(raw) if isinstance(raw, int | Decimal) and not isinstance(raw, bool) else None


def _id_text(raw: Any) -> str | None:
    return str(raw) if is_id(raw) else None


def _primary(raw: Any) -> str | None:
    """Give the primary one of a person's addresses, else the first."""
    items = [item for item in raw if isinstance(item, dict)] if isinstance(raw, list) else []
    chosen = next((item for item in items if item.get("primary") is True), items[0] if items else {})
    return _text(chosen.get("value")) or None


def _domain(raw: Any) -> str | None:
    text = _text(raw)
    if not text:
        return None
    host = text.strip().casefold().partition("://")[2] or text.strip().casefold()
    return host.partition("/")[0].partition("?")[0].partition(":")[0].removeprefix("www.") or None
