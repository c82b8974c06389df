"""SLA clocks run, warn, pause and stop; what ended stays as it was judged."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.deals.visits import visits_of
from crmbridge.engine.sla.clocks import clocks, measure, merged
from crmbridge.engine.sla.cycles import Cycle
from crmbridge.engine.sla.limits import Limit
from crmbridge.engine.time.calendars import compile_calendar
from crmbridge.model.business_time import Calendar, Duration
from crmbridge.model.findings import Pause, SlaClock, SlaState, Visit
from crmbridge.model.process import Process
from crmbridge.model.records import Edit
from crmbridge.model.replacing import replace
from crmbridge.testing.factories import (
    make_calendar,
    make_deal,
    make_moves,
    make_process,
    make_stage,
    make_subject,
    make_visit,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 6, 8, 9, tzinfo=UTC)  # when the office opens
TICK = timedelta(microseconds=1)


def limit(goal: str = "10bh", *shares: str, **calendar: Any) -> Limit:
    """Make a limit in the usual calendar: Monday to Friday from 9 to 17, UTC, unless said otherwise."""
    compiled = compile_calendar(Calendar.model_validate(make_calendar(**calendar)), ())
    return Limit("qualification.sla", Duration.parse(goal), "office", compiled, tuple(map(Decimal, shares)), "digest")


def run(visit: Visit, now: datetime, asked: Limit | None = None, *pauses: Pause) -> SlaClock:
    """Measure one visit; the usual limit is ten business hours with a warning at 80 %."""
    return measure(Cycle(visit, visit.entered_at, visit.left_at), asked or limit("10bh", "0.8"), pauses, now)


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


def test_each_share_warns() -> None:
    """The clock is at risk from the lowest on, and says the highest that is used up, and since when."""
    asked = limit("10bh", "0.5", "0.9")
    low, high = (run(make_visit(entered_at=MONDAY), MONDAY + hours * HOUR, asked) for hours in (7, 25.5))

    assert (SlaState.AT_RISK, Decimal("0.5"), MONDAY + 5 * HOUR) == (low.state, low.warned, low.warned_at)
    assert (SlaState.AT_RISK, Decimal("0.9"), MONDAY + 25 * HOUR) == (high.state, high.warned, high.warned_at)


def test_without_a_share_nothing_warns() -> None:
    """The clock is on time until it is breached."""
    assert SlaState.ON_TIME is run(make_visit(entered_at=MONDAY), MONDAY + 26 * HOUR, limit()).state


def test_a_visit_that_begins_in_the_future_has_not_used_anything() -> None:
    """The CRM's clock may be ahead of ours."""
    measured = run(make_visit(entered_at=MONDAY + 3 * HOUR), MONDAY)

    assert (timedelta(0), SlaState.ON_TIME) == (measured.elapsed, measured.state)


def test_plain_units_need_no_opening_hours() -> None:
    """A goal in hours runs through the night."""
    assert SlaState.BREACHED is run(make_visit(entered_at=MONDAY), MONDAY + 11 * HOUR, limit("10h")).state


def test_a_calendar_that_never_opens_is_never_due() -> None:
    """And never late."""
    measured = run(make_visit(entered_at=MONDAY), MONDAY + 9999 * HOUR, limit(hours={}))

    assert (None, SlaState.ON_TIME, None) == (measured.due_at, measured.state, measured.turns_at)


@given(left=st.integers(0, 400), now=st.integers(0, 400))
def test_late_means_after_the_due_time(left: int, now: int) -> None:
    """The state and the due time never say different things."""
    left_at = MONDAY + left * HOUR if left < now else None
    measured = run(make_visit(entered_at=MONDAY, left_at=left_at), MONDAY + now * HOUR)

    assert measured.due_at is not None
    assert (measured.state is SlaState.BREACHED) == (measured.elapsed > measured.goal)
    assert measured.elapsed <= measured.goal or (left_at or MONDAY + now * HOUR) > measured.due_at


