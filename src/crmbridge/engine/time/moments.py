"""Moments: when and where a deal is judged, what today is there, and what is some time away."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta, tzinfo

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def shifted(at: datetime, by: timedelta) -> datetime:
    """Give the moment that is some time away, or the first or last there is: no calendar goes past the year 9999."""
    try:
        return at + by
    except OverflowError:
        return LAST if by > timedelta() else FIRST


class Moment:
    """A moment and the zone in which days begin and end. `today` is computed once, when it is asked for.

    `case` is what is judged then, for checks that look at more than the deal's fields.
    """

    __slots__ = ("_today", "case", "now", "zone")

    def __init__(self, now: datetime, zone: tzinfo = UTC, case: object = None) -> None:
        self.now = now
        self.zone = zone
        self.case = case
        self._today: date | None = None

    @property
    def today(self) -> date:
        """The day of the moment."""
        if self._today is None:
            self._today = self.day(self.now)
        return self._today

    @property
    def tomorrow(self) -> datetime:
        """When the next day begins."""
        return self.beginning(self.today + timedelta(days=1))

    def day(self, value: date | datetime) -> date:
        """Give the day of a date or of a moment."""
        return value.astimezone(self.zone).date() if isinstance(value, datetime) else value

    def beginning(self, day: date) -> datetime:
        """Give the moment at which a day begins."""
        return datetime.combine(day, time.min, tzinfo=self.zone).astimezone(UTC)
