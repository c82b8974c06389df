"""Reading back tells what became of changes that were not clearly answered."""

from __future__ import annotations

from decimal import Decimal
from itertools import permutations

import pytest

from crmbridge.model.changes import Action, Change, FieldEdit, Outcome, Receipt
from crmbridge.model.records import Kind
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money, Value
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.apply.reconciling import reconcile
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import run_cycle
from crmbridge.services.runs.planning import make_plan
from crmbridge.testing.factories import make_change
from crmbridge.testing.fake_records import at
from crmbridge.testing.workspaces import Bench, make_bench

TWO = ("north", "south")


def unclear(fault: str, *, conflict: str = "newest", stage: str = "", **fields: Value) -> tuple[Bench, dict[str, str]]:
    """Link a deal, edit it in the north, and lose the reply to the write in the south; give the deals' ids."""
    entry = [{"name": "main", "between": TWO, "fields": {"*": {"conflict": conflict}}}]
    bench = make_bench(deals=3, parts=dict.fromkeys(TWO, (0, 0)), sync=entry)
    ids = {name: bench.crms[name].create_deal("Rollout", stage="qualification", company="1").id for name in TWO}
    run_cycle(bench.workspace, "r1")
    bench.clock.sleep(600)
    bench.crms["north"].edit_deal(ids["north"], **fields)
    if stage:
        bench.crms["north"].move_deal(ids["north"], stage)
    bench.crms["south"].faults.append(fault)
    pull(bench.workspace)
    apply_plan(bench.workspace, make_plan(bench.workspace).plan, "r2")
    bench.clock.sleep(600)
    return bench, ids


@pytest.mark.parametrize(("fault", "outcome"), [("drop_after", Outcome.APPLIED), ("drop_before", Outcome.FAILED)])
def test_an_update_is_what_the_record_says(fault: str, outcome: Outcome) -> None:
    """It was done when the record holds all of it."""
    bench, _ = unclear(fault, name="New", bant__budget="yes")
    receipts = reconcile(bench.workspace, "r3")

    assert [outcome] == [receipt.outcome for receipt in receipts]
    assert () == bench.workspace.store.journal.unsettled()


def test_what_can_not_be_read_stays_unknown() -> None:
    """Nothing is sent again before it is known; the next run asks again."""
    bench, _ = unclear("drop_after", name="New")
    bench.crms["south"].blind = 1
    writes = bench.crms["south"].writes
    first, second = reconcile(bench.workspace, "r3"), reconcile(bench.workspace, "r4")

    assert [Outcome.UNKNOWN, Outcome.APPLIED] == [receipt.outcome for receipt in (*first, *second)]
    assert writes == bench.crms["south"].writes


def test_a_part_that_arrived_is_nobodys_edit() -> None:
    """A person overwrote one field meanwhile; the other one is ours, and does not undo what was edited since."""
    bench, ids = unclear("drop_after", name="First", bant__budget="yes")
    bench.crms["north"].edit_deal(ids["north"], bant__budget="no")
    bench.clock.sleep(60)
    bench.crms["south"].edit_deal(ids["south"], name="Another")
    cycle = run_cycle(bench.workspace, "r3")
    deals = {name: bench.crms[name].deal(number).fields for name, number in ids.items()}

    assert ["read back: only bant.budget is known to have arrived"] == [receipt.message for receipt in cycle.reconciled]
    assert {"north": ("Another", "no"), "south": ("Another", "no")} == {
        name: (fields["name"], fields["bant.budget"]) for name, fields in deals.items()
    }


@pytest.mark.parametrize("order", list(permutations(("arrives", "pulled", "edited"))), ids=", ".join)
def test_what_was_sent_is_nobodys_edit_whenever_it_arrives(order: tuple[str, ...]) -> None:
    """The south wins, where somebody edits it; but what was sent there never goes back over a later edit in the north.

    Before it is read back, what was sent arrives, the south is pulled, and somebody edits the south, in any order:

    - arrives, pulled, edited: the copy holds what was sent, and what is read back something else. That it was seen in
      the copy says that it arrived, so it is nobody's edit there; the one that was made since is for the next run.
    - arrives, edited, pulled: the copy and what is read back hold the edit, which is somebody's.
    - pulled, arrives, edited: the copy holds what was there before, so it says nothing.
    - edited before it arrives: it went over the edit, and is read back. It was done, whatever the copy holds.
    """
    bench, ids = unclear("drop_before", conflict="prefer: south", name="Sent")
    (sent,) = bench.workspace.store.journal.unsettled()
    bench.crms["north"].edit_deal(ids["north"], name="Later")
    for step in order:
        bench.clock.sleep(60)
        if step == "arrives":
            bench.crms["south"].carry_out(sent.change)
        elif step == "pulled":
            pull(bench.workspace)
        else:
            bench.crms["south"].edit_deal(ids["south"], name="Edited")
    reconcile(bench.workspace, "r3")
    apply_plan(bench.workspace, make_plan(bench.workspace).plan, "r3")
    for run in ("r4", "r5"):
        bench.clock.sleep(600)
        cycle = run_cycle(bench.workspace, run)
    written = [e.change.after for e in bench.workspace.store.journal.entries() if e.change.connection == "north"]
    stands = "Edited" if order.index("arrives") < order.index("edited") else "Later"

    assert {"name": "Sent"} not in written
    assert {stands} == {bench.crms[name].deal(number).fields["name"] for name, number in ids.items()}
    assert cycle.plan is not None
    assert () == cycle.plan.changes


