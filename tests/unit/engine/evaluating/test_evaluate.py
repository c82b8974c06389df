"""Evaluating a deal says where it stands, and finds what does not hold."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.evaluate import evaluate
from crmbridge.model.findings import Evaluation, Finding, FindingKind, Judgement, Place, Severity
from crmbridge.model.process import Process
from crmbridge.model.records import Edit, Problem, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money, Value
from crmbridge.testing.factories import (
    NOON,
    make_deal,
    make_moves,
    make_position,
    make_process,
    make_settings,
    make_stage,
    make_subject,
)

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
MONDAY = datetime(2026, 6, 8, 9, tzinfo=UTC)
THURSDAY_EVENING, FRIDAY_EVENING = datetime(2026, 6, 11, 17, tzinfo=UTC), datetime(2026, 6, 12, 17, tzinfo=UTC)
BANT: dict[str, Value] = {"bant.budget": "y", "bant.authority": "y", "bant.need": "y"}


def journey(*stages: str, fields: dict[str, Value] | None = None, **subject: Any) -> Subject:
    """Take a deal through stages, one an hour from Monday 09:00, and make the subject of where it ends."""
    moves = make_moves(*((MONDAY + timedelta(hours=hour), stage) for hour, stage in enumerate(stages)))
    deal = make_deal(stage=stages[-1], fields=fields, created_at=MONDAY, updated_at=MONDAY + DAY)
    return make_subject(*moves, deal=deal, **subject)


def kinds(evaluation: Evaluation) -> list[tuple[str, FindingKind]]:
    """Show the findings by rule and kind."""
    return [(finding.rule, finding.kind) for finding in evaluation.findings]


def only(evaluation: Evaluation) -> Finding:
    """Give the one finding that there is."""
    (finding,) = evaluation.findings
    return finding


def process_with(*exits: dict[str, Any], **overrides: Any) -> Process:
    """Make a process of which each stage in turn has one of these exit rules."""
    names = ("qualification", "proposal", "closing")
    stages = [
        make_stage(name, exit=[{"id": "rule", **rule}] if rule else [])
        for name, rule in zip(names, [*exits, *({} for _ in names)], strict=False)
    ]
    return make_process(**{"stages": [*stages, make_stage("care", status="won")], **overrides})


def test_a_deal_that_has_not_moved_has_no_findings_however_unready() -> None:
    """What is still missing shows as readiness: nobody has left the stage yet."""
    evaluation = evaluate(journey("qualification"), NOON)

    assert Place("qualification", Status.OPEN) == evaluation.place
    assert [("qualification.bant", Judgement.FAIL)] == [(v.rule, v.judgement) for v in evaluation.readiness]
    assert ((), ()) == (evaluation.judged, evaluation.findings)
    assert ["qualification.sla"] == [clock.sla for clock in evaluation.clocks]


def test_leaving_a_stage_whose_rule_fails_is_a_finding() -> None:
    """It says what does not hold, since when, and what would clear it."""
    finding = only(evaluate(journey("qualification", "proposal", fields={"bant.need": "y"}), NOON))

    assert ("qualification.bant", FindingKind.EXIT_RULE) == (finding.rule, finding.kind)
    assert ("qualification", 1, MONDAY + timedelta(hours=1)) == (finding.stage, finding.visit, finding.since)
    assert (
        "BANT 1/4: missing Budget, Authority, Timeline. The deal went on from Qualification on 2026-06-08 10:00 UTC, "
        "judged by what it holds now. Fill in or correct: Budget, Authority, Timeline."
    ) == finding.message
    assert "y" == finding.seen["bant.need"]


def test_a_rule_that_holds_now_is_no_finding() -> None:
    """Filling in afterwards clears it."""
    evaluation = evaluate(journey("qualification", "proposal", fields=BANT), NOON)

    assert [Judgement.PASS] == [verdict.judgement for verdict in evaluation.judged]
    assert () == evaluation.findings


def test_skipped_stages_are_judged_too() -> None:
    """Whoever skips a stage has not met its rules."""
    rule = {"check": {"required": ["source"]}}
    process = process_with(rule, rule, rule, moves={"skip": True})
    evaluation = evaluate(journey("qualification", "closing", process=process), NOON)

    assert [("qualification.rule", FindingKind.EXIT_RULE), ("proposal.rule", FindingKind.EXIT_RULE)] == kinds(
        evaluation
    )
    assert ["closing.rule"] == [verdict.rule for verdict in evaluation.readiness]


def test_every_stage_behind_the_deal_is_judged() -> None:
    """Also by a move before the last one; going back takes what is ahead again out of it."""
    rule = {"check": {"required": ["source"]}}
    forward = evaluate(journey("qualification", "proposal", "closing", process=process_with(rule, rule)), NOON)
    back = evaluate(journey("qualification", "proposal", "qualification", process=process_with(rule, rule)), NOON)

    assert [("qualification.rule", FindingKind.EXIT_RULE), ("proposal.rule", FindingKind.EXIT_RULE)] == kinds(forward)
    assert [MONDAY + timedelta(hours=1), MONDAY + timedelta(hours=2)] == [f.since for f in forward.findings]
    assert [] == kinds(back)


@pytest.mark.parametrize(
    ("on_unknown", "expected"),
    [("fail", [FindingKind.EXIT_RULE]), ("warn", [FindingKind.UNDECIDED]), ("skip", [])],
)
def test_a_rule_that_can_not_be_decided_is_what_the_process_says(on_unknown: str, expected: list[FindingKind]) -> None:
    """A failure, a finding of its own kind, or nothing."""
    rule = {"check": {"bounds": {"field": "discount", "max": 10}}, "on_unknown": on_unknown}
    evaluation = evaluate(journey("qualification", "proposal", process=process_with(rule)), NOON)

    assert [Judgement.UNKNOWN] == [verdict.judgement for verdict in evaluation.judged]
    assert expected == [finding.kind for finding in evaluation.findings]


def test_an_illegal_move_is_a_finding() -> None:
    """It says what was wrong with the move and where the deal was."""
    finding = only(evaluate(journey("qualification", "closing", fields=BANT), NOON))

    assert ("move", FindingKind.ILLEGAL_MOVE, "closing") == (finding.rule, finding.kind, finding.stage)
    assert (
        "The deal came from Qualification and skipped Proposal, which the process does not allow. "
        "It stands in Closing since 2026-06-08 10:00 UTC. "
        "Move it to where it belongs; it was in Qualification before."
    ) == finding.message
    assert (1, MONDAY + HOUR) == (finding.visit, finding.since)


def test_a_way_that_is_gone_a_second_time_is_another_finding() -> None:
    """What was accepted of the first one says nothing of it; nor does it where the deal is won instead."""
    skipping = ("qualification", "closing")
    ways = (skipping, skipping * 2, ("qualification", "won"))
    found = [only(evaluate(journey(*way, fields=BANT), NOON)) for way in ways]

    assert [("closing", 1), ("closing", 2), ("care", 1)] == [(finding.stage, finding.visit) for finding in found]
    assert 3 == len({finding.id for finding in found})


def test_an_illegal_move_is_overtaken_by_the_next_one() -> None:
    """The stage that was skipped is behind the deal, whose rules say what is missing there."""
    there_and_back = journey("qualification", "closing", "proposal", process=process_with())

    assert [] == kinds(evaluate(there_and_back, NOON))


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        (["closing", "won", "closing"], "The deal was opened again after it was won or lost, which"),
        (["closing", "qualification"], "The deal went back from Closing, which"),
        (["closing", "lost", "qualification"], "The deal was opened again after it was won or lost, which"),
    ],
)
def test_an_illegal_move_says_what_is_wrong_with_it(stages: list[str], words: str) -> None:
    """In words that fit what happened."""
    process = process_with(moves={"back": False, "reopen": False})

    assert only(evaluate(journey(*stages, process=process), NOON)).message.startswith(words)


@pytest.mark.parametrize(
    ("now", "kind", "since"),
    [
        (THURSDAY_EVENING - timedelta(microseconds=1), None, None),
        (THURSDAY_EVENING, FindingKind.SLA_AT_RISK, THURSDAY_EVENING),
        (FRIDAY_EVENING, FindingKind.SLA_AT_RISK, THURSDAY_EVENING),
        (FRIDAY_EVENING + 2 * DAY, FindingKind.SLA_AT_RISK, THURSDAY_EVENING),
        (MONDAY + 7 * DAY, FindingKind.SLA_AT_RISK, THURSDAY_EVENING),
        (MONDAY + 7 * DAY + timedelta(microseconds=1), FindingKind.SLA_BREACHED, FRIDAY_EVENING),
    ],
)
def test_a_running_clock_warns_and_breaches(now: datetime, kind: FindingKind | None, since: datetime | None) -> None:
    """Five business days from Monday morning: a warning from Thursday evening, a breach after Friday evening."""
    findings = evaluate(journey("qualification"), now).findings

    assert ([("qualification.sla", kind, since)] if kind else []) == [(f.rule, f.kind, f.since) for f in findings]


def test_an_sla_finding_does_not_change_while_time_goes_on() -> None:
    """So it is told once, and a field that shows it is written once."""
    first, later = (only(evaluate(journey("qualification"), MONDAY + days * DAY)) for days in (9, 19))

    assert first == later
    assert (
        "In Qualification since 2026-06-08 09:00 UTC; it was due to leave by 2026-06-12 17:00 UTC "
        "(5 business days in the calendar office). Move it on."
    ) == first.message


def test_a_closed_clock_is_no_finding() -> None:
    """What is over can't be helped; it counts in the indicators."""
    moves = make_moves((MONDAY, "qualification"), (MONDAY + 20 * DAY, "proposal"))
    subject = make_subject(*moves, deal=make_deal(stage="proposal", fields=BANT))

    assert () == evaluate(subject, MONDAY + 30 * DAY).findings


