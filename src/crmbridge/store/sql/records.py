"""What was pulled: records, moves, tombstones and cursors."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import groupby, islice
from operator import itemgetter
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, bindparam, delete, select

from crmbridge.model.records import BACK, Edit, Kind, Move, Position, Record, Ref, Status, Tombstone
from crmbridge.ports import Page
from crmbridge.store.record_rows import READ_NAMES, position_of, record_of
from crmbridge.store.record_writing import moves_rows, record_rows, tombstone_row
from crmbridge.store.refs import KINDS, by_kind
from crmbridge.store.sql import schema
from crmbridge.store.sql.database import Database, Marked, give_mark, next_mark, upsert, upsert_written
from crmbridge.store.sql.edits import edits_for, note_edits
from crmbridge.store.sql.links import write_bases
from crmbridge.store.sql.schema import as_written
from crmbridge.store.sql.sparse import near_any
from crmbridge.store.sql.straight import among, chunks, rows_among, run_among
from crmbridge.store.texts import moment_text, read_ref, storable

_STREAMED = {"yield_per": 1000}  # rows read at a time
_records, _moves, _cursors = schema.records, schema.moves, schema.cursors
_records_written, _moves_written = as_written(_records), as_written(_moves)
_READ = tuple(as_written(_records, parsed=("fields",)).c[READ_NAMES])
_READ_UPDATED_AT = READ_NAMES.index("updated_at")
# What makes a record another one than it was; its version and times alone do not.
_CHANGED = Marked(
    "mark", ("fields", "pipeline", "stage", "status", "key", "created_at", "problems", "gone_at", "merged_into")
)
_GONE = Marked("mark", ("gone_at", "merged_into"))
# Hardly any of those asked for is gone, so the database tells them apart.
_TOMBSTONES = "SELECT id, gone_at, merged_into FROM (SELECT * FROM records WHERE gone_at IS NOT NULL) AS gone"
_MOVED = list(_moves.c.keys()).index("deal")
_IN_TIME = itemgetter(*(list(_moves.c.keys()).index(name) for name in ("at", "ordinal")))
_UPDATED_AT, _FIELDS = (list(_records.c.keys()).index(name) for name in ("updated_at", "fields"))
_CURSORS_OF = select(_cursors.c.kind, _cursors.c.cursor).where(_cursors.c.connection == bindparam("of"))
_ALL_OF = (
    select(*_records_written.c[READ_NAMES])
    .where(
        _records_written.c.connection == bindparam("of"),
        _records_written.c.kind == bindparam("that"),
        _records_written.c.gone_at.is_(None),
    )
    .order_by(_records_written.c.id)
)
_OLD_MOVES = delete(_moves_written).where(
    _moves_written.c.connection == bindparam("of"), _moves_written.c.deal == bindparam("deal_id")
)


class SqlRecords:
    """What was pulled, in SQL."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save_page(self, connection: str, kind: Kind, page: Page, at: datetime) -> None:
        """Save one page and its cursor together, or nothing.

        A copy older than the one held is left out with its moves. Where a page has a record and its tombstone, the
        tombstone counts.
        """
        with self._database.write(at) as open_:
            mark = next_mark(open_)
            saved = _save_records(open_, page.records, mark, at)
            _save_moves(open_, page, saved, mark)
            tombstones = [tombstone_row(tombstone, mark) for tombstone in page.tombstones]
            upsert(open_, _records_written, tombstones, keep=("merged_into",), marked=_GONE)
            upsert_written(open_, _cursors, [(connection, kind.value, storable(page.cursor), moment_text(at))])

    def put(self, records: Sequence[Record], at: datetime | None = None) -> None:
        """Replace records with what was read outside a pull, unless what is held is newer. The cursor stays."""
        with self._database.write() as open_:
            _save_records(open_, records, next_mark(open_), at)

    def cursors(self, connection: str) -> dict[Kind, str]:
        """Give the cursor after the last page saved of each kind that has one."""
        with self._database.read() as open_:
            return {KINDS[kind]: cursor for kind, cursor in open_.execute(_CURSORS_OF, {"of": connection})}

    def pulled_at(self, connection: str, kind: Kind) -> datetime | None:
        """Give when the last page was saved."""
        query = select(_cursors.c.saved_at).where(_cursors.c.connection == connection, _cursors.c.kind == kind)
        with self._database.read() as open_:
            return open_.execute(query).scalar()

    def named(self, connection: str, kind: Kind, text: str, limit: int) -> tuple[Ref, ...]:
        """Give the records that are not gone and whose name holds a text, whatever the case; ordered, not more."""
        table, wanted = _records_written, text.casefold()
        of = (table.c.connection == connection, table.c.kind == kind.value, table.c.gone_at.is_(None))
        query = select(table.c.id, table.c.name).where(*of, table.c.name.is_not(None)).order_by(table.c.id)
        # What is not read to its end must be closed before the connection is.
        with self._database.read() as open_, open_.execute(query, execution_options=_STREAMED) as rows:
            # SQL knows other letters as the same than people do: Straße and STRASSE.
            fitting = (Ref(connection, kind, id_) for id_, name in rows if wanted in name.casefold())
            return tuple(islice(fitting, limit))

    def records(self, connection: str, kind: Kind) -> Iterator[Record]:
        """Give all records that are not gone, ordered by id, as they were when the first one was asked for."""
        named = {"of": connection, "that": kind.value}
        with self._database.read() as open_:
            yield from map(record_of, open_.execute(_ALL_OF, named, execution_options=_STREAMED))

    def get(self, refs: Collection[Ref]) -> dict[Ref, Record]:
        """Give the records asked for that are known and not gone."""
        with self._database.read() as open_:
            found = {record.ref: record for record in map(record_of, _rows_of(open_, refs))}
        return {ref: record for ref in refs if (record := found.get(ref))}

    def last_known(self, refs: Collection[Ref]) -> dict[Ref, Record]:
        """Give the records asked for as they were last known, also those that are gone."""
        with self._database.read() as open_:
            # Of some only the tombstone is known.
            known = (row for row in _rows_of(open_, refs, gone=True) if row[_READ_UPDATED_AT] is not None)
            found = {record.ref: record for record in map(record_of, known)}
        return {ref: found[ref] for ref in refs if ref in found}

    def moves(self, connection: str) -> Iterator[tuple[Ref, tuple[Move, ...]]]:
        """Give each deal's moves, oldest first, deal by deal in the order of their ids; deals that are gone too."""
        query = select(_moves).where(_moves.c.connection == connection)
        query = query.order_by(_moves.c.deal, _moves.c.at, _moves.c.ordinal)
        with self._database.read() as open_:
            rows = open_.execute(query, execution_options=_STREAMED)
            for deal, group in groupby(map(_move, rows), key=lambda move: move.deal):
                yield deal, tuple(group)

    def moves_for(self, deals: Collection[Ref]) -> dict[Ref, tuple[Move, ...]]:
        """Give the moves of those of these deals that have any, each deal's oldest first."""
        with self._database.read() as open_:
            held = _held_moves(open_, [deal for deal in deals if deal.kind is Kind.DEAL])
        return {deal: tuple(_written_move(deal, row) for row in sorted(held[deal], key=_IN_TIME)) for deal in held}

    def moves_of(self, deal: Ref) -> tuple[Move, ...]:
        """Give one deal's moves, oldest first."""
        query = select(_moves).where(_moves.c.connection == deal.connection, _moves.c.deal == deal.id)
        with self._database.read() as open_:
            return tuple(map(_move, open_.execute(query.order_by(_moves.c.at, _moves.c.ordinal))))

    def edits_for(self, deals: Collection[Ref]) -> dict[Ref, tuple[Edit, ...]]:
        """Give the edits of those of these deals that have any, in the order in which they were seen."""
        return edits_for(self._database, deals)

    def gone(self, connection: str) -> Iterator[Tombstone]:
        """Give the records of a connection that are gone, ordered by kind and id."""
        query = (
            select(*_records.c["connection", "kind", "id", "gone_at", "merged_into"])
            .where(_records.c.connection == connection, _records.c.gone_at.is_not(None))
            .order_by(_records.c.kind, _records.c.id)
        )
        with self._database.read() as open_:
            for row in open_.execute(query, execution_options=_STREAMED):
                yield Tombstone(ref=_ref(row), at=row.gone_at, merged_into=row.merged_into)

    def tombstones(self, refs: Collection[Ref]) -> dict[Ref, Tombstone]:
        """Give the tombstones of those of these refs that are gone."""
        found: dict[Ref, Tombstone] = {}
        with self._database.read() as open_:
            for connection, kind, ids in by_kind(refs):
                of = {"connection": connection, "kind": kind.value}
                for some in chunks(ids):
                    for id_, at, into in run_among(open_, _TOMBSTONES, "id", some, of):
                        ref, survivor = Ref(connection, kind, id_), None if into is None else read_ref(into)
                        found[ref] = Tombstone(ref=ref, at=datetime.fromisoformat(at), merged_into=survivor)
        return found


