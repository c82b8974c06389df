"""Pipedrive's rows as canonical records and tombstones."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from operator import itemgetter
from typing import Any, NamedTuple

from crmbridge.http import dump_json
from crmbridge.model.records import Kind, Position, Problem, Record, Ref, Status, Tombstone
from crmbridge.model.values import FieldType, Money, Value
from crmbridge_pipedrive.account import BoundField, DealFields
from crmbridge_pipedrive.api import Row, is_id
from crmbridge_pipedrive.values import Decode, currency_of, decimal, decoder, moment

# Built-in fields that are only sent when asked for. What people do around a deal changes them without editing the
# deal, so they are no part of its version.
COUNTS: Mapping[str, str] = {
    "activities_count": "activities",
    "done_activities_count": "activities_done",
    "undone_activities_count": "activities_open",
}
TIMES = (("last_activity_id", "last_activity_at"), ("next_activity_id", "next_activity_at"))
AROUND = (*COUNTS, "next_activity_id", "last_activity_id", "participants_count")
UNVERSIONED = frozenset({*AROUND, "custom_fields"})
AS_IS: Mapping[FieldType, type] = {FieldType.TEXT: str, FieldType.NUMBER: Decimal}
STATUSES = {status.value: status for status in Status}
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What was read beside a page of deals: activities by id, and the contacts of deals that have several."""

    activities: Mapping[int, Row] = field(default_factory=dict)
    contacts: Mapping[int, Collection[int] | None] = field(default_factory=dict)  # None: they may not be read


NOTHING = Surroundings()


class DealReader:
    """Turns deal rows into records for one connection. How each field is read is settled once, not per deal.

    `currency` stands in where a deal says none; `company` is the company domain, for links into the account.
    """

    def __init__(self, *, connection: str, currency: str | None, fields: DealFields, company: str | None) -> None:
        self.fields = fields
        self._connection = connection
        self._currency = currency
        self._link = f"https://{company}.pipedrive.com/deal/" if company else None
        self._bound = tuple(_Plan.of(name, bound, currency) for name, bound in fields.bound.items())
        self._version = _Versions()

    def record(self, row: Row, around: Surroundings = NOTHING) -> Record:
        """Read one deal; values that can't be read become problems and are left out."""
        problems: list[Problem] = []
        custom = row.get("custom_fields")
        hashes: Row = custom if isinstance(custom, dict) else {}
        values = self._standard(row, around, problems)
        for name, code, is_custom, as_is, answers, read in self._bound:
            raw = hashes.get(code) if is_custom else row.get(code)
            its_class = raw.__class__
            if raw is None or raw == "":
                values[name] = None
            elif its_class is as_is:
                values[name] = raw
            elif (its_class is int or its_class is str) and raw in answers:
                values[name] = answers[raw]
            else:
                try:
                    values[name] = read(raw)
                except ValueError as error:
                    problems.append(Problem(code, str(error)))
        updated = _updated(row, problems)
        number = str(row["id"])
        return Record(
            ref=Ref(self._connection, Kind.DEAL, number),
            fields=values,
            version=self._version.of(row, hashes, updated),
            created_at=moment(row.get("add_time")),
            updated_at=updated,
            position=_position(row, problems),
            key=(_text(hashes.get(self.fields.key.code)) or None) if self.fields.key else None,
            url=self._link + number if self._link else None,
            problems=tuple(problems),
        )

    def _standard(self, row: Row, around: Surroundings, problems: list[Problem]) -> dict[str, Value]:
        found: dict[str, Value] = {
            "name": _text(row.get("title")),
            "owner": _id_text(row.get("owner_id")),
            "company": _id_text(row.get("org_id")),
            "lost_reason": _text(row.get("lost_reason")),
        }
        people = around.contacts.get(row["id"], ())
        if people is None:
            problems.append(Problem("participants", "the deal's contacts could not be read"))
        else:
            found["contacts"] = _contacts(row, people)
        if "channel" in row:
            channel = row["channel"]
            found["source"] = None if channel is None else self.fields.channels.get(str(channel), str(channel))
        for count, name in COUNTS.items():
            if is_id(row.get(count)):
                found[name] = row[count]
        try:
            found["amount"] = self._amount(row)
        except ValueError as error:
            problems.append(Problem("value", str(error)))
        try:
            found["close_date"] = _day(row.get("expected_close_date"))
        except ValueError as error:
            problems.append(Problem("expected_close_date", str(error)))
        if row.get("last_activity_id") is not None or row.get("next_activity_id") is not None:
            found |= _activity_times(row, around)
        else:
            found |= {name: None for native, name in TIMES if native in row}
        return found

    def _amount(self, row: Row) -> Value:
        value = row.get("value")
        if value is None:
            return None
        own = row.get("currency")
        number = value if isinstance(value, Decimal) else decimal(value)
        return Money(number, own if isinstance(own, str) and own else currency_of(own, self._currency))


