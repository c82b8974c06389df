"""Whole cycles on fake CRMs: linking, syncing, enforcing, and what happens when something goes wrong."""

from __future__ import annotations

import types
from decimal import Decimal
from typing import Any

import pytest
from tests.integration.two_way import TEN, run

from crmbridge.errors import AuthenticationError, ConfigurationError, LockedError, PlanStaleError
from crmbridge.hookspecs import hookimpl
from crmbridge.model.changes import Action, Cause, Outcome
from crmbridge.model.records import Kind, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money
from crmbridge.ports import StateStore
from crmbridge.sandbox.world import OPEN_STAGES
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import writing
from crmbridge.services.runs.planning import make_plan
from crmbridge.testing.factories import make_process, make_stage
from crmbridge.testing.workspaces import Bench, make_bench


def conflict(policy: str) -> dict[str, Any]:
    return {"sync": [{"name": "main", "between": ["north", "south"], "fields": {"*": {"conflict": policy}}}]}


def two_deals(bench: Bench) -> tuple[str, str]:
    """Create the same deal on both sides, link the two, and give their ids."""
    north, south = bench.crms["north"], bench.crms["south"]
    firm = {"company": "1"}
    ids = (
        north.create_deal("Rollout", stage="qualification", **firm),
        south.create_deal("Rollout", stage="qualification", **firm),
    )
    run(bench)
    return ids[0].id, ids[1].id


def linked_bench(store: StateStore, **settings: Any) -> Bench:
    return make_bench(**{"deals": 3, "parts": {"north": (0, 0), "south": (0, 0)}, "store": store, **settings})


def test_two_full_crms_are_linked_before_anything_is_created(store: StateStore) -> None:
    """Deals that are on both sides are linked; only the open ones that are missing are created, each once."""
    process = make_process(stages=[make_stage(stage) for stage in OPEN_STAGES])
    bench = make_bench(deals=40, parts={"north": (0, 0.75), "south": (0.25, 1)}, store=store, process=process)
    cycle = run(bench)
    created = [change for change in cycle.plan.changes if change.action is Action.CREATE] if cycle.plan else []

    assert len(created) == cycle.applied.count(Outcome.APPLIED) > 0
    for crm in bench.crms.values():
        names = [record.fields["name"] for record in crm.records.values() if record.ref.kind is Kind.DEAL]
        assert len(names) == len(set(names))
    names = [
        {r.fields["name"] for r in crm.records.values() if r.position and r.position.status is Status.OPEN}
        for crm in bench.crms.values()
    ]
    assert names[0] == names[1]


def test_a_second_run_writes_nothing(store: StateStore) -> None:
    """When nobody did anything, there is nothing to plan, and nothing is written."""
    bench = make_bench(deals=40, store=store, enforce=[{"rule": "*", "action": "task"}])
    first = run(bench)
    written = {name: crm.writes for name, crm in bench.crms.items()}
    second = run(bench)

    assert first.applied.count(Outcome.APPLIED) > 0
    assert {} == second.applied.counts
    assert written == {name: crm.writes for name, crm in bench.crms.items()}


def test_an_edit_travels_and_does_not_come_back(store: StateStore) -> None:
    """An edit on one side is written on the other once, and is no change there."""
    bench = linked_bench(store)
    north, south = two_deals(bench)
    bench.crms["north"].edit_deal(north, amount=Money(Decimal("10.10"), "EUR"))
    first, second = run(bench), run(bench)

    assert Money(Decimal("10.1"), "EUR") == bench.crms["south"].deal(south).fields["amount"]
    assert ({"applied": 1}, {}) == (first.applied.counts, second.applied.counts)


def test_edits_of_different_fields_both_stay(store: StateStore) -> None:
    """Two people edit the same deal on two sides; each field goes its way."""
    bench = linked_bench(store)
    north, south = two_deals(bench)
    bench.crms["north"].edit_deal(north, name="Renamed")
    bench.crms["south"].edit_deal(south, bant__budget="yes")
    run(bench)

    for crm, native in (("north", north), ("south", south)):
        fields = bench.crms[crm].deal(native).fields
        assert ("Renamed", "yes") == (fields["name"], fields["bant.budget"])


