"""Plays in which findings act: tasks, notes, fields and notices, as people break rules in the sandboxes and heal them.

Steps fall due as time passes, requests go wrong, processes are killed, and webhooks tell of changes, true or not.
People go on while a run is at work.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any, cast

import httpx

from crmbridge.engine.views import user_ids
from crmbridge.model.changes import Change, Plan, Receipt
from crmbridge.model.records import Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Adapter, StateStore
from crmbridge.services.projects.checking import digest_of
from crmbridge.services.pull.pulling import pull_hinted
from crmbridge.services.runs.cycle import Cycle, finish, run_cycle, writing
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Settings
from crmbridge.testing.factories import make_process, make_stage
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.acting_oracle import Oracle
from crmbridge.testing.simulation.breaking import Breaking
from crmbridge.testing.simulation.by_hand_on_sandboxes import Line, Table, Trouble, Writes
from crmbridge.testing.simulation.chat import NOTICES, Chat
from crmbridge.testing.simulation.delivering import Post, webhook
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.fuse import Killed
from crmbridge.testing.simulation.promised import Promised
from crmbridge.testing.simulation.resting import come_to_rest
from crmbridge.testing.simulation.scene import STAGES, Scene, make_scene, usual_settings
from crmbridge.testing.simulation.sellers import Sellers
from crmbridge.testing.simulation.telling import tell_changes, tell_end, tell_receipts

CLOCKED = {"calendar": "office"}
RULES: dict[str, dict[str, Any]] = {
    "prospecting": {"sla": {**CLOCKED, "goal": "2bh"}},
    "qualification": {
        "exit": [{"id": "maker", "check": {"required": ["decision_maker"]}, "message": "Who decides?"}],
        "sla": {**CLOCKED, "goal": "4bh", "warn_at": ["50%"]},
    },
    "diagnosis": {
        "exit": [{"id": "pains", "check": {"required": ["pains"]}, "message": "What hurts?"}],
        "sla": {**CLOCKED, "goal": "1bd"},
    },
    "proposal": {
        "entry": [{"id": "low", "check": {"bounds": {"field": "discount", "max": 20}}, "message": "Too much."}],
        "exit": [{"id": "budget", "check": {"required": ["bant.budget"]}, "message": "Is there money?"}],
        "sla": {**CLOCKED, "goal": "2bd", "warn_at": ["50%"]},
    },
    "negotiation": {"sla": {**CLOCKED, "goal": "6bh"}},
    "closing": {"sla": {**CLOCKED, "goal": "3bd"}},
}
BOUND = ("qualification.maker", "diagnosis.pains", "*.sla", "move", "proposal.*")
STEPS = ("task", "task", "reassign", "reassign", "notify")
AFTER = ("2bh", "4bh", "1d", "1bd", "3d")
NOBODY = "nobody@nowhere.example"
HOURS = (0, 1, 3, 9, 24, 24, 50)  # what passes between two runs
MEANWHILE = 0.03  # how likely a webhook comes in just before a request
SETTLED = timedelta(hours=2)  # longer than a CRM shows anything late


class Watched(Writes):
    """An adapter whose writes the oracle looks at before they are sent, and what they changed beside."""

    def __init__(self, inner: Adapter, play: Callable[[], Play], account: Callable[[], Account], told: Trouble) -> None:
        super().__init__(inner, told, account)
        self._play, self._of = play, account

    def read(self, refs: Sequence[Ref], *, fields: Collection[str] | None = None) -> Mapping[Ref, Record]:
        """Read, and let nobody come between this and the write that follows, where the CRM can't."""
        if refs and fields:  # else it is no look at what is to be written
            self._play().meddle_before(refs, fields)
            if not self.capabilities.conditional_write:
                self._play().exposed |= {self._of().connection}
        found: Mapping[Ref, Record] = self._inner.read(refs, fields=fields)
        return found

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Write."""
        play = self._play()
        try:
            return self._write(play, changes)
        finally:
            play.exposed -= {self._of().connection}

    def _write(self, play: Play, changes: Sequence[Change]) -> Sequence[Receipt]:
        with play.breaking.noted():
            play.oracle.before_write(changes)
            play.promised.sends(list(changes))
            tell_changes(play.diary, "write", changes)
            with self._of().counting(changes):
                receipts = super().write(changes)
            tell_receipts(play.diary, changes, receipts)
            play.oracle.after_write(changes, receipts)
            return receipts


class Told(Line):
    """What passes between the engine and one CRM: meanwhile it tells the receiver of something, and people go on."""

    def __init__(self, trouble: Trouble, account: Callable[[], Account], play: Callable[[], Play]) -> None:
        super().__init__(trouble, account)
        self._play, self._of = play, account

    def asked(self, request: httpx.Request) -> None:
        """Let webhooks come in, and people do something, just before a request, which may go wrong."""
        super().asked(request)
        if self._play().is_busy:
            self._play().hint(MEANWHILE)
            self._play().meddle()

    def answered(self, request: httpx.Request, status: int, fault: str) -> None:
        """Let whoever acts next see what was written."""
        if request.method != "GET":
            self._of().look_again()
        super().answered(request, status, fault)


class Play:
    """One seed being played."""

    def __init__(
        self, rng: random.Random, scene: Scene, trouble: Trouble, *, post: Post, chat: Chat, diary: Diary
    ) -> None:
        self.rng, self.diary, self.accounts = rng, diary, scene.accounts
        self.table, self.trouble = Table(scene), trouble
        self.oracle = Oracle(scene, lambda: self.table.workspace, chat)
        self.promised, self.breaking = Promised(), Breaking()
        self.is_busy = False  # else all is calm
        self.meddling = 0.0  # how likely somebody does something just before a request
        self.exposed: frozenset[str] = frozenset()  # connections in which nobody may do anything just now
        self.kills = 0
        self._post, self._chat, self._count = post, chat, 0
        self._sellers = Sellers(scene.accounts, self.table, self.oracle, rng, diary)

    def play(self) -> None:
        """Let people, time and runs take turns, until all is calm; once more, in some."""
        for _ in range(self.rng.choice((1, 1, 2))):
            for _ in range(self.rng.randint(1, 4)):
                for _ in range(self.rng.choice((0, 0, 1, 2, 3))):
                    self._sellers.act()
                self._pass(timedelta(hours=self.rng.choice(HOURS)))
                self._disturb()
            self._come_to_rest()
            # Nobody does anything for a while, and the next run is killed: only what fell due is to be done.
            self._pass(timedelta(hours=self.rng.choice((9, 24, 50))))
            self._run(run_cycle, kills=1.0)
            self._come_to_rest()

    # ── Runs ────────────────────────────────────────────────────────────────────────────────────────────

    def _disturb(self) -> None:
        self.is_busy, self.trouble.storms = True, self.rng.random() < 0.5
        self.meddling = self.rng.choice((0.0, 0.0, 0.05, 0.1))
        self.hint(0.6)
        if self.rng.random() < 0.3:
            self.oracle.begin_reading()
            cycle = self._run(lambda workspace, name: Cycle(run=name, pulled=pull_hinted(workspace)))
            self.oracle.judge_read(is_whole=cycle is not None and not cycle.errors)
            self.hint(0.3)
        self._run(run_cycle)
        self.is_busy = self.trouble.storms = False
        self.meddling = 0.0
        for account in self.accounts.values():
            account.sandbox.faults.clear()

    def _come_to_rest(self) -> None:
        """Let all become calm. No time passes between the last runs, so that nothing falls due meanwhile."""
        self._pass(SETTLED)
        accounts, told = self.accounts.values(), self._chat.told
        plan = come_to_rest(self._run_calmly, lambda: (told.total(), [account.writes for account in accounts]))
        self.oracle.judge(plan)

    def _run_calmly(self) -> Plan | None:
        cycle = self._run(run_cycle, kills=0.0)
        assert cycle, "a calm run was killed"
        assert not cycle.errors, f"P5: a calm run failed: {cycle.errors}"
        return cycle.plan

    def _run(self, does: Callable[[Workspace, str], Cycle], kills: float = 0.5) -> Cycle | None:
        self.promised.begin()
        self.oracle.meanwhile.clear()
        self._count += 1
        self.diary.note("run", f"run {self._count} begins")
        cycle = None
        try:
            with self.trouble.burning(kills, 25), writing(self.table.workspace, "run") as name:
                with self.breaking.told():
                    cycle = does(self.table.workspace, name)
                finish(self.table.workspace, name, "run", cycle.exit_code(), cycle.summary())
        except Killed:
            self.kills += 1
            self.diary.note("run", f"run {self._count} is killed")
            self.table.open_anew()
        self.exposed = frozenset()
        tell_end(self.diary, f"run {self._count}", cycle)
        if cycle is not None:
            self.promised.judge(cycle)
        for account in self.accounts.values():
            assert not account.beyond, f"P7: beside what was sent, {', '.join(account.beyond)}"
        self._pass(timedelta(minutes=15 if kills else 0))
        return cycle

    def hint(self, often: float) -> None:
        """Let webhooks come in, perhaps."""
        while self.trouble.rng.random() < often:
            self._post.deliver(sorted(self.oracle.seen | self.oracle.deals().keys()))

    def meddle(self) -> None:
        """Let somebody do something, perhaps."""
        if self.trouble.rng.random() < self.meddling:
            self._sellers.act_meanwhile(self.exposed)

    def meddle_before(self, refs: Sequence[Ref], fields: Collection[str]) -> None:
        """Let somebody edit what is to be looked at next, and written, perhaps."""
        if refs[0].connection not in self.exposed and self.trouble.rng.random() < 4 * self.meddling:
            self._sellers.edit_before_us(refs, fields)

    def _pass(self, time: timedelta) -> None:
        self.table.clock.advance(time)


def simulate(seed: int, diary: Diary | None = None) -> Play:
    """Play a seed; raises AssertionError, which names the promise, where one is broken."""
    rng = random.Random(f"acting {seed}")  # noqa: S311  a seeded play, not a secret
    names = sorted(rng.sample(("hubspot", "pipedrive", "salesforce"), rng.choice((2, 2, 2, 3))))
    diary = diary or Diary()
    trouble, accounts, plays = Trouble(seed, diary), dict[str, Account](), list[Play]()
    parts = {name: (0.0, 1.0 if name == names[0] else 0.4) for name in names}
    chat, raw, before = Chat(trouble), usual_settings(names, lean=True), random.getstate()
    random.seed(f"waits while acting {seed}")  # what waits a random while before it tries again waits the same
    try:
        with (
            make_scene(
                seed,
                parts,
                lambda name: Told(trouble, lambda: accounts[name], lambda: plays[0]),
                lambda adapter, name: cast(
                    "Adapter", Watched(adapter, lambda: plays[0], lambda: accounts[name], trouble)
                ),
                raw,
                deals=2,
                sinks=[chat.spec],
            ) as plain,
            plain.state.beside() as other,
            plain.state.watch() as watch,
        ):
            accounts.update(plain.accounts)
            scene = _bound(plain, raw, rng)
            receiver = Workspace(
                project=scene.project, store=cast("StateStore", other), clock=scene.clock, plugins=scene.plugins
            )
            diary.begin(scene.clock)
            post = Post(receiver, watch, trouble.rng, diary)
            plays.append(Play(rng, scene, trouble, post=post, chat=chat, diary=diary))
            plays[0].play()
            return plays[0]
    finally:
        random.setstate(before)


def _bound(scene: Scene, raw: dict[str, Any], rng: random.Random) -> Scene:
    """Give a scene in which rules are to hold, and something follows where they don't."""
    emails = sorted(user_ids(next(iter(scene.accounts.values())).users))
    for name, entry in raw["connections"].items():
        secret = next(value for value in entry.values() if isinstance(value, dict) and "file" in value)
        entry["webhook"] = webhook(name, secret)
    raw |= {"people": {"leader": emails[0], "manager": emails[1]}, "enforce": _draw_bindings(rng, emails)}
    raw |= {"notices": NOTICES}
    settings = Settings.model_validate(raw)
    stages = [*(make_stage(stage, **RULES.get(stage, {})) for stage in STAGES), make_stage("care", status="won")]
    process = make_process(stages=stages, fields=scene.project.process.fields)
    project = replace(scene.project, settings=settings, process=process, digest=digest_of(settings, process))
    return replace(scene, project=project)


def _draw_bindings(rng: random.Random, emails: Sequence[str]) -> list[dict[str, Any]]:
    actions = ("task", "task", "task", "note", "notify", "field", "reassign")
    every = {"rule": "*", "action": rng.choice(("audit", "task", "note", "notify"))}
    return [every, *(_draw_binding(rng, rule, rng.choice(actions), emails) for rule in BOUND)]


def _draw_binding(rng: random.Random, rule: str, action: str, emails: Sequence[str]) -> dict[str, Any]:
    binding: dict[str, Any] = {"rule": rule, "action": action}
    if action == "field":
        return {**binding, "field": "discount", "value": rng.choice(("5", "7.5"))}
    if action == "reassign" or rng.random() < 0.5:
        binding["to"] = rng.choice(("leader", "manager") if action == "reassign" else ("leader", "manager", NOBODY))
    steps = [
        {"after": after, "to": rng.choice(("leader", "manager", emails[2])), "action": rng.choice(STEPS)}
        for after in rng.sample(AFTER, rng.randint(0, 3))
    ]
    return {**binding, "escalate": steps} if action != "reassign" else binding
