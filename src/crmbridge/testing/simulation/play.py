"""One seed being played on sandboxes: runs like those of the command, with people, faults and kills among them."""

from __future__ import annotations

import contextlib
import gc
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast

from msgspec import Struct

from crmbridge.errors import LockedError, PlanStaleError
from crmbridge.model.changes import JournalEntry, Outcome, Plan
from crmbridge.model.codec import entry_to_json
from crmbridge.model.values import show
from crmbridge.ports import Adapter, Run, StateStore
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.by_hand.resolving import conflicts, resolve, take
from crmbridge.services.by_hand.undoing import plan_undo
from crmbridge.services.runs.cycle import LEASE, Cycle, run_cycle
from crmbridge.services.runs.planning import Part
from crmbridge.services.workspace import Project, Workspace
from crmbridge.testing.simulation.acts import go_through
from crmbridge.testing.simulation.afterwards import Afterwards
from crmbridge.testing.simulation.beside import Beside
from crmbridge.testing.simulation.deleting import Deleting
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.drawing import draw_entry
from crmbridge.testing.simulation.forgetting import Forgetting
from crmbridge.testing.simulation.fuse import Killed, burning_at_commits
from crmbridge.testing.simulation.meanings import Meanings
from crmbridge.testing.simulation.noting import Noting
from crmbridge.testing.simulation.oracle import Oracle
from crmbridge.testing.simulation.people import People
from crmbridge.testing.simulation.process import Process
from crmbridge.testing.simulation.restoring import Restoring
from crmbridge.testing.simulation.reverting import Reverting
from crmbridge.testing.simulation.saving import Does, Saving
from crmbridge.testing.simulation.scene import STAGES, Scene, make_scene, usual_settings
from crmbridge.testing.simulation.sight import HANGING
from crmbridge.testing.simulation.state import State
from crmbridge.testing.simulation.telling import tell_changes, tell_end
from crmbridge.testing.simulation.undone import judge_undo, judge_undone
from crmbridge.testing.simulation.watching import Line, Watched
from crmbridge.testing.simulation.witness import Witness

LEAN = 0.7  # how many plays are about users and deals alone, which saves half of the requests
MERGES = 0.2  # in how many plays somebody merges linked deals at the end
NEW_IDS = 0.5  # how many plays have CRMs in which merged deals become a third one


class Weather(Struct, frozen=True):
    """How much goes wrong in a run."""

    reading: float = 0.0  # how likely a request that reads goes wrong
    writing: float = 0.0  # the same for one that may write
    meddling: float = 0.0  # how likely somebody does something just before a request


CALM = Weather()


