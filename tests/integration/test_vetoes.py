"""What a plugin vetoes waits where people look, until the plugin lets it pass or nobody wants it any more."""

from __future__ import annotations

import types
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from tests.integration.two_way import FIRM, TEN, add, entry, run
from tests.unit.services.able import able_bench

from crmbridge.hookspecs import hookimpl
from crmbridge.model.changes import Action, Cause, Change, Origin
from crmbridge.model.records import Kind
from crmbridge.model.values import Value
from crmbridge.ports import StateStore, Waiting
from crmbridge.services.answers.explaining import explain
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.runs.cycle import run_cycle, writing
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.workspaces import Bench, make_bench

REVERT = [{"rule": "qualification.bant", "action": "revert"}]
WHY = "not on Mondays"


class Picky:
    """A plugin that says no to what enforcement, or sync, asks for."""

    def __init__(self, origin: Origin) -> None:
        self.origin: Origin | None = origin
        self.plugin = types.ModuleType("picky")

        @hookimpl
        def crmbridge_before_apply(changes: Sequence[Change]) -> Iterable[tuple[str, str]]:
            return [(change.id, WHY) for change in changes if change.origin is self.origin]

        vars(self.plugin)["crmbridge_before_apply"] = crmbridge_before_apply

    def shop(self, store: StateStore, **settings: Any) -> Bench:
        """Make a bench with the plugin."""
        parts = {"north": (0, 0), "south": (0, 0)}
        return make_bench(parts=parts, store=store, enforce=REVERT, plugins={"picky": self.plugin}, **settings)


