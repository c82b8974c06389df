"""What an account in memory holds, and how it keeps it: each change has a number, from which a pull goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from crmbridge.adapting import known_by
from crmbridge.model.records import Kind, Move, Position, Record, Ref, Status, Tombstone
from crmbridge.model.values import Money, Value
from crmbridge.ports import Clock
from crmbridge.sandbox.world import World, WorldDeal

PIPELINE = "sales"
STAGES = ("prospecting", "qualification", "diagnosis", "proposal", "negotiation", "closing", "won", "lost")
AS_CLOSED = {"won": Status.WON, "lost": Status.LOST}


class FakeRecords:
    """The records of an account. One that `remembers` can tell what fields of its deals held before."""

    def __init__(self, connection: str, clock: Clock) -> None:
        self.connection = connection
        self.clock = clock
        self.remembers = False
        self.past: dict[Ref, list[tuple[datetime, Mapping[str, Value]]]] = {}  # what deals held, since when
        self.records: dict[Ref, Record] = {}
        self.moves: dict[Ref, list[Move]] = {}
        self.gone: dict[Ref, Tombstone] = {}
        self.bin: dict[Ref, Record] = {}  # what is gone, as it was
        self.changed: dict[Ref, int] = {}  # the number of each record's last change; a pull goes on from there
        self.attached: dict[Ref, tuple[Ref, str]] = {}  # task or note -> what it hangs on, marker
        self.count = 0

    def fill(self, world: World, deals: Sequence[WorldDeal]) -> None:
        """Take over people and companies of a world, and some of its deals."""
        for user in world.users:
            self.put(Kind.USER, str(user.number), {"name": user.name, "email": user.email, "active": True})
        for company in world.companies:
            self.put(Kind.COMPANY, str(company.number), {"name": company.name, "domain": company.domain})
        for contact in world.contacts:
            fields: dict[str, Value] = {"name": contact.name, "email": contact.email, "title": contact.title}
            self.put(Kind.CONTACT, str(contact.number), {**fields, "company": str(contact.company)})
        for deal in deals:
            self.take(deal)

    def take(self, deal: WorldDeal) -> None:
        """Take over a deal of a world, with its moves."""
        ref = self.ref(Kind.DEAL, str(deal.number))
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
        self.store(ref, fields, steps[-1][0], created=deal.created_at)
        for before, (after, when) in zip([None, *(position for position, _ in steps)], steps, strict=False):
            self.note_move(ref, before, after, when)

    def find_known(self, kind: Kind, key: str) -> Ref | None:
        """Find a company or contact by what it is known by, without case; one with a domain not by its name."""
        return known_by(key, (record for ref, record in sorted(self.records.items()) if ref.kind is kind))

    def hang(self, kind: Kind, on: Ref, fields: Mapping[str, Value], marker: str) -> Ref:
        """Make a task, note or file that hangs on a record."""
        if kind in {Kind.NOTE, Kind.FILE}:
            place: dict[str, Value] = {"company": on.id} if on.kind is Kind.COMPANY else {"deals": (on.id,)}
            fields = {"at": self.clock.now(), **place, **fields}
        ref = self.make(kind, fields)
        self.attached[ref] = (on, marker)
        return ref

    def make(self, kind: Kind, fields: Mapping[str, Value]) -> Ref:
        """Make a record under an id of its own."""
        self.count += 1
        ref = self.ref(kind, f"{kind[0]}{self.count}")
        self.store(ref, fields, None, created=self.clock.now())
        return ref

    def drop(self, ref: Ref) -> None:
        """Let a record be gone."""
        self.bin[ref] = self.records.pop(ref)
        self.attached.pop(ref, None)
        self.gone[ref] = Tombstone(ref=ref, at=self.clock.now())
        self.touch(ref)

    def put(self, kind: Kind, native_id: str, fields: Mapping[str, Value]) -> None:
        """Keep a record under this id."""
        self.store(self.ref(kind, native_id), fields, None, created=self.clock.now())

    def store(
        self,
        ref: Ref,
        fields: Mapping[str, Value],
        position: Position | None,
        *,
        created: datetime | None,
        key: str | None = None,
    ) -> None:
        """Keep a record as it is now."""
        self.touch(ref)
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

    def place(self, ref: Ref, position: Position) -> None:
        """Let a deal stand in another place."""
        record = self.records[ref]
        self.store(ref, record.fields, position, created=record.created_at, key=record.key)
        if record.position != position:
            self.note_move(ref, record.position, position, self.clock.now())

    def note_move(self, ref: Ref, before: Position | None, after: Position, when: datetime) -> None:
        """Keep a move."""
        moves = self.moves.setdefault(ref, [])
        moves.append(Move(deal=ref, id=str(len(moves) + 1), at=when, before=before, after=after))

    def touch(self, ref: Ref) -> None:
        """Let a pull hear of a record again."""
        self.count += 1
        self.changed[ref] = self.count

    def ref(self, kind: Kind, native_id: str) -> Ref:
        """Name a record of this account."""
        return Ref(self.connection, kind, native_id)


def at(stage: str) -> Position:
    """Give the position of a stage."""
    return Position(PIPELINE, stage, AS_CLOSED.get(stage, Status.OPEN))
