"""Which records belong together, where that is not clear, where a person says so, and where a link has ended."""

from __future__ import annotations

import pytest
from tests.integration.test_two_way import FIRM, HOUR, add, crm, entry, linked, only, run
from tests.unit.services.able import able_bench

from crmbridge.model.changes import Cause, Outcome, Plan
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.by_hand import linking
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import Cycle, finish, writing
from crmbridge.services.runs.planning import make_plan
from crmbridge.testing.workspaces import Bench


def two_firms_alike(*, domain: str = "acme.example", **more: object) -> tuple[Bench, str]:
    """Make a bench with a linked deal and its company; the south has two more companies of one domain."""
    bench = able_bench(**entry(**more))
    for name in ("north", "south"):
        add(bench, name, Kind.COMPANY, "old", name="Old", domain="old.example")
    deal = bench.crms["north"].create_deal("Rollout", stage="qualification", company="old").id
    run(bench)
    add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    for native in ("s1", "s2"):
        add(bench, "south", Kind.COMPANY, native, **{**FIRM, "domain": domain})
    bench.clock.advance(HOUR)
    bench.crms["north"].set_company(deal, "c1")
    return bench, deal


def asked(cycle: Cycle) -> list[tuple[str, str]]:
    """Name what a person must link, with why."""
    items = cycle.plan.blocked if cycle.plan else ()
    return [(str(item.deal), item.reason.partition(";")[0]) for item in items if item.cause is Cause.LINK]


@pytest.mark.parametrize("companies", ["match", "create"])
def test_a_company_that_several_fit_is_told_of(companies: str) -> None:
    """The deal's company does not get to the other CRM, so somebody must know, in every run until it is settled."""
    bench, _ = two_firms_alike(companies=companies)
    cycles = [run(bench), run(bench)]
    (unclear,) = linking.list_unclear(bench.workspace)
    linking.join(bench.workspace, ["north:company:c1", "south:company:s2"])
    last = run(bench)

    assert [[("north:company:c1", "several have the same domain")]] * 2 == list(map(asked, cycles))
    assert {"s1", "s2"} == {each.ref.id for each in unclear.candidates}
    assert "s2" == only(bench, "south").fields["company"]
    assert ([], 0) == (asked(last), last.exit_code())


def test_nobody_is_asked_any_more_once_one_company_of_several_is_left() -> None:
    """Somebody merged or deleted the other one; nothing else has changed."""
    bench, _ = two_firms_alike()
    first = run(bench)
    crm(bench, "south").drop(Ref("south", Kind.COMPANY, "s1"))
    bench.clock.advance(HOUR)
    _ = [run(bench), run(bench)]
    last = run(bench)

    assert "s2" == only(bench, "south").fields["company"]
    assert (1, [], 0) == (len(asked(first)), asked(last), last.exit_code())


def test_nobody_is_asked_about_a_company_that_no_deal_has_any_more() -> None:
    """What it belongs to matters to no deal."""
    bench, deal = two_firms_alike()
    first = run(bench)
    bench.crms["north"].set_company(deal, "old")
    last = run(bench)

    assert (1, []) == (len(asked(first)), asked(last))
    assert () == bench.workspace.store.waiting.all()


def test_a_deal_that_is_none_of_those_it_may_be_gets_a_counterpart_of_its_own() -> None:
    """Two deals have the name of one; the first is joined with it, and of the other a person says that it is not it."""
    bench = able_bench(**entry(match={"deal": ["name"]}))
    north = [bench.crms["north"].create_deal("Renewal", stage="qualification").id for _ in range(2)]
    south = bench.crms["south"].create_deal("Renewal", stage="qualification").id
    first = run(bench)
    linking.join(bench.workspace, [f"north:{north[0]}", f"south:{south}"])
    second = run(bench)
    linking.split(bench.workspace, f"north:{north[1]}")
    third = run(bench)
    last = run(bench)

    assert [3, 1, 0, 0] == [len(asked(each)) for each in (first, second, third, last)]
    assert (2, 2) == (len(bench.crms["north"].deal_ids()), len(bench.crms["south"].deal_ids()))
    assert last.plan is not None
    assert ((), 0) == (last.plan.changes, last.exit_code())


