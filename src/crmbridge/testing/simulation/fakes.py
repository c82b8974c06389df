"""Whole runs on fake CRMs in which people edit, writes go wrong and processes die, all of it from one seed.

`simulate` plays one seed and raises AssertionError when a promise is broken. From a command line,
`crmbridge-sim run --fakes` plays as many as asked and names the seeds that fail.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import cast

from msgspec import Struct, field

from crmbridge.engine.views import emails
from crmbridge.model.changes import Change, Plan, Receipt
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Record, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money, Value
from crmbridge.ports import Adapter, Capabilities, Description, Page, Run, StateStore
from crmbridge.services.links.gathering import make_viewers
from crmbridge.services.runs.cycle import Cycle, run_cycle
from crmbridge.services.runs.planning import Part
from crmbridge.services.workspace import Workspace
from crmbridge.store.memory import MemoryStore
from crmbridge.testing.factories import make_process
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.simulation.breaking import Breaking
from crmbridge.testing.simulation.forgetting import ForgetfulFakes
from crmbridge.testing.simulation.fuse import Fuse, Killed
from crmbridge.testing.simulation.fused import FusedStore
from crmbridge.testing.simulation.oracle import Oracle
from crmbridge.testing.simulation.resting import come_to_rest
from crmbridge.testing.simulation.reverting import draw_bindings
from crmbridge.testing.simulation.saving import OFTEN_ON_FAKES, Does, Saving
from crmbridge.testing.simulation.sight import Sight
from crmbridge.testing.simulation.witness import Witness
from crmbridge.testing.workspaces import Bench, fake_plugins, make_bench
from crmbridge.threads import one_at_a_time

POLICIES = ("newest", "newest", "newest", "ask", "prefer: north")
STAGES = ("qualification", "proposal", "closing")
FAULTS = ("drop_before", "drop_after", "drop_half", "unclear", "refuse", "limit")


class _Watched(Struct):
    """An adapter that is watched at every write, and beside which people and kills get their turn.

    Nothing breaks unnoticed in its calls.
    """

    inner: FakeAdapter
    play: Play
    connection: str

    @property
    def capabilities(self) -> Capabilities:
        return self.inner.capabilities

    def describe(self) -> Description:
        return self.inner.describe()

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        with self.play.breaking.noted():
            for number, page in enumerate(self.inner.pull(kind, since)):
                if self.play.killed_pull == (self.connection, kind, number):
                    raise Killed
                yield page
        self.play.seen.looks(self.connection, kind)

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        with self.play.breaking.noted():
            self.play.interrupt()
            return self.inner.read(refs, fields=fields)

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        with self.play.breaking.noted():
            return self.inner.find(kind, key, near)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        with self.play.breaking.noted():
            self.play.fuse.burn()
            self.play.oracle.before_write(changes)
            receipts = self.inner.write(changes)
            self.play.fuse.burn()
            self.play.interrupt()
            return receipts

    def close(self) -> None:
        self.inner.close()


class Play(Struct):
    """One seed being played."""

    seed: int
    rng: random.Random
    bench: Bench
    policy: str
    oracle: Oracle
    seen: Witness
    forgetting: ForgetfulFakes
    saving: Saving
    parts: tuple[Part, ...] = ("sync", "enforce")
    fuse: Fuse = field(default_factory=Fuse)
    breaking: Breaking = field(default_factory=Breaking)
    killed_pull: tuple[str, Kind, int] | None = None
    meddling: float = 0.0  # how likely somebody edits something in the middle of a run
    runs: int = 0
    kills: int = 0
    named: int = 0
    attention: tuple[Ref, str] | None = None  # the deal and field that somebody edited last

    # ── Runs ────────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> Plan | None:
        """Run one cycle as a new process would, to its end or to the kill; no plan when it was killed."""
        name = self.next_run()
        self.oracle.begin(name)
        cycle = self.attempt(name, run_cycle)
        plan = cycle.plan if cycle else None
        self.oracle.end(plan)
        return plan

    @property
    def writes(self) -> dict[str, int]:
        """How often each CRM was written to."""
        return {name: crm.writes for name, crm in self.bench.crms.items()}

    def next_run(self) -> str:
        """Name the next run."""
        self.runs += 1
        return f"run{self.runs:03}"

    def attempt(self, name: str, does: Does) -> Cycle | None:
        """Do what a run does, as a new process would, and let time pass; nothing when it was killed."""
        workspace = self._workspace()
        cycle = None
        try:
            workspace.store.runs.start(Run(id=name, command="run", started_at=workspace.clock.now()))
            with self.breaking.told():
                cycle = does(workspace, name)
        except Killed:
            self.kills += 1
        self.fuse.light(None)
        self.killed_pull = None
        self.bench.clock.advance(timedelta(minutes=10))
        return cycle

    def _workspace(self) -> Workspace:
        watched = cast("Callable[[FakeAdapter, str], Adapter]", lambda inner, name: _Watched(inner, self, name))
        return Workspace(
            project=self.bench.workspace.project,
            store=cast("StateStore", FusedStore(self.bench.workspace.store, self.fuse, self.interrupt)),
            clock=self.bench.clock,
            plugins=fake_plugins(self.bench.crms, wrap=watched),
        )

    def disturb(self) -> None:
        """Prepare what goes wrong in the next run."""
        for crm in self.bench.crms.values():
            if self.rng.random() < 0.3:
                crm.faults.extend(self.rng.choice(("", *FAULTS)) for _ in range(self.rng.randint(1, 3)))
            if self.rng.random() < 0.1:
                crm.blind = self.rng.randint(1, 3)
        self.meddling = self.rng.choice((0.0, 0.0, 0.5))
        if self.rng.random() < 0.35:
            self.fuse.light(self.rng.randint(0, 30))
        elif self.rng.random() < 0.1:
            connection = self.rng.choice(sorted(self.bench.crms))
            self.killed_pull = (connection, self.rng.choice((Kind.USER, Kind.COMPANY, Kind.DEAL)), 0)

    def calm(self) -> None:
        """Let nothing go wrong any more."""
        self.meddling = 0.0
        for crm in self.bench.crms.values():
            crm.faults.clear()
            crm.blind = 0

    # ── People ──────────────────────────────────────────────────────────────────────────────────────────

    def interrupt(self) -> None:
        """Let somebody do something in the middle of a run, perhaps."""
        if self.rng.random() < self.meddling:
            self.act()

    def act(self) -> None:
        """Do one thing that a person would do in a CRM."""
        self.bench.clock.advance(timedelta(seconds=self.rng.randint(1, 200)))
        if self.attention and self.rng.random() < 0.4:
            near, name = self.attention
            together = [ref for ref in self.seen.linked(near) if ref.id in self._ids(ref.connection)]
            if together:
                ref = self.rng.choice(together)
                self._edit(ref.connection, ref.id, name)
                return
        connection = self.rng.choice(sorted(self.bench.crms))
        ids = self._ids(connection)
        choice = self.rng.random()
        if not ids or choice < 0.12:
            self._create(connection)
        elif choice < 0.16:
            ref = Ref(connection, Kind.DEAL, self.rng.choice(ids))
            self.seen.deleted(ref)
            self.bench.crms[connection].delete_deal(ref.id)
        elif choice < 0.32:
            self._move(connection, self.rng.choice(ids))
        else:
            names = ("name", "amount", "amount", "bant.budget", "bant.budget", "close_date", "owner")
            self._edit(connection, self.rng.choice(ids), self.rng.choice(names))

    def _ids(self, connection: str) -> list[str]:
        return self.bench.crms[connection].deal_ids()

    def _create(self, connection: str) -> None:
        """Create a deal: a new one, or one that another CRM has already, under the same name."""
        others = [r for name, crm in sorted(self.bench.crms.items()) if name != connection for r in _deals(crm.records)]
        self.named += 1
        name, company = f"Deal {self.named}", str(self.rng.randint(1, 3))
        if others and self.rng.random() < 0.4:
            other = self.rng.choice(others)
            name, company = str(other.fields["name"]), str(other.fields.get("company"))
        fields: dict[str, Value] = {"company": company}
        if self.rng.random() < 0.5:
            fields["amount"] = self._value("amount", ())
        ref = self.bench.crms[connection].create_deal(name, stage=self.rng.choice(STAGES), **fields)
        self.seen.created(ref)

    def _move(self, connection: str, native: str) -> None:
        crm = self.bench.crms[connection]
        record, ref = crm.deal(native), Ref(connection, Kind.DEAL, native)
        stages = [s for s in (*STAGES, *STAGES, "won", "lost") if record.position and s != record.position.stage]
        before = self.seen.value(ref, "stage")
        crm.move_deal(native, self.rng.choice(stages))
        self.seen.edited(ref, "stage", before)

    def _edit(self, connection: str, native: str, name: str) -> None:
        crm = self.bench.crms[connection]
        ref = Ref(connection, Kind.DEAL, native)
        self.attention = (ref, name)
        value = self._value(name, self.seen.values_seen(ref, name))
        if value == crm.deal(native).fields.get(name):
            return
        before = self.seen.value(ref, name)
        crm.edit_deal(native, **{name.replace(".", "__"): value})
        self.seen.edited(ref, name, before)

    def _value(self, name: str, seen: Sequence[Value]) -> Value:
        """Give a field's next value: often one that it had before, so that edits are taken back as well."""
        if seen and self.rng.random() < 0.5:
            return self.rng.choice(seen[-4:])
        number = self.rng.randint(1, 10_000)
        fresh: Mapping[str, Value] = {
            "name": f"Deal renamed {number}",
            "amount": Money(Decimal(number) / 100, "EUR"),
            "bant.budget": self.rng.choice((None, f"text {number}", f"text {number}")),
            "close_date": date(2026, 1, 1) + timedelta(days=number),
            "owner": str(number % 7 + 1),
        }
        return fresh[name]


