"""A deal's history, played again move by move."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.evaluating.evaluate import evaluate
from crmbridge.engine.evaluating.hindsight import rewind
from crmbridge.engine.evaluating.replay import Replay, replay
from crmbridge.files.reading import read_process
from crmbridge.files.shipped import shipped_folder
from crmbridge.model.findings import FindingKind, Judgement, SlaState
from crmbridge.model.records import Edit
from crmbridge.model.replacing import replace
from crmbridge.testing.factories import (
    NOON,
    make_deal,
    make_moves,
    make_process,
    make_settings,
    make_stage,
    make_subject,
)

DAY = timedelta(days=1)
OF_MOVES = {FindingKind.EXIT_RULE, FindingKind.ENTRY_RULE, FindingKind.UNDECIDED, FindingKind.ILLEGAL_MOVE}
BANT = ("bant.budget", "bant.authority", "bant.need")


def subject(*steps: tuple[float, str], fields: dict[str, object] | None = None, **overrides: object) -> Subject:
    """Give a deal that came to stages so many days ago, and was last changed with its last move."""
    times = [(NOON - days * DAY, stage) for days, stage in steps]
    deal = make_deal(stage=times[-1][1], fields=fields, created_at=times[0][0], updated_at=times[-1][0])
    return make_subject(*make_moves(*times), deal=deal, **overrides)


def played(one: Subject, days: float = 90) -> Replay:
    return replay(one, NOON - days * DAY, NOON)


def said(one: Replay) -> list[tuple[datetime, list[tuple[str, Judgement]]]]:
    """Give what each move was judged by."""
    return [(step.at, [(r.rule, r.judgement) for r in step.rulings]) for step in one.steps]


def test_each_move_is_judged_by_the_rules_it_left_behind() -> None:
    """And one that leaves no rule behind by none."""
    one = subject((9, "qualification"), (4, "proposal"), (1, "closing"), fields=dict.fromkeys(BANT, "yes"))

    assert [(NOON - 4 * DAY, [("qualification.bant", Judgement.PASS)]), (NOON - DAY, [])] == said(played(one))


def test_a_deal_that_was_won_or_lost_since_is_judged_as_it_went_on() -> None:
    """Its findings are gone by now; that it went on without is not."""
    for end in ("care", "lost"):
        one = played(subject((9, "qualification"), (4, "proposal"), (1, end)))

        assert {"qualification.bant"} <= one.flagged, end
        assert (NOON - 4 * DAY, [("qualification.bant", Judgement.FAIL)]) == said(one)[0]


def test_a_history_that_begins_with_a_move_is_judged_from_that_one_on() -> None:
    """Its CRM did not keep how the deal began, and tells where it stood before."""
    whole = subject((9, "qualification"), (4, "closing"))
    late = make_subject(*whole.moves[1:], deal=whole.deal)

    assert played(whole).steps == played(late).steps
    assert {"move", "qualification.bant"} == played(late).flagged == {f.rule for f in evaluate(late, NOON).findings}


def test_a_rule_sees_the_values_of_then() -> None:
    """What was filled in after the move does not count, and what was emptied since does."""
    came = NOON - 4 * DAY
    for before, after, judgement in ((None, "yes", Judgement.FAIL), ("yes", None, Judgement.PASS)):
        edits = [Edit(field=name, since=came, at=NOON - DAY / 2, before=before, after=after) for name in BANT]
        one = subject((9, "qualification"), (4, "proposal"), fields=dict.fromkeys(BANT, after), edits=edits)
        (ruling,) = played(one).steps[0].rulings

        assert (judgement, False) == (ruling.judgement, ruling.of_today)


def test_where_the_values_of_then_are_not_known_it_is_said() -> None:
    """Today's stand in for them."""
    one = subject((9, "qualification"), (4, "proposal"), fields=dict.fromkeys(BANT, "yes"))
    changed = make_subject(
        *one.moves, deal=make_deal(stage="proposal", fields=one.deal.fields, created_at=NOON - 9 * DAY)
    )

    assert [True] == [ruling.of_today for ruling in played(changed).steps[0].rulings]
    assert [False] == [ruling.of_today for ruling in played(one).steps[0].rulings]


def test_only_what_lies_in_the_time_counts() -> None:
    """Moves before it are not judged; visits that ended before it are not measured. Its first moment lies in it."""
    one = subject((40, "qualification"), (20, "proposal"), (1, "qualification"))

    assert [NOON - DAY] == [step.at for step in played(one, days=10).steps]
    assert [1] == [clock.visit.number for clock in played(one, days=30).clocks][:1]
    assert [NOON - 20 * DAY, NOON - DAY] == [step.at for step in played(one, days=20).steps]
    assert [1] == [clock.visit.number for clock in played(one, days=20).clocks][:1]
    assert [2] == [clock.visit.number for clock in played(one, days=10).clocks]


