"""The fields that a process binds, out of deal rows: what is of one type at once, and one by one where it must be."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date
from itertools import groupby
from operator import getitem
from typing import Any, NamedTuple

from crmbridge.model.records import Problem
from crmbridge.model.values import FieldType, Money, Value
from crmbridge_pipedrive.account import BoundField
from crmbridge_pipedrive.api import Row
from crmbridge_pipedrive.layouts import Layout, Pick, Values, picking
from crmbridge_pipedrive.values import Decode, decimal, decoder

# The ways of fields without options; the other texts come as objects or as ids.
USUAL: Mapping[tuple[FieldType, str], str] = {
    **{(FieldType.TEXT, native): "text" for native in ("varchar", "varchar_auto", "text", "phone")},
    **{(FieldType.NUMBER, native): "number" for native in ("double", "int")},
    (FieldType.MONEY, "monetary"): "money",
    (FieldType.DATE, "date"): "date",
}
A_DAY = len("2026-06-10")

Raws = Sequence[Any]
# Gives the values of several fields; raises one of UNUSUAL where any of them is not in the usual form.
AtOnce = Callable[[Raws], Iterable[Value]]
Arranged = Sequence[tuple[Pick, AtOnce]]
UNUSUAL = (KeyError, TypeError, ValueError)


class OwnFields:
    """Reads the bound fields of deal rows. How each is read is settled once, not per deal.

    Most fields of most deals are in the one usual form of their type, and are read together with the others of that
    type. Where anything is not, all fields of the deal are read one by one, which also says what is wrong with them.
    """

    def __init__(self, bound: Mapping[str, BoundField], currency: str | None) -> None:
        self._plans = [_Plan.of(name, field, currency) for name, field in bound.items()]
        in_order = sorted(self._plans, key=_way_of)
        self.names = [plan.name for plan in in_order]
        self._groups = [list(plans) for _, plans in groupby(in_order, key=_way_of)]

    def arranged(self, layout: Layout) -> Arranged:
        """Say how the fields of rows of one layout are picked and read at once."""
        places = [[layout.place(plan.code, is_custom=plan.is_custom) for plan in plans] for plans in self._groups]
        ways = (WAYS[plans[0].way](plans) for plans in self._groups)
        return list(zip(map(picking, places), ways, strict=True))

    def at_once(self, row: Values, arranged: Arranged) -> list[Value] | None:
        """Read the fields of a row in the usual forms, in the order of `names`; None where one is in another form."""
        found: list[Value] = []
        try:
            for pick, read in arranged:
                found += read(pick(row))
        except UNUSUAL:
            return None
        return found

    def one_by_one(self, row: Row, custom: Row, problems: list[Problem]) -> dict[str, Value]:
        """Read the fields of a row in whatever form; the ones that can't be read become problems and are left out."""
        values: dict[str, Value] = {}
        for plan in self._plans:
            raw = (custom if plan.is_custom else row).get(plan.code)
            try:
                values[plan.name] = None if raw is None or raw == "" else plan.read(raw)
            except ValueError as error:
                problems.append(Problem(plan.code, str(error)))
        return values


class _Plan(NamedTuple):
    """How one bound field is read: by `read`, or together with those of its way; `options` are its options by ids."""

    name: str
    code: str
    is_custom: bool
    way: str
    options: Mapping[Any, Value]
    read: Decode

    @classmethod
    def of(cls, name: str, bound: BoundField, currency: str | None) -> _Plan:
        """Settle how a field is read."""
        field, kind = bound.definition, bound.binding.type
        read = decoder(field, kind, currency)
        options: dict[int | None, Value] = {None: None}
        for option in (int(option) for option, _ in field.options if option.isdecimal()):
            with contextlib.suppress(ValueError):
                options[option] = read(option)
        return cls(name, field.code, field.custom, _way(bound, is_option=len(options) > 1), options, read)


def _way_of(plan: _Plan) -> str:
    return plan.way


def _way(bound: BoundField, *, is_option: bool) -> str:
    """Say in which way a field is read, by our type and by Pipedrive's."""
    kind, native = bound.binding.type, bound.definition.native_type
    if kind is FieldType.CHOICES:
        return "options" if native == "set" and is_option else "single"
    if is_option:
        return "option"
    return USUAL.get((kind, native), "single") if not bound.definition.options else "single"


# ── Ways ────────────────────────────────────────────────────────────────────────────────────────────────


def _must_be(types: frozenset[type], raws: Raws) -> None:
    if not types.issuperset(map(type, raws)):
        raise ValueError("in another form than usual")


def _texts(raws: Raws) -> Iterable[Value]:
    _must_be(TEXTS, raws)
    return [raw or None for raw in raws]


def _numbers(raws: Raws) -> Iterable[Value]:
    return [None if raw is None else decimal(raw) for raw in raws]


def _amounts(raws: Raws) -> Iterable[Value]:
    return map(_amount, raws)


def _amount(raw: Any) -> Money | None:
    if raw is None:
        return None
    currency = raw["currency"]
    if currency.__class__ is not str or not currency:
        raise ValueError("no currency of its own")
    return Money(decimal(raw["value"]), currency)


def _dates(raws: Raws) -> Iterable[Value]:
    _must_be(TEXTS, raws)
    days = [date.fromisoformat(raw) if raw else None for raw in raws]
    written = "".join(filter(None, raws))
    if len(written) != A_DAY * (len(days) - days.count(None)) or "W" in written:
        raise ValueError("not all are years, months and days")  # Python reads shorter forms and weeks as well
    return days


def _of_options(plans: Sequence[_Plan]) -> AtOnce:
    known = [plan.options for plan in plans]

    def read(raws: Raws) -> Iterable[Value]:
        _must_be(OPTIONS, raws)
        return map(getitem, known, raws)

    return read


def _of_option_lists(plans: Sequence[_Plan]) -> AtOnce:
    known = [{option: label[0] for option, label in plan.options.items() if isinstance(label, tuple)} for plan in plans]
    return lambda raws: map(_labels, known, raws)


def _labels(known: Mapping[int, str], raw: Any) -> tuple[str, ...] | None:
    if raw is None:
        return None
    if raw.__class__ is not list:
        raise ValueError("not a list")
    _must_be(IDS, raw)
    return tuple(sorted({known[one] for one in raw}))


def _singles(plans: Sequence[_Plan]) -> AtOnce:
    reads = [plan.read for plan in plans]

    def read(raws: Raws) -> Iterable[Value]:
        return [None if raw is None or raw == "" else one(raw) for one, raw in zip(reads, raws, strict=True)]

    return read


NOTHING = type(None)
TEXTS: frozenset[type] = frozenset({str, NOTHING})
OPTIONS: frozenset[type] = frozenset({int, NOTHING})  # a bool is of another type, though it equals a number
IDS: frozenset[type] = frozenset({int})
WAYS: Mapping[str, Callable[[Sequence[_Plan]], AtOnce]] = {
    "text": lambda _plans: _texts,
    "number": lambda _plans: _numbers,
    "money": lambda _plans: _amounts,
    "date": lambda _plans: _dates,
    "option": _of_options,
    "options": _of_option_lists,
    "single": _singles,
}
