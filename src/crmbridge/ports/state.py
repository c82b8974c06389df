"""What the engine needs of a state store: everything that is remembered between runs."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from crmbridge.model.changes import Blocked, Change, JournalEntry, Receipt
from crmbridge.model.courses import Course
from crmbridge.model.records import Edit, Kind, Move, Record, Ref, Signature, Tombstone
from crmbridge.model.values import Value
from crmbridge.ports.crm import Page
from crmbridge.ports.findings import FindingStore, WaiverStore
from crmbridge.ports.rates import RateLedger
from crmbridge.ports.runs import RunStore

Bases = Mapping[Ref, Mapping[str, Value]]  # what was last agreed on, field by field


class RecordStore(Protocol):
    """What was pulled. All calls are transactions of their own."""

    def save_page(self, connection: str, kind: Kind, page: Page, at: datetime) -> None:
        """Save records, moves, tombstones and the cursor of one page together, or nothing. Repeating is harmless.

        Of a deal that held other values it is written down with it what; one that was gone is `BACK` in its base.
        """
        ...

    def cursors(self, connection: str) -> Mapping[Kind, str]:
        """Give the cursor after the last page saved of each kind that has one."""
        ...

    def pulled_at(self, connection: str, kind: Kind) -> datetime | None:
        """Give when the last page was saved."""
        ...

    def named(self, connection: str, kind: Kind, text: str, limit: int) -> tuple[Ref, ...]:
        """Give the records that are not gone and whose name holds a text, whatever the case; ordered, not more."""
        ...

    def records(self, connection: str, kind: Kind) -> Iterator[Record]:
        """Give all records that are not gone, ordered by id."""
        ...

    def get(self, refs: Collection[Ref]) -> dict[Ref, Record]:
        """Give the records asked for that are known and not gone."""
        ...

    def last_known(self, refs: Collection[Ref]) -> dict[Ref, Record]:
        """Give the records asked for as they were last known, also those that are gone."""
        ...

    def moves(self, connection: str) -> Iterator[tuple[Ref, tuple[Move, ...]]]:
        """Give each deal's moves, oldest first, deal by deal in the order of their ids."""
        ...

    def moves_of(self, deal: Ref) -> tuple[Move, ...]:
        """Give one deal's moves, oldest first."""
        ...

    def moves_for(self, deals: Collection[Ref]) -> dict[Ref, tuple[Move, ...]]:
        """Give the moves of those of these deals that have any, each deal's oldest first."""
        ...

    def edits_for(self, deals: Collection[Ref]) -> dict[Ref, tuple[Edit, ...]]:
        """Give the edits of those of these deals that have any, in the order in which they were seen."""
        ...

    def put(self, records: Sequence[Record], at: datetime | None = None) -> None:
        """Replace single records with what was read outside a pull. The cursor stays.

        `at` is when they were read or written, for those whose CRM does not say that they changed.
        """
        ...

    def gone(self, connection: str) -> Iterator[Tombstone]:
        """Give the records of a connection that are gone."""
        ...

    def tombstones(self, refs: Collection[Ref]) -> dict[Ref, Tombstone]:
        """Give the tombstones of those of these refs that are gone."""
        ...


class Linked(NamedTuple):
    """Some links with what is known of their records, as of one moment.

    `records` has those that are known and not gone, `bases` those of the records, and under `decided_ref` of the links.
    """

    links: Mapping[str, tuple[Ref, ...]]
    records: Mapping[Ref, Record]
    bases: Bases


class CourseStore(Protocol):
    """What CRMs recorded themselves of the fields of deals."""

    def save(self, courses: Sequence[Course]) -> None:
        """Save what was read, each course joined with what is known of the same field."""
        ...

    def of(self, deals: Collection[Ref]) -> dict[Ref, dict[str, Course]]:
        """Give the courses of those of these deals that have any, by their fields."""
        ...


class LinkStore(Protocol):
    """Which refs are the same deal, and what was last agreed about each of their fields."""

    def links(self) -> dict[str, tuple[Ref, ...]]:
        """Give all links by id."""
        ...

    def get(self, links: Collection[str]) -> dict[str, tuple[Ref, ...]]:
        """Give the links of these ids, of those that there are."""
        ...

    def around(self, links: Collection[str]) -> Linked:
        """Give the links of these ids, of those that there are, with their records and bases."""
        ...

    def of(self, refs: Collection[Ref]) -> dict[Ref, str]:
        """Give the id of the link that each of these refs stands in, where it stands in one."""
        ...

    def save(self, links: Mapping[str, Sequence[Ref]], bases: Bases | None = None, anew: Collection[Ref] = ()) -> None:
        """Create or replace links. A ref leaves the link it was in; a link without refs is no more.

        `bases` are set in the same transaction; what was agreed on before with the refs `anew` is forgotten.
        """
        ...

    def bases(self, refs: Collection[Ref] | None = None) -> dict[Ref, Mapping[str, Value]]:
        """Give the base of these refs, or of every ref that has one, field by field."""
        ...

    def save_bases(self, bases: Bases) -> None:
        """Set the base of the fields named; the others stay."""
        ...