@pytest.mark.parametrize("create", [["north", "south"], []])
@pytest.mark.parametrize("first", ["north", "south"])
def test_what_hangs_on_deals_and_is_split_stays_on_them(first: str, create: list[str]) -> None:
    """A company and a contact were taken for one with those of the other CRM. Neither deal loses or swaps its own."""
    bench = able_bench(**entry(companies="create", contacts="create", create=create, match={"deal": ["name"]}))
    deals = {}
    for name in ("north", "south"):
        company = add(bench, name, Kind.COMPANY, f"c-{name}", name=name, domain="acme.example")
        contact = add(bench, name, Kind.CONTACT, f"p-{name}", name=name, email="info@acme.example")
        more = {"company": company, "contacts": (contact,)}
        deals[name] = bench.crms[name].create_deal("Rollout", stage="qualification", **more).id
    run(bench)
    linking.split(bench.workspace, f"{first}:company:c-{first}")
    linking.split(bench.workspace, f"{first}:contact:p-{first}")
    cycles = [run(bench), run(bench)]
    bench.crms["north"].edit_deal(deals["north"], name="New")
    cycles.append(run(bench))
    links = bench.workspace.store.links.links().values()

    assert [0, 0, 0] == [each.exit_code() for each in cycles]
    assert "New" == only(bench, "south").fields["name"]
    for name in ("north", "south"):
        fields = only(bench, name).fields
        assert (f"c-{name}", (f"p-{name}",)) == (fields["company"], fields["contacts"])
    assert not [refs for refs in links if len(refs) > 1 and refs[0].kind is not Kind.DEAL]


def test_a_contact_that_comes_after_a_split_still_travels() -> None:
    """The sets differ since, and what is added to one is added to the other."""
    bench = able_bench(**entry(contacts="create"))
    for name in ("north", "south"):
        add(bench, name, Kind.CONTACT, "p", name=name, email="info@acme.example")
    deal = bench.crms["north"].create_deal("Rollout", stage="qualification", contacts=("p",)).id
    run(bench)
    linking.split(bench.workspace, "south:contact:p")
    bench.crms["north"].add_contact(deal, add(bench, "north", Kind.CONTACT, "q", name="Q", email="q@acme.example"))
    bench.clock.advance(HOUR)
    _ = [run(bench), run(bench)]
    last = run(bench)
    emails = [crm(bench, "south").records[Ref("south", Kind.CONTACT, each)].fields["email"] for each in contacts(bench)]

    assert {"info@acme.example", "q@acme.example"} == set(emails)
    assert {"p", "q"} == set(contacts(bench, "north"))
    assert last.plan is not None
    assert ((), 0) == (last.plan.changes, last.exit_code())


def contacts(bench: Bench, name: str = "south") -> tuple[str, ...]:
    """Give the contacts of a CRM's one deal."""
    held = only(bench, name).fields["contacts"]
    return held if isinstance(held, tuple) else ()


def test_a_deal_that_is_made_again_takes_up_a_link_that_ended() -> None:
    """Else it would stand in a link that keeps nothing in step, and nobody would know."""
    bench = able_bench(**entry(delete="unlink", match={"deal": ["name"]}))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    bench.crms["south"].delete_deal(only(bench, "south").ref.id)
    run(bench)
    again = bench.crms["south"].create_deal("Rollout", stage="qualification").id
    run(bench)
    bench.crms["north"].edit_deal(north, amount=Money(7, "EUR"))
    run(bench)

    assert Money(7, "EUR") == bench.crms["south"].deal(again).fields["amount"]
    assert [north] == bench.crms["north"].deal_ids()


@pytest.mark.parametrize("fault", ["drop_after", "drop_before"])
def test_a_deal_that_was_joined_while_a_creation_was_unclear_keeps_one_counterpart(fault: str) -> None:
    """If the creation arrived, somebody has to say what becomes of the one that it made."""
    bench = able_bench(**entry())
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    bench.crms["south"].faults.append(fault)
    run(bench)
    theirs = bench.crms["south"].create_deal("Theirs", stage="qualification").id
    pull(bench.workspace)
    linking.join(bench.workspace, [f"north:{north}", f"south:{theirs}"])
    cycles = [run(bench), run(bench), run(bench)]
    made = [each for each in bench.crms["south"].deal_ids() if each != theirs]
    (link,) = [refs for refs in bench.workspace.store.links.links().values() if len(refs) > 1]

    assert {north, theirs} == {ref.id for ref in link}
    assert ["Rollout"] * len(made) == [bench.crms["south"].deal(each).fields["name"] for each in made]
    why = "it has the key of a deal that has another counterpart by now, as a copy of that one would"
    assert [[(f"south:{each}", why) for each in made]] * 3 == list(map(asked, cycles))


def copied() -> tuple[Bench, Ref]:
    """Make a linked deal, whose counterpart in the south somebody copies there, with its key; gives the copy."""
    bench, _, south = linked()
    was, copy = bench.crms["south"].deal(south), Ref("south", Kind.DEAL, "copy")
    crm(bench, "south").store(
        copy, {**was.fields, "name": "Second phase"}, was.position, created=bench.clock.now(), key=was.key
    )
    return bench, copy