# ── When a clock says something else ───────────────────────────────────────────────────────────────────


def test_a_clock_says_when_it_will_be_in_another_state() -> None:
    """Every warning, and the moment after the goal."""
    visit, asked = make_visit(entered_at=MONDAY), limit("10bh", "0.5", "0.8")
    moments, now = [], MONDAY
    while (turns := run(visit, now, asked).turns_at) is not None and len(moments) < 9:
        moments.append(turns)
        now = turns

    assert [MONDAY + 5 * HOUR, MONDAY + 8 * HOUR, MONDAY + 26 * HOUR + TICK] == moments
    assert SlaState.BREACHED is run(visit, now, asked).state


def test_a_goal_that_is_used_up_as_the_office_closes_is_broken_when_it_opens() -> None:
    """Exactly the goal is on time all night; nobody may forget to look again in the morning."""
    visit = make_visit(entered_at=MONDAY)
    night = run(visit, MONDAY + 8 * HOUR + TICK, limit("8bh"))

    assert (SlaState.ON_TIME, MONDAY + 8 * HOUR) == (night.state, night.due_at)
    assert MONDAY + 24 * HOUR + TICK == night.turns_at


# ── Pauses ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("pauses", "elapsed"),
    [
        ((), 8),
        (((1, 3),), 6),
        (((1, 3), (2, 4)), 5),  # into each other
        (((1, 3), (3, 4)), 5),  # touching
        (((2, 3), (1, 4)), 5),  # one within the other, in any order
        (((-5, 1),), 7),  # from before the cycle
        (((7, 50),), 7),  # and beyond its end
        (((-5, 50),), 0),
        (((2, 2),), 8),  # no time at all
        (((3, 2),), 8),  # a pause that ends before it begins is none
        (((-5, -1), (9, 12)), 8),  # outside of it
        (((6, None),), 6),  # one that lasts
        (((1, None), (2, 3)), 1),
    ],
)
def test_what_is_paused_does_not_count(pauses: tuple[tuple[int, int | None], ...], elapsed: int) -> None:
    """Only what of a pause lies in the cycle, and once where several overlap."""
    visit = make_visit(entered_at=MONDAY, left_at=MONDAY + 8 * HOUR)
    stops = [(MONDAY + a * HOUR, None if b is None else MONDAY + b * HOUR) for a, b in pauses]

    assert elapsed * HOUR == run(visit, MONDAY + 99 * HOUR, None, *stops).elapsed


def test_a_pause_moves_the_goal() -> None:
    """By as much as it lasted while the office was open."""
    visit = make_visit(entered_at=MONDAY)
    paused = run(visit, MONDAY + 9 * HOUR, limit("10bh"), (MONDAY + 6 * HOUR, MONDAY + 25 * HOUR))

    assert (6 * HOUR, MONDAY + 29 * HOUR) == (paused.elapsed, paused.due_at)


def test_a_clock_that_stands_still_is_not_due() -> None:
    """It turns when the field does, and that is a change of the deal."""
    visit, since = make_visit(entered_at=MONDAY), MONDAY + 2 * HOUR
    still = run(visit, MONDAY + 99 * HOUR, limit("10bh", "0.1"), (since, None))

    assert (2 * HOUR, SlaState.AT_RISK, since) == (still.elapsed, still.state, still.paused_since)
    assert (None, None, MONDAY + HOUR) == (still.due_at, still.turns_at, still.warned_at)


def test_a_clock_can_stand_still_while_it_is_late() -> None:
    """When it was due stays known."""
    late = run(make_visit(entered_at=MONDAY), MONDAY + 9 * HOUR, limit("4bh"), (MONDAY + 6 * HOUR, None))

    assert (SlaState.BREACHED, MONDAY + 4 * HOUR) == (late.state, late.due_at)