@pytest.mark.parametrize(
    ("before", "outcome", "said"),
    [
        ({}, Outcome.APPLIED, "read back: it was done"),
        ({"name": "Edited"}, Outcome.FAILED, "read back: only bant.budget is known to have arrived"),
    ],
)
def test_what_was_pulled_as_it_was_sent_has_arrived(before: dict[str, Value], outcome: Outcome, said: str) -> None:
    """Whatever somebody made of it since; of what was edited before it was pulled, nobody can tell."""
    bench, ids = unclear("drop_after", name="Sent", bant__budget="yes")
    bench.crms["south"].edit_deal(ids["south"], **before)
    pull(bench.workspace)
    bench.crms["south"].edit_deal(ids["south"], bant__budget="no")

    assert [(outcome, said)] == [(each.outcome, each.message) for each in reconcile(bench.workspace, "r3")]


def test_a_connection_that_was_left_out_is_left_alone() -> None:
    """What is unclear there waits until the connection is back in the settings."""
    bench, _ = unclear("drop_after", name="New")
    settings = bench.workspace.project.settings
    north = {"north": settings.connections["north"]}
    alone = bench.again(settings.model_copy(update={"connections": north, "sync": ()}))

    assert () == reconcile(alone.workspace, "r3")
    assert 1 == len(alone.workspace.store.journal.unsettled())


def test_a_creation_that_is_found_late_undoes_nothing() -> None:
    """The deal was found by its key and kept in step before its creation could be looked up; that stands."""
    bench = make_bench(deals=3, parts=dict.fromkeys(TWO, (0, 0)))
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    bench.crms["south"].faults.append("drop_after")
    for name in ("Rollout", "Second", "Third", "Third"):
        if name != "Rollout":
            bench.crms["north"].edit_deal(north, name=name)
        bench.crms["south"].blind = int(name == "Second")
        run_cycle(bench.workspace, f"r-{bench.clock.now():%H%M}")
        bench.clock.sleep(600)
    rows = [entry for entry in bench.workspace.store.journal.entries() if entry.message.startswith("south: too many")]

    assert rows, "the creation was still unclear while the deal was kept in step"
    assert ["Third"] == [crm.deal(crm.deal_ids()[0]).fields["name"] for crm in bench.crms.values()][1:]
    assert "Third" == bench.crms["north"].deal(north).fields["name"]


@pytest.mark.parametrize(("touched", "stage"), [(False, "closing"), (True, "qualification")])
def test_a_deal_that_was_made_in_the_first_stage_and_not_moved_on_is_nobodys_edit(*, touched: bool, stage: str) -> None:
    """Where nobody touched it since, it goes on to its stage; where somebody did, what they left it at counts."""
    newest = [{"name": "main", "between": TWO, "create": ["south"], "fields": {"*": {"conflict": "newest"}}}]
    bench = make_bench(deals=3, parts=dict.fromkeys(TWO, (0, 0)), sync=newest)
    bench.crms["north"].create_deal("Rollout", stage="closing")
    south = bench.crms["south"]
    south.faults.append("drop_after")
    run_cycle(bench.workspace, "r1")
    bench.clock.sleep(600)
    (made,) = south.named("Rollout")
    updated = bench.clock.now() if touched else made.created_at
    assert updated is not None
    south.records[made.ref] = replace(made, position=at("qualification"), updated_at=updated, version="made")
    south.changed[made.ref] = max(south.changed.values()) + 1
    for run in ("r2", "r3"):
        run_cycle(bench.workspace, run)
        bench.clock.sleep(600)

    assert {at(stage)} == {crm.named("Rollout")[0].position for crm in bench.crms.values()}