def test_a_copy_of_a_deal_becomes_a_deal_of_its_own_once_a_person_says_so() -> None:
    """It gets a counterpart of its own, and the one that it was copied from keeps its."""
    bench, copy = copied()
    first = run(bench)
    (unclear,) = linking.list_unclear(bench.workspace)
    linking.split(bench.workspace, str(copy))
    cycles = [run(bench), run(bench)]
    links = [refs for refs in bench.workspace.store.links.links().values() if len(refs) > 1]
    names = sorted(str(bench.crms["north"].deal(each).fields["name"]) for each in bench.crms["north"].deal_ids())

    assert [str(copy)] == [deal for deal, _ in asked(first)]
    assert {"north", "south"} == {each.ref.connection for each in unclear.candidates}
    assert ["Rollout", "Second phase"] == names
    assert [{"create": 1}, {}] == [
        dict.fromkeys((change.action.value for change in cycle.plan.changes), 1) if cycle.plan else {}
        for cycle in cycles
    ]
    assert [0, 0] == [cycle.exit_code() for cycle in cycles]
    assert 2 == len(links)


def test_an_edit_of_a_copy_is_none_of_the_deal_that_it_was_copied_from() -> None:
    """Each of the two travels to its own counterpart."""
    bench, copy = copied()
    run(bench)
    linking.split(bench.workspace, str(copy))
    run(bench)
    bench.crms["south"].edit_deal(copy.id, name="Third phase")
    run(bench)
    names = sorted(str(bench.crms["north"].deal(each).fields["name"]) for each in bench.crms["north"].deal_ids())

    assert ["Rollout", "Third phase"] == names


# ── What was said between a plan and its writing ────────────────────────────────────────────────────────


def planned(bench: Bench) -> Plan:
    """Pull and plan, and write nothing yet."""
    pull(bench.workspace)
    return make_plan(bench.workspace).plan


def outcomes(bench: Bench, plan: Plan) -> list[Outcome]:
    """Write a plan, and give what became of its changes."""
    with writing(bench.workspace, "apply") as name:
        applied = apply_plan(bench.workspace, plan, name)
        finish(bench.workspace, name, "apply", 0, {})
    return [receipt.outcome for _, receipt in applied.done]


@pytest.mark.parametrize("action", ["update", "archive"])
def test_nothing_is_written_to_a_deal_that_was_split_off_since_the_plan(action: str) -> None:
    """A person said that it is another deal."""
    bench, north, south = linked(delete="archive")
    if action == "update":
        bench.crms["north"].edit_deal(north, name="New")
    else:
        bench.crms["north"].delete_deal(north)
    plan = planned(bench)
    linking.split(bench.workspace, f"south:{south}")

    assert [action] == [str(change.action) for change in plan.changes]
    assert [Outcome.STALE] == outcomes(bench, plan)
    assert "Rollout" == only(bench, "south").fields["name"]


def test_no_note_is_copied_to_a_deal_that_was_split_off_since_the_plan() -> None:
    """It was written on another deal."""
    kinds = {"adapter": "fake", "kinds": ["user", "company", "contact", "deal", "note"]}
    bench = able_bench(**entry(notes="from: north"), connections={"north": kinds, "south": kinds})
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    south = only(bench, "south").ref.id
    add(bench, "north", Kind.NOTE, "n1", body="Theirs alone", deals=(north,))
    plan = planned(bench)
    linking.split(bench.workspace, f"south:{south}")

    assert [Outcome.STALE] == outcomes(bench, plan)
    assert [] == bench.crms["south"].hanging_on(south, Kind.NOTE)


def test_nothing_is_taken_away_once_the_deleted_deal_is_back() -> None:
    """It was restored between the plan and its writing, and a pull has brought it."""
    bench, north, south = linked(delete="archive")
    bench.crms["north"].delete_deal(north)
    plan = planned(bench)
    bench.crms["north"].restore_deal(north)
    pull(bench.workspace)

    assert [Outcome.STALE] == outcomes(bench, plan)
    assert ([north], [south]) == (bench.crms["north"].deal_ids(), bench.crms["south"].deal_ids())
    assert (0, ()) == ((last := run(bench)).exit_code(), last.plan.changes if last.plan else None)


