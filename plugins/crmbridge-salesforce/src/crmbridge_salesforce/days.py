"""Days in an org's time zone: of a moment, when they begin, and a moment that is in one for everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

_MIDNIGHT, _NOON = time(0), time(12)
_FAR_EAST = timedelta(hours=12)  # from here on noon in UTC is the next day


def zone_of(rows: Sequence[Mapping[str, Any]]) -> tzinfo:
    """Read the org's zone off its one row; UTC where it says none, or one that is not known here."""
    try:
        return ZoneInfo(str(rows[0]["TimeZoneSidKey"]))
    except (LookupError, ValueError, OSError):  # a zone that is not found is a LookupError, too
        return UTC


def day_in(zone: tzinfo, at: datetime) -> date:
    """Give the day that a moment is in; at the ends of the calendar, where the zone has none, the one in UTC."""
    try:
        return at.astimezone(zone).date()
    except OverflowError:
        return at.astimezone(UTC).date()


def beginning(zone: tzinfo, day: date) -> datetime:
    """Give when a day begins, in UTC."""
    try:
        return datetime.combine(day, _MIDNIGHT, zone).astimezone(UTC)
    except OverflowError:
        return datetime.combine(day, _MIDNIGHT, UTC)


def time_of(zone: tzinfo, day: date) -> datetime:
    """Give a time for a day that is kept as one: in UTC, by which it is read back, and in a zone it is that day.

    Noon in UTC is the same day nearly everywhere, and its midnight is so where noon is not.
    """
    offset = zone.utcoffset(datetime.combine(day, _NOON))
    return datetime.combine(day, _MIDNIGHT if offset and offset >= _FAR_EAST else _NOON, UTC)
