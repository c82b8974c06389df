"""Findings become changes where a binding says so."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.acting.actions import acts_for, typed
from crmbridge.engine.acting.aging import Past, aged
from crmbridge.engine.acting.bindings import People
from crmbridge.engine.acting.occasion import marker
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.evaluate import evaluate
from crmbridge.engine.time.moments import LAST
from crmbridge.model.changes import Action, Cause, Change, JournalEntry, Origin, Outcome
from crmbridge.model.findings import Severity, Waiver
from crmbridge.model.lives import Known, Life
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Move, Position, Problem, Record, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType, Money, Value
from crmbridge.settings import Settings
from crmbridge.testing.factories import (
    NOON,
    make_deal,
    make_moves,
    make_position,
    make_process,
    make_ref,
    make_settings,
    make_stage,
    make_subject,
)

DAY, HOUR, TICK = timedelta(days=1), timedelta(hours=1), timedelta(microseconds=1)
MONDAY = datetime(2026, 6, 8, 9, tzinfo=UTC)


def bound(*bindings: dict[str, Any], **overrides: Any) -> Settings:
    """Make the usual settings with bindings; one that names no rule is for all of them."""
    return make_settings(enforce=[{"rule": "*", **binding} for binding in bindings], **overrides)


def journey(
    *stages: str, bindings: list[dict[str, Any]], deal: dict[str, Any] | None = None, **subject: Any
) -> Subject:
    """Take a deal through stages, one an hour from Monday 09:00; `deal` overrides parts of the record."""
    moves = make_moves(*((MONDAY + timedelta(hours=hour), stage) for hour, stage in enumerate(stages)))
    record = make_deal(stage=stages[-1], **{"updated_at": MONDAY + DAY, **(deal or {})})
    return make_subject(*moves, deal=record, settings=bound(*bindings), **subject)


def changes_of(subject: Subject, now: datetime = NOON) -> tuple[Change, ...]:
    """Evaluate a subject and give the changes."""
    past = Past()
    return acts_for(subject, aged(subject, evaluate(subject, now), past, now), past, now).changes


def only(subject: Subject, now: datetime = NOON) -> Change:
    """Give the one change that there is."""
    (change,) = changes_of(subject, now)
    return change


@pytest.mark.parametrize(
    "bindings", [[], [{"action": "audit"}], [{"action": "warn"}], [{"action": "task", "on": ["south"]}]]
)
def test_audit_and_warn_change_nothing(bindings: list[dict[str, Any]]) -> None:
    """Nor does a finding without a binding for its connection."""
    assert () == changes_of(journey("qualification", "closing", bindings=bindings))


def test_a_task_tells_the_owner_what_to_do() -> None:
    """It hangs on the deal, carries a marker, and is made by enforcing."""
    subject = journey("qualification", "proposal", bindings=[{"action": "task"}])
    (finding,) = evaluate(subject, NOON).findings
    change = only(subject)

    assert (Action.TASK, Origin.ENFORCE, "north", make_ref()) == (
        change.action,
        change.origin,
        change.connection,
        change.target,
    )
    assert (finding.id, f"crmbridge:{finding.id}") == (change.finding, change.key)
    assert "Exit rule not met: Deal 1 (qualification.bant)" == change.after["subject"]
    assert "7" == change.after["owner"]
    assert (
        f"{finding.message}\n\n"
        "What to do: Complete what the stage asks for, or move the deal back.\n"
        "Rule: qualification.bant of the process Selling\n\n"
        f"{marker(finding)}"
    ) == change.after["body"]


def test_a_task_is_due_after_the_finding_began() -> None:
    """When that is over, from now on: a task that is late from the start helps nobody."""
    subject = journey("qualification", "proposal", bindings=[{"action": "task", "due": "36h"}])
    since = MONDAY + timedelta(hours=1)

    assert since + 1.5 * DAY == only(subject, MONDAY + DAY).after["due_at"]
    assert NOON + 1.5 * DAY == only(subject, NOON).after["due_at"]


def test_the_same_finding_plans_the_same_change() -> None:
    """Whatever the time and whatever else changed on the deal; each action has an id of its own."""
    deals = [{"fields": {"bant.need": need}, "version": need} for need in ("v1", "v2")]
    tasks, notes = (
        {
            only(journey("qualification", "proposal", bindings=[{"action": action}], deal=deal), NOON + days * DAY).id
            for days, deal in enumerate(deals)
        }
        for action in ("task", "note")
    )

    assert (1, 1, 2) == (len(tasks), len(notes), len(tasks | notes))


def test_a_note_says_what_is_wrong() -> None:
    """It has only a body."""
    change = only(journey("qualification", "proposal", bindings=[{"action": "note"}]))

    assert (Action.NOTE, ["body"]) == (change.action, list(change.after))


def test_what_a_crm_says_is_put_in_as_plain_text() -> None:
    """Without control or direction characters, and cut."""
    hostile = "\u202e\x1b[2J<b>{message}</b>\r\n" + "x" * 9000
    deal = {"fields": {"name": hostile}, "problems": (Problem(hostile, hostile),)}
    change = only(journey("qualification", bindings=[{"action": "task"}], deal=deal))
    subject, body = str(change.after["subject"]), str(change.after["body"])

    assert subject.startswith("Value not readable: [2J<b>{message}</b> xxx")
    assert len(subject) == 120
    assert len(body) < 2000
    assert not {"\u202e", "\x1b", "\r"} & {*subject, *body, *change.reason}


def field(**overrides: Any) -> dict[str, Any]:
    """Make a binding that sets a field."""
    return {"action": "field", "field": "alert", "value": "{rule}: {message}", **overrides}


def test_a_field_is_set_with_the_rule_and_the_message() -> None:
    """The change names what it was computed from."""
    change = only(journey("qualification", "proposal", bindings=[field()], deal={"fields": {"alert": "old"}}))
    (edit,) = change.edits

    assert (Action.UPDATE, "v1", None) == (change.action, change.expects, change.key)
    assert ("alert", "old") == edit[:2]
    assert str(edit.after).startswith("qualification.bant: BANT 0/4: missing Budget")


def test_a_field_that_has_the_value_is_left_alone() -> None:
    """So the second run is quiet."""
    first = only(journey("qualification", "proposal", bindings=[field()]))

    assert () == changes_of(
        journey("qualification", "proposal", bindings=[field()], deal={"fields": dict(first.after)}), NOON + DAY
    )


def test_of_several_findings_the_first_sets_the_field() -> None:
    """Or they would take turns, and no run would be quiet."""
    first = only(journey("qualification", "closing", bindings=[field(value="{rule}")]))

    assert {"alert": "move"} == first.after
    assert () == changes_of(
        journey("qualification", "closing", bindings=[field(value="{rule}")], deal={"fields": dict(first.after)})
    )


def test_a_field_without_a_value_is_emptied() -> None:
    """That is what the binding says."""
    subject = journey("qualification", "proposal", bindings=[field(value=None)], deal={"fields": {"alert": "old"}})

    assert {"alert": None} == only(subject).after


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("Yes", FieldType.BOOL, True),
        ("no", FieldType.BOOL, False),
        ("maybe", FieldType.BOOL, "maybe"),
        ("2.50", FieldType.NUMBER, Decimal("2.50")),
        ("many", FieldType.NUMBER, "many"),
        ("2026-06-10", FieldType.DATE, date(2026, 6, 10)),
        ("2026-06-10T12:00:00+02:00", FieldType.DATETIME, datetime(2026, 6, 10, 10, tzinfo=UTC)),
        ("b, a", FieldType.CHOICES, ("a", "b")),
        ("5", FieldType.TEXT, "5"),
        ("5", FieldType.MONEY, Money(Decimal(5), "EUR")),
    ],
)
def test_a_settings_text_becomes_the_fields_kind_of_value(text: str, kind: FieldType, expected: Value) -> None:
    """What is not of that kind stays text, which the CRM will refuse with its own words."""
    assert expected == typed(text, kind, Money(Decimal(1), "EUR"))


def test_money_without_a_currency_stays_text() -> None:
    """None is made up."""
    assert "5" == typed("5", FieldType.MONEY)


def test_a_task_goes_back_to_whom_a_later_step_names() -> None:
    """A step changes the task as it stands, which is not as it was made where a step before changed it."""
    steps = [{"after": f"{days}d", "to": to, "action": "task"} for days, to in ((1, "owner"), (2, "boss@acme.example"))]
    binding = {"action": "task", "to": "boss@acme.example", "escalate": steps}
    subject = journey("qualification", "proposal", bindings=[binding], deal={"fields": {"owner": "7"}})
    (finding,) = evaluate(subject, NOON).findings
    people = People(ids={"boss@acme.example": "9", "rita@acme.example": "7"}, emails={})
    past = Past(known={finding.id: Known(finding, Life(NOON, NOON))}, people=people)
    owners = []
    for day in range(3):
        now = NOON + day * DAY
        (change,) = acts_for(subject, aged(subject, evaluate(subject, now), past, now), past, now).changes
        owners.append(change.after.get("owner"))
        entry = JournalEntry(seq=day, run="r", at=now, change=change, outcome=Outcome.APPLIED)
        past = replace(past, outcomes={**past.outcomes, change.id: entry})

    assert ["9", "7", "9"] == owners


REVERT = {"action": "revert"}


def test_a_revert_takes_the_deal_back_to_where_it_came_from() -> None:
    """Stage names for people, the CRM's position for the adapter, and the version it was read at."""
    change = only(journey("qualification", "proposal", bindings=[REVERT]))

    assert [("stage", "proposal", "qualification")] == [tuple(edit) for edit in change.edits]
    assert (make_position("qualification"), make_position("proposal")) == (change.position, change.position_before)
    assert ("v1", None, {}) == (change.expects, change.key, change.after)
    assert change.reason.startswith("qualification.bant: BANT 0/4")


