"""A process that is killed in the middle of its writes leaves nothing half done, nothing doubled, nothing to mend."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol
from unittest.mock import patch

import pytest
import yaml

from crmbridge.app import open_workspace
from crmbridge.cli.plan_files import save_plan
from crmbridge.clock import SystemClock
from crmbridge.engine.deals.activities import by_deal
from crmbridge.engine.sync.matching import external_key, link_id
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.plugins import SandboxSpec, load_plugins
from crmbridge.ports import StateStore
from crmbridge.sandbox import SandboxOptions, Served, serve
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.running import run_apply, run_steps
from crmbridge.services.workspace import Workspace
from crmbridge.store import open_store
from crmbridge.testing.factories import make_change, make_plan
from crmbridge.testing.pytest_plugin import CommandProject

PARTS = {"left": (0.0, 0.7), "right": (0.3, 1.0)}


@dataclass
class Assassin:
    """Stands before the sandboxes, and kills the process at its first write of one action: before it is done, or after.

    A request is a write when the journal has intents without an outcome, and its path is one of `paths`, where some
    are named: an adapter may look before it writes.
    """

    project: CommandProject
    action: Action
    carried_out: bool
    paths: str = ""
    process: subprocess.Popen[bytes] | None = None
    ready: threading.Event = field(default_factory=threading.Event)
    struck: bool = False

    def guard(self, app: Any) -> Any:
        """Put it before a sandbox's app."""

        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http" or self.struck or not self._is_the_one(f"{scope['method']} {scope['path']}"):
                await app(scope, receive, send)
                return
            if self.carried_out:
                await app(scope, receive, _swallow)
            self.strike()
            await send({"type": "http.response.start", "status": 500, "headers": []})
            await send({"type": "http.response.body"})

        return guarded

    def strike(self) -> None:
        """Kill the process, which has no time to do anything about it."""
        self.ready.wait(30)
        assert self.process is not None
        self.struck = True
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def _is_the_one(self, request: str) -> bool:
        if not re.search(self.paths, request):
            return False
        with state_of(self.project) as store:
            return any(entry.change.action is self.action for entry in (store.journal.unsettled() if store else ()))


async def _swallow(_message: Any) -> None:
    """Let nobody hear the answer."""


@contextlib.contextmanager
def state_of(project: CommandProject) -> Iterator[StateStore | None]:
    """Open the state of a project, where it has one already."""
    path = project.folder / ".crmbridge" / "state.db"
    if not path.exists():
        yield None
        return
    with contextlib.closing(open_store(f"sqlite:///{path}")) as store:
        yield store


def two_sandboxes() -> list[SandboxSpec]:
    """Give two of the sandboxes that are installed, or one twice; the test is skipped when there is none."""
    specs = list(load_plugins().sandboxes().values())
    if not specs:
        pytest.skip("no plugin with a sandbox is installed")
    return (specs * 2)[:2]


class Guard(Protocol):
    """Stands before the sandboxes."""

    def guard(self, app: Any) -> Any:
        """Put it before a sandbox's app."""
        ...


@contextlib.contextmanager
def connected(
    project: CommandProject, guard: Guard, parts: Mapping[str, tuple[float, float]] = PARTS, deals: int = 10
) -> Iterator[dict[str, str]]:
    """Connect a project to two sandboxes that hold parts of one company's deals; give the variables it needs."""
    with contextlib.ExitStack() as stack:
        served: dict[str, tuple[SandboxSpec, Served]] = {}
        for (name, part), spec in zip(parts.items(), two_sandboxes(), strict=True):
            sandbox = spec.build(SandboxOptions(seed=7, deals=deals, part=part, limit="none"))
            served[name] = (spec, stack.enter_context(serve(replace(sandbox, app=guard.guard(sandbox.app)))))
        settings = {
            "version": 1,
            "process": "processes/b2b.yaml",
            "connections": {
                name: {
                    "adapter": spec.name,
                    "base_url": at.url,
                    "currency": "EUR",
                    spec.credential: {"env": f"TOKEN_{name.upper()}"},
                    "fields": dict(spec.fields),
                }
                for name, (spec, at) in served.items()
            },
            "stages": {n: {"pipeline": s.pipeline, "map": dict(s.stages)} for n, (s, _) in served.items()},
            "sync": [{"name": "main", "between": list(PARTS), "create": list(PARTS)}],
            "enforce": [{"rule": "*.sla", "action": "task"}],
        }
        project.write("crmbridge.yaml", yaml.safe_dump(settings, sort_keys=False))
        yield {f"TOKEN_{name.upper()}": at.token for name, (_, at) in served.items()}


