"""A rule is judged at the moment that it speaks of, by the values of then where they are known."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.evaluate import evaluate
from crmbridge.engine.rules.case import Beside
from crmbridge.model.courses import Course, Held, untold
from crmbridge.model.findings import Evaluation, FindingKind, Judgement
from crmbridge.model.process import Process
from crmbridge.model.records import Edit, Kind
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.testing.factories import (
    NOON,
    make_contact,
    make_deal,
    make_moves,
    make_process,
    make_record,
    make_stage,
    make_subject,
)

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MONDAY = datetime(2026, 6, 8, 9, tzinfo=UTC)
NEEDS_SOURCE = {"id": "rule", "check": {"required": ["source"]}}
DISCOUNT = {"id": "rule", "check": {"bounds": {"field": "discount", "max": 10}}}


def process_of(**stages: Mapping[str, Any]) -> Process:
    """Make a process of three open stages and one for won deals; keyword arguments say more of a stage."""
    names = ("qualification", "proposal", "closing")
    made = [make_stage(name, **stages.get(name, {})) for name in names]
    discount = {"id": "discount", "type": "number", "name": "Discount"}
    return make_process(fields=[discount], stages=[*made, make_stage("care", status="won")])


def edit(field: str, before: Value, after: Value, *, since: datetime, at: datetime) -> Edit:
    """Make an edit that was seen."""
    return Edit(field=field, since=since, at=at, before=before, after=after)


def journey(*stages: str, process: Process, updated_at: datetime = MONDAY + 9 * DAY, **more: Any) -> Subject:
    """Take a deal through stages, one an hour from Monday 09:00."""
    moves = make_moves(*((MONDAY + hour * HOUR, stage) for hour, stage in enumerate(stages)))
    fields = more.pop("fields", {})
    deal = make_deal(stage=stages[-1], fields=fields, created_at=MONDAY, updated_at=updated_at)
    return make_subject(*more.pop("moves", moves), deal=deal, process=process, **more)


def told(evaluation: Evaluation) -> list[tuple[str, Judgement, str]]:
    """Show what was judged: rule, judgement, and whether by the values of then or of now."""
    return [(v.rule, v.judgement, v.values) for v in (*evaluation.entry, *evaluation.judged)]


# ── Then and now ────────────────────────────────────────────────────────────────────────────────────────


def test_without_history_the_values_of_now_count() -> None:
    """And it says so, in the verdict and in the finding."""
    process = process_of(qualification={"exit": [NEEDS_SOURCE]})
    evaluation = evaluate(journey("qualification", "proposal", process=process), NOON)

    assert [("qualification.rule", Judgement.FAIL, "now")] == told(evaluation)
    assert [NOON] == [verdict.as_of for verdict in evaluation.judged]
    assert "judged by what it holds now" in evaluation.findings[0].message


def test_what_held_at_the_move_is_fine_whatever_came_later() -> None:
    """A discount that was raised after the stage was left breaks no rule of that stage."""
    process = process_of(qualification={"exit": [DISCOUNT]})
    later = edit("discount", Decimal(5), Decimal(15), since=MONDAY + 2 * HOUR, at=MONDAY + DAY)
    subject = journey("qualification", "proposal", process=process, fields={"discount": Decimal(15)}, edits=[later])
    seen = make_moved(subject)

    assert [("qualification.rule", Judgement.PASS, "then")] == told(evaluate(seen, NOON))
    assert [("qualification.rule", Judgement.FAIL, "now")] == told(evaluate(subject, NOON))


def make_moved(subject: Subject) -> Subject:
    """Let the deal have been seen before its moves: its position changed while it was watched."""
    moved = edit("stage", "before", "after", since=MONDAY, at=MONDAY + 2 * HOUR)
    return make_subject(
        *subject.moves, deal=subject.deal, process=subject.process, edits=[moved, *subject.edits], beside=subject.beside
    )


def test_what_was_mended_after_the_move_holds() -> None:
    """It was broken then and holds now: nothing is left to do."""
    process = process_of(qualification={"exit": [NEEDS_SOURCE]})
    filled = edit("source", None, "fair", since=MONDAY + 2 * HOUR, at=MONDAY + DAY)
    subject = make_moved(
        journey("qualification", "proposal", process=process, fields={"source": "fair"}, edits=[filled])
    )

    assert [("qualification.rule", Judgement.PASS, "now")] == told(evaluate(subject, NOON))


def test_what_is_still_as_broken_as_it_was_is_judged_by_then() -> None:
    """And where the deal was not edited since the move, that is known without any history."""
    process = process_of(qualification={"exit": [NEEDS_SOURCE]})
    seen = make_moved(journey("qualification", "proposal", process=process))
    untouched = journey("qualification", "proposal", process=process, updated_at=MONDAY + HOUR)

    for subject in (seen, untouched):
        evaluation = evaluate(subject, NOON)
        assert [("qualification.rule", Judgement.FAIL, "then")] == told(evaluation)
        assert [MONDAY + HOUR] == [verdict.as_of for verdict in evaluation.judged]
        assert "judged by what it held then" in evaluation.findings[0].message


def test_whence_the_values_are_known_is_told() -> None:
    """That a CRM recorded them only where it recorded all of them; that it can't tell them where one is missing."""
    process = process_of(qualification={"exit": [{"id": "rule", "check": {"required": ["source", "lost_reason"]}}]})
    edited = journey("qualification", "proposal", process=process)
    watched, ref = make_moved(edited), edited.deal.ref
    source, reason = (
        Course(deal=ref, field=name, until=NOON, held=(Held(at=MONDAY, value=None),))
        for name in ("source", "lost_reason")
    )
    lost = untold(edited.deal, "lost_reason", "it keeps no history")

    def whence(subject: Subject, *courses: Course) -> str:
        known = replace(subject, courses={course.field: course for course in courses})
        (finding,) = evaluate(known, NOON).findings
        return finding.message.partition(" UTC, judged by what it ")[2].partition(".")[0]

    assert "held then, as north recorded it" == whence(edited, source, reason)
    assert "held then" == whence(watched) == whence(watched, source)
    assert "holds now, as north can't tell what it was" == whence(edited, source, lost)
    assert "holds now" == whence(edited, source) == whence(edited)


