"""Undo restores what a run changed, and never what people changed since."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.services.able import TWO, able_bench

from crmbridge.errors import ConfigurationError, RetryLaterError
from crmbridge.model.changes import Action, Cause, Change, Outcome, Plan, Receipt
from crmbridge.model.records import Kind, Problem, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money, is_empty
from crmbridge.ports import Run
from crmbridge.services.apply.unmade import still_asked
from crmbridge.services.by_hand import undoing
from crmbridge.services.by_hand.undoing import find_run, plan_undo
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import Cycle, finish, run_cycle, writing
from crmbridge.services.runs.running import Ran, run_apply
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.fake_records import at
from crmbridge.testing.workspaces import Bench, make_bench


def cycle(bench: Bench) -> Cycle:
    """Run one cycle as a run of its own, ten minutes after whatever was before."""
    bench.clock.sleep(600)
    with writing(bench.workspace, "cycle") as run:
        done = run_cycle(bench.workspace, run)
        finish(bench.workspace, run, "cycle", 0, done.summary())
    bench.clock.sleep(600)
    return done


def linked(**settings: Any) -> tuple[Bench, dict[str, str]]:
    """Give a deal that is linked on both sides, and its ids."""
    bench = able_bench(**settings)
    ids = {name: bench.crms[name].create_deal("Rollout", stage="qualification", company="1").id for name in TWO}
    cycle(bench)
    return bench, ids


def undone(bench: Bench, run: str) -> tuple[Plan, Ran]:
    """Undo a run; give the plan and what came of it."""
    plan = plan_undo(bench.workspace, find_run(bench.workspace, run))
    ran = run_apply(bench.workspace, plan, command="undo")
    bench.clock.sleep(600)
    return plan, ran


def names(bench: Bench, ids: dict[str, str]) -> dict[str, Any]:
    """Give the deal's name on each side."""
    return {name: bench.crms[name].deal(ids[name]).fields["name"] for name in TWO}


def test_fields_get_back_what_they_held_and_the_next_sync_carries_it_on() -> None:
    """What is restored counts as an edit by whoever asked: the other side follows."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    run = cycle(bench).run
    assert {"north": "Renamed", "south": "Renamed"} == names(bench, ids)
    plan, ran = undone(bench, run)

    assert ["undoes the run " + run] == [change.reason for change in plan.changes]
    assert ({"applied": 1}, 0) == (ran.cycle.applied.counts if ran.cycle else {}, ran.exit_code)
    assert {"north": "Renamed", "south": "Rollout"} == names(bench, ids)
    cycle(bench)
    assert {"north": "Rollout", "south": "Rollout"} == names(bench, ids)
    assert {} == cycle(bench).applied.counts


def moved_by_a_run() -> tuple[Bench, str, str]:
    """Let a run carry a move on; give the run and the deal that it moved."""
    bench, ids = linked()
    bench.crms["north"].move_deal(ids["north"], "proposal")
    run = cycle(bench).run
    assert at("proposal") == bench.crms["south"].deal(ids["south"]).position
    return bench, run, ids["south"]


def test_a_stage_goes_back() -> None:
    """By the CRM's own position."""
    bench, run, south = moved_by_a_run()
    undone(bench, run)

    assert at("qualification") == bench.crms["south"].deal(south).position


def test_a_deal_that_somebody_moved_since_stays_and_is_listed() -> None:
    """With the stage where it is now, the one that the run moved it to and the one that it left."""
    bench, run, south = moved_by_a_run()
    bench.crms["south"].move_deal(south, "closing")
    plan, _ = undone(bench, run)
    (item,) = plan.blocked

    assert (Cause.CHANGED, "stage", ()) == (item.cause, item.name, plan.changes)
    assert {"south": "closing", "the run wrote": "proposal", "before it": "qualification"} == item.values
    assert at("closing") == bench.crms["south"].deal(south).position


def test_a_deal_that_somebody_moved_back_already_needs_nothing() -> None:
    """Nobody has to be told either."""
    bench, run, south = moved_by_a_run()
    bench.crms["south"].move_deal(south, "qualification")
    plan, _ = undone(bench, run)

    assert ((), ()) == (plan.changes, plan.blocked)


