"""Two-way sync at its edges: what goes wrong once, comes back, is split or joined by hand, or is not there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

import pytest
from tests.integration.test_two_way import FIRM, HOUR, RoundingCrm, add, crm, entry, linked, only, run
from tests.unit.services.able import able_bench

from crmbridge.errors import RetryLaterError
from crmbridge.model.changes import Cause, Outcome, Plan
from crmbridge.model.records import Kind, Position, Problem, Ref, Status, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money, Value
from crmbridge.ports import Page
from crmbridge.services import applying, linking_by_hand, syncing
from crmbridge.services.applying import apply_plan
from crmbridge.services.cycle import Cycle, finish, run_cycle, writing
from crmbridge.services.planning import make_plan
from crmbridge.services.pulling import pull
from crmbridge.services.resolving import conflicts, resolve, take
from crmbridge.services.undoing import find_run, plan_undo
from crmbridge.settings import Settings
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.workspaces import Bench

DAY = date(2026, 12, 24)


def undo_of_last_run(bench: Bench) -> Plan:
    """Plan what undoes the last run."""
    last = next(each for each in bench.workspace.store.runs.runs(9) if each.command == "run")
    return plan_undo(bench.workspace, last)


def undo_last_run(bench: Bench) -> None:
    """Undo what the last run changed."""
    plan = undo_of_last_run(bench)
    with writing(bench.workspace, "undo") as name:
        apply_plan(bench.workspace, plan, name)
        finish(bench.workspace, name, "undo", 0, {})


def garble(bench: Bench, native: str, name: str, **fields: Value) -> None:
    """Let a person in the north enter what can't be read as this field, and edit others."""
    crm(bench, "north").edit_deal(native, **fields, **{name: None})
    ref = Ref("north", Kind.DEAL, native)
    deal = crm(bench, "north").records[ref]
    left = {each: value for each, value in deal.fields.items() if each != name}
    crm(bench, "north").records[ref] = replace(deal, fields=left, problems=(Problem(f"{name}_x", "garbled", name),))


def hide(bench: Bench, native: str, name: str, where: str = "north") -> None:
    """Take away the right to see a field of a deal, which nobody edits."""
    ref = Ref(where, Kind.DEAL, native)
    deal = crm(bench, where).records[ref]
    left = {each: value for each, value in deal.fields.items() if each != name}
    crm(bench, where)._touch(ref)
    crm(bench, where).records[ref] = replace(deal, fields=left, problems=(Problem(f"{name}_x", "hidden", name),))


def mend(bench: Bench, native: str, where: str = "north", **fields: Value) -> None:
    """Let a person put in what can be read."""
    ref = Ref(where, Kind.DEAL, native)
    crm(bench, where).records[ref] = replace(crm(bench, where).records[ref], problems=())
    crm(bench, where).edit_deal(native, **fields)


def only_plan(bench: Bench) -> None:
    """Pull and plan, and write nothing: `crmbridge plan`, or a run that is killed before it applies."""
    pull(bench.workspace)
    make_plan(bench.workspace)


def test_a_plan_before_the_run_does_not_keep_a_restored_deal_from_its_counterpart() -> None:
    """The deal was deleted, its counterpart archived, the deal restored: looking at a plan changes nothing."""
    bench, north, _ = linked(delete="archive")
    bench.crms["north"].delete_deal(north)
    run(bench)
    bench.crms["north"].restore_deal(north)
    only_plan(bench)
    run(bench)
    run(bench)

    assert 1 == len(bench.crms["south"].deal_ids())


def test_a_failed_write_does_not_keep_a_restored_deal_from_its_counterpart() -> None:
    """A failed write does not keep a restored deal from its counterpart."""
    bench, north, _ = linked(delete="archive")
    bench.crms["north"].delete_deal(north)
    run(bench)
    bench.crms["north"].restore_deal(north)
    bench.crms["south"].faults.append("limit")
    run(bench)
    run(bench)
    run(bench)

    assert 1 == len(bench.crms["south"].deal_ids())


def test_split_by_hand_is_not_undone_by_the_next_creation() -> None:
    """Split by hand is not undone by the next creation."""
    bench, north, south = linked()
    linking_by_hand.split(bench.workspace, f"south:{south}")
    bench.crms["north"].edit_deal(north, name="Other")
    run(bench)
    run(bench)
    links = [refs for refs in bench.workspace.store.links.links().values() if len(refs) > 1]

    assert not [refs for refs in links if {Ref("north", Kind.DEAL, north), Ref("south", Kind.DEAL, south)} <= set(refs)]


def test_a_merge_into_a_deal_that_did_not_change_carries_what_differs() -> None:
    """A merge into a deal that did not change carries what differs."""
    bench = able_bench(**entry(create=[], match={"deal": ["name"]}))
    n1 = bench.crms["north"].create_deal("Rollout", stage="qualification", amount=Money(1, "EUR")).id
    n2 = bench.crms["north"].create_deal("Rollout II", stage="qualification", amount=Money(2, "EUR")).id
    s1 = bench.crms["south"].create_deal("Rollout", stage="qualification", amount=Money(1, "EUR")).id
    run(bench)
    run(bench)
    bench.crms["north"].merge_deals(winner=n2, loser=n1)
    run(bench)
    run(bench)
    run(bench)

    assert bench.crms["north"].deal(n2).fields["name"] == bench.crms["south"].deal(s1).fields["name"]


