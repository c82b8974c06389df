"""Deals that people merge, seen from both sides: which counterpart is whose, and what is never taken away for it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.integration.test_two_way import crm, entry, only, run
from tests.unit.services.able import able_bench

from crmbridge.model.changes import Cause
from crmbridge.model.records import Kind, Ref, Tombstone
from crmbridge.model.values import Money
from crmbridge.services.by_hand import linking
from crmbridge.testing.workspaces import Bench

THREE = ("north", "south", "west")


def two_deals(*names: str, **more: object) -> tuple[Bench, dict[str, dict[str, str]]]:
    """Make a bench with two deals, A and B, and give their ids by connection once all have them."""
    bench = able_bench(names, **entry(*names, **more))
    for number, name in enumerate("AB"):
        bench.crms["north"].create_deal(name, stage="qualification", amount=Money(number + 1, "EUR"))
    run(bench)
    return bench, {name: ids_in(bench, name) for name in names}


def ids_in(bench: Bench, name: str) -> dict[str, str]:
    """Give the ids of a CRM's deals by their names."""
    return {str(bench.crms[name].deal(each).fields["name"]): each for each in bench.crms[name].deal_ids()}


def merge_to_a_new_one(bench: Bench, name: str, winner: str, loser: str) -> str:
    """Merge two deals as HubSpot may: what is left is a third one, with what the winner held."""
    held = bench.crms[name].deal(winner)
    new = bench.crms[name].create_deal("", stage="qualification")
    bench.crms[name].edit_deal(new.id, **held.fields)
    for each in (winner, loser):
        bench.crms[name].delete_deal(each)
        ref = Ref(name, Kind.DEAL, each)
        crm(bench, name).gone[ref] = Tombstone(ref=ref, at=bench.clock.now(), merged_into=new)
    return new.id


@pytest.mark.parametrize("delete", ["archive", "unlink"])
@pytest.mark.parametrize("edited", [False, True])
def test_the_deal_that_is_left_of_two_is_not_taken_away(delete: str, *, edited: bool) -> None:
    """A is merged into B in one CRM, and B into A in another that does not say so: B only seems to be deleted there."""
    bench, ids = two_deals(*THREE, delete=delete)
    bench.crms["north"].merge_deals(winner=ids["north"]["B"], loser=ids["north"]["A"])
    run(bench)
    if edited:
        bench.crms["north"].edit_deal(ids["north"]["B"], amount=Money(9, "EUR"))
    bench.crms["south"].delete_deal(ids["south"]["B"])
    run(bench)
    last = run(bench)

    assert [ids["north"]["B"]] == bench.crms["north"].deal_ids()
    assert [ids["south"]["A"]] == bench.crms["south"].deal_ids()
    assert set(ids["west"].values()) == set(bench.crms["west"].deal_ids())
    assert last.plan is not None
    assert any("may have been merged into south:" in item.reason for item in last.plan.blocked)
    assert 7 == last.exit_code()


def test_what_is_left_is_linked_by_hand_and_kept_in_step_again() -> None:
    """A person takes the counterpart out of the link that is left over, and joins the two."""
    bench, ids = two_deals("north", "south", delete="archive")
    left, counterpart = f"north:{ids['north']['B']}", f"south:{ids['south']['A']}"
    bench.crms["north"].merge_deals(winner=ids["north"]["B"], loser=ids["north"]["A"])
    bench.crms["south"].delete_deal(ids["south"]["B"])
    run(bench)
    linking.split(bench.workspace, counterpart)
    linking.join(bench.workspace, [left, counterpart])
    run(bench)
    bench.crms["south"].edit_deal(ids["south"]["A"], name="One deal")
    run(bench)

    assert (0, 0) == (run(bench).exit_code(), len(bench.workspace.store.waiting.all()))
    assert "One deal" == only(bench, "north").fields["name"] == only(bench, "south").fields["name"]


def test_once_both_are_gone_the_deletion_is_followed() -> None:
    """What might have been the counterpart of the one that is left was deleted as well, so nobody has to be asked."""
    bench, ids = two_deals("north", "south", delete="archive")
    bench.crms["north"].merge_deals(winner=ids["north"]["B"], loser=ids["north"]["A"])
    bench.crms["south"].delete_deal(ids["south"]["B"])
    run(bench)
    bench.crms["south"].delete_deal(ids["south"]["A"])
    _ = [run(bench) for _ in range(3)]

    assert ([], []) == (bench.crms["north"].deal_ids(), bench.crms["south"].deal_ids())
    assert () == bench.workspace.store.waiting.all()


@pytest.mark.parametrize(("winner", "loser"), ["AB", "BA"])
def test_what_is_left_of_two_takes_the_place_of_the_one_it_is_like(winner: str, loser: str) -> None:
    """The other's counterparts are not written over, and wait for a person."""
    bench, ids = two_deals("north", "south")
    new = merge_to_a_new_one(bench, "north", ids["north"][winner], ids["north"][loser])
    cycles = [run(bench), run(bench)]
    links = bench.workspace.store.links
    link = links.of([Ref("north", Kind.DEAL, new)])[Ref("north", Kind.DEAL, new)]

    assert ids["south"] == ids_in(bench, "south")
    assert Ref("south", Kind.DEAL, ids["south"][winner]) in links.get([link])[link]
    assert [[Cause.LINK]] * 2 == [[item.cause for item in each.plan.blocked] for each in cycles if each.plan]


def test_a_deal_that_was_merged_and_comes_back_gets_a_counterpart_of_its_own() -> None:
    """Its link went to the deal that it was merged into, and stays there."""
    bench = able_bench(**entry(create=["south"]))
    north = bench.crms["north"]
    lost = north.create_deal("A", stage="qualification").id
    run(bench)
    (south,) = bench.crms["south"].deal_ids()
    left = north.create_deal("X", stage="won").id  # nothing is created for a closed deal
    run(bench)
    north.merge_deals(winner=left, loser=lost)
    north.move_deal(left, "qualification")
    run(bench)
    bench.clock.advance(timedelta(days=1))
    north.restore_deal(lost)
    run(bench)
    run(bench)
    north.edit_deal(left, name="X again")
    north.edit_deal(lost, name="A again")
    run(bench)
    last = run(bench)

    assert {"X again": left, "A again": lost} == ids_in(bench, "north")
    assert {"X again", "A again"} == ids_in(bench, "south").keys()
    assert south == ids_in(bench, "south")["X again"]
    assert last.plan is not None
    assert ((), ()) == (last.plan.changes, last.plan.blocked)
