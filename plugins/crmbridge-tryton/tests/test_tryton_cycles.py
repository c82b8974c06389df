"""Whole cycles of the real command between a real Tryton server and HubSpot's sandbox, with people at work in both."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest

from crmbridge.app import open_workspace
from crmbridge.cli.plan_files import save_plan
from crmbridge.clock import SystemClock
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Record, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money
from crmbridge.plugins import load_plugins
from crmbridge.ports import StateStore
from crmbridge.sandbox import SandboxOptions, Served, fronted, make_world, serve
from crmbridge.services.runs.running import Ran, run_apply
from crmbridge.services.workspace import Workspace
from crmbridge.store import open_store
from crmbridge.testing.factories import make_change, make_plan
from crmbridge.testing.pytest_plugin import CommandProject
from crmbridge_tryton_server.bench import VENDOR, refuses
from crmbridge_tryton_server.colleague import Colleague, colleague
from crmbridge_tryton_server.filling import fill, holds
from crmbridge_tryton_server.hands import DEAL, TrytonHands
from crmbridge_tryton_server.installing import PASSWORD
from crmbridge_tryton_server.project import PASSWORD_VARIABLE, TOKEN_VARIABLE, WORKING, write_project
from crmbridge_tryton_server.running import TrytonServer


@dataclass
class Front:
    """Stands between the command and Tryton, and does something once when the next request of a name comes."""

    method: str = ""
    act: Callable[[], None] = lambda: None
    carried_out: bool = False
    struck: bool = False
    left: int = 0  # with `act`, but without a method: it is done at this request from now on

    def guard(self, app: Any) -> Any:
        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and self.left:
                self.left -= 1
                _ = None if self.left else self.act()
            if scope["type"] != "http" or self.struck or not self.method:
                await app(scope, receive, send)
                return
            message = await receive()

            async def again() -> Any:
                return message

            if self.method.encode() not in message.get("body", b""):
                await app(scope, again, send)
                return
            self.struck = True
            if self.carried_out:
                await app(scope, again, _swallow)
            self.act()
            await (_cut(send) if self.carried_out else app(scope, again, send))

        return guarded


async def _swallow(_message: Any) -> None:
    """Let nobody hear the answer."""


async def _cut(send: Any) -> None:
    await send({"type": "http.response.start", "status": 500, "headers": []})
    await send({"type": "http.response.body"})


@dataclass(frozen=True, kw_only=True)
class Shop:
    """A project that connects the two, and the hands of people in each."""

    project: CommandProject
    tryton: TrytonHands  # for what happens to the server, and for looking
    colleague: Colleague  # who works in Tryton, through its makers' own client
    hubspot: Served
    front: Front
    tokens: dict[str, str]

    def run(self, *arguments: str, expect: int = 0) -> Any:
        """Run a command, and give its document."""
        return self.project.run(*arguments, "--json", **self.tokens).expect(expect).document

    def settle(self) -> None:
        """Bring both in step, so that what is edited from now on is seen as an edit."""
        self.run("run")

    def is_quiet(self) -> None:
        """Assert that a plan, made of what is there now, has nothing to write."""
        self.run("plan", "--detailed-exitcode", expect=0)

    def deals(self, connection: str) -> dict[str, Record]:
        """Give what the state holds of a connection's deals, by their names."""
        with self.state() as state:
            return {str(each.fields["name"]): each for each in state.records.records(connection, Kind.DEAL)}

    def outcomes(self, action: Action) -> list[Outcome | None]:
        """Give the journal's rows of the changes in Tryton with this action, oldest first."""
        with self.state() as state:
            rows = [entry for entry in state.journal.entries() if entry.change.connection == "tryton"]
        return [entry.outcome for entry in rows if entry.change.action is action]

    @contextlib.contextmanager
    def state(self) -> Iterator[StateStore]:
        with contextlib.closing(open_store(f"sqlite:///{self.project.folder}/.crmbridge/state.db")) as store:
            yield store

    def pair(self, number: int = 0) -> tuple[Record, Record]:
        """Give an open deal that both have, as a lead or an opportunity, in Tryton and in HubSpot."""
        here, there = self.deals("tryton"), self.deals("hubspot")
        names = [n for n in sorted(here) if n in there and here[n].position and here[n].position.status is Status.OPEN]
        return here[names[number]], there[names[number]]


