"""The parts of a store that answer what a run asks that finds nothing new, and leave the rest to the whole store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import starmap
from typing import Any

from crmbridge.model.changes import Blocked, JournalEntry
from crmbridge.model.codec import blocked_from_json
from crmbridge.model.findings import Severity
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value
from crmbridge.ports import Page, Waiting
from crmbridge.store.plain import ALL_LINKS, FEW, NEXT_MARK, PlainState, marks
from crmbridge.store.quiet.brought import Brought
from crmbridge.store.record_rows import READ_NAMES, record_of
from crmbridge.store.refs import KINDS, by_kind, by_link, ref_of
from crmbridge.store.texts import all_storable, moment_text, storable
from crmbridge.store.waiting_rows import in_order


class Part:
    """A part of the store; what it does not answer itself, that of the whole store does."""

    def __init__(self, state: PlainState, whole: Callable[[], Any]) -> None:
        self._state = state
        self._whole = whole

    def __getattr__(self, name: str) -> Any:
        return getattr(self._whole(), name)


class QuietRecords(Part):
    """What was pulled."""

    def save_page(self, connection: str, kind: Kind, page: Page, at: datetime) -> None:
        """Save one page and its cursor together, or nothing. A first pull has thousands that bring only new records."""
        self._state.must_be_there()
        brought = Brought.of(connection, kind, page)
        if brought is not None:
            with self._state.write(at) as open_:
                if not brought.is_held(open_):
                    mark = first(open_.execute(NEXT_MARK))
                    brought.save(open_, mark)
                    open_.execute(_CURSOR, (storable(connection), kind.value, storable(page.cursor), moment_text(at)))
                    return
        self._whole().save_page(connection, kind, page, at)

    def cursors(self, connection: str) -> dict[Kind, str]:
        """Give the cursor after the last page saved of each kind that has one."""
        rows = self._state.rows("SELECT kind, cursor FROM cursors WHERE connection = ?", (storable(connection),))
        return {KINDS[kind]: cursor for kind, cursor in rows}

    def records(self, connection: str, kind: Kind) -> Iterator[Record]:
        """Give all records that are not gone, ordered by id, as they were when the first one was asked for."""
        with self._state.read() as open_:
            yield from map(record_of, open_.execute(f"{_RECORDS} ORDER BY id", (connection, kind.value)))

    def get(self, refs: Collection[Ref]) -> dict[Ref, Record]:
        """Give the records asked for that are known and not gone."""
        if len(refs) > FEW:
            many: dict[Ref, Record] = self._whole().get(refs)
            return many
        found: dict[Ref, Record] = {}
        with self._state.read() as open_:
            for connection, kind, ids in by_kind(refs):
                rows = open_.execute(f"{_RECORDS} AND id IN {marks(ids)}", (connection, kind.value, *all_storable(ids)))
                found |= {record.ref: record for record in map(record_of, rows)}
        return {ref: record for ref in refs if (record := found.get(ref))}


_CURSOR = (
    "INSERT INTO cursors (connection, kind, cursor, saved_at) VALUES (?, ?, ?, ?) "
    "ON CONFLICT (connection, kind) DO UPDATE SET cursor = excluded.cursor, saved_at = excluded.saved_at"
)
_NAMES = ", ".join(f'"{name}"' for name in READ_NAMES)
_RECORDS = f"SELECT {_NAMES} FROM records WHERE connection = ? AND kind = ? AND gone_at IS NULL"  # noqa: S608  names of ours


class QuietLinks(Part):
    """Which refs are the same thing."""

    def links(self) -> dict[str, tuple[Ref, ...]]:
        """Give all links by id, refs in order."""
        return by_link(self._state.rows(ALL_LINKS))

    def of(self, refs: Collection[Ref]) -> dict[Ref, str]:
        """Give the links of those of these refs that have one."""
        found: dict[Ref, str] = self._whole().of(refs) if refs else {}
        return found

    def save_bases(self, bases: Mapping[Ref, Mapping[str, Value]]) -> None:
        """Set what was last agreed about these refs."""
        if bases:
            self._whole().save_bases(bases)


class QuietBacklog(Part):
    """What readers have not dealt with yet."""

    def pending(self, reader: str) -> tuple[int, tuple[Ref, ...]]:
        """Give the mark that all of this reaches to, and the refs that are pending, ordered."""
        name = storable(reader)
        with self._state.read() as open_:
            upto = first(open_.execute("SELECT mark FROM marks")) or 0
            since = first(open_.execute("SELECT mark FROM readers WHERE reader = ?", (name,))) or 0
            return upto, tuple(starmap(ref_of, open_.execute(_PENDING, (since, upto, name))))

    def dealt(self, reader: str, mark: int, left: Collection[Ref] = (), links: Collection[str] = ()) -> None:
        """Note that a reader has dealt with everything up to a mark, but for what it left."""
        if left or links:
            self._whole().dealt(reader, mark, left, links)
            return
        name = storable(reader)
        with self._state.write() as open_:
            open_.execute(_READ_UPTO, (name, mark))
            open_.execute("DELETE FROM left_over WHERE reader = ?", (name,))

    def readers(self) -> frozenset[str]:
        """Name the readers that there are."""
        return frozenset(reader for (reader,) in self._state.rows("SELECT reader FROM readers"))

    def forget(self, readers: Collection[str]) -> None:
        """Forget readers; one that comes back begins with everything."""
        if readers:
            self._whole().forget(readers)


# The database sorts them and drops what is there twice: a first look has millions.
_PENDING = (
    "SELECT connection, kind, id FROM records WHERE mark > ? AND mark <= ? "
    "UNION SELECT connection, kind, id FROM left_over WHERE reader = ? ORDER BY connection, kind, id"
)
_READ_UPTO = "INSERT INTO readers VALUES (?, ?) ON CONFLICT (reader) DO UPDATE SET mark = excluded.mark"


class QuietWaiting(Part):
    """What waits for a person."""

    def replace(self, links: Collection[str], items: Sequence[Blocked], at: datetime) -> None:
        """Put these in the place of everything that waits under these links."""
        if items or len(links) > FEW or self._waits(links):
            self._whole().replace(links, items, at)

    def all(self) -> tuple[Waiting, ...]:
        """Give everything that waits, ordered by deal, name and reason."""
        rows = self._state.rows("SELECT item, since FROM waiting")
        found = [Waiting(blocked_from_json(json.loads(item)), datetime.fromisoformat(since)) for item, since in rows]
        return tuple(sorted(found, key=in_order))

    def _waits(self, links: Collection[str]) -> bool:
        asked = f"SELECT 1 FROM waiting WHERE link IN {marks(links)} LIMIT 1"  # noqa: S608  no value is in it
        with self._state.write() as open_:  # who lost the lease is told even where nothing is to be written
            return open_.execute(asked, all_storable(list(links))).fetchone() is not None


class QuietFindings(Part):
    """What evaluating said."""

    def due(self, now: datetime) -> tuple[Ref, ...]:
        """Give the deals whose evaluation was good until now or earlier, ordered."""
        rows = self._state.rows("SELECT connection, deal FROM places WHERE until <= ?", (moment_text(now),))
        return tuple(sorted(Ref(connection, Kind.DEAL, deal) for connection, deal in rows))

    def counts(self) -> dict[Severity, int]:
        """Count the open findings by severity, without the waived ones."""
        return {Severity(severity): count for severity, count in self._state.rows(_COUNTS)}


_COUNTS = "SELECT severity, count(*) FROM findings WHERE cleared_at IS NULL AND waived_by IS NULL GROUP BY severity"


class QuietJournal(Part):
    """The append-only log of intents and outcomes."""

    def unsettled(self) -> tuple[JournalEntry, ...]:
        """Give the newest intent of each change with no outcome since, or `unknown` as its last; oldest first."""
        open_changes = self._state.rows("SELECT 1 FROM open_changes LIMIT 1")
        found: tuple[JournalEntry, ...] = self._whole().unsettled() if open_changes else ()
        return found

    def outcomes(self, changes: Sequence[str]) -> dict[str, JournalEntry]:
        """Give the last outcome of each change id that has one."""
        found: dict[str, JournalEntry] = self._whole().outcomes(changes) if changes else {}
        return found


class QuietHints(Part):
    """Hints to re-read a record."""

    def pending(self, connection: str) -> tuple[tuple[Ref, datetime], ...]:
        """Give the refs noted, oldest first, each with when it was last noted."""
        rows = self._state.rows(_HINTS, (storable(connection),))
        return tuple((Ref(of, KINDS[kind], id_), datetime.fromisoformat(at)) for of, kind, id_, at in rows)

    def done(self, seen: Sequence[tuple[Ref, datetime]]) -> None:
        """Forget the refs that were re-read, unless they were noted again since the time given."""
        if seen:
            self._whole().done(seen)


_HINTS = "SELECT connection, kind, id, noted_at FROM hints WHERE connection = ? ORDER BY noted_at, kind, id"


def first(rows: sqlite3.Cursor) -> Any:
    """Give the first value of the first row; None where there is no row."""
    row = rows.fetchone()
    return None if row is None else row[0]