def test_a_conflict_that_asks_writes_nothing_and_needs_a_person(store: StateStore) -> None:
    """Both values stay where they are, run after run, and the exit code says so."""
    bench = linked_bench(store, **conflict("ask"))
    north, south = two_deals(bench)
    bench.crms["north"].edit_deal(north, name="One")
    bench.crms["south"].edit_deal(south, name="Two")
    cycles = [run(bench), run(bench)]

    assert [7, 7] == [cycle.exit_code() for cycle in cycles]
    assert [{"north": "One", "south": "Two"}] == [dict(b.values) for c in cycles[:1] if c.plan for b in c.plan.blocked]
    assert "One" == bench.crms["north"].deal(north).fields["name"]
    assert "Two" == bench.crms["south"].deal(south).fields["name"]


def test_a_deal_that_was_merged_into_another_keeps_its_counterpart(store: StateStore) -> None:
    """The survivor may be a new deal (HubSpot, "Deals now support merging"): it takes the place of the one merged away.

    Without that it would seem to be missing on the other side, and a second counterpart would be created.
    """
    bench = linked_bench(store)
    north, south = two_deals(bench)
    survivor = bench.crms["north"].create_deal("Rollout and more", stage="qualification").id
    bench.crms["north"].merge_deals(winner=survivor, loser=north)
    run(bench)
    run(bench)

    assert [south] == bench.crms["south"].deal_ids()
    assert "Rollout and more" == bench.crms["south"].deal(south).fields["name"]


def test_a_move_that_the_process_forbids_is_not_made_again(store: StateStore) -> None:
    """Somebody skipped stages: the other side stays where it is, the plan says why, and other fields travel."""
    bench = linked_bench(store)
    north, south = two_deals(bench)
    bench.crms["north"].move_deal(north, "closing")
    bench.crms["north"].edit_deal(north, name="Rollout and more")
    cycle = run(bench)
    there = bench.crms["south"].deal(south)

    assert ("qualification", "Rollout and more") == (there.position and there.position.stage, there.fields["name"])
    assert [("stage", Cause.MOVE)] == [(item.name, item.cause) for item in cycle.plan.blocked] if cycle.plan else False
    assert 7 == cycle.exit_code()


def test_a_forbidden_move_is_not_made_after_a_deal_that_was_made_where_it_led(store: StateStore) -> None:
    """A third CRM got its counterpart late, where the deal stood by then. Nobody moved that one: it allows nothing."""
    bench = linked_bench(store, parts={"north": (0, 0), "south": (0, 0), "east": (0, 0)})
    south, east = (
        bench.crms[name].create_deal("Rollout", stage="qualification", company="1") for name in ("south", "east")
    )
    bench.crms["north"].faults.append("limit")
    run(bench)
    bench.crms["south"].move_deal(south.id, "closing")
    for _ in range(3):
        run(bench)
        bench.clock.advance(TEN)
    (made,) = bench.crms["north"].deal_ids()
    stages = [bench.crms[name].deal(id_).position for name, id_ in (("north", made), ("east", east.id))]

    assert ["closing", "qualification"] == [position and position.stage for position in stages]


@pytest.mark.parametrize(
    ("stage", "reason"),
    [("proposal", "name changed in north; stage changed in north"), ("closing", "name changed in north")],
)
def test_an_update_says_why_of_just_what_it_writes(store: StateStore, stage: str, reason: str) -> None:
    """Of a move that is allowed as well; not of one that waits for a person."""
    bench = linked_bench(store)
    north, _ = two_deals(bench)
    bench.crms["north"].move_deal(north, stage)
    bench.crms["north"].edit_deal(north, name="Rollout and more")
    plan = run(bench).plan

    assert plan is not None
    assert [reason] == [change.reason for change in plan.changes]


