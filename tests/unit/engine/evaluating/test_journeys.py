"""Where a deal came back to, how its time was used, and how it ended."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.deals.visits import visits_of
from crmbridge.engine.evaluating.journeys import Ending, detours, ending_of, types_done, used_times
from crmbridge.model.findings import Visit
from crmbridge.model.records import Kind, Record, Status
from crmbridge.testing.factories import NOON, make_deal, make_moves, make_record, make_subject, make_visit

DAY = timedelta(days=1)


def subject(*steps: tuple[float, str]) -> Subject:
    """Give a deal that came to stages so many days ago."""
    times = [(NOON - days * DAY, stage) for days, stage in steps]
    return make_subject(*make_moves(*times), deal=make_deal(stage=times[-1][1], created_at=times[0][0]))


def visits(one: Subject) -> tuple[Visit, ...]:
    return visits_of(one.deal, one.moves, one.mapper)


def activity(days: float, *, done: bool = True, kind: str = "call") -> Record:
    """Make an activity of so many days ago."""
    return make_record(Kind.ACTIVITY, 1, fields={"type": kind, "done": done, "at": NOON - days * DAY})


@pytest.mark.parametrize(
    ("steps", "ending"),
    [
        ([(9, "qualification")], None),
        ([(9, "qualification"), (2, "lost")], Ending(Status.LOST, NOON - 2 * DAY)),
        ([(9, "qualification"), (2, "care")], Ending(Status.WON, NOON - 2 * DAY)),
        ([(9, "qualification"), (4, "lost"), (3, "proposal"), (1, "lost")], Ending(Status.LOST, NOON - DAY)),
    ],
)
def test_how_a_deal_ended(steps: list[tuple[float, str]], ending: Ending | None) -> None:
    """When it came to where it stands; it may have been opened again between."""
    one = subject(*steps)

    assert ending == ending_of(one, visits(one))


def test_an_ending_without_history_is_when_the_record_changed() -> None:
    """The latest that it can have been."""
    one = make_subject(deal=make_deal(stage="lost"))

    assert Ending(Status.LOST, NOON - DAY) == ending_of(one, visits(one))


def test_ways_there_and_back_are_found() -> None:
    """One each time that the deal comes back; not where it was lost between."""
    there = subject((9, "qualification"), (6, "proposal"), (5, "qualification"), (3, "proposal"))
    begins, ends = (9, "qualification"), (5, "qualification")
    others = [
        subject(begins, (6, "lost"), ends),
        subject(begins, (8, "lost"), (6, "proposal"), ends),
        subject(begins, (7, "proposal"), (6, "lost"), ends),
        subject(begins, (6, "proposal"), (5, "care")),
    ]
    found = list(detours(visits(there), NOON - 30 * DAY))

    assert [("qualification", "proposal", DAY), ("proposal", "qualification", 2 * DAY)] == [one[:3] for one in found]
    assert [] == [one for other in others for one in detours(visits(other), NOON - 30 * DAY)]
    assert 1 == len(list(detours(visits(there), NOON - 4 * DAY)))


@pytest.mark.parametrize(
    ("done", "working"),
    [
        ([], 0),
        ([9.5, 9.2], 1),  # the same day, counted from entering
        ([9.5, 8.5, 6.2], 3),
        ([6.1], 1),  # the last day is a whole one
        ([11, 5.5], 0),  # before and after the visit
    ],
)
def test_days_in_which_something_was_done_are_working_ones(done: list[float], working: float) -> None:
    """Of a visit of four days, from ten days ago to six."""
    visit = make_visit(entered_at=NOON - 10 * DAY, left_at=NOON - 6 * DAY)
    found = list(used_times([visit], [activity(days) for days in done], NOON - 30 * DAY, NOON))

    assert [(working, 4 - working)] == [(one.working, one.waiting) for one in found]


def test_a_part_of_a_day_counts_as_such() -> None:
    """A visit of six hours with a call is a quarter of a working day, and no waiting."""
    visit = make_visit(entered_at=NOON - DAY / 4)
    (one,) = used_times([visit], [activity(0.1)], NOON - 30 * DAY, NOON)

    assert (0.25, 0) == (one.working, one.waiting)

    longer = make_visit(entered_at=NOON - DAY * 5 / 4)
    (one,) = used_times([longer], [activity(0.1)], NOON - 30 * DAY, NOON)

    assert (0.25, 1) == (one.working, one.waiting)


def test_visits_that_ended_before_are_left_out() -> None:
    """And so is one that has not begun."""
    over = make_visit(entered_at=NOON - 50 * DAY, left_at=NOON - 40 * DAY)
    ahead = make_visit(entered_at=NOON + DAY)

    assert [] == list(used_times([over, ahead], [], NOON - 30 * DAY, NOON))


def test_types_are_of_what_was_done_until_then() -> None:
    """Not of what is planned, or was done later."""
    every = [activity(5, kind="call"), activity(4, kind="meeting", done=False), activity(1, kind="email")]
    until: datetime = NOON - 2 * DAY

    assert {"call"} == types_done(every, until)