@given(st.lists(st.tuples(st.integers(-20, 120), st.none() | st.integers(-20, 120)), max_size=6), st.integers(0, 100))
def test_merged_pauses_cover_the_same_and_lie_apart(pauses: list[tuple[int, int | None]], length: int) -> None:
    """Minute by minute, within the cycle."""
    minute, end = timedelta(minutes=1), MONDAY + timedelta(minutes=length)
    stops = [(MONDAY + a * minute, None if b is None else MONDAY + b * minute) for a, b in pauses]
    found = merged(stops, MONDAY, end)

    def covers(spans: Any, at: datetime) -> bool:
        return any(since <= at and (until is None or at < until) for since, until in spans)

    moments = [MONDAY + n * minute for n in range(length)]
    assert [covers(stops, at) for at in moments] == [covers(found, at) for at in moments]
    assert all(before[1] is not None and before[1] < after[0] for before, after in pairwise(found))


# ── A deal's clocks ─────────────────────────────────────────────────────────────────────────────────────


WAITING = ["us", "customer", "nobody"]


def qualified(*moves: tuple[datetime, str], judged_before: Any = (), edits: Any = (), **parts: Any) -> Any:
    """Run the clocks of such a deal at noon of the Wednesday after; `sla` lays out that of qualification."""
    sla = {"goal": "10bh", "calendar": "office", **parts.pop("sla", {})}
    process: Process = make_process(
        **{
            "stages": [make_stage("qualification", sla=sla), make_stage("proposal"), make_stage("care", status="won")],
            "fields": [{"id": "waiting", "name": "Waiting for", "type": "choice", "options": WAITING}],
            **parts.pop("process", {}),
        }
    )
    stands = {"stage": moves[-1][1], "created_at": MONDAY, "updated_at": moves[-1][0]}
    deal = make_deal(**{**stands, **parts.pop("deal", {})})
    subject = make_subject(
        *make_moves(*moves), deal=deal, process=process, judged_before=judged_before, edits=edits, **parts
    )
    visits = visits_of(subject.deal, subject.moves, subject.mapper)
    return clocks(subject, visits, MONDAY + timedelta(days=2, hours=3))


def test_every_visit_to_a_stage_with_an_sla_has_a_clock() -> None:
    """Closed ones too, each measured for itself."""
    moves = ((MONDAY, "qualification"), (MONDAY + HOUR, "proposal"), (MONDAY + 2 * HOUR, "qualification"))

    assert [(1, HOUR, False), (2, 17 * HOUR, True)] == [
        (clock.visit.number, clock.elapsed, clock.running) for clock in qualified(*moves).clocks
    ]


def test_a_resumed_clock_goes_on_where_it_stood() -> None:
    """The time in the other stage does not count; it is one cycle, and one clock."""
    moves = ((MONDAY, "qualification"), (MONDAY + HOUR, "proposal"), (MONDAY + 5 * HOUR, "qualification"))
    (clock,) = qualified(*moves, sla={"re_entry": "resume"}).clocks

    assert (2, MONDAY, 15 * HOUR) == (clock.visit.number, clock.started_at, clock.elapsed)
    assert ((MONDAY + HOUR, MONDAY + 5 * HOUR),) == clock.pauses


def test_a_clock_that_ignores_coming_back_has_measured_the_first_visit() -> None:
    """The second one may take as long as it likes."""
    moves = ((MONDAY, "qualification"), (MONDAY + HOUR, "proposal"), (MONDAY + 5 * HOUR, "qualification"))
    (clock,) = qualified(*moves, sla={"re_entry": "ignore"}).clocks

    assert (1, HOUR, False) == (clock.visit.number, clock.elapsed, clock.running)


@pytest.mark.parametrize("re_entry", ["new_cycle", "resume", "ignore"])
def test_coming_back_within_a_second_is_no_special_case(re_entry: str) -> None:
    """Nor is coming back at the very same time."""
    for gap in (timedelta(0), timedelta(milliseconds=300)):
        moves = ((MONDAY, "qualification"), (MONDAY + HOUR, "proposal"), (MONDAY + HOUR + gap, "qualification"))
        found = qualified(*moves, sla={"re_entry": re_entry}).clocks
        total = {"new_cycle": 18 * HOUR - gap, "resume": 19 * HOUR - gap, "ignore": HOUR}[re_entry]

        assert total == found[-1].elapsed