def test_a_forbidden_move_is_told_as_it_was_made(store: StateStore) -> None:
    """Not as the way from where the other deal stands, which may be back or allowed."""
    bench = linked_bench(store, **conflict("newest"))
    north, south = two_deals(bench)
    bench.crms["south"].move_deal(south, "proposal")
    bench.clock.advance(TEN)
    bench.crms["north"].move_deal(north, "closing")
    plan = run(bench).plan

    assert plan is not None
    assert ["qualification to closing: the process allows no stage to be skipped; a person may move it in south"] == [
        item.reason for item in plan.blocked
    ]


BACK = {"back": "with_reason", "reason": "why_back"}


def test_a_way_back_without_a_reason_is_not_made_again(store: StateStore) -> None:
    """It waits for the reason; then the other side follows."""
    fields = [{"id": "why_back", "name": "Why back", "type": "text"}]
    bench = linked_bench(store, process=make_process(stages=[*map(make_stage, OPEN_STAGES)], moves=BACK, fields=fields))
    north, south = two_deals(bench)
    for stage in ("diagnosis", "proposal"):
        bench.crms["north"].move_deal(north, stage)
        run(bench)
    bench.crms["north"].move_deal(north, "qualification")
    held = [run(bench).plan, bench.crms["south"].deal(south).position]
    bench.crms["north"].edit_deal(north, why_back="They asked for another offer")
    run(bench)

    assert [("stage", Cause.MOVE)] == [(item.name, item.cause) for item in held[0].blocked]  # type: ignore[union-attr]
    stages = [position and position.stage for position in (held[1], bench.crms["south"].deal(south).position)]
    assert ["proposal", "qualification"] == stages


def test_a_move_by_somebody_who_may_not_is_not_made_again(store: StateStore) -> None:
    """Only a boss may move deals there; where nobody can tell who it was, the other side follows."""
    process = make_process(stages=[*map(make_stage, OPEN_STAGES)], moves={"who": {"proposal": ["seller"]}})
    bench = linked_bench(store, process=process, people={"seller": "boss@lumenworks.example"})
    north, south = two_deals(bench)
    bench.crms["north"].move_deal(north, "proposal")
    moves = bench.crms["north"].moves[bench.crms["north"].deal(north).ref]
    moves[-1] = replace(moves[-1], by="1")
    run(bench)

    position = bench.crms["south"].deal(south).position
    assert "qualification" == (position and position.stage)


def test_a_stage_travels_by_its_place_in_the_process(store: StateStore) -> None:
    """A deal won on one side is won on the other, whatever stages it went through meanwhile."""
    bench = linked_bench(store)
    north, south = two_deals(bench)
    for stage in ("proposal", "closing", "won"):
        bench.clock.advance(TEN)
        bench.crms["north"].move_deal(north, stage)
    run(bench)
    position = bench.crms["south"].deal(south).position

    assert position is not None
    assert Status.WON == position.status


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
@pytest.mark.parametrize("what", ["create", "update", "task"])
def test_an_unclear_write_is_settled_by_reading_and_never_doubled(store: StateStore, what: str, fault: str) -> None:
    """The next run finds out what became of it; whatever it was, it is there exactly once in the end."""
    bench = make_bench(
        deals=3, parts={"north": (0, 0), "south": (0, 0)}, store=store, enforce=[{"rule": "move", "action": "task"}]
    )
    north, _ = two_deals(bench) if what != "create" else (bench.crms["north"].create_deal("New").id, "")
    if what == "create":
        bench.crms["north"].move_deal(north, "proposal")
    if what == "update":
        bench.crms["north"].edit_deal(north, name="New")
    if what == "task":
        bench.crms["north"].move_deal(north, "closing")
        bench.crms["south"].move_deal(two_ids(bench)[1], "closing")
    for crm in bench.crms.values():
        crm.faults.append(fault)
    cycles = [run(bench), run(bench), run(bench)]

    assert Outcome.UNKNOWN in [receipt.outcome for _, receipt in cycles[0].applied.done]
    assert 7 == cycles[0].exit_code()
    assert {} == cycles[2].applied.counts
    if what == "task":
        assert 1 == len(bench.crms["north"].hanging_on(north, Kind.TASK))
    else:
        assert [1, 1] == [len(crm.named("New")) for crm in bench.crms.values()]