@pytest.fixture
def shop(tryton: TrytonServer, crmbridge_project: CommandProject) -> Iterator[Shop]:
    """Give a project where both know some of one company's deals, and Tryton gets the ones that it lacks."""
    spec = load_plugins().sandboxes().get("hubspot")
    if spec is None:
        pytest.skip("the plugin hubspot is not installed")
    options = SandboxOptions(seed=7, deals=12, now=datetime.now(UTC) - timedelta(minutes=5), limit="none")
    world = make_world(options.seed, options.deals, options.as_of)
    tryton.load(tryton.empty)
    fill(tryton, world, [holds(deal) for deal in world.part((0.0, 0.9))])
    front, hands = Front(), TrytonHands(tryton)
    behind = fronted(name="tryton", url=tryton.url, state=hands, vendor=VENDOR, options=options, refuses=refuses)
    with (
        behind as sandbox,
        serve(replace(sandbox, app=front.guard(sandbox.app))) as served,
        serve(spec.build(replace(options, part=(0.2, 1.0)))) as hubspot,
        colleague(tryton) as person,
    ):
        tokens = {PASSWORD_VARIABLE: PASSWORD, TOKEN_VARIABLE: hubspot.token}
        write_project(crmbridge_project.folder, served.url, hubspot.url)
        yield Shop(
            project=crmbridge_project, tryton=hands, colleague=person, hubspot=hubspot, front=front, tokens=tokens
        )


def test_edits_on_both_sides_meet(shop: Shop) -> None:
    """What people edit in either is in both after one run; then there is nothing left to write."""
    shop.settle()
    shop.run("run")
    shop.is_quiet()
    (here, there), (other, its_twin) = shop.pair(0), shop.pair(1)
    shop.colleague.edit_deal(here.ref.id, amount="4321.50", description="Renamed in Tryton")
    shop.hubspot.sandbox.state.edit_deal(its_twin.ref.id, decision_maker="Somebody in HubSpot")
    shop.run("run")
    read = shop.tryton.client(DEAL, "read", [int(other.ref.id)], ["decision_maker"])

    assert Money(Decimal("4321.50"), "EUR") == shop.deals("hubspot")["Renamed in Tryton"].fields["amount"]
    assert there.ref == shop.deals("hubspot")["Renamed in Tryton"].ref
    assert "Somebody in HubSpot" == read[0]["decision_maker"]
    shop.run("run")
    shop.is_quiet()


def test_a_company_that_tryton_lacks_is_made_there(shop: Shop) -> None:
    """A deal gets a new company in HubSpot: Tryton gets one party of its name and website, and the deal is on it."""
    settings = shop.project.folder / "crmbridge.yaml"
    settings.write_text(settings.read_text("utf-8").replace("  create:\n", "  companies: create\n  create:\n"), "utf-8")
    shop.settle()
    here, there = shop.pair()
    people = shop.hubspot.sandbox.state
    people.set_company(there.ref.id, people.create_company(name="Kite & Sons", domain="kite.example"))
    shop.run("run")
    (party,) = shop.tryton.client("party.party", "search", [["name", "=", "Kite & Sons"]])
    (read,) = shop.tryton.client("party.party", "read", [party], ["website"])
    (deal,) = shop.tryton.client(DEAL, "read", [int(here.ref.id)], ["party"])

    assert ("https://kite.example", party) == (read["website"], deal["party"])
    shop.run("run")
    shop.is_quiet()