def test_an_update_that_the_crm_rounded_was_done() -> None:
    """It holds what it made of the amount; else it would seem to be somebody's edit, and win."""
    bench, ids = unclear("drop_after", amount=Money(Decimal("10.125"), "EUR"))
    south = bench.crms["south"]
    record = south.deal(ids["south"])
    south.records[record.ref] = replace(record, fields={**record.fields, "amount": Money(Decimal("10.13"), "EUR")})

    assert [Outcome.APPLIED] == [receipt.outcome for receipt in reconcile(bench.workspace, "r3")]


@pytest.mark.parametrize("blind", [0, 1])
def test_what_the_crm_rounded_does_not_come_back_as_an_edit(blind: int) -> None:
    """It was pulled before it was read back, and what else is edited there later does not bring it along."""
    bench, ids = unclear("drop_after", amount=Money(Decimal("10.125"), "EUR"))
    south = bench.crms["south"]
    record = south.deal(ids["south"])
    south.records[record.ref] = replace(record, fields={**record.fields, "amount": Money(Decimal("10.13"), "EUR")})
    pull(bench.workspace)
    south.blind = blind  # then it stays unclear for one more run
    reconcile(bench.workspace, "r3")
    apply_plan(bench.workspace, make_plan(bench.workspace).plan, "r3")
    south.blind = 0
    for run in ("r4", "r5"):
        bench.clock.sleep(600)
        run_cycle(bench.workspace, run)
        south.edit_deal(ids["south"], name=run)
    deals = {name: bench.crms[name].deal(number).fields for name, number in ids.items()}

    assert {"north": Money(Decimal("10.125"), "EUR"), "south": Money(Decimal("10.13"), "EUR")} == {
        name: fields["amount"] for name, fields in deals.items()
    }


def test_what_is_read_before_it_is_pulled_is_nobodys_edit() -> None:
    """The copy from before our write says neither that the name was changed back, nor that the deal was moved back."""
    bench, _ = unclear("drop_after", name="New", stage="proposal")
    reconcile(bench.workspace, "r3")

    assert () == make_plan(bench.workspace).plan.changes


def test_what_was_just_written_is_held_as_it_was_written() -> None:
    """Also where what stood there before looks like a form of it."""
    bench, ids = unclear("", name="ROLLOUT")
    ref = bench.crms["south"].deal(ids["south"]).ref

    assert "ROLLOUT" == bench.workspace.store.records.get([ref])[ref].fields["name"]


def test_a_part_that_is_read_before_it_is_pulled_is_nobodys_edit() -> None:
    """A CRM lists late what it shows at once; what was not there yet as it was pulled was not taken back."""
    bench, ids = unclear("drop_before", name="New", stage="proposal", bant__budget="yes")
    south = bench.crms["south"]
    record = south.deal(ids["south"])
    south.records[record.ref] = replace(record, fields={**record.fields, "bant.budget": "yes"}, version="part")
    (receipt,) = reconcile(bench.workspace, "r3")
    plan = make_plan(bench.workspace).plan

    assert "read back: only bant.budget is known to have arrived" == receipt.message
    assert [("south", ["name", "stage"])] == [(c.connection, [edit.name for edit in c.edits]) for c in plan.changes]


def test_of_an_update_that_did_not_arrive_nothing_was_rounded() -> None:
    """A person enters what a CRM might have made of the amount: it is an edit, as the name that went with it is not."""
    bench, ids = unclear("drop_before", name="New", amount=Money(Decimal("10.75"), "EUR"))
    bench.crms["south"].edit_deal(ids["south"], amount=Money(Decimal(11), "EUR"))
    cycle = run_cycle(bench.workspace, "r3")
    deals = {name: bench.crms[name].deal(number).fields for name, number in ids.items()}

    assert ["read back: it was not done"] == [receipt.message for receipt in cycle.reconciled]
    assert {("New", Money(Decimal(11), "EUR"))} == {(fields["name"], fields["amount"]) for fields in deals.values()}


def test_a_value_that_was_there_before_is_none_that_a_crm_rounded() -> None:
    """The write did not arrive. What stood there looks like a form of what was sent, and stands for nothing."""
    bench, ids = unclear("drop_before", amount=Money(Decimal(100), "EUR"))
    reconcile(bench.workspace, "r3")
    run_cycle(bench.workspace, "r4")
    bench.clock.sleep(600)
    bench.crms["north"].edit_deal(ids["north"], amount=Money(Decimal("100.25"), "EUR"), name="New")
    bench.crms["south"].faults.append("drop_before")
    for run in ("r5", "r6", "r7"):
        run_cycle(bench.workspace, run)
        bench.clock.sleep(600)
    deals = {name: bench.crms[name].deal(number).fields for name, number in ids.items()}

    assert dict.fromkeys(TWO, ("New", Money(Decimal("100.25"), "EUR"))) == {
        name: (fields["name"], fields["amount"]) for name, fields in deals.items()
    }