def run_and_be_killed(project: CommandProject, assassin: Assassin, tokens: dict[str, str], *command: str) -> int:
    """Apply the plan, or run another command, and give how the process ended."""
    with subprocess.Popen(  # noqa: S603  the project's own command
        project.command(*(command or ("apply", "plan.json", "--yes"))),
        cwd=project.folder,
        env={**os.environ, **tokens},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        assassin.process = process
        assassin.ready.set()
        return process.wait(60)


@pytest.mark.parametrize(("action", "carried_out"), [(Action.CREATE, True), (Action.TASK, True), (Action.TASK, False)])
def test_the_next_run_finishes_what_a_killed_one_began(
    crmbridge_project: CommandProject, action: Action, *, carried_out: bool
) -> None:
    """Everything that was planned is there once, the journal accounts for it, and then all is quiet."""
    project = crmbridge_project
    assassin = Assassin(project=project, action=action, carried_out=carried_out)
    with connected(project, assassin) as tokens:
        project.run("plan", "--out", "plan.json", **tokens).expect(0)
        planned = json.loads((project.folder / "plan.json").read_text("utf-8"))
        before = activities(project)
        assert -signal.SIGKILL == run_and_be_killed(project, assassin, tokens)
        assert 11 != project.run("run", **tokens).exit_code, "a dead process of this machine holds nothing"
        run_later(project, tokens)
        rows = journal(project)
        project.run("run", **tokens)

    assert assassin.struck
    assert rows == journal(project), "the last run had nothing left to write"
    assert all(outcomes[-1] is Outcome.APPLIED for outcomes in rows.values()), rows
    assert {change["id"] for change in planned["changes"]} <= set(rows)
    assert_nothing_is_doubled(project, before)


AMENDS = r"PATCH .*/activities/|/tasks/batch/update|PATCH .*/composite/sobjects"


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_task_is_ended_once_though_the_run_is_killed(crmbridge_project: CommandProject, *, carried_out: bool) -> None:
    """Its finding was waived; whether the CRM had heard of it or not, the next run finishes, and then all is quiet."""
    project = crmbridge_project
    assassin = Assassin(project=project, action=Action.AMEND, carried_out=carried_out, paths=AMENDS)
    with connected(project, assassin) as tokens:
        project.run("enforce", **tokens)
        found = json.loads(project.run("findings", "--rule", "*.sla", "--json", **tokens).out)["result"]["findings"]
        by = ("--by", "Ann Lee", "--why", "a pilot", "--until", "30d")
        project.run("findings", "waive", found[0]["id"], *by, **tokens).expect(0)
        assert -signal.SIGKILL == run_and_be_killed(project, assassin, tokens, "enforce")
        run_later(project, tokens)
        rows = journal(project)
        project.run("enforce", **tokens)
        project.run("pull", **tokens).expect(0)

    assert assassin.struck
    assert rows == journal(project), "the last run had nothing left to write"
    assert {Outcome.APPLIED} == {outcomes[-1] for outcomes in rows.values()}
    deal = Ref(found[0]["deal"][0], Kind.DEAL, found[0]["deal"][2])
    with state_of(project) as store:
        assert store is not None
        hanging = by_deal(store.records.records(deal.connection, Kind.ACTIVITY)).get(deal.id, ())
        amended = [e.change for e in store.journal.entries() if e.change.action is Action.AMEND and e.outcome is None]
    ours = [each for each in hanging if str(each.fields["subject"]).endswith(f"({found[0]['rule']})")]
    assert [True] == [each.fields["done"] for each in ours]
    assert {found[0]["id"]} == {change.finding for change in amended}


class Later(SystemClock):
    """The machine's clock, two minutes ahead: nothing that was sent before can still be under way."""

    def now(self) -> datetime:
        """Give the time as it will be."""
        return super().now() + timedelta(minutes=2)


@contextlib.contextmanager
def opened_later(project: CommandProject, tokens: Mapping[str, str]) -> Iterator[Workspace]:
    """Open the project in this process, two minutes later."""
    with patch.dict(os.environ, tokens), open_workspace(project.folder, clock=Later()) as workspace:
        yield workspace


def run_later(project: CommandProject, tokens: Mapping[str, str]) -> None:
    """Run a cycle as cron would, when what was sent a moment ago has arrived or never will."""
    with opened_later(project, tokens) as workspace:
        run_steps(workspace, "cycle")


def journal(project: CommandProject) -> dict[str, list[Outcome | None]]:
    """Give each change's rows, oldest first."""
    rows: dict[str, list[Outcome | None]] = {}
    with state_of(project) as store:
        assert store is not None
        for entry in store.journal.entries():
            rows.setdefault(entry.change.id, []).append(entry.outcome)
    return rows


def activities(project: CommandProject) -> Counter[Any]:
    """Give how many activities each deal has."""
    with state_of(project) as store:
        assert store is not None
        found = {name: by_deal(store.records.records(name, Kind.ACTIVITY)) for name in PARTS}
    return Counter({Ref(name, Kind.DEAL, deal): len(each) for name in PARTS for deal, each in found[name].items()})


def assert_nothing_is_doubled(project: CommandProject, before: Counter[Any]) -> None:
    """Each deal is there once in each CRM, and each task once on its deal."""
    with state_of(project) as store:
        assert store is not None
        for name in PARTS:
            names = Counter(deal.fields["name"] for deal in store.records.records(name, Kind.DEAL))
            assert [1] == sorted(set(names.values())), names
        done = [entry.change for entry in store.journal.entries() if entry.outcome is Outcome.APPLIED]
    tasks = Counter(change.target for change in done if change.action is Action.TASK)
    assert tasks
    after = activities(project)
    assert tasks == Counter({ref: after[ref] - before[ref] for ref in tasks})


# ── Many times, at random moments ───────────────────────────────────────────────────────────────────────

HALVES = (0, 1)  # that several workers of a test run can do side by side
ROUNDS = max(int(os.environ.get("CRMBRIDGE_KILLS", "10")) // len(HALVES), 1)
REQUESTS = 14  # about as many as applying one of the plans below takes


@dataclass
class Sniper:
    """Stands before the sandboxes, and kills a process at its n-th request, or a moment after."""

    chance: random.Random
    process: subprocess.Popen[bytes] | None = None
    left: int = 0
    hit: int = 0

    def guard(self, app: Any) -> Any:
        """Put it before a sandbox's app."""

        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http" and self.process is not None:
                self.left -= 1
                if self.left == 0:
                    self.aim()
            await app(scope, receive, send)

        return guarded

    def aim(self) -> None:
        """Strike now, or within the time that a few writes to the state take."""
        delay = self.chance.choice((0.0, 0.0, 0.003, 0.01, 0.03))
        timer = threading.Timer(self.chance.random() * delay, self.strike, [self.process])
        timer.run() if delay == 0.0 else timer.start()

    def strike(self, process: subprocess.Popen[bytes]) -> None:
        """Kill the process, unless it is done already."""
        if process.poll() is None:
            process.kill()
            self.hit += 1

    def watch(self, project: CommandProject, tokens: Mapping[str, str]) -> None:
        """Let a process apply the plan, and kill it somewhere on its way."""
        self.left = self.chance.randint(1, REQUESTS)
        command = project.command("apply", "plan.json", "--yes", "--quiet")
        nowhere = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)
        with subprocess.Popen(command, cwd=project.folder, env={**os.environ, **tokens}, **nowhere) as process:  # type: ignore[call-overload]  # noqa: S603
            self.process = process
            process.wait(60)
        self.process = None


def small_plan(workspace: Workspace, deal: Record, number: int) -> list[Change]:
    """Rename a deal, hang a task and a note on it, and create its counterpart: all that can be done twice."""
    name, link = f"Round {number}", link_id(deal.ref)
    workspace.store.links.save({link: [deal.ref]})
    mapped = workspace.project.settings.stages["right"].map["qualification"][0]
    position = workspace.mapper("right").position("qualification", None)
    assert mapped == (position.stage if position else None)
    usual: dict[str, Any] = {"connection": "left", "target": deal.ref, "expects": deal.version, "reason": "a test"}
    say = (FieldEdit("body", None, f"{name} is here"),)
    return [
        make_change(id=f"u{number}", edits=(FieldEdit("name", deal.fields["name"], name),), **usual),
        make_change(
            id=f"t{number}",
            action=Action.TASK,
            edits=(FieldEdit("subject", None, name), *say),
            key=f"crmbridge:t{number}",
            **usual,
        ),
        make_change(id=f"n{number}", action=Action.NOTE, edits=say, key=f"crmbridge:n{number}", **usual),
        make_change(
            id=f"c{number}",
            action=Action.CREATE,
            edits=(FieldEdit("name", None, name),),
            key=external_key(link),
            link=link,
            position=position,
            **{**usual, "connection": "right", "target": None, "expects": None},
        ),
    ]


@pytest.mark.parametrize("half", HALVES)
def test_killed_again_and_again_everything_is_done_once(crmbridge_project: CommandProject, half: int) -> None:
    """At random moments of applying: the same plan, applied again, does what is missing, and nothing twice.

    CRMBRIDGE_KILLS says how many times in both halves together.
    """
    project, sniper = crmbridge_project, Sniper(random.Random(2 * ROUNDS + half))
    with (
        connected(project, sniper, {"left": (0.0, 1.0), "right": (0.0, 0.0)}, deals=ROUNDS) as tokens,
        opened_later(project, tokens) as workspace,
    ):
        pull(workspace)
        deals = list(workspace.store.records.records("left", Kind.DEAL))
        for number, deal in enumerate(deals):
            plan = make_plan(*small_plan(workspace, deal, number), settings=workspace.project.digest)
            save_plan(plan, project.folder / "plan.json")
            sniper.watch(project, tokens)
            finished = run_apply(workspace, plan)
            assert 0 == finished.exit_code, finished
        assert_each_is_there_once(workspace, len(deals))

    assert ROUNDS == len(deals)
    assert sniper.hit >= ROUNDS // 2, "most of them died on the way"


def assert_each_is_there_once(workspace: Workspace, rounds: int) -> None:
    """Every deal and task has its name, no other has it, and each change was carried out."""
    pull(workspace)
    names = {f"Round {number}" for number in range(rounds)}
    for connection in ("left", "right"):
        found = Counter(str(r.fields["name"]) for r in workspace.store.records.records(connection, Kind.DEAL))
        assert dict.fromkeys(names, 1) == {name: count for name, count in found.items() if name in names}
    tasks = Counter(r.fields.get("subject") for r in workspace.store.records.records("left", Kind.ACTIVITY))
    assert dict.fromkeys(names, 1) == {name: count for name, count in tasks.items() if name in names}
    last = {entry.change.id: entry.outcome for entry in workspace.store.journal.entries()}
    assert dict.fromkeys((f"{letter}{n}" for letter in "utnc" for n in range(rounds)), Outcome.APPLIED) == last
