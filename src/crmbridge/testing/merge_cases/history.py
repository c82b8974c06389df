"""One short history from a seed, with everything that merging is told of, and what must come of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from msgspec import Struct, field

from crmbridge.engine.sync import forms
from crmbridge.engine.sync.merge import Merged, Side, decided_ref, merge
from crmbridge.engine.sync.sameness import canonical, same
from crmbridge.model.changes import Action, Change, FieldEdit, Origin
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value, is_empty
from crmbridge.services.apply.deciding import Decisions
from crmbridge.settings import FieldSync
from crmbridge.testing.merge_cases.pools import POOLS, Form, Pool
from crmbridge.testing.merge_cases.truth import Known, Standing, Unknown, Wanted, alike, wanted

LINK, FIELD = "lnk", "x"
NAMES = ("a", "b", "c", "d")
BEGINNING = datetime(2026, 6, 10, tzinfo=UTC)
MINUTES = tuple(BEGINNING + timedelta(minutes=n) for n in range(100))
POLICIES = tuple(
    FieldSync.model_validate(said)
    for said in (
        {"conflict": "newest"},
        {"conflict": "ask"},
        {"conflict": "prefer: a"},
        {"conflict": "prefer: b"},
        {"conflict": "only_if_empty"},
        {"direction": "from: a"},
        {"direction": "from: c"},
        {"sync": False},
    )
)
LIKELY = (6, 4, 2, 2, 4, 3, 1, 0.3)  # how often each of these is drawn


class Account(Struct, kw_only=True, dict=True):
    """One side as its CRM keeps it, its base as the state does, and the truth about it."""

    ref: Ref
    form: Form  # what its CRM makes of what it is given
    counts: bool  # a write that changes nothing makes a new version all the same
    truth: Standing
    has_field: bool
    version: int = 1
    base: dict[str, Value] = field(default_factory=dict)
    past: list[Value] = field(default_factory=list)  # what it held


class Planned(Struct, kw_only=True):
    """What one pass wants, and what it saw."""

    edits: Mapping[Ref, FieldEdit]
    versions: Mapping[Ref, int]
    views: Mapping[Ref, Value]
    voices: Sequence[Account]
    value: Value
    asks: bool


def play(seed: int, log: list[str] | None = None) -> None:
    """Play a history; raises AssertionError, with what happened in it, where the merge does what nobody promised."""
    told: list[str] = [] if log is None else log
    try:
        _History(Random(seed), told).play()  # noqa: S311  nothing secret
    except AssertionError as error:
        raise AssertionError("\n".join([f"seed {seed}: {error}", *told])) from error


class _History:
    """A history being played."""

    def __init__(self, random: Random, log: list[str]) -> None:
        self.random, self.log = random, log
        self.pool: Pool = random.choice(POOLS)
        self.policy = random.choices(POLICIES, LIKELY)[0]
        self.minute = 0
        self.said: set[object] = set()  # what people typed, and what sides had when they joined
        self.decided: dict[str, Value] = {}
        self.owed: Known = Unknown.NEW
        self.accounts: list[Account] = []
        for name in NAMES[: random.choice((2, 2, 2, 3, 3))]:
            self.join(name)
        log.append(f"{self.pool.name}, {_named(self.policy)}, sides {[_shown(each) for each in self.accounts]}")

    def play(self) -> None:
        """Let people and passes take turns, then let everybody hold still."""
        for _ in range(self.random.randint(1, 4)):
            for _ in range(self.random.choice((0, 1, 1, 2, 3))):
                self.act()
            planned = self.plan()
            if planned.asks and self.random.random() < 0.4:
                self.resolve()
            elif planned.edits and self.random.random() < 0.8:
                if self.random.random() < 0.2:
                    self.act()
                self.apply(planned, 0.25)
        self.calm()

    def calm(self) -> None:
        """Nobody acts and every write succeeds: at most two passes write, then there is nothing to write or to note."""
        for _ in range(2):
            planned = self.plan()
            self.apply(planned, 0)
        self.log.append("calm")
        assert not self.plan().edits, "it is not quiet after two passes"
        assert not self.plan(notes=False).edits, "it is not quiet after three"
        here = [account.truth for account in self.here()]
        in_step = self.policy.sync and self.policy.source is None and self.policy.conflict != "only_if_empty"
        if in_step and len(here) > 1 and self.owed is not Unknown.APART:
            asks = wanted(here, self.owed, self.policy).asks
            assert asks or alike(here) is not None, "the sides differ, and nobody says so"

    # ── What people do ──────────────────────────────────────────────────────────────────────────────────

    def act(self) -> None:
        """Let somebody type a value, touch a record, add a side, or change the settings."""
        drawn, account = self.random.random(), self.random.choice(self.accounts)
        self.minute += self.random.choice((0, 1))
        if drawn < 0.88:
            values = self.pool.values if self.random.random() < 0.75 else account.past  # or what was there before
            self.type(account, account.form(self.random.choice(values)))
        elif drawn < 0.92:
            account.version += 1
            account.truth.at = self.minute
            self.log.append(f"{account.ref.connection}: something else is edited")
        elif drawn < 0.96 and len(self.accounts) < len(NAMES):
            self.join(NAMES[len(self.accounts)])
            self.log.append(f"joins: {_shown(self.accounts[-1])}")
        else:
            self.policy = self.random.choices(POLICIES, LIKELY)[0]
            self.log.append(f"the policy is {_named(self.policy)} now")

    def type(self, account: Account, value: Value) -> None:
        """Let a person have typed something of which the CRM keeps this value."""
        account.version += 1
        account.past.append(account.truth.holds)
        account.truth.at = self.minute
        account.truth.typed(value, self.minute)
        self.said.add(canonical(value))
        self.log.append(f"{account.ref.connection}: a person types {value!r}")

    def join(self, name: str) -> None:
        """Add a side with which nothing was agreed yet."""
        form = self.random.choice(self.pool.forms)
        value = form(self.random.choice(self.pool.values))
        self.said.add(canonical(value))
        self.accounts.append(
            Account(
                ref=Ref(name, Kind.DEAL, "1"),
                form=form,
                counts=self.random.random() < 0.7,
                truth=Standing(connection=name, holds=value, stands=value, at=self.minute),
                has_field=self.random.random() < 0.97,
                past=[value],
            )
        )

    def resolve(self) -> None:
        """Let a person decide for what one side holds, as `crmbridge conflicts resolve` notes it."""
        chosen = self.random.choice(self.here()).truth
        for account in self.here():
            account.base[FIELD] = account.truth.rest = account.truth.stands = account.truth.holds
        self.decided[FIELD] = self.owed = chosen.holds
        self.said.add(canonical(chosen.holds))
        self.log.append(f"a person decides for {chosen.connection}")

    # ── What a run does ─────────────────────────────────────────────────────────────────────────────────

    def here(self) -> list[Account]:
        """Give the sides that have the field."""
        return [account for account in self.accounts if account.has_field]

    def plan(self, *, notes: bool = True) -> Planned:
        """Merge, hold what it wants against what was promised, and save what it notes."""
        read = {account.ref: _read(account) for account in self.accounts}
        merged = merge(LINK, [side for side, _ in read.values()], lambda _: self.policy, self.decided)
        self._hold_against(merged)
        noted = [*(news for _, news in read.values() if news), *merged.agreed.values()]
        assert notes or not any(noted), f"it notes {noted} though nothing happened"
        for account in self.accounts:
            account.base |= {**read[account.ref][1], **merged.agreed.get(account.ref, {})}
        self.decided |= merged.agreed.get(decided_ref(LINK), {})
        edits = {ref: edit for ref, (edit,) in merged.edits.items()}
        planned = Planned(
            edits=edits,
            versions={account.ref: account.version for account in self.accounts},
            views={account.ref: account.truth.holds for account in self.here()},
            voices=[account for account in self.here() if account.truth.speaks(self.owed)],
            value=next((edit.after for edit in edits.values()), None),
            asks=bool(merged.blocked),
        )
        self._note(planned)
        return planned

    def _hold_against(self, merged: Merged) -> None:
        """Check that what the merge wants is what was promised, to the letter."""
        here = [account.truth for account in self.here()]
        promised: Wanted = wanted(here, self.owed, self.policy)
        found = {ref.connection: edits[0] for ref, edits in merged.edits.items()}
        self.log.append(
            f"plan: { ({name: edit.after for name, edit in found.items()}) } {'asks' * len(merged.blocked)}"
        )
        assert promised.writes.keys() == found.keys(), f"promised was {promised}"
        for name, value in promised.writes.items():
            assert same(value, found[name].after), f"promised was {promised}"
        for truth in here:
            edit = found.get(truth.connection)
            assert edit is None or edit.before == truth.holds, f"{truth.connection} does not hold {edit}"
        assert promised.asks == bool(merged.blocked), f"promised was {promised}"
        self._hold_against_people(found)
        for blocked in merged.blocked:
            shown = {truth.connection: truth.holds for truth in here}
            assert shown == blocked.values, f"{shown} is there, and {blocked.values} is shown"

    def _hold_against_people(self, found: Mapping[str, FieldEdit]) -> None:
        """Check what holds whatever was promised: people's own values are written, and only where they may be."""
        said = self.said | {
            canonical(member) for value in self.said if isinstance(value, frozenset) for member in value
        }
        for name, edit in found.items():
            value = canonical(edit.after)
            whole = value in said or (isinstance(value, frozenset) and all(member in said for member in value))
            assert value is None or whole, f"nobody typed {edit.after!r}"
            assert name != self.policy.source, "the side that speaks alone is written to"
            if self.policy.source is None and self.policy.conflict == "only_if_empty":
                assert is_empty(edit.before), f"{edit} writes over a value"
                assert not is_empty(edit.after), f"{edit} fills nothing"

    def _note(self, planned: Planned) -> None:
        """Follow what is at rest from looking alone."""
        here = self.here()
        if len(here) < 2 or not self.policy.sync:
            return
        if (common := alike([account.truth for account in here])) is not None:
            for account in here:
                account.truth.stands = account.truth.rest = common.stands
            self.owed = common.stands
            return
        for account in here:
            truth = account.truth
            if planned.edits and same(truth.holds, planned.value) and not same(truth.stands, planned.value):
                truth.stands = truth.rest = planned.value  # what its CRM had made of an earlier value
        if self.policy.conflict == "only_if_empty" and self.policy.source is None:
            self._note_what_stays(planned)

    def _note_what_stays(self, planned: Planned) -> None:
        empty = [each.truth for each in self.here() if is_empty(each.truth.stands)]
        givers = [each.truth for each in planned.voices if not is_empty(each.truth.stands)]
        noted = [truth for truth in givers if not empty or not same(truth.stands, givers[0].stands)]
        for truth in noted:
            truth.rest = truth.stands
        if not givers and not planned.edits:
            for truth in empty:
                truth.rest = None
        if noted or not planned.edits:
            self.owed = Unknown.APART

    def apply(self, planned: Planned, failing: float) -> None:
        """Carry out a plan, one change after the other; some writes fail, and what was edited since is left alone."""
        changes = [_change(ref, edit, planned.versions[ref]) for ref, edit in planned.edits.items()]
        decisions = Decisions(
            edits={change.id: {FIELD: change.edits[0].after} for change in changes},
            changes={LINK: changes},
            views={LINK: {ref: {FIELD: value} for ref, value in planned.views.items()}},
            decided={LINK: dict(self.decided)},
            members={LINK: tuple(planned.views)},
        )
        by_ref = {account.ref: account for account in self.accounts}
        is_decided = False
        for ref, change in zip(planned.edits, changes, strict=True):
            account = by_ref[ref]
            stale = change.expects != str(account.version)
            for each, base in decisions.bases([] if stale else [change]).items():
                (by_ref[each].base if each in by_ref else self.decided).update(base)
            if not stale and not is_decided:
                is_decided = True
                _decide(self.here(), planned)
                self.owed = planned.value
            if stale:
                self.log.append(f"{account.ref.connection}: edited since")
            elif self.random.random() < failing:
                self.log.append(f"{account.ref.connection}: the write fails")
            else:
                self._write(account, change)

    def _write(self, account: Account, change: Change) -> None:
        value = change.edits[0].after
        kept = account.form(value)
        if account.counts or not same(kept, account.truth.holds):
            account.version += 1
        account.past.append(account.truth.holds)
        account.truth.written(value, kept, self.minute)
        account.base |= forms.sent([(FIELD, value)], change.expects)
        self.log.append(f"{account.ref.connection}: {value!r} is written, and {kept!r} kept")


