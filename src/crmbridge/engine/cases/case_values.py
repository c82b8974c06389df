"""What is written in a case, as values and moments: each field's type says what its text or number stands for."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal, InvalidOperation

from crmbridge.engine.time.calendars import CompiledCalendar, add_business_time, business_time, length
from crmbridge.model.cases import CaseValue, When
from crmbridge.model.values import FieldType, Money, Value

NO_CURRENCY = "XXX"  # ISO 4217's code for amounts without one
_MONEY = re.compile(r"([-+]?[0-9][0-9,]*(?:\.[0-9]+)?)(?:\s+([A-Z]{3}))?")
_LONGEST = timedelta(days=6 * 366)  # how far back business time is looked for


def moment_of(when: When, now: datetime, calendar: CompiledCalendar | None) -> datetime:
    """Give the moment that a case speaks of; a day begins at midnight in the calendar's zone, else in UTC.

    Raises ValueError for business time without a calendar, or more of it than there was.
    """
    if when.offset is None:
        return now_of(when, calendar)
    if when.offset.is_business:
        if calendar is None:
            raise ValueError(f"{when.offset} is business time, and the process has no calendar to count it in")
        amount = length(when.offset, calendar)
        found = add_business_time(calendar, now, amount) if when.ahead else _earlier(calendar, now, amount)
        if found is None:
            raise ValueError(f"{when.offset} is more time than the calendar is open for")
        return found
    amount = length(when.offset, calendar)
    return now + amount if when.ahead else now - amount


def now_of(when: When, calendar: CompiledCalendar | None) -> datetime:
    """Give the moment at which a case is looked at; raises ValueError for one that counts from another."""
    if when.fixed is None:
        raise ValueError("now must be a day or a time")
    return _beginning(when.fixed, calendar)


def value_of(written: CaseValue, kind: FieldType, now: datetime, calendar: CompiledCalendar | None) -> Value:
    """Give the value of a field of this type from how it is written; raises ValueError when it can't be one."""
    if written is None:
        return None
    if kind in {FieldType.DATE, FieldType.DATETIME}:
        return _time(written, kind, now, calendar)
    return _READERS.get(kind, _text)(written)


def _beginning(fixed: date | datetime, calendar: CompiledCalendar | None) -> datetime:
    if isinstance(fixed, datetime):
        return fixed
    return datetime.combine(fixed, time(0), tzinfo=calendar.zone if calendar else UTC).astimezone(UTC)


def _earlier(calendar: CompiledCalendar, now: datetime, amount: timedelta) -> datetime | None:
    """Give the latest second from which so much open time has passed until now."""
    if business_time(calendar, now - _LONGEST, now) < amount:
        return None
    low, high = 0, int(_LONGEST.total_seconds())  # seconds back: at `low` too little has passed, or it is the answer
    while low < high:
        middle = (low + high) // 2
        if business_time(calendar, now - timedelta(seconds=middle), now) >= amount:
            high = middle
        else:
            low = middle + 1
    return now - timedelta(seconds=low)


def _time(written: CaseValue, kind: FieldType, now: datetime, calendar: CompiledCalendar | None) -> Value:
    if not isinstance(written, str):
        raise ValueError(f"a {kind} must stand here, such as 2026-06-10 or 3d ago")  # noqa: TRY004  it is the file's fault
    moment = moment_of(When.parse(written), now, calendar)
    if kind is FieldType.DATETIME:
        return moment
    return moment.astimezone(calendar.zone if calendar else UTC).date()


def _number(written: CaseValue) -> Value:
    if isinstance(written, bool) or not isinstance(written, int | Decimal):
        raise ValueError("a number must stand here")  # noqa: TRY004  it is the file's fault
    return Decimal(written)


def _money(written: CaseValue) -> Value:
    if isinstance(written, int | Decimal) and not isinstance(written, bool):
        return Money(Decimal(written), NO_CURRENCY)
    match = _MONEY.fullmatch(written) if isinstance(written, str) else None
    if match is None:
        raise ValueError("an amount must stand here, such as 12000 or 12000 EUR")
    try:
        return Money(Decimal(match[1].replace(",", "")), match[2] or NO_CURRENCY)
    except InvalidOperation:  # pragma: no cover  the pattern lets only numbers through
        raise ValueError("an amount must stand here") from None


def _bool(written: CaseValue) -> Value:
    if not isinstance(written, bool):
        raise ValueError("true or false must stand here")  # noqa: TRY004  it is the file's fault
    return written


def _choices(written: CaseValue) -> Value:
    return tuple(sorted(written)) if isinstance(written, tuple) else (str(written),)


def _text(written: CaseValue) -> Value:
    if isinstance(written, bool | tuple):
        raise ValueError("text must stand here")  # noqa: TRY004  it is the file's fault
    return str(written)


_READERS: Mapping[FieldType, Callable[[CaseValue], Value]] = {
    FieldType.NUMBER: _number,
    FieldType.MONEY: _money,
    FieldType.BOOL: _bool,
    FieldType.CHOICES: _choices,
}
