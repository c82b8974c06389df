"""The standard fields of deals: of many rows column by column, and of one row with all that may be wrong in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from crmbridge.adapting import WRITERS, Pieces, spread, without_value, write_amounts, write_any, write_plain
from crmbridge.model.records import STANDARD_FIELDS, Kind, Problem
from crmbridge.model.values import FieldType, Money, Value
from crmbridge_pipedrive.api import Row, is_id
from crmbridge_pipedrive.own_fields import OPTIONS, TEXTS, days, finite, must_be
from crmbridge_pipedrive.values import currency_of, decimal, moment

# Built-in fields that are only sent when asked for. What people do around a deal changes them without editing the
# deal, so they are no part of its version.
COUNTS: Mapping[str, str] = {
    "activities_count": "activities",
    "done_activities_count": "activities_done",
    "undone_activities_count": "activities_open",
}
TIMES = (("last_activity_id", "last_activity_at"), ("next_activity_id", "next_activity_at"))
# All fields that a deal may have beside its own, with nothing in them.
STANDARD: dict[str, Value] = dict.fromkeys(STANDARD_FIELDS[Kind.DEAL])


class Surroundings(Struct, frozen=True, kw_only=True):
    """What was read beside a page of deals: activities by id, and the contacts of deals that have several."""

    activities: Mapping[int, Row] = field(default_factory=dict)
    contacts: Mapping[int, Collection[int] | None] = field(default_factory=dict)  # None: they may not be read


NOTHING = Surroundings()


class StandardFields:
    """Reads the standard fields of one connection's deals.

    `channels` are the labels of marketing channels, `currency` stands in where a deal says none.
    """

    def __init__(self, channels: Mapping[str, str], currency: str | None) -> None:
        self._channels = channels
        self._currency = currency

    def columns(
        self, rows: Sequence[Row], around: Surroundings
    ) -> tuple[dict[str, Pieces], dict[str, Sequence[Value]]]:
        """Read and write the fields of rows of one layout, and give the values of those that SQL reads, too.

        Raises one of `crmbridge.adapting`'s UNUSUAL where a row is not as usual.
        """
        names = _texts(rows, "title")
        owners, companies = _ids(rows, "owner_id"), _ids(rows, "org_id")
        amounts = self._amounts(rows)
        closing = _days(rows, "expected_close_date")
        pieces = {
            "name": _column("name", FieldType.TEXT, names),
            "owner": _column("owner", FieldType.TEXT, owners),
            "company": _column("company", FieldType.TEXT, companies),
            "lost_reason": _column("lost_reason", FieldType.TEXT, _texts(rows, "lost_reason")),
            "contacts": WRITERS[FieldType.CHOICES]("contacts", [_all_contacts(row, around) for row in rows]),
            "source": self._sources(rows),
            "amount": _money(amounts),
            "close_date": _column("close_date", FieldType.DATE, closing),
        }
        pieces |= {name: _counts(rows, native, name) for native, name in COUNTS.items()}
        pieces |= {name: _times(rows, native, name, around) for native, name in TIMES}
        return pieces, {"name": names, "amount": amounts, "owner": owners, "close_date": closing}

    def _sources(self, rows: Sequence[Row]) -> Pieces:
        if "channel" not in rows[0]:
            return [""] * len(rows)
        channels = (row["channel"] for row in rows)
        values = [None if each is None else self._channels.get(str(each), str(each)) for each in channels]
        return _column("source", FieldType.TEXT, values)

    def _amounts(self, rows: Sequence[Row]) -> list[Money | None]:
        raws = [_entered(row) for row in rows]
        numbers = iter(finite([raw for raw in raws if raw is not None]))
        return [
            None if raw is None else Money(next(numbers), currency_of(row.get("currency"), self._currency))
            for raw, row in zip(raws, rows, strict=True)
        ]

    def fill(self, values: dict[str, Value], row: Row, around: Surroundings, problems: list[Problem]) -> None:
        """Fill in the standard fields; the ones that the row does not tell, or that can't be read, are taken out."""
        get = row.get
        for name, native, read in PLAIN:
            try:
                values[name] = read(_said(row, native))
            except ValueError as error:  # not as if it were empty: that would be carried over
                del values[name]
                problems.append(Problem(native, str(error), name))
        try:
            values["contacts"] = _all_contacts(row, around)
        except ValueError as error:
            del values["contacts"]
            problems.append(Problem("participants", str(error), "contacts"))
        if "channel" in row:
            channel = row["channel"]
            values["source"] = None if channel is None else self._channels.get(str(channel), str(channel))
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
            problems.append(Problem("value", str(error), "amount"))
        try:
            values["close_date"] = day_of(_said(row, "expected_close_date"))
        except ValueError as error:
            del values["close_date"]
            problems.append(Problem("expected_close_date", str(error), "close_date"))
        for native, name in TIMES:
            _fill_activity_time(values, row, around, native, name)

    def _amount(self, row: Row) -> Value:
        value = _entered(row)
        if value is None:
            return None
        return Money(decimal(value), currency_of(row.get("currency"), self._currency))


def _entered(row: Row) -> Any:
    """Give the amount as it comes; a deal for which nobody entered one has 0, so 0 is none."""
    value = _said(row, "value")
    return None if value == 0 else value


def _said(row: Row, native: str) -> Any:
    """Give what a deal says of a field; raises ValueError where it comes without it, as what is empty is null."""
    if native not in row:
        raise ValueError("the deal came without it")
    return row[native]