def _read(account: Account) -> tuple[Side, Mapping[str, Value]]:
    truth = account.truth
    if account.base.get(forms.VERSION) != str(account.version):
        truth.looked_at()
    held = {FIELD: truth.holds} if account.has_field else {}
    now, news = forms.read(held, account.base, str(account.version))
    return Side(ref=account.ref, now=now, base=account.base, updated_at=MINUTES[truth.at], held=held), news


def _decide(here: Sequence[Account], planned: Planned) -> None:
    """Follow what is at rest once a plan is carried out: what each side had then, and what all should hold."""
    for account in here:
        truth, seen = account.truth, planned.views.get(account.ref)
        if account.ref in planned.edits:
            truth.rest, truth.stands = seen, truth.holds  # what its CRM made of something earlier is over
        elif account.ref in planned.views and same(seen, planned.value):
            truth.rest = planned.value


def _change(ref: Ref, edit: FieldEdit, version: int) -> Change:
    return Change(
        id=ref.connection,
        action=Action.UPDATE,
        origin=Origin.SYNC,
        connection=ref.connection,
        target=ref,
        edits=(edit,),
        reason="",
        expects=str(version),
        link=LINK,
    )


def _named(policy: FieldSync) -> str:
    if not policy.sync:
        return "not synced"
    return policy.conflict if policy.source is None else policy.direction


def _shown(account: Account) -> str:
    kept = "" if account.has_field else ", without the field"
    return f"{account.ref.connection}: {account.truth.holds!r} ({account.form.__name__.strip('_')}{kept})"


def failures(seeds: Sequence[int]) -> Iterator[tuple[int, str]]:
    """Play seeds, and give those that fail, with why."""
    for seed in seeds:
        try:
            play(seed)
        except AssertionError as error:
            yield seed, str(error)
        except Exception as error:  # noqa: BLE001  any error of any seed is a result
            yield seed, f"seed {seed}: {type(error).__name__}: {error}"