def test_what_can_not_be_read_any_more_is_not_written_over() -> None:
    """Nobody knows whether somebody changed it."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    run = cycle(bench).run
    south = Ref("south", Kind.DEAL, ids["south"])
    record = bench.crms["south"].records[south]
    bench.crms["south"].records[south] = replace(record, problems=(Problem("name", "it is hidden", "name"),))
    plan, _ = undone(bench, run)

    assert () == plan.changes
    assert ["it can't be read any more, so it stays as it is"] == [item.reason for item in plan.blocked]


def test_what_somebody_changed_since_stays_and_is_listed() -> None:
    """With what is there now, what the run wrote and what it replaced; the other fields are restored."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed", bant__budget="yes")
    run = cycle(bench).run
    bench.crms["south"].edit_deal(ids["south"], name="By hand")
    plan, ran = undone(bench, run)
    (item,) = plan.blocked

    assert (Cause.CHANGED, "name") == (item.cause, item.name)
    assert {"south": "By hand", "the run wrote": "Renamed", "before it": "Rollout"} == item.values
    assert 7 == ran.exit_code
    fields = bench.crms["south"].deal(ids["south"]).fields
    assert ("By hand", None) == (fields["name"], fields["bant.budget"])


def test_a_deal_that_is_gone_by_now_is_listed() -> None:
    """There is nothing to restore in it."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    run = cycle(bench).run
    bench.crms["south"].delete_deal(ids["south"])
    plan, _ = undone(bench, run)

    assert ["it is gone from its CRM since, so it stays as it is"] == [item.reason for item in plan.blocked]
    assert () == plan.changes


def made() -> tuple[Bench, str, str]:
    """Let a run create a counterpart; give the run and the new deal's id."""
    bench = able_bench()
    bench.crms["north"].create_deal("Rollout", stage="qualification", company="1")
    run = cycle(bench).run
    return bench, run, bench.crms["south"].named("Rollout")[0].ref.id


def test_what_was_created_is_archived_and_not_made_anew() -> None:
    """The deal that it was made from stays."""
    bench, run, _ = made()
    plan, _ = undone(bench, run)
    cycle(bench)

    assert [Action.ARCHIVE] == [change.action for change in plan.changes]
    assert ([], 1) == (bench.crms["south"].named("Rollout"), len(bench.crms["north"].named("Rollout")))


def test_undoing_a_creation_is_no_deletion_that_goes_on_to_the_other_side() -> None:
    """Even where deletions are carried on: its place in the link stays taken, so nothing is made anew either."""
    sync = {"name": "main", "between": list(TWO), "create": ["south"], "delete": "archive"}
    bench = able_bench(sync=[sync])
    north = bench.crms["north"].create_deal("Rollout", stage="qualification", company="1")
    run = cycle(bench).run
    undone(bench, run)
    after = [cycle(bench).plan, cycle(bench).plan]

    assert [(), ()] == [plan.changes for plan in after if plan]
    assert ([north.id], []) == (bench.crms["north"].deal_ids(), bench.crms["south"].named("Rollout"))


def test_what_somebody_brings_back_after_an_undo_stays_though_its_counterpart_was_deleted() -> None:
    """The deletion was before; it does not take away anew what is wanted since."""
    sync = {"name": "main", "between": list(TWO), "create": ["south"], "delete": "archive"}
    bench = able_bench(sync=[sync])
    north = bench.crms["north"].create_deal("Rollout", stage="qualification", company="1")
    run = cycle(bench).run
    south = bench.crms["south"].named("Rollout")[0].ref.id
    bench.crms["north"].delete_deal(north.id)
    undone(bench, run)
    cycle(bench)
    bench.crms["south"].restore_deal(south)
    after = [cycle(bench).plan, cycle(bench).plan]

    assert [(), ()] == [plan.changes for plan in after if plan]
    assert [south] == bench.crms["south"].deal_ids()


