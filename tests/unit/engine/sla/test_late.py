"""What is said of a clock that is at risk or breached, and what makes it one thing that is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.deals.visits import visits_of
from crmbridge.engine.sla.clocks import clocks
from crmbridge.engine.sla.late import Late, late
from crmbridge.model.findings import FindingKind, SlaClock
from crmbridge.model.records import Edit
from crmbridge.model.replacing import replace
from crmbridge.testing.factories import make_deal, make_moves, make_process, make_stage, make_subject

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 6, 8, 9, tzinfo=UTC)  # when the office opens
WATCH = {"id": "watch", "name": "Watch", "kind": "no_activity", "goal": "10bh"}


def subject_of(**stage: Any) -> Subject:
    """Give a deal that came into qualification on Monday."""
    process = make_process(stages=[make_stage("qualification", **stage), make_stage("proposal")])
    deal = make_deal(stage="qualification", created_at=MONDAY, updated_at=MONDAY)
    return make_subject(*make_moves((MONDAY, "qualification")), deal=deal, process=process, activities=())


def clock_of(subject: Subject, after: timedelta) -> SlaClock:
    """Give its only clock, so long after Monday at nine."""
    visits = visits_of(subject.deal, subject.moves, subject.mapper)
    (clock,) = clocks(subject, visits, MONDAY + after).clocks
    return clock


def said(subject: Subject, clock: SlaClock) -> Late:
    found = late(clock, subject)
    assert found is not None
    return found


def in_stage(**sla: Any) -> Subject:
    return subject_of(sla={"goal": "10bh", "calendar": "office", "warn_at": ["50%", "80%"], **sla})


def test_a_clock_at_risk_says_how_much_is_used_up() -> None:
    """Since its last warning; by when it is due, and since when it runs."""
    found = said(in_stage(), clock_of(in_stage(), 24 * HOUR))

    assert (FindingKind.SLA_AT_RISK, MONDAY + 8 * HOUR) == (found.kind, found.since)
    assert {"started_at": MONDAY, "due_at": MONDAY + 26 * HOUR, "warned": Decimal("0.8")} == found.seen
    assert (
        "In Qualification since 2026-06-08 09:00 UTC; it is due to leave by 2026-06-09 11:00 UTC "
        "(10 business hours in the calendar office, of which 80 % are used up). Move it on."
    ) == found.message


def test_a_breached_clock_is_late_since_it_was_due() -> None:
    """How much was used up when somebody was warned counts no more."""
    found = said(in_stage(), clock_of(in_stage(), 9 * DAY))

    assert (FindingKind.SLA_BREACHED, MONDAY + 26 * HOUR) == (found.kind, found.since)
    assert {"started_at": MONDAY, "due_at": MONDAY + 26 * HOUR} == found.seen
    assert found == said(in_stage(), clock_of(in_stage(), 10 * DAY))  # the same is said as long as it is the same


def test_a_clock_that_stands_still_says_since_when() -> None:
    """When its goal comes is not known then."""
    waits = Edit(field="waiting", since=MONDAY + 6 * HOUR, at=MONDAY + 6 * HOUR, before=None, after="customer")
    running = in_stage(pause_when={"waiting": ["customer"]})
    deal = make_deal(stage="qualification", created_at=MONDAY, updated_at=MONDAY, fields={"waiting": "customer"})
    paused = replace(running, deal=deal, edits=(waits,))
    found = said(paused, clock_of(paused, 9 * DAY))

    assert {"started_at": MONDAY, "paused_at": MONDAY + 6 * HOUR, "warned": Decimal("0.5")} == found.seen
    assert "it is due to leave when its pause is over (" in found.message
    assert " It stands still since 2026-06-08 15:00 UTC. Move it on." in found.message


def test_on_time_or_over_says_nothing() -> None:
    """A visit that ended late is counted in reports; there is nothing left to do about it."""
    clock = clock_of(in_stage(), 9 * DAY)
    over = replace(clock, visit=replace(clock.visit, left_at=MONDAY + 9 * DAY), ended_at=MONDAY + 9 * DAY)

    assert None is late(clock_of(in_stage(), HOUR), in_stage())
    assert None is late(over, in_stage())
    assert None is late(replace(clock, sla="gone.sla"), in_stage())


def again(clock: SlaClock, **visit: Any) -> SlaClock:
    """Let a clock have begun an hour later, in another visit where that is said."""
    return replace(clock, started_at=clock.started_at + HOUR, visit=replace(clock.visit, **visit))


def test_a_stages_clock_is_told_apart_by_the_visit() -> None:
    """That the history is corrected makes no other finding of it, and takes no waiver away; a second visit does."""
    subject = in_stage()
    clock = clock_of(subject, 9 * DAY)
    first = said(subject, clock).parts

    assert first == said(subject, again(clock)).parts
    others = [again(clock, number=2), again(clock, stage="proposal"), clock_of(subject, 24 * HOUR)]
    assert 4 == len({first, *(said(subject, other).parts for other in others)})


def test_any_other_clock_is_told_apart_by_when_it_began() -> None:
    """Each time that nothing happened is one of its own, also within one visit."""
    subject = subject_of(slas=[WATCH])
    clock = clock_of(subject, 9 * DAY)

    assert said(subject, clock).parts != said(subject, again(clock)).parts
    assert said(subject, clock).parts == said(subject, replace(again(clock, number=2), started_at=MONDAY)).parts


def test_each_kind_of_clock_says_what_is_missing_and_what_to_do() -> None:
    """By the names that the process has in the language of whoever reads it; without types, any activity will do."""
    name = {"en": "Watch", "pt": "Vigia"}
    watched = {kind: {**WATCH, "kind": kind, "name": name} for kind in ("first_touch", "no_activity", "next_activity")}
    for types, what in (([], "activity"), (["call"], "call"), (["call", "meeting"], "call or meeting")):
        for kind, words in (
            ("first_touch", f"Vigia: no {what} done since 2026-06-08 09:00 UTC; that was due by "),
            ("no_activity", f"Vigia: no {what} done since 2026-06-08 09:00 UTC; one was due by "),
            (
                "next_activity",
                f"Vigia: since 2026-06-08 09:00 UTC no {what} is still to come; one was due to be planned by ",
            ),
        ):
            subject = replace(subject_of(slas=[{**watched[kind], "types": types}]), language="pt")

            assert said(subject, clock_of(subject, 9 * DAY)).message.startswith(words)


def test_a_goal_that_no_open_day_will_bring_is_said_to_be_none() -> None:
    """The calendar has no open day ahead: there is no moment by which it was due."""
    subject = in_stage()
    clock = replace(clock_of(subject, 24 * HOUR), due_at=None)

    assert "it is due to leave by a day when the calendar is open (" in said(subject, clock).message
