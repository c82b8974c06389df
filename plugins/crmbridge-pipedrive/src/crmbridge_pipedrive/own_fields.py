"""The fields that a process binds, out of deal rows: of many rows column by column, and one by one where it must be."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple

from crmbridge.adapting import WRITERS, Pieces, spread, without_value, write_amounts, write_any, write_texts
from crmbridge.model.records import Problem
from crmbridge.model.values import FieldType, Value
from crmbridge_pipedrive.account import BoundField
from crmbridge_pipedrive.api import Row
from crmbridge_pipedrive.layouts import Layout
from crmbridge_pipedrive.values import Decode, decoder

# The ways of fields without options; the other texts come as objects or as ids.
USUAL: Mapping[tuple[FieldType, str], str] = {
    **{(FieldType.TEXT, native): "text" for native in ("varchar", "varchar_auto", "text", "phone")},
    **{(FieldType.NUMBER, native): "number" for native in ("double", "int")},
    (FieldType.MONEY, "monetary"): "money",
    (FieldType.DATE, "date"): "date",
}
A_DAY = len("2026-06-10")

Raws = Sequence[Any]
# Writes a field of several rows, as `crmbridge.adapting` has it; raises an error where one is not in the usual form.
Write = Callable[[Raws], Pieces]


class OwnFields:
    """Reads the bound fields of deal rows. How each is read is settled once, not per deal.

    Most fields of most deals are in the one usual form of their type, and are read together with those of other deals.
    Where anything is not, all fields of the deal are read one by one, which also says what is wrong with them.
    """

    def __init__(self, bound: Mapping[str, BoundField], currency: str | None) -> None:
        self._plans = [_Plan.of(name, field, currency) for name, field in bound.items()]

    def columns(self, layout: Layout, columns: Sequence[Raws]) -> dict[str, Pieces]:
        """Read and write the fields of rows of one layout, whose values are given place by place."""
        return {plan.name: plan.write(columns[_place(layout, plan)]) for plan in self._plans}

    def values(self, name: str, layout: Layout, columns: Sequence[Raws]) -> list[Value] | None:
        """Give the values of one field; None for one that is not bound."""
        plan = next((plan for plan in self._plans if plan.name == name), None)
        return plan and [plan.value(raw) for raw in columns[_place(layout, plan)]]

    @property
    def are_custom(self) -> bool:
        """Tell whether any of them is a custom one."""
        return any(plan.is_custom for plan in self._plans)

    def one_by_one(self, row: Row, custom: Row | None, problems: list[Problem]) -> dict[str, Value]:
        """Read the fields of a row in whatever form; the ones that can't be read become problems and are left out.

        Without `custom`, which says nothing of them, custom ones are among these.
        """
        values: dict[str, Value] = {}
        for plan in self._plans:
            if custom is None and plan.is_custom:
                problems.append(Problem(plan.code, "the deal came without its custom fields", plan.name))
                continue
            raw = (row if custom is None or not plan.is_custom else custom).get(plan.code)
            try:
                values[plan.name] = plan.value(raw)
            except ValueError as error:
                problems.append(Problem(plan.code, str(error), plan.name))
        return values


class _Plan(NamedTuple):
    """How one bound field is read: its value by `read`, those of many rows by `write`, which also writes them."""

    name: str
    code: str
    is_custom: bool
    read: Decode
    write: Write

    @classmethod
    def of(cls, name: str, bound: BoundField, currency: str | None) -> _Plan:
        """Settle how a field is read."""
        field, kind = bound.definition, bound.binding.type
        read = decoder(field, kind, currency)
        options: dict[int | None, Value] = {None: None}
        for option in (int(option) for option, _ in field.options if option.isdecimal()):
            with contextlib.suppress(ValueError):
                options[option] = read(option)
        way = WAYS[_way(bound, is_option=len(options) > 1)]
        return cls(name, field.code, field.custom, read, way(name, options, read))

    def value(self, raw: Any) -> Value:
        """Read a value; raises ValueError."""
        return None if raw is None or raw == "" else self.read(raw)


def _place(layout: Layout, plan: _Plan) -> int:
    return layout.place(plan.code, is_custom=plan.is_custom)


def _way(bound: BoundField, *, is_option: bool) -> str:
    """Say in which way a field is read, by our type and by Pipedrive's."""
    kind, native = bound.binding.type, bound.definition.native_type
    if kind is FieldType.CHOICES:
        return "options" if native == "set" and is_option else "single"
    if is_option:
        return "option"
    return USUAL.get((kind, native), "single") if not bound.definition.options else "single"