def test_a_deal_is_moved_back_once_for_several_findings() -> None:
    """It made one move."""
    change = only(journey("qualification", "closing", bindings=[REVERT]))

    assert "move" == change.reason.partition(":")[0]


def test_a_revert_goes_to_the_native_stage_that_the_deal_was_in() -> None:
    """Where several stand for the stage."""
    stages = {"pipeline": "sales", "map": {"qualification": ["n_new", "n_qualification"], "proposal": "n_proposal"}}
    subject = journey("qualification", "proposal", bindings=[REVERT])
    settings = bound(REVERT, stages={"north": stages})
    known = make_subject(*subject.moves, deal=subject.deal, settings=settings)
    unknown = make_subject(subject.moves[0], deal=subject.deal, settings=settings)

    assert Position("sales", "n_qualification", Status.OPEN) == only(known).position
    assert Position("sales", "n_new", Status.OPEN) == only(unknown).position


def test_the_same_move_is_reverted_under_the_same_id_and_another_one_is_not() -> None:
    """What the journal knows as done is left out of the plan; doing it again is a new move."""
    first = only(journey("qualification", "proposal", bindings=[REVERT]))
    later = only(journey("qualification", "proposal", bindings=[REVERT], deal={"version": "v9"}), NOON + DAY)
    again = only(journey("qualification", "proposal", "qualification", "proposal", bindings=[REVERT]))

    assert first.id == later.id != again.id


