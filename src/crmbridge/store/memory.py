"""The state store in memory, for tests: the same answers as on disk, forgotten with the process."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from crmbridge.errors import LockedError, StateError
from crmbridge.model.changes import Change, JournalEntry, Outcome, Receipt
from crmbridge.model.findings import Evaluation, SlaClock, Visit
from crmbridge.model.records import Kind, Move, Record, Ref, Tombstone
from crmbridge.model.values import Value, show
from crmbridge.ports import Page, Run, StoredFinding


@dataclass(kw_only=True)
class _Lease:
    holder: str
    since: datetime
    lasts: timedelta
    expires_at: datetime


@dataclass(kw_only=True)
class _State:
    """What all parts share. The lock makes each call a transaction of its own."""

    lock: threading.RLock = field(default_factory=threading.RLock)
    lease: _Lease | None = None
    bases: dict[Ref, dict[str, Value]] = field(default_factory=dict)

    def renew(self, at: datetime) -> None:
        if self.lease is not None:
            self.lease.expires_at = max(self.lease.expires_at, at + self.lease.lasts)

    def set_bases(self, bases: Mapping[Ref, Mapping[str, Value]]) -> None:
        for ref, values in bases.items():
            if values:
                self.bases.setdefault(ref, {}).update(values)


class MemoryStore:
    """A whole state in memory. Threads may share it; processes can't."""

    def __init__(self) -> None:
        state = _State()
        self.records = MemoryRecords(state)
        self.links = MemoryLinks(state)
        self.findings = MemoryFindings(state)
        self.journal = MemoryJournal(state)
        self.runs = MemoryRuns(state)

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""


class MemoryRecords:
    """What was pulled, in memory."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._records: dict[Ref, Record] = {}
        self._moves: dict[Ref, tuple[Move, ...]] = {}
        self._gone: dict[Ref, Tombstone] = {}
        self._cursors: dict[tuple[str, Kind], str] = {}

    def save_page(self, connection: str, kind: Kind, page: Page, at: datetime) -> None:
        """Save one page and its cursor."""
        with self._state.lock:
            self._state.renew(at)
            stale = {record.ref for record in page.records} - self._save(page.records)
            moves: dict[Ref, dict[str, Move]] = {}
            for move in page.moves:
                moves.setdefault(move.deal, {})[move.id] = move
            fresh = {ref: tuple(sorted(m.values(), key=lambda m: m.at)) for ref, m in moves.items() if ref not in stale}
            self._moves |= fresh
            for tombstone in page.tombstones:
                self._bury(tombstone)
            self._cursors[connection, kind] = page.cursor

    def put(self, records: Sequence[Record]) -> None:
        """Replace records with what was read outside a pull, unless what is held is newer."""
        with self._state.lock:
            self._save(records)

    def cursor(self, connection: str, kind: Kind) -> str | None:
        """Give the cursor after the last page saved."""
        with self._state.lock:
            return self._cursors.get((connection, kind))

    def records(self, connection: str, kind: Kind) -> Iterator[Record]:
        """Give all records that are not gone, ordered by id."""
        with self._state.lock:
            found = [r for r in self._records.values() if r.ref[:2] == (connection, kind) and r.ref not in self._gone]
        return iter(sorted(found, key=lambda record: record.ref.id))

    def get(self, refs: Sequence[Ref]) -> dict[Ref, Record]:
        """Give the records asked for that are known and not gone."""
        with self._state.lock:
            return {ref: self._records[ref] for ref in refs if ref in self._records and ref not in self._gone}

    def moves(self, connection: str) -> Iterator[tuple[Ref, tuple[Move, ...]]]:
        """Give each deal's moves, oldest first, deal by deal in the order of their ids."""
        with self._state.lock:
            return iter(sorted((ref, moves) for ref, moves in self._moves.items() if moves and ref[0] == connection))

    def moves_of(self, deal: Ref) -> tuple[Move, ...]:
        """Give one deal's moves, oldest first."""
        with self._state.lock:
            return self._moves.get(deal, ())

    def gone(self, connection: str) -> Iterator[Tombstone]:
        """Give the records of a connection that are gone, ordered by kind and id."""
        with self._state.lock:
            return iter([self._gone[ref] for ref in sorted(self._gone) if ref.connection == connection])

    def _save(self, records: Sequence[Record]) -> set[Ref]:
        """Save what is not older than what is held; give the refs saved."""
        saved = set()
        for record in records:
            held = self._records.get(record.ref)
            if held is None or record.updated_at >= held.updated_at:
                self._records[record.ref] = record
                self._gone.pop(record.ref, None)
                saved.add(record.ref)
        return saved

    def _bury(self, tombstone: Tombstone) -> None:
        known = self._gone.get(tombstone.ref)
        merged_into = tombstone.merged_into or (known.merged_into if known else None)
        self._gone[tombstone.ref] = replace(tombstone, merged_into=merged_into)


