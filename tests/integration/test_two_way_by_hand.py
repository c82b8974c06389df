"""Two-way sync beside people who link and split deals by hand."""

from __future__ import annotations

import pytest
from tests.integration.two_way import FIRM, HOUR, add, entry, linked, only, run
from tests.unit.services.able import able_bench

from crmbridge.errors import PlanStaleError
from crmbridge.model.records import Kind, Ref
from crmbridge.services.by_hand import linking
from crmbridge.services.by_hand.resolving import conflicts, resolve, take
from crmbridge.services.pull.pulling import pull


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


@pytest.mark.parametrize("which", ["north", "south"])
def test_nobody_is_asked_which_value_of_deals_stands_that_were_told_apart(which: str) -> None:
    """Decided on, the value of one would be written to the other, which is another deal now."""
    bench, north, south = linked(fields={"*": {"conflict": "ask"}})
    bench.crms["north"].edit_deal(north, name="North's")
    bench.crms["south"].edit_deal(south, name="South's")
    run(bench)
    asked = len(conflicts(bench.workspace))
    linking.split(bench.workspace, f"north:{north}" if which == "north" else f"south:{south}")

    assert (1, 0) == (asked, len(conflicts(bench.workspace)))


def test_a_decision_on_deals_that_are_in_another_link_by_now_is_not_taken_for_made() -> None:
    """It would get to nobody: the link was named after the deal that was split off. The next run asks anew."""
    names = ("north", "south", "west")
    bound = {name: {"adapter": "fake", "fields": {"bant.need": "bant.need"}} for name in names[1:]}
    said = entry(*names, create=names[1:], fields={"*": {"conflict": "ask"}})
    bench = able_bench(names, **said, connections={"north": {"adapter": "fake"}, **bound})
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    south, west = (only(bench, name).ref.id for name in names[1:])
    bench.crms["south"].edit_deal(south, **{"bant.need": True})
    bench.crms["west"].edit_deal(west, **{"bant.need": False})
    run(bench)
    linking.split(bench.workspace, f"north:{north}")
    (asked,) = conflicts(bench.workspace)

    with pytest.raises(PlanStaleError, match="in another link"):
        resolve(bench.workspace, [take(asked.item, "west")])
    run(bench)
    (asked,) = conflicts(bench.workspace)
    resolve(bench.workspace, [take(asked.item, "west")])
    run(bench)
    assert False is bench.crms["south"].deal(south).fields["bant.need"]


def test_a_deal_that_came_to_a_link_after_it_was_asked_about_has_its_say() -> None:
    """Whoever decides was not shown what it holds, so that is not written over."""
    names = ("north", "south", "west")
    bench = able_bench(names, **entry(*names, create=["south"], fields={"*": {"conflict": "ask"}}))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    west = bench.crms["west"].create_deal("West's", stage="qualification").id
    run(bench)
    (south,) = (each.ref.id for each in bench.crms["south"].named("Rollout"))
    bench.crms["north"].edit_deal(north, name="North's")
    bench.crms["south"].edit_deal(south, name="South's")
    run(bench)
    (waiting,) = conflicts(bench.workspace)
    linking.split(bench.workspace, f"west:{west}")
    linking.join(bench.workspace, [f"north:{north}", f"west:{west}"])
    resolve(bench.workspace, [take(waiting.item, "north")])
    run(bench)

    assert "West's" == bench.crms["west"].deal(west).fields["name"]
    assert [{"north", "south", "west"}] == [set(each.item.values) for each in conflicts(bench.workspace)]


def test_a_deal_that_is_joined_to_another_than_before_is_asked_about() -> None:
    """What it agreed on with the other deal, from which it was told apart, says nothing of what it holds now."""
    bench = able_bench(**entry(create=["south"], fields={"*": {"conflict": "ask"}}))
    ours, theirs = (bench.crms["north"].create_deal(name, stage="qualification").id for name in ("Ours", "Theirs"))
    run(bench)
    (south,) = (each.ref.id for each in bench.crms["south"].named("Theirs"))
    (copy,) = (each.ref.id for each in bench.crms["south"].named("Ours"))
    for each in (south, copy):
        linking.split(bench.workspace, f"south:{each}")
    linking.join(bench.workspace, [f"north:{ours}", f"south:{south}"])
    run(bench)

    assert "Theirs" == bench.crms["south"].deal(south).fields["name"]
    assert [{"north": "Ours", "south": "Theirs"}] == [each.item.values for each in conflicts(bench.workspace)]
    assert theirs in bench.crms["north"].deal_ids()


