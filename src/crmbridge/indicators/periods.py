"""Periods: months, quarters and years as numbers counted from 1970, and how they are written."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from crmbridge.indicators.options import Period

MONTHS = {Period.MONTH: 1, Period.QUARTER: 3, Period.YEAR: 12}
_EPOCH = 1970


def number_of(moment: datetime, period: Period, timezone: str) -> int:
    """Give the number of the period that a moment lies in, in a time zone."""
    local = moment.astimezone(ZoneInfo(timezone))
    return ((local.year - _EPOCH) * 12 + local.month - 1) // MONTHS[period]


def start_of(number: int, period: Period, timezone: str) -> datetime:
    """Give the moment at which a period begins, in UTC."""
    year, month = divmod(number * MONTHS[period], 12)
    return datetime(_EPOCH + year, month + 1, 1, tzinfo=ZoneInfo(timezone)).astimezone(UTC)


def written(number: int, period: Period) -> str:
    """Write a period: 2026-11, 2026-Q4 or 2026."""
    per_year = 12 // MONTHS[period]
    year, part = _EPOCH + number // per_year, number % per_year + 1
    return {Period.MONTH: f"{year}-{part:02}", Period.QUARTER: f"{year}-Q{part}", Period.YEAR: f"{year}"}[period]