@pytest.mark.parametrize(
    "stages",
    [
        ["qualification", "closing", "care"],
        ["qualification", "won"],
        ["qualification", "lost"],
        ["closing", "lost", "closing"],
        ["qualification", "lost", "closing"],
        ["care", "closing"],
        ["qualification", "proposal", "closing", "qualification"],
        ["qualification", "elsewhere"],
    ],
)
def test_no_revert_touches_won_and_lost_or_goes_forward(stages: list[str]) -> None:
    """However wrong the move was."""
    process = make_process(moves={"back": False, "reopen": False})

    assert () == changes_of(journey(*stages, bindings=[REVERT], process=process))


def test_what_an_earlier_move_left_behind_is_no_reason_to_take_back_the_last_one() -> None:
    """The finding stays, and a person decides how far the deal has to go back."""
    subject = journey("qualification", "proposal", "closing", bindings=[REVERT])

    assert ["qualification.bant"] == [finding.rule for finding in evaluate(subject, NOON).findings]
    assert () == changes_of(subject)


@pytest.mark.parametrize(("on_unknown", "changes"), [("fail", 1), ("warn", 0), ("skip", 0)])
def test_no_move_is_taken_back_for_what_the_process_only_warns_of(on_unknown: str, changes: int) -> None:
    """The move may have been right: the finding says what to fill in. Where it counts as broken, the move goes back."""
    rule = {"id": "sum", "check": {"bounds": {"field": "discount", "max": 10}}, "on_unknown": on_unknown}
    process = make_process(stages=[make_stage("qualification", exit=[rule]), make_stage("proposal")])

    assert changes == len(changes_of(journey("qualification", "proposal", bindings=[REVERT], process=process)))


