"""The plays by hand on sandboxes: real adapters, requests that go wrong, and kills in runs and in what people decide.

Whoever is cut off in the middle of a decision decides the same once more. Any earlier run may be undone.
"""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, cast

import httpx

from crmbridge.engine.views import STAGE
from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Change, Plan, Receipt
from crmbridge.model.records import Kind, Position, Record, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.ports import Adapter, StateStore
from crmbridge.sandbox import VirtualClock
from crmbridge.services.runs.cycle import LEASE, finish, run_cycle, writing
from crmbridge.services.workspace import Workspace
from crmbridge.testing.simulation import by_hand
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.by_hand_oracle import FIELDS
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.fuse import Fuse, Killed, burning_at_commits
from crmbridge.testing.simulation.scene import Scene, make_scene, usual_settings
from crmbridge.testing.simulation.telling import tell_answer, tell_cycle
from crmbridge.testing.simulation.watching import FAULTS
from crmbridge.testing.workspaces import Bench

CLOSES = date(2026, 9, 1)  # no opportunity of Salesforce is made without


class Table:
    """What a bench is to a play: the CRMs, and the workspace as the process that is at work has it."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.crms = {name: Crm(account) for name, account in scene.accounts.items()}
        self.clock: VirtualClock = scene.clock
        self.workspace = self._opened()

    def open_anew(self) -> None:
        """Go on as a new process, once what the one before it held is free."""
        self.workspace.close()
        self._scene.state.open()
        self.workspace = self._opened()
        self.clock.advance(LEASE + timedelta(minutes=1))

    def _opened(self) -> Workspace:
        scene = self._scene
        store = cast("StateStore", scene.state)
        return Workspace(project=scene.project, store=store, clock=scene.clock, plugins=scene.plugins)


class Crm:
    """An account with the hands that a CRM in memory has."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.bin: list[Ref] = []

    @property
    def writes(self) -> int:
        """How often it was written to."""
        return self.account.writes

    @property
    def records(self) -> Mapping[Ref, Record]:
        """All that is there now; deals stand in stages of the process."""
        self.account.look_again()
        seen = self.account.sight.view
        return {
            ref: replace(record, position=Position("", str(seen(record).get(STAGE)), Status.OPEN))
            if ref.kind is Kind.DEAL
            else record
            for ref, record in self.account.records.items()
        }

    def create_deal(self, name: str, *, stage: str, amount: Value) -> Ref:
        """Create a deal."""
        fields: dict[str, Value] = {"close_date": CLOSES, **({} if amount is None else {"amount": amount})}
        made = self.account.create(name, stage, fields)
        assert made is not None, f"{self.account.connection} made no deal"
        return made

    def edit_deal(self, native: str, **fields: Value) -> None:
        """Edit a deal."""
        for name, value in fields.items():
            self.account.edit(native, name, value)

    def move_deal(self, native: str, stage: str) -> None:
        """Move a deal."""
        self.account.edit(native, STAGE, stage)

    def delete_deal(self, native: str) -> None:
        """Delete a deal."""
        self.account.delete(native)
        self.bin.append(Ref(self.account.connection, Kind.DEAL, native))

    def restore_deal(self, native: str) -> None:
        """Bring a deal back; raises ConfigurationError where the CRM lets nobody."""
        if not self.account.do("restore_deal", native, native):
            raise ConfigurationError("it can't be brought back")
        self.bin.remove(Ref(self.account.connection, Kind.DEAL, native))


class Trouble:
    """What goes wrong: requests, while it storms, and the process once its fuse has burnt down."""

    def __init__(self, seed: int, diary: Diary) -> None:
        self.diary = diary
        self.rng = random.Random(f"trouble by hand {seed}")  # noqa: S311  a seeded play, not a secret
        self.fuse = Fuse()
        self.storms = False
        self.writing = False

    @contextlib.contextmanager
    def burning(self, often: float, most: int) -> Iterator[None]:
        """Now and then end the process at one of the boundaries that it passes until the block ends."""
        self.fuse.light(self.rng.randint(0, most) if self.rng.random() < often else None)
        try:
            with burning_at_commits(self.fuse):
                yield
        finally:
            self.fuse.light(None)


