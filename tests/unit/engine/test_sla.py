"""SLA clocks run, warn and stop."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.calendars import compile_calendar
from crmbridge.engine.sla import Limit, clock, clocks, handoff_limit, limit_of, stage_limit
from crmbridge.model.business_time import Duration
from crmbridge.model.findings import Place, SlaClock, SlaState, Visit
from crmbridge.model.process import Process
from crmbridge.model.records import Status
from crmbridge.model.values import Value
from crmbridge.testing.factories import make_calendar, make_process, make_stage, make_visit

HOUR = timedelta(hours=1)
MONDAY = datetime(2026, 6, 8, 9, tzinfo=UTC)  # when the office opens
TICK = timedelta(microseconds=1)


def process_with(**stage: Any) -> Process:
    """Make a process whose first stage is laid out like this."""
    stages = [make_stage("qualification", **stage), make_stage("proposal"), make_stage("care", status="won")]
    return make_process(stages=stages)


def run(visit: Visit, now: datetime, limit: Limit | None = None, process: Process | None = None) -> SlaClock:
    """Measure one visit; the usual limit is ten business hours with a warning at 80 %."""
    calendars = {name: compile_calendar(c, ()) for name, c in (process or make_process()).calendars.items()}
    usual = Limit("qualification.sla", Duration.parse("10bh"), "office", Decimal("0.8"))
    return clock(visit, limit or usual, calendars, now)


@pytest.mark.parametrize(
    ("hours", "state"),
    [
        (0 * HOUR, SlaState.ON_TIME),
        (8 * HOUR - TICK, SlaState.ON_TIME),
        (8 * HOUR, SlaState.AT_RISK),  # Monday 17:00
        (25 * HOUR, SlaState.AT_RISK),  # Tuesday 10:00
        (26 * HOUR, SlaState.AT_RISK),  # Tuesday 11:00: exactly the goal is still on time
        (26 * HOUR + TICK, SlaState.BREACHED),
        (100 * HOUR, SlaState.BREACHED),
    ],
)
def test_a_running_clock_goes_from_on_time_to_breached(hours: timedelta, state: SlaState) -> None:
    """It is at risk from the warning on, and breached only once it is past the goal."""
    measured = run(make_visit(entered_at=MONDAY), MONDAY + hours)

    assert state is measured.state
    assert measured.running
    assert MONDAY + 26 * HOUR == measured.due_at


def test_a_closed_clock_is_measured_to_the_end_of_its_visit() -> None:
    """What happens later changes nothing, and there is nothing left to be at risk."""
    late = MONDAY + timedelta(days=30)
    in_time = run(make_visit(entered_at=MONDAY, left_at=MONDAY + 26 * HOUR), late)
    too_late = run(make_visit(entered_at=MONDAY, left_at=MONDAY + 26 * HOUR + TICK), late)

    assert (10 * HOUR, SlaState.ON_TIME) == (in_time.elapsed, in_time.state)
    assert (10 * HOUR + TICK, SlaState.BREACHED) == (too_late.elapsed, too_late.state)


def test_the_lowest_share_is_the_one_that_warns() -> None:
    """A second warning brings no new state."""
    process = process_with(sla={"goal": "10bh", "calendar": "office", "warn_at": ["90%", "50%"]})
    limit = stage_limit(process.stages[0])

    assert limit is not None
    assert SlaState.AT_RISK is run(make_visit(entered_at=MONDAY), MONDAY + 5 * HOUR, limit).state


def test_without_a_share_nothing_warns() -> None:
    """The clock is on time until it is breached."""
    limit = Limit("qualification.sla", Duration.parse("10bh"), "office", None)

    assert SlaState.ON_TIME is run(make_visit(entered_at=MONDAY), MONDAY + 26 * HOUR, limit).state


def test_a_visit_that_begins_in_the_future_has_not_used_anything() -> None:
    """The CRM's clock may be ahead of ours."""
    measured = run(make_visit(entered_at=MONDAY + 3 * HOUR), MONDAY)

    assert (timedelta(0), SlaState.ON_TIME) == (measured.elapsed, measured.state)


def test_plain_units_need_no_opening_hours() -> None:
    """A goal in hours runs through the night."""
    limit = Limit("qualification.sla", Duration.parse("10h"), "office", None)

    assert SlaState.BREACHED is run(make_visit(entered_at=MONDAY), MONDAY + 11 * HOUR, limit).state


def test_a_calendar_that_never_opens_is_never_due() -> None:
    """And never late."""
    process = make_process(calendars={"office": make_calendar(hours={})})
    measured = run(make_visit(entered_at=MONDAY), MONDAY + 9999 * HOUR, process=process)

    assert (None, SlaState.ON_TIME) == (measured.due_at, measured.state)


@given(left=st.integers(0, 400), now=st.integers(0, 400))
def test_late_means_after_the_due_time(left: int, now: int) -> None:
    """The state and the due time never say different things."""
    left_at = MONDAY + left * HOUR if left < now else None
    measured = run(make_visit(entered_at=MONDAY, left_at=left_at), MONDAY + now * HOUR)

    assert measured.due_at is not None
    assert (measured.state is SlaState.BREACHED) == (measured.elapsed > measured.goal)
    assert measured.elapsed <= measured.goal or (left_at or MONDAY + now * HOUR) > measured.due_at


