"""The people of a simulation: what they do in the CRMs, at any moment."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal

from crmbridge.engine.views import COMPANY, OWNER, STAGE
from crmbridge.model.records import Kind, Record, Ref, Status
from crmbridge.model.values import Money, Value, show
from crmbridge.sandbox import VirtualClock
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.note_writers import NoteWriters
from crmbridge.testing.simulation.notes import NOTE
from crmbridge.testing.simulation.sight import HANGING
from crmbridge.testing.simulation.witness import Witness

STAGES = ("prospecting", "qualification", "diagnosis", "proposal", "negotiation", "closing")
EDITED = ("name", "amount", "amount", "decision_maker", "decision_maker", "pains", "bant.budget", "discount")
RARELY = ("close_date", OWNER)


class People:
    """Everybody who works in the CRMs. What they do is told to the witness.

    Some do nothing for minutes, some act in the same second as something else; and what one has just edited, another
    one likes to edit as well, or to delete.
    """

    def __init__(
        self, accounts: Mapping[str, Account], seen: Witness, clock: VirtualClock, rng: random.Random, diary: Diary
    ) -> None:
        self._accounts = accounts
        self._seen = seen
        self._clock = clock
        self._rng = rng
        self._diary = diary
        self._attention: tuple[Ref, str] | None = None  # the deal and field that somebody edited last
        self._named = 0
        self.also: tuple[str, ...] = ()  # what people edit besides
        self.currencies: tuple[str, ...] = ("EUR",)
        self.note_writers = NoteWriters(accounts, seen, rng, diary)

    def act(self, away: frozenset[str] = frozenset()) -> None:
        """Do one thing that a person would do, in any CRM but those in `away`."""
        names = sorted(set(self._accounts) - away)
        if not names:
            return
        if self._rng.random() < 0.6:
            self._clock.advance(timedelta(seconds=self._rng.randint(1, 200)))
        if self._attention and self._rng.random() < 0.4:
            near, field = self._attention
            linked = [ref for ref in self._seen.linked(near) if ref.connection in names]
            together = [ref for ref in linked if ref in self._accounts[ref.connection].records]
            if together and (ref := self._rng.choice(together)) != near and self._rng.random() < 0.1:
                self.delete(ref)  # what somebody is at, another does not need any more
                return
            if together:
                self.edit(ref, field)
                return
        account = self._accounts[self._rng.choice(names)]
        ids = account.deal_ids()
        if not ids or self._rng.random() < 0.12:
            self._create_any(account)
            return
        self._do(account, Ref(account.connection, Kind.DEAL, self._rng.choice(ids)))

    def merge_linked(self) -> None:
        """Merge two deals in a CRM that says so, one of which has a counterpart; then edit what is left, or not."""
        for name in sorted(name for name, account in self._accounts.items() if account.tells_of_merges):
            account = self._accounts[name]
            refs = [Ref(name, Kind.DEAL, native) for native in account.deal_ids()]
            linked = [ref for ref in refs if len(self._seen.linked(ref)) > 1]
            if linked:
                left = self._merge(account, self._rng.choice(linked))
                if left is not None and self._rng.random() < 0.7:
                    # Often its name: by that alone nobody finds its counterpart then.
                    self.edit(left, self._rng.choice(("name", self._rng.choice(EDITED))))

    def _do(self, account: Account, ref: Ref) -> None:
        choice = self._rng.random()
        if choice < 0.05:
            self.delete(ref)
        elif choice < 0.07:
            self._restore(account)
        elif choice < 0.09:
            self._merge(account, ref)
        elif choice < 0.23:
            self._move(ref)
        elif choice < 0.38 and account.sight.around:
            self._hang(ref, self._rng.choice(account.sight.around))
        else:
            self.edit(ref, self._rng.choice((*EDITED, *EDITED, *RARELY, *self.also)))

    def _create_any(self, account: Account) -> None:
        """Create a deal: a new one, or one that another CRM has already, under the same name."""
        others = [r for name, a in sorted(self._accounts.items()) if a is not account for r in _open_deals(a.records)]
        self._named += 1
        name = f"Deal {self._named}"
        if others and self._rng.random() < 0.4:
            name = str(self._rng.choice(others).fields["name"])
        self.create(account, name, with_company=0.8)

    def create(self, account: Account, name: str, *, with_company: float = 0.0) -> Ref | None:
        """Create a deal, and give it."""
        fields: dict[str, Value] = {"amount": self._value(account, "amount", ())}
        fields["close_date"] = self._value(account, "close_date", ())
        companies = sorted(account.sight.names[Kind.COMPANY])
        if companies and self._rng.random() < with_company:
            fields["company"] = self._rng.choice(companies)
        ref = account.create(name, self._rng.choice(STAGES[1:]), fields)
        if ref is not None:
            self._diary.note(account.connection, f"a person creates {ref.id} {name!r}")
            self._seen.created(ref)
        return ref

    def delete(self, ref: Ref) -> None:
        """Delete a deal."""
        self._diary.note(ref.connection, f"a person deletes {ref.id}")
        self._seen.deleted(ref)
        self._accounts[ref.connection].delete(ref.id)

    def _restore(self, account: Account) -> None:
        """Bring back a deal that somebody deleted."""
        if not account.bin:
            return
        native = self._rng.choice(account.bin)
        if self.bring_back(Ref(account.connection, Kind.DEAL, native)):
            account.bin.remove(native)

    def bring_back(self, ref: Ref) -> bool:
        """Bring back a deal that is gone; tell whether its CRM lets people do that."""
        done = self._accounts[ref.connection].do("restore_deal", ref.id, ref.id)
        if done:
            self._diary.note(ref.connection, f"a person brings {ref.id} back")
            self._seen.brought_back(ref)
        return done

    def _merge(self, account: Account, winner: Ref) -> Ref | None:
        """Merge another deal into this one, and give what is left."""
        others = [native for native in account.deal_ids() if native != winner.id]
        if not others:
            return None
        loser, before = Ref(account.connection, Kind.DEAL, self._rng.choice(others)), self._seen.view(winner)
        counterparts = [*self._seen.linked(winner), *self._seen.linked(loser)] if account.tells_of_merges else []
        left = account.merge(winner, loser)
        if left is None:
            return None
        self._diary.note(winner.connection, f"a person merges {loser.id} into {winner.id}, which leaves {left.id}")
        self._seen.merged((winner, loser), left, counterparts)
        if left != winner:
            self._seen.created(left)
            return left
        for name, value in self._seen.view(winner).items():
            if value != before.get(name):
                self._seen.edited(winner, name, before.get(name))
        return left

    def _hang(self, ref: Ref, name: str) -> None:
        """Give a deal another company, or one contact more or fewer."""
        account = self._accounts[ref.connection]
        before = self._seen.value(ref, name)
        natives = sorted(account.sight.names[HANGING[name]])
        native = self._rng.choice(natives) if natives else None
        if name == COMPANY:
            done = account.do("set_company", ref.id, ref.id, native if self._rng.random() < 0.9 else None)
        else:
            held = account.deal(ref.id).fields.get(name)
            there = isinstance(held, tuple) and native in held
            done = account.do("remove_contact" if there else "add_contact", ref.id, ref.id, native)
        if done and self._seen.value(ref, name) != before:
            now = self._seen.value(ref, name)
            self._diary.note(ref.connection, f"a person sets {name} of {ref.id}: {show(before)} -> {show(now)}")
            self._seen.edited(ref, name, before)

    def _move(self, ref: Ref) -> None:
        before = self._seen.value(ref, STAGE)
        self.set(ref, STAGE, self._rng.choice([s for s in (*STAGES, "won", "lost") if s != before]))

    def edit(self, ref: Ref, name: str) -> None:
        """Edit a field of a deal."""
        if name == STAGE:
            self._move(ref)
            return
        if name in HANGING:
            self._hang(ref, name)
            return
        self._attention = (ref, name)
        if name == NOTE:
            self.note_writers.write(ref)
            return
        self.set(ref, name, self._value(self._accounts[ref.connection], name, self._seen.values_seen(ref, name)))

    def set(self, ref: Ref, name: str, value: Value) -> None:
        """Set a field of a deal."""
        before = self._seen.value(ref, name)
        if before == value:
            return
        account = self._accounts[ref.connection]
        done = account.edit(ref.id, name, value)
        if done and self._seen.value(ref, name) != before:
            self._diary.note(ref.connection, f"a person sets {name} of {ref.id}: {show(before)} -> {show(value)}")
            self._seen.edited(ref, name, before)

    def _value(self, account: Account, name: str, seen: Sequence[Value]) -> Value:
        """Give a field's next value: often one that it had before, so that edits are taken back as well."""
        known = [value for value in seen if value is not None or name in {"decision_maker", "pains"}]
        if known and self._rng.random() < 0.5:
            return self._rng.choice(known[-4:])
        number = self._rng.randint(1, 10_000)
        fresh: Mapping[str, Value] = {
            "name": f"Deal renamed {number}",
            "amount": _amount(self._rng, self.currencies, number, seen),
            "decision_maker": self._rng.choice((None, f"Person {number}", f"Person {number}")),
            "pains": self._rng.choice((None, f"Pain {number}", f"Pain {number}")),
            "objections": f"Objection {number}",
            "bant.budget": number % 2 == 0,
            "discount": Decimal(number % 100) / 4,
            "close_date": date(2026, 1, 1) + timedelta(days=number % 1000),
            OWNER: self._rng.choice(sorted(account.viewer.ids)),
        }
        return fresh[name]


def _amount(rng: random.Random, currencies: Sequence[str], number: int, seen: Sequence[Value]) -> Value:
    """Give an amount; where there are several currencies, also none at all, or an earlier one in another."""
    fresh = Money(Decimal(number) / 100, currencies[0])
    if len(currencies) == 1:
        return fresh
    currency, drawn = rng.choice(currencies), rng.random()
    if drawn < 0.15:
        return None
    earlier = [value for value in seen if isinstance(value, Money)]
    return Money((earlier[-1] if earlier and drawn < 0.5 else fresh).amount, currency)


def _open_deals(records: Mapping[Ref, Record]) -> list[Record]:
    found = [record for ref, record in sorted(records.items()) if ref.kind is Kind.DEAL]
    return [record for record in found if record.position and record.position.status is Status.OPEN]