def test_what_was_created_and_edited_since_stays() -> None:
    """An edit beats a delete, whether or not we wrote that field."""
    for edit in ({"name": "By hand"}, {"lost_reason": "price"}):
        bench, run, south = made()
        bench.crms["south"].edit_deal(south, **edit)
        plan, _ = undone(bench, run)

        assert () == plan.changes
        assert [Cause.CHANGED] == [item.cause for item in plan.blocked]


def test_what_was_created_and_moved_right_after_stays() -> None:
    """Though the CRM itself may still be at it then: it moves no deals."""
    bench = able_bench()
    bench.crms["north"].create_deal("Rollout", stage="qualification", company="1")
    with writing(bench.workspace, "cycle") as run:
        finish(bench.workspace, run, "cycle", 0, run_cycle(bench.workspace, run).summary())
    bench.crms["south"].move_deal(bench.crms["south"].named("Rollout")[0].ref.id, "proposal")
    plan, _ = undone(bench, run)

    assert () == plan.changes
    assert ["its stage changed since the run made it, so it stays as it is"] == [i.reason for i in plan.blocked]


def test_what_hangs_on_others_goes_before_them() -> None:
    """A CRM may refuse to archive a company that still has deals, or take those along."""
    sync = {"name": "main", "between": list(TWO), "create": list(TWO), "companies": "create", "contacts": "create"}
    bench = able_bench(sync=[sync])
    north = bench.crms["north"]
    firm = north.create_company(name="Acme Ltd", domain="acme.example")
    ann = north.create_contact(name="Ann", email="ann@acme.example", company=firm)
    north.create_deal("Rollout", stage="qualification", company=firm, contacts=(ann,))
    plan, _ = undone(bench, cycle(bench).run)

    assert [Kind.DEAL, Kind.CONTACT, Kind.COMPANY] == [change.target.kind for change in plan.changes if change.target]


@pytest.mark.parametrize("pulled", [False, True])
def test_an_edit_right_after_the_creation_stays_too(*, pulled: bool) -> None:
    """In a field that we did not write, at a time when the CRM itself may still be at it; pulled, or not."""
    bench = able_bench()
    bench.crms["north"].create_deal("Rollout", stage="qualification", company="1")
    bench.clock.sleep(600)
    with writing(bench.workspace, "cycle") as run:
        finish(bench.workspace, run, "cycle", 0, run_cycle(bench.workspace, run).summary())
    bench.clock.sleep(30)
    bench.crms["south"].edit_deal(bench.crms["south"].named("Rollout")[0].ref.id, lost_reason="price")
    if pulled:
        pull(bench.workspace)
    plan, _ = undone(bench, run)

    assert () == plan.changes
    assert ["its lost_reason changed since the run made it, so it stays as it is"] == [i.reason for i in plan.blocked]


def test_an_edit_that_we_wrote_after_stays_too() -> None:
    """The time that the CRM shows is ours then."""
    bench, run, south = made()
    bench.crms["south"].edit_deal(south, lost_reason="price")
    bench.clock.sleep(600)
    north = bench.crms["north"].named("Rollout")[0].ref.id
    for name in ("Second", "Rollout"):
        bench.crms["north"].edit_deal(north, name=name)
        cycle(bench)
    plan, _ = undone(bench, run)

    assert () == plan.changes
    assert [Cause.CHANGED] == [item.cause for item in plan.blocked]


def test_what_we_wrote_to_it_later_is_nobodys_edit() -> None:
    """A deal that sync kept in step since is still ours, while its fields are those of the run."""
    bench, run, south = made()
    bench.crms["north"].edit_deal(bench.crms["north"].named("Rollout")[0].ref.id, name="Second")
    cycle(bench)
    bench.crms["north"].edit_deal(bench.crms["north"].named("Second")[0].ref.id, name="Rollout")
    cycle(bench)
    plan, _ = undone(bench, run)

    assert [south] == [change.target.id for change in plan.changes if change.target]