@pytest.mark.parametrize("which", ["north", "south"])
def test_an_edit_gets_to_who_is_left_when_its_deal_is_split_off(which: str) -> None:
    """It was decided on before, and one of the others was out of reach."""
    names = ("north", "south", "west")
    bench = able_bench(names, **entry(*names, create=["south", "west"]))
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    run(bench)
    deals = {name: only(bench, name).ref.id for name in names}
    bench.crms["north"].edit_deal(deals["north"], name="Edited")
    bench.crms["west"].faults.append("limit")
    run(bench)
    linking.split(bench.workspace, f"{which}:{deals[which]}")
    run(bench)

    assert ["Edited"] * 3 == [bench.crms[name].deal(deals[name]).fields["name"] for name in names]


def test_what_a_person_joined_stays_so_when_it_is_found_to_have_been_made_for_another() -> None:
    """Its creation was unclear when a person said what it belongs to; the other deal gets a new counterpart."""
    bench = able_bench(**entry(create=["south"], fields={"*": {"conflict": "ask"}}))
    first = bench.crms["north"].create_deal("First", stage="qualification").id
    run(bench)
    linking.split(bench.workspace, f"south:{only(bench, 'south').ref.id}")
    bench.crms["north"].create_deal("Second", stage="qualification")
    bench.crms["south"].faults.append("drop_after")
    run(bench)
    pull(bench.workspace)
    (made,) = (each.ref.id for each in bench.crms["south"].named("Second"))
    linking.join(bench.workspace, [f"north:{first}", f"south:{made}"])
    run(bench)
    run(bench)

    assert {Ref("north", Kind.DEAL, first), Ref("south", Kind.DEAL, made)} in [
        set(refs) for refs in bench.workspace.store.links.links().values()
    ]
    assert {"name": "Second"}.items() <= bench.crms["south"].deal(made).fields.items()
    assert 2 == len(bench.crms["south"].named("Second"))


def test_what_a_person_split_off_stays_so_when_it_is_found_to_have_been_made_for_that_link() -> None:
    """Its creation was unclear when a person first joined the two and then told them apart; another one is made."""
    bench = able_bench(**entry(create=["south"]))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    bench.crms["south"].faults.append("drop_after")
    run(bench)
    pull(bench.workspace)
    made = only(bench, "south").ref
    linking.join(bench.workspace, [f"north:{north}", f"south:{made.id}"])
    linking.split(bench.workspace, f"south:{made.id}")
    bench.crms["north"].edit_deal(north, name="Edited")
    run(bench)
    run(bench)

    assert made not in [ref for refs in bench.workspace.store.links.links().values() for ref in refs if len(refs) > 1]
    assert ["Edited", "Rollout"] == sorted(
        str(bench.crms["south"].deal(i).fields["name"]) for i in bench.crms["south"].deal_ids()
    )


@pytest.mark.parametrize(("gone", "left"), [("north", "south"), ("south", "north")])
@pytest.mark.parametrize("taken", ["north", "south"])
def test_a_deal_that_is_left_alone_gets_what_was_decided_on(gone: str, left: str, taken: str) -> None:
    """Whoever decided was not told that a deal was deleted meanwhile, and meant the other one as well."""
    bench, north, south = linked(fields={"*": {"conflict": "ask"}}, delete="never")
    deals = {"north": north, "south": south}
    for name, native in deals.items():
        bench.crms[name].edit_deal(native, name=f"Of {name}")
    run(bench)
    (waiting,) = conflicts(bench.workspace)
    bench.crms[gone].delete_deal(deals[gone])
    resolve(bench.workspace, [take(waiting.item, taken)])
    run(bench)

    assert f"Of {taken}" == bench.crms[left].deal(deals[left]).fields["name"]