class _Plan(NamedTuple):
    """How one bound field is read: as it is by its class, options by `answers`, anything else by `read`."""

    name: str
    code: str
    is_custom: bool
    as_is: type | None
    answers: Mapping[Any, Value]
    read: Decode

    @classmethod
    def of(cls, name: str, bound: BoundField, currency: str | None) -> _Plan:
        """Settle how a field is read."""
        field, kind = bound.definition, bound.binding.type
        read = decoder(field, kind, currency)
        answers: dict[int, Value] = {}
        for option in (int(option) for option, _ in field.options if option.isdecimal()):
            with contextlib.suppress(ValueError):
                answers[option] = read(option)
        as_is = None if field.options else AS_IS.get(kind)
        return cls(name, field.code, field.custom, as_is, answers, read)


class _Versions:
    """Makes the versions of deals: the time of the last edit, which has only whole seconds, and a fingerprint.

    What people do around a deal is no part of it. Rows of one list name their fields in one order, so which of them
    count, and in which order, is worked out once per such order.
    """

    def __init__(self) -> None:
        self._orders: dict[tuple[str, ...], Callable[[Row], Any]] = {}

    def of(self, row: Row, custom: Row, updated: datetime) -> str:
        """Give a row's version."""
        values = (self._counting(row)(row), self._counting(custom)(custom))
        print_ = hashlib.blake2b(repr(values).encode("utf-8", "surrogatepass"), digest_size=6).hexdigest()
        return f"{stamp_of(updated)}-{print_}"

    def _counting(self, row: Row) -> Callable[[Row], Any]:
        names = tuple(row)
        found = self._orders.get(names)
        if found is None:
            counting = sorted(set(names) - UNVERSIONED)
            found = self._orders[names] = itemgetter(*counting) if counting else lambda _row: ()
        return found


def tombstone(row: Row, connection: str) -> Tombstone:
    """Read a deal that is deleted or archived; which deal it was merged into is nowhere to be read."""
    at = moment(row.get("archive_time")) or moment(row.get("update_time")) or NEVER
    return Tombstone(ref=Ref(connection, Kind.DEAL, str(row["id"])), at=at)


def person_record(row: Row, connection: str) -> Record:
    """Read a contact. The job title is only sent by companies that use contact sync."""
    return plain_record(
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
    return plain_record(row, Ref(connection, Kind.COMPANY, str(row["id"])), fields)


def user_record(row: Row, connection: str) -> Record:
    """Read a user; the ones who left stay listed, not active."""
    active = row.get("active_flag") is True and row.get("is_deleted") is not True
    fields: dict[str, Value] = {"name": _text(row.get("name")), "email": _text(row.get("email")), "active": active}
    as_v2 = {**row, "add_time": row.get("created"), "update_time": row.get("modified") or row.get("created")}
    return plain_record(as_v2, Ref(connection, Kind.USER, str(row["id"])), fields)


def digest(data: Any) -> str:
    """Give a short fingerprint of a row: the same row, the same fingerprint."""
    return hashlib.sha256(dump_json(_sorted(data))).hexdigest()[:12]


def version_of(row: Row, updated: datetime) -> str:
    """Make a version: the time of the last edit, and a fingerprint because that time has only whole seconds."""
    return f"{stamp_of(updated)}-{digest(row)}"


def stamp_of(at: datetime) -> str:
    """Write the time of a version."""
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")


def _sorted(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _sorted(data[name]) for name in sorted(data)}
    return [_sorted(item) for item in data] if isinstance(data, list) else data


def plain_record(row: Row, ref: Ref, fields: dict[str, Value]) -> Record:
    """Make the record of anything but a deal."""
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
    status = STATUSES.get(str(row.get("status")))
    if status is None:
        problems.append(Problem("status", f"{row.get('status')!r} is no status that crmbridge knows"))
        return None
    if not is_id(pipeline) or not is_id(stage):
        problems.append(Problem("stage_id", "the deal stands in no stage"))
        return None
    return Position(str(pipeline), str(stage), status)


def _day(raw: Any) -> Value:
    if raw is None or raw == "":
        return None
    read = moment(raw)
    if read is None:
        raise ValueError(f"{raw!r} is not a date")
    return read.date()


def _contacts(row: Row, people: Collection[int]) -> tuple[str, ...]:
    main = [row["person_id"]] if is_id(row.get("person_id")) else []
    return tuple(sorted({str(person) for person in (*main, *people)}))


def _activity_times(row: Row, around: Surroundings) -> dict[str, Value]:
    """Say when the last activity took place and the next one is due, where the row names them at all."""
    found: dict[str, Value] = {}
    for native, name in TIMES:
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