def sent(bench: Bench, change: Change, seconds: float) -> Receipt:
    """Let a run be killed right after it sent a change, and reconcile some seconds later."""
    bench.workspace.store.journal.intend("killed", [change], bench.workspace.clock.now())
    bench.clock.sleep(seconds)
    (receipt,) = reconcile(bench.workspace, "r")
    return receipt


@pytest.mark.parametrize(("seconds", "outcome"), [(59, Outcome.UNKNOWN), (60, Outcome.FAILED)])
@pytest.mark.parametrize("action", [Action.TASK, Action.NOTE, Action.CREATE])
def test_what_was_sent_a_moment_ago_may_still_arrive(action: Action, seconds: int, outcome: Outcome) -> None:
    """A second task, note or company would be made of it, so it is not sent again before that is over."""
    bench = make_bench(parts=dict.fromkeys(TWO, (0, 0)))
    deal = bench.crms["north"].create_deal("Rollout", stage="qualification")
    more = {"target": None, "creates": Kind.COMPANY} if action is Action.CREATE else {"target": deal}

    assert outcome == sent(bench, make_change(action=action, key="crmbridge:k", **more), seconds).outcome


def test_what_was_sent_a_moment_ago_and_is_there_was_done() -> None:
    """Only what is not there may still arrive."""
    bench = make_bench(parts=dict.fromkeys(TWO, (0, 0)))
    deal = bench.crms["north"].create_deal("Rollout", stage="qualification")
    note = make_change(action=Action.NOTE, key="crmbridge:k", target=deal, edits=(FieldEdit("body", None, "Said"),))
    bench.workspace.adapter("north").write([note])

    assert Outcome.APPLIED == sent(bench, note, 0).outcome


def test_what_can_be_made_only_once_is_sent_again_at_once() -> None:
    """A deal with its key, where the CRM takes a key once; and what is no more when it is done twice."""
    bench = make_bench(parts=dict.fromkeys(TWO, (0, 0)))
    deal = bench.crms["north"].create_deal("Rollout", stage="qualification")
    creation = make_change(1, action=Action.CREATE, key="crmbridge:k", target=None)
    others = (make_change(2, target=deal), make_change(3, action=Action.ARCHIVE, target=deal))

    assert {Outcome.FAILED} == {sent(bench, change, 0).outcome for change in (creation, *others)}


def test_where_a_crm_takes_a_key_twice_a_deal_is_not_sent_again_at_once() -> None:
    """The first one may still arrive, and would be a second deal."""
    bench = make_bench(parts=dict.fromkeys(TWO, (0, 0)))
    bench.crms["north"].unique_keys = False

    assert Outcome.UNKNOWN == sent(bench, make_change(action=Action.CREATE, key="crmbridge:k", target=None), 0).outcome


def test_a_deletion_was_done_when_the_record_is_gone() -> None:
    """Whoever did it."""
    bench = make_bench(parts=dict.fromkeys(TWO, (0, 0)))
    deal = bench.crms["north"].create_deal("Rollout", stage="qualification")
    bench.crms["north"].delete_deal(deal.id)

    assert Outcome.APPLIED == sent(bench, make_change(action=Action.ARCHIVE, target=deal), 0).outcome


def test_a_task_that_was_to_be_taken_back_is_looked_for_by_its_marker() -> None:
    """On the deal that it was written on, as the CRM does not let us read it."""
    bench = make_bench(parts=dict.fromkeys(TWO, (0, 0)))
    north, workspace = bench.crms["north"], bench.workspace
    deal, other = (north.create_deal(name, stage="qualification") for name in ("Rollout", "Other"))
    edits = (FieldEdit("subject", None, "Call"),)
    written = [
        make_change(n, action=Action.TASK, target=on, key="k", edits=edits) for n, on in enumerate((other, deal))
    ]
    workspace.store.journal.intend("r", written, bench.clock.now())
    receipts = workspace.adapter("north").write(written)
    workspace.store.journal.settle("r", receipts, {}, bench.clock.now())
    task = receipts[1].ref
    assert task is not None

    back = make_change("back", action=Action.ARCHIVE, target=task, key="k", edits=())
    assert Outcome.FAILED == sent(bench, back, 0).outcome
    north.remove(task)
    assert Outcome.APPLIED == sent(bench, replace(back, id="again"), 0).outcome
