"""The state store in memory, for tests: the same answers as on disk, forgotten with the process."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from crmbridge.errors import LockedError, StateError
from crmbridge.model.changes import Change, JournalEntry, Outcome, Receipt
from crmbridge.model.edits import edits_between
from crmbridge.model.records import BACK, Edit, Kind, Move, Record, Ref, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value, show
from crmbridge.ports import Linked, Page, Run
from crmbridge.store.memory.backlog import MemoryBacklog, MemoryMatches, MemoryWaiting
from crmbridge.store.memory.courses import MemoryCourses
from crmbridge.store.memory.findings import MemoryFindings, MemoryWaivers
from crmbridge.store.memory.hints import MemoryHints, MemoryMemory
from crmbridge.store.memory.state import Lease, Opened, State


class MemoryStore:
    """A whole state in memory. Threads may share it; processes can't."""

    def __init__(self, state: State | None = None) -> None:
        self._state = state or State()
        memory = Opened(self._state)
        self.records = MemoryRecords(memory)
        self.courses = MemoryCourses(memory)
        self.links = MemoryLinks(memory)
        self.backlog = MemoryBacklog(memory)
        self.waiting = MemoryWaiting(memory)
        self.matches = MemoryMatches(memory)
        self.findings = MemoryFindings(memory)
        self.waivers = MemoryWaivers(memory)
        self.journal = MemoryJournal(memory)
        self.runs = MemoryRuns(memory)
        self.hints = MemoryHints(memory)
        self.rates = self._state.rates
        self._memory = memory

    def memory(self, connection: str) -> MemoryMemory:
        """Give what the adapter of a connection keeps."""
        return MemoryMemory(self._memory, connection)

    def again(self) -> MemoryStore:
        """Open the same state once more, as another process would: each of the two holds a lease of its own."""
        return MemoryStore(self._state)

    def close(self) -> None:
        """Do nothing: there is nothing to give back."""