def _deals(records: Mapping[Ref, Record]) -> list[Record]:
    """Give the open deals, in the order of their refs."""
    found = [record for ref, record in sorted(records.items()) if ref.kind is Kind.DEAL]
    return [record for record in found if record.position and record.position.status is Status.OPEN]


def simulate(seed: int, store: StateStore | None = None) -> Play:
    """Play one seed to its end; raises AssertionError, naming the seed, when a promise is broken.

    People, faults and kills have their time first; then all is calm, and soon a run must write nothing.
    """
    play = _set_the_stage(seed, store or MemoryStore())
    try:
        with one_at_a_time():  # people act between any two steps, and in each play between the same ones
            _go_through(play)
    except AssertionError as error:
        raise AssertionError(f"seed {seed} ({play.policy}): {error}") from error
    return play


def _go_through(play: Play) -> None:
    for _ in range(play.rng.randint(3, 8)):
        for _ in range(play.rng.randint(0, 4)):
            play.act()
        play.forgetting.pass_days(play.seen, play.bench.clock)
        play.disturb()
        play.run()
        if play.rng.random() < 0.3:
            play.calm()
    if play.saving.is_played:
        play.saving.go_on(play)
    _come_to_rest(play)
    if play.saving.is_played:
        play.saving.apply_all(play)
        _come_to_rest(play)