def test_what_is_wrong_besides_keeps_no_move_from_being_taken_back() -> None:
    """A finding that is not about the last move has no say in it: of an older move, or of a value."""
    rule = {"id": "sum", "check": {"required": ["amount"]}}
    stages = [make_stage(name, exit=[{**rule}]) for name in ("qualification", "proposal")]
    process = make_process(stages=[*stages, make_stage("closing")])
    deal = {"fields": {"amount": None}, "problems": (Problem("name_x", "is hidden", "name"),)}
    subject = journey("qualification", "proposal", "closing", bindings=[REVERT], process=process, deal=deal)
    rules = [finding.rule for finding in evaluate(subject, NOON).findings]

    assert ["unreadable", "qualification.sum", "proposal.sum"] == rules
    assert ("proposal.sum", [("stage", "closing", "proposal")]) == (
        rule_of(only(subject), subject),
        [tuple(edit) for edit in only(subject).edits],
    )


def test_a_deal_that_was_moved_back_stays_there() -> None:
    """The move back is our own, and allowed even where going back is not."""
    subject = journey("qualification", "proposal", bindings=[REVERT], process=make_process(moves={"back": False}))
    deal = make_deal(stage="qualification", updated_at=NOON)
    back = make_moves(
        *((move.at, move.after.stage.removeprefix("n_")) for move in subject.moves), (NOON, "qualification")
    )
    histories: tuple[Sequence[Move], ...] = (subject.moves, back)  # before and after the history has caught up

    for moves in histories:
        assert () == changes_of(make_subject(*moves, deal=deal, process=subject.process, settings=subject.settings))


def test_an_sla_is_not_mended_by_moving_back() -> None:
    """Only what the move itself did wrong is."""
    subject = journey("qualification", "proposal", bindings=[REVERT], process=slow_proposal())

    assert ["proposal.sla"] == [finding.rule for finding in evaluate(subject, NOON).findings]
    assert () == changes_of(subject)


def test_what_can_not_be_read_is_not_mended_by_moving_back() -> None:
    """Even where the record was changed by the move, and by nothing since."""
    problem = Problem("amount_x", "is hidden", "amount")
    deal = {"problems": (problem,), "updated_at": MONDAY + timedelta(hours=1)}
    process = make_process(stages=[make_stage("qualification"), make_stage("proposal")])
    subject = journey("qualification", "proposal", bindings=[REVERT], process=process, deal=deal)

    assert [("unreadable", subject.moves[-1].at)] == [(f.rule, f.since) for f in evaluate(subject, NOON).findings]
    assert () == changes_of(subject)


def test_no_revert_takes_a_deal_back_to_being_won() -> None:
    """A process may go on after that."""
    names = ("qualification", "care", "closing")
    stages = [make_stage(name, status="won" if name == "care" else "open") for name in names]
    process = make_process(stages=stages, moves={"reopen": False})
    subject = journey("care", "closing", bindings=[REVERT], process=process)

    assert ["move"] == [finding.rule for finding in evaluate(subject, NOON).findings]
    assert () == changes_of(subject)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_a_deal_that_was_moved_back_is_left_to_a_person(outcome: Outcome) -> None:
    """A revert that did not get there is no word against whoever moved the deal."""
    made = only(journey("qualification", "proposal", bindings=[REVERT]))
    again = journey("qualification", "proposal", "qualification", "proposal", bindings=[REVERT])
    past = Past(outcomes={made.id: JournalEntry(seq=1, run="r", at=NOON, change=made, outcome=outcome)})
    acts = acts_for(again, evaluate(again, NOON), past, NOON)
    asked = [(item.deal, item.name, item.cause, item.values) for item in acts.blocked]

    if outcome is Outcome.APPLIED:
        assert ([(again.deal.ref, "stage", Cause.MOVE, {"north": "proposal"})], ()) == (asked, acts.changes)
    else:
        assert ([], [Action.UPDATE]) == (asked, [change.action for change in acts.changes])


@pytest.mark.parametrize(
    ("when", "moment"),
    [
        ({"expr": "now - touched > duration('4h')"}, NOON + HOUR),
        ({"activities": {"at_least": 1, "state": "done", "within": "3h"}}, NOON + HOUR + TICK),
        ({"dates": {"field": "touched", "to_days": 0}}, datetime(2026, 6, 11, tzinfo=UTC)),
        ({"required": ["touched"]}, None),
    ],
)
def test_a_binding_is_looked_at_again_when_its_condition_turns(when: dict[str, Any], moment: datetime | None) -> None:
    """Not before, and no later: what it asks for would wait for the next day."""
    process = make_process(
        fields=[{"id": "touched", "name": "Touched", "type": "datetime"}],
        stages=[
            make_stage("qualification", exit=[{"id": "sum", "check": {"required": ["amount"]}}]),
            make_stage("proposal"),
        ],
    )
    called = Record(
        ref=make_ref("5", kind=Kind.ACTIVITY),
        fields={"type": "call", "done": True, "at": NOON - 2 * HOUR},
        version="1",
        updated_at=NOON,
    )
    subject = journey(
        "qualification",
        "proposal",
        bindings=[{"action": "task", "when": when}],
        deal={"fields": {"touched": NOON - 3 * HOUR, "amount": None}},
        process=process,
        activities=[called],
    )

    assert moment == aged(subject, evaluate(subject, NOON), Past(), NOON).until


