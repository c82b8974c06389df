"""A plan that is applied late or in part: what people did since stays theirs, and what is left out is written later."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.integration.two_way import TEN, crm, entry, only, run
from tests.unit.services.able import able_bench

from crmbridge.model.changes import Outcome, Plan
from crmbridge.model.records import Kind
from crmbridge.model.values import Money
from crmbridge.services.apply.choosing import ALL, Choice
from crmbridge.services.by_hand.linking import join
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import Cycle
from crmbridge.services.runs.running import run_apply, run_plan, run_steps
from crmbridge.testing.workspaces import Bench

THREE = ("north", "south", "west")


def save(bench: Bench) -> Plan:
    """Make a plan, as `crmbridge plan` does."""
    ran = run_plan(bench.workspace)
    assert ran.cycle is not None
    assert ran.cycle.plan is not None
    return ran.cycle.plan


def apply_late(bench: Bench, plan: Plan, choice: Choice = ALL) -> Cycle:
    """Apply it, as `crmbridge apply PLAN` does."""
    ran = run_apply(bench.workspace, plan, choice)
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


def test_a_deal_that_was_joined_since_gets_no_second_counterpart() -> None:
    """A person said which deals it belongs to, and these have one there already."""
    bench = able_bench(names=THREE, **entry(*THREE, create=["south"]))
    crm(bench, "west").create_deal("Rollout", stage="qualification")
    run(bench)
    north = crm(bench, "north").create_deal("Roll-out", stage="qualification").id
    plan = save(bench)
    join(bench.workspace, [f"north:{north}", str(only(bench, "west").ref)])
    late = apply_late(bench, plan)

    assert [Outcome.STALE] == [receipt.outcome for _, receipt in late.applied.done]
    assert 1 == len(crm(bench, "south").deal_ids())


def edited_apart(**more: Any) -> Bench:
    """Make a deal in three CRMs, edited in south and later in north."""
    bench = able_bench(names=THREE, **entry(*THREE, **more))
    north = crm(bench, "north").create_deal("Rollout", stage="qualification", amount=amount(1)).id
    run(bench)
    run(bench)
    crm(bench, "south").edit_deal(only(bench, "south").ref.id, amount=amount(3))
    bench.clock.advance(TEN)
    crm(bench, "north").edit_deal(north, amount=amount(5))
    return bench


@pytest.mark.parametrize("how", [{"conflict": "newest"}, {"direction": "from: north"}])
@pytest.mark.parametrize("is_saved", [False, True])
def test_what_is_not_selected_of_a_decision_is_written_later(how: dict[str, str], *, is_saved: bool) -> None:
    """North wins, and only west is written; what south had before that is no later edit."""
    bench = edited_apart(fields={"amount": how})
    if is_saved:
        apply_late(bench, save(bench), Choice(select=("west",)))
    else:
        run_steps(bench.workspace, "run", choice=Choice(select=("west",)))

    assert amount(3) == only(bench, "south").fields["amount"]
    run(bench)

    assert {amount(5)} == amounts(bench)