def test_a_contact_that_the_other_crm_can_not_have_stays_when_others_come_and_go() -> None:
    """Its counterpart was deleted there, and somebody put it on the deal again."""
    bench = able_bench(**entry(contacts="create"))
    for name in ("north", "south"):
        for each in "abcd":
            add(bench, name, Kind.CONTACT, each, name=each, email=f"{each}@acme.example")
    bench.crms["north"].create_deal("Rollout", stage="qualification", contacts=("a", "b"))
    run(bench)
    bench.crms["south"].remove_contact(only(bench, "south").ref.id, "b")
    crm(bench, "south").drop(Ref("south", Kind.CONTACT, "b"))
    bench.clock.advance(HOUR)
    _ = [run(bench), run(bench)]
    held = []
    for said in ("north add b", "south add c", "north add d", "south remove a"):
        where, action, contact = said.split()
        getattr(bench.crms[where], f"{action}_contact")(only(bench, where).ref.id, contact)
        cycles = [run(bench), run(bench), run(bench)]
        held.append(("".join(contacts(bench, "north")), "".join(contacts(bench))))
        assert cycles[-1].plan is not None
        assert ((), 0) == (cycles[-1].plan.changes, cycles[-1].exit_code())

    assert [("ab", "a"), ("abc", "ac"), ("abcd", "acd"), ("bcd", "cd")] == held


@pytest.mark.parametrize(("there", "stand"), [(("a",), "ab"), (("a", "b", "c"), "abc")])
def test_a_deal_that_was_made_with_a_part_of_its_contacts_gets_the_rest(there: tuple[str, ...], stand: str) -> None:
    """Some CRMs put them on it one by one, and may be cut off. Nobody took the others off; who was added is added."""
    bench = able_bench(**entry(create=["south"], contacts="create"))
    for name in ("north", "south"):
        for each in "abc":
            add(bench, name, Kind.CONTACT, each, name=each, email=f"{each}@acme.example")
    bench.crms["north"].create_deal("Rollout", stage="qualification", contacts=("a", "b"))
    south = crm(bench, "south")
    south.faults.append("drop_after")
    run(bench)
    made = only(bench, "south")
    south.records[made.ref] = replace(made, fields={**made.fields, "contacts": there})
    bench.clock.advance(HOUR)
    _ = [run(bench), run(bench)]

    assert {stand} == {"".join(contacts(bench, name)) for name in ("north", "south")}


def test_what_a_crm_can_not_hang_on_a_deal_waits_nowhere() -> None:
    """`connections describe` says so; nobody has to be asked."""
    bench = able_bench(**entry(companies="create"))
    crm(bench, "south").able = False
    for name in ("north", "south"):
        for each in "ab":
            add(bench, name, Kind.COMPANY, each, name=f"Acme {each}", domain=f"{each}.example")
    north = bench.crms["north"].create_deal("Rollout", stage="qualification", company="a").id
    run(bench)
    bench.crms["north"].set_company(north, "b")
    bench.clock.advance(HOUR)
    cycle = run(bench)

    assert cycle.plan is not None
    assert (0, ()) == (cycle.exit_code(), cycle.plan.blocked)


# ── Two of one CRM that go by one name ──────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("match", [{}, {"company": ["name"], "contact": ["name"]}])
@pytest.mark.parametrize("together", [True, False])
def test_two_that_go_by_one_name_share_no_counterpart(match: dict[str, list[str]], *, together: bool) -> None:
    """Two companies have one domain, and two contacts one e-mail address. The other CRM could hold but one of each."""
    bench = able_bench(**entry(companies="create", contacts="create", match=match))
    for number in "12":
        add(bench, "north", Kind.COMPANY, f"c{number}", name=f"Acme {number}", domain="acme.example")
        add(bench, "north", Kind.CONTACT, f"p{number}", name=f"Ann {number}", email="info@acme.example")
    for number in "12":
        more = {"company": f"c{number}", "contacts": (f"p{number}",)}
        bench.crms["north"].create_deal(f"Deal {number}", stage="qualification", **more)
        _ = together or [run(bench), run(bench)]
    cycles = [run(bench), run(bench), run(bench)]
    south = {
        str(deal.fields["name"]): deal.fields for each in (1, 2) for deal in bench.crms["south"].named(f"Deal {each}")
    }
    north = {
        str(deal.fields["name"]): deal.fields for each in (1, 2) for deal in bench.crms["north"].named(f"Deal {each}")
    }

    assert {"Deal 1", "Deal 2"} == south.keys()
    assert [("c1", ("p1",)), ("c2", ("p2",))] == [(each["company"], each["contacts"]) for each in north.values()]
    assert 1 == sum(bool(each.get("company")) for each in south.values())
    assert 1 == sum(bool(each.get("contacts")) for each in south.values())
    assert cycles[-1].plan is not None
    assert ((), 7) == (cycles[-1].plan.changes, cycles[-1].exit_code())
    assert ["north:company:c2"] == [str(item.deal) for item in cycles[-1].plan.blocked]
