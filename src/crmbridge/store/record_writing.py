"""Records, moves and tombstones as rows of their tables, with values as they are stored."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from itertools import repeat
from operator import attrgetter, itemgetter
from typing import Any

from crmbridge.model.codec import problems_to_json
from crmbridge.model.records import Move, Position, Record, Ref, Tombstone
from crmbridge.model.values import Fields, Money, Value, WrittenFields, fields_to_text
from crmbridge.store.texts import all_storable, json_text, moment_text, moment_texts, ref_text, storable

_NAMES = ("name", "amount", "owner", "close_date")
_AT = attrgetter("at")
_NAMED: Callable[[Fields], Sequence[Value]] = itemgetter(*_NAMES)


def record_rows(records: Sequence[Record], mark: int) -> Iterator[tuple[Any, ...]]:
    """Write one record or more in the order of the table's columns; column by column, at two thirds of the cost."""
    names, amounts, owners, closing = zip(*[_named(record.fields) for record in records], strict=True)
    numbers = [amount.amount if isinstance(amount, Money) else amount for amount in amounts]
    pipelines, stages, statuses = zip(*[_stored_place(record.position) for record in records], strict=True)
    return zip(
        [record.ref.connection for record in records],
        [str(record.ref.kind) for record in records],
        all_storable([record.ref.id for record in records]),
        _texts([record.key for record in records]),
        _texts([record.version for record in records]),
        _moments([record.created_at for record in records]),
        _moments([record.updated_at for record in records]),
        pipelines,
        stages,
        statuses,
        _texts([record.url for record in records]),
        # What SQL reads without knowing JSON; a value of another type than usual is left out.
        _texts(names),
        [f"{number:f}" if isinstance(number, Decimal) else None for number in numbers],
        _texts([amount.currency if isinstance(amount, Money) else None for amount in amounts]),
        _texts(owners),
        # Exactly a day: a time is one to isinstance.
        [day.isoformat() if type(day) is date else None for day in closing],
        [fields_to_text(record.fields) for record in records],
        [json_text(problems_to_json(record.problems)) if record.problems else "[]" for record in records],
        repeat(None),  # gone_at
        repeat(None),  # merged_into
        _texts([record.updated_by for record in records]),
        repeat(mark),
    )


def _named(fields: Fields) -> Sequence[Value]:
    """Give the values that have columns of their own; those that an adapter wrote come with them, as a rule."""
    try:
        return _NAMED(fields.known if isinstance(fields, WrittenFields) else fields)
    except KeyError:
        return [fields.get(name) for name in _NAMES]


def _texts(values: Sequence[Value]) -> Sequence[str | None]:
    """Write a column of texts; what is no text is left out."""
    texts = [value for value in values if isinstance(value, str)]
    if len(texts) == len(values):
        return all_storable(texts)
    return [storable(value) if isinstance(value, str) else None for value in values] if texts else [None] * len(values)


def _moments(moments: Sequence[datetime | None]) -> Sequence[str | None]:
    """Write a column of times, which may be missing."""
    there = [moment for moment in moments if moment is not None]
    if len(there) == len(moments):
        return moment_texts(there)
    return [moment_text(moment) if moment else None for moment in moments]


@lru_cache(maxsize=1000)  # an account has a few stages, and each of them very many deals
def _stored_place(position: Position | None) -> tuple[str | None, str | None, str | None]:
    if position is None:
        return None, None, None
    return storable(position.pipeline), storable(position.stage), str(position.status)


def _text(value: Value) -> str | None:
    return storable(value) if isinstance(value, str) else None


def tombstone_row(tombstone: Tombstone, mark: int) -> dict[str, Any]:
    """Write a tombstone under the names of the columns that it fills in."""
    ref = tombstone.ref
    return {
        "connection": ref.connection,
        "kind": str(ref.kind),
        "id": storable(ref.id),
        "gone_at": moment_text(tombstone.at),
        "merged_into": ref_text(tombstone.merged_into) if tombstone.merged_into else None,
        "mark": mark,
    }


def move_row(move: Move, ordinal: int) -> tuple[Any, ...]:
    """Write a move in the order of the table's columns."""
    return (
        move.deal.connection,
        storable(move.deal.id),
        storable(move.id),
        ordinal,
        moment_text(move.at),
        *_stored_place(move.before),
        *_stored_place(move.after),
        _text(move.by),
    )


def moves_rows(moves: Sequence[Move]) -> dict[Ref, list[tuple[Any, ...]]]:
    """Write the moves of a page, each deal's oldest first; of several with one id the last counts."""
    found: dict[Ref, dict[str, Move]] = {}
    for move in moves:
        found.setdefault(move.deal, {})[move.id] = move
    in_time = {deal: sorted(its.values(), key=_AT) for deal, its in found.items()}
    return {deal: [move_row(move, n) for n, move in enumerate(its)] for deal, its in in_time.items()}
