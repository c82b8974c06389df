"""The append-only log of intents and outcomes."""

from __future__ import annotations

import functools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, func, select

from crmbridge.errors import StateError
from crmbridge.model.changes import Change, JournalEntry, Outcome, Receipt
from crmbridge.model.codec import change_from_json, change_to_json
from crmbridge.model.records import Ref
from crmbridge.model.values import Value
from crmbridge.store.sql import schema
from crmbridge.store.sql.database import Database, insert_written, upsert_written
from crmbridge.store.sql.links import write_bases
from crmbridge.store.sql.schema import as_written
from crmbridge.store.sql.straight import chunks, delete_among, place, rows_among, run
from crmbridge.store.texts import all_storable, json_text, moment_text, read_ref, ref_text, storable

INTENT, OUTCOME = "intent", "outcome"
_STREAMED = {"yield_per": 1000}  # rows read at a time
_journal, _open_changes = as_written(schema.journal), as_written(schema.open_changes)
_journal_refs = schema.journal_refs
_APPENDED = ("run", "at", "change_id", "phase", "change", "outcome", "ref", "message")
_READ = ("seq", "run", "at", "change", "outcome", "ref", "message")
_ROWS = select(*_journal.c[_READ]).order_by(_journal.c.seq)
_INTENTS = (
    select(func.max(_journal.c.seq))
    .where(_journal.c.phase == INTENT, _journal.c.change_id.in_(select(_open_changes.c.change_id)))
    .group_by(_journal.c.change_id)
)
_UNSETTLED = _ROWS.where(_journal.c.seq.in_(_INTENTS))
_NAMES = ", ".join(_READ)


class SqlJournal:
    """The journal, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def intend(self, run: str, changes: Sequence[Change], at: datetime) -> None:
        """Write one intent per change; on disk when this returns."""
        begun = (storable(run), moment_text(at))
        rows = [
            (*begun, storable(change.id), INTENT, json_text(change_to_json(change)), None, None, "")
            for change in changes
        ]
        with self._database.write(at) as open_:
            _append(open_, rows)
            _note(open_, {change.id: None for change in changes})
            _name(open_, [(change.target, change.id) for change in changes])

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
            _name(open_, [(receipt.ref, receipt.change) for receipt in receipts])
            write_bases(open_, bases)

    def unsettled(self) -> tuple[JournalEntry, ...]:
        """Give the newest intent of each change with no outcome since, or `unknown` as its last; oldest first."""
        with self._database.read() as open_:
            return tuple(map(_entry, open_.execute(_UNSETTLED)))

    def outcomes(self, changes: Sequence[str]) -> dict[str, JournalEntry]:
        """Give the last outcome of each change id that has one."""
        with self._database.read() as open_:
            return {id_: _entry(row) for id_, *row in _last(open_, changes, OUTCOME, _NAMES)}

    def entries(self, run: str | None = None) -> Iterator[JournalEntry]:
        """Give all rows, or those of one run, in order, as they were when the first one was asked for."""
        query: Select[Any] = _ROWS if run is None else _ROWS.where(_journal.c.run == storable(run))
        with self._database.read() as open_:
            yield from map(_entry, open_.execute(query, execution_options=_STREAMED))

    def about(self, refs: Collection[Ref]) -> tuple[JournalEntry, ...]:
        """Give the rows whose change was meant for one of these records, or made it, in order."""
        with self._database.read() as open_:
            ids = [id_ for (id_,) in rows_among(open_, [_journal_refs.c.change_id], "ref", map(ref_text, refs))]
            rows = rows_among(open_, list(_journal.c[_READ]), "change_id", dict.fromkeys(ids))
            found = sorted(map(_entry, rows), key=lambda entry: entry.seq)
        return tuple(entry for entry in found if entry.change.target in refs or entry.ref in refs)


def _append(open_: Connection, rows: Sequence[tuple[Any, ...]]) -> None:
    insert_written(open_, _journal, rows, _APPENDED)


def _note(open_: Connection, last: Mapping[str, Outcome | None]) -> None:
    """Note which changes are open by what is now their last row, so that nobody looks through the journal for them."""
    delete_among(open_, _open_changes, "change_id", last)
    unclear = [(storable(change),) for change, outcome in last.items() if outcome in {None, Outcome.UNKNOWN}]
    insert_written(open_, _open_changes, unclear)


def _name(open_: Connection, about: Iterable[tuple[Ref | None, str]]) -> None:
    """Note which records changes are about."""
    upsert_written(open_, _journal_refs, [(ref_text(ref), storable(id_)) for ref, id_ in about if ref is not None])


def _outcome_row(run: str, receipt: Receipt, intended: Mapping[str, str], at: datetime) -> tuple[str | None, ...]:
    if receipt.change not in intended:
        raise StateError(
            f"The journal has no intent for the change {receipt.change}, so its outcome can't be written.",
            advice="Nothing was saved; report this as a bug in crmbridge.",
        )
    return (
        storable(run),
        moment_text(at),
        storable(receipt.change),
        OUTCOME,
        intended[receipt.change],
        receipt.outcome.value,
        None if receipt.ref is None else ref_text(receipt.ref),
        storable(receipt.message),
    )


def _intended(open_: Connection, changes: Sequence[str]) -> dict[str, str]:
    return {row[0]: row[1] for row in _last(open_, changes, INTENT, "change")}


def _last(open_: Connection, changes: Sequence[str], phase: str, names: str) -> Iterator[Sequence[Any]]:
    """Give the id of each of these changes that has a row of a phase, with what is asked of the last one."""
    mark = place(open_)
    for some in chunks(dict.fromkeys(changes)):
        of = f"phase = {mark} AND change_id IN ({', '.join([mark] * len(some))})"
        latest = f"SELECT max(seq) FROM journal WHERE {of} GROUP BY change_id"  # noqa: S608  no value is in it
        asked = f"SELECT change_id, {names} FROM journal WHERE seq IN ({latest})"  # noqa: S608  as above
        yield from run(open_, asked, (phase, *all_storable(some))).fetchall()


def _entry(row: Sequence[Any]) -> JournalEntry:
    seq, of_run, at, change, outcome, ref, message = row
    return JournalEntry(
        seq=seq,
        run=of_run,
        at=datetime.fromisoformat(at),
        change=_change(change),
        outcome=None if outcome is None else Outcome(outcome),
        ref=None if ref is None else read_ref(ref),
        message=message,
    )


@functools.lru_cache(maxsize=200)  # outcomes come soon after their intents, and have the same change
def _change(text: str) -> Change:
    return change_from_json(json.loads(text))
