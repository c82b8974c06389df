"""Two-way sync beside people who link and split deals by hand."""

from __future__ import annotations

from tests.integration.two_way import entry, linked, only, run
from tests.unit.services.able import able_bench

from crmbridge.model.records import Kind, Ref
from crmbridge.services.by_hand import linking


def test_split_by_hand_is_not_undone_by_the_next_creation() -> None:
    """Split by hand is not undone by the next creation."""
    bench, north, south = linked()
    linking.split(bench.workspace, f"south:{south}")
    bench.crms["north"].edit_deal(north, name="Other")
    run(bench)
    run(bench)
    links = [refs for refs in bench.workspace.store.links.links().values() if len(refs) > 1]

    assert not [refs for refs in links if {Ref("north", Kind.DEAL, north), Ref("south", Kind.DEAL, south)} <= set(refs)]


def test_linking_by_hand_takes_up_a_link_that_ended() -> None:
    """Linking by hand takes up a link that ended."""
    bench, north, south = linked(delete="unlink")
    bench.crms["north"].delete_deal(north)
    run(bench)
    bench.crms["north"].restore_deal(north)
    run(bench)
    linking.join(bench.workspace, [f"north:{north}", f"south:{south}"])
    bench.crms["north"].edit_deal(north, name="Rollout again")
    run(bench)

    assert "Rollout again" == bench.crms["south"].deal(south).fields["name"]


def test_split_off_the_first_one_stays_split() -> None:
    """Split off the first one stays split."""
    bench, north, south = linked()
    linking.split(bench.workspace, f"north:{north}")
    bench.crms["north"].edit_deal(north, name="Other")
    run(bench)
    run(bench)
    links = [set(refs) for refs in bench.workspace.store.links.links().values()]

    assert not any({Ref("north", Kind.DEAL, north), Ref("south", Kind.DEAL, south)} <= refs for refs in links)


def test_a_link_that_ended_and_is_split_goes_on_without_the_third() -> None:
    """A link that ended and is split goes on without the third."""
    names = ("north", "south", "west")
    bench = able_bench(names, **entry(*names, delete="unlink", create=["south", "west"]))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    bench.crms["north"].delete_deal(north)
    run(bench)
    south, west = (only(bench, n).ref for n in ("south", "west"))
    linking.split(bench.workspace, str(south).replace("deal:", ""))
    linking.join(bench.workspace, [str(r).replace("deal:", "") for r in (south, west)])
    bench.crms["south"].edit_deal(south.id, name="Again")
    run(bench)

    assert "Again" == only(bench, "west").fields["name"]
