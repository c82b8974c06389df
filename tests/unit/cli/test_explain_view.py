"""How an explanation speaks of time."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crmbridge.cli.explain_view import agreed, left_of, length, pauses_of
from crmbridge.cli.speech import english
from crmbridge.model.business_time import Duration
from crmbridge.testing.factories import NOON, make_clock, make_process


@pytest.mark.parametrize(
    ("hours", "says"),
    [
        (0, "0 min"),
        (0.5, "30 min"),
        (3, "3 h"),
        (3.5, "3 h 30 min"),
        (8, "1 business day"),
        (19.75, "2 business days 3 h"),
    ],
)
def test_business_time_is_counted_in_the_calendars_days(hours: float, says: str) -> None:
    """A business day has eight hours here."""
    assert says == length(timedelta(hours=hours), make_clock(), make_process(), english())


def test_plain_time_is_counted_in_whole_days() -> None:
    """An SLA in hours runs through the night."""
    clock = make_clock(limit=Duration.parse("36h"))

    assert "1 day 12 h" == length(timedelta(hours=36), clock, make_process(), english())


@pytest.mark.parametrize(
    ("elapsed", "says"),
    [(8, "4 business days of the SLA left"), (48, "SLA over by 1 business day"), (40, "0 min of the SLA left")],
)
def test_what_is_left_or_over_is_said(elapsed: int, says: str) -> None:
    """Exactly the goal is not over."""
    assert says == left_of(make_clock(elapsed=timedelta(hours=elapsed)), make_process(), english())


def test_it_is_said_when_a_clock_stood_still() -> None:
    """Each time, also the one that goes on; of a clock that never did, nothing."""
    hour = timedelta(hours=1)
    paused = make_clock(pauses=((NOON - 5 * hour, NOON - 3 * hour), (NOON - hour, None)))

    assert "paused 2026-06-10 07:00 to 2026-06-10 09:00, 2026-06-10 11:00 to now" == pauses_of(paused, english())
    assert "" == pauses_of(make_clock(), english())


def test_what_was_agreed_on_is_cut_as_the_values_beside_it_are() -> None:
    """Each side's, where a CRM keeps less of it than another."""
    said = agreed(["Amber Mills: " + "rollout " * 30, "Amber Mills"], english())

    assert "Amber Mills: rollout rollout rollou…, Amber Mills" == said
