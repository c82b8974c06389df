"""Plays in which people decide by hand, on CRMs in memory: they join, split, settle, try again and undo, as they edit.

Nobody edits in the middle of a run and nothing is killed here; requests go wrong. What is judged is what the other
plays can't tell: whose value may be written over where links change by hand. `by_hand_on_sandboxes` adds kills.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from functools import partial

from crmbridge.errors import ConfigurationError, CrmbridgeError
from crmbridge.model.changes import Plan
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Money, Value, show
from crmbridge.services.apply.applying import apply_plan
from crmbridge.services.by_hand.linking import join, split
from crmbridge.services.by_hand.resolving import conflicts, resolve, take
from crmbridge.services.by_hand.retrying import refused, retry
from crmbridge.services.by_hand.undoing import plan_undo
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.cycle import finish, run_cycle, writing
from crmbridge.services.workspace import Workspace
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.simulation.by_hand_oracle import FIELDS, Oracle, Seen
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.resting import come_to_rest
from crmbridge.testing.simulation.telling import tell_changes, tell_cycle
from crmbridge.testing.workspaces import Bench, make_bench

NAMES = ("north", "south", "east")
STAGES = ("qualification", "proposal", "closing")
POLICIES = ("newest", "prefer: north", "prefer: south", "ask", "ask")
FAULTS = ("limit", "drop_before", "drop_after", "drop_half", "unclear", "refuse")
REST = timedelta(hours=2)  # longer than companies rest before they are looked at


class Play:
    """One seed being played."""

    def __init__(self, rng: random.Random, bench: Bench, diary: Diary) -> None:
        self.rng = rng
        self.bench = bench
        self.diary = diary
        self.seen = Seen(self.bench)
        self.oracle = Oracle(self.seen)
        self._deciding = Deciding(self)
        self.count = 0
        self.undoes = 3  # how many of the last runs are looked at by whoever undoes one

    def play(self) -> None:
        """Let people and runs take turns, until all is calm."""
        for _ in range(self.rng.randint(2, 4)):
            self._create()
        self._run()
        for _ in range(self.rng.randint(5, 25)):
            self.bench.clock.advance(timedelta(minutes=self.rng.choice((0, 1, 30))))
            if not self.seen.deals():
                self._create()
            for does in (self._drawn(), self._deciding.settle):
                try:
                    does()
                except CrmbridgeError:  # it is not to be done here, and whoever asked is told why
                    continue
        self._calm()
        come_to_rest(self._run_calmly, lambda: [crm.writes for crm in self.bench.crms.values()])
        self.oracle.judge_rest()

    # ── Runs ────────────────────────────────────────────────────────────────────────────────────────────

    def _run(self) -> Plan | None:
        workspace = self.bench.workspace
        self.seen.begin()
        self.diary.note("run", "a run begins")
        with writing(workspace, "run") as name:
            cycle = run_cycle(workspace, name)
            finish(workspace, name, "run", cycle.exit_code(), cycle.summary())
        tell_cycle(self.diary, cycle)
        self.bench.clock.advance(timedelta(minutes=10))
        self.oracle.end(name)
        return cycle.plan

    def decide(self, does: Callable[[Workspace], object]) -> None:
        """Carry out what a person decided on."""
        does(self.bench.workspace)

    def _run_calmly(self) -> Plan | None:
        self.bench.clock.advance(REST)
        return self._run()

    def _disturb(self) -> None:
        if self.rng.random() < 0.3:
            self.bench.crms[self.rng.choice([*self.bench.crms])].faults.append(self.rng.choice(FAULTS))
        self._run()

    def _calm(self) -> None:
        for crm in self.bench.crms.values():
            crm.faults.clear()

    # ── What people do in the CRMs ──────────────────────────────────────────────────────────────────────

    def _drawn(self) -> Callable[[], object]:
        """Draw what is done next."""
        decides = self._deciding
        often = {
            self._create: 6, self._edit: 28, self._disturb: 22, decides.split: 14, decides.join: 14, self._delete: 6,
            self._bring_back: 3, decides.undo: 3, self._company: 8,
        }  # fmt: skip
        return self.rng.choices(list(often), list(often.values()))[0]

    def _value(self, name: str) -> Value:
        """Give a value that nobody else enters."""
        self.count += 1
        return f"Deal {self.count}" if name == "name" else Money(Decimal(self.count), "EUR")

    def _a_deal(self) -> tuple[FakeCrm, Ref]:
        ref = self.rng.choice(self.seen.deals())
        return self.bench.crms[ref.connection], ref

    def _create(self) -> None:
        crm = self.bench.crms[self.rng.choice([*self.bench.crms])]
        amount = self._value("amount") if self.rng.random() < 0.7 else None
        ref = crm.create_deal(str(self._value("name")), stage=STAGES[0], amount=amount)
        self.seen.touched([ref])
        self.diary.note(ref.connection, f"a person creates {ref.id}")

    def _edit(self) -> None:
        crm, ref = self._a_deal()
        name = self.rng.choice((*FIELDS, "stage"))
        value: Value
        if name == "stage":
            value = self.rng.choice(STAGES)
            crm.move_deal(ref.id, value)
        else:
            value = None if self.rng.random() < 0.1 else self._value(name)
            crm.edit_deal(ref.id, **{name: value})
        self.seen.touched([ref])
        self.diary.note(ref.connection, f"a person sets {name} of {ref.id}: {show(value)}")

    def _company(self) -> None:
        """Give a deal a company, or another name to a company."""
        crm, deal = self._a_deal()
        ref = self.rng.choice(sorted(ref for ref in crm.records if ref.kind is Kind.COMPANY))
        if self.rng.random() < 0.5:
            crm.set_company(deal.id, ref.id)
            self.diary.note(ref.connection, f"a person gives {deal.id} the company {ref.id}")
        elif self.rng.random() < 0.5:
            called = f"Company {self.rng.randint(1, 3)}"
            crm.put(Kind.COMPANY, ref.id, {"name": called, "domain": f"{called.split()[1]}.example"})
            self.diary.note(ref.connection, f"a person renames the company {ref.id}: {called}")
        else:
            split(self.bench.workspace, f"{ref.connection}:company:{ref.id}")
            self.diary.note("a person", f"splits {ref}")

    def _delete(self) -> None:
        crm, ref = self._a_deal()
        self.seen.touched(self.seen.mates(ref))
        crm.delete_deal(ref.id)
        self.diary.note(ref.connection, f"a person deletes {ref.id}")

    def _bring_back(self) -> None:
        gone = [ref for crm in self.bench.crms.values() for ref in crm.bin if ref.kind is Kind.DEAL]
        if gone:
            ref = self.rng.choice(gone)
            self.bench.crms[ref.connection].restore_deal(ref.id)
            self.seen.back.add(ref)
            self.diary.note(ref.connection, f"a person brings {ref.id} back")
            self.seen.touched(self.seen.mates(ref))


class Deciding:
    """What people decide, by what they see in crmbridge."""

    def __init__(self, play: Play) -> None:
        self._play, self._bench, self._seen, self._rng = play, play.bench, play.seen, play.rng

    def _note(self, what: str) -> None:
        self._play.diary.note("a person", what)

    def split(self) -> None:
        """Tell a deal apart from its counterparts."""
        ref = self._a_deal()
        self._look()
        mates = self._seen.mates(ref)
        self._note(f"splits {_text(ref)}")
        try:
            self._play.decide(partial(split, text=_text(ref)))
        except ConfigurationError:
            if self._seen.mates(ref) == mates:  # else it was done before somebody was cut off, and does it once more
                raise
        self._seen.split(ref, mates)

    def join(self) -> None:
        """Say that two deals are one."""
        ref = self._a_deal()
        if others := [each for each in self._seen.deals() if each.connection != ref.connection]:
            self._look()
            refs = [ref, self._rng.choice(others)]
            before = self._seen.links()
            self._note(f"joins {' and '.join(map(_text, refs))}")
            self._play.decide(partial(join, texts=[_text(each) for each in refs]))
            link, together = next(each for each in self._seen.links().items() if ref in each[1])
            self._seen.joined(link, together, before)

    def _a_deal(self) -> Ref:
        return self._rng.choice(self._seen.deals())

    def _look(self) -> None:
        """Pull, as whoever decides by what a run found may not."""
        if self._rng.random() < 0.7:
            pull(self._bench.workspace)

    def settle(self) -> None:
        """Settle some of what waits."""
        for waiting in conflicts(self._bench.workspace):
            if self._rng.random() < 0.3:
                decision = take(waiting.item, self._rng.choice(sorted(waiting.item.values)))
                self._note(f"settles {waiting.item.name} of {waiting.item.link}: {show(decision.value)}")
                self._play.decide(partial(resolve, decisions=[decision]))
                self._seen.decided(decision)
        if again := [each.item for each in refused(self._bench.workspace) if self._rng.random() < 0.3]:
            self._note(f"lets be tried again: {', '.join(f'{item.link} {item.name}' for item in again)}")
            self._play.decide(partial(retry, items=again))

    def undo(self) -> None:
        """Undo one of the last runs."""
        workspace = self._bench.workspace
        runs = [run for run in workspace.store.runs.runs(30) if run.command in {"run", "undo"}]
        runs = [run for run in runs if any(workspace.store.journal.entries(run.id))]
        if runs:
            plan = plan_undo(workspace, self._rng.choice(runs[: self._play.undoes]))
            tell_changes(self._play.diary, "undo", plan.changes)
            with writing(workspace, "undo") as name:
                applied = apply_plan(workspace, plan, name)
                finish(workspace, name, "undo", 0, {})
            self._seen.undone(change for change, _ in applied.done)


def simulate(seed: int, diary: Diary | None = None) -> Play:
    """Play a seed; raises AssertionError, which names the promise, where one is broken."""
    rng = random.Random(f"by hand {seed}")  # noqa: S311  a seeded play, not a secret
    play = Play(rng, _draw_bench(rng), diary or Diary())
    play.diary.begin(play.bench.clock)
    play.play()
    return play


def _text(ref: Ref) -> str:
    return f"{ref.connection}:{ref.id}"


def _draw_bench(rng: random.Random) -> Bench:
    names: Sequence[str] = NAMES[: rng.choice((2, 3, 3))]
    fields = {name: {"conflict": rng.choice(POLICIES)} for name in (*FIELDS, "stage")}
    entry = {
        "name": "main",
        "between": names,
        "create": [name for name in names if rng.random() < 0.7],
        "match": {"deal": ["external_key"]},
        "fields": {**fields, "*": {"conflict": "newest"}},
        "companies": rng.choice(("off", "match", "create")),
        "delete": rng.choice(("never", "archive", "unlink")),
    }
    bench = make_bench(deals=1, parts=dict.fromkeys(names, (0, 0)), sync=[entry])
    for crm in bench.crms.values():
        crm.able = True
        crm.compares, crm.unique_keys = rng.random() < 0.5, rng.random() < 0.6
    return bench
