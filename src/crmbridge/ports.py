"""What the engine needs from outside: a CRM, a state store, a clock, a place for reports. All synchronous."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from crmbridge.model.changes import Action, Change, JournalEntry, Receipt
from crmbridge.model.findings import Evaluation, Finding, SlaClock, Visit
from crmbridge.model.records import Kind, Move, Record, Ref, Status, Tombstone
from crmbridge.model.values import FieldType, Value


class Clock(Protocol):
    """The only source of the time of day, and the only thing that waits."""

    def now(self) -> datetime:
        """Give the time, aware, in UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


# ── CRMs ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What an adapter can do, as data: printed by `connections`, proved by the AdapterSuite."""

    kinds: frozenset[Kind]  # what `pull` and `read` know
    actions: frozenset[Action]  # what `write` knows
    batch: Mapping[Action, int]  # how many changes of one action fit in one write call
    external_key: bool  # a created deal can carry a key that the CRM keeps unique
    history: bool  # `pull` of deals yields moves
    tombstones: bool  # `pull` reports records that are gone
    status_in_stage: bool  # won and lost are stages (HubSpot, Salesforce), not a status beside them (Pipedrive)
    lag: timedelta = timedelta(0)  # how late a change may show up in `pull`


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeStage:
    """A stage of a CRM's pipeline. Labels are for people; the id is what counts."""

    id: str
    label: str
    status: Status
    probability: float | None = None  # 0 to 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """A CRM's pipeline with its stages in the order the CRM shows them."""

    id: str
    label: str
    stages: tuple[NativeStage, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NativeField:
    """A field that the account's deals have."""

    name: str  # what the API calls it
    label: str
    type: FieldType | None  # None: a type that crmbridge does not read
    options: tuple[str, ...] = ()
    writable: bool = True
    unique: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What an account looks like now."""

    account: str  # a name people recognise: portal id, company domain, org name
    pipelines: tuple[Pipeline, ...]
    fields: tuple[NativeField, ...]
    users: tuple[Record, ...]
    currencies: tuple[str, ...] = ()
    api_version: str = ""
    key_field: NativeField | None = None  # the external key field, if the account has it


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Part of what `pull` found. `cursor` is where a later pull continues once this page is stored.

    The moves of a deal come all together, in the page of its record; they replace what was known. A deal that did not
    move since the cursor may come without them, and keeps what was known.
    """

    records: tuple[Record, ...] = ()
    moves: tuple[Move, ...] = ()
    tombstones: tuple[Tombstone, ...] = ()
    cursor: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldBinding:
    """A process field and the CRM's own field that holds it."""

    name: str  # the process's name, such as bant.budget
    native: str  # the CRM's name, such as bant_budget
    type: FieldType


@dataclass(frozen=True, slots=True, kw_only=True)
class AdapterContext:
    """What an adapter is opened with beside its own settings."""

    connection: str
    clock: Clock
    fields: tuple[FieldBinding, ...] = ()


class Adapter(Protocol):
    """Speaks one CRM for one connection. Thread-safe; raises only the errors of `crmbridge.errors`.

    Reads may be repeated at will. Of the writes, only what the CRM answered clearly is `applied` or `refused`;
    a time-out or a cut reply after the request was sent is `unknown`, and is never sent again by the adapter.
    """

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        ...

    def describe(self) -> Description:
        """Read the account's pipelines, stages, fields, users and currencies."""
        ...

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield pages of what changed since a cursor, or everything when there is none.

        The last page is the only one that may be empty, and there is always at least one. Deliver a change twice
        rather than never: re-read the CRM's lag. A cursor is only good for what is in its page and the ones before.
        """
        ...

    def read(self, refs: Sequence[Ref]) -> Mapping[Ref, Record]:
        """Read records as they are now, past any index; the ones that are gone are left out."""
        ...

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its external key, or the task or note with this marker on the deal `near`, past any index.

        None means that it is certainly not there. Raises RetryLaterError when the CRM can't say yet.
        """
        ...

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make changes of one action, at most `capabilities.batch` of them; one receipt each, in order.

        Raises only when nothing at all was sent or everything was clearly refused (AuthenticationError,
        RetryLaterError); anything else is in the receipts.
        """
        ...

    def close(self) -> None:
        """Give back connections; the adapter is not used again."""
        ...


# ── State ───────────────────────────────────────────────────────────────────────────────────────────────


class RecordStore(Protocol):
    """What was pulled. All calls are transactions of their own."""

    def save_page(self, connection: str, kind: Kind, page: Page, at: datetime) -> None:
        """Save records, moves, tombstones and the cursor of one page together, or nothing. Repeating is harmless."""
        ...

    def cursor(self, connection: str, kind: Kind) -> str | None:
        """Give the cursor after the last page saved."""
        ...

    def records(self, connection: str, kind: Kind) -> Iterator[Record]:
        """Give all records that are not gone, ordered by id."""
        ...

    def get(self, refs: Sequence[Ref]) -> dict[Ref, Record]:
        """Give the records asked for that are known and not gone."""
        ...

    def moves(self, connection: str) -> Iterator[tuple[Ref, tuple[Move, ...]]]:
        """Give each deal's moves, oldest first, deal by deal in the order of their ids."""
        ...

    def moves_of(self, deal: Ref) -> tuple[Move, ...]:
        """Give one deal's moves, oldest first."""
        ...

    def put(self, records: Sequence[Record]) -> None:
        """Replace single records with what was read outside a pull. The cursor stays."""
        ...

    def gone(self, connection: str) -> Iterator[Tombstone]:
        """Give the records of a connection that are gone."""
        ...


class LinkStore(Protocol):
    """Which refs are the same deal, and what was last agreed about each of their fields."""

    def links(self) -> dict[str, tuple[Ref, ...]]:
        """Give all links by id."""
        ...

    def save(self, links: Mapping[str, Sequence[Ref]]) -> None:
        """Create or replace links."""
        ...

    def bases(self) -> dict[Ref, dict[str, Value]]:
        """Give the base of every linked ref, field by field."""
        ...

    def save_bases(self, bases: Mapping[Ref, Mapping[str, Value]]) -> None:
        """Set the base of the fields named; the others stay."""
        ...


class StoredFinding(NamedTuple):
    """A finding and its life so far."""

    finding: Finding
    opened_at: datetime
    cleared_at: datetime | None


class FindingStore(Protocol):
    """What evaluating said."""

    def save(self, evaluations: Sequence[Evaluation], at: datetime) -> None:
        """Replace what is known of these deals: their visits, SLA clocks and findings.

        New findings are opened, known ones keep their opening time, ones that no longer hold are cleared.
        """
        ...

    def forget(self, keep: Sequence[Ref], at: datetime) -> None:
        """Clear the findings of all deals that are not among these, and drop their visits and clocks."""
        ...

    def findings(self, *, cleared: bool = False) -> tuple[StoredFinding, ...]:
        """Give the open findings, with the cleared ones too if asked, oldest first."""
        ...

    def visits(self) -> Iterator[Visit]:
        """Give all visits."""
        ...

    def clocks(self) -> Iterator[SlaClock]:
        """Give all SLA clocks."""
        ...


class Journal(Protocol):
    """The append-only log of intents and outcomes."""

    def intend(self, run: str, changes: Sequence[Change], at: datetime) -> None:
        """Write one intent per change; committed when this returns."""
        ...

    def settle(
        self, run: str, receipts: Sequence[Receipt], bases: Mapping[Ref, Mapping[str, Value]], at: datetime
    ) -> None:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution of a command that may write."""

    id: str
    command: str
    started_at: datetime
    finished_at: datetime | None = None
    exit_code: int | None = None
    summary: Mapping[str, Any] = field(default_factory=dict)  # plain JSON


class RunStore(Protocol):
    """Runs, and the lease that keeps two of them apart."""

    def start(self, run: Run) -> None:
        """Note that a run began."""
        ...

    def finish(self, run: str, at: datetime, exit_code: int, summary: Mapping[str, Any]) -> None:
        """Note how a run ended."""
        ...

    def runs(self, limit: int) -> tuple[Run, ...]:
        """Give the newest runs, newest first."""
        ...

    def last(self, command: str) -> Run | None:
        """Give the newest finished run of a command."""
        ...

    def lease(self, holder: str, now: datetime, lasts: timedelta) -> AbstractContextManager[None]:
        """Hold the state for writing; raises LockedError naming the holder while another run's lease has not expired.

        The store object that took it checks the lease at every write: one that was taken over raises LockedError, and
        nothing is saved. Journal and page writes renew it; it is released on exit. A store object that took none
        writes freely, and anybody may read.
        """
        ...

    def renew(self, now: datetime) -> None:
        """Extend the lease that this store object holds, from any thread; without one, do nothing.

        Raises LockedError when another run took it over.
        """
        ...


class StateStore(Protocol):
    """Everything that crmbridge remembers between runs."""

    @property
    def records(self) -> RecordStore:
        """What was pulled."""
        ...

    @property
    def links(self) -> LinkStore:
        """Links and bases."""
        ...

    @property
    def findings(self) -> FindingStore:
        """Findings, visits and SLA clocks."""
        ...

    @property
    def journal(self) -> Journal:
        """Intents and outcomes."""
        ...

    @property
    def runs(self) -> RunStore:
        """Runs and the lease."""
        ...

    def close(self) -> None:
        """Give back files and connections."""
        ...


# ── Sinks ───────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A report, rendered in every form that a sink may want."""

    name: str
    title: str
    html: str
    markdown: str
    facts: Mapping[str, Any]  # the same figures as plain JSON


class Sink(Protocol):
    """Where a report goes. Delivering the same document twice shows it once where the place allows that."""

    def deliver(self, document: Document) -> str:
        """Send it and say in a few words where it went; raises an error of `crmbridge.errors` when it did not."""
        ...
