"""Putting a plan together: order, stable ids, nothing doubled, nothing that contradicts itself."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from crmbridge.engine.sync.planner import assemble
from crmbridge.model.changes import Action, Change, FieldEdit, JournalEntry, Origin, Outcome, Plan
from crmbridge.model.records import Ref
from crmbridge.model.replacing import replace
from crmbridge.testing.factories import make_change, make_position, make_ref

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


def plan_of(
    *changes: Change,
    done: dict[str, Outcome] | None = None,
    unclear: tuple[Change, ...] = (),
    link_of: dict[Ref, str] | None = None,
) -> Plan:
    entries = {
        change.id: JournalEntry(
            seq=1, run="r", at=NOON, change=change, outcome=(done or {})[change.id], message="said no"
        )
        for change in changes
        if change.id in (done or {})
    }
    waiting = [JournalEntry(seq=2, run="r", at=NOON, change=change) for change in unclear]
    return assemble(
        changes,
        (),
        outcomes=entries,
        unclear=waiting,
        made_at=NOON,
        settings="digest",
        cursors={},
        link_of=link_of or {},
    )


def test_the_order_does_not_depend_on_how_changes_were_found() -> None:
    """The same changes make the same plan, in the same order, with the same id."""
    changes = [
        make_change(n, connection=connection, action=action)
        for n, action in enumerate(Action)
        for connection in ("north", "south")
    ]
    shuffled = random.Random(3).sample(changes, len(changes))

    assert plan_of(*changes) == plan_of(*shuffled)
    assert ["north"] * len(Action) + ["south"] * len(Action) == [
        change.connection for change in plan_of(*shuffled).changes
    ]


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.STALE])
def test_what_did_not_happen_is_planned_again(outcome: Outcome) -> None:
    """A failed or stale change comes back as long as it is wanted."""
    change = make_change()

    assert (change,) == plan_of(change, done={change.id: outcome}).changes


def test_what_was_done_is_not_planned_again() -> None:
    """A task for a finding that still stands is not written twice."""
    change = make_change(action=Action.TASK)
    plan = plan_of(change, done={change.id: Outcome.APPLIED})

    assert ((), ()) == (plan.changes, plan.blocked)


def test_what_sync_wants_again_is_another_change() -> None:
    """The record does not hold any more what was written: a person changed it back, and the other side did as well."""
    change = make_change()
    plan = plan_of(change, done={change.id: Outcome.APPLIED})

    assert [change.edits] == [again.edits for again in plan.changes]
    assert change.id not in {again.id for again in plan.changes}


def test_what_was_refused_waits_for_a_person_with_the_reason() -> None:
    """The CRM's words are shown, and the change is not sent over and over."""
    change = make_change()
    plan = plan_of(change, done={change.id: Outcome.REFUSED})

    assert () == plan.changes
    assert ["refused before: said no"] == [item.reason for item in plan.blocked]


def test_two_refused_tasks_of_one_deal_wait_each() -> None:
    """Neither hides the other in the list; one that is refused again is the same thing."""
    task = make_change(action=Action.TASK, origin=Origin.ENFORCE)
    subjects = {"1": "Call Ana", "2": "Add the budget", "3": "Call Ana"}
    tasks = [replace(task, id=name, edits=(FieldEdit("subject", None, said),)) for name, said in subjects.items()]
    plan = plan_of(*tasks, done=dict.fromkeys(subjects, Outcome.REFUSED))

    assert {"a task"} == {item.name for item in plan.blocked}
    assert 2 == len({item.id for item in plan.blocked})


def test_nothing_with_the_key_of_an_unclear_change_is_sent() -> None:
    """A create that may have happened blocks every create with its key, whatever fields it has by now."""
    sent = make_change(1, action=Action.CREATE, key="k")
    wanted = replace(sent, id="another", edits=(FieldEdit("name", None, "Edited since"),))
    plan = plan_of(wanted, unclear=(sent,))

    assert () == plan.changes
    assert 1 == len(plan.blocked)


def test_a_doubled_change_is_planned_once() -> None:
    """Two parts of the settings may want the same; it is one change."""
    assert 1 == len(plan_of(make_change(), make_change()).changes)


def stage_change(origin: Origin, *extra: FieldEdit) -> Change:
    return make_change(
        origin.value,
        origin=origin,
        target=make_ref(1),
        edits=(FieldEdit("stage", "proposal", "qualification"), *extra),
        position=make_position("qualification"),
        position_before=make_position("proposal"),
    )