class PickyOfDeals:
    """A plugin that lets no deal of a name be made."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.plugin = types.ModuleType("picky")

        @hookimpl
        def crmbridge_before_apply(changes: Sequence[Change]) -> Iterable[tuple[str, str]]:
            made = (change for change in changes if change.action is Action.CREATE and change.creates is Kind.DEAL)
            return [(change.id, WHY) for change in made if change.after["name"] == self.name]

        vars(self.plugin)["crmbridge_before_apply"] = crmbridge_before_apply


def around(crm: FakeCrm) -> list[Value]:
    """Give the company and the contact that a CRM was given, by their names."""
    names = [record.fields["name"] for _, record in sorted(crm.records.items())]
    return [name for name in (FIRM["name"], "Ann") for each in names if each == name]


def moved(bench: Bench) -> None:
    """Link a deal, and let a person move it on in the north, against a rule."""
    native = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    bench.crms["north"].move_deal(native, "proposal")


def only(bench: Bench) -> Waiting:
    (one,) = bench.workspace.store.waiting.all()
    return one


def where(bench: Bench) -> dict[str, str]:
    """Give the stages of the deals in each CRM."""
    found = {name: [crm.deal(native).position for native in crm.deal_ids()] for name, crm in bench.crms.items()}
    return {name: at.stage for name, positions in found.items() for at in positions if at}


def test_a_way_back_that_a_plugin_vetoes_waits_with_its_reason_and_who_waits_for_it(store: StateStore) -> None:
    """From the first run on, also after a plan, and for whoever asks for the deal that waits."""
    bench = Picky(Origin.ENFORCE).shop(store)
    moved(bench)
    run(bench)
    first = only(bench)
    run(bench)
    with writing(bench.workspace, "plan") as name:
        run_cycle(bench.workspace, name, write=False)

    assert first == only(bench)
    assert ("stage", Cause.VETO) == (first.item.name, first.item.cause)
    why = f"a plugin said no to moving it back, and its stage in south waits for that: {WHY}"
    assert why == first.item.reason
    assert {"north": "proposal", "south": "qualification"} == where(bench)
    assert (first,) == explain(bench.workspace, "south:d1").waiting


def test_what_the_plugin_lets_pass_waits_no_more(store: StateStore) -> None:
    """And the run that writes it asks nobody."""
    picky = Picky(Origin.ENFORCE)
    bench = picky.shop(store)
    moved(bench)
    vetoed = run(bench)
    picky.origin = None
    let_pass = run(bench)

    assert (7, 0) == (vetoed.exit_code(), let_pass.exit_code())
    assert () == bench.workspace.store.waiting.all()
    assert {"north": "qualification", "south": "qualification"} == where(bench)


def test_what_nobody_wants_any_more_waits_no_more(store: StateStore) -> None:
    """Somebody moved the deal back by hand."""
    bench = Picky(Origin.ENFORCE).shop(store)
    moved(bench)
    run(bench)
    bench.crms["north"].move_deal("d1", "qualification")
    cycle = run(bench)

    assert (0, ()) == (cycle.exit_code(), bench.workspace.store.waiting.all())


def test_what_sync_may_not_write_waits_as_well(store: StateStore) -> None:
    """An edit and a creation, through plans and runs, since the first of them."""
    picky = Picky(Origin.SYNC)
    bench = picky.shop(store)
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    run(bench)
    created = only(bench)
    run(bench)
    again = only(bench)
    picky.origin = None
    run(bench)
    made = bench.workspace.store.waiting.all()
    picky.origin = Origin.SYNC
    bench.crms["north"].edit_deal("d1", name="Roll-out")
    run(bench)
    with writing(bench.workspace, "plan") as name:
        run_cycle(bench.workspace, name, write=False)

    assert (created, ()) == (again, made)
    assert (Cause.VETO, f"a plugin said no: {WHY}") == (created.item.cause, created.item.reason)
    assert ("name", Cause.VETO) == (only(bench).item.name, only(bench).item.cause)


def test_what_enforcement_asks_of_a_person_waits_also_while_its_crm_is_down(store: StateStore) -> None:
    """It was asked before, and is asked since then."""
    bench = make_bench(parts={"north": (0, 0)}, store=store, enforce=REVERT)
    crm = bench.crms["north"]
    crm.create_deal("Rollout", stage="qualification")
    bench.clock.advance(TEN)
    crm.move_deal("d1", "proposal")
    run(bench)
    crm.move_deal("d1", "proposal")
    run(bench)
    asked = only(bench)
    crm.faults.append("revoked")
    down = run(bench)

    assert (Cause.MOVE, "stage") == (asked.item.cause, asked.item.name)
    assert down.errors
    assert asked == only(bench)


def test_a_deal_whose_way_back_is_vetoed_gets_no_counterpart_and_says_so(store: StateStore) -> None:
    """It would be made where the deal may not stand."""
    bench = Picky(Origin.ENFORCE).shop(store)
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    bench.clock.advance(TEN)
    bench.crms["north"].move_deal("d1", "proposal")
    run(bench)

    assert {"north": "proposal"} == where(bench)
    assert "its stage in south waits for that" in only(bench).item.reason


@pytest.mark.parametrize("others", [0, 1])
def test_a_company_is_not_made_for_a_deal_that_must_not_be_made(others: int) -> None:
    """Nor is its contact; it is made as soon as the plugin lets pass what needs it, once."""
    picky = PickyOfDeals("Secret")
    bench = able_bench(**entry(companies="create", contacts="create"), plugins={"picky": picky.plugin})
    north, south = bench.crms["north"], bench.crms["south"]
    company = add(bench, "north", Kind.COMPANY, "c1", **FIRM)
    person = add(bench, "north", Kind.CONTACT, "p1", name="Ann", email="ann@acme.example", company=company)
    for name in ("Secret", "Open")[: 1 + others]:
        north.create_deal(name, stage="qualification", company=company, contacts=(person,))
    run(bench)
    first = around(south)
    picky.name = ""
    last = [run(bench), run(bench)]

    assert others * [FIRM["name"], "Ann"] == first
    assert [0, 0] == [cycle.exit_code() for cycle in last]
    assert [FIRM["name"], "Ann"] == around(south)
    assert "Secret" in {south.deal(each).fields["name"] for each in south.deal_ids()}


def test_what_is_vetoed_now_does_not_count_as_written_before(store: StateStore) -> None:
    """An earlier run made the deal, and the receipt of this one says that the plugin refuses it."""
    picky = PickyOfDeals("another")
    parts = {"north": (0, 0), "south": (0, 0)}
    bench = make_bench(parts=parts, store=store, plugins={"picky": picky.plugin})
    bench.crms["north"].create_deal("Rollout", stage="qualification")
    plan = run(bench).plan
    assert plan is not None
    (made,) = plan.changes
    again = apply_plan(bench.workspace, plan, "again")
    picky.name = "Rollout"
    vetoed = apply_plan(bench.workspace, plan, "once more")

    assert ({made.id}, set()) == (again.before, vetoed.before)
    assert [(made, WHY)] == [(change, receipt.message) for change, receipt in vetoed.done]


def test_what_a_plugin_vetoes_of_a_decision_is_no_later_edit_once_it_passes() -> None:
    """North wins over south, and only west may be written; then south gets that as well."""
    south_only = types.ModuleType("south_only")
    is_asked = [True]

    @hookimpl
    def crmbridge_before_apply(changes: Sequence[Change]) -> Iterable[tuple[str, str]]:
        return [(change.id, WHY) for change in changes if change.connection == "south" and is_asked[0]]

    names = ("north", "south", "west")
    vars(south_only)["crmbridge_before_apply"] = crmbridge_before_apply
    bench = make_bench(parts=dict.fromkeys(names, (0, 0)), plugins={"south_only": south_only}, **entry(*names))
    is_asked[0] = False
    north = bench.crms["north"].create_deal("Rollout", stage="qualification").id
    run(bench)
    run(bench)
    (south,) = bench.crms["south"].deal_ids()
    bench.crms["south"].edit_deal(south, name="An older name")
    bench.clock.advance(TEN)
    bench.crms["north"].edit_deal(north, name="A newer name")
    is_asked[0] = True
    run(bench)
    is_asked[0] = False
    run(bench)

    crms = bench.crms.values()
    assert {"A newer name"} == {crm.deal(native).fields["name"] for crm in crms for native in crm.deal_ids()}
