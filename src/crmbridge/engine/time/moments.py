"""Moments some time from others, whatever dates a CRM holds: no calendar goes on after the year 9999."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)


def shifted(at: datetime, by: timedelta) -> datetime:
    """Give the moment that is some time away, or the first or last one there is."""
    try:
        return at + by
    except OverflowError:
        return LAST if by > timedelta() else FIRST