@dataclass(slots=True)
class Play:
    """One seed being played."""

    seed: int
    rng: random.Random
    merging: random.Random  # for merges alone, so that the rest of a history does not depend on them
    later: random.Random  # the same for what people do afterwards
    settings: random.Random  # the same for how the settings are changed
    diary: Diary
    policy: str = ""
    parts: tuple[Part, ...] = ("sync", "enforce")
    weather: Weather = CALM
    spent: bool = False  # whether a CRM lets nobody in any more today
    runs: int = 0
    name: str = ""  # of the last run that did not begin beside another one
    kills: int = 0
    scene: Scene = field(init=False)
    raw: Mapping[str, Any] = field(default_factory=dict)  # the settings with nothing left out, as a file has them
    project: Project = field(init=False)  # with the settings as they are now
    seen: Witness = field(init=False)
    oracle: Oracle = field(init=False)
    people: People = field(init=False)
    deleting: Deleting = field(init=False)
    noting: Noting = field(init=False)
    meanings: Meanings = field(init=False)
    reverting: Reverting = field(init=False)
    forgetting: Forgetting = field(init=False)
    restoring: Restoring = field(init=False)
    saving: Saving = field(init=False)
    process: Process = field(init=False)  # the one that is at work
    beside: Beside = field(init=False)
    journal: bytes = b""

    @property
    def writes(self) -> int:
        """How often a CRM was written to."""
        return sum(account.writes for account in self.scene.accounts.values())

    def wrap(self, adapter: Adapter, connection: str) -> Adapter:
        """Put the watch around an adapter."""
        return Watched(adapter, self, connection)

    def line(self, connection: str) -> Line:
        """Give what is told of a connection's requests."""
        return Line(self, connection)

    @contextlib.contextmanager
    def writing_to(self, connection: str) -> Iterator[None]:
        """Mark the requests until the block ends as those that write."""
        self.process.writing = connection
        try:
            yield
        finally:
            self.process.writing = ""
            self.process.exposed -= {connection}

    def act(self) -> None:
        """Let somebody do something."""
        self.people.act()

    # ── Runs ────────────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> Plan | None:
        """Run one cycle as a new process would, to its end or to the kill; no plan when it did not get to its end."""
        self.name = f"run{self.runs + 1:03}"
        plan = self.run_at_once()
        self._go_on_after_run()
        return plan

    def run_at_once(self) -> Plan | None:
        """Do the same, and let no time pass afterwards."""
        name = self.next_run()
        self.oracle.begin(name)
        cycle = self._attempt(name, self._cycle)
        plan = cycle.plan if cycle else None
        self.oracle.end(plan)
        return plan

    def attempt(self, name: str, does: Does) -> Cycle | None:
        """Do what a run does, as a new process would, and let time pass; nothing when it did not get to its end."""
        cycle = self._attempt(name, does)
        self._go_on_after_run()
        return cycle

    def next_run(self) -> str:
        """Name the next run."""
        self.runs += 1
        self.diary.note("run", f"run{self.runs:03} begins")
        return f"run{self.runs:03}"

    def _attempt(self, name: str, does: Does) -> Cycle | None:
        process = self.process
        process.promised.begin()
        process.was_locked_out = False
        cycle = None
        try:
            with process.breaking.told():
                cycle = self._run(name, does)
        except Killed:
            self.kills += 1
            self.diary.note("run", f"{name} is killed")
            process.was_killed = True
        except LockedError as error:
            self.diary.note("run", f"{name} finds the state locked: {error.message}")
            process.was_locked_out = True
        process.fuse.light(None)
        process.exposed = frozenset()
        tell_end(self.diary, name, cycle)
        if cycle is not None:
            process.promised.judge(cycle)
        for account in self.scene.accounts.values():
            assert not account.beyond, f"P7: beside what was sent, {', '.join(account.beyond)}"
            assert not account.doubled(), f"P2: {', '.join(account.doubled())} is doubled in {account.connection}"
        return cycle

    def _go_on_after_run(self) -> None:
        self.beside.judge()
        if self.process.was_killed or self.process.was_outdone:
            self.end_process()
        self.scene.clock.advance(timedelta(minutes=15))

    def run_unjudged(self) -> Cycle:
        """Run one cycle, and let nobody judge what it did."""
        return self._run(self.next_run(), self._cycle)

    def _cycle(self, workspace: Workspace, name: str) -> Cycle:
        return run_cycle(workspace, name, parts=self.parts)

    def settle_conflicts(self) -> None:
        """Let a person settle some of what waits, if the state can be had."""
        with contextlib.suppress(LockedError, PlanStaleError):
            self._settle_conflicts()

    def merge_linked(self) -> None:
        """Let somebody merge deals that have counterparts, in some of the plays."""
        if self.merging.random() < MERGES:
            People(self.scene.accounts, self.seen, self.scene.clock, self.merging, self.diary).merge_linked()

    def go_on(self) -> None:
        """Let somebody do something with what has come to rest."""
        people = People(self.scene.accounts, self.seen, self.scene.clock, self.later, self.diary)
        Afterwards(self.scene.accounts, self.seen, people, self.later).go_on()

    def undo(self, name: str) -> None:
        """Undo a run that came to its end: all that it wrote is as before, but for what people changed since."""
        workspace, state = self.process.workspace or self._begin_process(), cast("StateStore", self.scene.state)
        run = next(run for run in state.runs.runs(100) if run.id == name)
        rows = list(state.journal.entries(name))
        intended = {e.change.id for e in rows if e.outcome is None}  # not what it only found out about
        wrote = [e for e in rows if e.outcome is Outcome.APPLIED and e.change.id in intended]
        since = self.seen.began
        if wrote and self.later.random() < 0.5:
            self._edit_written(wrote)
        self.process.promised.begin()
        with workspace.store.runs.lease(f"undo of {name}", workspace.clock.now(), LEASE):
            plan = plan_undo(workspace, run)
            workspace.store.runs.start(Run(id=f"{name}-undo", command="undo", started_at=workspace.clock.now()))
            judge_undo(self.seen, wrote, plan)
            with self.process.breaking.told():
                applied = apply_plan(workspace, plan, f"{name}-undo")
        self.process.promised.judge(Cycle(run=name, plan=plan, applied=applied))
        tell_changes(self.diary, "undo", plan.changes)
        for change, receipt in applied.done:
            assert receipt.outcome is Outcome.APPLIED, f"P7: {change} of an undo is {receipt}"
            self.seen.undone(change)
        self.seen.happened_together([change.target for change, _ in applied.done if change.target])
        judge_undone(self.seen, wrote, plan, since)

    def _edit_written(self, wrote: Sequence[JournalEntry]) -> None:
        """Let somebody edit a field that a run wrote, or one of a deal that it made."""
        entry = self.later.choice(wrote)
        target = entry.change.target or entry.ref
        if target in self.seen.deals() and target is not None:
            people = People(self.scene.accounts, self.seen, self.scene.clock, self.later, self.diary)
            names = [edit.name for edit in entry.change.edits]
            people.edit(target, self.later.choice([*names, "pains"]))

    def _settle_conflicts(self) -> None:
        workspace = self.process.workspace or self._begin_process()
        for waiting in conflicts(workspace):
            item = waiting.item
            if self.rng.random() < 0.5 and item.values and item.name not in HANGING:
                decision = take(item, self.rng.choice(sorted(item.values)))
                resolve(workspace, [decision])
                self.diary.note("a person", f"settles {item.name} of {item.link}: {show(decision.value)}")
                self.seen.decided(item.link, item.name, decision.value)

    def _run(self, name: str, does: Does) -> Cycle:
        workspace = self.process.workspace or self._begin_process()
        with burning_at_commits(self.process.fuse):
            now = workspace.clock.now()
            with workspace.store.runs.lease(name, now, LEASE):
                self.process.has_held = True
                workspace.store.runs.start(Run(id=name, command="run", started_at=now))
                cycle = does(workspace, name)
                if self.process.was_outdone:  # else nothing depends on it
                    workspace.store.runs.finish(name, workspace.clock.now(), cycle.exit_code(), cycle.summary())
                return cycle

    def _begin_process(self) -> Workspace:
        process = self.process
        store = cast("StateStore", process.state)
        process.workspace = Workspace(
            project=self.project, store=store, clock=process.clock, plugins=self.scene.plugins
        )
        return process.workspace

    def end_process(self) -> None:
        """Let nothing be left of the process but what stands in the state's file."""
        self.process.end()
        self.scene.state.open()
        self.process = Process(self.scene.clock, self.scene.state)

    def take_up(self, project: Project) -> None:
        """Go on with other settings, as the next process reads them."""
        self.end_process()
        self.project = project

    def disturb(self) -> None:
        """Prepare what goes wrong in the next run."""
        self.weather = Weather(
            reading=self.rng.choice((0.0, 0.02, 0.05)),
            writing=self.rng.choice((0.0, 0.2, 0.4)),
            meddling=self.rng.choice((0.0, 0.0, 0.05, 0.1)),
        )
        self.process.fuse.light(self.rng.randint(0, 40) if self.rng.random() < 0.4 else None)
        self.beside.prepare()

    def calm(self) -> None:
        """Let nothing go wrong any more; what is used up for today is there again tomorrow."""
        self.weather = CALM
        if self.spent:
            self.scene.clock.advance(timedelta(days=1))
            self.spent = False
        self.process.fuse.light(None)
        for account in self.scene.accounts.values():
            account.sandbox.faults.clear()


