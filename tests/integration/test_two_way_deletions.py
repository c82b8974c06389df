"""Two-way sync where records go: deleted, restored, undone or merged away, with edits and failures in between."""

from __future__ import annotations

import pytest
from tests.integration.two_way import FIRM, HOUR, add, crm, entry, linked, only, run, undo_last_run
from tests.unit.services.able import able_bench

from crmbridge.model.changes import Action
from crmbridge.model.records import Kind, Ref, Tombstone
from crmbridge.model.values import Money
from crmbridge.services.apply import settling
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.by_hand import linking
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import finish, writing
from crmbridge.services.runs.planning import make_plan
from crmbridge.testing.workspaces import Bench


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


def test_a_deal_that_is_brought_back_after_both_were_deleted_stays() -> None:
    """People deleted it in both CRMs, and a run saw that: who restores it in one of them wants it."""
    bench, north, south = linked(delete="archive")
    bench.crms["north"].delete_deal(north)
    bench.crms["south"].delete_deal(south)
    run(bench)
    bench.crms["south"].restore_deal(south)
    runs = [run(bench) for _ in range(3)]

    assert [south] == bench.crms["south"].deal_ids()
    assert 1 == len(bench.crms["north"].deal_ids())
    assert () == runs[-1].applied.done


def deleted_while_the_other_crm_is_out_of_reach() -> tuple[Bench, str, str]:
    """Let a run see that the deal in the south is gone, which can't be carried on just then."""
    bench, north, south = linked(delete="archive")
    crm(bench, "south").delete_deal(south)
    crm(bench, "north").faults.append("revoked")
    run(bench)
    crm(bench, "north").faults.clear()
    return bench, north, south


def test_a_deal_that_is_brought_back_stays_though_the_other_was_deleted_before_anybody_could_ask_for_it() -> None:
    """A run had seen that it was gone, so it was a person who brought it back; whoever does that wants it."""
    bench, north, south = deleted_while_the_other_crm_is_out_of_reach()
    crm(bench, "north").delete_deal(north)
    crm(bench, "south").restore_deal(south)
    runs = [run(bench) for _ in range(3)]

    assert [south] == crm(bench, "south").deal_ids()
    assert 1 == len(crm(bench, "north").deal_ids())
    assert () == runs[-1].applied.done


@pytest.mark.parametrize(("fault", "left"), [("drop_after", 1), ("drop_before", 0)])
def test_a_deal_that_is_brought_back_before_its_archive_is_read_back_stays(fault: str, left: int) -> None:
    """It is there in another version. One that is there as it was has not been archived, so that is done now."""
    bench, north, south = linked(delete="archive")
    crm(bench, "north").delete_deal(north)
    crm(bench, "south").faults.append(fault)
    run(bench)
    if south not in crm(bench, "south").deal_ids():
        crm(bench, "south").restore_deal(south)
    runs = [run(bench) for _ in range(3)]

    assert [left, left] == [len(each.deal_ids()) for each in bench.crms.values()]
    assert () == runs[-1].applied.done


def test_a_deal_that_was_brought_back_follows_a_later_deletion() -> None:
    """A run saw both of them there meanwhile."""
    bench, north, south = deleted_while_the_other_crm_is_out_of_reach()
    crm(bench, "south").restore_deal(south)
    between = run(bench)
    crm(bench, "north").delete_deal(north)
    run(bench)

    assert () == between.applied.done
    assert [[], []] == [each.deal_ids() for each in bench.crms.values()]


def test_a_move_into_the_process_beats_a_deletion() -> None:
    """Both deals stood in no stage of the process, so there was nothing to agree on."""
    bench = able_bench(**entry(delete="archive", match={"deal": ["name"]}))
    north, south = [each.create_deal("Rollout", stage="prospecting").id for each in bench.crms.values()]
    run(bench)
    crm(bench, "south").move_deal(south, "closing")
    crm(bench, "north").delete_deal(north)
    runs = [run(bench) for _ in range(3)]

    assert [south] == crm(bench, "south").deal_ids()
    assert only(bench, "south").position == only(bench, "north").position
    assert () == runs[-1].applied.done


@pytest.mark.parametrize("where", [["north"], ["west"], ["south"], ["north", "south"]])
def test_a_deletion_goes_on_to_the_crms_of_another_entry(where: list[str]) -> None:
    """North and west are kept in step through south: what we take away there for the one, the other does not undo."""
    two = [entry(*names, delete="archive")["sync"][0] for names in (("north", "south"), ("south", "west"))]
    bench = able_bench(("north", "south", "west"), sync=[{**one, "name": f"n{n}"} for n, one in enumerate(two)])
    crm(bench, "north").create_deal("Rollout", stage="qualification")
    run(bench)
    run(bench)
    for name in where:
        crm(bench, name).delete_deal(only(bench, name).ref.id)
    runs = [run(bench) for _ in range(4)]

    assert [[], [], []] == [each.deal_ids() for each in bench.crms.values()]
    assert {Action.ARCHIVE} == {change.action for each in runs for change, _ in each.applied.done}

    crm(bench, where[0]).restore_deal(next(iter(crm(bench, where[0]).gone)).id)
    runs = [run(bench) for _ in range(4)]

    assert [1, 1, 1] == [len(each.deal_ids()) for each in bench.crms.values()]
    assert () == runs[-1].applied.done


@pytest.mark.parametrize("by", ["deleting the new one", "splitting the new one off", "splitting the old one off"])
def test_a_deal_that_is_back_where_another_one_was_made_for_it_waits_for_a_person(by: str) -> None:
    """It was deleted, or hidden, while its counterpart was edited; a second counterpart would double it."""
    bench, north, south = linked(delete="archive")
    crm(bench, "north").delete_deal(north)
    crm(bench, "south").edit_deal(south, name="Rollout again")
    run(bench)
    made = only(bench, "north").ref.id
    crm(bench, "north").restore_deal(north)
    runs = [run(bench) for _ in range(3)]

    waiting = [[item.deal for item in each.plan.blocked] for each in runs if each.plan]
    assert [[Ref("north", Kind.DEAL, north)]] * 3 == waiting
    assert [south] == crm(bench, "south").deal_ids()

    if by == "deleting the new one":
        crm(bench, "north").delete_deal(made)
    else:
        linking.split(bench.workspace, f"north:{made if by == 'splitting the new one off' else north}")
    runs = [run(bench) for _ in range(4)]

    each = 1 if by == "deleting the new one" else 2
    assert [each, each] == [len(one.deal_ids()) for one in bench.crms.values()]
    assert () == runs[-1].applied.done
    assert () == bench.workspace.store.waiting.all()


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
    monkeypatch.setattr(settling, "_read_created", lambda *_: {})  # as when the CRM can't be read just then
    with writing(bench.workspace, "apply") as name:
        apply_plan(bench.workspace, plan, name)
        finish(bench.workspace, name, "apply", 0, {})
    bench.crms["north"].delete_deal(north)
    pull(bench.workspace, ["north"])

    assert () == make_plan(bench.workspace).plan.changes


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
