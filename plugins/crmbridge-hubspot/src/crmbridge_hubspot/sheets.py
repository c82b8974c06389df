"""Reads the fields of a page of records at once, column by column, and writes them as they are stored.

Whatever is not as usual is left to `Plan`, which reads record by record and says what is wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from operator import itemgetter
from types import MappingProxyType
from typing import Any, NamedTuple, cast

from crmbridge.adapting import KNOWN, WRITERS, Pieces, numbers_in, put_together, spread, write_amounts
from crmbridge.model.records import Kind
from crmbridge.model.values import FieldType, Money, Value, WrittenFields
from crmbridge_hubspot.account import CURRENCY_PROPERTY
from crmbridge_hubspot.links import FIELDS
from crmbridge_hubspot.objects import Bound, ObjectType
from crmbridge_hubspot.plans import Properties
from crmbridge_hubspot.values import Codec, moment

A_DAY = len("2026-01-31")
KINDS = frozenset({Kind.DEAL, Kind.COMPANY})  # that hold no more than their properties and links say
_LAST = itemgetter(-1)
_FLAGS = MappingProxyType({"true": True, "false": False})
Linked = Sequence[Mapping[str, Value]]


Raws = Sequence[str | None]  # a property of several records


class _Field(NamedTuple):
    name: str
    type: FieldType
    read: Callable[[Sequence[str]], Sequence[Any]]


class Sheet:
    """The fields of one object type, for one set-up: its properties and the links of one record to others."""

    def __init__(self, type_: ObjectType, bounds: Sequence[Bound], codec: Codec) -> None:
        self._fields = [_Field(each.name, each.type, _reading(each.type, codec)) for each in bounds]
        self._linked = linked_fields(type_)
        natives = [each.native for each in bounds]
        has_amounts = any(each.type is FieldType.MONEY for each in bounds)
        self._pick = itemgetter(*natives, CURRENCY_PROPERTY if has_amounts else natives[0])
        self._currency = codec.currency

    @classmethod
    def of(cls, type_: ObjectType, bounds: Sequence[Bound], codec: Codec) -> Sheet | None:
        """Make the sheet of an object type; None for those that hold more than their properties and links say."""
        if type_.kind not in KINDS or linked_fields(type_) & {each.name for each in bounds}:
            return None
        return cls(type_, bounds, codec)

    def written(self, properties: Sequence[Properties], linked: Linked) -> list[WrittenFields]:
        """Read and write the fields of records; raises one of UNUSUAL where a value is not as usual."""
        *columns, currencies = zip(*map(self._pick, properties), strict=True)
        known: dict[str, Sequence[Value]] = dict.fromkeys(KNOWN, [None] * len(properties))
        pieces: dict[str, Pieces] = {}
        for field, raws in zip(self._fields, columns, strict=True):
            written, values = self._column(field, raws, currencies)
            pieces[field.name] = spread(written, raws, "")
            if field.name in known:
                known[field.name] = spread(values, raws, None)
        pieces |= {name: _links(name, [each.get(name) for each in linked]) for name in self._linked}
        return put_together([pieces[name] for name in sorted(pieces)], known)

    def _column(self, field: _Field, raws: Raws, currencies: Raws) -> tuple[Pieces, Sequence[Value]]:
        """Write the values of a column that are there, and give them too."""
        texts = [*filter(None, raws)]
        values: Sequence[Any] = field.read(texts)
        if field.type is not FieldType.MONEY:
            is_read = field.type is not FieldType.NUMBER or field.name not in KNOWN
            return WRITERS[field.type](field.name, values), values if is_read else [*map(Decimal, values)]
        said = [each or self._currency or "" for each, raw in zip(currencies, raws, strict=True) if raw]
        if not all(said):
            raise ValueError("an amount without a currency")
        amounts = map(Money, map(Decimal, values), said) if field.name in KNOWN else ()
        return write_amounts(field.name, values, said), [*amounts]


def linked_fields(type_: ObjectType) -> frozenset[str]:
    """Name the fields that are links to other records."""
    return frozenset(FIELDS.get(other, other) for other in type_.linked)


def _links(name: str, values: Sequence[Value]) -> Pieces:
    there = [value is not None for value in values]
    found: list[Any] = [value for value in values if value is not None]
    kind = FieldType.CHOICES if any(value.__class__ is tuple for value in found) else FieldType.TEXT
    return spread(WRITERS[kind](name, found), there, "")


def _reading(type_: FieldType, codec: Codec) -> Callable[[Sequence[str]], Sequence[Any]]:
    """Give what reads all texts of a column; it raises an error where one is no such value."""
    decode = codec.decoder(type_)
    if type_ in {FieldType.NUMBER, FieldType.MONEY}:
        return numbers_in
    if type_ is FieldType.BOOL:
        return lambda texts: _flags(texts, decode)
    if type_ is FieldType.DATE:
        return lambda texts: _days(texts, codec)
    if type_ is FieldType.DATETIME:
        return _moments
    return _same if decode is None else lambda texts: [*map(decode, texts)]


def _same(texts: Sequence[str]) -> Sequence[str]:
    return texts


def _flags(texts: Sequence[str], decode: Any) -> Sequence[bool]:
    try:
        return [*map(_FLAGS.__getitem__, texts)]
    except KeyError:
        return [*map(decode, texts)]


def _days(texts: Sequence[str], codec: Codec) -> Sequence[date]:
    if {*map(len, texts)} == {A_DAY}:
        return [*map(date.fromisoformat, texts)]
    if _are_in_utc(texts):
        return [at.astimezone(codec.zone).date() for at in map(datetime.fromisoformat, texts)]
    return [*map(cast("Callable[[str], date]", codec.decoder(FieldType.DATE)), texts)]


def _moments(texts: Sequence[str]) -> Sequence[datetime]:
    return [*map(datetime.fromisoformat if _are_in_utc(texts) else moment, texts)]


def _are_in_utc(texts: Sequence[str]) -> bool:
    """Tell whether all these times are in UTC and say so, as HubSpot writes them by now."""
    return {*map(_LAST, texts)} == {"Z"}