def simulate(seed: int, diary: Diary | None = None, state: State | None = None) -> Play:
    """Play one seed to its end; raises AssertionError, naming the seed, when a promise is broken.

    People, faults and kills have their time first; then all is calm, and soon a run must write nothing.
    `diary` takes the lines of the history as it goes on. Without a `state` it lies in a file.
    """
    rng = random.Random(f"simulation {seed}")  # noqa: S311  a seeded play, not a secret
    merging = random.Random(f"merges {seed}")  # noqa: S311  as above
    later = random.Random(f"afterwards {seed}")  # noqa: S311  as above
    beside = random.Random(f"beside {seed}")  # noqa: S311  as above
    settings = random.Random(f"settings {seed}")  # noqa: S311  as above
    play = Play(seed=seed, rng=rng, merging=merging, later=later, settings=settings, diary=diary or Diary())
    play.beside = Beside(play, beside)
    with _seeded(seed), _on_stage(play, state):
        try:
            go_through(play)
        except AssertionError as error:
            raise AssertionError(f"seed {seed} ({play.policy}): {error}") from error
        play.journal = journal_of(cast("StateStore", play.scene.state))
    return play


@contextlib.contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Let what waits a random while before it tries again wait the same each time."""
    before, collects = random.getstate(), gc.isenabled()
    random.seed(f"waits {seed}")
    gc.disable()  # a play is short, and what it leaves behind is collected after it
    try:
        yield
    finally:
        random.setstate(before)
        if collects:
            gc.enable()


@contextlib.contextmanager
def _on_stage(play: Play, state: State | None) -> Iterator[None]:
    rng = play.rng
    names = sorted(rng.sample(("hubspot", "pipedrive", "salesforce"), rng.choice((2, 2, 2, 2, 3))))
    lean = rng.random() < LEAN
    sync = draw_entry(rng, names, lean=lean)
    if lean:
        play.parts = ("sync",)
    known = rng.choice((0.0, 0.5, 1.0))  # how many of the deals all CRMs have from the start
    parts = {name: (0.0, 1.0 if name == names[0] else known) for name in names}
    play.raw = {**usual_settings(names, lean=lean), "sync": [sync]}
    with make_scene(play.seed, parts, play.line, play.wrap, play.raw, deals=rng.randint(1, 4), state=state) as scene:
        play.scene, play.project, play.process = scene, scene.project, Process(scene.clock, scene.state)
        play.policy = ", ".join(f"{name}: {how}" for name, how in sync.items() if name not in {"name", "between"})
        sights = {name: account.sight for name, account in scene.accounts.items()}
        entry = scene.project.settings.sync[0]
        play.seen = Witness(scene.accounts, sights, lambda: cast("StateStore", scene.state), entry)
        play.seen.stages, play.oracle = STAGES, Oracle(play.seen)
        if play.merging.random() < NEW_IDS:
            for account in scene.accounts.values():
                account.let_merges_make_new_ids()
        play.people = People(scene.accounts, play.seen, scene.clock, rng, play.diary)
        play.noting, play.meanings = Noting(play.seed), Meanings(play.seed)
        play.reverting, play.forgetting = Reverting(play.seed), Forgetting(play.seed)
        play.restoring, play.saving = Restoring(play.seed), Saving(play.seed)
        play.deleting = Deleting(scene.accounts, play.seen, scene.clock, play.diary, play.seed)
        play.diary.begin(scene.clock)
        play.diary.note("play", f"seed {play.seed}: {', '.join(names)}; {play.policy}")
        yield


def journal_of(store: StateStore) -> bytes:
    """Give the journal as text: what must be the same, to the byte, when a seed is played again."""
    rows = (json.dumps(entry_to_json(entry), ensure_ascii=False, sort_keys=True) for entry in store.journal.entries())
    return "\n".join(rows).encode()