@pytest.mark.parametrize(
    ("days", "waived", "severity", "until"),
    [
        (0.5, False, Severity.WARNING, NOON + DAY / 2),
        (1, False, Severity.ERROR, NOON + 2 * DAY),
        (3, False, Severity.INFO, None),
        (3, True, Severity.WARNING, NOON + 4 * DAY),
    ],
)
def test_a_finding_grows_graver_with_its_steps(
    *, days: float, waived: bool, severity: Severity, until: datetime | None
) -> None:
    """From the moment on at which one falls due, the last one counts; while it is waived, none does."""
    steps = [{"after": "1d", "severity": "error"}, {"after": "3d", "severity": "info"}]
    subject = journey("qualification", "proposal", bindings=[{"escalate": steps}])
    evaluation = evaluate(subject, NOON)
    (finding,) = evaluation.findings
    since = NOON - days * DAY
    waiver = Waiver(deal=finding.deal, rule=finding.rule, by="Rita", why="a pilot", until=NOON + 4 * DAY, at=since)
    past = Past(
        known={finding.id: Known(finding, Life(since, since))}, waivers={finding.rule: waiver} if waived else {}
    )
    aged_now = aged(subject, evaluation, past, NOON)

    assert (severity, until) == (aged_now.findings[0].severity, aged_now.until)


def slow_proposal() -> Process:
    """Make a process whose proposals are late after an hour, without exit rules."""
    sla = {"goal": "1bh", "calendar": "office"}
    return make_process(stages=[make_stage("qualification"), make_stage("proposal", sla=sla)])


def test_a_revert_that_can_not_be_written_is_left_out() -> None:
    """The stage it would go back to is not mapped any more."""
    settings = bound(REVERT, stages={"north": {"pipeline": "sales", "map": {"proposal": "n_proposal"}}})
    subject = journey("qualification", "proposal", bindings=[REVERT])

    assert () == changes_of(make_subject(*subject.moves, deal=subject.deal, settings=settings))


PLACES = ("qualification", "proposal", "closing", "care", "won", "lost", "elsewhere")


@given(
    stages=st.lists(st.sampled_from(PLACES), min_size=1, max_size=6),
    actions=st.lists(
        st.tuples(
            st.sampled_from(["*", "move", "qualification.*", "unreadable"]),
            st.sampled_from([{"action": name} for name in ("audit", "task", "note", "revert")] + [field()]),
        ),
        max_size=4,
    ),
)
def test_every_change_can_be_traced_and_told_apart(
    stages: list[str], actions: list[tuple[str, dict[str, Any]]]
) -> None:
    """Each names a finding of the evaluation, and no two share an id or set the same thing."""
    bindings = [{**action, "rule": rule} for rule, action in actions]
    subject = journey(*stages, bindings=bindings)
    changes = changes_of(subject)
    findings = {finding.id for finding in evaluate(subject, NOON).findings}
    updates = [edit.name for change in changes if change.action is Action.UPDATE for edit in change.edits]

    assert {change.finding for change in changes} <= findings
    assert len(changes) == len({change.id for change in changes})
    assert len(updates) == len(set(updates))
    assert all(change.expects == "v1" for change in changes if change.action is Action.UPDATE)


def rule_of(change: Change, subject: Subject) -> str:
    """Name the rule that a change comes from."""
    return next(finding.rule for finding in evaluate(subject, NOON + DAY).findings if finding.id == change.finding)


def test_a_rule_that_is_undecided_for_what_can_not_be_read_asks_for_nothing_new() -> None:
    """The field's own finding does, where it is bound."""
    process = make_process(
        stages=[
            make_stage("qualification", exit=[{"id": "sum", "check": {"required": ["amount"]}}]),
            make_stage("proposal"),
        ]
    )
    steps: list[dict[str, Any]] = [{"action": "task"}]
    before = journey("qualification", "proposal", bindings=steps, process=process, deal={"fields": {"amount": None}})
    problem = Problem("amount_x", "is hidden", "amount")
    after = journey(
        "qualification",
        "proposal",
        bindings=steps,
        process=process,
        deal={"fields": {"amount": None}, "problems": (problem,)},
    )

    assert ["qualification.sum"] == [rule_of(change, before) for change in changes_of(before)]
    assert ["unreadable"] == [rule_of(change, after) for change in changes_of(after)]