def test_a_handoff_that_nobody_accepts_is_a_finding() -> None:
    """On the stage that should have taken over."""
    handoff = {"to": "seller", "accept_within": "4bh", "calendar": "office", "accepted": "accepted_by"}
    process = make_process(stages=[make_stage("qualification", handoff=handoff), make_stage("proposal")])
    finding = only(evaluate(journey("qualification", "proposal", process=process), MONDAY + DAY))

    assert ("qualification.handoff", FindingKind.SLA_BREACHED, "proposal") == (
        finding.rule,
        finding.kind,
        finding.stage,
    )
    assert (
        "The deal was handed over to Proposal on 2026-06-08 10:00 UTC and not accepted; that was due by "
        "2026-06-08 14:00 UTC (4 business hours in the calendar office). "
        "Accept it by filling in accepted by, or move it back."
    ) == finding.message


def test_what_can_not_be_read_is_a_finding() -> None:
    """Each with the path it was found at; the CRM's words come without control characters."""
    problems = (Problem("amount", "'12,,5' is no number."), Problem("close\x1bdate", "\u202eno date"))
    subject = make_subject(deal=make_deal(problems=problems, created_at=NOON))
    first, second = evaluate(subject, NOON).findings

    assert ("unreadable", FindingKind.UNREADABLE, "amount") == (first.rule, first.kind, first.path)
    assert "The field amount can't be read: '12,,5' is no number. Correct it in the CRM." == first.message
    assert "The field close date can't be read: no date. Correct it in the CRM." == second.message
    assert first.id != second.id