class MemoryRecords:
    """What was pulled, in memory."""

    def __init__(self, memory: Opened) -> None:
        self._memory = memory

    def save_page(self, connection: str, kind: Kind, page: Page, at: datetime) -> None:
        """Save one page and its cursor."""
        with self._memory.write(at) as state:
            stale = {record.ref for record in page.records} - _save(state, page.records, at)
            moves: dict[Ref, dict[str, Move]] = {}
            for move in page.moves:
                moves.setdefault(move.deal, {})[move.id] = move
            fresh = {ref: tuple(sorted(m.values(), key=lambda m: m.at)) for ref, m in moves.items() if ref not in stale}
            other = {ref for ref, found in fresh.items() if state.moves.get(ref) != found}
            state.moves |= fresh
            state.mark_all(ref for ref in other if ref in state.records or ref in state.gone)
            for tombstone in page.tombstones:
                _bury(state, tombstone)
            state.cursors[connection, kind], state.pulled[connection, kind] = page.cursor, at

    def put(self, records: Sequence[Record], at: datetime | None = None) -> None:
        """Replace records with what was read outside a pull, unless what is held is newer."""
        with self._memory.write() as state:
            _save(state, records, at)

    def cursors(self, connection: str) -> dict[Kind, str]:
        """Give the cursor after the last page saved of each kind that has one."""
        with self._memory.read() as state:
            return {kind: cursor for (of, kind), cursor in state.cursors.items() if of == connection}

    def pulled_at(self, connection: str, kind: Kind) -> datetime | None:
        """Give when the last page was saved."""
        with self._memory.read() as state:
            return state.pulled.get((connection, kind))

    def named(self, connection: str, kind: Kind, text: str, limit: int) -> tuple[Ref, ...]:
        """Give the records that are not gone and whose name holds a text, whatever the case; ordered, not more."""
        wanted = text.casefold()
        named = ((record.ref, record.fields.get("name")) for record in self.records(connection, kind))
        return tuple(ref for ref, name in named if isinstance(name, str) and wanted in name.casefold())[:limit]

    def records(self, connection: str, kind: Kind) -> Iterator[Record]:
        """Give all records that are not gone, ordered by id."""
        with self._memory.read() as state:
            found = [r for r in state.records.values() if r.ref[:2] == (connection, kind) and r.ref not in state.gone]
        return iter(sorted(found, key=lambda record: record.ref.id))

    def get(self, refs: Collection[Ref]) -> dict[Ref, Record]:
        """Give the records asked for that are known and not gone."""
        with self._memory.read() as state:
            return {ref: state.records[ref] for ref in refs if ref in state.records and ref not in state.gone}

    def last_known(self, refs: Collection[Ref]) -> dict[Ref, Record]:
        """Give the records asked for as they were last known, also those that are gone."""
        with self._memory.read() as state:
            return {ref: state.records[ref] for ref in refs if ref in state.records}

    def moves(self, connection: str) -> Iterator[tuple[Ref, tuple[Move, ...]]]:
        """Give each deal's moves, oldest first, deal by deal in the order of their ids."""
        with self._memory.read() as state:
            return iter(sorted((ref, moves) for ref, moves in state.moves.items() if moves and ref[0] == connection))

    def moves_of(self, deal: Ref) -> tuple[Move, ...]:
        """Give one deal's moves, oldest first."""
        with self._memory.read() as state:
            return state.moves.get(deal, ())

    def moves_for(self, deals: Collection[Ref]) -> dict[Ref, tuple[Move, ...]]:
        """Give the moves of those of these deals that have any, each deal's oldest first."""
        with self._memory.read() as state:
            return {deal: state.moves[deal] for deal in deals if state.moves.get(deal)}

    def edits_for(self, deals: Collection[Ref]) -> dict[Ref, tuple[Edit, ...]]:
        """Give the edits of those of these deals that have any, in the order in which they were seen."""
        with self._memory.read() as state:
            return {deal: state.edits[deal] for deal in deals if deal in state.edits}

    def tombstones(self, refs: Collection[Ref]) -> dict[Ref, Tombstone]:
        """Give the tombstones of those of these refs that are gone."""
        with self._memory.read() as state:
            return {ref: state.gone[ref] for ref in refs if ref in state.gone}

    def gone(self, connection: str) -> Iterator[Tombstone]:
        """Give the records of a connection that are gone, ordered by kind and id."""
        with self._memory.read() as state:
            return iter([state.gone[ref] for ref in sorted(state.gone) if ref.connection == connection])


def _save(state: State, records: Sequence[Record], at: datetime | None) -> set[Ref]:
    """Save what is not older than what is held, and what deals held before; give the refs saved."""
    saved = set()
    before = {record.ref: state.records.get(record.ref) for record in records}
    for record in records:
        held = state.records.get(record.ref)
        if held is None or record.updated_at >= held.updated_at:
            was_gone = state.gone.pop(record.ref, None) is not None
            if was_gone or held is None or _said(held) != _said(record):
                state.mark_all([record.ref])
            if was_gone and record.ref.kind is Kind.DEAL:
                state.set_bases({record.ref: {BACK: True}})
            state.records[record.ref] = record
            saved.add(record.ref)
    for ref in saved:
        if (held := before[ref]) and ref.kind is Kind.DEAL and (edits := edits_between(held, state.records[ref], at)):
            state.edits[ref] = (*state.edits.get(ref, ()), *edits)
    return saved


def _said(record: Record) -> tuple[Any, ...]:
    """Give what makes a record another one than it was; its version and times alone do not."""
    return (record.fields, record.position, record.key, record.created_at, record.problems)


def _bury(state: State, tombstone: Tombstone) -> None:
    known = state.gone.get(tombstone.ref)
    merged_into = tombstone.merged_into or (known.merged_into if known else None)
    buried = replace(tombstone, merged_into=merged_into)
    if buried != known:
        state.mark_all([tombstone.ref])
    state.gone[tombstone.ref] = buried