def _come_to_rest(play: Play) -> None:
    play.calm()
    plan = come_to_rest(play.run, lambda: play.writes)
    play.oracle.judge(plan)


_PROCESS: list[Process] = []


def _set_the_stage(seed: int, store: StateStore) -> Play:
    if not _PROCESS:
        _PROCESS.append(make_process())
    rng = random.Random(f"simulation {seed}")  # noqa: S311  a seeded play, not a secret
    policy = rng.choice(POLICIES)
    names = ("north", "south", "east")[: rng.choice((2, 2, 3))]
    known = rng.choice((0.0, 0.5, 1.0))  # how many of the deals all CRMs have from the start
    usual = [{"rule": "*", "action": rng.choice(("audit", "task"))}]
    bindings, forgetting = draw_bindings(seed), ForgetfulFakes(seed)
    entry = {"name": "main", "between": names, "create": names, "fields": {"*": {"conflict": policy}}}
    bench = make_bench(
        process=_PROCESS[0],
        store=store,
        deals=4,
        parts={name: (0.0, 1.0 if name == "north" else known) for name in names},
        sync=[{**entry, **forgetting.entry()}],
        enforce=bindings or usual,
    )
    for crm in bench.crms.values():
        crm.unique_keys = rng.random() < 0.5
    forgetting.begin(bench.crms)
    seen = Witness(
        bench.crms, sights_of(bench), lambda: bench.workspace.store, bench.workspace.project.settings.sync[0]
    )
    seen.stages, oracle = STAGES, Oracle(seen)
    oracle.reverts.rules = frozenset(each["rule"] for each in bindings if each["action"] == "revert")
    saving = Saving(seed, OFTEN_ON_FAKES)
    return Play(
        seed=seed, rng=rng, bench=bench, policy=policy, oracle=oracle, seen=seen, forgetting=forgetting, saving=saving
    )


def journal_of(play: Play) -> list[tuple[str, str, str]]:
    """Give what must be the same when a seed is played again: each row's change, run and outcome, in order."""
    entries = play.bench.workspace.store.journal.entries()
    return [(entry.change.id, entry.run, str(entry.outcome)) for entry in entries]


def sights_of(bench: Bench) -> dict[str, Sight]:
    """Give sights that know the fake CRMs' users already before the first pull."""
    viewers = make_viewers(bench.workspace)
    return {
        name: Sight(replace(viewers[name], users=emails(_users(crm)), around=())) for name, crm in bench.crms.items()
    }


def _users(crm: FakeCrm) -> tuple[Record, ...]:
    return tuple(record for ref, record in crm.records.items() if ref.kind is Kind.USER)
