"""A CRM in memory, for tests that want no wire: it passes the AdapterSuite like the real ones, and shows faults."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from crmbridge.errors import AuthenticationError, RetryLaterError, UnclearError
from crmbridge.model.changes import DEAL_ACTIONS, Action, Change, Outcome, Receipt
from crmbridge.model.records import STANDARD_FIELDS, Kind, Move, Position, Record, Ref, Status, Tombstone
from crmbridge.model.values import FieldType, Money, Value
from crmbridge.ports import Capabilities, Clock, Description, NativeField, NativeStage, Page, Pipeline
from crmbridge.sandbox.world import WORLD_FIELDS, World, WorldDeal

PIPELINE = "sales"
STAGES = ("prospecting", "qualification", "diagnosis", "proposal", "negotiation", "closing", "won", "lost")
KINDS = frozenset({Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL})
PAGE, BATCH = 50, 20
AS_CLOSED = {"won": Status.WON, "lost": Status.LOST}


class FakeCrm:
    """The account itself: what it holds, and what people do in it.

    `faults` holds the names of faults for the next writes, first to last: `drop_before`, `drop_after`, `drop_half` (the
    first half is carried out), `unclear` (carried out, and the adapter knows nothing of it), `refuse`, `limit`,
    `revoked`; an empty name lets one write pass. `blind` is how many of the next reads and finds are limited.
    `writes` counts the write calls, `effects` how often each change was carried out. Without `unique_keys` the
    account takes two deals of one key.
    """

    def __init__(self, connection: str, clock: Clock, *, unique_keys: bool = True) -> None:
        self.connection = connection
        self.clock = clock
        self.unique_keys = unique_keys
        self.account = connection
        self.blind = 0
        self.effects: Counter[str] = Counter()
        self.records: dict[Ref, Record] = {}
        self.moves: dict[Ref, list[Move]] = {}
        self.gone: dict[Ref, Tombstone] = {}
        self.changed: dict[Ref, int] = {}  # the number of each record's last change; a pull goes on from there
        self.attached: dict[Ref, tuple[Ref, str]] = {}  # task or note -> what it hangs on, marker
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
        ref = self._ref(Kind.DEAL, native_id)
        del self.records[ref]
        self.gone[ref] = Tombstone(ref=ref, at=self.clock.now())
        self._touch(ref)

    def merge_deals(self, *, winner: str, loser: str) -> None:
        """Merge a deal into another one as a person would."""
        self.delete_deal(loser)
        ref = self._ref(Kind.DEAL, loser)
        self.gone[ref] = Tombstone(ref=ref, at=self.clock.now(), merged_into=self._ref(Kind.DEAL, winner))
        self._touch(self._ref(Kind.DEAL, winner))

    def named(self, name: str) -> list[Record]:
        """Give the deals of this name."""
        return [r for r in self.records.values() if r.ref.kind is Kind.DEAL and r.fields.get("name") == name]

    def hanging_on(self, native_id: str, kind: Kind) -> list[Record]:
        """Give the tasks or notes on a deal."""
        deal = self._ref(Kind.DEAL, native_id)
        return [self.records[r] for r, (on, _) in sorted(self.attached.items()) if on == deal and r.kind is kind]

    # ── What the adapter does here ──────────────────────────────────────────────────────────────────────

    def carry_out(self, change: Change) -> Receipt:
        """Do what a change asks for, or refuse it."""
        todo: Mapping[Action, Callable[[Change], Receipt]] = {
            Action.UPDATE: self._update,
            Action.CREATE: self._create,
            Action.TASK: self._attach,
            Action.NOTE: self._attach,
        }
        answer = todo[change.action](change)
        self.effects[change.id] += answer.outcome is Outcome.APPLIED
        return answer

    def _update(self, change: Change) -> Receipt:
        record = self.records.get(change.target) if change.target else None
        if record is None:
            return receipt(change, Outcome.REFUSED, "there is no such deal")
        if change.position is not None and change.position.stage not in STAGES:
            return receipt(change, Outcome.REFUSED, f"there is no stage {change.position.stage}")
        fields = {**record.fields, **change.after}
        self._store(record.ref, fields, record.position, created=record.created_at, key=record.key)
        if change.position is not None:
            self._write_position(record.ref, change.position)
        return receipt(change, Outcome.APPLIED, ref=record.ref)

    def _create(self, change: Change) -> Receipt:
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
        self._count += 1
        ref = self._ref(change.kind, f"a{self._count}")
        self._store(ref, change.after, None, created=self.clock.now())
        self.attached[ref] = (change.target, change.key or "")
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


class FakeAdapter:
    """Speaks to a FakeCrm."""

    def __init__(self, crm: FakeCrm) -> None:
        self._crm = crm

    @property
    def capabilities(self) -> Capabilities:
        """What it can do: everything."""
        return Capabilities(
            kinds=KINDS,
            actions=DEAL_ACTIONS,
            batch=dict.fromkeys(DEAL_ACTIONS, BATCH),
            external_key=self._crm.unique_keys,
            history=True,
            tombstones=True,
            status_in_stage=True,
            lag=timedelta(0),
        )

    def describe(self) -> Description:
        """Describe the account."""
        self._let_in()
        stages = tuple(NativeStage(id=s, label=s.title(), status=AS_CLOSED.get(s, Status.OPEN)) for s in STAGES)
        users = tuple(record for ref, record in sorted(self._crm.records.items()) if ref.kind is Kind.USER)
        types = {**WORLD_FIELDS, **STANDARD_FIELDS[Kind.DEAL]}
        return Description(
            account=self._crm.account,
            pipelines=(Pipeline(id=PIPELINE, label="Sales", stages=stages),),
            fields=tuple(NativeField(name=name, label=name, type=types[name]) for name in sorted(types)),
            users=users,
            key_field=NativeField(name="key", label="Key", type=FieldType.TEXT, unique=True),
        )

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield what changed after the change that the cursor names."""
        self._let_in()
        after = int(since or 0)
        changed = sorted((n, ref) for ref, n in self._crm.changed.items() if ref.kind is kind and n > after)
        for start in range(0, max(len(changed), 1), PAGE):
            part = changed[start : start + PAGE]
            refs = [ref for _, ref in part]
            yield Page(
                records=tuple(self._crm.records[ref] for ref in refs if ref in self._crm.records),
                moves=tuple(m for ref in refs if ref in self._crm.records for m in self._crm.moves.get(ref, ())),
                tombstones=tuple(self._crm.gone[ref] for ref in refs if ref not in self._crm.records),
                cursor=str(part[-1][0]) if part else str(after),
            )

    def read(
        self,
        refs: Sequence[Ref],
        *,
        fields: Collection[str] | None = None,  # noqa: ARG002  none of them costs a request of its own
    ) -> Mapping[Ref, Record]:
        """Give the records that are there."""
        self._let_in()
        self._see()
        return {ref: self._crm.records[ref] for ref in refs if ref in self._crm.records}

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its key, or what hangs on a record by its marker."""
        self._let_in()
        self._see()
        if kind is Kind.DEAL:
            return next((ref for ref, record in self._crm.records.items() if key and record.key == key), None)
        hanging = (ref for ref, (on, marker) in self._crm.attached.items() if on == near and marker == key)
        return next((ref for ref in hanging if ref.kind is kind), None)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Carry out changes, unless a fault is planned for this call."""
        fault = self._crm.faults.pop(0) if self._crm.faults else ""
        self._let_in(fault)
        if fault == "limit":
            raise RetryLaterError(f"{self._crm.connection}: too many requests")
        self._crm.writes += 1
        if fault == "drop_half":
            _ = [self._crm.carry_out(change) for change in changes[: (len(changes) + 1) // 2]]
        if fault in {"drop_before", "drop_half"}:
            return [receipt(change, Outcome.UNKNOWN, "no answer") for change in changes]
        refused = changes[0].id if fault == "refuse" else None
        receipts = [
            receipt(c, Outcome.REFUSED, "a rule of the account says no") if c.id == refused else self._crm.carry_out(c)
            for c in changes
        ]
        if fault == "unclear":
            raise UnclearError(f"{self._crm.connection}: the answer can't be read")
        if fault == "drop_after":
            return [receipt(change, Outcome.UNKNOWN, "no answer") for change in changes]
        return receipts

    def close(self) -> None:
        """Do nothing; there is nothing to give back."""

    def _see(self) -> None:
        if self._crm.blind:
            self._crm.blind -= 1
            raise RetryLaterError(f"{self._crm.connection}: too many requests")

    def _let_in(self, fault: str = "") -> None:
        if "revoked" in {fault, *self._crm.faults[:1]}:
            raise AuthenticationError(
                f"{self._crm.connection}: the credential was refused", advice="Give the connection a valid one."
            )


def at(stage: str) -> Position:
    """Give the position of a stage."""
    return Position(PIPELINE, stage, AS_CLOSED.get(stage, Status.OPEN))


def receipt(change: Change, outcome: Outcome, message: str = "", ref: Ref | None = None) -> Receipt:
    """Answer a change."""
    return Receipt(change=change.id, outcome=outcome, ref=ref or change.target, message=message)