def two_ids(bench: Bench) -> tuple[str, str]:
    return bench.crms["north"].deal_ids()[0], bench.crms["south"].deal_ids()[0]


def test_a_run_that_was_killed_between_intent_and_outcome_is_settled(store: StateStore) -> None:
    """An intent without an outcome is looked up by the next run, whether or not the write arrived."""
    bench = linked_bench(store)
    north, _ = two_deals(bench)
    bench.crms["north"].edit_deal(north, name="New")
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    store.journal.intend("killed", plan.changes, bench.clock.now())
    bench.crms["south"].carry_out(plan.changes[0])
    cycle = run(bench)

    assert [Outcome.APPLIED] == [receipt.outcome for receipt in cycle.reconciled]
    assert {} == cycle.applied.counts
    assert () == store.journal.unsettled()


def test_what_changed_after_the_plan_is_left_alone(store: StateStore) -> None:
    """A person's edit between plan and apply makes that change stale; it is neither overwritten nor lost."""
    bench = linked_bench(store, **conflict("newest"))
    north, south = two_deals(bench)
    bench.crms["north"].edit_deal(north, name="Ours")
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    bench.clock.advance(TEN)
    bench.crms["south"].edit_deal(south, name="Theirs")
    applied = apply_plan(bench.workspace, plan, "r")

    assert {"stale": 1} == applied.counts
    assert "Theirs" == bench.crms["south"].deal(south).fields["name"]
    run(bench)
    assert "Theirs" == bench.crms["north"].deal(north).fields["name"]  # by the policy, as the newer one


def test_a_plan_applied_twice_is_done_once(store: StateStore) -> None:
    """The second time, every change is known to be done."""
    bench = make_bench(deals=12, parts={"north": (0, 1), "south": (0, 0)}, store=store)
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    first = apply_plan(bench.workspace, plan, "r1")
    writes = bench.crms["south"].writes
    second = apply_plan(bench.again().workspace, plan, "r2")

    assert first.counts == second.counts
    assert writes == bench.crms["south"].writes


def test_a_plan_for_other_settings_is_refused(store: StateStore) -> None:
    """Whoever changes the settings makes a new plan; nothing is written by an old one."""
    bench = make_bench(deals=12, parts={"north": (0, 1), "south": (0, 0)}, store=store)
    pull(bench.workspace)
    plan = replace(make_plan(bench.workspace).plan, settings="another")

    with pytest.raises(PlanStaleError):
        apply_plan(bench.workspace, plan, "r")
    assert 0 == bench.crms["south"].writes


def test_a_refused_item_is_said_once_and_left(store: StateStore) -> None:
    """The CRM's no is journaled with its words; the next run shows it and does not try again."""
    bench = linked_bench(store)
    north, south = two_deals(bench)
    bench.crms["north"].edit_deal(north, name="New")
    bench.crms["south"].faults.append("refuse")
    first = run(bench)
    writes = bench.crms["south"].writes
    second = run(bench)

    assert {"refused": 1} == first.applied.counts
    assert second.plan is not None
    assert ["refused before: a rule of the account says no"] == [b.reason for b in second.plan.blocked]
    assert writes == bench.crms["south"].writes
    assert "Rollout" == bench.crms["south"].deal(south).fields["name"]


def test_a_crm_that_limits_us_costs_only_its_own_changes(store: StateStore) -> None:
    """The other connection's changes are made; the limited one's are failed, and made by the next run."""
    bench = make_bench(deals=20, parts={"north": (0, 0.6), "south": (0.4, 1)}, store=store)
    bench.crms["north"].faults.append("limit")
    first, second = run(bench), run(bench)

    assert {"north"} == set(first.applied.errors)
    assert 5 == first.exit_code()
    assert first.applied.count(Outcome.APPLIED) > 0
    assert second.applied.count(Outcome.APPLIED) == first.applied.count(Outcome.FAILED) > 0