class MemoryLinks:
    """Links and bases, in memory."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._owners: dict[Ref, str] = {}

    def links(self) -> dict[str, tuple[Ref, ...]]:
        """Give all links by id, refs in order."""
        with self._state.lock:
            found: dict[str, list[Ref]] = {}
            for ref, link in sorted(self._owners.items()):
                found.setdefault(link, []).append(ref)
        return {link: tuple(found[link]) for link in sorted(found)}

    def save(self, links: Mapping[str, Sequence[Ref]]) -> None:
        """Create or replace links. A ref leaves the link it was in; a link without refs is no more."""
        with self._state.lock:
            self._owners = {ref: link for ref, link in self._owners.items() if link not in links}
            self._owners |= {ref: link for link, refs in links.items() for ref in refs}

    def bases(self) -> dict[Ref, dict[str, Value]]:
        """Give every base known, by ref and field."""
        with self._state.lock:
            return {ref: dict(values) for ref, values in self._state.bases.items()}

    def save_bases(self, bases: Mapping[Ref, Mapping[str, Value]]) -> None:
        """Set the base of the fields named; the others stay."""
        with self._state.lock:
            self._state.set_bases(bases)


class MemoryFindings:
    """What evaluating said, in memory."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._findings: dict[str, StoredFinding] = {}
        self._evaluations: dict[Ref, Evaluation] = {}

    def save(self, evaluations: Sequence[Evaluation], at: datetime) -> None:
        """Replace what is known of these deals."""
        with self._state.lock:
            latest = {evaluation.deal: evaluation for evaluation in evaluations}
            self._evaluations |= latest
            holding = {finding.id: finding for each in latest.values() for finding in each.findings}
            self._clear([stored for stored in self._open() if stored.finding.deal in latest], set(holding), at)
            for finding in holding.values():
                known = self._findings.get(finding.id)
                opened_at = known.opened_at if known and known.cleared_at is None else at
                self._findings[finding.id] = StoredFinding(finding, opened_at, None)

    def forget(self, keep: Sequence[Ref], at: datetime) -> None:
        """Clear the findings of all deals that are not among these, and drop their visits and clocks."""
        with self._state.lock:
            kept = set(keep)
            self._clear([stored for stored in self._open() if stored.finding.deal not in kept], set(), at)
            self._evaluations = {deal: each for deal, each in self._evaluations.items() if deal in kept}

    def findings(self, *, cleared: bool = False) -> tuple[StoredFinding, ...]:
        """Give the open findings, with the cleared ones too if asked, oldest first."""
        with self._state.lock:
            found = list(self._findings.values()) if cleared else self._open()
        return tuple(sorted(found, key=lambda stored: (stored.opened_at, stored.finding.id)))

    def visits(self) -> Iterator[Visit]:
        """Give all visits, deal by deal, in each deal's own order."""
        return iter([visit for each in self._in_order() for visit in each.visits])

    def clocks(self) -> Iterator[SlaClock]:
        """Give all SLA clocks, in the order of their visits."""
        return iter(
            [
                clock
                for each in self._in_order()
                for clock in sorted(each.clocks, key=lambda clock: (each.visits.index(clock.visit), clock.sla))
            ]
        )

    def _open(self) -> list[StoredFinding]:
        return [stored for stored in self._findings.values() if stored.cleared_at is None]

    def _clear(self, candidates: Sequence[StoredFinding], holding: set[str], at: datetime) -> None:
        for stored in candidates:
            if stored.finding.id not in holding:
                self._findings[stored.finding.id] = stored._replace(cleared_at=at)

    def _in_order(self) -> list[Evaluation]:
        with self._state.lock:
            return [self._evaluations[deal] for deal in sorted(self._evaluations)]