def test_a_contact_that_a_person_took_off_stays_off() -> None:
    """Beside it the deal has a contact without an e-mail, which has no counterpart."""
    bench = able_bench(**entry(contacts="create"))
    ann = add(bench, "north", Kind.CONTACT, "n1", name="Ann", email="ann@acme.example")
    bob = add(bench, "north", Kind.CONTACT, "n2", name="Bob")
    north = bench.crms["north"].create_deal("Rollout", stage="qualification", contacts=(ann, bob)).id
    run(bench)
    run(bench)
    south = only(bench, "south")
    (there,) = south.fields["contacts"]  # type: ignore[misc]
    bench.crms["south"].remove_contact(south.ref.id, str(there))
    run(bench)
    run(bench)

    assert () == (only(bench, "south").fields["contacts"] or ())
    assert (bob,) == bench.crms["north"].deal(north).fields["contacts"]


def test_a_refused_company_waits_no_longer_once_it_is_there() -> None:
    """A refused company waits no longer once it is there."""
    bench = able_bench(**entry(companies="create"))
    firm = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    bench.crms["north"].create_deal("Rollout", stage="qualification", company=firm)
    bench.crms["south"].faults.append("refuse")
    run(bench)
    run(bench)
    crm(bench, "north")._put(Kind.COMPANY, "c1", {**FIRM, "name": "Acme Limited"})
    bench.clock.advance(HOUR)
    run(bench)
    run(bench)

    assert only(bench, "south").fields["company"]
    assert () == bench.workspace.store.waiting.all()


def test_a_field_that_is_not_kept_in_step_does_not_keep_a_deletion_from_being_followed() -> None:
    """A field that is not kept in step does not keep a deletion from being followed."""
    bench, north, south = linked(delete="archive", fields={"*": {"conflict": "newest"}, "amount": {"sync": False}})
    bench.crms["north"].edit_deal(north, amount=Money(1, "EUR"))
    bench.crms["south"].edit_deal(south, amount=Money(2, "EUR"))
    run(bench)
    bench.crms["north"].delete_deal(north)
    run(bench)
    run(bench)

    assert ([], []) == (bench.crms["north"].deal_ids(), bench.crms["south"].deal_ids())


def test_an_edit_that_did_not_arrive_beats_a_later_deletion() -> None:
    """It was decided on, and its write failed; then the other deal is deleted, before anybody could write it again."""
    bench, north, south = linked(delete="archive")
    bench.crms["north"].edit_deal(north, name="Rollout again")
    bench.crms["south"].faults.append("limit")
    run(bench)
    bench.crms["south"].delete_deal(south)
    run(bench)
    run(bench)

    assert "Rollout again" == bench.crms["north"].deal(north).fields["name"]
    assert ["Rollout again"] == [record.fields["name"] for record in bench.crms["south"].named("Rollout again")]


def test_an_edit_that_arrived_beats_a_later_deletion_where_nobody_knew_that_it_had() -> None:
    """The answer was lost, and the deal was gone before anybody could read it back."""
    bench, north, south = linked(delete="archive")
    bench.crms["north"].edit_deal(north, name="Rollout again")
    bench.crms["south"].faults.append("drop_after")
    run(bench)
    arrived = bench.crms["south"].deal(south).fields["name"]
    bench.crms["south"].delete_deal(south)
    run(bench)
    run(bench)

    assert "Rollout again" == arrived
    assert "Rollout again" == bench.crms["north"].deal(north).fields["name"]
    assert ["Rollout again"] == [record.fields["name"] for record in bench.crms["south"].named("Rollout again")]


def test_an_emptied_field_that_did_not_arrive_beats_a_later_deletion() -> None:
    """To empty a field is an edit like any other."""
    bench, north, south = linked(delete="archive")
    bench.crms["north"].edit_deal(north, amount=Money(1, "EUR"))
    run(bench)
    bench.crms["north"].edit_deal(north, amount=None)
    bench.crms["south"].faults.append("limit")
    run(bench)
    bench.crms["south"].delete_deal(south)
    run(bench)

    assert [north] == bench.crms["north"].deal_ids()


def test_an_edit_that_arrived_does_not_keep_a_deletion_from_being_followed() -> None:
    """The other CRM got all that was said, one time after a failed write, before its deal was deleted."""
    bench, north, south = linked(delete="archive")
    bench.crms["north"].edit_deal(north, name="Rollout again")
    bench.crms["south"].faults.append("limit")
    run(bench)
    run(bench)
    bench.crms["south"].delete_deal(south)
    run(bench)
    run(bench)

    assert ([], []) == (bench.crms["north"].deal_ids(), bench.crms["south"].deal_ids())