def test_a_deal_in_an_unmapped_stage_is_a_finding() -> None:
    """Also when the deal came without any position."""
    unmapped = only(evaluate(make_subject(deal=make_deal(position=make_position("odd"))), NOON))
    nowhere = only(evaluate(make_subject(deal=make_deal(position=None)), NOON))

    assert (FindingKind.UNREADABLE, "stage", None) == (unmapped.kind, unmapped.path, unmapped.stage)
    assert "The stage n_odd of the pipeline sales stands for no stage of the process." in unmapped.message
    assert "The deal came from north without a stage. Put it into one there." == nowhere.message


def test_a_deal_in_another_pipeline_is_no_finding() -> None:
    """It is none of the process's, whether its stage there is called as one that is mapped or not."""
    there = [make_position(stage)._replace(pipeline="renewals") for stage in ("odd", "qualification")]

    assert [(), ()] == [evaluate(make_subject(deal=make_deal(position=one)), NOON).findings for one in there]


def test_each_stage_that_stands_for_none_is_a_finding_of_its_own() -> None:
    """What was accepted of one says nothing of the next that a deal is put into."""
    found = [only(evaluate(make_subject(deal=make_deal(stage=stage)), NOON)).id for stage in ("odd", "odder", "odd")]

    assert 2 == len(set(found))
    assert found[0] == found[-1]