def test_enforcement_wins_over_sync_about_a_stage() -> None:
    """When a rule sets a deal back, sync does not move it in the same plan; its other fields go on."""
    enforced = stage_change(Origin.ENFORCE)
    synced = stage_change(Origin.SYNC, FieldEdit("name", "old", "new"))
    plan = plan_of(enforced, synced, stage_change(Origin.SYNC))

    stages = [change for change in plan.changes if change.position is not None]
    assert [Origin.ENFORCE] == [change.origin for change in stages]
    assert [(FieldEdit("name", "old", "new"),)] == [c.edits for c in plan.changes if c.origin is Origin.SYNC]


SOUTH = make_ref(2, connection="south")


def test_the_counterpart_of_a_deal_that_is_set_back_does_not_follow_it_forward() -> None:
    """It would stand for one run where nobody wants the deal; its other fields go on, and so do other links."""
    enforced = stage_change(Origin.ENFORCE)
    forward = replace(stage_change(Origin.SYNC, FieldEdit("name", "old", "new")), connection="south", target=SOUTH)
    own, other = replace(forward, id="own", link="l"), replace(forward, id="other", link="m")
    plan = plan_of(enforced, own, other, link_of={make_ref(1): "l"})

    assert {"l": ["name"], "m": ["stage", "name"]} == {
        change.link: [edit.name for edit in change.edits] for change in plan.changes if change.origin is Origin.SYNC
    }


def test_a_deal_that_is_only_given_to_another_takes_its_counterpart_along() -> None:
    """A field that enforcement sets says nothing of the stage."""
    enforced = field_change(Origin.ENFORCE, FieldEdit("owner", "1", "2"))
    forward = replace(stage_change(Origin.SYNC), connection="south", target=SOUTH, link="l")

    assert {enforced, forward} == set(plan_of(enforced, forward, link_of={make_ref(1): "l"}).changes)


def test_a_counterpart_is_not_made_for_a_deal_that_is_set_back() -> None:
    """It would be made where nobody wants the deal; the next run makes it where the deal stands then."""
    enforced = stage_change(Origin.ENFORCE)
    own, other = (make_change(link, action=Action.CREATE, target=None, link=link) for link in ("l", "m"))

    assert {enforced, other} == set(plan_of(enforced, own, other, link_of={make_ref(1): "l"}).changes)


def test_a_task_for_somebody_keeps_no_owner_from_being_written() -> None:
    """What a task says is nothing that the deal holds."""
    asks = (FieldEdit("owner", None, "2"),)
    task = make_change("task", action=Action.TASK, origin=Origin.ENFORCE, target=make_ref(1), edits=asks)
    given = field_change(Origin.SYNC, FieldEdit("owner", "1", "3"))

    assert {task, given} == set(plan_of(task, given).changes)


def test_notices_for_one_sink_stand_together() -> None:
    """They go out as one message."""
    notices = [
        make_change(n, action=Action.NOTIFY, edits=(FieldEdit("sink", None, sink),))
        for n, sink in enumerate(("mail", "chat", "mail", "chat"))
    ]

    assert ["chat", "chat", "mail", "mail"] == [change.after["sink"] for change in plan_of(*notices).changes]


@pytest.mark.parametrize(
    ("outcome", "follows"),
    [(Outcome.REFUSED, True), (Outcome.APPLIED, True), (Outcome.UNKNOWN, False), (Outcome.FAILED, False)],
)
def test_what_is_not_set_back_keeps_nothing_else_waiting(outcome: Outcome, *, follows: bool) -> None:
    """A CRM that refuses to move a deal back leaves it where it is, so its counterpart gets there as well."""
    enforced = stage_change(Origin.ENFORCE)
    forward = replace(stage_change(Origin.SYNC), connection="south", target=SOUTH, link="l")
    plan = plan_of(enforced, forward, done={enforced.id: outcome}, link_of={make_ref(1): "l"})

    assert follows == (forward.edits in [change.edits for change in plan.changes if change.origin is Origin.SYNC])


def field_change(origin: Origin, *edits: FieldEdit) -> Change:
    return make_change(origin.value, origin=origin, target=make_ref(1), edits=edits)


def test_enforcement_wins_over_sync_about_a_field() -> None:
    """Two values for one field of one deal are never in one plan; the other fields of the sync go on."""
    enforced = field_change(Origin.ENFORCE, FieldEdit("source", "a", "b"))
    both = field_change(Origin.SYNC, FieldEdit("source", "a", "c"), FieldEdit("name", "old", "new"))
    synced = replace(both, reason="source changed in south; name changed in south")
    plan = plan_of(synced, enforced)

    assert {
        Origin.ENFORCE: (FieldEdit("source", "a", "b"),),
        Origin.SYNC: (FieldEdit("name", "old", "new"),),
    } == {change.origin: change.edits for change in plan.changes}
    assert ["name changed in south"] == [change.reason for change in plan.changes if change.origin is Origin.SYNC]
