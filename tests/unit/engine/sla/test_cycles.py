"""Each kind of SLA begins, ends and starts anew when it should, and is late in its own words."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crmbridge.engine.evaluating.evaluate import evaluate
from crmbridge.model.findings import Evaluation, FindingKind, SlaState
from crmbridge.model.records import Edit, Kind, Record
from crmbridge.model.replacing import replace
from crmbridge.testing.factories import (
    make_calendar,
    make_deal,
    make_moves,
    make_process,
    make_ref,
    make_stage,
    make_subject,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
TICK = timedelta(microseconds=1)
MONDAY = datetime(2026, 6, 8, 9, tzinfo=UTC)  # when the office opens
CAME = ((MONDAY, "qualification"),)
WENT_ON = (*CAME, (MONDAY + 2 * HOUR, "proposal"))
FIELDS = [{"id": name, "name": name.replace("_", " "), "type": "datetime"} for name in ("asked_at", "answered_at")]


def activity(hours: float, *, done: bool = True, kind: str = "call", **fields: Any) -> Record:
    """Make an activity so many hours after Monday morning."""
    at = MONDAY + hours * HOUR
    usual = {"type": kind, "done": done, "at": at, **fields}
    return Record(ref=make_ref(f"{at}", kind=Kind.ACTIVITY), fields=usual, version="1", updated_at=at)


def looked_at(
    hours: float,
    *activities: Record,
    moves: Any = CAME,
    pulled: bool = True,
    deal: Any = None,
    process: Any = None,
    edits: Any = (),
    judged_before: Any = (),
    **rule: Any,
) -> Evaluation:
    """Evaluate a deal that was created on Monday morning, so many hours later, by one SLA of the process or a stage."""
    written = {"id": "watch", "name": "Watch", "calendar": "office", "goal": "4bh", **rule}
    stage = written.pop("stage", None)
    stages = [
        make_stage(name, slas=[written] if name == stage else [], status="won" if name == "care" else "open")
        for name in ("qualification", "proposal", "care")
    ]
    made = make_process(stages=stages, slas=[] if stage else [written], fields=FIELDS, **(process or {}))
    stands = {"stage": moves[-1][1], "created_at": MONDAY, "updated_at": moves[-1][0], **(deal or {})}
    subject = make_subject(
        *make_moves(*moves),
        deal=make_deal(**stands),
        process=made,
        activities=activities if pulled else None,
        edits=edits,
        judged_before=judged_before,
    )
    return evaluate(subject, MONDAY + hours * HOUR)


def shown(found: Evaluation) -> list[tuple[float, float | None]]:
    """Give from when until when each clock ran, in hours after Monday morning."""

    def hours(at: datetime | None) -> float | None:
        return None if at is None else (at - MONDAY) / HOUR

    return [(hours(clock.started_at) or 0.0, hours(clock.ended_at)) for clock in found.clocks]


# ── First touch ─────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_touch_ends_with_the_first_activity_that_is_done() -> None:
    """Planned ones are none, and what comes after it changes nothing."""
    found = looked_at(30, activity(2), activity(1, done=False), activity(3), kind="first_touch")

    assert [(0, 2)] == shown(found)
    assert (2 * HOUR, SlaState.ON_TIME, "sla.watch") == (
        found.clocks[0].elapsed,
        found.clocks[0].state,
        found.clocks[0].sla,
    )
    assert () == found.findings


def test_without_a_touch_the_deal_waits() -> None:
    """At risk at 80 %, breached after the goal; the message says what to do."""
    risk, breach = (looked_at(hours, kind="first_touch").findings for hours in (3.5, 5))

    assert [FindingKind.SLA_AT_RISK, FindingKind.SLA_BREACHED] == [each.kind for (each,) in (risk, breach)]
    assert (
        "Watch: no activity done since 2026-06-08 09:00 UTC; that was due by 2026-06-08 13:00 UTC "
        "(4 business hours in the calendar office). Get in touch, and log it on the deal as done."
    ) == breach[0].message
    assert "of which 80 % are used up" in risk[0].message
    assert (MONDAY + 3.2 * HOUR, MONDAY + 4 * HOUR) == (risk[0].since, breach[0].since)


def test_only_activities_of_the_named_types_count() -> None:
    """A task is no touch where a call is asked for, however it is spelt."""
    calls = {"kind": "first_touch", "types": [" Call", "meeting"]}

    assert [(0, 3)] == shown(looked_at(9, activity(1, kind="task"), activity(3, kind="call "), **calls))


def test_a_call_may_be_older_than_the_deal_that_came_of_it() -> None:
    """Then it was touched at once. In a stage, only what was done there counts."""
    assert [(0, 0)] == shown(looked_at(9, activity(-5), kind="first_touch"))
    assert [(0, None)] == shown(looked_at(9, activity(-5), kind="first_touch", stage="qualification"))


def test_in_a_stage_each_visit_wants_a_touch() -> None:
    """It waits no longer than the visit lasts."""
    moves = (*WENT_ON, (MONDAY + 4 * HOUR, "qualification"))
    found = looked_at(9, activity(5), moves=moves, kind="first_touch", stage="qualification")

    assert [(0, 2), (4, 5)] == shown(found)
    assert {"qualification.watch"} == {clock.sla for clock in found.clocks}


def test_a_deal_that_is_closed_waits_for_nobody() -> None:
    """Lost or won: the clock ends with it."""
    lost = looked_at(30, moves=(*CAME, (MONDAY + 3 * HOUR, "lost")), kind="first_touch")
    won = looked_at(30, moves=(*CAME, (MONDAY + 3 * HOUR, "care")), kind="first_touch")

    assert [[(0, 3)], [(0, 3)]] == [shown(lost), shown(won)]
    assert () == (*lost.findings, *(each for each in won.findings if each.rule == "sla.watch"))


@pytest.mark.parametrize("end", ["lost", "care"])
def test_what_is_done_after_a_deal_was_closed_is_no_late_touch(end: str) -> None:
    """Whichever comes first ends the clock, so a call to a customer makes nothing late that was not."""
    moves = (*CAME, (MONDAY + 3 * HOUR, end))

    assert [(0, 3)] == shown(looked_at(99, activity(90), moves=moves, kind="first_touch"))
    assert [(0, 1)] == shown(looked_at(99, activity(1), moves=moves, kind="first_touch"))


def test_a_deal_that_was_closed_before_it_was_made_waits_for_nobody() -> None:
    """So it is where old deals were brought in with their history: no clock ends before it begins."""
    moves = ((MONDAY - 3 * HOUR, "qualification"), (MONDAY - 2 * HOUR, "lost"))

    assert [(0, 0)] == shown(looked_at(9, moves=moves, kind="first_touch"))


# ── No activity, next activity ──────────────────────────────────────────────────────────────────────────


def test_silence_is_counted_from_the_last_activity() -> None:
    """From the deal's creation, or its coming into the stage, while there is none."""
    assert [(0, None)] == shown(looked_at(9, kind="no_activity"))
    assert [(3, None)] == shown(looked_at(9, activity(1), activity(3), activity(5, done=False), kind="no_activity"))
    assert [(0, None)] == shown(looked_at(9, moves=WENT_ON, kind="no_activity"))
    assert [(2, None)] == shown(looked_at(9, activity(1), moves=WENT_ON, kind="no_activity", stage="proposal"))