def test_a_lost_deal_is_left_in_peace() -> None:
    """Only what can't be read is said."""
    subject = journey("qualification", "closing", "lost")
    deal = make_deal(stage="lost", problems=(Problem("amount", "no number."),))
    evaluation = evaluate(make_subject(*subject.moves, deal=deal), NOON + 300 * DAY)

    assert [("unreadable", FindingKind.UNREADABLE)] == kinds(evaluation)
    assert ((), ()) == (evaluation.judged, evaluation.readiness)


def test_a_won_deal_is_judged_by_the_stages_it_left() -> None:
    """Also when the process has no stage for won deals."""
    rule = {"check": {"required": ["contract"]}}
    stages = [make_stage("qualification"), make_stage("closing", exit=[{"id": "signed", **rule}])]
    evaluation = evaluate(journey("closing", "won", process=make_process(stages=stages)), NOON)

    assert Place(None, Status.WON) == evaluation.place
    assert [("closing.signed", FindingKind.EXIT_RULE)] == kinds(evaluation)


def test_severity_comes_from_the_binding() -> None:
    """Without one, a finding is for information."""
    bindings = [{"rule": "qualification.*", "severity": "error"}, {"rule": "*", "on": ["south"], "severity": "warning"}]
    subject = journey("qualification", "closing", settings=make_settings(enforce=bindings))
    findings = evaluate(subject, NOON).findings

    assert {"move": Severity.INFO, "qualification.bant": Severity.ERROR} == {f.rule: f.severity for f in findings}


def test_an_id_lasts_as_long_as_the_visit() -> None:
    """The same thing wrong in another visit, rule or deal is another finding."""
    subject = journey("qualification", "proposal")
    again = journey("qualification", "proposal", "qualification", "proposal")
    other = make_subject(*subject.moves, deal=make_deal("2", stage="proposal"))
    first = only(evaluate(subject, NOON)).id

    assert first == only(evaluate(subject, NOON + 99 * DAY)).id
    assert first == only(evaluate(journey("qualification", "proposal", fields={"bant.need": "y"}), NOON)).id
    assert 3 == len({first, only(evaluate(again, NOON)).id, only(evaluate(other, NOON)).id})


def test_a_broken_exit_rule_is_of_the_visit_that_was_left() -> None:
    """Not of the one that the deal came to, which may be another in number."""
    subject = journey("proposal", "qualification", "proposal")

    assert ("qualification", 1) == ((found := only(evaluate(subject, NOON))).stage, found.visit)