class MemoryJournal:
    """The journal, in memory."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._entries: list[JournalEntry] = []

    def intend(self, run: str, changes: Sequence[Change], at: datetime) -> None:
        """Write one intent per change."""
        with self._state.lock:
            self._state.renew(at)
            for change in changes:
                self._entries.append(JournalEntry(seq=len(self._entries) + 1, run=run, at=at, change=change))

    def settle(
        self, run: str, receipts: Sequence[Receipt], bases: Mapping[Ref, Mapping[str, Value]], at: datetime
    ) -> None:
        """Write one outcome per receipt and the new bases, together or not at all."""
        with self._state.lock:
            intended = {entry.change.id: entry.change for entry in self._entries if entry.outcome is None}
            for receipt in receipts:
                if receipt.change not in intended:
                    raise StateError(f"The journal has no intent for the change {receipt.change}.")
            self._state.renew(at)
            for receipt in receipts:
                entry = JournalEntry(
                    seq=len(self._entries) + 1,
                    run=run,
                    at=at,
                    change=intended[receipt.change],
                    outcome=receipt.outcome,
                    ref=receipt.ref,
                    message=receipt.message,
                )
                self._entries.append(entry)
            self._state.set_bases(bases)

    def unsettled(self) -> tuple[JournalEntry, ...]:
        """Give the newest intent of each change with no outcome since, or `unknown` as its last; oldest first."""
        with self._state.lock:
            intents = {entry.change.id: entry for entry in self._entries if entry.outcome is None}
            latest = {entry.change.id: entry for entry in self._entries}
        waiting = [intents[id_] for id_, entry in latest.items() if entry.outcome in {None, Outcome.UNKNOWN}]
        return tuple(sorted(waiting, key=lambda entry: entry.seq))

    def outcomes(self, changes: Sequence[str]) -> dict[str, JournalEntry]:
        """Give the last outcome of each change id that has one."""
        wanted = set(changes)
        with self._state.lock:
            return {e.change.id: e for e in self._entries if e.outcome is not None and e.change.id in wanted}

    def entries(self, run: str | None = None) -> Iterator[JournalEntry]:
        """Give all rows, or those of one run, in order."""
        with self._state.lock:
            return iter([entry for entry in self._entries if run is None or entry.run == run])


class MemoryRuns:
    """Runs and the lease, in memory."""

    def __init__(self, state: _State) -> None:
        self._state = state
        self._runs: dict[str, Run] = {}

    def start(self, run: Run) -> None:
        """Note that a run began; raises StateError when there is one of that id."""
        with self._state.lock:
            if run.id in self._runs:
                raise StateError(f"The run {run.id} was started before.")
            self._runs[run.id] = replace(run, summary=_plain(run.summary))

    def finish(self, run: str, at: datetime, exit_code: int, summary: Mapping[str, Any]) -> None:
        """Note how a run ended; raises StateError for a run that was not started."""
        with self._state.lock:
            if run not in self._runs:
                raise StateError(f"The run {run} was never started.")
            done = replace(self._runs[run], finished_at=at, exit_code=exit_code, summary=_plain(summary))
            self._runs[run] = done

    def runs(self, limit: int) -> tuple[Run, ...]:
        """Give the newest runs, newest first."""
        with self._state.lock:
            newest_first = list(reversed(self._runs.values()))
        return tuple(sorted(newest_first, key=lambda run: run.started_at, reverse=True)[:limit])

    def last(self, command: str) -> Run | None:
        """Give the newest finished run of a command."""
        done = (run for run in self.runs(len(self._runs)) if run.command == command and run.finished_at is not None)
        return next(done, None)

    @contextlib.contextmanager
    def lease(self, holder: str, now: datetime, lasts: timedelta) -> Iterator[None]:
        """Hold the state for writing; raises LockedError while another run's lease has not expired."""
        mine = _Lease(holder=holder, since=now, lasts=lasts, expires_at=now + lasts)
        with self._state.lock:
            other = self._state.lease
            if other is not None and other.expires_at > now:
                raise LockedError(
                    f"The run {other.holder} holds the state since {show(other.since)}. Its lease expires at "
                    f"{show(other.expires_at)} unless it goes on writing.",
                    advice="Wait until it is done.",
                )
            self._state.lease = mine
        try:
            yield
        finally:
            with self._state.lock:
                if self._state.lease is mine:
                    self._state.lease = None


def _plain(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Give what JSON keeps of a summary, apart from the caller's own."""
    copy: dict[str, Any] = json.loads(json.dumps(dict(summary)))
    return copy
