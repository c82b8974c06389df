"""Moves that sync makes: they were made by somebody in another CRM, and are judged there."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crmbridge.model.changes import Cause, Change
from crmbridge.model.records import Ref
from crmbridge.ports import StateStore
from crmbridge.services.runs.cycle import run_cycle, writing
from crmbridge.testing.workspaces import Bench, make_bench

TEN = timedelta(minutes=10)
REVERT = [{"rule": "move", "action": "revert"}]


@pytest.fixture
def bench(store: StateStore) -> Bench:
    """Two CRMs; a move that the process does not allow is taken back."""
    return make_bench(parts={"north": (0, 0), "south": (0, 0)}, store=store, enforce=REVERT)


def linked(bench: Bench) -> tuple[Ref, str]:
    """Make a deal that leads its link, and give it with the id of its counterpart."""
    bant = dict.fromkeys(("bant.budget", "bant.need", "bant.timeline"), "yes")
    ref = bench.crms["north"].create_deal("Rollout", stage="qualification", **bant)
    run(bench)
    run(bench)
    return ref, bench.crms["south"].deal_ids()[0]


def run(bench: Bench) -> list[Change]:
    """Run one cycle, and give what it wrote."""
    bench.clock.advance(TEN)
    with writing(bench.workspace, "run") as name:
        return [change for change, _ in run_cycle(bench.workspace, name).applied.done]


def move(bench: Bench, name: str, native: str, *stages: str) -> None:
    """Let a person move a deal, some time between the moves."""
    for stage in stages:
        bench.clock.advance(TEN)
        bench.crms[name].move_deal(native, stage)


def stages(bench: Bench) -> list[str | None]:
    """Say where the deal stands in each CRM."""
    deals = [crm.deal(native) for crm in bench.crms.values() for native in crm.deal_ids()]
    return [deal.position.stage for deal in deals if deal.position]


def test_two_moves_that_sync_follows_in_one_skip_no_stage(bench: Bench) -> None:
    """The seller went from stage to stage; that the other CRM got there in one write is nobody's doing."""
    _, south = linked(bench)
    move(bench, "south", south, "proposal", "closing")
    runs = [len(run(bench)) for _ in range(4)]

    assert ["closing", "closing"] == stages(bench)
    assert [1, 0, 0, 0] == runs
    assert {} == bench.workspace.store.findings.counts()


def test_that_the_counterpart_is_further_on_or_gone_by_then_changes_nothing(bench: Bench) -> None:
    """Who made the moves may go on before crmbridge looks at what it wrote."""
    _, south = linked(bench)
    move(bench, "south", south, "proposal", "closing")
    run(bench)
    move(bench, "south", south, "proposal")
    bench.crms["south"].delete_deal(south)
    run(bench)
    run(bench)

    assert ["closing"] == stages(bench)


def test_a_stage_that_each_was_moved_to_past_another_one_is_left_by_both(bench: Bench) -> None:
    """Both hold the same, and nobody came there as the process allows."""
    ref, south = linked(bench)
    move(bench, "north", ref.id, "closing")
    move(bench, "south", south, "closing")
    for _ in range(3):
        run(bench)

    assert ["qualification", "qualification"] == stages(bench)


def test_a_person_who_skips_a_stage_later_is_set_back(bench: Bench) -> None:
    """What was followed once says nothing of the next time."""
    ref, south = linked(bench)
    move(bench, "south", south, "proposal", "closing")
    run(bench)
    move(bench, "south", south, "proposal", "qualification")
    run(bench)
    move(bench, "north", ref.id, "closing")
    run(bench)
    run(bench)

    assert ["qualification", "qualification"] == stages(bench)


def test_a_counterpart_that_was_made_where_a_deal_was_moved_to_excuses_nobody(store: StateStore) -> None:
    """The move was carried on before the process took moves back; that the counterpart stands there is our doing."""
    bench = make_bench(parts={"north": (0, 0), "south": (0, 0)}, store=store)
    ref = bench.crms["north"].create_deal("Rollout", stage="qualification")
    move(bench, "north", ref.id, "closing")
    run(bench)
    assert ["closing", "closing"] == stages(bench)

    reverting = make_bench(parts={"north": (0, 0), "south": (0, 0)}, enforce=REVERT).workspace.project.settings
    bench = bench.again(reverting)
    for _ in range(3):
        run(bench)

    assert ["qualification", "qualification"] == stages(bench)


def test_that_a_deal_was_there_at_another_time_excuses_nobody(bench: Bench) -> None:
    """Once the seller got there step by step and went back; then somebody skips a stage in each CRM."""
    ref, south = linked(bench)
    move(bench, "south", south, "proposal", "closing")
    run(bench)
    move(bench, "south", south, "proposal", "qualification")
    run(bench)
    assert ["qualification", "qualification"] == stages(bench)

    move(bench, "north", ref.id, "closing")
    move(bench, "south", south, "closing")
    for _ in range(3):
        run(bench)

    assert ["qualification", "qualification"] == stages(bench)


def test_a_move_that_is_taken_back_asks_nobody(bench: Bench) -> None:
    """No other CRM is to follow it, so there is nothing to decide."""
    lead, _ = linked(bench)
    move(bench, "north", lead.id, "closing")
    bench.clock.advance(TEN)
    with writing(bench.workspace, "run") as name:
        cycle = run_cycle(bench.workspace, name)

    assert ["qualification", "qualification"] == stages(bench)
    assert (0, 0, ()) == (cycle.exit_code(), cycle.waiting, bench.workspace.store.waiting.all())
    assert [] == run(bench)


def test_a_move_of_another_deal_than_the_leading_one_is_not_taken_back(bench: Bench) -> None:
    """It is nobody's finding: it waits for a person, and no other CRM follows it."""
    _, south = linked(bench)
    move(bench, "south", south, "closing")
    runs = [len(run(bench)) for _ in range(2)]
    (one,) = bench.workspace.store.waiting.all()

    assert ([0, 0], ["qualification", "closing"]) == (runs, stages(bench))
    assert (Cause.MOVE, "north") == (one.item.cause, one.item.deal.connection)
    assert {} == bench.workspace.store.findings.counts()