def test_names_come_in_the_language_asked_for() -> None:
    """Stages in findings, fields in verdicts."""
    fields = [{"id": "budget", "name": {"en": "Budget", "pt": "Orçamento"}}]
    rule = {"id": "rule", "check": {"required": ["budget"]}}
    stages = [make_stage("qualification", name={"en": "Q", "pt": "Qualificação"}, exit=[rule]), make_stage("proposal")]
    process = make_process(fields=fields, stages=stages)
    finding = only(evaluate(journey("qualification", "proposal", process=process, language="pt"), NOON))

    assert "Still to be filled in: Orçamento. The deal went on from Qualificação" in finding.message


PLACES = ("qualification", "proposal", "closing", "care", "won", "lost", "elsewhere")


@given(stages=st.lists(st.sampled_from(PLACES), min_size=1, max_size=7), hours=st.integers(-5, 400))
def test_findings_are_the_evaluation_in_words(stages: list[str], hours: int) -> None:
    """Each one stands on a verdict, clock, move or position of the same evaluation, under an id of its own."""
    rule = {"check": {"required": ["source"]}}
    subject = journey(*stages, process=process_with(rule, rule, rule, moves={"back": False}))
    now = MONDAY + timedelta(hours=hours)
    evaluation = evaluate(subject, now)
    failed = {verdict.rule for verdict in evaluation.judged if verdict.judgement is not Judgement.PASS}
    late = {clock.sla for clock in evaluation.clocks if clock.running}

    assert evaluation == evaluate(subject, now)
    assert len(evaluation.findings) == len({finding.id for finding in evaluation.findings})
    assert failed == {f.rule for f in evaluation.findings if f.kind is FindingKind.EXIT_RULE}
    assert {f.rule for f in evaluation.findings} <= failed | late | {"move", "unreadable"}
    assert (evaluation.place == (None, Status.OPEN)) == ("unreadable" in {f.rule for f in evaluation.findings})


# ── How long it stays true ──────────────────────────────────────────────────────────────────────────────


CLOSES_SOON: dict[str, Any] = {"check": {"dates": {"field": "close_date", "from_days": 0}}}


def test_an_evaluation_says_until_when_it_is_good() -> None:
    """The next warning or breach, and the next day where a rule looks at the date; never, where nothing waits."""
    at_work = evaluate(journey("qualification"), MONDAY)
    dated = evaluate(journey("qualification", process=process_with(CLOSES_SOON, {}, {})), MONDAY)

    assert at_work.until is not None
    assert MONDAY < at_work.until < at_work.clocks[0].due_at  # type: ignore[operator]
    assert MONDAY.replace(hour=0) + DAY == dated.until
    assert None is evaluate(journey("qualification", "won"), MONDAY + 30 * DAY).until


@given(minutes=st.integers(0, 21 * 24 * 60), share=st.floats(0, 0.999999), dated=st.booleans(), moved=st.booleans())
@example(minutes=0, share=0.999, dated=True, moved=True)
def test_nothing_changes_before_that(minutes: int, share: float, *, dated: bool, moved: bool) -> None:
    """At any moment before it, evaluating anew says the same of findings, rules and clocks; right after it may not."""
    process = process_with(CLOSES_SOON if dated else {}, {}, {})
    fields: dict[str, Value] = {"close_date": (MONDAY + 9 * DAY).date()}
    subject = journey("qualification", *(("proposal",) if moved else ()), fields=fields, process=process)
    now = MONDAY + HOUR + timedelta(minutes=minutes)
    first = evaluate(subject, now)
    end = first.until or now + 400 * DAY
    later = evaluate(subject, now + (end - now) * share)

    assert first.findings == later.findings
    assert [(v.rule, v.judgement) for v in first.readiness] == [(v.rule, v.judgement) for v in later.readiness]
    assert [clock.state for clock in first.clocks] == [clock.state for clock in later.clocks]
    assert first.until == later.until


# ── What can't be read ──────────────────────────────────────────────────────────────────────────────────