def test_a_deal_that_ended_before_is_nothing_to_play() -> None:
    """There is nothing of it in this time."""
    one = played(subject((40, "qualification"), (20, "lost")), days=10)

    assert ((), ()) == (one.steps, one.clocks)


def test_a_deal_that_was_won_before_still_has_the_clock_of_its_stage() -> None:
    """What `findings` says of it is what a replay says, whether it came there in this time or before."""
    care = make_stage("care", status="won", sla={"goal": "5bd", "calendar": "office"})
    process = make_process(stages=[make_stage("qualification"), care])
    for days in (20, 5):
        one = subject((60, "qualification"), (40, "care"), process=process)
        found = {finding.rule for finding in evaluate(one, NOON).findings}

        assert "care.sla" in found & played(one, days=days).flagged, days


def test_a_deal_that_never_moved_is_measured() -> None:
    """It stands where it was made."""
    process = make_process(stages=[make_stage("qualification", sla={"goal": "2bd", "calendar": "office"})])
    one = make_subject(deal=make_deal(stage="qualification", created_at=NOON - 20 * DAY), process=process)

    assert ((), {"qualification.sla"}) == (played(one).steps, played(one).flagged)


def test_moves_may_come_in_any_order() -> None:
    """They are judged in the order in which they were made."""
    whole = subject((9, "qualification"), (4, "closing"), (1, "qualification"))
    mixed = make_subject(*reversed(whole.moves), deal=whole.deal)

    assert played(whole) == played(mixed)


def test_what_was_decided_before_is_asked_anew() -> None:
    """A process that is tried has its own limits, whatever the one before it said of a visit that is over."""

    def of(days: int) -> Subject:
        stages = [make_stage("qualification", sla={"goal": f"{days}bd", "calendar": "office"}), make_stage("proposal")]
        return subject((20, "qualification"), (1, "proposal"), process=make_process(stages=stages))

    judged = replace(of(2), judged_before=evaluate(of(30), NOON).clocks)

    assert [SlaState.ON_TIME] == [clock.state for clock in evaluate(judged, NOON).clocks]
    assert {"qualification.sla"} <= played(judged).flagged


def test_moves_that_are_not_allowed_are_flagged_where_they_were_made() -> None:
    """Also when the deal has gone on, or back, since."""
    one = played(subject((9, "qualification"), (4, "closing"), (1, "qualification")))

    assert [True, False] == ["move" in step.flagged for step in one.steps]


def test_a_broken_sla_is_flagged() -> None:
    """Of a visit that is over, too."""
    process = make_process(
        stages=[make_stage("qualification", sla={"goal": "2bd", "calendar": "office"}), make_stage("proposal")]
    )
    slow, quick = (subject((days, "qualification"), (1, "proposal"), process=process) for days in (20, 2))

    assert (True, False) == ("qualification.sla" in played(slow).flagged, "qualification.sla" in played(quick).flagged)


@pytest.mark.parametrize("seed", range(200))
def test_a_replay_flags_what_evaluating_found_at_that_moment(seed: int) -> None:
    """Both judge by the same rules: whatever the way, the values, and what is known of them."""
    rng = random.Random(seed)
    process = read_process(shipped_folder() / "processes" / "b2b.yaml").model
    assert process is not None
    names = [stage.id for stage in process.stages] + ["lost", "won"]
    times = sorted(rng.uniform(0, 60) for _ in range(rng.randrange(2, 7)))[::-1]
    steps = [(NOON - days * DAY, rng.choice(names[:6] if not n else names)) for n, days in enumerate(times)]
    fields = {name: rng.choice([True, False, None]) for name in BANT}
    edits = [
        Edit(
            field=name,
            since=NOON - at * DAY,
            at=NOON - at * DAY / 2,
            before=rng.choice([True, None]),
            after=fields[name],
        )
        for name, at in ((rng.choice(BANT), rng.uniform(0, 60)) for _ in range(3))
    ]
    settings = make_settings(stages={"north": {"pipeline": "sales", "map": {name: f"n_{name}" for name in names}}})
    deal = make_deal(
        stage=steps[-1][1], fields=fields, created_at=steps[0][0], updated_at=NOON - rng.choice([0, 50]) * DAY
    )
    one = make_subject(*make_moves(*steps), deal=deal, process=process, settings=settings, edits=edits)
    for step in replay(one, NOON - 90 * DAY, NOON).steps:
        then = rewind(one, step.at)
        found = evaluate(then, step.at).findings

        assert step.flagged == {each.rule for each in found if each.since == step.at and each.kind in OF_MOVES}


def test_a_way_back_without_its_reason_is_flagged() -> None:
    """As evaluating does."""
    process = make_process(moves={"back": "with_reason", "reason": "lost_reason"})
    silent, told = (
        subject(
            (9, "qualification"),
            (6, "proposal"),
            (4, "closing"),
            (1, "qualification"),
            process=process,
            fields={"lost_reason": why},
        )
        for why in (None, "Budget was cut")
    )

    assert [True, False] == ["move" in played(one).steps[-1].flagged for one in (silent, told)]