# ── Column by column ────────────────────────────────────────────────────────────────────────────────────


def _column(name: str, kind: FieldType, values: Sequence[Any]) -> Pieces:
    found = [value for value in values if value is not None]
    return spread(WRITERS[kind](name, found), [value is not None for value in values], without_value(name))


def _texts(rows: Sequence[Row], native: str) -> list[Any]:
    raws = [row[native] for row in rows]
    must_be(TEXTS, raws)
    return raws


def _ids(rows: Sequence[Row], native: str) -> list[str | None]:
    raws = [row[native] for row in rows]
    must_be(OPTIONS, raws)
    return [None if raw is None else str(raw) for raw in raws]


def _days(rows: Sequence[Row], native: str) -> list[date | None]:
    raws = _texts(rows, native)
    found = iter(days([raw for raw in raws if raw]))
    return [next(found) if raw else None for raw in raws]


def _money(amounts: Sequence[Money | None]) -> Pieces:
    found = [each for each in amounts if each is not None]
    written = write_amounts("amount", [each.amount for each in found], [each.currency for each in found])
    return spread(written, [each is not None for each in amounts], without_value("amount"))


def _counts(rows: Sequence[Row], native: str, name: str) -> Pieces:
    raws = [row.get(native) for row in rows]
    must_be(OPTIONS, raws)
    return spread(write_plain(name, [raw for raw in raws if raw is not None]), [raw is not None for raw in raws], "")


def _all_contacts(row: Row, around: Surroundings) -> tuple[str, ...]:
    people = around.contacts.get(row["id"], ())
    if people is None:
        raise ValueError("the deal's contacts could not be read")
    return _contacts(row, people)


def _times(rows: Sequence[Row], native: str, name: str, around: Surroundings) -> Pieces:
    if native in rows[0] and not any(row[native] is not None for row in rows):  # no activity is named
        return [without_value(name)] * len(rows)
    return [_time(row, native, name, around) for row in rows]


def _time(row: Row, native: str, name: str, around: Surroundings) -> str:
    values: dict[str, Value] = {name: None}
    _fill_activity_time(values, row, around, native, name)
    return write_any(name, [values[name]])[0] if values else ""


# ── Row by row ──────────────────────────────────────────────────────────────────────────────────────────


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
    main = reference_in(_said(row, "person_id"))
    if not is_id(row.get("participants_count")):
        raise ValueError("it is not told how many contacts the deal has")
    known = {str(person) for person in people}
    return tuple(sorted(known if main is None else {main, *known}))


def _fill_activity_time(values: dict[str, Value], row: Row, around: Surroundings, native: str, name: str) -> None:
    """Say when the last activity took place, or the next one is due, where the row names one at all."""
    number = row.get(native)
    activity = around.activities.get(number) if is_id(number) else None
    if activity is not None:
        values[name] = activity_time(activity) if activity else None
    elif number is not None or native not in row:
        del values[name]


def activity_time(row: Row) -> datetime | None:
    """Say when an activity is due, or when it was done, where that was before it was due, or on the day it was due.

    One that was marked as done later is taken to have happened when it was due, and was noted afterwards. Without a
    time of day that is the start of the day. That
    it was marked is in `marked_as_done_time` ("Activities", API v2).
    """
    done = moment(row.get("marked_as_done_time")) if row.get("done") is not False else None
    day = moment(row.get("due_date"))
    if day is None:
        return done
    due = _due(row, day)
    in_time = timedelta(days=1) if due == day else timedelta(0)
    return done if done is not None and done - due < in_time else due


def _due(row: Row, day: datetime) -> datetime:
    """Say when on its day an activity is due. Due times are in UTC ("Activities", API v1)."""
    hours, minutes, seconds = (*str(row.get("due_time") or "0:0").split(":"), "0", "0")[:3]
    if not (hours + minutes + seconds).isdecimal():
        return day
    try:
        return day + timedelta(hours=int(hours), minutes=int(minutes), seconds=int(seconds))
    except (OverflowError, ValueError):  # no time of day at all, beyond the last year or of thousands of digits
        return day


def text_in(raw: Any) -> str | None:
    """Read a text, or a number as one; raises ValueError for anything else."""
    if raw is not None and text_of(raw) is None:
        raise ValueError(f"{raw!r:.80} is no text")
    return text_of(raw)


def reference_in(raw: Any) -> str | None:
    """Read an id, which v1 and webhooks send as an object that holds it; raises ValueError for anything else."""
    number = raw.get("id", raw.get("value")) if isinstance(raw, dict) else raw
    if number is None and raw is None:
        return None
    if is_id(number) or (isinstance(number, str) and _NUMBER.fullmatch(number)):
        return str(number)
    raise ValueError(f"{raw!r:.80} is no id")


_NUMBER = re.compile(r"[1-9][0-9]{0,17}")
# Fields that hold just what stands there.
PLAIN: tuple[tuple[str, str, Callable[[Any], str | None]], ...] = (
    ("name", "title", text_in),
    ("owner", "owner_id", reference_in),
    ("company", "org_id", reference_in),
    ("lost_reason", "lost_reason", text_in),
)


def text_of(raw: Any) -> str | None:
    """Read a text, or a number as one; None for anything else."""
    if raw is None or isinstance(raw, str):
        return raw
    return str(raw) if isinstance(raw, int | Decimal) and not isinstance(raw, bool) else None


def id_text(raw: Any) -> str | None:
    """Read an id as text; None for anything else."""
    return str(raw) if is_id(raw) else None
