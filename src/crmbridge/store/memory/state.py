"""What the store in memory holds, and how it is opened: each call is a transaction of its own."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from crmbridge.errors import LockedError
from crmbridge.ledger import LocalLedger
from crmbridge.model.changes import Cause, JournalEntry
from crmbridge.model.courses import Course
from crmbridge.model.findings import Evaluation, Waiver
from crmbridge.model.lives import FindingEvent, Known
from crmbridge.model.records import Edit, Kind, Move, Record, Ref, Signature, Tombstone
from crmbridge.model.values import Value
from crmbridge.ports import Run, Waiting


@dataclass(kw_only=True)
class Lease:
    """The lease as it was taken, until when it holds."""

    holder: str
    since: datetime
    lasts: timedelta
    expires_at: datetime


@dataclass(kw_only=True)
class State:
    """All that is remembered. The lock makes each call a transaction of its own."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    lease: Lease | None = None
    records: dict[Ref, Record] = field(default_factory=dict)
    moves: dict[Ref, tuple[Move, ...]] = field(default_factory=dict)
    edits: dict[Ref, tuple[Edit, ...]] = field(default_factory=dict)
    courses: dict[Ref, dict[str, Course]] = field(default_factory=dict)
    gone: dict[Ref, Tombstone] = field(default_factory=dict)
    cursors: dict[tuple[str, Kind], str] = field(default_factory=dict)
    pulled: dict[tuple[str, Kind], datetime] = field(default_factory=dict)
    mark: int = 0
    marks: dict[Ref, int] = field(default_factory=dict)  # when each record last changed
    readers: dict[str, int] = field(default_factory=dict)
    left: dict[str, frozenset[Ref]] = field(default_factory=dict)
    waiting: dict[tuple[str, Ref, str, Cause], Waiting] = field(default_factory=dict)
    signatures: dict[Ref, frozenset[Signature]] = field(default_factory=dict)
    owners: dict[Ref, str] = field(default_factory=dict)
    bases: dict[Ref, dict[str, Value]] = field(default_factory=dict)
    findings: dict[str, Known] = field(default_factory=dict)
    events: list[FindingEvent] = field(default_factory=list)
    waivers: dict[tuple[Ref, str], Waiver] = field(default_factory=dict)
    past_waivers: dict[tuple[Ref, str, datetime], tuple[Waiver, datetime]] = field(default_factory=dict)
    evaluations: dict[Ref, Evaluation] = field(default_factory=dict)
    entries: list[JournalEntry] = field(default_factory=list)
    runs: dict[str, Run] = field(default_factory=dict)
    hints: dict[Ref, datetime] = field(default_factory=dict)
    deliveries: dict[str, datetime] = field(default_factory=dict)
    memories: dict[str, dict[str, str]] = field(default_factory=dict)
    rates: LocalLedger = field(default_factory=LocalLedger)

    def mark_all(self, refs: Iterable[Ref]) -> None:
        """Let these records have changed now."""
        self.mark += 1
        self.marks |= dict.fromkeys(refs, self.mark)

    def set_bases(self, bases: Mapping[Ref, Mapping[str, Value]]) -> None:
        """Set the base of the fields named; the others stay."""
        for ref, values in bases.items():
            if values:
                self.bases.setdefault(ref, {}).update(values)


class Opened:
    """A state opened once, and the lease held through it."""

    def __init__(self, state: State) -> None:
        self.state = state
        self.held: Lease | None = None

    @contextlib.contextmanager
    def read(self) -> Iterator[State]:
        """See one moment of the state."""
        with self.state.lock:
            yield self.state

    @contextlib.contextmanager
    def write(self, at: datetime | None = None) -> Iterator[State]:
        """Change the state, if a lease that is held was not taken over. With a time, that lease is renewed."""
        with self.state.lock:
            held = self.held
            if held is not None and self.state.lease is not held:
                raise LockedError(
                    "This run's hold on the state expired and another run took it over.",
                    advice="Let that run finish, then run this again.",
                )
            yield self.state
            if held is not None and at is not None:
                held.expires_at = max(held.expires_at, at + held.lasts)

    def release(self, lease: Lease) -> None:
        """Give a lease back, if it was not taken over."""
        with self.state.lock:
            if self.held is lease:
                self.held = None
            if self.state.lease is lease:
                self.state.lease = None
