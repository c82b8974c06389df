"""Saying by hand which records are the same, and which are not."""

from __future__ import annotations

import pytest

from crmbridge.engine.sync.matching import link_id
from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Blocked, Cause
from crmbridge.model.records import Ref
from crmbridge.services.by_hand.linking import join, list_links, list_unclear, show_link, split
from crmbridge.services.links.apart import apart
from crmbridge.services.pull.pulling import pull
from crmbridge.testing.workspaces import Bench, make_bench

THREE = ("north", "south", "east")
READER = "sync/main/x"


@pytest.fixture
def bench() -> Bench:
    """Give three CRMs with a deal each, and a second one in the south."""
    made = make_bench(deals=1, parts=dict.fromkeys(THREE, (0, 0)), sync=[])
    for name in THREE:
        made.crms[name].create_deal("Rollout")
    made.crms["south"].create_deal("Rollout again")
    pull(made.workspace)
    made.workspace.store.backlog.dealt(READER, made.workspace.store.backlog.pending(READER)[0])
    return made


def refs(bench: Bench) -> dict[str, Ref]:
    """Give the deals by connection, the south's second as `other`."""
    found = {name: bench.crms[name].named("Rollout")[0].ref for name in THREE}
    return {**found, "other": bench.crms["south"].named("Rollout again")[0].ref}


def texts(bench: Bench, *names: str) -> list[str]:
    """Give these deals as people type them."""
    return [str(refs(bench)[name]) for name in names]


def test_records_are_joined(bench: Bench) -> None:
    """The link is named after the first of them, as the settings name the connections; sync looks at them again."""
    linked = join(bench.workspace, texts(bench, "south", "north"))
    north, south = refs(bench)["north"], refs(bench)["south"]

    assert (link_id(north), {north, south}) == (linked.id, set(linked.refs))
    assert {north, south} <= set(bench.workspace.store.backlog.pending(READER)[1])
    assert "links" == bench.workspace.store.runs.runs(1)[0].command


def test_a_link_is_extended(bench: Bench) -> None:
    """By naming one that is in it, or all."""
    first = join(bench.workspace, texts(bench, "north", "south"))
    longer = join(bench.workspace, texts(bench, "south", "east"))

    assert (first.id, 3) == (longer.id, len(longer.refs))


def test_links_of_one_record_are_no_obstacle(bench: Bench) -> None:
    """Sync gives one to a deal whose counterpart it is about to create."""
    south = refs(bench)["south"]
    bench.workspace.store.links.save({link_id(south): [south]})
    linked = join(bench.workspace, texts(bench, "north", "south"))

    assert {linked.id: linked.refs} == bench.workspace.store.links.links()


@pytest.mark.parametrize(
    ("names", "says", "advice"),
    [
        (("south", "other"), "both of south", "links split"),
        (("north", "other"), "both of south", "links split"),
        (("other", "east"), "2 links", "links split"),
        (("north", "north"), "One record alone", "at least two"),
    ],
)
def test_what_can_not_be_one_is_refused_with_the_fix(
    bench: Bench, names: tuple[str, str], says: str, advice: str
) -> None:
    """Two of one connection, two of two links, one with itself; nothing changes."""
    join(bench.workspace, texts(bench, "north", "south"))
    if names == ("other", "east"):
        bench.workspace.store.links.save({"lnk9": [refs(bench)["other"], Ref("west", *refs(bench)["east"][1:])]})
        names = ("north", "other")
    before = bench.workspace.store.links.links()
    with pytest.raises(ConfigurationError, match=says) as caught:
        join(bench.workspace, texts(bench, *names))

    assert advice in caught.value.advice
    assert before == bench.workspace.store.links.links()


@pytest.mark.parametrize("wrong", ["north:nope", "west:1", "Rollout", "north:user:1"])
def test_a_record_that_is_not_there_is_refused(bench: Bench, wrong: str) -> None:
    """With what to look at."""
    with pytest.raises(ConfigurationError):
        join(bench.workspace, [*texts(bench, "south"), wrong])


def test_companies_and_deals_are_not_the_same_thing(bench: Bench) -> None:
    """Companies of two CRMs are."""
    with pytest.raises(ConfigurationError, match="different kinds"):
        join(bench.workspace, [*texts(bench, "north"), "south:company:1"])

    assert 2 == len(join(bench.workspace, ["north:company:1", "south:company:1"]).refs)