def test_a_stage_travels_by_the_buttons(shop: Shop) -> None:
    """A deal that is moved in HubSpot moves in Tryton by its buttons, and one that is moved there moves in HubSpot."""
    shop.settle()
    (here, there), (other, its_twin) = shop.pair(0), shop.pair(1)
    shop.hubspot.sandbox.state.edit_deal(there.ref.id, dealstage="closedlost")
    shop.colleague.click(other.ref.id, "lost")
    shop.run("run")
    clicked = [["event", "=", "button"], ["resource", "=", f"{DEAL},{here.ref.id}"]]
    log = shop.tryton.client("ir.model.log", "search_read", clicked, 0, None, None, ["target"])

    assert ["lost"] == [row["target"] for row in log]
    state = {name: each.position.stage for name, each in shop.deals("hubspot").items() if each.position}
    assert "closedlost" == state[str(its_twin.fields["name"])]
    shop.run("run")
    shop.is_quiet()


def test_a_broken_rule_becomes_a_note_and_is_cleared(shop: Shop) -> None:
    """A lead that goes on without its decision maker gets one note in Tryton; filling it in clears the finding."""
    shop.settle()
    name = "Handed over too early"
    deal = shop.colleague.make_deal(**_lead(shop, name))
    shop.colleague.click(deal, "opportunity")
    shop.run("run")
    shop.run("run")

    assert ["lead.who"] == _rules(shop, deal)
    assert 1 == len(_notes(shop, deal)), "one note, however often it is run"
    shop.colleague.edit_deal(deal, decision_maker="Ada")
    shop.run("run")
    assert [] == _rules(shop, deal)


def test_an_sla_is_judged_by_true_history(shop: Shop) -> None:
    """What counts is when a deal came to its stage, however lately it was edited."""
    shop.settle()
    made = [shop.colleague.make_deal(**_lead(shop, name)) for name in ("Slow", "Quick")]
    for deal, days in zip(made, (30, 1), strict=True):
        shop.colleague.edit_deal(deal, decision_maker="Ada")
        shop.colleague.click(deal, "opportunity")
        shop.tryton.let_days_pass(deal, days)
        shop.colleague.edit_deal(deal, reference=f"Edited {deal}")
    shop.run("run")

    assert [["opportunity.sla"], []] == [_rules(shop, deal) for deal in made]


def test_the_next_run_finishes_what_a_killed_one_began(shop: Shop) -> None:
    """Killed when Tryton has made a deal, and before that is known: the deal is there once, and comes to its stage."""
    shop.run("plan", "--out", "plan.json")
    plan = json.loads((shop.project.folder / "plan.json").read_text("utf-8"))
    planned = [change for change in plan["changes"] if change["action"] == "create"]
    assert -signal.SIGKILL == _apply_and_be_killed(shop, f"model.{DEAL}.create")
    let_the_lease_expire(shop)
    shop.run("run")
    shop.run("run")
    rows = shop.tryton.client(DEAL, "search_read", [], 0, None, None, ["description", "state"])
    made = {row["description"]: row["state"] for row in rows}

    assert planned
    assert len(rows) == len(made), "each deal is there once"
    assert {"opportunity"} == {made[_name(change)] for change in planned}
    assert len(planned) == shop.outcomes(Action.CREATE).count(Outcome.APPLIED)
    there = [shop.deals("hubspot")[_name(change)].position for change in planned]
    assert {True} == {place is not None and place.stage in WORKING for place in there}, "nobody moved it in HubSpot"