def test_a_crm_that_refuses_us_is_left_out_of_the_plan(store: StateStore) -> None:
    """Without a fresh picture of one side nothing is synced, and the exit code is that of the sign-in."""
    bench = make_bench(deals=20, parts={"north": (0, 0.6), "south": (0.4, 1)}, store=store)
    bench.crms["north"].faults.append("revoked")
    cycle = run(bench)

    assert [AuthenticationError] == [type(error) for _, error in cycle.errors]
    assert 4 == cycle.exit_code()
    assert (0, 0) == (bench.crms["north"].writes, bench.crms["south"].writes)


def test_a_second_run_at_the_same_time_is_locked_out(store: StateStore) -> None:
    """It is told who holds the state, and does nothing."""
    bench = make_bench(deals=3, store=store)

    with writing(bench.workspace, "run"), pytest.raises(LockedError) as caught, writing(bench.workspace, "run"):
        raise AssertionError("two runs at once")
    assert "run" in caught.value.message


def test_every_write_is_journaled_before_and_after(store: StateStore) -> None:
    """For each change there is one intent, then one outcome, in that order."""
    bench = make_bench(deals=20, parts={"north": (0, 0.6), "south": (0.4, 1)}, store=store)
    cycle = run(bench)
    rows: dict[str, list[Outcome | None]] = {}
    for entry in store.journal.entries(cycle.run):
        rows.setdefault(entry.change.id, []).append(entry.outcome)

    assert cycle.plan is not None
    assert {change.id: [None, Outcome.APPLIED] for change in cycle.plan.changes} == rows


def test_a_broken_rule_makes_one_task_and_a_mended_one_clears_it(store: StateStore) -> None:
    """The finding opens once, its task is written once, and it is cleared when the rule holds."""
    bench = make_bench(parts={"north": (0, 0)}, store=store, enforce=[{"rule": "qualification.bant", "action": "task"}])
    ref = bench.crms["north"].create_deal("Rollout", stage="qualification")
    bench.clock.advance(TEN)
    bench.crms["north"].move_deal(ref.id, "proposal")
    first, second = run(bench), run(bench)
    opened = store.findings.findings()
    bench.crms["north"].edit_deal(ref.id, bant__budget="yes", bant__authority="yes", bant__need="yes")
    run(bench)

    assert (1, 0) == (first.applied.count(Outcome.APPLIED), second.applied.count(Outcome.APPLIED))
    assert ["qualification.bant"] == [stored.finding.rule for stored in opened]
    assert 1 == len(bench.crms["north"].hanging_on(ref.id, Kind.TASK))
    assert () == store.findings.findings()
    assert [True] == [stored.cleared_at is not None for stored in store.findings.findings(cleared=True)]


def test_a_deal_that_skipped_a_rule_can_be_set_back(store: StateStore) -> None:
    """With the action `revert` the deal stands where it was before its last move."""
    bench = make_bench(
        parts={"north": (0, 0)}, store=store, enforce=[{"rule": "qualification.bant", "action": "revert"}]
    )
    ref = bench.crms["north"].create_deal("Rollout", stage="qualification")
    bench.clock.advance(TEN)
    bench.crms["north"].move_deal(ref.id, "proposal")
    run(bench)
    position = bench.crms["north"].deal(ref.id).position
    second = run(bench)

    assert position is not None
    assert "qualification" == position.stage
    assert {} == second.applied.counts


def test_the_counterpart_of_a_deal_that_is_set_back_is_never_moved(store: StateStore) -> None:
    """Else it went forward and back again, and whatever its CRM does then with a deal had been done."""
    bench = make_bench(
        parts={"north": (0, 0), "south": (0, 0)},
        store=store,
        enforce=[{"rule": "qualification.bant", "action": "revert"}],
    )
    ref = bench.crms["north"].create_deal("Rollout", stage="qualification")
    run(bench)
    bench.crms["north"].move_deal(ref.id, "proposal")
    applied = [cycle.applied.done for cycle in (run(bench), run(bench), run(bench))]

    assert [[ref], [], []] == [[change.target for change, _ in done] for done in applied]