def test_a_counterpart_that_was_undone_does_not_keep_a_deletion_from_being_followed() -> None:
    """Nothing that was edited since its creation was undone is to get there."""
    names = ("north", "south", "west")
    bench = able_bench(names, **entry(*names, create=["south"], delete="archive"))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    settings = bench.workspace.project.settings
    (sync,) = settings.sync
    bench = bench.again(settings.model_copy(update={"sync": (sync.model_copy(update={"create": names}),)}))
    run(bench)
    undo_last_run(bench)
    bench.crms["north"].edit_deal(north, name="Rollout again")
    run(bench)
    there = bench.crms["west"].deal_ids()
    bench.crms["south"].delete_deal(only(bench, "south").ref.id)
    run(bench)
    run(bench)

    assert [] == there
    assert ([], [], []) == tuple(bench.crms[name].deal_ids() for name in names)


def test_linking_by_hand_takes_up_a_link_that_ended() -> None:
    """Linking by hand takes up a link that ended."""
    bench, north, south = linked(delete="unlink")
    bench.crms["north"].delete_deal(north)
    run(bench)
    bench.crms["north"].restore_deal(north)
    run(bench)
    linking_by_hand.join(bench.workspace, [f"north:{north}", f"south:{south}"])
    bench.crms["north"].edit_deal(north, name="Rollout again")
    run(bench)

    assert "Rollout again" == bench.crms["south"].deal(south).fields["name"]


def test_an_empty_answer_does_not_end_all_links() -> None:
    """An empty answer does not end all links."""
    bench = able_bench(**entry(delete="unlink"))
    for n in range(60):
        bench.crms["north"].create_deal(f"Deal {n}", stage="qualification")
    run(bench)
    ids = bench.crms["north"].deal_ids()
    for n in ids:
        bench.crms["north"].delete_deal(n)
    run(bench)
    for n in ids:
        bench.crms["north"].restore_deal(n)
        bench.crms["north"].edit_deal(n, amount=Money(5, "EUR"))
    run(bench)

    assert {Money(5, "EUR")} == {
        bench.crms["south"].deal(s).fields.get("amount") for s in bench.crms["south"].deal_ids()
    }


def test_a_survivor_that_nobody_can_read_does_not_crash_every_run() -> None:
    """A survivor that nobody can read does not crash every run."""
    bench = able_bench(**entry(delete="archive"))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    south = only(bench, "south").ref.id
    bench.crms["south"].delete_deal(south)
    ref = Ref("south", Kind.DEAL, south)
    bench.crms["south"].gone[ref] = Tombstone(ref=ref, at=bench.clock.now(), merged_into=Ref("south", Kind.DEAL, "x9"))
    run(bench)
    bench.crms["north"].delete_deal(north)
    last = run(bench)

    assert (0, ()) == (last.exit_code(), last.plan.changes if last.plan else None)


def test_undo_does_not_archive_a_company_that_a_person_made() -> None:
    """Undo does not archive a company that a person made."""
    bench = able_bench(**entry(companies="create"))
    firm = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    bench.crms["north"].create_deal("Rollout", stage="qualification", company=firm)
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    add(bench, "south", Kind.COMPANY, "theirs", **FIRM)
    with writing(bench.workspace, "apply") as name:
        apply_plan(bench.workspace, plan, name)
        finish(bench.workspace, name, "apply", 0, {})
    undo = plan_undo(bench.workspace, find_run(bench.workspace, name))

    assert Ref("south", Kind.COMPANY, "theirs") not in {c.target for c in undo.changes}


def cycle_without_south(bench: Bench) -> None:
    pull(bench.workspace, ["north"])
    with writing(bench.workspace, "run") as name:
        run_cycle(bench.workspace, name, refresh=False)
        finish(bench.workspace, name, "run", 0, {})


def test_after_an_unclear_company_nothing_waits() -> None:
    """After an unclear company nothing waits."""
    bench = able_bench(**entry(companies="create"))
    firm = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    bench.crms["north"].create_deal("Rollout", stage="qualification", company=firm)
    bench.crms["south"].faults.append("drop_before")
    for _ in range(2):  # within the same minute
        with writing(bench.workspace, "run") as name:
            run_cycle(bench.workspace, name)
            finish(bench.workspace, name, "run", 0, {})
    run(bench)
    run(bench)
    run(bench)

    assert only(bench, "south").fields["company"]
    assert () == bench.workspace.store.waiting.all()


@pytest.mark.parametrize("blind", [0, 1])
def test_an_edit_to_what_an_unclear_write_said_is_an_edit_once_another_value_was_seen_there(blind: int) -> None:
    """Nobody could read back what became of the write while a person's later value was seen and carried on."""
    bench, north, south = linked(fields={"*": {"conflict": "newest"}})
    south_crm = bench.crms["south"]
    bench.crms["north"].edit_deal(north, name="Ours")
    south_crm.faults.append("drop_after")
    run(bench)
    south_crm.edit_deal(south, name="Theirs")
    south_crm.blind = 1
    run(bench)
    south_crm.edit_deal(south, name="Ours")
    south_crm.blind = blind
    run(bench)
    run(bench)

    assert "Ours" == bench.crms["north"].deal(north).fields["name"]
    assert "Ours" == south_crm.deal(south).fields["name"]


