"""Pace: what a person who watches is told of how it goes on."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crmbridge.sandbox.clock import VirtualClock
from crmbridge.services.pull.pace import Pace
from crmbridge.testing.factories import NOON


@pytest.fixture
def clock() -> VirtualClock:
    """Give a clock that stands still."""
    return VirtualClock(NOON)


def test_it_says_how_many_how_fast_and_how_long(clock: VirtualClock) -> None:
    """As soon as there is a total."""
    pace = Pace(clock, "deals", 20_000)
    clock.sleep(5)
    pace.add(12_000)

    assert "12,000 of ~20,000 deals, 2,400/s, 3 s left" == str(pace)


def test_nothing_is_said_that_is_not_known(clock: VirtualClock) -> None:
    """No rate in the first moment, no rest without a total, and no total that turned out to be wrong."""
    pace = Pace(clock)
    pace.add(100)
    assert "100 records" == str(pace)

    clock.sleep(40)
    assert "100 records, 2.5/s" == str(pace)

    pace.total = 90
    assert "100 records, 2.5/s" == str(pace)

    pace.total = 100
    assert "100 of ~100 records, 2.5/s" == str(pace)


def test_the_first_page_brings_a_rate(clock: VirtualClock) -> None:
    """People see how long it takes with the first deals that came, a network's turn after they were asked for."""
    pace = Pace(clock, "deals", 20_000)
    clock.sleep(0.08)
    pace.add(100)

    assert "100 of ~20,000 deals, 1,250/s, 16 s left" == str(pace)


def test_the_rate_is_that_of_late(clock: VirtualClock) -> None:
    """A wait an hour ago does not spoil what is said now; one that goes on does."""
    pace = Pace(clock, total=10_000)
    clock.sleep(3600)
    for _ in range(60):
        clock.sleep(1)
        pace.add(50)
    assert "3,000 of ~10,000 records, 50/s, 2 min left" == str(pace)

    clock.sleep(30)
    assert "3,000 of ~10,000 records, 25/s, 5 min left" == str(pace)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.2, "1 s"), (99, "99 s"), (100, "2 min"), (5400, "90 min"), (9000, "2 h 30 min"), (172_800, "48 h 0 min")],
)
def test_times_are_said_as_people_do(clock: VirtualClock, seconds: float, said: str) -> None:
    """In seconds, minutes or hours."""
    pace = Pace(clock, total=1_000_000)
    clock.sleep(1)
    pace.add(500_000)
    pace.total = 500_000 + round(seconds * 500_000)

    assert str(pace).endswith(f", {said} left")


def test_what_was_begun_before_is_counted_from_then(clock: VirtualClock) -> None:
    """The first page may lie ready when it is asked for; once something was counted, the beginning stays."""
    clock.sleep(2)
    pace = Pace(clock, "deals", 20_000)
    pace.began(NOON)
    pace.add(1_000)
    assert "1,000 of ~20,000 deals, 500/s, 38 s left" == str(pace)

    pace.began(NOON - timedelta(days=1))
    pace.began(clock.now())
    assert "1,000 of ~20,000 deals, 500/s, 38 s left" == str(pace)
