"""The append-only log of intents and outcomes."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, Text, cast, func, insert, or_, select

from crmbridge.errors import StateError
from crmbridge.model.changes import Change, JournalEntry, Outcome, Receipt
from crmbridge.model.codec import change_from_json, change_to_json
from crmbridge.model.records import Ref
from crmbridge.model.values import Value
from crmbridge.store.sql import schema
from crmbridge.store.sql.database import Database
from crmbridge.store.sql.links import write_bases
from crmbridge.store.sql.straight import among, delete_among, rows_among
from crmbridge.store.texts import json_text

INTENT, OUTCOME = "intent", "outcome"
_STREAMED = {"yield_per": 1000}  # rows read at a time
_journal = schema.journal
_open_changes = schema.open_changes
_INTENTS = (
    select(func.max(_journal.c.seq))
    .where(_journal.c.phase == INTENT, _journal.c.change_id.in_(select(_open_changes.c.change_id)))
    .group_by(_journal.c.change_id)
)
_UNSETTLED = select(_journal).where(_journal.c.seq.in_(_INTENTS)).order_by(_journal.c.seq)


class SqlJournal:
    """The journal, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def intend(self, run: str, changes: Sequence[Change], at: datetime) -> None:
        """Write one intent per change; on disk when this returns."""
        rows = [
            {"run": run, "at": at, "change_id": change.id, "phase": INTENT, "change": change_to_json(change)}
            | {"outcome": None, "ref": None, "message": ""}
            for change in changes
        ]
        with self._database.write(at) as open_:
            _append(open_, rows)
            _note(open_, {change.id: None for change in changes})

    def settle(
        self, run: str, receipts: Sequence[Receipt], bases: Mapping[Ref, Mapping[str, Value]], at: datetime
    ) -> None:
        """Write one outcome per receipt and the new bases, together or not at all.

        Raises StateError for a receipt whose change was never intended.
        """
        with self._database.write(at) as open_:
            intended = _intended(open_, [receipt.change for receipt in receipts])
            _append(open_, [_outcome_row(run, receipt, intended, at) for receipt in receipts])
            _note(open_, {receipt.change: receipt.outcome for receipt in receipts})
            write_bases(open_, bases)

    def unsettled(self) -> tuple[JournalEntry, ...]:
        """Give the newest intent of each change with no outcome since, or `unknown` as its last; oldest first."""
        with self._database.read() as open_:
            return tuple(map(_entry, open_.execute(_UNSETTLED)))

    def outcomes(self, changes: Sequence[str]) -> dict[str, JournalEntry]:
        """Give the last outcome of each change id that has one."""
        with self._database.read() as open_:
            return {row.change_id: _entry(row) for row in _last(open_, changes, OUTCOME)}

    def entries(self, run: str | None = None) -> Iterator[JournalEntry]:
        """Give all rows, or those of one run, in order, as they were when the first one was asked for."""
        query: Select[Any] = select(_journal).order_by(_journal.c.seq)
        if run is not None:
            query = query.where(_journal.c.run == run)
        with self._database.read() as open_:
            yield from map(_entry, open_.execute(query, execution_options=_STREAMED))

    def about(self, refs: Collection[Ref]) -> tuple[JournalEntry, ...]:
        """Give the rows whose change was meant for one of these records, or made it, in order."""
        written = cast(_journal.c.change, Text)
        named = [written.contains(json_text(ref.id), autoescape=True) for ref in refs]
        query = select(_journal).where(or_(*named, _journal.c.ref.in_(list(refs)))).order_by(_journal.c.seq)
        with self._database.read() as open_:
            found = map(_entry, open_.execute(query))  # an id may stand elsewhere in a change, too
            return tuple(entry for entry in found if entry.change.target in refs or entry.ref in refs)


def _append(open_: Connection, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        open_.execute(insert(_journal), rows)


def _note(open_: Connection, last: Mapping[str, Outcome | None]) -> None:
    """Note which changes are open by what is now their last row, so that nobody looks through the journal for them."""
    delete_among(open_, _open_changes, "change_id", last)
    unclear = [{"change_id": change} for change, outcome in last.items() if outcome in {None, Outcome.UNKNOWN}]
    if unclear:
        open_.execute(insert(_open_changes), unclear)


def _outcome_row(run: str, receipt: Receipt, intended: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    if receipt.change not in intended:
        raise StateError(
            f"The journal has no intent for the change {receipt.change}, so its outcome can't be written.",
            advice="Nothing was saved; report this as a bug in crmbridge.",
        )
    return {
        "run": run,
        "at": at,
        "change_id": receipt.change,
        "phase": OUTCOME,
        "change": intended[receipt.change],
        "outcome": receipt.outcome,
        "ref": receipt.ref,
        "message": receipt.message,
    }


def _intended(open_: Connection, changes: Sequence[str]) -> dict[str, Any]:
    return {row.change_id: row.change for row in _last(open_, changes, INTENT)}


def _last(open_: Connection, changes: Sequence[str], phase: str) -> Iterator[Row[Any]]:
    """Give the last row of a phase for each of these changes that has one; of a new plan's, hardly any has."""
    known = rows_among(open_, (_journal.c.change_id,), "change_id", dict.fromkeys(changes), {"phase": phase})
    for condition in among(_journal.c.change_id, dict.fromkeys(id_ for (id_,) in known)):
        latest = select(func.max(_journal.c.seq)).where(condition, _journal.c.phase == phase)
        query = select(_journal).where(_journal.c.seq.in_(latest.group_by(_journal.c.change_id)))
        yield from open_.execute(query)


def _entry(row: Row[Any]) -> JournalEntry:
    return JournalEntry(
        seq=row.seq,
        run=row.run,
        at=row.at,
        change=change_from_json(row.change),
        outcome=None if row.outcome is None else Outcome(row.outcome),
        ref=row.ref,
        message=row.message,
    )