def test_what_is_unclear_in_a_connection_keeps_no_other_entry_from_its_work() -> None:
    """Entry by entry, each with connections of its own."""
    pairs = {"one": ("north", "south"), "two": ("south", "east")}
    entries = [{**entry(*pair)["sync"][0], "name": name} for name, pair in pairs.items()]
    bench = able_bench(("north", "south", "east"), sync=entries)
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    run(bench)
    bench.crms["north"].edit_deal(north, name="New")
    run(bench)
    bench.crms["east"].faults.append("drop_after")
    run(bench)
    bench.crms["east"].blind = 1
    run(bench)
    run(bench)

    assert ["New"] * 3 == [str(only(bench, name).fields["name"]) for name in ("north", "south", "east")]


def test_deals_that_get_linked_are_judged_once() -> None:
    """Deals that get linked are judged once."""
    bench = able_bench(**entry(create=[], companies="match"))
    for name, domain in (("north", "acme.example"), ("south", None)):
        add(bench, name, Kind.COMPANY, "c", name="Acme", domain=domain)
        native = bench.crms[name].create_deal("Rollout", stage="qualification", company="c").id
        bench.crms[name].move_deal(native, "proposal")
    run(bench)
    crm(bench, "south")._put(Kind.COMPANY, "c", {"name": "Acme", "domain": "ACME.example"})
    bench.clock.advance(HOUR)
    run(bench)
    run(bench)
    assert 1 == len(bench.workspace.store.links.links()) - 1, bench.workspace.store.links.links()

    assert 1 == len({f.finding.deal for f in bench.workspace.store.findings.findings()})


@pytest.mark.parametrize("killed", [False, True])
def test_settings_changed_and_changed_back_around_a_kill_make_no_doubles(*, killed: bool) -> None:
    """Settings changed and changed back around a kill make no doubles."""
    first = entry(match={"deal": ["name"]})
    bench = able_bench(**first)
    bench.crms["north"].create_deal("Rollout", stage="won")
    run(bench)
    if killed:
        settings = bench.workspace.project.settings
        second = Settings.model_validate(
            {**settings.model_dump(mode="json", by_alias=True), **entry(match={"deal": ["external_key"]})}
        )
        other = bench.again(second)
        syncing.sync(other.workspace, ["north", "south"])  # and killed
        bench = bench.again()
    bench.crms["south"].create_deal("Rollout", stage="qualification")
    run(bench)
    assert (1, 1) == (len(bench.crms["north"].deal_ids()), len(bench.crms["south"].deal_ids()))


@pytest.mark.parametrize("values", ["AB", "ABA", "ABAB", "CDEF"])
def test_back_and_forth_without_a_pull_of_the_target(values: str) -> None:
    """Back and forth without a pull of the target."""
    bench, north, south = linked()
    run(bench)
    for value in values:
        bench.crms["north"].edit_deal(north, name=value)
        cycle_without_south(bench)
    [run(bench), run(bench)]
    assert values[-1] == bench.crms["south"].deal(south).fields["name"]


def test_conflict_with_a_third_that_rounds_can_be_resolved() -> None:
    """Conflict with a third that rounds can be resolved."""
    names = ("north", "south", "west")
    bench = able_bench(names, **entry(*names, fields={"*": {"conflict": "ask"}}))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    bench.crms["west"].__class__ = RoundingCrm
    bench.crms["north"].edit_deal(north, amount=Money(Decimal("10.25"), "EUR"))
    run(bench)
    run(bench)
    bench.crms["north"].edit_deal(north, amount=Money(Decimal(11), "EUR"))
    bench.crms["south"].edit_deal(only(bench, "south").ref.id, amount=Money(Decimal(12), "EUR"))
    run(bench)
    (one,) = conflicts(bench.workspace)
    resolve(bench.workspace, [take(one.item, "south")])
    run(bench)
    assert {Money(Decimal(12), "EUR")} == {only(bench, n).fields["amount"] for n in names}


@pytest.mark.parametrize("how", [{"direction": "from: north"}, {"conflict": "only_if_empty"}])
def test_a_field_that_is_theirs_does_not_beat_a_deletion(how: dict[str, str]) -> None:
    """A field that is theirs does not beat a deletion."""
    bench, north, south = linked(delete="archive", fields={"*": {"conflict": "newest"}, "amount": how})
    bench.crms["north"].edit_deal(north, amount=Money(1, "EUR"))
    run(bench)
    bench.crms["south"].edit_deal(south, amount=Money(2, "EUR"))
    run(bench)
    run(bench)
    bench.crms["north"].delete_deal(north)
    run(bench)
    run(bench)
    assert ([], []) == (bench.crms["north"].deal_ids(), bench.crms["south"].deal_ids())