def unread_journey(*fields: str, rule: dict[str, Any]) -> Subject:
    """Take a deal out of a stage with this rule, of which some fields can't be read."""
    problems = tuple(Problem(f"{name}_x", "is no option any more", name) for name in fields)
    moves = make_moves((MONDAY, "qualification"), (MONDAY + timedelta(hours=1), "proposal"))
    deal = make_deal(stage="proposal", updated_at=MONDAY + DAY, problems=problems)
    left = {name: value for name, value in deal.fields.items() if name not in fields}
    return make_subject(*moves, deal=replace(deal, fields=left), process=process_with(rule))


@pytest.mark.parametrize(
    "rule",
    [
        {"check": {"required": ["amount"]}},
        {"check": {"at_least": 2, "of": ["source", "name", "amount"]}, "message": "Only {passed}"},
        {"check": {"expr": "amount != null"}},
        {"check": {"expr": "amount == null"}},
        {"check": {"required": ["source"]}, "when": {"expr": "amount == null"}},
        {"check": {"bounds": {"field": "amount", "min": 1}}},
    ],
)
def test_a_rule_over_what_can_not_be_read_is_undecided(rule: dict[str, Any]) -> None:
    """It is neither broken nor held, also where what can't be decided counts as broken."""
    evaluation = evaluate(unread_journey("amount", rule=rule), NOON)
    found = {finding.rule: finding for finding in evaluation.findings}

    assert [Judgement.UNKNOWN] == [verdict.judgement for verdict in evaluation.judged]
    assert {"unreadable", "qualification.rule"} == found.keys()
    assert FindingKind.UNDECIDED is found["qualification.rule"].kind
    assert found["qualification.rule"].message.startswith("amount can't be read, so this can't be decided.")


@pytest.mark.parametrize(
    ("rule", "judgement"),
    [
        ({"check": {"required": ["amount", "source"]}}, Judgement.FAIL),
        ({"check": {"at_least": 2, "of": ["name", "owner", "amount"]}}, Judgement.PASS),
        ({"check": {"at_least": 3, "of": ["name", "source", "lost_reason", "amount"]}}, Judgement.FAIL),
        ({"check": {"required": ["amount"]}, "when": {"required": ["source"]}}, Judgement.NOT_APPLICABLE),
    ],
)
def test_a_rule_that_does_not_hang_on_what_can_not_be_read_is_decided(
    rule: dict[str, Any], judgement: Judgement
) -> None:
    """Enough others are filled in, or too few, or it is for other deals."""
    assert [judgement] == [v.judgement for v in evaluate(unread_journey("amount", rule=rule), NOON).judged]


def test_a_rule_that_may_be_undecided_says_nothing_of_what_can_not_be_read() -> None:
    """With `on_unknown: skip`, the finding that the field can't be read is left."""
    rule = {"check": {"required": ["amount"]}, "on_unknown": "skip"}

    assert ["unreadable"] == [finding.rule for finding in evaluate(unread_journey("amount", rule=rule), NOON).findings]


def test_what_held_when_the_deal_left_is_fine_though_it_can_not_be_read_now() -> None:
    """Where it was seen to hold then; where it could not be read then either, nobody can tell."""
    subject = unread_journey("amount", rule={"check": {"required": ["amount"]}})
    later = Edit(field="amount", since=MONDAY + 2 * HOUR, at=MONDAY + 3 * HOUR, before=Money(1, "EUR"), after=None)
    before = replace(later, since=MONDAY - 2 * HOUR, at=MONDAY - HOUR)
    known = Edit(field="name", since=MONDAY - DAY, at=MONDAY - DAY, before="Old", after="Deal 1")
    found = [evaluate(replace(subject, edits=[known, edit]), NOON) for edit in (later, before)]

    assert [Judgement.PASS, Judgement.UNKNOWN] == [one.judged[0].judgement for one in found]