def test_a_run_that_is_undone_twice_is_undone_once() -> None:
    """The second time there is nothing left, whatever the run did."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    bench.crms["north"].create_deal("Other", stage="qualification", company="1")
    run = cycle(bench).run
    first, _ = undone(bench, run)
    writes = bench.crms["south"].writes
    again, _ = undone(bench, run)

    assert 2 == len(first.changes)
    assert ((), ()) == (again.changes, again.blocked)
    assert writes == bench.crms["south"].writes


def test_an_undo_can_be_undone() -> None:
    """It is a run like any other."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    run = cycle(bench).run
    _, ran = undone(bench, run)
    assert ran.cycle is not None
    undone(bench, ran.cycle.run)

    assert {"north": "Renamed", "south": "Renamed"} == names(bench, ids)


def test_what_an_undo_archived_is_restored_by_hand() -> None:
    """It says where."""
    bench, run, _ = made()
    _, ran = undone(bench, run)
    assert ran.cycle is not None
    plan, _ = undone(bench, ran.cycle.run)

    assert ["the run archived it; restore it in the recycle bin of south"] == [item.reason for item in plan.blocked]


def test_what_is_still_unclear_is_named_and_not_undone() -> None:
    """Nobody knows yet whether there is something to restore."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    bench.crms["south"].faults.append("drop_after")
    run = cycle(bench).run
    plan = plan_undo(bench.workspace, find_run(bench.workspace, run))

    assert ((), [Cause.UNCLEAR]) == (plan.changes, [item.cause for item in plan.blocked])


def test_a_saved_undo_of_what_is_unclear_says_so_whenever_it_is_applied() -> None:
    """Also once the next run has read back what became of it: then it was done, and this plan does not undo it."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    bench.crms["south"].faults.append("drop_after")
    run = cycle(bench).run
    plan = plan_undo(bench.workspace, find_run(bench.workspace, run))
    cycle(bench)

    assert plan.blocked
    assert plan.blocked == still_asked(bench.workspace, plan).blocked


@pytest.mark.parametrize("has_failed", [False, True])
def test_what_a_killed_run_had_begun_is_named_and_not_undone(
    monkeypatch: pytest.MonkeyPatch, *, has_failed: bool
) -> None:
    """Its intents are in the journal, and nothing says yet what came of them; the next run reads that back.

    That the same failed in the run before says nothing of it.
    """
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    if has_failed:
        bench.crms["south"].faults.append("limit")
        cycle(bench)

    def killed(_adapter: FakeAdapter, _changes: Sequence[Change]) -> tuple[Receipt, ...]:
        raise KeyboardInterrupt

    monkeypatch.setattr(FakeAdapter, "write", killed)
    with pytest.raises(KeyboardInterrupt):
        cycle(bench)
    (run, *_) = bench.workspace.store.runs.runs(1)
    plan = plan_undo(bench.workspace, run)

    assert ((), [Cause.UNCLEAR]) == (plan.changes, [item.cause for item in plan.blocked])


def test_what_a_later_run_found_out_to_be_done_is_undone() -> None:
    """It belongs to the run that sent it."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    bench.crms["south"].faults.append("drop_after")
    run, later = cycle(bench).run, cycle(bench).run
    assert () == plan_undo(bench.workspace, find_run(bench.workspace, later)).changes
    undone(bench, run)

    assert "Rollout" == names(bench, ids)["south"]


def test_what_was_written_by_a_connection_that_left_the_settings_is_listed() -> None:
    """It can't be restored from here, and nobody should think that it was."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    bench.crms["south"].edit_deal(ids["south"], bant__budget="yes")
    wrong = cycle(bench)
    settings = bench.workspace.project.settings
    left = {name: getattr(settings, name) for name in ("connections", "stages")}
    only_north = {name: {"north": every["north"]} for name, every in left.items()}
    without = bench.again(settings.model_copy(update={**only_north, "sync": ()}))
    plan = plan_undo(without.workspace, find_run(without.workspace, wrong.run))
    (south,) = (item for item in plan.blocked if item.deal.connection == "south")

    assert ["north"] == [change.connection for change in plan.changes]
    assert ("name", {"the run wrote": "Renamed", "before it": "Rollout"}) == (south.name, dict(south.values))
    assert "the settings have no connection south any more" in south.reason