def test_who_was_outdone_is_not_the_newest_by_our_own_writing() -> None:
    """The north's owner is newer and has no user in the south; that another field is written there changes nothing."""
    bench, north, south = linked(match={"deal": ["name"]})
    nobody = add(bench, "north", Kind.USER, "99", name="New", email="new@acme.example", active=True)
    bench.crms["south"].edit_deal(south, owner="2")
    bench.clock.sleep(60)
    bench.crms["north"].edit_deal(north, owner=nobody, amount=Money(Decimal(5), "EUR"))
    bench.clock.sleep(60)
    runs = [run(bench) for _ in range(4)]

    assert (nobody, "2") == (only(bench, "north").fields["owner"], only(bench, "south").fields["owner"])
    assert [Decimal(5)] * 2 == [only(bench, name).fields["amount"].amount for name in ("north", "south")]
    assert [["owner"]] * 4 == [[item.name for item in each.plan.blocked] for each in runs if each.plan]


@pytest.mark.parametrize("gone", ["deleted", "taken back"])
@pytest.mark.parametrize("more", [{}, {"amount": Money(Decimal(5), "EUR")}])
def test_who_was_outdone_counts_again_once_the_newer_value_is_gone(gone: str, more: dict[str, Money]) -> None:
    """The north's owner could never be written in the south. What all had before is nobody's wish any more."""
    bench, north, south = linked(delete="archive", match={"deal": ["name"]})
    nobody = add(bench, "north", Kind.USER, "99", name="New", email="new@acme.example", active=True)
    bench.crms["north"].edit_deal(north, owner="1")
    run(bench)
    bench.crms["south"].edit_deal(south, owner="2")
    bench.clock.sleep(60)
    bench.crms["north"].edit_deal(north, owner=nobody, **more)
    run(bench)
    run(bench)
    if gone == "deleted":
        bench.crms["north"].delete_deal(north)
    else:
        bench.crms["north"].edit_deal(north, owner="1")
    run(bench)
    run(bench)

    assert ["2", "2"] == [only(bench, name).fields["owner"] for name in ("north", "south")]


def test_who_was_outdone_is_the_newest_once_it_is_edited_again() -> None:
    """That is so for a value, and for an emptied field."""
    bench, north, south = linked(match={"deal": ["name"]})
    nobody = add(bench, "north", Kind.USER, "99", name="New", email="new@acme.example", active=True)
    bench.crms["north"].edit_deal(north, owner="1")
    run(bench)
    bench.crms["south"].edit_deal(south, owner=None)
    bench.clock.sleep(60)
    bench.crms["north"].edit_deal(north, owner=nobody, amount=Money(Decimal(5), "EUR"))
    run(bench)
    run(bench)
    held = [only(bench, name).fields["owner"] for name in ("north", "south")]
    bench.clock.sleep(60)
    bench.crms["south"].edit_deal(south, owner="2")
    run(bench)
    run(bench)

    assert [nobody, None] == held
    assert ["2", "2"] == [only(bench, name).fields["owner"] for name in ("north", "south")]


def test_what_was_decided_on_goes_into_a_deal_that_is_made_again() -> None:
    """A person settled who owns it; the deal that had this owner was deleted, and the other is edited meanwhile."""
    bench, north, south = linked(delete="archive", fields={"*": {"conflict": "ask"}})
    nobody = add(bench, "south", Kind.USER, "99", name="New", email="new@acme.example", active=True)
    bench.crms["north"].edit_deal(north, owner="2")
    bench.crms["south"].edit_deal(south, owner=nobody)
    run(bench)
    (one,) = conflicts(bench.workspace)
    resolve(bench.workspace, [take(one.item, "south")])
    bench.crms["south"].delete_deal(south)
    bench.crms["north"].edit_deal(north, name="Wanted")
    run(bench)
    run(bench)

    assert ("Wanted", nobody) == tuple(only(bench, "south").fields[name] for name in ("name", "owner"))
    assert ["owner"] == [waits.item.name for waits in bench.workspace.store.waiting.all()], "the north has no such user"


def test_what_a_deal_was_made_with_is_nothing_that_it_says_to_who_gave_it() -> None:
    """West alone speaks of amounts, and has what it was made with. An edit in the north meanwhile is the north's."""
    names = ("north", "south", "west")
    fields = {"*": {"conflict": "newest"}, "amount": {"direction": "from: west"}}
    create = {"name": "main", "between": list(names), "create": ["west"], "match": {"deal": ["name"]}, "fields": fields}
    bench = able_bench(names, sync=[create])
    for name, amount in (("north", 30), ("south", 5)):
        bench.crms[name].create_deal("Rollout", stage="qualification", amount=Money(Decimal(amount), "EUR"))
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    bench.crms["north"].edit_deal(only(bench, "north").ref.id, amount=Money(Decimal(90), "EUR"))
    with writing(bench.workspace, "apply") as name:
        apply_plan(bench.workspace, plan, name)
    run(bench)
    run(bench)

    assert [90, 30, 30] == [only(bench, name).fields["amount"].amount for name in names]


