"""A process that is killed in the middle of its writes leaves nothing half done, nothing doubled, nothing to mend."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from crmbridge.engine.activities import tally
from crmbridge.model.changes import Action, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.plugins import SandboxSpec, load_plugins
from crmbridge.ports import StateStore
from crmbridge.sandbox import SandboxOptions, Served, serve
from crmbridge.store import open_store
from crmbridge.testing.pytest_plugin import CommandProject

PARTS = {"left": (0.0, 0.7), "right": (0.3, 1.0)}


@dataclass
class Assassin:
    """Stands before the sandboxes, and kills the process at its first write of one action: before it is done, or after.

    A request is a write when the journal has intents without an outcome.
    """

    project: CommandProject
    action: Action
    carried_out: bool
    process: subprocess.Popen[bytes] | None = None
    ready: threading.Event = field(default_factory=threading.Event)
    struck: bool = False

    def guard(self, app: Any) -> Any:
        """Put it before a sandbox's app."""

        async def guarded(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] != "http" or self.struck or not self._is_the_one():
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

    def _is_the_one(self) -> bool:
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


@contextlib.contextmanager
def connected(project: CommandProject, assassin: Assassin) -> Iterator[dict[str, str]]:
    """Connect a project to two sandboxes that hold parts of one company's deals; give the variables it needs."""
    with contextlib.ExitStack() as stack:
        served: dict[str, tuple[SandboxSpec, Served]] = {}
        for (name, part), spec in zip(PARTS.items(), two_sandboxes(), strict=True):
            sandbox = spec.build(SandboxOptions(seed=7, deals=10, part=part, limit="none"))
            served[name] = (spec, stack.enter_context(serve(replace(sandbox, app=assassin.guard(sandbox.app)))))
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


def run_and_be_killed(project: CommandProject, assassin: Assassin, tokens: dict[str, str]) -> int:
    """Apply the plan, and give how the process ended."""
    with subprocess.Popen(  # noqa: S603  the project's own command
        project.command("apply", "plan.json", "--yes"),
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
        project.run("run", **tokens).expect(11)
        let_the_lease_expire(project)
        project.run("run", **tokens)
        rows = journal(project)
        project.run("run", **tokens)

    assert assassin.struck
    assert rows == journal(project), "the last run had nothing left to write"
    assert all(outcomes[-1] is Outcome.APPLIED for outcomes in rows.values()), rows
    assert {change["id"] for change in planned["changes"]} <= set(rows)
    assert_nothing_is_doubled(project, before)


def let_the_lease_expire(project: CommandProject) -> None:
    """Take and give back the lease as it will be possible in eleven minutes, so that no test waits."""
    with state_of(project) as store:
        assert store is not None
        with store.runs.lease("test", datetime.now(UTC) + timedelta(minutes=11), timedelta(minutes=1)):
            pass


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
        found = {name: tally(store.records.records(name, Kind.ACTIVITY)) for name in PARTS}
    return Counter(
        {Ref(name, Kind.DEAL, deal): each.done + each.open for name in PARTS for deal, each in found[name].items()}
    )


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