class Backlog(Protocol):
    """What a reader of the records has not dealt with yet: it costs what changed, not what there is.

    A reader has a name of its own, and begins with everything. Records and tombstones are marked in the transaction
    that saves them, so what is committed is never overlooked, whoever is killed.
    """

    def pending(self, reader: str) -> tuple[int, tuple[Ref, ...]]:
        """Give the mark that all of this reaches to, and the refs that were saved or are gone since the reader's mark.

        With those that it left the last time, in the order of the refs. A record that was saved again just as it was
        held does not count.
        """
        ...

    def dealt(self, reader: str, mark: int, left: Collection[Ref] = (), links: Collection[str] = ()) -> None:
        """Note that a reader has dealt with everything up to a mark, but for what it left: that is pending again.

        These are records, and those that stand in some links.
        """
        ...

    def touch(self, refs: Collection[Ref]) -> None:
        """Let these records count as changed for every reader, so that all look at them again."""
        ...

    def readers(self) -> frozenset[str]:
        """Name the readers that there are."""
        ...

    def forget(self, readers: Collection[str]) -> None:
        """Forget readers; one that comes back begins with everything."""
        ...


class Waiting(NamedTuple):
    """Something that waits for a person, and since when."""

    item: Blocked
    since: datetime


class WaitingStore(Protocol):
    """What waits for a person, so that nothing waits silently."""

    def replace(self, links: Collection[str], items: Sequence[Blocked], at: datetime) -> None:
        """Put `items` in the place of everything that waits under these links.

        What waited already, with the same link, deal, name and cause, keeps its time.
        """
        ...

    def all(self) -> tuple[Waiting, ...]:
        """Give everything that waits, ordered by deal, name and reason."""
        ...


class MatchIndex(Protocol):
    """The signatures of records, to find the ones of other connections without reading all of them."""

    def put(self, signatures: Mapping[Ref, Collection[Signature]]) -> None:
        """Set the signatures of these refs in the place of those they had; an empty collection takes them away."""
        ...

    def of(self, refs: Collection[Ref]) -> dict[Ref, tuple[Signature, ...]]:
        """Give the signatures of those of these refs that have any."""
        ...

    def find(self, signatures: Collection[Signature]) -> dict[Signature, tuple[Ref, ...]]:
        """Give the refs that have each of these signatures, ordered; signatures that none has are left out."""
        ...


class Journal(Protocol):
    """The append-only log of intents and outcomes."""

    def intend(self, run: str, changes: Sequence[Change], at: datetime) -> None:
        """Write one intent per change; committed when this returns."""
        ...

    def settle(self, run: str, receipts: Sequence[Receipt], bases: Bases, at: datetime) -> None:
        """Write one outcome per receipt and the new bases that follow from them, together or not at all."""
        ...

    def unsettled(self) -> tuple[JournalEntry, ...]:
        """Give the intents that have no outcome, or whose last outcome is `unknown`, oldest first."""
        ...

    def outcomes(self, changes: Sequence[str]) -> dict[str, JournalEntry]:
        """Give the last outcome of each change id that has one."""
        ...

    def entries(self, run: str | None = None) -> Iterator[JournalEntry]:
        """Give all rows, or those of one run, in order."""
        ...

    def about(self, refs: Collection[Ref]) -> tuple[JournalEntry, ...]:
        """Give the rows whose change was meant for one of these records, or made it, in order."""
        ...


class HintStore(Protocol):
    """Hints to re-read a record. They are worth nothing but a look: losing one only delays what a pull brings."""

    def add(self, refs: Sequence[Ref], at: datetime) -> None:
        """Note that these may have changed; a ref that is noted already stays once."""
        ...

    def pending(self, connection: str) -> tuple[tuple[Ref, datetime], ...]:
        """Give the refs noted, oldest first, each with when it was last noted."""
        ...

    def done(self, seen: Sequence[tuple[Ref, datetime]]) -> None:
        """Forget the refs that were re-read, unless they were noted again since the time given."""
        ...

    def first_seen(
        self, deliveries: Sequence[str], at: datetime, keep: timedelta, refs: Sequence[Ref] = ()
    ) -> frozenset[str]:
        """Give the deliveries that are seen for the first time within `keep`, and note them; safe between processes.

        Where there is one, the refs are noted as well as by `add`: all of it, or nothing.
        """
        ...


class StateStore(Protocol):
    """Everything that crmbridge remembers between runs."""

    @property
    def records(self) -> RecordStore:
        """What was pulled."""
        ...

    @property
    def courses(self) -> CourseStore:
        """What CRMs recorded of the fields of deals."""
        ...

    @property
    def links(self) -> LinkStore:
        """Links and bases."""
        ...

    @property
    def backlog(self) -> Backlog:
        """What readers of the records have not dealt with yet."""
        ...

    @property
    def waiting(self) -> WaitingStore:
        """What waits for a person."""
        ...

    @property
    def matches(self) -> MatchIndex:
        """What records are matched by."""
        ...

    @property
    def findings(self) -> FindingStore:
        """Findings, visits and SLA clocks."""
        ...

    @property
    def waivers(self) -> WaiverStore:
        """Waivers."""
        ...

    @property
    def journal(self) -> Journal:
        """Intents and outcomes."""
        ...

    @property
    def runs(self) -> RunStore:
        """Runs and the lease."""
        ...

    @property
    def hints(self) -> HintStore:
        """Records that a webhook said have changed."""
        ...

    @property
    def rates(self) -> RateLedger:
        """The requests that were sent, for all processes of the project."""
        ...

    def memory(self, connection: str) -> MutableMapping[str, str]:
        """Give what the adapter of a connection keeps between runs."""
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...
