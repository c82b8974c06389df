"""Pipedrive's rows as canonical records and tombstones."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from crmbridge.model.records import STANDARD_FIELDS, Kind, Position, Problem, Record, Ref, Status, Tombstone
from crmbridge.model.values import Money, Value
from crmbridge_pipedrive.account import DealFields
from crmbridge_pipedrive.api import Row, is_id
from crmbridge_pipedrive.layouts import Layout, Pick, values_of
from crmbridge_pipedrive.own_fields import Arranged, OwnFields
from crmbridge_pipedrive.prints import digest, version_of
from crmbridge_pipedrive.values import currency_of, decimal, moment

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
# All fields that a deal may have beside its own, with nothing in them.
STANDARD: dict[str, Value] = dict.fromkeys(STANDARD_FIELDS[Kind.DEAL])
A_PLACE = (int, int, str)
ALL_STATUSES = "open,won,lost,deleted"  # without being asked, a list leaves the deleted ones out
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
        self._own = OwnFields(fields.bound, currency)
        self._names: dict[str, Value] = STANDARD | dict.fromkeys(self._own.names)
        self._key = fields.key.code if fields.key else None
        self._arranged = self._arrange(Layout.of({}, {}))
        self._positions: dict[tuple[Any, ...], Position] = {}

    def record(self, row: Row, around: Surroundings = NOTHING) -> Record:
        """Read one deal; values that can't be read become problems and are left out."""
        problems: list[Problem] = []
        custom = row.get("custom_fields")
        hashes: Row = custom if isinstance(custom, dict) else {}
        in_places, arranged = values_of(row, hashes), self._arranged
        if not arranged.layout.is_of(row, hashes):
            arranged = self._arranged = self._arrange(Layout.of(row, hashes))
        own = self._own.at_once(in_places, arranged.own)
        values = (STANDARD if own is None else self._names).copy()  # many fields one by one would let it grow often
        self._fill_standard(values, row, around, problems)
        if own is None:
            values |= self._own.one_by_one(row, hashes, problems)
        else:
            values.update(zip(self._own.names, own, strict=True))
        updated = _updated(row, problems)
        number = str(row["id"])
        return Record(
            ref=Ref(self._connection, Kind.DEAL, number),
            fields=values,
            version=version_of((arranged.named, arranged.counting(in_places)), updated),
            created_at=moment(row.get("add_time")),
            updated_at=updated,
            position=self._position(row, problems),
            key=(_text(hashes.get(self._key)) or None) if self._key else None,
            url=self._link + number if self._link else None,
            problems=tuple(problems),
        )

    def _arrange(self, layout: Layout) -> _Arrangement:
        names, counting = layout.counting(UNVERSIONED)
        return _Arrangement(layout, digest(names), counting, self._own.arranged(layout))

    def _fill_standard(self, values: dict[str, Value], row: Row, around: Surroundings, problems: list[Problem]) -> None:
        """Fill in the standard fields; the ones that the row does not tell, or that can't be read, are taken out."""
        get = row.get
        values["name"] = _text(get("title"))
        values["owner"] = _id_text(get("owner_id"))
        values["company"] = _id_text(get("org_id"))
        values["lost_reason"] = _text(get("lost_reason"))
        people = around.contacts.get(row["id"], ())
        if people is None:
            del values["contacts"]
            problems.append(Problem("participants", "the deal's contacts could not be read"))
        else:
            values["contacts"] = _contacts(row, people)
        if "channel" in row:
            channel = row["channel"]
            values["source"] = None if channel is None else self.fields.channels.get(str(channel), str(channel))
        else:
            del values["source"]
        for count, name in COUNTS.items():
            if is_id(number := get(count)):
                values[name] = number
            else:
                del values[name]
        try:
            values["amount"] = self._amount(row)
        except ValueError as error:
            del values["amount"]
            problems.append(Problem("value", str(error)))
        try:
            values["close_date"] = day_of(get("expected_close_date"))
        except ValueError as error:
            del values["close_date"]
            problems.append(Problem("expected_close_date", str(error)))
        _fill_activity_times(values, row, around)

    def _amount(self, row: Row) -> Value:
        value = row.get("value")
        if value is None:
            return None
        return Money(decimal(value), currency_of(row.get("currency"), self._currency))

    def _position(self, row: Row, problems: list[Problem]) -> Position | None:
        """Give where a deal stands; deals share few positions, so each is made once."""
        place = (row.get("pipeline_id"), row.get("stage_id"), row.get("status"))
        if tuple(map(type, place)) != A_PLACE:  # True equals 1, and is no id
            return _position(row, problems)
        found = self._positions.get(place)
        if found is None and (found := _position(row, problems)) is not None:
            self._positions[place] = found
        return found


class _Arrangement(NamedTuple):
    """How rows of one layout are read."""

    layout: Layout
    named: str  # a fingerprint of the names whose values count: made once, as most rows have the same
    counting: Pick
    own: Arranged


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


def plain_record(row: Row, ref: Ref, fields: dict[str, Value]) -> Record:
    """Make the record of anything but a deal. Only notes tell who changed them last ("Notes: Get all notes")."""
    problems: list[Problem] = []
    updated = _updated(row, problems)
    return Record(
        ref=ref,
        fields=fields,
        version=version_of(row, updated),
        created_at=moment(row.get("add_time")),
        updated_at=updated,
        updated_by=_id_text(row.get("last_update_user_id")),
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


def day_of(raw: Any) -> Value:
    """Read a date, which may come with a time of day; raises ValueError for anything else."""
    if raw is None or raw == "":
        return None
    try:
        return date.fromisoformat(raw)
    except (TypeError, ValueError):  # perhaps with a time of day
        read = moment(raw)
    if read is None:
        raise ValueError(f"{raw!r} is not a date")
    return read.date()


def _contacts(row: Row, people: Collection[int]) -> tuple[str, ...]:
    main = (row["person_id"],) if is_id(row.get("person_id")) else ()
    if not people:
        return tuple(map(str, main))
    return tuple(sorted({str(person) for person in (*main, *people)}))


def _fill_activity_times(values: dict[str, Value], row: Row, around: Surroundings) -> None:
    """Say when the last activity took place and the next one is due, where the row names them at all."""
    for native, name in TIMES:
        number = row.get(native)
        activity = around.activities.get(number) if is_id(number) else None
        if activity is not None:
            values[name] = activity_time(activity) if activity else None
        elif number is not None or native not in row:
            del values[name]


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
    if raw is None or isinstance(raw, str):
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
