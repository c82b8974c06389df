"""An expression that makes sense: what is asked of a deal, each part with its type and its place in the text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from msgspec import Struct

from crmbridge.engine.expr.faults import Span
from crmbridge.engine.expr.patterns import Pattern
from crmbridge.model.values import FieldType


class Type(Struct, frozen=True):
    """What kind of value a part of an expression has; `item` is what a list consists of."""

    name: str
    item: str = ""

    def __str__(self) -> str:
        """Name it in a sentence."""
        return f"list of {self.item}" if self.item else self.name


BOOL, NUMBER, MONEY, TEXT = Type("bool"), Type("number"), Type("money"), Type("text")
DATE, DATETIME, DURATION = Type("date"), Type("datetime"), Type("duration")
NULL, TEXTS = Type("null"), Type("list", "text")

TYPES: Mapping[FieldType, Type] = MappingProxyType(
    {
        FieldType.TEXT: TEXT,
        FieldType.NUMBER: NUMBER,
        FieldType.MONEY: MONEY,
        FieldType.BOOL: BOOL,
        FieldType.DATE: DATE,
        FieldType.DATETIME: DATETIME,
        FieldType.CHOICE: TEXT,
        FieldType.CHOICES: TEXTS,
        FieldType.USER: TEXT,
    }
)
Constant = str | bool | Decimal | date | datetime | timedelta


class Const(Struct, frozen=True):
    """A value that is the same for every deal."""

    span: Span
    type: Type
    value: Constant


class Field(Struct, frozen=True):
    """The value of a deal's field; unknown where it is empty or of another kind than declared."""

    span: Span
    type: Type
    name: str


class Variable(Struct, frozen=True):
    """An item of the list that a loop goes through."""

    span: Span
    type: Type
    name: str


class Now(Struct, frozen=True):
    """The moment of judging, or with the type `date` its day."""

    span: Span
    type: Type


class Filled(Struct, frozen=True):
    """Whether a field is filled in; always known."""

    span: Span
    name: str
    type: Type = BOOL


class Not(Struct, frozen=True):
    """The opposite."""

    span: Span
    of: Term
    type: Type = BOOL


class Joined(Struct, frozen=True):
    """Operands of which all must hold, or any."""

    span: Span
    op: Literal["&&", "||"]
    operands: tuple[Term, ...]
    type: Type = BOOL


class Choose(Struct, frozen=True):
    """One of two values."""

    span: Span
    type: Type
    condition: Term
    yes: Term
    no: Term


# The same comparison with its sides in each other's place; it is the same sign for == and !=.
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


class Compare(Struct, frozen=True):
    """Two values compared; money and a number by the amount."""

    span: Span
    op: Literal["==", "!=", "<", "<=", ">", ">="]
    left: Term
    right: Term
    type: Type = BOOL


class Among(Struct, frozen=True):
    """Whether a value is one of a list's."""

    span: Span
    item: Term
    items: Term
    type: Type = BOOL


class Calculate(Struct, frozen=True):
    """Two values calculated with."""

    span: Span
    type: Type
    op: Literal["+", "-", "*", "/", "%"]
    left: Term
    right: Term


class Negative(Struct, frozen=True):
    """A number, amount or duration with the other sign."""

    span: Span
    type: Type
    of: Term


class Search(Struct, frozen=True):
    """Whether a text contains, begins with or ends with another."""

    span: Span
    how: Literal["contains", "startsWith", "endsWith"]
    text: Term
    part: Term
    type: Type = BOOL


class Matches(Struct, frozen=True):
    """Whether a regular expression is found in a text."""

    span: Span
    text: Term
    pattern: Pattern
    type: Type = BOOL


class Size(Struct, frozen=True):
    """How many characters or items there are."""

    span: Span
    of: Term
    type: Type = NUMBER


class Day(Struct, frozen=True):
    """The day of a moment, in the calendar's time zone."""

    span: Span
    of: Term
    type: Type = DATE


class Items(Struct, frozen=True):
    """A list that is written down."""

    span: Span
    type: Type
    items: tuple[Term, ...]


class Loop(Struct, frozen=True):
    """What is asked of, kept of, or made of each item of a list."""

    span: Span
    type: Type
    how: Literal["exists", "all", "filter", "map"]
    items: Term
    variable: str
    body: Term


Term = (
    Const
    | Field
    | Variable
    | Now
    | Filled
    | Not
    | Joined
    | Choose
    | Compare
    | Among
    | Calculate
    | Negative
    | Search
    | Matches
    | Size
    | Day
    | Items
    | Loop
)


def parts(term: Term) -> Iterator[Term]:
    """Give a term and all within it, in the order in which they are written."""
    yield term
    for part in within(term):
        yield from parts(part)


def within(term: Term) -> Iterator[Term]:
    """Give the terms that a term is directly made of."""
    for name in term.__struct_fields__:
        value = getattr(term, name)
        yield from (part for part in (value if isinstance(value, tuple) else (value,)) if isinstance(part, Term))


def field_names(term: Term) -> tuple[str, ...]:
    """Name the fields that a term looks at, each once."""
    return tuple(dict.fromkeys(part.name for part in parts(term) if isinstance(part, Field | Filled)))


def looks_at_time(term: Term) -> bool:
    """Tell whether a term can have another value later, with nothing changed."""
    return any(isinstance(part, Now) for part in parts(term))