def test_a_field_that_says_so_stops_the_clock() -> None:
    """As far back as its values were seen."""
    edits = (
        Edit(field="waiting", since=MONDAY, at=MONDAY + 2 * HOUR, before="us", after="customer"),
        Edit(field="waiting", since=MONDAY + 2 * HOUR, at=MONDAY + 5 * HOUR, before="customer", after="us"),
    )
    sla = {"pause_when": {"waiting": ["customer", "nobody"]}}
    (clock,) = qualified((MONDAY, "qualification"), sla=sla, edits=edits, deal={"fields": {"waiting": "us"}}).clocks

    assert ((MONDAY + 2 * HOUR, MONDAY + 5 * HOUR),) == clock.pauses
    assert 16 * HOUR == clock.elapsed


def test_time_in_another_stage_is_as_long_as_the_history_says() -> None:
    """The record told first that the deal was back, at the latest moment at which it can have come."""
    away = ((MONDAY, "qualification"), (MONDAY + HOUR, "proposal"))
    back = (MONDAY + 3 * HOUR, "qualification")
    sla = {"re_entry": "resume", "pause_when": {"waiting": ["customer"]}}
    seen = Edit(field="stage", since=MONDAY + HOUR, at=MONDAY + 5 * HOUR, before="proposal", after="qualification")
    record = {"stage": "qualification", "updated_at": MONDAY + 5 * HOUR}
    first = qualified(*away, sla=sla, deal=record, edits=(seen,))
    (clock,) = qualified(*away, back, sla=sla, deal=record, edits=(seen,), judged_before=first.clocks).clocks

    assert ((MONDAY + HOUR, MONDAY + 5 * HOUR),) == first.clocks[0].pauses
    assert ((MONDAY + HOUR, MONDAY + 3 * HOUR),) == clock.pauses


def test_an_edit_of_another_field_stops_no_clock() -> None:
    """Whatever that holds."""
    edits = (
        Edit(field="waiting", since=MONDAY, at=MONDAY + 2 * HOUR, before="us", after="customer"),
        Edit(field="source", since=MONDAY + 2 * HOUR, at=MONDAY + 5 * HOUR, before="customer", after="us"),
        Edit(field="waiting", since=MONDAY + 5 * HOUR, at=MONDAY + 6 * HOUR, before="customer", after="us"),
        Edit(field="source", since=MONDAY + 6 * HOUR, at=MONDAY + 7 * HOUR, before="us", after="customer"),
    )
    sla = {"pause_when": {"waiting": ["customer"]}}
    (clock,) = qualified((MONDAY, "qualification"), sla=sla, edits=edits, deal={"fields": {"waiting": "us"}}).clocks

    assert ((MONDAY + 2 * HOUR, MONDAY + 6 * HOUR),) == clock.pauses


def test_a_pause_that_was_seen_is_not_forgotten() -> None:
    """The copy of the deal is younger than the pause, as something else was changed: what was saved goes on."""
    sla = {"pause_when": {"waiting": ["customer"]}}
    early, late = MONDAY + HOUR, MONDAY + 20 * HOUR
    first = qualified((MONDAY, "qualification"), sla=sla, deal={"fields": {"waiting": "customer"}, "updated_at": early})
    changed = {"fields": {"waiting": "customer"}, "updated_at": late}
    again = qualified((MONDAY, "qualification"), sla=sla, deal=changed, judged_before=first.clocks)
    anew = qualified((MONDAY, "qualification"), sla=sla, deal=changed)

    assert [((early, None),), ((early, None),)] == [found.clocks[0].pauses for found in (first, again)]
    assert ((late, None),) == anew.clocks[0].pauses


