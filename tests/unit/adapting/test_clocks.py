"""Telling that a clock was put to another time, by how far two of them are apart."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from crmbridge.adapting import apart, put_back

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("ours", "theirs", "back"),
    [
        (2 * HOUR, 2 * HOUR, timedelta(0)),
        (2 * HOUR, HOUR, HOUR),
        (2 * HOUR, 3 * HOUR, timedelta(0)),
        (2 * HOUR, timedelta(0), 2 * HOUR),
        (-HOUR, -HOUR, timedelta(0)),
        (-HOUR, 2 * HOUR, timedelta(0)),
        (timedelta(seconds=60), timedelta(0), timedelta(0)),
        (timedelta(seconds=61), timedelta(0), timedelta(seconds=61)),
        (timedelta(days=20_000), HOUR, timedelta(days=1)),
    ],
)
def test_only_a_clock_of_theirs_that_went_back_counts(ours: timedelta, theirs: timedelta, back: timedelta) -> None:
    """Or one of ours that went forward, which looks the same; a minute is none, and a day is the most."""
    began = apart(NOON, NOON - HOUR)

    assert back == put_back(began, apart(NOON + ours, NOON - HOUR + theirs))


def test_where_nobody_said_the_time_nothing_is_known() -> None:
    """Neither of a CRM whose answers have none, nor of a cursor that an earlier version wrote."""
    assert {timedelta(0)} == {put_back(None, 9999), put_back(0, None), put_back(None, None)}
