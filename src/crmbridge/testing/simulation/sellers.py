"""People who work with deals where findings act: they break rules, heal them, and deal with what is asked of them."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from crmbridge.engine.people import OWNER
from crmbridge.engine.views import STAGE
from crmbridge.errors import ConfigurationError
from crmbridge.model.records import Ref
from crmbridge.model.values import Value
from crmbridge.services.by_hand.waiving import unwaive, waive
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.acting_oracle import Oracle
from crmbridge.testing.simulation.by_hand_on_sandboxes import Table
from crmbridge.testing.simulation.diary import Diary
from crmbridge.testing.simulation.scene import STAGES


class Sellers:
    """Those who do something between runs, and while one is at work."""

    def __init__(
        self, accounts: Mapping[str, Account], table: Table, oracle: Oracle, rng: random.Random, diary: Diary
    ) -> None:
        self._accounts, self._table, self._oracle = accounts, table, oracle
        self._rng, self._diary = rng, diary
        self._count = 0
        self._away: frozenset[str] = frozenset()  # CRMs in which nobody may do anything just now

    def act(self) -> None:
        """Let somebody do something."""
        self._table.clock.advance(timedelta(minutes=self._rng.randint(1, 90)))
        self._do({**self._in_a_crm(), self._waive: 3})

    def act_meanwhile(self, away: frozenset[str]) -> None:
        """Let somebody do something while a run is at work, in any CRM but those in `away`."""
        if away != self._accounts.keys():
            self._table.clock.advance(timedelta(seconds=self._rng.randint(0, 200)))
            self._away = away
            self._do(self._in_a_crm())
            self._away = frozenset()

    def edit_before_us(self, refs: Sequence[Ref], names: Collection[str]) -> None:
        """Let somebody edit one of these fields, just before we look at it and write there."""
        mine = self._accounts[refs[0].connection]
        there = [ref.id for ref in refs if ref in mine.records]
        if there and (known := sorted(_values(mine).keys() & names)):
            name = self._rng.choice(known)
            self._set(mine, self._rng.choice(there), name, self._rng.choice(_values(mine)[name]))

    def _in_a_crm(self) -> dict[Callable[[], None], int]:
        return {self._move: 8, self._edit: 10, self._fiddle: 4, self._create: 2, self._delete: 1}

    def _do(self, often: Mapping[Callable[[], None], int]) -> None:
        self._rng.choices(list(often), list(often.values()))[0]()

    def _open(self) -> list[str]:
        return sorted(self._accounts.keys() - self._away)

    def _a_deal(self) -> tuple[Account, str] | None:
        accounts = [self._accounts[name] for name in self._open()]
        deals = [(account, native) for account in accounts for native in account.deal_ids()]
        return self._rng.choice(deals) if deals else None

    def _move(self) -> None:
        """Move a deal: rather to the next stage, so that rules are broken which look back, or heal."""
        if found := self._a_deal():
            account, native = found
            now = account.sight.view(account.deal(native)).get(STAGE)
            at = STAGES.index(str(now)) if now in STAGES else 0
            self._set(account, native, STAGE, self._rng.choice((*STAGES[at + 1 : at + 2] * 3, *STAGES)))

    def _edit(self) -> None:
        """Set or empty a field that rules look at, or give a deal to somebody else."""
        if found := self._a_deal():
            values = _values(found[0])
            name = self._rng.choice(sorted(values))
            self._set(*found, name, self._rng.choice(values[name]))

    def _set(self, account: Account, native: str, name: str, value: Value) -> None:
        if account.sight.view(account.deal(native)).get(name) != value and account.edit(native, name, value):
            self._diary.note(account.connection, f"a person sets {name} of {native} to {value}")
            deal = account.deal(native)
            self._oracle.edited.add((deal.ref, name))
            self._oracle.meanwhile[deal.ref, name] = account.sight.view(deal).get(name)

    def _create(self) -> None:
        self._count += 1
        crm = self._table.crms[self._rng.choice(self._open())]
        made = crm.create_deal(f"Deal {self._count}", stage=self._rng.choice(STAGES), amount=None)
        self._diary.note(made.connection, f"a person creates {made.id}")

    def _delete(self) -> None:
        if found := self._a_deal():
            found[0].delete(found[1])
            self._diary.note(found[0].connection, f"a person deletes {found[1]}")

    def _fiddle(self) -> None:
        """Tick one of our tasks off, or let it be to do again, or take it away."""
        if tasks := [task for task in self._oracle.board.tasks() if task.connection not in self._away]:
            task = self._rng.choice(tasks)
            what = self._rng.choice(("tick off", "tick off", "open again", "delete"))
            self._oracle.board.do(task, what)
            self._diary.note(task.connection, f"a person: {what} task {task.id}")

    def _waive(self) -> None:
        """Accept a finding for a while, or take that back."""
        workspace = self._table.workspace
        with contextlib.suppress(ConfigurationError):  # there is no waiver to take back
            if found := sorted(each.finding.id for each in self._oracle.known() if each.life.cleared_at is None):
                finding = self._rng.choice(found)
                if self._rng.random() < 0.7:
                    waive(workspace, finding, by="Ann", why="a pilot", until=self._rng.choice(("1h", "5h", "30h")))
                else:
                    unwaive(workspace, finding, by="Ann")
                self._diary.note("a person", f"waives {finding}, or takes that back")


def _values(account: Account) -> dict[str, Sequence[Value]]:
    """Give what people enter, by field."""
    return {
        "decision_maker": (None, "Ann", "Bo"),
        "pains": (None, "Slow", "Dear"),
        "bant.budget": (None, True),
        "discount": (None, Decimal(3), Decimal(30), Decimal(31)),
        OWNER: sorted(set(account.viewer.users.values())),
    }
