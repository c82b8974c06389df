"""A CRM in memory, for tests that want no wire: it passes the AdapterSuite like the real ones, and shows faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal

from crmbridge.model.changes import Change, Outcome, Receipt
from crmbridge.model.files import extension
from crmbridge.model.records import Kind, Record, Ref, Tombstone
from crmbridge.model.values import Value
from crmbridge.ports import Clock
from crmbridge.testing.fake_records import FakeRecords, at
from crmbridge.testing.fake_writes import carry_out, changed_set


class FakeCrm(FakeRecords):
    """The account itself, and what people do in it.

    `faults` holds the names of faults for the next writes, first to last: `drop_before`, `drop_after`, `drop_half` (the
    first half is carried out), `unclear` (carried out, and the adapter knows nothing of it), `refuse`, `limit`,
    `revoked`; an empty name lets one write pass. `blind` is how many of the next reads and finds are limited.
    `writes` counts the write calls, `effects` how often each change was carried out. Without `unique_keys` the
    account takes two deals of one key. Only an `able` one archives, makes companies and contacts, amends tasks, and
    takes edits of what hangs on a deal, and keeps `figures` in those of its companies' fields that are in
    `figure_fields`. Each of its `rules` says why a deal may not be made what an update would make of it, or nothing;
    `blamed` are the fields that it then names as wrong.
    One that `compares` takes no update of a deal of another version than the update expects. A deal that crmbridge
    makes without an owner is given to `signed_in`, if that is anybody. One that `forgets` tells of a deletion for that
    long.
    """

    def __init__(self, connection: str, clock: Clock, *, unique_keys: bool = True, able: bool = False) -> None:
        super().__init__(connection, clock)
        self.unique_keys = unique_keys
        self.able = able
        self.compares = False
        self.forgets: timedelta | None = None
        self.remembered = 150  # deals that may be asked at once what they held before
        self.account = connection
        self.blind = 0
        self.effects: Counter[str] = Counter()
        self.figure_fields = {"figure"}
        self.figures: dict[Ref, dict[str, Value]] = {}
        self.rows: dict[str, dict[str, Value]] = {}  # of figures, by their keys
        self.files_forbidden = False
        self.signed_in = ""
        self.rules: list[Callable[[Mapping[str, Value]], str]] = []
        self.blamed: tuple[str, ...] = ()
        self.faults: list[str] = []
        self.writes = 0

    def create_deal(self, name: str, *, stage: str = "prospecting", **fields: Value) -> Ref:
        """Create a deal as a person would."""
        self.count += 1
        ref = self.ref(Kind.DEAL, f"d{self.count}")
        self.store(ref, {"name": name, **fields}, at(stage), created=self.clock.now())
        self.note_move(ref, None, at(stage), self.clock.now())
        return ref

    def deal_ids(self) -> list[str]:
        """Give the ids of all deals."""
        return sorted(ref.id for ref in self.records if ref.kind is Kind.DEAL)

    def deal(self, native_id: str) -> Record:
        """Give a deal as it is now."""
        return self.records[self.ref(Kind.DEAL, native_id)]

    def edit_deal(self, native_id: str, /, **fields: Value) -> None:
        """Edit fields of a deal as a person would; a dot in a name is written as two underscores."""
        ref = self.ref(Kind.DEAL, native_id)
        named = {name.replace("__", "."): value for name, value in fields.items()}
        record = self.records[ref]
        self.store(ref, {**record.fields, **named}, record.position, created=record.created_at, key=record.key)

    def move_deal(self, native_id: str, stage: str) -> None:
        """Move a deal to a stage as a person would."""
        ref = self.ref(Kind.DEAL, native_id)
        self.place(ref, at(stage))

    def delete_deal(self, native_id: str) -> None:
        """Delete a deal as a person would."""
        self.drop(self.ref(Kind.DEAL, native_id))

    def restore_deal(self, native_id: str) -> None:
        """Take a deal back that was archived or deleted, as a person would."""
        ref = self.ref(Kind.DEAL, native_id)
        was = self.bin.pop(ref)
        del self.gone[ref]
        self.store(ref, was.fields, was.position, created=was.created_at, key=was.key)

    def create_company(self, **fields: Value) -> str:
        """Create a company as a person would."""
        return self.make(Kind.COMPANY, fields).id

    def create_contact(self, **fields: Value) -> str:
        """Create a contact as a person would."""
        return self.make(Kind.CONTACT, fields).id

    def set_company(self, deal_id: str, company_id: str | None) -> None:
        """Give a deal another company as a person would, or none."""
        self.edit_deal(deal_id, company=company_id)

    def add_contact(self, deal_id: str, contact_id: str) -> None:
        """Put a contact on a deal as a person would."""
        self.edit_deal(deal_id, contacts=changed_set(self.deal(deal_id).fields.get("contacts"), (), (contact_id,)))

    def remove_contact(self, deal_id: str, contact_id: str) -> None:
        """Take a contact off a deal as a person would."""
        self.edit_deal(deal_id, contacts=changed_set(self.deal(deal_id).fields.get("contacts"), (contact_id,), ()))

    def merge_deals(self, *, winner: str, loser: str) -> None:
        """Merge a deal into another one as a person would."""
        self.delete_deal(loser)
        ref = self.ref(Kind.DEAL, loser)
        self.gone[ref] = Tombstone(ref=ref, at=self.clock.now(), merged_into=self.ref(Kind.DEAL, winner))
        self.touch(self.ref(Kind.DEAL, winner))

    def add_note(self, deal_id: str, body: str) -> str:
        """Write a note on a deal as a person would."""
        return self.hang(Kind.NOTE, self.ref(Kind.DEAL, deal_id), {"body": body}, "").id

    def delete_note(self, native_id: str) -> None:
        """Delete a note as a person would."""
        self.drop(self.ref(Kind.NOTE, native_id))

    def add_file(self, deal_id: str, name: str, *, size: int = 1) -> str:
        """Attach a file to a deal as its owner would."""
        deal = self.ref(Kind.DEAL, deal_id)
        owner = self.records[deal].fields.get("owner")
        return self.hang(
            Kind.FILE, deal, {"name": name, "type": extension(name), "size": Decimal(size), "owner": owner}, ""
        ).id

    def delete_file(self, native_id: str) -> None:
        """Delete a file as a person would."""
        self.drop(self.ref(Kind.FILE, native_id))

    def forbid_files(self) -> None:
        """Take away the right to read files."""
        self.files_forbidden = True

    def named(self, name: str) -> list[Record]:
        """Give the deals of this name."""
        return [r for r in self.records.values() if r.ref.kind is Kind.DEAL and r.fields.get("name") == name]

    def hanging_on(self, native_id: str, kind: Kind) -> list[Record]:
        """Give the tasks or notes on a deal."""
        deal = self.ref(Kind.DEAL, native_id)
        return [self.records[r] for r, (on, _) in sorted(self.attached.items()) if on == deal and r.kind is kind]

    def tick_off(self, marker: str) -> None:
        """Say that a task is done, as a person would."""
        ref = next(ref for ref, (_, known) in self.attached.items() if known == marker)
        record = self.records[ref]
        self.store(ref, {**record.fields, "done": True}, None, created=record.created_at)

    def tells_of(self, tombstone: Tombstone) -> bool:
        """Tell whether it is not forgotten yet that a record is gone."""
        return self.forgets is None or self.clock.now() - tombstone.at < self.forgets

    def remove(self, ref: Ref) -> None:
        """Delete a task or note as a person would."""
        self.drop(ref)

    def carry_out(self, change: Change) -> Receipt:
        """Do what a change asks for, or refuse it."""
        answer = carry_out(self, change)
        self.effects[change.id] += answer.outcome is Outcome.APPLIED
        return answer