def test_an_edit_that_may_have_come_before_or_after_the_move_proves_nothing() -> None:
    """Both were made between two looks, so the values of now count."""
    process = process_of(qualification={"exit": [DISCOUNT]})
    same_time = edit("discount", Decimal(5), Decimal(15), since=MONDAY, at=MONDAY + 2 * HOUR)
    subject = journey("qualification", "proposal", process=process, fields={"discount": Decimal(15)}, edits=[same_time])

    assert [("qualification.rule", Judgement.FAIL, "now")] == told(evaluate(subject, NOON))


def test_a_date_is_held_against_the_day_of_the_move() -> None:
    """Presented the day after is too late for the move, until that day has come as well."""
    presented = {"id": "rule", "check": {"dates": {"field": "close_date", "to_days": 0}}}
    process = process_of(qualification={"exit": [presented]})
    fields: dict[str, Value] = {"close_date": (MONDAY + DAY).date()}
    subject = journey("qualification", "proposal", process=process, fields=fields, updated_at=MONDAY + HOUR)

    assert [("qualification.rule", Judgement.FAIL, "then")] == told(evaluate(subject, MONDAY + 2 * HOUR))
    assert [("qualification.rule", Judgement.PASS, "now")] == told(evaluate(subject, MONDAY + DAY))


def test_activities_tell_when_they_were() -> None:
    """A call within two hours before the move counted then, however long ago that is; one after it did not."""
    called = {"id": "rule", "check": {"activities": {"kind": "call", "state": "done", "within": "2h"}}}
    process = process_of(qualification={"exit": [called]})
    before, after = (
        make_record(Kind.ACTIVITY, n, fields={"type": "call", "done": True, "at": MONDAY + n * HOUR}) for n in (0, 5)
    )
    subject = journey("qualification", "proposal", process=process, updated_at=MONDAY + HOUR)

    def judged(*activities: Any, now: datetime = NOON) -> list[tuple[str, Judgement, str]]:
        whole = make_subject(*subject.moves, deal=subject.deal, process=process, activities=activities)
        return told(evaluate(whole, now))

    assert [("qualification.rule", Judgement.PASS, "then")] == judged(before)
    assert [("qualification.rule", Judgement.PASS, "now")] == judged(after, now=MONDAY + 6 * HOUR)
    assert [("qualification.rule", Judgement.FAIL, "then")] == judged(after) == judged()