def test_what_was_done_at_no_told_time_was_done_when_it_changed_last() -> None:
    """A task without a day that somebody ticked off is not nothing."""
    call = activity(3)
    timeless = replace(call, fields={**call.fields, "at": None})

    assert [(3, None)] == shown(looked_at(9, timeless, kind="no_activity"))


def test_a_deal_whose_creation_is_not_told_begins_with_its_first_stay() -> None:
    """So its silence, and its wait for a first touch, are counted from there."""
    later = ((MONDAY + HOUR, "qualification"),)

    for kind in ("no_activity", "next_activity", "first_touch"):
        assert [(1, None)] == shown(looked_at(9, moves=later, deal={"created_at": None}, kind=kind))


def test_an_activity_ends_the_silence_and_a_new_one_is_another_finding() -> None:
    """So a task that was made about the first one says nothing about the second."""
    first = looked_at(9, kind="no_activity").findings
    broken = looked_at(9, activity(8), kind="no_activity").findings
    second = looked_at(33, activity(8), kind="no_activity").findings

    assert [1, 0, 1] == [len(each) for each in (first, broken, second)]
    assert first[0].id != second[0].id


def test_only_open_deals_that_stand_there_are_asked() -> None:
    """Neither lost and won ones, nor those in another stage, or in one that is not of the process."""
    closed_or_away = [(*CAME, (MONDAY + HOUR, where)) for where in ("lost", "care", "elsewhere")]

    for kind in ("no_activity", "next_activity"):
        assert [[], [], []] == [shown(looked_at(9, moves=moves, kind=kind)) for moves in closed_or_away]
        assert [] == shown(looked_at(9, moves=WENT_ON, kind=kind, stage="qualification"))