class Line:
    """What passes between the engine and one CRM."""

    def __init__(self, trouble: Trouble, account: Callable[[], Account]) -> None:
        self._trouble, self._account = trouble, account

    def asked(self, request: httpx.Request) -> None:
        """Let a request go wrong, or end the process before it."""
        trouble = self._trouble
        writes = trouble.writing and request.method != "GET"
        trouble.fuse.burn() if writes else trouble.fuse.check()
        if trouble.storms and trouble.rng.random() < (0.2 if writes else 0.02):
            self._account().sandbox.faults.plan(trouble.rng.choice(FAULTS))

    def answered(self, request: httpx.Request, status: int, fault: str) -> None:
        """Note the answer, and pass the boundary after a write."""
        tell_answer(self._trouble.diary, self._account().connection, request, status, fault)
        if self._trouble.writing and request.method != "GET":
            self._trouble.fuse.burn()


class Writes:
    """An adapter whose writes are counted."""

    def __init__(self, inner: Adapter, trouble: Trouble, account: Callable[[], Account]) -> None:
        self._inner, self._trouble, self._account = inner, trouble, account

    def __getattr__(self, name: str) -> Any:
        """Do all else as the adapter does."""
        return getattr(self._inner, name)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Write."""
        self._account().writes += 1
        self._trouble.writing = True
        try:
            return self._inner.write(changes)
        finally:
            self._trouble.writing = False


class Play(by_hand.Play):
    """One seed being played on sandboxes."""

    def __init__(self, rng: random.Random, table: Table, trouble: Trouble) -> None:
        super().__init__(rng, cast("Bench", table), trouble.diary)
        self._table, self._trouble = table, trouble
        self.undoes = 30

    def decide(self, does: Callable[[Workspace], object]) -> None:
        """Carry out what a person decided on; once more where that was cut off."""
        try:
            with self._trouble.burning(0.3, 6):
                does(self._table.workspace)
        except Killed:
            self.diary.note("a person", "is cut off, and decides the same once more")
            self._table.open_anew()
            does(self._table.workspace)

    def _run(self) -> Plan | None:
        self.seen.begin()
        self.diary.note("run", "a run begins")
        cycle, name = None, ""
        try:
            often = 0.4 if self._trouble.storms else 0.0
            with self._trouble.burning(often, 30), writing(self._table.workspace, "run") as name:
                cycle = run_cycle(self._table.workspace, name)
                finish(self._table.workspace, name, "run", cycle.exit_code(), cycle.summary())
        except Killed:
            self.diary.note("run", "it is killed")
            self._table.open_anew()
        tell_cycle(self.diary, cycle)
        self._table.clock.advance(timedelta(minutes=15))
        self.oracle.end(name)
        return cycle.plan if cycle else None

    def _disturb(self) -> None:
        self._trouble.storms = self._trouble.rng.random() < 0.5
        self._run()
        self._calm()

    def _calm(self) -> None:
        self._trouble.storms = False
        for crm in self._table.crms.values():
            crm.account.sandbox.faults.clear()

    def _company(self) -> None:
        """Leave companies alone: these plays are about users and deals, which saves half of the requests."""


def simulate(seed: int, diary: Diary | None = None) -> Play:
    """Play a seed; raises AssertionError, which names the promise, where one is broken."""
    rng = random.Random(f"by hand on sandboxes {seed}")  # noqa: S311  a seeded play, not a secret
    names = sorted(rng.sample(("hubspot", "pipedrive", "salesforce"), rng.choice((2, 2, 3))))
    diary = diary or Diary()
    trouble, accounts = Trouble(seed, diary), dict[str, Account]()
    parts = {name: (0.0, 1.0 if name == names[0] else 0.4) for name in names}
    raw = {**usual_settings(names, lean=True), "sync": [_draw_entry(rng, names)]}
    before = random.getstate()
    random.seed(f"waits by hand {seed}")  # what waits a random while before it tries again waits the same each time
    try:
        with make_scene(
            seed,
            parts,
            lambda name: Line(trouble, lambda: accounts[name]),
            lambda adapter, name: cast("Adapter", Writes(adapter, trouble, lambda: accounts[name])),
            raw,
            deals=2,
        ) as scene:
            accounts.update(scene.accounts)
            diary.begin(scene.clock)
            play = Play(rng, Table(scene), trouble)
            play.play()
            return play
    finally:
        random.setstate(before)


def _draw_entry(rng: random.Random, names: Sequence[str]) -> dict[str, Any]:
    policies = ("newest", f"prefer: {names[0]}", f"prefer: {names[1]}", "ask", "ask")
    fields = {name: {"conflict": rng.choice(policies)} for name in (*FIELDS, STAGE)}
    return {
        "name": "main",
        "between": names,
        "create": [name for name in names if rng.random() < 0.7],
        "match": {"deal": ["external_key"]},
        "fields": {**fields, "*": {"conflict": "newest"}},
        "delete": rng.choice(("never", "archive", "unlink")),
    }