# ── Ways ────────────────────────────────────────────────────────────────────────────────────────────────

Options = Mapping[int | None, Value]


def must_be(types: frozenset[type], raws: Raws) -> None:
    """Raise ValueError unless values are of these very types; a yes-or-no is no number."""
    if not types.issuperset(map(type, raws)):
        raise ValueError("in another form than usual")


def days(texts: Sequence[str]) -> list[date]:
    """Read days, each written as year, month and day; raises ValueError."""
    found = [*map(date.fromisoformat, texts)]
    if {*map(len, texts)} - {A_DAY} or "W" in "".join(texts):
        raise ValueError("not all are years, months and days")  # Python reads shorter forms and weeks as well
    return found


def finite(numbers: Raws) -> Sequence[Decimal]:
    """Read numbers; raises ValueError."""
    found = numbers
    if not DECIMALS.issuperset(map(type, numbers)):
        must_be(NUMBERS, numbers)
        found = [*map(Decimal, numbers)]
    if not all(map(Decimal.is_finite, found)):
        raise ValueError("not a number")
    return found


def _texts(name: str, _options: Options, _read: Decode) -> Write:
    nothing = without_value(name)

    def write(raws: Raws) -> Pieces:
        must_be(TEXTS, raws)
        return spread(write_texts(name, [raw for raw in raws if raw]), raws, nothing)

    return write


def _typed(kind: FieldType, read: Callable[[Raws], Sequence[Value]]) -> Callable[[str, Options, Decode], Write]:
    return lambda name, _options, _read: _filled(name, lambda raws: WRITERS[kind](name, read(raws)))


def _filled(name: str, write: Write) -> Write:
    """Make what writes the values that are there by `write`."""
    nothing = without_value(name)
    return lambda raws: spread(
        write([raw for raw in raws if raw is not None]), [raw is not None for raw in raws], nothing
    )


def _days(raws: Raws) -> list[date]:
    must_be(ONE_TEXT, raws)
    return days(raws)


def _amounts(name: str, _options: Options, _read: Decode) -> Write:
    return _filled(name, lambda raws: write_money(name, raws) if raws else ())


def write_money(name: str, raws: Raws) -> Pieces:
    """Write amounts that come with their currencies."""
    amounts, currencies = zip(*map(_AMOUNT, raws), strict=True)
    must_be(ONE_TEXT, currencies)
    if not all(currencies):
        raise ValueError("no currency of its own")
    return write_amounts(name, finite(amounts), currencies)


def _of_options(name: str, options: Options, _read: Decode) -> Write:
    written: dict[int | None, str] = {}
    for option, value in options.items():
        with contextlib.suppress(UnicodeEncodeError):  # deals that have it are read one by one
            written[option] = write_any(name, [value])[0]

    def write(raws: Raws) -> Pieces:
        must_be(OPTIONS, raws)
        return [*map(written.__getitem__, raws)]

    return write


def _of_option_lists(name: str, options: Options, _read: Decode) -> Write:
    known = {option: label[0] for option, label in options.items() if isinstance(label, tuple)}
    return _filled(name, lambda raws: WRITERS[FieldType.CHOICES](name, _labels(known, raws)))


def _labels(known: Mapping[int | None, str], raws: Raws) -> list[tuple[str, ...]]:
    must_be(LISTS, raws)
    must_be(IDS, [*chain.from_iterable(raws)])
    return [tuple(sorted({known[one] for one in raw})) for raw in raws]


def _singles(name: str, _options: Options, read: Decode) -> Write:
    return lambda raws: write_any(name, [None if raw is None or raw == "" else read(raw) for raw in raws])


NOTHING = type(None)
TEXTS: frozenset[type] = frozenset({str, NOTHING})
ONE_TEXT: frozenset[type] = frozenset({str})
DECIMALS: frozenset[type] = frozenset({Decimal})
NUMBERS: frozenset[type] = frozenset({int, Decimal})
OPTIONS: frozenset[type] = frozenset({int, NOTHING})
IDS: frozenset[type] = frozenset({int})
LISTS: frozenset[type] = frozenset({list})
_AMOUNT = itemgetter("value", "currency")
WAYS: Mapping[str, Callable[[str, Options, Decode], Write]] = {
    "text": _texts,
    "number": _typed(FieldType.NUMBER, finite),
    "money": _amounts,
    "date": _typed(FieldType.DATE, _days),
    "option": _of_options,
    "options": _of_option_lists,
    "single": _singles,
}