def test_the_counterpart_of_a_deal_that_is_set_back_is_made_where_the_deal_stands_then(store: StateStore) -> None:
    """Not in the stage that it was moved to, which the process does not allow: it waits for the next run."""
    bench = make_bench(
        parts={"north": (0, 0), "south": (0, 0)},
        store=store,
        enforce=[{"rule": "qualification.bant", "action": "revert"}],
    )
    ref = bench.crms["north"].create_deal("Rollout", stage="qualification")
    bench.clock.advance(TEN)
    bench.crms["north"].move_deal(ref.id, "proposal")
    first, second, third = run(bench), run(bench), run(bench)
    (made,) = bench.crms["south"].deal_ids()
    position = bench.crms["south"].deal(made).position
    applied = [cycle.applied.done for cycle in (first, second, third)]

    assert position is not None
    assert "qualification" == position.stage
    assert [[ref], [None], []] == [[change.target for change, _ in done] for done in applied]


def test_a_plugin_can_veto_and_observe(store: StateStore) -> None:
    """A vetoed change is refused with the plugin's reason and not sent; an observer that fails costs nothing."""
    seen: list[int] = []

    @hookimpl
    def crmbridge_before_apply(changes: Any) -> list[tuple[str, str]]:
        return [(changes[0].id, "not on Mondays")]

    @hookimpl
    def crmbridge_after_apply(receipts: Any) -> None:
        seen.append(len(receipts))
        raise RuntimeError("the observer is broken")

    plugin = types.ModuleType("picky")
    vars(plugin).update(crmbridge_before_apply=crmbridge_before_apply, crmbridge_after_apply=crmbridge_after_apply)
    bench = make_bench(deals=30, parts={"north": (0, 1), "south": (0, 0)}, store=store, plugins={"picky": plugin})
    cycle = run(bench)

    assert cycle.plan is not None
    vetoed = {change.id: receipt for change, receipt in cycle.applied.done if receipt.outcome is Outcome.REFUSED}
    assert {cycle.plan.changes[0].id: "not on Mondays"} == {name: r.message for name, r in vetoed.items()}
    assert len(cycle.plan.changes) - 1 == cycle.applied.count(Outcome.APPLIED) == sum(seen)
    assert not [entry for entry in store.journal.entries() if entry.change.id in vetoed]


def three(store: StateStore, *between: str) -> Bench:
    names = ("north", "south", "west")
    return make_bench(
        parts=dict.fromkeys(names, (0, 0)),
        deals=1,
        store=store,
        sync=[{"name": "main", "between": list(between), "create": list(between)}],
    )


def test_a_connection_that_leaves_the_sync_takes_no_link_with_it(store: StateStore) -> None:
    """The deals of the others stay linked, so nothing is created a second time; it finds its place when it returns."""
    bench = three(store, "north", "south", "west")
    bench.crms["north"].create_deal("Rollout", stage="qualification", company="1")
    run(bench)
    for name, crm in bench.crms.items():
        crm.edit_deal(crm.deal_ids()[0], name=f"Renamed in {name}")
    fewer = three(store, "north", "south").workspace.project.settings
    run(bench.again(fewer))
    run(bench)

    assert {"north": 1, "south": 1, "west": 1} == {name: len(crm.deal_ids()) for name, crm in bench.crms.items()}


def test_an_owner_comes_and_goes_on_both_sides(store: StateStore) -> None:
    """Giving a deal to somebody and taking it from everybody are edits like any other."""
    bench = linked_bench(store)
    north, south = two_deals(bench)
    owners = []
    for owner in ("2", None, "3"):
        bench.crms["north"].edit_deal(north, owner=owner)
        run(bench)
        owners.append(bench.crms["south"].deal(south).fields.get("owner"))

    assert ["2", None, "3"] == owners