def test_undone_restored_deleted_again_is_followed() -> None:
    """Undone restored deleted again is followed."""
    bench, north, south = linked(delete="archive")
    undo_last_run(bench)
    run(bench)
    assert [] == bench.crms["south"].deal_ids()
    bench.crms["south"].restore_deal(south)
    run(bench)
    bench.crms["north"].edit_deal(north, name="x")
    run(bench)
    assert "x" == only(bench, "south").fields["name"]
    bench.crms["south"].delete_deal(south)
    run(bench)
    run(bench)
    assert [] == bench.crms["north"].deal_ids()


def test_read_failed_then_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read failed then deleted."""
    bench = able_bench(**entry(delete="archive"))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    bench.crms["south"].blind = 0
    monkeypatch.setattr(applying, "_read_created", lambda *_: None)  # as when the CRM can't be read just then
    with writing(bench.workspace, "apply") as name:
        apply_plan(bench.workspace, plan, name)
        finish(bench.workspace, name, "apply", 0, {})
    bench.crms["north"].delete_deal(north)
    pull(bench.workspace, ["north"])

    assert () == make_plan(bench.workspace).plan.changes


def test_split_off_the_first_one_stays_split() -> None:
    """Split off the first one stays split."""
    bench, north, south = linked()
    linking_by_hand.split(bench.workspace, f"north:{north}")
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
    linking_by_hand.split(bench.workspace, str(south).replace("deal:", ""))
    linking_by_hand.join(bench.workspace, [str(r).replace("deal:", "") for r in (south, west)])
    bench.crms["south"].edit_deal(south.id, name="Again")
    run(bench)

    assert "Again" == only(bench, "west").fields["name"]


def test_a_deal_in_no_stage_of_the_process_waits_and_says_why() -> None:
    """Its counterpart can't be made, as nobody knows where to put it."""
    bench = able_bench(**entry())
    north = crm(bench, "north").create_deal("Rollout", stage="qualification").id
    ref = Ref("north", Kind.DEAL, north)
    deal = crm(bench, "north").records[ref]
    crm(bench, "north").records[ref] = replace(deal, position=Position("sales", "made up", Status.OPEN))
    plan = run(bench).plan

    assert plan
    assert ["it stands in no stage of the process"] == [each.reason.split(";")[0] for each in plan.blocked]


# ── What can't be read ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", ["amount", "owner", "company", "contacts"])
def test_a_value_that_can_not_be_read_is_not_empty(name: str) -> None:
    """Its option was deleted, or the credential may not see it any more: the others keep theirs, other edits travel."""
    bench = able_bench(**entry(companies="create", contacts="create"))
    firm = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    ann = add(bench, "north", Kind.CONTACT, "n1", name="Ann", email="ann@acme.example")
    here: dict[str, Value] = {"amount": Money(1, "EUR"), "owner": "2", "company": firm, "contacts": (ann,)}
    north = crm(bench, "north").create_deal("Rollout", stage="qualification", **here).id
    run(bench)
    before = only(bench, "south").fields[name]
    garble(bench, north, name, close_date=DAY)
    run(bench)

    assert before
    assert (before, DAY) == tuple(only(bench, "south").fields[each] for each in (name, "close_date"))


def test_a_value_that_can_be_read_again_is_brought_to_the_others() -> None:
    """Also where the other deal was made, and edited, while it could not be read."""
    bench = able_bench(**entry())
    north = crm(bench, "north").create_deal("Rollout", stage="qualification").id
    garble(bench, north, "amount")
    run(bench)
    mend(bench, north, amount=Money(2, "EUR"))
    run(bench)
    first = only(bench, "south").fields["amount"]
    garble(bench, north, "amount")
    run(bench)
    mend(bench, north, amount=None)
    run(bench)

    assert (Money(2, "EUR"), None) == (first, only(bench, "south").fields["amount"])


def test_nothing_is_written_over_a_value_that_can_not_be_read() -> None:
    """What was decided on meanwhile gets there once it can be read, as nobody edited it since."""
    bench = able_bench(**entry())
    north = crm(bench, "north").create_deal("Rollout", stage="qualification", amount=Money(1, "EUR")).id
    run(bench)
    garble(bench, north, "amount")
    run(bench)
    crm(bench, "south").edit_deal(only(bench, "south").ref.id, amount=Money(3, "EUR"))
    cycle = run(bench)
    mend(bench, north, amount=Money(1, "EUR"))
    run(bench)

    assert [] == [each for each in (cycle.plan.changes if cycle.plan else ()) if each.connection == "north"]
    assert [Money(3, "EUR")] * 2 == [only(bench, name).fields["amount"] for name in ("north", "south")]