def handed_over(answer: Value = None, **handoff: Any) -> tuple[SlaClock, ...]:
    """Run the clocks of a deal that went from qualification to proposal on Monday morning, at noon."""
    usual = {"to": "seller", "accept_within": "4bh", "calendar": "office", "accepted": "accepted_by", **handoff}
    process = process_with(handoff=usual)
    visits = (
        make_visit(left_at=MONDAY, to=Place("proposal", Status.OPEN)),
        make_visit("proposal", entered_at=MONDAY),
    )
    calendars = {"office": compile_calendar(process.calendars["office"], ())}
    return clocks(visits, process, calendars, {"accepted_by": answer}, MONDAY + 3 * HOUR)


def test_a_handoff_waits_to_be_accepted() -> None:
    """Its clock runs on the visit after it, and is named after the stage that handed over."""
    (waiting,) = handed_over()

    assert ("qualification.handoff", "proposal", "office") == (waiting.sla, waiting.visit.stage, waiting.calendar)
    assert (3 * HOUR, 4 * HOUR, SlaState.ON_TIME) == (waiting.elapsed, waiting.goal, waiting.state)
    assert MONDAY + 4 * HOUR == waiting.due_at


@pytest.mark.parametrize("answer", [None, "", "  ", False])
def test_a_handoff_without_an_answer_waits(answer: Value) -> None:
    """Blank text and a no are no acceptance."""
    assert 1 == len(handed_over(answer))


@pytest.mark.parametrize("answer", ["Rita", True])
def test_an_accepted_handoff_leaves_no_clock(answer: Value) -> None:
    """Fields have no history, so there is nothing to measure it by."""
    assert () == handed_over(answer)


def test_a_handoff_that_asks_for_no_answer_has_no_clock() -> None:
    """Neither without a time limit nor without a field."""
    assert () == handed_over(accept_within=None)
    assert () == handed_over(accepted=None)


def test_a_handoff_uses_the_nearest_calendar() -> None:
    """Its own, else its stage's, else the only one; business time without any can't be counted."""
    handoff = {"to": "seller", "accept_within": "4bh", "accepted": "accepted_by"}
    both = {"office": make_calendar(), "shop": make_calendar()}
    own = make_process(calendars=both, stages=[make_stage(handoff={**handoff, "calendar": "shop"})])
    stages = make_process(
        calendars=both, stages=[make_stage(handoff=handoff, sla={"goal": "1bd", "calendar": "office"})]
    )
    only = make_process(stages=[make_stage(handoff=handoff)])
    neither = make_process(calendars=both, stages=[make_stage(handoff=handoff)])
    plain = make_process(calendars=both, stages=[make_stage(handoff={**handoff, "accept_within": "4h"})])
    found = [handoff_limit(process.stages[0], process) for process in (own, stages, only, neither, plain)]

    assert ["shop", "office", "office", None, ""] == [limit.calendar if limit else None for limit in found]


@pytest.mark.parametrize(
    ("before", "here"),
    [
        (
            make_visit("proposal", left_at=MONDAY, to=Place("qualification", Status.OPEN)),
            make_visit("qualification", entered_at=MONDAY),
        ),
        (
            make_visit("qualification", left_at=MONDAY, to=Place(None, Status.LOST)),
            make_visit("proposal", entered_at=MONDAY + HOUR),
        ),
        (
            make_visit("qualification", left_at=MONDAY, to=Place("proposal", Status.OPEN)),
            make_visit("proposal", entered_at=MONDAY, left_at=MONDAY + HOUR, to=Place(None, Status.LOST)),
        ),
    ],
)
def test_only_going_forward_hands_over(before: Visit, here: Visit) -> None:
    """Going back, being reopened and being lost do not."""
    handoff = {"to": "seller", "accept_within": "4h", "accepted": "accepted_by"}
    process = make_process(
        stages=[make_stage("qualification", handoff=handoff), make_stage("proposal", handoff=handoff)]
    )

    assert () == clocks((before, here), process, {}, {}, MONDAY + 2 * HOUR)


def test_every_visit_to_a_stage_with_an_sla_has_a_clock() -> None:
    """Closed ones too, each measured for itself."""
    process = make_process()
    calendars = {"office": compile_calendar(process.calendars["office"], ())}
    visits = (
        make_visit(entered_at=MONDAY, left_at=MONDAY + HOUR),
        make_visit("proposal", entered_at=MONDAY + HOUR, left_at=MONDAY + 2 * HOUR),
        make_visit(number=2, entered_at=MONDAY + 2 * HOUR),
    )
    found = clocks(visits, process, calendars, {}, MONDAY + 5 * HOUR)

    assert [(1, HOUR), (2, 3 * HOUR)] == [(measured.visit.number, measured.elapsed) for measured in found]


def test_a_limit_is_found_again_by_its_rule() -> None:
    """Findings look up what their clock was measured against."""
    process = process_with(sla={"goal": "1bd", "calendar": "office"}, handoff={"to": "seller", "accept_within": "2bh"})
    found = [limit_of(f"{rule}", process) for rule in ("qualification.sla", "qualification.handoff", "gone.sla")]

    assert ["1 business day in the calendar office", "2 business hours in the calendar office", None] == [
        limit.in_words if limit else None for limit in found
    ]
