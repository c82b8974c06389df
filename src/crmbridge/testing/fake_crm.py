"""A CRM in memory, for tests that want no wire: it passes the AdapterSuite like the real ones, and shows faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from crmbridge.model.changes import Action, Change, Outcome, Receipt
from crmbridge.model.files import extension
from crmbridge.model.records import Kind, Move, Position, Record, Ref, Status, Tombstone
from crmbridge.model.values import Money, Value
from crmbridge.ports import Clock
from crmbridge.sandbox.world import World, WorldDeal

PIPELINE = "sales"
STAGES = ("prospecting", "qualification", "diagnosis", "proposal", "negotiation", "closing", "won", "lost")
AS_CLOSED = {"won": Status.WON, "lost": Status.LOST}


class FakeCrm:
    """The account itself: what it holds, and what people do in it.

    `faults` holds the names of faults for the next writes, first to last: `drop_before`, `drop_after`, `drop_half` (the
    first half is carried out), `unclear` (carried out, and the adapter knows nothing of it), `refuse`, `limit`,
    `revoked`; an empty name lets one write pass. `blind` is how many of the next reads and finds are limited.
    `writes` counts the write calls, `effects` how often each change was carried out. Without `unique_keys` the
    account takes two deals of one key. Only an `able` one archives, makes companies and contacts, amends tasks, and
    takes edits of what hangs on a deal, and keeps `figures` in those of its companies' fields that are in
    `figure_fields`. One that `remembers` can tell what fields of its deals held before. Each of its `rules` says why a
    deal may not be made what an update would make of it, or nothing. One that `compares` takes no update of a deal of
    another version than the update expects.
    """

    def __init__(self, connection: str, clock: Clock, *, unique_keys: bool = True, able: bool = False) -> None:
        self.connection = connection
        self.clock = clock
        self.unique_keys = unique_keys
        self.able = able
        self.compares = False
        self.remembers = False
        self.remembered = 150  # deals that may be asked at once what they held before
        self.past: dict[Ref, list[tuple[datetime, Mapping[str, Value]]]] = {}  # what deals held, since when
        self.account = connection
        self.blind = 0
        self.effects: Counter[str] = Counter()
        self.records: dict[Ref, Record] = {}
        self.moves: dict[Ref, list[Move]] = {}
        self.gone: dict[Ref, Tombstone] = {}
        self.bin: dict[Ref, Record] = {}  # what is gone, as it was
        self.changed: dict[Ref, int] = {}  # the number of each record's last change; a pull goes on from there
        self.attached: dict[Ref, tuple[Ref, str]] = {}  # task or note -> what it hangs on, marker
        self.figure_fields = {"figure"}
        self.figures: dict[Ref, dict[str, Value]] = {}
        self.rows: dict[str, dict[str, Value]] = {}  # of figures, by their keys
        self.files_forbidden = False
        self.rules: list[Callable[[Mapping[str, Value]], str]] = []
        self.faults: list[str] = []
        self.writes = 0
        self._count = 0

    def fill(self, world: World, deals: Sequence[WorldDeal]) -> None:
        """Take over people and companies of a world, and some of its deals."""
        for user in world.users:
            self._put(Kind.USER, str(user.number), {"name": user.name, "email": user.email, "active": True})
        for company in world.companies:
            self._put(Kind.COMPANY, str(company.number), {"name": company.name, "domain": company.domain})
        for contact in world.contacts:
            fields: dict[str, Value] = {"name": contact.name, "email": contact.email, "title": contact.title}
            self._put(Kind.CONTACT, str(contact.number), {**fields, "company": str(contact.company)})
        for deal in deals:
            self._take(deal)

    def create_deal(self, name: str, *, stage: str = "prospecting", **fields: Value) -> Ref:
        """Create a deal as a person would."""
        self._count += 1
        ref = self._ref(Kind.DEAL, f"d{self._count}")
        self._store(ref, {"name": name, **fields}, at(stage), created=self.clock.now())
        self._move(ref, None, at(stage), self.clock.now())
        return ref

    def deal_ids(self) -> list[str]:
        """Give the ids of all deals."""
        return sorted(ref.id for ref in self.records if ref.kind is Kind.DEAL)

    def deal(self, native_id: str) -> Record:
        """Give a deal as it is now."""
        return self.records[self._ref(Kind.DEAL, native_id)]

    def edit_deal(self, native_id: str, /, **fields: Value) -> None:
        """Edit fields of a deal as a person would; a dot in a name is written as two underscores."""
        ref = self._ref(Kind.DEAL, native_id)
        named = {name.replace("__", "."): value for name, value in fields.items()}
        record = self.records[ref]
        self._store(ref, {**record.fields, **named}, record.position, created=record.created_at, key=record.key)

    def move_deal(self, native_id: str, stage: str) -> None:
        """Move a deal to a stage as a person would."""
        ref = self._ref(Kind.DEAL, native_id)
        self._write_position(ref, at(stage))

    def delete_deal(self, native_id: str) -> None:
        """Delete a deal as a person would."""
        self._drop(self._ref(Kind.DEAL, native_id))

    def restore_deal(self, native_id: str) -> None:
        """Take a deal back that was archived or deleted, as a person would."""
        ref = self._ref(Kind.DEAL, native_id)
        was = self.bin.pop(ref)
        del self.gone[ref]
        self._store(ref, was.fields, was.position, created=was.created_at, key=was.key)

    def create_company(self, **fields: Value) -> str:
        """Create a company as a person would."""
        return self._make(Kind.COMPANY, fields).id

    def create_contact(self, **fields: Value) -> str:
        """Create a contact as a person would."""
        return self._make(Kind.CONTACT, fields).id

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
        ref = self._ref(Kind.DEAL, loser)
        self.gone[ref] = Tombstone(ref=ref, at=self.clock.now(), merged_into=self._ref(Kind.DEAL, winner))
        self._touch(self._ref(Kind.DEAL, winner))

    def add_note(self, deal_id: str, body: str) -> str:
        """Write a note on a deal as a person would."""
        return self._hang(Kind.NOTE, self._ref(Kind.DEAL, deal_id), {"body": body}, "").id

    def delete_note(self, native_id: str) -> None:
        """Delete a note as a person would."""
        self._drop(self._ref(Kind.NOTE, native_id))

    def add_file(self, deal_id: str, name: str, *, size: int = 1) -> str:
        """Attach a file to a deal as its owner would."""
        deal = self._ref(Kind.DEAL, deal_id)
        owner = self.records[deal].fields.get("owner")
        return self._hang(
            Kind.FILE, deal, {"name": name, "type": extension(name), "size": Decimal(size), "owner": owner}, ""
        ).id

    def delete_file(self, native_id: str) -> None:
        """Delete a file as a person would."""
        self._drop(self._ref(Kind.FILE, native_id))

    def forbid_files(self) -> None:
        """Take away the right to read files."""
        self.files_forbidden = True

    def named(self, name: str) -> list[Record]:
        """Give the deals of this name."""
        return [r for r in self.records.values() if r.ref.kind is Kind.DEAL and r.fields.get("name") == name]

    def hanging_on(self, native_id: str, kind: Kind) -> list[Record]:
        """Give the tasks or notes on a deal."""
        deal = self._ref(Kind.DEAL, native_id)
        return [self.records[r] for r, (on, _) in sorted(self.attached.items()) if on == deal and r.kind is kind]

    def tick_off(self, marker: str) -> None:
        """Say that a task is done, as a person would."""
        ref = next(ref for ref, (_, known) in self.attached.items() if known == marker)
        record = self.records[ref]
        self._store(ref, {**record.fields, "done": True}, None, created=record.created_at)

    def remove(self, ref: Ref) -> None:
        """Delete a task or note as a person would."""
        self._drop(ref)

    # ── What the adapter does here ──────────────────────────────────────────────────────────────────────

    def carry_out(self, change: Change) -> Receipt:
        """Do what a change asks for, or refuse it."""
        todo: Mapping[Action, Callable[[Change], Receipt]] = {
            Action.UPDATE: self._update,
            Action.CREATE: self._create,
            Action.TASK: self._attach,
            Action.NOTE: self._attach,
            Action.ARCHIVE: self._archive,
            Action.AMEND: self._amend,
        }
        answer = todo[change.action](change)
        self.effects[change.id] += answer.outcome is Outcome.APPLIED
        return answer

    def find_known(self, kind: Kind, key: str) -> Ref | None:
        """Find a company or contact by what it is known by, without case; one with a domain not by its name."""
        name, _, value = key.partition(":")
        for ref, record in sorted(self.records.items()):
            known = str(record.fields.get(name) or "").casefold() == value.casefold() != ""
            if ref.kind is kind and known and not (name == "name" and record.fields.get("domain")):
                return ref
        return None

    def _archive(self, change: Change) -> Receipt:
        if change.target in self.records:
            self._drop(change.target)
        return receipt(change, Outcome.APPLIED)

    def _missing(self, change: Change) -> str:
        """Say which company or contact a deal can't hang on, because it is not there."""
        ends = {Kind.COMPANY: (change.after.get("company"),), Kind.CONTACT: change.after.get("contacts") or ()}
        wanted = {self._ref(kind, str(each)) for kind, ids in ends.items() for each in ids if each}  # type: ignore[union-attr]
        lacking = sorted(wanted - self.records.keys()) if self.able else []
        return f"there is no {lacking[0].kind} {lacking[0].id}" if lacking else ""

    def _write_figures(self, company: Ref, change: Change) -> Receipt:
        lacking = sorted(change.after.keys() - self.figure_fields)
        if lacking:
            return receipt(change, Outcome.REFUSED, f"companies have no field {lacking[0]}")
        self.figures.setdefault(company, {}).update(change.after)
        return receipt(change, Outcome.APPLIED, ref=company)

    def _update(self, change: Change) -> Receipt:
        record = self.records.get(change.target) if change.target else None
        if record is None:
            return receipt(change, Outcome.REFUSED, "there is no such deal")
        if record.ref.kind is Kind.COMPANY:
            return self._write_figures(record.ref, change)
        if self.compares and change.expects not in {None, record.version}:
            return receipt(change, Outcome.STALE, "it was changed since")
        if lacking := self._missing(change) or _no_stage(change):
            return receipt(change, Outcome.REFUSED, lacking)
        fields = {**record.fields, **change.after}
        for edit in change.edits:
            if edit.name == "contacts":
                fields[edit.name] = changed_set(record.fields.get(edit.name), edit.before, edit.after)
        if broken := next((said for rule in self.rules if (said := rule(fields))), ""):
            return receipt(change, Outcome.REFUSED, broken)
        self._store(record.ref, fields, record.position, created=record.created_at, key=record.key)
        if change.position is not None:
            self._write_position(record.ref, change.position)
        return receipt(change, Outcome.APPLIED, ref=record.ref)

    def _create_counterpart(self, change: Change) -> Receipt:
        if change.creates is Kind.FIGURE:
            self.rows[change.key or ""] = change.after
            return receipt(change, Outcome.APPLIED, ref=self._ref(Kind.FIGURE, change.key or ""))
        after = change.after
        key = next((f"{name}:{after[name]}" for name in ("domain", "email", "name") if after.get(name)), "")
        ref = self.find_known(change.creates, key) or self._make(change.creates, after)
        return receipt(change, Outcome.APPLIED, ref=ref)

    def _create(self, change: Change) -> Receipt:
        if change.creates is not Kind.DEAL:
            return self._create_counterpart(change)
        if lacking := self._missing(change):
            return receipt(change, Outcome.REFUSED, lacking)
        known = [r for r in self.records.values() if r.key and r.key == change.key]
        if known and self.unique_keys:
            return receipt(change, Outcome.APPLIED, ref=known[0].ref)
        position = change.position or at("prospecting")
        if position.stage not in STAGES:
            return receipt(change, Outcome.REFUSED, f"there is no stage {position.stage}")
        ref = self.create_deal("", stage=position.stage)
        self._store(ref, change.after, position, created=self.clock.now(), key=change.key)
        return receipt(change, Outcome.APPLIED, ref=ref)

    def _attach(self, change: Change) -> Receipt:
        if change.target not in self.records:
            return receipt(change, Outcome.REFUSED, "there is nothing to hang it on")
        ref = self._hang(change.kind, change.target, change.after, change.key or "")
        return receipt(change, Outcome.APPLIED, ref=ref)

    def _amend(self, change: Change) -> Receipt:
        """Change the task with the change's marker; one that is gone is done."""
        known = (r for r, hangs in sorted(self.attached.items()) if hangs == (change.target, change.key))
        ref = next((r for r in known if r.kind is Kind.TASK), None)
        if ref is None:
            over = change.after.get("done") is True
            return receipt(change, Outcome.APPLIED if over else Outcome.REFUSED, "the task is gone")
        record = self.records[ref]
        self._store(ref, {**record.fields, **change.after}, None, created=record.created_at)
        return receipt(change, Outcome.APPLIED, ref=ref)

    # ── How it keeps things ─────────────────────────────────────────────────────────────────────────────

    def _take(self, deal: WorldDeal) -> None:
        ref = self._ref(Kind.DEAL, str(deal.number))
        steps = [(at(stage), when) for stage, when in deal.journey]
        if deal.closed_at is not None:
            steps.append((at(str(deal.status)), deal.closed_at))
        done = sum(activity.done for activity in deal.activities)
        fields: dict[str, Value] = {
            **deal.fields,
            "name": deal.name,
            "amount": Money(deal.amount, deal.currency),
            "close_date": deal.close_date,
            "owner": str(deal.owner),
            "company": str(deal.company),
            "contacts": tuple(sorted(str(number) for number in deal.contacts)),
            "source": deal.source,
            "lost_reason": deal.lost_reason or None,
            "activities": len(deal.activities),
            "activities_done": done,
            "activities_open": len(deal.activities) - done,
        }
        self._store(ref, fields, steps[-1][0], created=deal.created_at)
        for before, (after, when) in zip([None, *(position for position, _ in steps)], steps, strict=False):
            self._move(ref, before, after, when)

    def _hang(self, kind: Kind, on: Ref, fields: Mapping[str, Value], marker: str) -> Ref:
        if kind in {Kind.NOTE, Kind.FILE}:
            place: dict[str, Value] = {"company": on.id} if on.kind is Kind.COMPANY else {"deals": (on.id,)}
            fields = {"at": self.clock.now(), **place, **fields}
        ref = self._make(kind, fields)
        self.attached[ref] = (on, marker)
        return ref

    def _make(self, kind: Kind, fields: Mapping[str, Value]) -> Ref:
        self._count += 1
        ref = self._ref(kind, f"{kind[0]}{self._count}")
        self._store(ref, fields, None, created=self.clock.now())
        return ref

    def _drop(self, ref: Ref) -> None:
        self.bin[ref] = self.records.pop(ref)
        self.attached.pop(ref, None)
        self.gone[ref] = Tombstone(ref=ref, at=self.clock.now())
        self._touch(ref)

    def _put(self, kind: Kind, native_id: str, fields: Mapping[str, Value]) -> None:
        self._store(self._ref(kind, native_id), fields, None, created=self.clock.now())

    def _store(
        self,
        ref: Ref,
        fields: Mapping[str, Value],
        position: Position | None,
        *,
        created: datetime | None,
        key: str | None = None,
    ) -> None:
        self._touch(ref)
        if ref.kind is Kind.DEAL and self.remembers:
            self.past.setdefault(ref, []).append((self.clock.now(), dict(fields)))
        self.records[ref] = Record(
            ref=ref,
            fields=dict(fields),
            version=str(self.changed[ref]),
            created_at=created,
            updated_at=self.clock.now(),
            position=position,
            key=key,
        )

    def _write_position(self, ref: Ref, position: Position) -> None:
        record = self.records[ref]
        self._store(ref, record.fields, position, created=record.created_at, key=record.key)
        if record.position != position:
            self._move(ref, record.position, position, self.clock.now())

    def _move(self, ref: Ref, before: Position | None, after: Position, when: datetime) -> None:
        moves = self.moves.setdefault(ref, [])
        moves.append(Move(deal=ref, id=str(len(moves) + 1), at=when, before=before, after=after))

    def _touch(self, ref: Ref) -> None:
        self._count += 1
        self.changed[ref] = self._count

    def _ref(self, kind: Kind, native_id: str) -> Ref:
        return Ref(self.connection, kind, native_id)


def _no_stage(change: Change) -> str:
    stage = change.position.stage if change.position else STAGES[0]
    return "" if stage in STAGES else f"there is no stage {stage}"


def at(stage: str) -> Position:
    """Give the position of a stage."""
    return Position(PIPELINE, stage, AS_CLOSED.get(stage, Status.OPEN))


def changed_set(there: Value, before: Value, after: Value) -> tuple[str, ...]:
    """Add and remove what an edit of a set adds and removes; whatever else is there stays."""
    held, old, new = (set(each) if isinstance(each, tuple) else set() for each in (there, before, after))
    return tuple(sorted((held | (new - old)) - (old - new)))


def receipt(change: Change, outcome: Outcome, message: str = "", ref: Ref | None = None) -> Receipt:
    """Answer a change."""
    return Receipt(change=change.id, outcome=outcome, ref=ref or change.target, message=message)
