"""What deals were found to hold before: written down when a copy is saved that differs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection

from crmbridge.model.edits import edits_between
from crmbridge.model.records import Edit, Kind, Position, Record, Ref, Status
from crmbridge.model.values import fields_from_text, fields_to_text, read_at_once
from crmbridge.store.sql import schema
from crmbridge.store.sql.database import Database, upsert_written
from crmbridge.store.sql.schema import as_written
from crmbridge.store.sql.sparse import near_any
from crmbridge.store.sql.straight import rows_among
from crmbridge.store.texts import moment_text, storable

_edits = schema.edits
_edits_written = as_written(_edits)
_IN_ORDER = itemgetter(1, 2)  # by deal, and of each in the order in which its edits were seen
_HELD = tuple(as_written(schema.records).c["id", "updated_at", "pipeline", "stage", "status", "fields", "gone_at"])


def note_edits(
    open_: Connection, texts: Mapping[Ref, str], records: Mapping[Ref, Record], mark: int, at: datetime | None
) -> tuple[set[Ref], set[Ref]]:
    """Write down what of the deals among these records changes when they are saved; give those held, and those back.

    To be called before that, in the same transaction. `texts` are their fields as they will be stored, `at` is when
    they were seen. Copies older than what is held change nothing. Of what is held, tombstones alone are left out.
    """
    found, held_already, back = [], set(), set()
    for ref, row in _held(open_, texts):
        new, position = records[ref], _position(row)
        if row[6] is not None and (row[1] is None or new.updated_at >= datetime.fromisoformat(row[1])):
            back.add(ref)
        if row[1] is None:
            continue
        held_already.add(ref)
        # Nearly always nothing differs, and reading the fields would cost more than all the rest.
        if row[5] == texts[ref] and position == _storable(new.position):
            continue
        held = Record(
            ref=ref,
            fields=fields_from_text(row[5]),
            version="",
            updated_at=datetime.fromisoformat(row[1]),
            position=position,
        )
        if new.updated_at >= held.updated_at and (edits := edits_between(held, new, at)):
            found.append(_row(ref, edits, mark))
    upsert_written(open_, _edits, found)
    return held_already, back


def edits_for(database: Database, deals: Collection[Ref]) -> dict[Ref, tuple[Edit, ...]]:
    """Give the edits of those of these deals that have any, in the order in which they were seen."""
    found: dict[Ref, list[Edit]] = defaultdict(list)
    with database.read() as open_:
        for connection, ids in _by_connection(deals).items():
            of = {"connection": connection}
            for some in near_any(open_, _edits, "deal", ids, of):
                for row in sorted(rows_among(open_, tuple(_edits_written.c), "deal", some, of), key=_IN_ORDER):
                    found[Ref(connection, Kind.DEAL, row[1])] += _read(row)
    return {deal: tuple(edits) for deal, edits in found.items()}


def _held(open_: Connection, refs: Iterable[Ref]) -> Iterator[tuple[Ref, Sequence[Any]]]:
    """Give the deals among these that are held, or whose tombstone is, as they are stored."""
    by_text: dict[str, dict[str, Ref]] = defaultdict(dict)
    for ref in refs:
        if ref.kind is Kind.DEAL:
            by_text[ref.connection][storable(ref.id)] = ref
    for connection, deals in by_text.items():
        of = {"connection": connection, "kind": Kind.DEAL.value}
        for row in rows_among(open_, _HELD, "id", deals, of):
            yield deals[row[0]], row


def _by_connection(refs: Iterable[Ref]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for ref in refs:
        if ref.kind is Kind.DEAL:
            found[ref.connection].append(ref.id)
    return found


def _position(row: Sequence[Any]) -> Position | None:
    return None if row[4] is None else Position(row[2], row[3], Status(row[4]))


def _storable(position: Position | None) -> Position | None:
    return position and Position(storable(position.pipeline), storable(position.stage), position.status)


def _row(deal: Ref, edits: Sequence[Edit], mark: int) -> tuple[Any, ...]:
    """Write the edits of one look in the order of the table's columns."""
    return (
        deal.connection,
        storable(deal.id),
        mark,
        moment_text(edits[0].since),
        moment_text(edits[0].at),
        fields_to_text({edit.field: edit.before for edit in edits}),
        fields_to_text({edit.field: edit.after for edit in edits}),
    )


def _read(row: Sequence[Any]) -> list[Edit]:
    """Read a row of the edits as it is stored."""
    *_, since, at, before, after = row
    first, last = datetime.fromisoformat(since), datetime.fromisoformat(at)
    was, now = read_at_once(before), read_at_once(after)
    return [Edit(field=name, since=first, at=last, before=was[name], after=now[name]) for name in sorted(was)]