def test_what_became_unreadable_after_the_plan_is_not_written_over() -> None:
    """The plan saw an empty field. What is there now nobody knows."""
    bench, north, south = linked()
    crm(bench, "south").edit_deal(south, amount=Money(3, "EUR"))
    pull(bench.workspace)
    plan = make_plan(bench.workspace).plan
    garble(bench, north, "amount")
    with writing(bench.workspace, "apply") as name:
        applied = apply_plan(bench.workspace, plan, name)
        finish(bench.workspace, name, "apply", 0, {})

    assert 1 == applied.count(Outcome.STALE)


def test_an_unclear_write_to_a_field_that_can_not_be_read_is_not_taken_for_done() -> None:
    """It was to clear the field, and never arrived. What the field held is nobody's edit when it can be read again."""
    bench = able_bench(**entry())
    north = crm(bench, "north").create_deal("Rollout", stage="qualification", amount=Money(1, "EUR")).id
    run(bench)
    crm(bench, "south").edit_deal(only(bench, "south").ref.id, amount=None)
    crm(bench, "north").faults.append("drop_before")
    run(bench)
    hide(bench, north, "amount")
    run(bench)
    mend(bench, north, amount=Money(1, "EUR"))
    run(bench)

    assert [None, None] == [only(bench, name).fields.get("amount") for name in ("north", "south")]


@pytest.mark.parametrize(("before", "after"), [(Money(1, "EUR"), None), (None, Money(3, "EUR"))])
def test_an_undo_lists_what_can_not_be_read_any_more(before: Value, after: Value) -> None:
    """It neither writes over it nor takes it for restored."""
    bench = able_bench(**entry())
    north = crm(bench, "north").create_deal("Rollout", stage="qualification", amount=before).id
    run(bench)
    crm(bench, "south").edit_deal(only(bench, "south").ref.id, amount=after)
    run(bench)
    garble(bench, north, "amount")
    plan = undo_of_last_run(bench)

    assert ((), ["it can't be read any more, so it stays as it is"]) == (plan.changes, [b.reason for b in plan.blocked])


# ── What is not read yet ────────────────────────────────────────────────────────────────────────────────


def plan_as_it_is(bench: Bench) -> Cycle:
    """Plan from the state: `crmbridge plan --no-pull`."""
    with writing(bench.workspace, "plan") as name:
        cycle = run_cycle(bench.workspace, name, refresh=False, write=False)
        finish(bench.workspace, name, "plan", 0, {})
    return cycle


def test_nothing_is_planned_with_a_connection_that_was_never_pulled() -> None:
    """All deals of the other one would seem to have no counterpart."""
    bench = able_bench(**entry(match={"deal": ["name"]}))
    for name in ("north", "south"):
        crm(bench, name).create_deal("Rollout", stage="qualification")
    pull(bench.workspace, ["north"])
    early = plan_as_it_is(bench)
    pull(bench.workspace, ["south"])

    assert (5, ()) == (early.exit_code(), early.plan.changes if early.plan else None)
    assert (0, ()) == ((late := plan_as_it_is(bench)).exit_code(), late.plan.changes if late.plan else None)


def test_nothing_is_planned_with_a_connection_whose_first_pull_was_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while the next pull, which goes on from there, was not made."""
    bench = able_bench(**entry(match={"deal": ["name"]}))
    for number in range(4):
        for name in ("north", "south"):
            crm(bench, name).create_deal(f"Rollout {number}", stage="qualification")
    whole = FakeAdapter.pull

    def cut(self: FakeAdapter, kind: Kind, since: str | None) -> Iterator[Page]:
        pages = whole(self, kind, since)
        yield next(pages)
        if kind is Kind.DEAL and self._crm.connection == "south":
            raise RetryLaterError("the line is down")
        yield from pages

    monkeypatch.setattr("crmbridge.testing.fake_adapter.PAGE", 2)
    monkeypatch.setattr(FakeAdapter, "pull", cut)
    pull(bench.workspace)
    early = plan_as_it_is(bench)
    monkeypatch.setattr(FakeAdapter, "pull", whole)
    pull(bench.workspace)

    assert (5, ()) == (early.exit_code(), early.plan.changes if early.plan else None)
    assert (0, ()) == ((late := plan_as_it_is(bench)).exit_code(), late.plan.changes if late.plan else None)


def test_a_kind_that_no_pull_reads_any_more_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its first pull was cut, and the settings leave it out since."""
    bench = able_bench(**entry())
    whole = FakeAdapter.pull

    def cut(self: FakeAdapter, kind: Kind, since: str | None) -> Iterator[Page]:
        if kind is Kind.CONTACT:
            raise RetryLaterError("the line is down")
        yield from whole(self, kind, since)

    monkeypatch.setattr(FakeAdapter, "pull", cut)
    pull(bench.workspace)
    settings = bench.workspace.project.settings
    assert 5 == plan_as_it_is(bench).exit_code()
    fewer = {name: each.model_copy(update={"kinds": ("deal",)}) for name, each in settings.connections.items()}
    bench = bench.again(settings.model_copy(update={"connections": fewer}))
    pull(bench.workspace)

    assert 0 == plan_as_it_is(bench).exit_code()


