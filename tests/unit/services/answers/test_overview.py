"""How things are, from the state alone."""

from __future__ import annotations

import json
from datetime import timedelta

from crmbridge.model.changes import Blocked, Cause, Outcome, Receipt
from crmbridge.model.findings import Waiver
from crmbridge.ports import Run
from crmbridge.services.answers.overview import entries_of, look_over, newest_runs, outcomes_of, sign_ins
from crmbridge.services.pull.first_use import FIRST_USED
from crmbridge.services.reports.told import TOLD
from crmbridge.testing.factories import make_change, make_ref
from crmbridge.testing.workspaces import MONDAY, Bench, make_bench

DAY = timedelta(days=1)


def ran(bench: Bench, name: str, command: str = "cycle", *, minutes: int = 0, ends: bool = True) -> None:
    """Note a run."""
    at = MONDAY + timedelta(minutes=minutes)
    bench.workspace.store.runs.start(Run(id=name, command=command, started_at=at))
    if ends:
        bench.workspace.store.runs.finish(name, at, 7, {})


def test_the_last_run_that_ended_and_the_one_that_has_not() -> None:
    """Notes on who was told of a report are no runs."""
    bench = make_bench()
    ran(bench, "a")
    ran(bench, "b", f"{TOLD}weekly", minutes=1)
    ran(bench, "c", minutes=2, ends=False)
    with bench.workspace.store.runs.lease("cycle c (process 1)", bench.clock.now(), DAY):
        seen = look_over(bench.workspace)

    assert ("a", "c") == (seen.last and seen.last.id, seen.running and seen.running.id)
    assert ["c", "a"] == [run.id for run in newest_runs(bench.workspace, 5)]


def test_a_run_that_was_killed_is_not_at_work_for_good() -> None:
    """Nobody holds the state for it, or another one does."""
    bench = make_bench()
    ran(bench, "a", ends=False)
    nobody = look_over(bench.workspace).running
    ran(bench, "b", minutes=1, ends=False)
    with bench.workspace.store.runs.lease("cycle b (process 1)", bench.clock.now(), DAY):
        other = look_over(bench.workspace).running

    assert (None, "b") == (nobody, other and other.id)


def test_what_became_of_what_a_killed_run_sent_is_noted_later_and_not_before() -> None:
    """That the same failed in an earlier run says nothing of it; what a later one reads back does."""
    bench, change = make_bench(), make_change()
    journal = bench.workspace.store.journal
    for name, outcome in (("before", Outcome.FAILED), ("killed", None)):
        ran(bench, name, ends=outcome is not None)
        journal.intend(name, [change], MONDAY)
        if outcome is not None:
            journal.settle(name, [Receipt(change=change.id, outcome=outcome)], {}, MONDAY)
    killed = Run(id="killed", command="cycle", started_at=MONDAY)
    at_first = outcomes_of(bench.workspace, killed)
    ran(bench, "after")
    journal.settle("after", [Receipt(change=change.id, outcome=Outcome.APPLIED)], {}, MONDAY)

    assert ({"intended": 1}, {"applied": 1}) == (at_first, outcomes_of(bench.workspace, killed))
    assert [None, Outcome.APPLIED] == [row.outcome for row in entries_of(bench.workspace, killed)]


def test_silence_is_noticed_after_a_day() -> None:
    """And when nothing ever ran."""
    bench = make_bench()
    assert look_over(bench.workspace).is_silent
    ran(bench, "a")
    bench.clock.advance(DAY)
    assert not look_over(bench.workspace).is_silent
    bench.clock.advance(timedelta(seconds=1))

    assert look_over(bench.workspace).is_silent


def test_waivers_count_in_their_last_week() -> None:
    """Not before, and not when they have run out."""
    bench = make_bench()
    for number, days in enumerate((-1, 6, 8)):
        waiver = Waiver(
            deal=make_ref(number), rule="a.b", by="me", why="so", until=MONDAY + days * DAY, at=MONDAY - 9 * DAY
        )
        bench.workspace.store.waivers.put(waiver)

    assert ["1"] == [waiver.deal.id for waiver in look_over(bench.workspace).ending]


def test_conflicts_and_other_questions_are_counted_apart() -> None:
    """By why they wait; what is unclear is counted with the writes of which nobody knows, and not once more."""
    bench = make_bench()
    causes = (Cause.CONFLICT, Cause.CONFLICT, Cause.LINK, Cause.UNCLEAR)
    items = [
        Blocked(link="l", deal=make_ref(n), name="amount", reason="so", cause=cause) for n, cause in enumerate(causes)
    ]
    bench.workspace.store.waiting.replace(["l"], items, MONDAY)
    seen = look_over(bench.workspace)

    assert (2, 1) == (seen.conflicts, seen.others)


def test_credentials_that_are_used_for_long_are_named() -> None:
    """As far as they were ever looked at; a note that can't be read is none."""
    bench = make_bench()
    memory = bench.workspace.store.memory
    memory("north")[FIRST_USED] = json.dumps(["token", "me", (MONDAY - 180 * DAY).isoformat()])
    memory("south")[FIRST_USED] = "[]"

    assert (
        ["north"]
        == [one.connection for one in sign_ins(bench.workspace)]
        == [one.connection for one in look_over(bench.workspace).old]
    )