# ── Writing ─────────────────────────────────────────────────────────────────────────────────────────────


class _Saved(NamedTuple):
    """What became of records: those left out as older than what is held, and the deals of which there was none."""

    left_out: set[Ref]
    new: set[Ref]


def _save_records(open_: Connection, records: Sequence[Record], mark: int, at: datetime | None) -> _Saved:
    """Save the records that are not older than what is held.

    The ones that are other than they were held get the mark, and of deals it is written down what they held before. Of
    one that was gone, its base says that it is back.
    """
    rows: dict[Ref, tuple[Any, ...]] = {}
    latest: dict[Ref, Record] = {}
    for record, row in zip(records, record_rows(records, mark) if records else (), strict=True):
        before = rows.get(record.ref)
        # An equal time replaces: many CRMs count in whole seconds, and two edits fit into one.
        if before is None or row[_UPDATED_AT] >= before[_UPDATED_AT]:
            rows[record.ref], latest[record.ref] = row, record
    deals = {ref: row[_FIELDS] for ref, row in rows.items() if ref.kind is Kind.DEAL}
    held, back = note_edits(open_, deals, latest, mark, at)
    left_out = upsert_written(open_, _records, list(rows.values()), newest="updated_at", marked=_CHANGED)
    if back:
        write_bases(open_, {ref: {BACK: True} for ref in back})
    return _Saved(_newer(open_, rows) if left_out else set(), deals.keys() - held)