class MemoryLinks:
    """Links and bases, in memory."""

    def __init__(self, memory: Opened) -> None:
        self._memory = memory

    def links(self) -> dict[str, tuple[Ref, ...]]:
        """Give all links by id, refs in order."""
        with self._memory.read() as state:
            found: dict[str, list[Ref]] = {}
            for ref, link in sorted(state.owners.items()):
                found.setdefault(link, []).append(ref)
        return {link: tuple(found[link]) for link in sorted(found)}

    def save(
        self,
        links: Mapping[str, Sequence[Ref]],
        bases: Mapping[Ref, Mapping[str, Value]] | None = None,
        anew: Collection[Ref] = (),
    ) -> None:
        """Create or replace links, and set bases. A ref leaves the link it was in; a link without refs is no more."""
        if not links and not bases and not anew:
            return
        with self._memory.write() as state:
            state.owners = {ref: link for ref, link in state.owners.items() if link not in links}
            state.owners |= {ref: link for link, refs in links.items() for ref in refs}
            for ref in anew:
                state.bases.pop(ref, None)
            state.set_bases(bases or {})

    def get(self, links: Collection[str]) -> dict[str, tuple[Ref, ...]]:
        """Give the links of these ids, of those that there are."""
        every = self.links()
        return {link: every[link] for link in sorted(links) if link in every}

    def around(self, links: Collection[str]) -> Linked:
        """Give the links of these ids, of those that there are, with their records and bases."""
        with self._memory.read() as state:
            found = self.get(links)
            members = [ref for refs in found.values() for ref in refs]
            there = {ref: state.records[ref] for ref in members if ref in state.records and ref not in state.gone}
            return Linked(found, there, self.bases([*members, *(Ref("", Kind.DEAL, link) for link in links)]))

    def of(self, refs: Collection[Ref]) -> dict[Ref, str]:
        """Give the id of the link that each of these refs stands in, where it stands in one."""
        with self._memory.read() as state:
            return {ref: state.owners[ref] for ref in refs if ref in state.owners}

    def bases(self, refs: Collection[Ref] | None = None) -> dict[Ref, Mapping[str, Value]]:
        """Give the base of these refs, or of every ref that has one, field by field."""
        with self._memory.read() as state:
            wanted = state.bases if refs is None else refs
            return {ref: dict(state.bases[ref]) for ref in wanted if ref in state.bases}

    def save_bases(self, bases: Mapping[Ref, Mapping[str, Value]]) -> None:
        """Set the base of the fields named; the others stay."""
        with self._memory.write() as state:
            state.set_bases(bases)


class MemoryJournal:
    """The journal, in memory."""

    def __init__(self, memory: Opened) -> None:
        self._memory = memory

    def intend(self, run: str, changes: Sequence[Change], at: datetime) -> None:
        """Write one intent per change."""
        with self._memory.write(at) as state:
            for change in changes:
                state.entries.append(JournalEntry(seq=len(state.entries) + 1, run=run, at=at, change=change))

    def settle(
        self, run: str, receipts: Sequence[Receipt], bases: Mapping[Ref, Mapping[str, Value]], at: datetime
    ) -> None:
        """Write one outcome per receipt and the new bases, together or not at all."""
        with self._memory.write(at) as state:
            intended = {entry.change.id: entry.change for entry in state.entries if entry.outcome is None}
            for receipt in receipts:
                if receipt.change not in intended:
                    raise StateError(f"The journal has no intent for the change {receipt.change}.")
            for receipt in receipts:
                entry = JournalEntry(
                    seq=len(state.entries) + 1,
                    run=run,
                    at=at,
                    change=intended[receipt.change],
                    outcome=receipt.outcome,
                    ref=receipt.ref,
                    message=receipt.message,
                )
                state.entries.append(entry)
            state.set_bases(bases)

    def unsettled(self) -> tuple[JournalEntry, ...]:
        """Give the newest intent of each change with no outcome since, or `unknown` as its last; oldest first."""
        with self._memory.read() as state:
            intents = {entry.change.id: entry for entry in state.entries if entry.outcome is None}
            latest = {entry.change.id: entry for entry in state.entries}
        waiting = [intents[id_] for id_, entry in latest.items() if entry.outcome in {None, Outcome.UNKNOWN}]
        return tuple(sorted(waiting, key=lambda entry: entry.seq))

    def outcomes(self, changes: Sequence[str]) -> dict[str, JournalEntry]:
        """Give the last outcome of each change id that has one."""
        wanted = set(changes)
        with self._memory.read() as state:
            return {e.change.id: e for e in state.entries if e.outcome is not None and e.change.id in wanted}

    def entries(self, run: str | None = None) -> Iterator[JournalEntry]:
        """Give all rows, or those of one run, in order."""
        with self._memory.read() as state:
            return iter([entry for entry in state.entries if run is None or entry.run == run])

    def about(self, refs: Collection[Ref]) -> tuple[JournalEntry, ...]:
        """Give the rows whose change was meant for one of these records, or made it, in order."""
        return tuple(entry for entry in self.entries() if entry.change.target in refs or entry.ref in refs)


