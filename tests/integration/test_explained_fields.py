"""What `explain` says of fields that differ between CRMs: whether a run takes them up, or nobody ever will."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.integration.two_way import RoundingCrm, crm, linked, run

from crmbridge.model.values import Money
from crmbridge.services.answers.explaining import explain
from crmbridge.services.answers.explanation import InStep
from crmbridge.services.pull.pulling import pull
from crmbridge.testing.workspaces import Bench

DEAR, CHEAP = Money(Decimal(7), "EUR"), Money(Decimal(5), "EUR")


def states(bench: Bench, native: str) -> dict[str, InStep]:
    """Give how the fields stand that are not in step."""
    found = explain(bench.workspace, f"north:{native}").fields
    return {field.name: field.state for field in found if field.state is not InStep.IN_STEP}


@pytest.mark.parametrize("how", [{"sync": False}, {"direction": "from: north"}, {"conflict": "only_if_empty"}])
def test_what_the_sync_leaves_apart_is_said_to_stay_so(how: dict[str, Any]) -> None:
    """Before the next run and after it; nobody waits for one that would do nothing."""
    bench, north, south = linked(fields={"*": {"conflict": "newest"}, "amount": how})
    crm(bench, "north").edit_deal(north, amount=CHEAP)
    run(bench)
    crm(bench, "south").edit_deal(south, amount=DEAR)
    pull(bench.workspace)
    before = states(bench, north)
    cycles = [run(bench), run(bench)]

    assert [{"amount": InStep.LEFT}] * 2 == [before, states(bench, north)]
    assert [(), ()] == [cycle.plan.changes for cycle in cycles if cycle.plan]


@pytest.mark.parametrize("how", [{"conflict": "newest"}, {"direction": "from: south"}, {"conflict": "only_if_empty"}])
def test_what_the_next_run_writes_waits_for_it(how: dict[str, Any]) -> None:
    """Under the same settings, where the edit is one that travels."""
    bench, north, south = linked(fields={"*": {"conflict": "newest"}, "amount": how})
    run(bench)
    crm(bench, "south").edit_deal(south, amount=DEAR)
    pull(bench.workspace)
    before = states(bench, north)
    run(bench)

    assert ({"amount": InStep.WAITING}, {}) == (before, states(bench, north))


def test_what_a_crm_made_of_a_value_waits_for_nothing() -> None:
    """It keeps fewer places than it was given; the other keeps the whole value."""
    bench, north, _ = linked()
    bench.crms["south"].__class__ = RoundingCrm
    crm(bench, "north").edit_deal(north, amount=Money(Decimal("10.25"), "EUR"))
    run(bench), run(bench)

    assert {"amount": InStep.LEFT} == states(bench, north)


def test_a_field_that_one_crm_has_not_is_named() -> None:
    """Of those that another one of the deal has."""
    bench, north, _ = linked()
    settings = bench.workspace.project.settings
    fields = dict(settings.connections["south"].fields)
    gone = min(fields)
    less = settings.connections["south"].model_copy(update={"fields": {n: f for n, f in fields.items() if n != gone}})
    again = bench.again(settings.model_copy(update={"connections": {**settings.connections, "south": less}}))

    assert {} == explain(bench.workspace, f"north:{north}").unbound
    assert {"south": (gone,)} == explain(again.workspace, f"north:{north}").unbound