def test_a_deal_needs_something_still_to_come() -> None:
    """What is overdue is not; the clock runs since the last thing was done, or should have been."""
    assert [(0, None)] == shown(looked_at(9, kind="next_activity"))
    assert [(2, None)] == shown(looked_at(9, activity(2), kind="next_activity"))
    assert [(5, None)] == shown(looked_at(9, activity(2), activity(5, done=False), kind="next_activity"))
    assert [] == shown(looked_at(9, activity(5, done=False), activity(9, done=False), kind="next_activity"))
    assert [(0, None)] == shown(looked_at(9, activity(10, done=False, at=None), kind="next_activity"))


def test_the_moment_when_the_next_activity_falls_due_is_looked_at() -> None:
    """Exactly then it is still to come; right after, the deal has none."""
    planned = activity(20, done=False)
    before = looked_at(9, planned, kind="next_activity")

    assert MONDAY + 20 * HOUR + TICK == before.until
    assert [] == shown(looked_at(20, planned, kind="next_activity"))
    assert [(20, None)] == shown(looked_at(20.1, planned, kind="next_activity"))


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("first_touch", (0, None), (0, 6)),
        ("no_activity", (1, None), (6, None)),
        ("next_activity", (1, None), (6, None)),
    ],
)
def test_what_is_still_to_come_was_not_done_whatever_is_said_of_it(
    kind: str, before: tuple[float, float | None], after: tuple[float, float | None]
) -> None:
    """A meeting that was marked as held counts from its time on, at which the deal is looked at again."""
    early = [] if kind == "first_touch" else [activity(1)]
    now = looked_at(2, *early, activity(6), kind=kind)
    then = looked_at(6, *early, activity(6), kind=kind)

    assert ([before], [after]) == (shown(now), shown(then))
    assert MONDAY + 6 * HOUR in {now.until, looked_at(5.9, *early, activity(6), kind=kind).until}


@pytest.mark.parametrize("kind", ["first_touch", "no_activity", "next_activity"])
def test_where_activities_are_not_pulled_nobody_can_tell(kind: str) -> None:
    """That is not the same as there being none."""
    assert [] == shown(looked_at(99, pulled=False, kind=kind))


# ── Response ────────────────────────────────────────────────────────────────────────────────────────────


def asked(since: float | None, until: float | None = None) -> dict[str, Any]:
    """Give the fields of a message that came, and was answered, so many hours after Monday morning."""
    times = {"asked_at": since, "answered_at": until}
    return {"fields": {name: MONDAY + at * HOUR for name, at in times.items() if at is not None}}


def wrote(field: str, since: float, at: float, before: float | None, after: float | None) -> Edit:
    """Give an edit of one of the two times, made between two copies of the deal; all in hours after Monday morning."""
    was, now = (None if each is None else MONDAY + each * HOUR for each in (before, after))
    return Edit(field=field, since=MONDAY + since * HOUR, at=MONDAY + at * HOUR, before=was, after=now)


RESPONSE = {"kind": "response", "since": "asked_at", "until": "answered_at"}


def test_a_response_is_measured_between_two_fields() -> None:
    """An answer before the message is one to another message; without a message there is nothing to answer."""
    assert [] == shown(looked_at(9, deal=asked(None, 3), **RESPONSE))
    assert [(2, None)] == shown(looked_at(9, deal=asked(2), **RESPONSE))
    assert [(2, 5)] == shown(looked_at(9, deal=asked(2, 5), **RESPONSE))
    assert [(2, 2)] == shown(looked_at(9, deal=asked(2, 2), **RESPONSE))
    assert [(4, None)] == shown(looked_at(9, deal=asked(4, 3), **RESPONSE))


def test_earlier_messages_stay_as_they_were_judged() -> None:
    """The fields hold only the last one."""
    first = looked_at(9, deal=asked(2, 5), **RESPONSE)
    second = looked_at(9, deal=asked(7, 5), judged_before=first.clocks, **RESPONSE)

    assert [(7, None), (2, 5)] == shown(second)
    assert first.clocks[0] == second.clocks[1]


def test_who_writes_again_before_an_answer_waits_since_the_first_message() -> None:
    """An answer after the last message is one to all of them."""
    again = (wrote("asked_at", 0, 2, None, 2), wrote("asked_at", 2, 5, 2, 5), wrote("asked_at", 5, 7, 5, 7))

    assert [(2, None)] == shown(looked_at(9, deal=asked(7), edits=again, **RESPONSE))
    assert [(2, 8)] == shown(looked_at(9, deal=asked(7, 8), edits=again, **RESPONSE))
    assert FindingKind.SLA_BREACHED == looked_at(9, deal=asked(7), edits=again, **RESPONSE).findings[0].kind