class MemoryRuns:
    """Runs and the lease, in memory."""

    def __init__(self, memory: Opened) -> None:
        self._memory = memory

    def start(self, run: Run) -> None:
        """Note that a run began; raises StateError when there is one of that id."""
        with self._memory.write() as state:
            if run.id in state.runs:
                raise StateError(f"The run {run.id} was started before.")
            state.runs[run.id] = replace(run, summary=_plain(run.summary))

    def finish(self, run: str, at: datetime, exit_code: int, summary: Mapping[str, Any]) -> None:
        """Note how a run ended; raises StateError for a run that was not started."""
        with self._memory.write() as state:
            if run not in state.runs:
                raise StateError(f"The run {run} was never started.")
            done = replace(state.runs[run], finished_at=at, exit_code=exit_code, summary=_plain(summary))
            state.runs[run] = done

    def runs(self, limit: int, begins: str = "") -> tuple[Run, ...]:
        """Give the newest runs whose ids begin with a text, newest first, whatever the clock said of each."""
        with self._memory.read() as state:
            return tuple(run for run in reversed(state.runs.values()) if run.id.startswith(begins))[:limit]

    def last(self, command: str, now: datetime) -> Run | None:
        """Give the newest finished run of a command; not one that a wrong clock put into the future."""
        with self._memory.read() as state:
            known = sorted(self.runs(len(state.runs)), key=lambda run: run.started_at, reverse=True)
        ended = (run for run in known if run.command == command and run.finished_at is not None)
        return next((run for run in ended if run.started_at <= now), None)

    @contextlib.contextmanager
    def lease(self, holder: str, now: datetime, lasts: timedelta) -> Iterator[None]:
        """Hold the state for writing; raises LockedError while another run's lease has not expired."""
        mine = Lease(holder=holder, since=now, lasts=lasts, expires_at=now + lasts)
        with self._memory.read() as state:
            other = state.lease
            if other is not None and now < other.expires_at <= now + 2 * lasts:
                raise LockedError(
                    f"The run {other.holder} holds the state since {show(other.since)}. Its lease expires at "
                    f"{show(other.expires_at)} unless that run is still alive.",
                    advice="Wait until it is done.",
                )
            state.lease = self._memory.held = mine
        try:
            yield
        finally:
            self._memory.release(mine)

    def holder(self, now: datetime) -> str:
        """Name the holder of a lease that has not expired; empty where nobody holds the state."""
        with self._memory.read() as state:
            return state.lease.holder if state.lease and state.lease.expires_at > now else ""

    def renew(self, now: datetime) -> None:
        """Extend the lease that is held; raises LockedError when it was taken over."""
        with self._memory.write(now):
            pass  # opening it for writing at a time is what renews

    def must_hold(self) -> None:
        """Raise LockedError when the lease that is held was taken over."""
        with self._memory.write():
            pass  # opening it for writing is what looks


def _plain(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Give what JSON keeps of a summary, apart from the caller's own."""
    copy: dict[str, Any] = json.loads(json.dumps(dict(summary)))
    return copy