def test_contacts_have_no_history() -> None:
    """What they were like at the move is not known, so they are judged as they are, even if the deal did not change."""
    process = process_of(qualification={"exit": [{"id": "rule", "check": {"contacts": {"title": ["head"]}}}]})

    def judged(title: str) -> list[tuple[str, Judgement, str]]:
        beside = Beside(contacts=[make_contact(title=title)])
        return told(
            evaluate(
                journey("qualification", "proposal", process=process, updated_at=MONDAY + HOUR, beside=beside), NOON
            )
        )

    assert [("qualification.rule", Judgement.PASS, "now")] == judged("Head of IT")
    assert [("qualification.rule", Judgement.FAIL, "now")] == judged("Assistant")


def test_nothing_was_done_in_a_stage_that_was_skipped() -> None:
    """Activities of the stage before it do not count for it."""
    called = {"id": "rule", "check": {"activities": {"in_stage": True}}}
    process = process_of(qualification={"exit": [called]}, proposal={"exit": [called]})
    activity = make_record(Kind.ACTIVITY, fields={"type": "call", "done": True, "at": MONDAY + HOUR / 2})
    subject = journey("qualification", "closing", process=process, activities=[activity])

    assert [Judgement.PASS, Judgement.FAIL] == [verdict.judgement for verdict in evaluate(subject, NOON).judged]


# ── On entry ────────────────────────────────────────────────────────────────────────────────────────────


def test_an_entry_rule_is_judged_when_a_deal_comes_in() -> None:
    """Its finding is of a kind of its own, and says when that was."""
    process = process_of(proposal={"entry": [NEEDS_SOURCE]})
    evaluation = evaluate(journey("qualification", "proposal", process=process), NOON)
    (finding,) = evaluation.findings

    assert ("proposal.rule", FindingKind.ENTRY_RULE, "proposal") == (finding.rule, finding.kind, finding.stage)
    assert (MONDAY + HOUR, 1) == (finding.since, finding.visit)
    assert "The deal came into Proposal on 2026-06-08 10:00 UTC" in finding.message
    assert {"source": None} == dict(finding.seen)
    assert [] == [verdict.rule for verdict in evaluation.readiness]
    assert () == evaluate(journey("qualification", "proposal", process=process, fields={"source": "x"}), NOON).findings


def test_an_entry_rule_is_judged_of_the_running_visit_only() -> None:
    """Once the deal has gone on, what had to hold when it came is over; a new deal is judged, too."""
    process = process_of(qualification={"entry": [NEEDS_SOURCE]}, proposal={"entry": [NEEDS_SOURCE]})
    gone = evaluate(journey("qualification", "proposal", "closing", process=process), NOON)
    new = evaluate(journey("qualification", process=process), NOON)

    assert ([], ["qualification.rule"]) == ([f.rule for f in gone.findings], [f.rule for f in new.findings])


def test_an_entry_rule_that_can_not_be_decided_is_what_the_process_says() -> None:
    """As with exit rules."""
    process = process_of(proposal={"entry": [{**DISCOUNT, "on_unknown": "warn"}]})

    assert [FindingKind.UNDECIDED] == [
        f.kind for f in evaluate(journey("qualification", "proposal", process=process), NOON).findings
    ]


# ── Several moves ───────────────────────────────────────────────────────────────────────────────────────


def everywhere() -> Process:
    """Make a process with an exit and an entry rule in each open stage."""
    rules = {"exit": [NEEDS_SOURCE], "entry": [{**DISCOUNT, "id": "low"}]}
    return process_of(qualification=rules, proposal=rules, closing=rules)


@pytest.mark.parametrize(
    ("stages", "expected"),
    [
        (["qualification", "proposal", "closing"], ["qualification", "proposal"]),
        (["qualification", "closing", "proposal"], ["qualification"]),
        (["qualification", "proposal", "closing", "proposal", "closing"], ["qualification", "proposal"]),
        (["closing", "qualification"], []),
        (["qualification", "proposal", "closing", "won"], ["closing"]),
        (["qualification", "proposal", "lost", "closing"], ["qualification", "proposal"]),
        (["qualification", "proposal", "lost"], []),
    ],
)
def test_a_broken_rule_counts_while_the_deal_is_beyond_its_stage(stages: list[str], expected: list[str]) -> None:
    """Once per stage, by the move that left it last; a won deal is measured by its last move."""
    exits = process_of(**{name: {"exit": [NEEDS_SOURCE]} for name in ("qualification", "proposal", "closing")})

    assert expected == [verdict.stage for verdict in evaluate(journey(*stages, process=exits), NOON).judged]