def test_a_connection_that_can_not_be_opened_keeps_nothing_of_the_rest() -> None:
    """Its secret is missing, say. What was written there is listed with that, and undone when it is mended."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    bench.crms["south"].edit_deal(ids["south"], bant__budget="yes")
    wrong = cycle(bench)
    settings = bench.workspace.project.settings
    broken = settings.connections["south"].model_copy(update={"adapter": "gone"})
    shut = bench.again(settings.model_copy(update={"connections": {**settings.connections, "south": broken}}))
    plan = plan_undo(shut.workspace, find_run(shut.workspace, wrong.run))
    (south,) = (item for item in plan.blocked if item.deal.connection == "south")
    again = plan_undo(bench.again().workspace, find_run(bench.workspace, wrong.run))

    assert ["north"] == [change.connection for change in plan.changes]
    assert ("name", {"the run wrote": "Renamed", "before it": "Rollout"}) == (south.name, dict(south.values))
    assert south.reason.startswith("south can't be opened: The adapter 'gone' of connection 'south' is not installed;")
    assert ["north", "south"] == [change.connection for change in again.changes]


def written_in_both() -> tuple[Bench, dict[str, str], str]:
    """Let a run write to both sides; give the ids of the deal and the run."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    bench.crms["south"].edit_deal(ids["south"], bant__budget="yes")
    return bench, ids, cycle(bench).run


def test_a_crm_that_can_not_be_reached_keeps_nothing_of_the_rest() -> None:
    """What was written there is listed with that, and undone later; till then the undo needs a person."""
    bench, ids, run = written_in_both()
    bench.crms["south"].blind = 1
    plan, ran = undone(bench, run)
    (south,) = plan.blocked
    first = names(bench, ids)
    undone(bench, run)

    assert (["north"], 7) == ([change.connection for change in plan.changes], ran.exit_code)
    assert ("south", "name") == (south.deal.connection, south.name)
    assert {"the run wrote": "Renamed", "before it": "Rollout"} == dict(south.values)
    assert "south can't be read now: too many requests; undo the run again once it can" == south.reason
    assert ("Renamed", "Rollout") == (first["south"], names(bench, ids)["south"])


def test_where_no_crm_can_be_reached_the_undo_says_so_as_any_command() -> None:
    """Nothing is planned, so there is nothing to look at: try again later."""
    bench, _, run = written_in_both()
    for crm in bench.crms.values():
        crm.blind = 1

    with pytest.raises(RetryLaterError):
        plan_undo(bench.workspace, find_run(bench.workspace, run))


def test_what_a_run_made_in_a_crm_that_can_not_be_reached_is_listed() -> None:
    """A deal in one, a task in the other."""
    bench = able_bench(enforce=[{"rule": "*", "action": "task", "severity": "error"}])
    deal = bench.crms["north"].create_deal("Rollout", stage="qualification", company="1")
    bench.crms["north"].move_deal(deal.id, "closing")
    run = cycle(bench).run
    bench.crms["south"].blind = 1
    plan = plan_undo(bench.workspace, find_run(bench.workspace, run))

    assert {"north"} == {change.connection for change in plan.changes}
    assert {("south", "record")} == {(item.deal.connection, item.name) for item in plan.blocked}


def test_tasks_are_taken_back_by_their_marker() -> None:
    """One that is gone by now is nothing to undo."""
    enforce = [{"rule": "*", "action": "task", "severity": "error"}]
    bench = able_bench(enforce=enforce)
    deals = [bench.crms["north"].create_deal(name, stage="qualification", company="1") for name in ("One", "Two")]
    for deal in deals:
        bench.crms["north"].move_deal(deal.id, "closing")
    run = cycle(bench).run
    tasks = [task.ref for deal in deals for task in bench.crms["north"].hanging_on(deal.id, Kind.TASK)]
    bench.crms["north"].attached.pop(tasks[0])
    plan, _ = undone(bench, run)

    assert len(tasks) > 1
    assert tasks[1:] == [c.target for c in plan.changes if c.target and c.target.kind is Kind.TASK]
    assert all(bench.crms["north"].hanging_on(deal.id, Kind.TASK) == [] for deal in deals)