@pytest.mark.parametrize("native", ["approver", "till"])
def test_what_may_be_approved_asks_for_nothing_while_that_can_not_be_read(native: str) -> None:
    """Nor does an approval hold for ever, as its end can't be read."""
    rule = {"id": "why", "check": {"required": ["source"]}, "waived_by": {"field": "approver", "until": "till"}}
    process = make_process(
        fields=[{"id": "approver", "name": "By"}, {"id": "till", "name": "Till", "type": "date"}],
        stages=[make_stage("qualification", exit=[rule]), make_stage("proposal")],
    )
    fields: dict[str, Value] = {"approver": "Ann", "till": date(2026, 1, 1)}
    found = []
    for problems in ((), (Problem(f"{native}_x", "is hidden", native),)):
        deal = {"fields": {k: v for k, v in fields.items() if not problems or k != native}, "problems": problems}
        subject = journey("qualification", "proposal", bindings=[{"action": "task"}], process=process, deal=deal)
        past = Past()
        aged_now = aged(subject, evaluate(subject, NOON), past, NOON)
        found.append(([f.waived for f in aged_now.findings if f.rule != "unreadable"], changes_of(subject)))
    (over, asked), (unknown, silent) = found

    assert [None] == over == unknown
    assert ["qualification.why"] == [f.rule for f in evaluate(subject, NOON).findings if f.rule != "unreadable"]
    assert (1, ["unreadable"]) == (len(asked), [rule_of(change, subject) for change in silent])


@pytest.mark.parametrize(
    ("by", "till", "expected"),
    [
        ("Ann", None, ("Ann", None)),
        (True, None, ("yes", None)),
        ("7", None, ("rita@acme.example", None)),  # a user
        (False, None, None),
        ("  ", None, None),
        (None, None, None),
        ("Ann", date(2026, 6, 10), ("Ann", datetime(2026, 6, 11, tzinfo=UTC))),  # today, to its end
        ("Ann", date(2026, 6, 9), None),
        ("Ann", NOON + TICK, ("Ann", NOON + TICK)),
        ("Ann", NOON, None),
        ("Ann", date.max, ("Ann", LAST)),
        ("Ann", "soon", None),  # which may be over
    ],
)
def test_an_approval_waives_as_long_as_its_field_says(
    by: Value, till: Value, expected: tuple[str, datetime | None] | None
) -> None:
    """By whom it says, to the end of the day that it names."""
    rule = {"id": "why", "check": {"required": ["source"]}, "waived_by": {"field": "approver", "until": "till"}}
    process = make_process(
        fields=[{"id": "approver", "name": "By"}, {"id": "till", "name": "Till", "type": "date"}],
        stages=[make_stage("qualification", exit=[rule]), make_stage("proposal")],
    )
    deal = {"fields": {"approver": by, "till": till}}
    subject = journey("qualification", "proposal", bindings=[{"action": "task"}], process=process, deal=deal)
    past = Past(people=People(ids={}, emails={"7": "rita@acme.example"}))
    (finding,) = aged(subject, evaluate(subject, NOON), past, NOON).findings

    assert expected == (finding.waived and (finding.waived.by, finding.waived.until))


def test_a_clock_that_hangs_on_what_can_not_be_read_asks_for_nothing_new() -> None:
    """Whether it stands still, or was stopped, nobody can tell."""
    pause = {"goal": "1h", "calendar": "office", "pause_when": {"waiting_on": ["customer"]}}
    process = make_process(
        fields=[{"id": "waiting_on", "name": "Waiting on"}], stages=[make_stage("qualification", sla=pause)]
    )
    deal = {"problems": (Problem("w", "is no option any more", "waiting_on"),)}
    late = {"bindings": [{"action": "task"}], "process": process}
    before, after = journey("qualification", **late), journey("qualification", **late, deal=deal)

    assert ["qualification.sla"] == [rule_of(change, before) for change in changes_of(before, NOON + DAY)]
    assert {"qualification.sla", "unreadable"} == {finding.rule for finding in evaluate(after, NOON + DAY).findings}
    assert ["unreadable"] == [rule_of(change, after) for change in changes_of(after, NOON + DAY)]