def test_a_message_after_an_answer_begins_anew_also_where_both_came_at_once() -> None:
    """What was answered meanwhile is measured, though no run saw it answered."""
    both = (wrote("answered_at", 2, 7, None, 4), wrote("asked_at", 2, 7, 2, 6))

    assert [(2, 4), (6, None)] == shown(looked_at(9, deal=asked(6, 4), edits=both, **RESPONSE))


def test_a_time_that_is_corrected_is_no_second_message() -> None:
    """It lies before the moment at which the one before was written down."""
    typed = (wrote("asked_at", 0, 6, None, 2), wrote("asked_at", 6, 7, 2, 4))

    assert [(4, None)] == shown(looked_at(9, deal=asked(4), edits=typed, **RESPONSE))


def test_a_message_that_was_taken_out_waits_for_nothing() -> None:
    """The next one is a message of its own."""
    taken_out = (wrote("asked_at", 0, 2, None, 2), wrote("asked_at", 2, 3, 2, None), wrote("asked_at", 3, 7, None, 7))

    assert [(7, None)] == shown(looked_at(9, deal=asked(7), edits=taken_out, **RESPONSE))


def test_a_message_belongs_to_the_stage_that_it_came_in() -> None:
    """Answered or not; the one that is lost waits for nothing any more."""
    stage = {**RESPONSE, "stage": "qualification"}

    assert [(1, None)] == shown(looked_at(9, moves=WENT_ON, deal=asked(1), **stage))
    assert [] == shown(looked_at(9, moves=WENT_ON, deal=asked(3), **stage))
    assert [(1, 3)] == shown(looked_at(9, moves=(*CAME, (MONDAY + 3 * HOUR, "lost")), deal=asked(1), **RESPONSE))
    assert [(1, 3)] == shown(looked_at(9, moves=(*CAME, (MONDAY + 3 * HOUR, "care")), deal=asked(1), **stage))


def test_an_answer_after_the_deal_was_closed_is_no_late_one() -> None:
    """Whichever comes first ends the clock; a message that came afterwards is nothing to measure."""
    lost = (*CAME, (MONDAY + 3 * HOUR, "lost"))

    assert [(1, 3)] == shown(looked_at(99, moves=lost, deal=asked(1, 90), **RESPONSE))
    assert [(1, 2)] == shown(looked_at(99, moves=lost, deal=asked(1, 2), **RESPONSE))
    assert [(5, 5)] == shown(looked_at(99, moves=lost, deal=asked(5, 90), **RESPONSE))


def test_a_customer_waits_for_an_answer_in_the_stage_of_won_deals() -> None:
    """An SLA of that stage is about nothing else, so the deal must leave it to wait no more."""
    won, care = (*CAME, (MONDAY + 3 * HOUR, "care")), {**RESPONSE, "stage": "care"}
    lost = (*won, (MONDAY + 8 * HOUR, "lost"))

    assert [(5, None)] == shown(looked_at(99, moves=won, deal=asked(5), **care))
    assert [(5, 90)] == shown(looked_at(99, moves=won, deal=asked(5, 90), **care))
    assert [(5, 8)] == shown(looked_at(99, moves=lost, deal=asked(5, 90), **care))


def test_a_late_answer_says_which_field_to_fill_in() -> None:
    """In the words of the process."""
    (late,) = looked_at(9, deal=asked(0), **RESPONSE).findings

    assert "Watch: the customer waits for an answer since 2026-06-08 09:00 UTC; it was due by" in late.message
    assert late.message.endswith("Answer, and fill in answered at.")


# ── For some deals only ─────────────────────────────────────────────────────────────────────────────────


def test_an_sla_can_be_for_some_deals() -> None:
    """Those that pass its `when`; what can't be decided is for other deals."""
    when = {"one_of": {"field": "source", "values": ["web"]}}
    found = [
        looked_at(9, deal={"fields": {"source": source}}, kind="first_touch", when=when)
        for source in ("web", "list", None)
    ]

    assert [1, 0, 0] == [len(each.clocks) for each in found]