def test_one_that_was_made_again_takes_the_place_of_the_one_that_is_gone(bench: Bench) -> None:
    """Nobody could split the old one off, as it is not there any more."""
    north, other = refs(bench)["north"], refs(bench)["other"]
    join(bench.workspace, texts(bench, "north", "south"))
    bench.crms["south"].delete_deal(refs(bench)["south"].id)
    pull(bench.workspace)

    assert {north, other} == set(join(bench.workspace, [str(north), str(other)]).refs)


def test_what_is_split_off_is_remembered_as_another(bench: Bench) -> None:
    """On both sides, until a person joins them again."""
    join(bench.workspace, texts(bench, "north", "south", "east"))
    left = split(bench.workspace, texts(bench, "south")[0])
    south, others = refs(bench)["south"], texts(bench, "north", "east")

    assert left is not None
    assert {refs(bench)["north"], refs(bench)["east"]} == set(left.refs)
    noted = apart(bench.workspace, list(refs(bench).values()))
    assert frozenset(others) == noted[south]
    assert {frozenset([str(south)])} == {noted[refs(bench)["north"]], noted[refs(bench)["east"]]}
    join(bench.workspace, texts(bench, "south", "north"))
    assert not set(apart(bench.workspace, [south])[south]) & set(texts(bench, "north"))


def test_a_link_is_not_left_under_the_name_of_the_one_that_went(bench: Bench) -> None:
    """Else the next deal made for it would seem to belong to the others."""
    join(bench.workspace, texts(bench, "north", "south", "east"))
    split(bench.workspace, texts(bench, "north")[0])
    north = refs(bench)["north"]

    assert link_id(north) not in bench.workspace.store.links.links()


def test_a_record_alone_can_not_be_split(bench: Bench) -> None:
    """There is nothing to split it from."""
    with pytest.raises(ConfigurationError, match="in no link with others"):
        split(bench.workspace, texts(bench, "north")[0])


def test_what_is_unclear_is_listed_with_what_it_may_be(bench: Bench) -> None:
    """Until it is joined."""
    north = refs(bench)["north"]
    said = ", ".join(refs(bench)[name].id for name in ("south", "other"))
    item = Blocked(
        link=link_id(north), deal=north, name="link", reason="several", values={"south": said}, cause=Cause.LINK
    )
    bench.workspace.store.waiting.replace([item.link], [item], bench.clock.now())
    (unclear,) = list_unclear(bench.workspace)

    assert {refs(bench)["south"], refs(bench)["other"]} == {record.ref for record in unclear.candidates}
    join(bench.workspace, texts(bench, "north", "south"))
    assert [] == list_unclear(bench.workspace)


def test_what_is_unclear_is_told_apart_from_all_that_it_may_be(bench: Bench) -> None:
    """It is remembered, asked no more, and looked at again."""
    north, south = refs(bench)["north"], refs(bench)["south"]
    item = Blocked(
        link=link_id(north), deal=north, name="link", reason="several", values={"south": south.id}, cause=Cause.LINK
    )
    bench.workspace.store.waiting.replace([item.link], [item], bench.clock.now())

    assert split(bench.workspace, str(north)) is None
    assert {north: frozenset([str(south)]), south: frozenset([str(north)])} == apart(bench.workspace, [north, south])
    assert [] == list_unclear(bench.workspace)
    assert {north, south} <= set(bench.workspace.store.backlog.pending(READER)[1])


def test_links_are_found_by_a_part_of_a_name_or_by_a_record(bench: Bench) -> None:
    """And listed by name."""
    linked = join(bench.workspace, texts(bench, "north", "south"))

    assert [linked.id] == [one.id for one in list_links(bench.workspace, "roll").links]
    assert 0 == list_links(bench.workspace, "nothing like it").count
    assert ((), 1) == ((few := list_links(bench.workspace, limit=0)).links, few.count)
    assert (
        linked.id == show_link(bench.workspace, texts(bench, "south")[0]).id == show_link(bench.workspace, linked.id).id
    )
    with pytest.raises(ConfigurationError, match="no link of"):
        show_link(bench.workspace, "lnk404")