def test_a_deal_that_tryton_does_not_move_on_is_left_alone_elsewhere(shop: Shop) -> None:
    """An opportunity needs an employee. Without one it stays a lead there, which is nobody's decision to write back."""
    shop.run("pull")
    here, there = shop.deals("tryton"), shop.deals("hubspot")
    name = next(n for n, d in there.items() if n not in here and d.position and d.position.stage in WORKING)
    shop.hubspot.sandbox.state.edit_deal(there[name].ref.id, hubspot_owner_id="")
    shop.run("run", expect=7)
    said = [shop.project.run("run", **shop.tokens).exit_code for _ in range(2)]

    assert "lead" == _stage(shop, "tryton", name)
    assert _stage(shop, "hubspot", name) in WORKING
    assert [Outcome.APPLIED, Outcome.REFUSED] == [shop.outcomes(a)[-1] for a in (Action.CREATE, Action.UPDATE)]
    assert 7 == said[-1], "it waits for a person"


def _stage(shop: Shop, connection: str, name: str) -> str:
    place = shop.deals(connection)[name].position
    return place.stage if place else ""


def _apply_and_be_killed(shop: Shop, method: str) -> int:
    """Apply the plan, be killed once Tryton has carried out the first request of this name, and give how it ended."""
    with subprocess.Popen(  # noqa: S603  the project's own command
        shop.project.command("apply", "plan.json", "--yes"),
        cwd=shop.project.folder,
        env={**os.environ, **shop.tokens},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        shop.front.act, shop.front.carried_out = lambda: process.send_signal(signal.SIGKILL), bool(method)
        shop.front.method = method
        return process.wait(60)


def let_the_lease_expire(shop: Shop) -> None:
    """Take and give back the lease as it will be possible in eleven minutes, so that no test waits."""
    later = datetime.now(UTC) + timedelta(minutes=11)
    with shop.state() as state, state.runs.lease("test", later, timedelta(minutes=1)):
        pass


def _name(change: dict[str, Any]) -> str:
    return next(str(after) for name, _, after in change["edits"] if name == "name")


def test_an_edit_between_plan_and_apply_is_left_alone(shop: Shop) -> None:
    """What somebody edited since the plan was made is stale; the next plan starts from what is there."""
    deal = _planned_update(shop)
    shop.colleague.edit_deal(deal, decision_maker="Somebody in Tryton")
    shop.run("apply", "plan.json", "--yes", expect=8)

    assert Outcome.STALE == shop.outcomes(Action.UPDATE)[-1]
    assert "Somebody in Tryton" == _maker(shop, deal)


def test_an_edit_in_the_last_moment_is_left_alone(shop: Shop) -> None:
    """An edit that comes after everything was looked at, right before the write, makes the server refuse: stale."""
    deal = _planned_update(shop)
    shop.front.act = lambda: shop.colleague.edit_deal(deal, decision_maker="Somebody in Tryton")
    shop.front.method = f"model.{DEAL}.write"
    shop.run("apply", "plan.json", "--yes", expect=8)

    assert shop.front.struck
    assert Outcome.STALE == shop.outcomes(Action.UPDATE)[-1]
    assert "Somebody in Tryton" == _maker(shop, deal)


def _planned_update(shop: Shop) -> str:
    """Plan to bring an edit from HubSpot to Tryton, and give the deal there."""
    shop.settle()
    here, there = shop.pair()
    shop.hubspot.sandbox.state.edit_deal(there.ref.id, decision_maker="Somebody in HubSpot")
    shop.run("plan", "--out", "plan.json")
    return here.ref.id


def _maker(shop: Shop, deal: str) -> Any:
    return shop.tryton.client(DEAL, "read", [int(deal)], ["decision_maker"])[0]["decision_maker"]


def _lead(shop: Shop, name: str) -> dict[str, Any]:
    """Give a lead's values, for the party and employee of another."""
    (usual,) = shop.tryton.client(DEAL, "search_read", [["party", "!=", None]], 0, 1, None, ["party", "employee"])
    return {"description": name, "party": usual["party"], "employee": usual["employee"]}


def _rules(shop: Shop, deal: str) -> list[str]:
    """Give the rules that a deal is found to break."""
    with shop.state() as state:
        return sorted(stored.finding.rule for stored in state.findings.findings() if stored.finding.deal.id == deal)


def _notes(shop: Shop, deal: str) -> list[Any]:
    rows = shop.tryton.client(
        "ir.note", "search_read", [["resource", "=", f"{DEAL},{deal}"]], 0, None, None, ["message"]
    )
    return [row["message"] for row in rows]


ROUNDS = max(int(os.environ.get("CRMBRIDGE_KILLS", "10")) // 5, 4)
MOST_ROUNDS = 3 * ROUNDS


class Later(SystemClock):
    """The machine's clock, two minutes ahead: nothing that was sent before can still be under way."""

    def now(self) -> datetime:
        """Give the time as it will be."""
        return super().now() + timedelta(minutes=2)


def test_killed_again_and_again_everything_is_done_once(shop: Shop) -> None:
    """At random moments of applying: the same plan, applied again, does what is missing, and nothing twice.

    A fifth of CRMBRIDGE_KILLS says how many times it is killed; a round that ends before its moment is played as well.
    """
    shop.run("pull")
    chance, deals = random.Random(ROUNDS), [one for one, _ in map(shop.pair, range(2))]
    kills = rounds = 0
    with (
        patch.dict(os.environ, shop.tokens),
        open_workspace(shop.project.folder, clock=Later()) as workspace,
    ):
        while kills < ROUNDS and rounds < MOST_ROUNDS:
            number, rounds = rounds, rounds + 1
            ref = deals[number % len(deals)].ref
            deal = workspace.adapter("tryton").read([ref])[ref]
            plan = make_plan(*_small_plan(workspace, deal, number), settings=workspace.project.digest)
            save_plan(plan, shop.project.folder / "plan.json")
            shop.front.left = chance.randint(1, 10)
            kills += -signal.SIGKILL == _apply_and_be_killed(shop, "")
            finished = run_apply(workspace, plan)
            assert 0 == finished.exit_code, said(finished)
    rows = shop.tryton.client(DEAL, "search_read", [], 0, None, None, ["description"])
    names = Counter(row["description"] for row in rows)
    notes = Counter(note for deal in deals for note in _notes(shop, deal.ref.id))
    expected = {f"Made {number}": 1 for number in range(rounds)}

    assert expected == {name: count for name, count in names.items() if name in expected}
    assert [1] * rounds == [sum(c for n, c in notes.items() if f"Note {number}." in str(n)) for number in range(rounds)]
    assert ROUNDS == kills


def said(ran: Ran) -> list[str]:
    """Give what became of each change, for a test that fails."""
    return [str(receipt) for _, receipt in ran.cycle.applied.done] if ran.cycle else []


def _small_plan(workspace: Workspace, deal: Record, number: int) -> list[Change]:
    """Rename a deal, put a note on it, and create another one: all that can be done twice."""
    usual: dict[str, Any] = {"connection": "tryton", "target": deal.ref, "expects": deal.version, "reason": "a test"}
    text, key = f"Note {number}.", f"crmbridge:n{number}"
    link = f"lnk{number:013x}"
    made = {**usual, "target": None, "expects": None}
    stages = workspace.project.settings.stages["tryton"].map
    position = next(
        p for s in stages if (p := workspace.mapper("tryton").position(s, None)) and p.status is Status.OPEN
    )
    rename = (FieldEdit("name", deal.fields["name"], f"Round {number}"),)
    return [
        make_change(id=f"u{number}", edits=rename, **usual),
        make_change(id=f"n{number}", action=Action.NOTE, edits=(FieldEdit("body", None, text),), key=key, **usual),
        make_change(
            id=f"c{number}",
            action=Action.CREATE,
            edits=(FieldEdit("name", None, f"Made {number}"), FieldEdit("company", None, deal.fields.get("company"))),
            key=f"crmbridge:{link}",
            position=position,
            **made,
        ),
    ]
