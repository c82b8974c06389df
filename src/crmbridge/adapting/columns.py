"""Fields as a CRM's rows have them: tables of columns that read a row and write a change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType, UnionType
from typing import Any, NamedTuple, TypeVar

from crmbridge.errors import RefusedError
from crmbridge.model.records import STANDARD_FIELDS, Kind, Problem
from crmbridge.model.values import FieldType, Money, Value
from crmbridge.ports import FieldBinding

_NEW: Mapping[str, Any] = MappingProxyType({})  # a row that is not there yet
MOST_DIGITS = 19  # of an id that is a number; it may be stored in 64 bits


class Form(NamedTuple):
    """How a CRM holds values of one kind.

    `read` raises ValueError for what is no such value, `write` RefusedError for what the CRM has no room for.
    """

    read: Callable[[Any], Value]
    write: Callable[[Value], Any]


T = TypeVar("T")
Row = Mapping[str, Any]  # one record as the CRM gives it, under its own names
FormOf = Form | Callable[[Row], Form]  # a form, or what gives it for a row, such as the one of amounts in its currency


class Column(NamedTuple):
    """A field of records, and where a CRM's rows have it."""

    name: str  # crmbridge's name, or the process's
    native: str  # the CRM's
    form: FormOf

    def form_in(self, row: Row) -> Form:
        """Give the form that its values have in a row."""
        return self.form if isinstance(self.form, Form) else self.form(row)


def _same(value: Any) -> Any:
    return value


def form(type_: type | UnionType, read: Callable[[Any], Value] = _same, write: Callable[[Value], Any] = _same) -> Form:
    """Make the form of values that come as a Python type; what comes as None is empty.

    A yes-or-no is no number, though Python takes it for one: it is read only where `type_` is bool or int with `read`
    bool.
    """

    def checked(value: Any) -> Value:
        if value is None:
            return None
        if not isinstance(value, type_) or (isinstance(value, bool) and type_ is not bool and read is not bool):
            raise ValueError(f"{value!r:.80} is not of the kind that its field should have")
        return read(value)

    return Form(checked, write)


def number_id(value: Value) -> int | None:
    """Write the id of a record of a CRM that numbers them; raises RefusedError for what can't be one there."""
    if value is None:
        return None
    if isinstance(value, str) and value.isdecimal() and len(value) < MOST_DIGITS:
        return int(value)
    raise RefusedError(f"{value!r:.80} is no id of this CRM's")


def numbered(ids: Iterable[str]) -> list[int]:
    """Write ids of a CRM that numbers its records, without those that can't be one there."""
    return [int(id_) for id_ in ids if id_.isdecimal() and len(id_) < MOST_DIGITS]


def single(one: Form) -> Form:
    """Make the form of a list of which the CRM holds one item at most; more are refused."""

    def read(value: Any) -> Value:
        found = one.read(value)
        return () if found is None else (str(found),)

    def write(value: Value) -> Any:
        if not isinstance(value, tuple) or len(value) > 1:
            raise RefusedError("the CRM holds one of these at most")
        return one.write(value[0] if value else None)

    return Form(read, write)


def never_empty(filled: Form) -> Form:
    """Make the form of values that the CRM can't hold empty; clearing one is refused."""

    def write(value: Value) -> Any:
        if value is None:
            raise RefusedError("the CRM can't hold this empty")
        return filled.write(value)

    return Form(filled.read, write)


def money_form(currency: str, *, others: bool = False) -> Form:
    """Make the form of amounts that come as decimals in a currency; one in another is refused, unless `others`."""

    def write(value: Value) -> Decimal | None:
        if value is None:
            return None
        if not isinstance(value, Money):
            raise RefusedError(f"{value!r:.80} is no amount")
        if value.currency != currency and not others:
            raise RefusedError(f"the deal is kept in {currency}, not in {value.currency}")
        return value.amount

    return form(Decimal, lambda amount: Money(amount, currency), write)


def money_in(native: str, *, others: bool = False) -> Callable[[Row], Form]:
    """Make the forms of amounts in the currency that stands in another field of their row; see `money_form`."""
    return lambda row: money_form(str(row.get(native) or ""), others=others)


# The forms of values that come as what they are; a CRM that has another for one of them, or ids of users, adds its own.
FORMS: Mapping[FieldType, FormOf] = {
    FieldType.TEXT: form(str),
    FieldType.CHOICE: form(str),
    FieldType.NUMBER: form(int | Decimal, Decimal),
    FieldType.BOOL: form(bool),
    FieldType.DATE: form(date),
    FieldType.DATETIME: form(datetime),
    FieldType.CHOICES: form(list, lambda items: tuple(sorted(map(str, items)))),
    FieldType.USER: form(str),
}


ID = form(int, str, number_id)  # of a record that the CRM numbers


def standard_columns(kind: Kind, forms: Mapping[FieldType, FormOf], **natives: str) -> tuple[Column, ...]:
    """Give the columns of standard fields, by the names that the CRM has for them; each has the form of its type."""
    types = STANDARD_FIELDS[kind]
    return tuple(Column(name, native, forms[types[name]]) for name, native in natives.items())


def bound_columns(bindings: Iterable[FieldBinding], forms: Mapping[FieldType, FormOf]) -> tuple[Column, ...]:
    """Give the columns of the fields that a connection binds."""
    return tuple(Column(binding.name, binding.native, forms[binding.type]) for binding in bindings)


def read_columns(columns: Iterable[Column], row: Row) -> tuple[dict[str, Value], tuple[Problem, ...]]:
    """Read the fields of a row. A value that can't be read becomes a problem; what the row lacks is empty."""
    fields, problems = dict[str, Value](), list[Problem]()
    for column in columns:
        try:
            fields[column.name] = column.form_in(row).read(row.get(column.native))
        except (ValueError, ArithmeticError) as error:
            problems.append(Problem(column.native, str(error), column.name))
    return fields, tuple(problems)


def write_columns(columns: Iterable[Column], after: Mapping[str, Value], row: Row = _NEW) -> dict[str, Any]:
    """Write values under the CRM's names; raises RefusedError for a field that no column has.

    `row` is what is there now, as far as a column's form depends on it.
    """
    named = {column.name: column for column in columns}
    if unknown := sorted(after.keys() - named.keys()):
        raise RefusedError(f"the CRM has no field for {', '.join(unknown)}")
    return {named[name].native: named[name].form_in(row).write(value) for name, value in after.items()}


def other_currency(amount: Value, currency: str | None, known: Callable[[], Mapping[str, T]]) -> T | None:
    """Give the CRM's own name of the currency that a row must get with an amount; None where it has that already.

    `known` reads the CRM's names by code, only where one is needed. Raises RefusedError for one that is not among them.
    """
    if not isinstance(amount, Money) or amount.currency == currency:
        return None
    names = known()
    if amount.currency not in names:
        raise RefusedError(f"the CRM has no currency {amount.currency}")
    return names[amount.currency]
