"""What sync decides on stands, whatever becomes of the writes, and whatever people do meanwhile."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from crmbridge.model.values import Money
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import run_cycle
from crmbridge.services.runs.planning import make_plan
from crmbridge.testing.workspaces import Bench, make_bench

TWO, THREE = ("north", "south"), ("north", "south", "east")


def linked(names: tuple[str, ...] = TWO, **settings: Any) -> tuple[Bench, dict[str, str]]:
    """Make the same deal in every CRM, link them, and give their ids by CRM."""
    bench = make_bench(deals=3, parts=dict.fromkeys(names, (0, 0)), **settings)
    ids = {name: bench.crms[name].create_deal("Rollout", stage="qualification", company="1").id for name in names}
    cycle(bench)
    return bench, ids


def cycle(bench: Bench) -> dict[str, int]:
    """Run one cycle and count its outcomes."""
    bench.clock.sleep(600)
    counts = run_cycle(bench.workspace, f"r{bench.clock.now():%d%H%M%S}").applied.counts
    bench.clock.sleep(600)
    return counts


def names_in(bench: Bench, ids: dict[str, str]) -> dict[str, object]:
    """Give the deal's name in each CRM."""
    return {crm: bench.crms[crm].deal(number).fields["name"] for crm, number in ids.items()}


def test_an_edit_that_is_taken_back_after_an_unclear_write_wins() -> None:
    """The write arrived, its reply did not, and the person went back to the old value: that is the later edit."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Second thought")
    bench.crms["south"].faults.append("drop_after")
    cycle(bench)
    bench.crms["north"].edit_deal(ids["north"], name="Rollout")
    cycle(bench)

    assert {"north": "Rollout", "south": "Rollout"} == names_in(bench, ids)
    assert {} == cycle(bench)


def test_an_edit_that_is_taken_back_while_one_crm_lags_wins_everywhere() -> None:
    """One of three was out of reach when the edit was written; taking it back reaches the one that has it."""
    bench, ids = linked(THREE)
    bench.crms["north"].edit_deal(ids["north"], name="Second thought")
    bench.crms["east"].faults.append("limit")
    cycle(bench)
    bench.crms["north"].edit_deal(ids["north"], name="Rollout")
    cycle(bench)

    assert dict.fromkeys(THREE, "Rollout") == names_in(bench, ids)


def test_an_edit_whose_deal_is_deleted_still_reaches_the_crm_that_lags() -> None:
    """It was written to one of three; the third gets it although nobody else says it any more."""
    bench, ids = linked(THREE)
    bench.crms["north"].edit_deal(ids["north"], name="New")
    bench.crms["east"].faults.append("limit")
    cycle(bench)
    bench.crms["north"].delete_deal(ids.pop("north"))
    cycle(bench)

    assert {"south": "New", "east": "New"} == names_in(bench, ids)


def test_an_edit_whose_deal_is_deleted_before_it_got_anywhere_still_reaches_the_others() -> None:
    """It was decided on, and both writes failed: that the others hold the same is not what was agreed on."""
    bench, ids = linked(THREE)
    bench.crms["north"].edit_deal(ids["north"], name="New")
    bench.crms["south"].faults.append("limit")
    bench.crms["east"].faults.append("limit")
    cycle(bench)
    bench.crms["north"].delete_deal(ids.pop("north"))
    cycle(bench)

    assert {"south": "New", "east": "New"} == names_in(bench, ids)


def test_the_winner_of_a_conflict_stays_the_winner_when_its_write_fails() -> None:
    """The newer edit was chosen; the failed write does not bring the older one back."""
    fields = {"*": {"conflict": "newest"}}
    bench, ids = linked(sync=[{"name": "main", "between": TWO, "fields": fields}])
    bench.crms["south"].edit_deal(ids["south"], name="Older")
    bench.clock.sleep(60)
    bench.crms["north"].edit_deal(ids["north"], name="Newer")
    bench.crms["south"].faults.append("limit")
    cycle(bench)
    bench.crms["south"].edit_deal(ids["south"], bant__budget="yes")  # makes the older edit's record the newest
    cycle(bench)

    assert {"north": "Newer", "south": "Newer"} == names_in(bench, ids)


def test_a_plan_whose_value_was_taken_back_is_stale() -> None:
    """What nobody holds any more when a saved plan is applied is not written."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], name="Second thought")
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    bench.crms["north"].edit_deal(ids["north"], name="Rollout")
    pull(bench.workspace)
    applied = apply_plan(bench.workspace, plan, "r")

    assert {"stale": 1} == applied.counts
    assert "Rollout" == names_in(bench, ids)["south"]


def test_a_created_deal_does_not_compete_with_the_edit_it_was_made_from() -> None:
    """The create arrived and its reply did not; the edit made meanwhile asks nobody and is not undone."""
    bench = make_bench(deals=3, parts=dict.fromkeys(TWO, (0, 0)))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    bench.crms["south"].faults.append("drop_after")
    cycle(bench)
    bench.crms["north"].edit_deal(north, amount=Money(Decimal(5), "EUR"), name="Renamed")
    cycle(bench)
    south = bench.crms["south"].deal(bench.crms["south"].deal_ids()[0])

    assert ("Renamed", Money(Decimal(5), "EUR")) == (south.fields["name"], south.fields["amount"])
    assert "Renamed" == bench.crms["north"].deal(north).fields["name"]


def test_equal_amounts_written_in_two_ways_are_the_same() -> None:
    """10.1 and 10.10 agree, and nothing is written for it."""
    bench, ids = linked()
    bench.crms["north"].edit_deal(ids["north"], amount=Money(Decimal("10.1"), "EUR"))
    bench.crms["south"].edit_deal(ids["south"], amount=Money(Decimal("10.10"), "EUR"))

    assert {} == cycle(bench)


def test_a_write_that_is_still_unclear_does_not_come_back_as_an_edit() -> None:
    """It arrived, nobody can say so yet, and meanwhile a person went on: what the person did is the later edit."""
    bench, ids = linked(sync=[{"name": "main", "between": TWO, "fields": {"*": {"conflict": "newest"}}}])
    bench.crms["south"].edit_deal(ids["south"], name="First")
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    bench.crms["south"].edit_deal(ids["south"], name="Then")
    bench.clock.sleep(60)
    bench.crms["north"].faults.append("drop_after")
    apply_plan(bench.workspace, plan, "r")
    bench.crms["north"].blind = 1
    cycle(bench)
    cycle(bench)

    assert {"north": "Then", "south": "Then"} == names_in(bench, ids)


def test_a_counterpart_starts_with_what_was_just_decided() -> None:
    """Where two deals were just brought together, a third is made from the values that won."""
    bench = make_bench(deals=3, parts=dict.fromkeys(THREE, (0, 0)))
    bench.crms["east"].create_deal("Rollout", stage="qualification", company="1")
    bench.crms["north"].create_deal("Rollout", stage="qualification", company="1", source="fair", bant__budget="x")
    bench.crms["north"].edit_deal(bench.crms["north"].deal_ids()[0], bant__budget="yes")
    cycle(bench)
    south = bench.crms["south"].deal(bench.crms["south"].deal_ids()[0])

    assert "yes" == south.fields["bant.budget"]