def test_a_connection_that_archives_nothing_is_said() -> None:
    """Somebody has to delete it there."""
    bench = make_bench(parts=dict.fromkeys(TWO, (0, 0)))
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    plan = plan_undo(bench.workspace, find_run(bench.workspace, cycle(bench).run))

    assert () == plan.changes
    assert ["south archives nothing that crmbridge asks for; delete it there by hand"] == [
        item.reason for item in plan.blocked
    ]


def test_a_run_is_found_by_the_start_of_its_id() -> None:
    """When that is one run only, or its whole id; else the ones that fit are named."""
    bench = able_bench()
    for run in ("20260610-a", "20260610-ab", "20260611-c"):
        bench.workspace.store.runs.start(Run(id=run, command="run", started_at=bench.clock.now()))

    assert "20260611-c" == find_run(bench.workspace, "20260611").id
    assert "20260610-a" == find_run(bench.workspace, "20260610-a").id
    with pytest.raises(ConfigurationError, match="2 runs begin"):
        find_run(bench.workspace, "20260610")
    with pytest.raises(ConfigurationError, match="no run"):
        find_run(bench.workspace, "x")


def test_an_undo_whose_record_is_edited_in_between_is_stale() -> None:
    """Between showing and writing, somebody may be quicker."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Renamed")
    plan = plan_undo(bench.workspace, find_run(bench.workspace, cycle(bench).run))
    south: FakeCrm = bench.crms["south"]
    south.edit_deal(ids["south"], name="Quick")
    ran = run_apply(bench.workspace, plan, command="undo")

    assert [Outcome.STALE] == [receipt.outcome for _, receipt in ran.cycle.applied.done] if ran.cycle else []
    assert "Quick" == names(bench, ids)["south"]


def test_an_undo_whose_deal_is_moved_in_between_is_stale() -> None:
    """Whoever moved it meanwhile is not fought."""
    bench, run, south = moved_by_a_run()
    plan = plan_undo(bench.workspace, find_run(bench.workspace, run))
    bench.crms["south"].move_deal(south, "closing")
    ran = run_apply(bench.workspace, plan, command="undo")

    assert [Outcome.STALE] == [receipt.outcome for _, receipt in ran.cycle.applied.done] if ran.cycle else []
    assert at("closing") == bench.crms["south"].deal(south).position


def test_what_the_crm_made_of_a_value_is_nobodys_edit() -> None:
    """It rounded the amount that the run wrote; the undo restores what was there before."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], amount=Money(Decimal("10.125"), "EUR"))
    run = cycle(bench).run
    south = bench.crms["south"]
    ref = Ref("south", Kind.DEAL, ids["south"])
    south.records[ref] = replace(
        south.records[ref], fields={**south.records[ref].fields, "amount": Money(Decimal("10.13"), "EUR")}
    )
    plan, _ = undone(bench, run)

    assert () == plan.blocked
    assert is_empty(south.deal(ids["south"]).fields.get("amount"))


def test_what_an_undo_wrote_is_nothing_that_the_crm_made_of_the_value_before() -> None:
    """It could be a rounding of what the run wrote; the other side follows all the same."""
    bench, ids = linked()
    runs = []
    for amount in ("11", "11.25"):
        bench.crms["north"].edit_deal(ids["north"], amount=Money(Decimal(amount), "EUR"))
        runs.append(cycle(bench).run)
    undone(bench, runs[-1])
    cycle(bench)

    assert {Money(Decimal(11), "EUR")} == {bench.crms[name].deal(ids[name]).fields["amount"] for name in TWO}


def test_a_run_is_found_however_many_came_since(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cron starts a hundred thousand runs a year, and what one of long ago wrote is in the journal all the same."""
    bench, _ = linked()
    first = cycle(bench).run
    monkeypatch.setattr(undoing, "SEARCHED", 2)
    for _ in range(3):
        cycle(bench)

    assert first == find_run(bench.workspace, first).id
    with pytest.raises(ConfigurationError, match="There is no run 'x'"):
        find_run(bench.workspace, "x")