def _newer(open_: Connection, rows: Mapping[Ref, tuple[Any, ...]]) -> set[Ref]:
    """Give the refs of the rows that are older than what is held. Times as they are written sort as the times do."""
    table = _records_written
    newer: set[Ref] = set()
    for connection, kind, ids in by_kind(rows):
        refs = {storable(each): Ref(connection, kind, each) for each in ids}
        for condition in among(table.c.id, refs):
            query = select(table.c.id, table.c.updated_at).where(
                table.c.connection == connection, table.c.kind == kind.value, condition
            )
            newer |= {
                refs[each] for each, held in open_.execute(query) if held and held > rows[refs[each]][_UPDATED_AT]
            }
    return newer


def _save_moves(open_: Connection, page: Page, saved: _Saved, mark: int) -> None:
    rows = moves_rows([move for move in page.moves if move.deal not in saved.left_out])
    kept = list(rows)
    held = _held_moves(open_, kept)  # few in a first pull, and asking costs less than taking away nothing
    other = [ref for ref in kept if ref not in held or sorted(held[ref], key=_order) != sorted(rows[ref], key=_order)]
    if old := [{"of": ref.connection, "deal_id": storable(ref.id)} for ref in other if ref in held]:
        open_.execute(_OLD_MOVES, old)
    upsert_written(open_, _moves, [row for ref in other for row in rows[ref]])
    give_mark(open_, [ref for ref in other if ref not in saved.new], mark)  # the new ones have it already


def _order(row: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, row))


def _held_moves(open_: Connection, deals: Sequence[Ref]) -> dict[Ref, list[tuple[Any, ...]]]:
    """Give the moves that are held of these deals, as they are stored."""
    found: dict[Ref, list[tuple[Any, ...]]] = defaultdict(list)
    for connection, _, ids in by_kind(deals):
        of = {"connection": connection}
        for some in near_any(open_, _moves, "deal", ids, of):
            by_text = {storable(each): Ref(connection, Kind.DEAL, each) for each in some}
            for row in rows_among(open_, tuple(_moves_written.c), "deal", some, of):
                found[by_text[row[_MOVED]]].append(tuple(row))
    return found


# ── Reading ─────────────────────────────────────────────────────────────────────────────────────────────


def _rows_of(open_: Connection, refs: Collection[Ref], *, gone: bool = False) -> Iterator[Sequence[Any]]:
    for connection, kind, ids in by_kind(refs):
        of = {"connection": connection, "kind": kind.value, **({} if gone else {"gone_at": None})}
        yield from rows_among(open_, _READ, "id", ids, of)


def _ref(row: Row[Any]) -> Ref:
    return Ref(row.connection, Kind(row.kind), row.id)


def _move(row: Row[Any]) -> Move:
    moved = row.from_status is not None
    return Move(
        deal=Ref(row.connection, Kind.DEAL, row.deal),
        id=row.id,
        at=row.at,
        before=Position(row.from_pipeline, row.from_stage, Status(row.from_status)) if moved else None,
        after=Position(row.to_pipeline, row.to_stage, Status(row.to_status)),
        by=row.by,
    )


def _written_move(deal: Ref, row: Sequence[Any]) -> Move:
    """Read a row of the moves as it is stored."""
    _, _, id_, _, at, *before, pipeline, stage, status, by = row
    return Move(
        deal=deal,
        id=id_,
        at=datetime.fromisoformat(at),
        before=position_of(*before) if before[2] is not None else None,
        after=position_of(pipeline, stage, status),
        by=by,
    )