def test_a_skip_before_the_last_move_is_overtaken() -> None:
    """Its stages are judged by their rules; the move itself can't be mended any more."""
    process = process_of(proposal={"exit": [NEEDS_SOURCE]})
    first = evaluate(journey("qualification", "closing", process=process), NOON)
    later = evaluate(journey("qualification", "closing", "care", process=process), NOON)
    beyond = process_of(qualification={"next": ["proposal"]}, proposal={"exit": [NEEDS_SOURCE]})
    back = evaluate(journey("qualification", "closing", "proposal", "closing", process=beyond), NOON)

    assert ["move", "proposal.rule"] == [finding.rule for finding in first.findings]
    assert [] == [finding.rule for finding in later.findings]
    assert ["proposal.rule"] == [finding.rule for finding in back.findings]


def test_a_stage_that_two_moves_left_behind_is_judged_once() -> None:
    """Where `next` leads back on the way forward, the last of them counts."""
    process = process_of(
        qualification={"exit": [NEEDS_SOURCE], "next": ["proposal", "closing"]},
        proposal={"next": ["qualification"]},
    )
    evaluation = evaluate(journey("qualification", "proposal", "closing", process=process), NOON)

    assert ["qualification.rule"] == [verdict.rule for verdict in evaluation.judged]
    assert [MONDAY + 2 * HOUR] == [finding.since for finding in evaluation.findings if finding.rule != "move"]


PLACES = ("qualification", "proposal", "closing", "care", "won", "lost", "elsewhere")


@given(stages=st.lists(st.sampled_from(PLACES), min_size=1, max_size=7), data=st.data())
def test_moves_may_arrive_in_any_order(stages: list[str], data: st.DataObject) -> None:
    """The evaluation is the same."""
    subject = journey(*stages, process=everywhere())
    shuffled = data.draw(st.permutations(subject.moves))
    other = journey(*stages, process=everywhere(), moves=shuffled)

    assert evaluate(subject, NOON) == evaluate(other, NOON)


@given(
    stages=st.lists(st.sampled_from(PLACES), min_size=1, max_size=7),
    values=st.lists(st.sampled_from([None, "fair"]), min_size=7, max_size=7),
    runs=st.sets(st.integers(0, 6)),
)
def test_moves_judged_one_by_one_are_judged_as_all_at_once(
    stages: list[str], values: list[Value], runs: set[int]
) -> None:
    """Whenever runs come by, in the end the same findings are open as if there had been the last run only.

    Values that stay once they are filled in: of one that was taken away again, only a run in between can know.
    """
    filled = [next((v for v in values[: n + 1] if v), None) for n in range(len(stages))]
    steps = range(len(stages))
    subjects = [journey(*stages[: n + 1], process=everywhere(), fields={"source": filled[n]}) for n in steps]
    still_open: set[str] = set()
    for n in sorted({*runs & set(steps), len(stages) - 1}):
        still_open = {finding.id for finding in evaluate(watched(subjects[: n + 1], runs), MONDAY + n * HOUR).findings}

    assert {f.id for f in evaluate(subjects[-1], NOON).findings} == still_open


def watched(subjects: list[Subject], runs: set[int]) -> Subject:
    """Give the last of these with the edits that the runs up to it saw."""
    last = subjects[-1]
    looks = sorted({*(n for n in runs if n < len(subjects)), len(subjects) - 1})
    edits = [
        edit(name, was, now, since=MONDAY + before * HOUR, at=MONDAY + after * HOUR)
        for before, after in pairwise(looks)
        for name, was, now in (
            ("stage", "x", "y"),
            ("source", subjects[before].deal.fields["source"], subjects[after].deal.fields["source"]),
        )
        if was != now
    ]
    deal = make_deal(
        stage="",
        fields=last.deal.fields,
        created_at=MONDAY,
        updated_at=MONDAY + looks[-1] * HOUR,
        position=last.deal.position,
    )
    return make_subject(*last.moves, deal=deal, process=last.process, edits=edits)
