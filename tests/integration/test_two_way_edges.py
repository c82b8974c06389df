"""Two-way sync at its edges: what goes wrong once, is unclear or outdone, or comes in another order."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.integration.two_way import FIRM, HOUR, RoundingCrm, add, crm, entry, linked, only, run
from tests.unit.services.able import able_bench

from crmbridge.model.records import Kind, Position, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money
from crmbridge.services.answers.explaining import explain
from crmbridge.services.answers.explanation import Absent
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.by_hand.resolving import conflicts, resolve, take
from crmbridge.services.by_hand.undoing import find_run, plan_undo
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import finish, run_cycle, writing
from crmbridge.services.runs.planning import make_plan
from crmbridge.services.sync import syncing
from crmbridge.settings import Settings
from crmbridge.testing.fake_records import PIPELINE, at
from crmbridge.testing.workspaces import Bench


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
    crm(bench, "north").put(Kind.COMPANY, "c1", {**FIRM, "name": "Acme Limited"})
    bench.clock.advance(HOUR)
    run(bench)
    run(bench)

    assert only(bench, "south").fields["company"]
    assert () == bench.workspace.store.waiting.all()


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
    crm(bench, "south").put(Kind.COMPANY, "c", {"name": "Acme", "domain": "ACME.example"})
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


def cycle_without_south(bench: Bench) -> None:
    pull(bench.workspace, ["north"])
    with writing(bench.workspace, "run") as name:
        run_cycle(bench.workspace, name, refresh=False)
        finish(bench.workspace, name, "run", 0, {})


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


def test_a_deal_of_another_pipeline_is_nobodys_question() -> None:
    """The settings name the one that is the process's; an account's renewals would wait for a person for ever."""
    bench = able_bench(**entry())
    north = crm(bench, "north").create_deal("Renewal", stage="qualification").id
    ref = Ref("north", Kind.DEAL, north)
    deal = crm(bench, "north").records[ref]
    crm(bench, "north").records[ref] = replace(deal, position=Position("renewals", "due", Status.OPEN))
    cycle = run(bench)

    assert ((), (), 0) == (cycle.plan.changes, cycle.plan.blocked, cycle.exit_code()) if cycle.plan else False
    assert {"south": Absent.BESIDE} == explain(bench.workspace, str(ref)).absent


def test_a_deal_that_one_crm_has_in_another_pipeline_still_gets_its_counterpart_from_the_others() -> None:
    """Which CRM the settings name first is no matter; nothing would say that it is missing."""
    names = ("north", "south", "east")
    bench = able_bench(names, **entry(*names))
    crm(bench, "east").faults.append("drop_before")
    north = crm(bench, "north").create_deal("Rollout", stage="qualification").id
    run(bench)
    ref = Ref("north", Kind.DEAL, north)
    beside, made = Position("renewals", "due", Status.OPEN), crm(bench, "north").records[ref]
    crm(bench, "north").store(ref, made.fields, beside, created=made.created_at, key=made.key)
    run(bench)
    after = run(bench)

    assert Position("sales", "qualification", Status.OPEN) == only(bench, "east").position
    assert ((), ()) == (after.plan.changes, after.plan.blocked) if after.plan else False


def test_a_stage_that_the_other_crm_has_not_waits_alone() -> None:
    """Its deal gets what else was edited, and a person is told which stage is missing there."""
    stages = {name: name for name in ("qualification", "proposal", "won", "lost")}
    maps = {"north": stages, "south": {name: name for name in stages if name != "proposal"}}
    bench = able_bench(**entry(), stages={name: {"pipeline": PIPELINE, "map": each} for name, each in maps.items()})
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    bench.crms["north"].edit_deal(north, name="Moved")
    bench.crms["north"].move_deal(north, "proposal")
    cycle = run(bench)

    assert cycle.plan is not None
    assert ["south has no stage 'proposal'"] == [each.reason for each in cycle.plan.blocked]
    assert ("Moved", at("qualification")) == (only(bench, "south").fields["name"], only(bench, "south").position)
