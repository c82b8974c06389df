"""The tasks and notes that hang on deals in a play, and what people do with the tasks that crmbridge made."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from crmbridge.model.changes import Action, Change, JournalEntry, Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.testing.simulation.accounts import Account
from crmbridge.testing.simulation.notes import notes_in


class Task(NamedTuple):
    """A task that nobody had before the play began; the change that made it, where the journal knows one."""

    connection: str
    id: str
    record: Record
    change: Change | None

    @property
    def where(self) -> tuple[str, str]:
        """What it is known by."""
        return self.connection, self.id


class Board:
    """What hangs on the deals of all CRMs. `touched` are tasks that people ticked off or opened, `taken` are gone."""

    def __init__(self, accounts: Mapping[str, Account], rows: Callable[[], Iterable[JournalEntry]]) -> None:
        self._accounts, self._rows = accounts, rows
        self._before = {name: tasks_in(account).keys() for name, account in accounts.items()}
        self.touched: set[tuple[str, str]] = set()
        self.taken: set[tuple[str, str]] = set()

    def applied(self, action: Action) -> list[JournalEntry]:
        """Give what the journal says was carried out."""
        return [e for e in self._rows() if e.outcome is Outcome.APPLIED and e.change.action is action]

    def made(self) -> dict[tuple[str, str], Change]:
        """Give what made each task that the journal knows, there or not."""
        return {(e.change.connection, e.ref.id): e.change for e in self.applied(Action.TASK) if e.ref is not None}

    def tasks(self) -> list[Task]:
        """Give the tasks that came to be there."""
        made = self.made()
        return [
            Task(name, native, record, made.get((name, native)))
            for name, account in sorted(self._accounts.items())
            for native, record in sorted(tasks_in(account).items())
            if native not in self._before[name]
        ]

    def marks(self) -> list[tuple[Ref, str]]:
        """Give the markers of our notes, with the deals that they hang on."""
        notes = (note for account in self._accounts.values() for note in notes_in(account.people) if note.marker)
        return [(deal, note.marker) for note in notes for deal in note.deals]

    def do(self, task: Task, what: str) -> None:
        """Let a person do something with a task."""
        account = self._accounts[task.connection]
        if what == "delete":
            account.sandbox.state.delete_activity(task.record.ref.id)
            self.taken.add(task.where)
        elif task.change is not None:
            account.tick(task.change, done=what == "tick off")
            self.touched.add(task.where)


def tasks_in(account: Account) -> dict[str, Record]:
    """Give the tasks of a CRM, by the ids under which they are written."""
    records = (record for page in account.people.pull(Kind.ACTIVITY, None) for record in page.records)
    return {each.ref.id.rpartition("-")[2]: each for each in records if each.fields.get("type") == "task"}