def test_the_first_goal_that_fits_is_the_deals() -> None:
    """In its own calendar, if it names one; the usual goal where none fits."""
    goals = [
        {"when": {"one_of": {"field": "waiting", "values": ["us"]}}, "goal": "2h"},
        {"when": {"required": ["waiting"]}, "goal": "1bh", "calendar": "shop"},
    ]
    process = {"calendars": {"office": make_calendar(), "shop": make_calendar()}}
    found = [
        qualified(
            (MONDAY, "qualification"),
            sla={"goals": goals},
            deal={"fields": {"waiting": value}},
            process=process,
        )
        for value in ("us", "nobody", None)
    ]

    assert [("2h", "office"), ("1bh", "shop"), ("10bh", "office")] == [
        (str(clock.limit), clock.calendar) for (clock,) in (each.clocks for each in found)
    ]


# ── What ended stays as it was judged ───────────────────────────────────────────────────────────────────

LEFT = ((MONDAY, "qualification"), (MONDAY + 11 * HOUR, "proposal"))


def test_a_closed_cycle_is_not_judged_anew() -> None:
    """Neither another goal nor another calendar changes what was said of it; a running one follows both."""
    before = qualified(*LEFT).clocks
    strict = {"sla": {"goal": "1bm"}, "process": {"calendars": {"office": make_calendar(timezone="America/New_York")}}}

    assert before == qualified(*LEFT, judged_before=before, **strict).clocks
    assert SlaState.BREACHED is qualified(*LEFT, **strict).clocks[0].state
    running = qualified(LEFT[0]).clocks
    assert SlaState.BREACHED is qualified(LEFT[0], judged_before=running, **strict).clocks[0].state


def test_a_closed_cycle_stays_when_its_sla_goes() -> None:
    """Neither last month's report nor the next one becomes another one; only a history without the visit ends it."""
    before = qualified(*LEFT).clocks
    gone = {"process": {"stages": [make_stage("qualification"), make_stage("proposal")]}}

    assert before == qualified(*LEFT, judged_before=before, **gone).clocks
    assert () == qualified(LEFT[0], judged_before=qualified(LEFT[0]).clocks, **gone).clocks
    assert () == qualified((MONDAY, "proposal"), judged_before=before, **gone).clocks


def test_a_cycle_is_judged_whole_by_the_calendar_it_ended_under() -> None:
    """A calendar that is edited mid-cycle counts from the cycle's beginning."""
    running = qualified(LEFT[0]).clocks
    longer = {"calendars": {"office": make_calendar(hours={"mon": ["09:00-19:00"]})}}
    (closed,) = qualified(*LEFT, judged_before=running, process=longer).clocks

    assert 10 * HOUR == closed.elapsed
    assert running[0].judged_by != closed.judged_by


def test_what_arrives_late_makes_it_another_cycle() -> None:
    """A move that becomes known later, with an earlier time: what was measured never was."""
    before = qualified(*LEFT).clocks
    backfilled = (LEFT[0], (MONDAY + 3 * HOUR, "proposal"))
    (found,) = qualified(*backfilled, judged_before=before).clocks

    assert (8 * HOUR, 3 * HOUR) == (before[0].elapsed, found.elapsed)


def test_a_clock_of_before_this_was_kept_is_judged_once_more() -> None:
    """Nobody knows what judged it."""
    before = [replace(clock, judged_by="", elapsed=HOUR) for clock in qualified(*LEFT).clocks]

    assert 8 * HOUR == qualified(*LEFT, judged_before=before).clocks[0].elapsed


def test_a_move_of_the_future_is_taken_as_it_is() -> None:
    """The CRM's clock may be ahead: the visit ends when it ends, and one that begins then has used nothing."""
    moves = ((MONDAY, "qualification"), (MONDAY + 5 * DAY, "proposal"), (MONDAY + 6 * DAY, "qualification"))
    closed, ahead = qualified(*moves).clocks

    assert (40 * HOUR, SlaState.BREACHED) == (closed.elapsed, closed.state)
    assert (timedelta(0), SlaState.ON_TIME) == (ahead.elapsed, ahead.state)