def test_a_field_that_is_bound_later_is_read_for_all_deals(store: StateStore) -> None:
    """Deals that did not change since are read again, or rules would see empty fields and act on that."""
    bench = make_bench(parts={"north": (0, 0)}, store=store)
    ref = bench.crms["north"].create_deal("Rollout", stage="qualification")
    run(bench)
    settings = bench.workspace.project.settings
    unbound = {"north": {"adapter": "fake", "fields": {}}}
    other = settings.model_validate({**settings.model_dump(mode="json", exclude_unset=True), "connections": unbound})
    again = bench.again(other)
    first = pull(again.workspace)
    second = pull(again.workspace)

    assert ref in store.records.get([ref])
    assert (True, 0) == (first[0].records > 0, second[0].records)


def test_a_connection_to_another_account_is_refused(store: StateStore) -> None:
    """What is known under its name belongs to the account before; mixing the two would write nonsense."""
    bench = make_bench(parts={"north": (0, 0)}, store=store)
    pull(bench.workspace)
    bench.crms["north"].account = "somebody else's"
    settings = bench.workspace.project.settings
    moved = {"north": {**settings.connections["north"].model_dump(), "base_url": "https://elsewhere.example"}}
    other = settings.model_validate({**settings.model_dump(mode="json", exclude_unset=True), "connections": moved})
    pulled = pull(bench.again(other).workspace)

    assert [ConfigurationError] == [type(one.error) for one in pulled]


def test_an_old_plan_creates_nothing_that_is_there_by_now(store: StateStore) -> None:
    """A saved plan is applied after a run made the counterpart with other words: it is stale, and nothing doubles."""
    bench = linked_bench(store)
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    pull(bench.workspace)
    old = make_plan(bench.workspace).plan
    bench.crms["north"].edit_deal(north, name="Renamed")
    run(bench)
    applied = apply_plan(bench.workspace, old, "late")

    assert {"stale": 1} == applied.counts
    assert 1 == len(bench.crms["south"].deal_ids())


def test_an_old_plan_creates_nothing_for_a_deal_that_is_gone(store: StateStore) -> None:
    """Its deal was deleted since; a counterpart would have nothing to stand for."""
    bench = linked_bench(store)
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    pull(bench.workspace)
    old = make_plan(bench.workspace).plan
    bench.crms["north"].delete_deal(north)
    pull(bench.workspace)

    assert {"stale": 1} == apply_plan(bench.workspace, old, "late").counts
    assert [] == bench.crms["south"].deal_ids()


def test_a_crm_without_unique_keys_is_looked_at_before_a_deal_is_created(store: StateStore) -> None:
    """Where the CRM would take the same key twice, a deal that carries it already is adopted, not made again."""
    bench = linked_bench(store)
    bench.crms["south"].unique_keys = False
    north = bench.crms["north"].create_deal("Rollout", stage="qualification")
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    bench.crms["south"].carry_out(plan.changes[0])
    applied = apply_plan(bench.workspace, plan, "late")

    assert {"applied": 1} == applied.counts
    assert 1 == len(bench.crms["south"].deal_ids())
    assert 2 == len(next(refs for refs in store.links.links().values() if north in refs))


def test_a_field_action_is_done_once(store: StateStore) -> None:
    """A field that sync does not share can be set by a rule, and is not stale in every run."""
    bench = make_bench(
        parts={"north": (0, 0)},
        store=store,
        enforce=[{"rule": "qualification.bant", "action": "field", "field": "source", "value": "flagged: {rule}"}],
    )
    ref = bench.crms["north"].create_deal("Rollout", stage="qualification", source="")
    bench.clock.advance(TEN)
    bench.crms["north"].move_deal(ref.id, "proposal")
    first, second = run(bench), run(bench)

    assert ({"applied": 1}, {}) == (first.applied.counts, second.applied.counts)
    assert "flagged: qualification.bant" == bench.crms["north"].deal(ref.id).fields["source"]
