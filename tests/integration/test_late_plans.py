"""A plan that was saved and is applied late: what people did since, and what other runs saw of it, stays theirs."""

from __future__ import annotations

from decimal import Decimal

from tests.integration.two_way import crm, entry, only, run
from tests.unit.services.able import able_bench

from crmbridge.model.changes import Outcome, Plan
from crmbridge.model.records import Kind
from crmbridge.model.values import Money
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import Cycle
from crmbridge.services.runs.running import run_apply, run_plan
from crmbridge.testing.workspaces import Bench

THREE = ("north", "south", "west")


def save(bench: Bench) -> Plan:
    """Make a plan, as `crmbridge plan` does."""
    ran = run_plan(bench.workspace)
    assert ran.cycle is not None
    assert ran.cycle.plan is not None
    return ran.cycle.plan


def apply_late(bench: Bench, plan: Plan) -> Cycle:
    """Apply it, as `crmbridge apply PLAN` does."""
    ran = run_apply(bench.workspace, plan)
    assert ran.cycle is not None
    return ran.cycle


def amount(number: int) -> Money:
    return Money(Decimal(number), "EUR")


def amounts(bench: Bench) -> set[object]:
    return {only(bench, name).fields["amount"] for name in bench.crms}


def test_an_edit_that_a_pull_saw_since_a_plan_was_made_is_not_taken_for_what_the_plan_knew() -> None:
    """The plan writes to two deals, and one of them was edited: that is the later edit, whatever the other one got."""
    bench = able_bench(names=THREE, **entry(*THREE, fields={"*": {"conflict": "prefer: west"}}))
    north = crm(bench, "north").create_deal("Rollout", stage="qualification", amount=amount(1)).id
    run(bench)
    run(bench)
    crm(bench, "north").edit_deal(north, amount=amount(5))
    plan = save(bench)
    crm(bench, "south").edit_deal(only(bench, "south").ref.id, amount=amount(7))
    pull(bench.workspace)
    apply_late(bench, plan)
    run(bench)

    assert {amount(7)} == amounts(bench)


def test_a_deal_that_is_made_by_an_old_plan_brings_nothing_old_to_the_others() -> None:
    """The others have gone on since, and agree; the new deal gets what they hold."""
    bench = able_bench(names=THREE, **entry(*THREE))
    north = crm(bench, "north").create_deal("Rollout", stage="qualification", amount=amount(1)).id
    crm(bench, "west").faults.append("refuse")
    run(bench)
    crm(bench, "north").edit_deal(north, amount=amount(5))
    plan = save(bench)
    crm(bench, "north").edit_deal(north, amount=amount(7))
    crm(bench, "west").faults.append("refuse")
    run(bench)
    late = apply_late(bench, plan)
    run(bench)

    assert Outcome.APPLIED in {receipt.outcome for _, receipt in late.applied.done}
    assert {amount(7)} == amounts(bench)
    assert not [c for c in run(bench).plan.changes if c.kind is Kind.DEAL]  # type: ignore[union-attr]