@pytest.mark.parametrize("where", ["north", "south"])
@pytest.mark.parametrize("rule", [["amount"], ["name", "amount"]])
def test_no_second_deal_is_made_of_one_that_can_not_be_compared(where: str, rule: list[str]) -> None:
    """What it would be found by can't be read: a person is asked, and once it can be read the two are linked."""
    bench = able_bench(**entry(match={"deal": [rule]}))
    for name in ("north", "south"):
        crm(bench, name).create_deal("Rollout", stage="qualification", amount=Money(1, "EUR"))
    native = only(bench, where).ref.id
    hide(bench, native, "amount", where)
    asked = run(bench)
    mend(bench, native, where, amount=Money(1, "EUR"))
    run(bench)

    assert [Cause.LINK] * 2 == [each.cause for each in (asked.plan.blocked if asked.plan else ())]
    assert [1, 1] == [len(crm(bench, name).deal_ids()) for name in ("north", "south")]
    assert () == bench.workspace.store.waiting.all()
    assert 2 == max(map(len, bench.workspace.store.links.links().values()))


def test_a_deal_that_is_surely_another_is_created_beside_one_that_can_not_be_compared() -> None:
    """Its name is another one, and both must be the same."""
    bench = able_bench(**entry(match={"deal": [["name", "amount"]]}))
    south = crm(bench, "south").create_deal("Other", stage="qualification", amount=Money(1, "EUR")).id
    hide(bench, south, "amount", "south")
    crm(bench, "north").create_deal("Rollout", stage="qualification", amount=Money(1, "EUR"))
    run(bench)

    assert [1, 2] == [len(crm(bench, name).deal_ids()) for name in ("north", "south")]


@pytest.mark.parametrize("hidden", ["field", "company"])
def test_a_deal_whose_company_can_not_be_read_is_not_made_again(hidden: str) -> None:
    """By the usual rule, deals of one name at companies of one domain are the same."""
    bench = able_bench(**entry())
    for name in ("north", "south"):
        firm = add(bench, name, Kind.COMPANY, "c1", **FIRM)
        crm(bench, name).create_deal("Rollout", stage="qualification", company=firm)
    if hidden == "company":
        crm(bench, "north").records.pop(Ref("north", Kind.COMPANY, "c1"))
    else:
        hide(bench, only(bench, "north").ref.id, "company")
    run(bench)

    assert [1, 1] == [len(crm(bench, name).deal_ids()) for name in ("north", "south")]


# ── Companies and contacts that are gone ────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("kind", "name"), [(Kind.COMPANY, "company"), (Kind.CONTACT, "contacts")])
def test_a_deal_does_not_wait_for_what_somebody_deleted(kind: Kind, name: str) -> None:
    """It is made without that, as nobody makes again what a person took away."""
    bench = able_bench(**entry(companies="create", contacts="create"))
    firm = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    ann = add(bench, "north", Kind.CONTACT, "n1", name="Ann", email="ann@acme.example")
    crm(bench, "north").create_deal("Rollout", stage="qualification", company=firm, contacts=(ann,))
    run(bench)
    south = only(bench, "south")
    gone = south.fields[name]
    crm(bench, "south").edit_deal(south.ref.id, **{name: None})
    crm(bench, "south").remove(Ref("south", kind, str(gone[0] if isinstance(gone, tuple) else gone)))
    bench.clock.advance(HOUR)
    run(bench)
    crm(bench, "north").create_deal("Second", stage="qualification", company=firm, contacts=(ann,))
    run(bench)
    quiet = run(bench)
    (second,) = crm(bench, "south").named("Second")

    assert {"name", "company", "contacts"} - {name} == {each for each, value in second.fields.items() if value}
    assert () == quiet.plan.changes if quiet.plan else False


def test_a_contact_that_was_merged_into_another_keeps_its_counterpart() -> None:
    """The one that is left has another e-mail, and was linked to nobody."""
    bench = able_bench(**entry(contacts="create"))
    ann = add(bench, "north", Kind.CONTACT, "n1", name="Ann", email="ann@acme.example")
    add(bench, "north", Kind.CONTACT, "n2", name="Ann B", email="ann.b@acme.example")
    north = crm(bench, "north").create_deal("Rollout", stage="qualification", contacts=(ann,)).id
    run(bench)
    before = only(bench, "south").fields["contacts"]
    left, gone = Ref("north", Kind.CONTACT, "n2"), Ref("north", Kind.CONTACT, "n1")
    crm(bench, "north").remove(gone)
    crm(bench, "north").gone[gone] = Tombstone(ref=gone, at=bench.clock.now(), merged_into=left)
    crm(bench, "north").edit_deal(north, contacts=("n2",))
    bench.clock.advance(HOUR)
    run(bench)
    run(bench)

    assert before == only(bench, "south").fields["contacts"] != ()
    assert not [c for c in crm(bench, "south").records.values() if c.fields.get("email") == "ann.b@acme.example"]
