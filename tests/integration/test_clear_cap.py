"""A field that is emptied in very many deals at once: nobody else is emptied for it until a person says so."""

from __future__ import annotations

from typing import Any

import pytest
from tests.integration.test_two_way import HOUR, crm, run
from tests.unit.services.able import able_bench

from crmbridge.model.changes import Cause
from crmbridge.services.runs.cycle import Cycle
from crmbridge.settings import Settings
from crmbridge.testing.workspaces import Bench

MANY = 30


def entry(**more: Any) -> dict[str, Any]:
    """Give the settings of one sync in which the newest wins."""
    usual = {"name": "main", "between": ["north", "south"], "create": ["north", "south"]}
    return {"sync": [{**usual, "fields": {"*": {"conflict": "newest"}}, **more}]}


def full_bench(count: int = MANY, **more: Any) -> Bench:
    """Give two CRMs with so many linked deals, each with a need and a budget."""
    bench = able_bench(**entry(**more))
    held: dict[str, Any] = {"bant.need": "web", "bant.budget": "price"}
    for number in range(count):
        bench.crms["north"].create_deal(f"Deal {number}", stage="qualification", **held)
    run(bench)
    return bench


def empty(bench: Bench, field: str, some: slice = slice(None), **beside: str) -> None:
    """Let an import empty a field of deals in the north, and write others beside it."""
    bench.clock.advance(HOUR)
    for native in bench.crms["north"].deal_ids()[some]:
        crm(bench, "north").edit_deal(native, **{field: None}, **beside)


def held_in_south(bench: Bench, name: str) -> int:
    """Count the deals in the south that still have something in a field."""
    south = bench.crms["south"]
    return sum(bool(south.deal(native).fields.get(name)) for native in south.deal_ids())


def waiting(bench: Bench) -> list[tuple[Cause, str]]:
    """Give what waits for a person."""
    return [(each.item.cause, each.item.name) for each in bench.workspace.store.waiting.all()]


def written(cycle: Cycle) -> set[str]:
    """Name the fields that a run wrote."""
    return {edit.name for change, _ in cycle.applied.done for edit in change.edits}


def test_too_many_are_held_back_and_said_and_the_rest_goes_on() -> None:
    """Each waits with what is there and why, and what was written beside it gets there."""
    bench = full_bench()
    empty(bench, "bant.need", name="Imported")
    first, second = run(bench), run(bench)
    said = {each.item.reason for each in bench.workspace.store.waiting.all()}
    few = "it would be emptied in 30 deals of south, more than the 20 that clear_cap allows"

    assert ({"name"}, set()) == (written(first), written(second))
    assert MANY == held_in_south(bench, "bant.need")
    assert {f"bant.need changed in north; {few}"} == said
    assert [(Cause.CLEAR, "bant.need")] * MANY == waiting(bench)
    assert [7, 7] == [first.exit_code(), second.exit_code()]


def test_a_higher_cap_lets_it_through() -> None:
    """Whoever meant it raises the cap."""
    bench = full_bench()
    empty(bench, "bant.need")
    run(bench)
    project = bench.workspace.project
    raised = Settings.model_validate({**project.settings.model_dump(mode="json"), **entry(clear_cap={"records": 50})})
    run(bench.again(raised))

    assert (0, []) == (held_in_south(bench, "bant.need"), waiting(bench))


def test_what_is_filled_again_waits_no_longer() -> None:
    """An import that was taken back leaves nothing behind."""
    bench = full_bench()
    empty(bench, "bant.need")
    run(bench)
    bench.clock.advance(HOUR)
    for native in bench.crms["north"].deal_ids():
        crm(bench, "north").edit_deal(native, bant__need="web")
    last = run(bench)

    assert (MANY, [], 0) == (held_in_south(bench, "bant.need"), waiting(bench), last.exit_code())


def test_the_few_that_are_left_are_carried_on() -> None:
    """Most were filled again: what is left is no mass any more."""
    bench = full_bench()
    empty(bench, "bant.need")
    run(bench)
    bench.clock.advance(HOUR)
    for native in bench.crms["north"].deal_ids()[5:]:
        crm(bench, "north").edit_deal(native, bant__need="web")
    run(bench)

    assert (MANY - 5, []) == (held_in_south(bench, "bant.need"), waiting(bench))


@pytest.mark.parametrize(("cap", "left"), [({"records": 0, "percent": 100}, 0), ({"records": 0, "percent": 90}, MANY)])
def test_the_cap_is_a_share_of_the_linked_deals_where_that_is_more(cap: dict[str, float], left: int) -> None:
    """As for deletions."""
    bench = full_bench(clear_cap=cap)
    empty(bench, "bant.need")
    run(bench)

    assert left == held_in_south(bench, "bant.need")


def test_each_field_is_counted_by_itself() -> None:
    """Fifteen of one and fifteen of another are two small things."""
    bench = full_bench()
    empty(bench, "bant.need", slice(15))
    empty(bench, "bant.budget", slice(15, None))
    run(bench)

    assert (15, 15, []) == (held_in_south(bench, "bant.need"), held_in_south(bench, "bant.budget"), waiting(bench))


def test_what_is_held_back_is_still_the_newer_edit() -> None:
    """Somebody had changed the field in the south before: what we write beside it makes that no newer."""
    bench = full_bench()
    bench.clock.advance(HOUR)
    for native in bench.crms["south"].deal_ids():
        crm(bench, "south").edit_deal(native, bant__need="fair")
    empty(bench, "bant.need", name="Imported")
    bench.clock.advance(HOUR)
    run(bench)
    run(bench)
    north = bench.crms["north"]

    assert [(Cause.CLEAR, "bant.need")] * MANY == waiting(bench)
    assert [None] * MANY == [north.deal(native).fields.get("bant.need") for native in north.deal_ids()]