@pytest.mark.parametrize("ended", ["deleted", "split"])
def test_an_edit_that_did_not_arrive_gets_to_the_deal_that_is_left_unless_that_is_another_one(ended: str) -> None:
    """A deal that was told apart is not to have what was meant for its counterpart."""
    bench, north, south = linked(delete="never")
    bench.crms["north"].edit_deal(north, name="Edited")
    bench.crms["south"].faults.append("limit")
    run(bench)
    if ended == "deleted":
        bench.crms["north"].delete_deal(north)
    else:
        linking.split(bench.workspace, f"north:{north}")
    run(bench)

    assert ("Edited" if ended == "deleted" else "Rollout") == bench.crms["south"].deal(south).fields["name"]


@pytest.mark.parametrize("deleted", [False, True])
def test_a_company_gets_another_counterpart_once_nothing_goes_by_its_name_where_one_was_split_off(
    *, deleted: bool
) -> None:
    """Else the deals of that company would wait for it for ever, in every run."""
    bench = able_bench(**entry(companies="create"))
    add(bench, "north", Kind.COMPANY, "acme", **FIRM)
    bench.crms["north"].create_deal("First", stage="qualification", company="acme")
    run(bench)
    (made,) = (ref for ref, each in bench.crms["south"].records.items() if each.fields.get("name") == FIRM["name"])
    linking.split(bench.workspace, f"south:company:{made.id}")
    if deleted:
        bench.crms["south"].remove(made)
    else:
        add(bench, "south", Kind.COMPANY, made.id, name="Bolt", domain="bolt.example")
    bench.clock.advance(HOUR)
    bench.crms["north"].create_deal("Second", stage="qualification", company="acme")
    run(bench)
    (second,) = bench.crms["south"].named("Second")
    company = Ref("south", Kind.COMPANY, str(second.fields["company"]))

    assert company != made
    assert FIRM.items() <= bench.crms["south"].records[company].fields.items()


def test_what_was_sent_to_a_deal_before_it_was_joined_to_another_is_nothing_that_those_agreed_on() -> None:
    """The answer was lost, and a person parted it from the deal that its value came from: both values are shown."""
    bench = able_bench(**entry(create=["south"], fields={"*": {"conflict": "ask"}}))
    ours, theirs = (bench.crms["north"].create_deal(name, stage="qualification").id for name in ("Ours", "Theirs"))
    run(bench)
    (south,) = (each.ref.id for each in bench.crms["south"].named("Ours"))
    (copy,) = (each.ref.id for each in bench.crms["south"].named("Theirs"))
    bench.crms["north"].edit_deal(ours, name="Edited")
    bench.crms["south"].faults.append("drop_after")
    run(bench)
    for each in (south, copy):
        linking.split(bench.workspace, f"south:{each}")
    linking.join(bench.workspace, [f"north:{theirs}", f"south:{south}"])
    run(bench)
    run(bench)

    assert "Edited" == bench.crms["south"].deal(south).fields["name"]
    assert [{"north": "Theirs", "south": "Edited"}] == [each.item.values for each in conflicts(bench.workspace)]


@pytest.mark.parametrize("fault", ["", "drop_after"])
def test_companies_of_one_name_that_were_told_apart_are_not_both_given_one_counterpart(fault: str) -> None:
    """The second would take it from the first, whose deals would wait for it for ever."""
    names = ("north", "south", "west")
    match = {"deal": ["external_key"], "company": ["name"]}
    bench = able_bench(names, **entry(*names, create=["west"], companies="create", match=match))
    for name in ("north", "south"):
        add(bench, name, Kind.COMPANY, f"{name}-acme", name="Acme", domain=None)
        bench.crms[name].create_deal(f"Of {name}", stage="qualification", company=f"{name}-acme")
    bench.crms["west"].faults += ["limit"]
    run(bench)
    linking.split(bench.workspace, "north:company:north-acme")
    bench.crms["west"].faults[:] = [fault] if fault else []
    runs = [run(bench) for _ in range(4)]
    acme = [ref for ref, each in bench.crms["west"].records.items() if each.fields.get("name") == "Acme"]
    links = [refs for refs in bench.workspace.store.links.links().values() if set(acme) & set(refs)]

    assert ([1], [2]) == ([len(acme)], [len(refs) for refs in links])
    assert 2 == len(bench.crms["west"].deal_ids())
    assert () == (runs[-1].plan.changes if runs[-1].plan else None)
    assert ["company"] == [each.item.name for each in bench.workspace.store.waiting.all()]