def test_an_sla_is_looked_at_again_when_its_condition_turns() -> None:
    """So it is where that hangs on what was done lately, which nobody undoes."""
    when = {"activities": {"at_least": 1, "within": "3d"}}
    rule = {"kind": "first_touch", "types": ["meeting"], "goal": "90d", "when": when}
    ends = 2 + 3 * 24

    assert MONDAY + ends * HOUR + TICK == looked_at(9, activity(2), **rule).until
    assert [(0, None)] == shown(looked_at(ends, activity(2), **rule))
    assert [] == shown(looked_at(ends + 1, activity(2), **rule))


def test_business_time_without_a_calendar_is_that_of_the_only_one() -> None:
    """Of several, one must be named, and `check` says so; until then nothing is measured."""
    both = {"calendars": {"office": make_calendar(), "shop": make_calendar()}}

    assert ["office"] == [clock.calendar for clock in looked_at(9, kind="no_activity", calendar=None).clocks]
    assert () == looked_at(9, kind="no_activity", calendar=None, process=both).clocks


# ── Hand-offs ───────────────────────────────────────────────────────────────────────────────────────────


def handed_over(*edits: Edit, answer: Any = None, moves: Any = WENT_ON, calendars: Any = None, **handoff: Any) -> Any:
    """Run the clocks of a deal that went from qualification to proposal, at five on Monday."""
    usual = {"to": "seller", "accept_within": "4bh", "calendar": "office", "accepted": "accepted_by", **handoff}
    process = make_process(
        fields=[{"id": "accepted_by", "name": "Accepted by"}],
        calendars=calendars or {"office": make_calendar()},
        stages=[make_stage("qualification", handoff=usual), make_stage("proposal", handoff=usual), make_stage("care")],
    )
    deal = make_deal(stage=moves[-1][1], created_at=MONDAY, fields={"accepted_by": answer})
    subject = make_subject(*make_moves(*moves), deal=deal, process=process, edits=edits)
    return evaluate(subject, MONDAY + 8 * HOUR)


def test_a_handoff_waits_to_be_accepted() -> None:
    """Its clock runs on the visit after it, and is named after the stage that handed over."""
    (waiting,) = handed_over().clocks

    assert ("qualification.handoff", "proposal", "office") == (waiting.sla, waiting.visit.stage, waiting.calendar)
    assert (6 * HOUR, 4 * HOUR, SlaState.BREACHED) == (waiting.elapsed, waiting.goal, waiting.state)


@pytest.mark.parametrize("answer", [None, "", "  ", False])
def test_a_handoff_without_an_answer_waits(answer: Any) -> None:
    """Blank text and a no are no acceptance."""
    assert [True] == [clock.running for clock in handed_over(answer=answer).clocks]


def test_an_acceptance_that_was_seen_ends_the_clock() -> None:
    """One that was not leaves nothing to measure, nor one of before the hand-off."""
    seen = Edit(field="accepted_by", since=MONDAY, at=MONDAY + 5 * HOUR, before=None, after="Rita")
    early = Edit(field="accepted_by", since=MONDAY, at=MONDAY + HOUR, before=None, after="Rita")

    assert [(2, 5)] == shown(handed_over(seen, answer="Rita"))
    assert [] == shown(handed_over(answer="Rita")) == shown(handed_over(early, answer="Rita"))


def test_a_handoff_that_asks_for_no_answer_has_no_clock() -> None:
    """Neither without a time limit nor without a field."""
    assert () == handed_over(accept_within=None).clocks
    assert () == handed_over(accepted=None).clocks


@pytest.mark.parametrize(
    "moves",
    [
        ((MONDAY, "proposal"), (MONDAY + HOUR, "qualification")),
        (*CAME, (MONDAY + HOUR, "lost"), (MONDAY + 2 * HOUR, "proposal")),
        (*WENT_ON, (MONDAY + 3 * HOUR, "lost")),
    ],
)
def test_only_going_forward_hands_over(moves: Any) -> None:
    """Going back, being reopened and being lost do not."""
    assert () == handed_over(moves=moves).clocks


def test_a_handoff_uses_the_nearest_calendar() -> None:
    """Its own, else the only one; business time without any can't be counted."""
    both = {"office": make_calendar(), "shop": make_calendar()}

    def calendar(found: Evaluation) -> list[str]:
        return [clock.calendar for clock in found.clocks]

    assert ["shop"] == calendar(handed_over(calendars=both, calendar="shop"))
    assert ["office"] == calendar(handed_over(calendar=None))
    assert [] == calendar(handed_over(calendars=both, calendar=None))
    assert [""] == calendar(handed_over(calendars=both, calendar=None, accept_within="4h"))
