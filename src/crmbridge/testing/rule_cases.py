"""Random expressions, checks and deals, drawn from a seed: what compiled rules and the oracle are both asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from types import MappingProxyType
from typing import Any

from crmbridge.model.values import FieldType, Money, Value

NOW = datetime(2026, 3, 28, 23, 30, tzinfo=UTC)  # the night in which Berlin loses an hour; there it is the 29th
FIELDS: Mapping[str, FieldType] = MappingProxyType(
    {
        "name": FieldType.TEXT,
        "level": FieldType.CHOICE,
        "owner": FieldType.USER,
        "tags": FieldType.CHOICES,
        "contacts": FieldType.CHOICES,
        "amount": FieldType.MONEY,
        "budget": FieldType.MONEY,
        "discount": FieldType.NUMBER,
        "bant.score": FieldType.NUMBER,
        "signed": FieldType.BOOL,
        "bant.need": FieldType.BOOL,
        "close_date": FieldType.DATE,
        "start": FieldType.DATE,
        "touched": FieldType.DATETIME,
        "due": FieldType.DATETIME,
    }
)
_WORDS = ("a", "ab", "b", "VIP", "x-1")
_NUMBERS = ("0", "1", "2", "2.5", "100", "1000.01", "-3")
_DURATIONS = ("0d", "1d", "36h", "-2d", "90m", "1d12h", "30d", "36500d")
_PATTERNS = ("a", "^a", "b$", "^(a|b)+$", "[a-c]{2}", "x-[0-9]+", "(a+)+$", ".*b")


def draw_deal(draw: Random) -> dict[str, Value]:
    """Draw a deal's fields: some missing, some empty, some of another kind than they are declared."""
    fields: dict[str, Value] = {}
    for name, kind in FIELDS.items():
        fate = draw.random()
        if fate < 0.15:
            continue
        if fate < 0.3:
            fields[name] = draw.choice((None, "", " ", ()))
        else:
            fields[name] = _VALUES[_other(kind, draw) if fate < 0.4 else kind](draw)
    return fields


def _other(kind: FieldType, draw: Random) -> FieldType:
    """Draw another kind; days and moments are most often taken for each other."""
    near = {FieldType.DATE: FieldType.DATETIME, FieldType.DATETIME: FieldType.DATE}.get(kind)
    return near if near and draw.random() < 0.7 else draw.choice(list(FieldType))


def _number(draw: Random) -> Value:
    odd: tuple[Value, ...] = (Decimal("NaN"), Decimal("Infinity"), Decimal("1E+999999"), 10**80)
    usual: tuple[Value, ...] = (0, 1, 2, Decimal("2.5"), Decimal(100), Decimal("1000.01"), -3)
    return draw.choice(odd if draw.random() < 0.08 else usual)


def _money(draw: Random) -> Value:
    number = _number(draw)
    return Money(Decimal(str(number)), draw.choice(("EUR", "EUR", "USD"))) if draw.random() < 0.9 else number


def _text(draw: Random) -> Value:
    return draw.choice(_WORDS) if draw.random() < 0.97 else "ab" * 60_000


def _texts(draw: Random) -> Value:
    many = 700 if draw.random() < 0.03 else draw.randrange(4)
    return tuple(draw.choice(_WORDS) for _ in range(many))


def _date(draw: Random) -> Value:
    return draw.choice((date.min, date.max)) if draw.random() < 0.05 else date(2026, 3, 29) + _days(draw)


def _datetime(draw: Random) -> Value:
    moment = NOW + _days(draw) + timedelta(hours=draw.randrange(24))
    return moment if draw.random() < 0.95 else moment.replace(tzinfo=None)


def _days(draw: Random) -> timedelta:
    return timedelta(days=draw.randrange(-3, 4))


_VALUES: Mapping[FieldType, Callable[[Random], Value]] = {
    **dict.fromkeys((FieldType.TEXT, FieldType.CHOICE, FieldType.USER), _text),
    FieldType.NUMBER: _number,
    FieldType.MONEY: _money,
    FieldType.BOOL: lambda draw: draw.random() < 0.5,
    FieldType.DATE: _date,
    FieldType.DATETIME: _datetime,
    FieldType.CHOICES: _texts,
}


def draw_expression(draw: Random, depth: int = 4) -> str:
    """Draw an expression that answers yes or no."""
    return Drawing(draw).yes_no(depth)


class Drawing:
    """Draws the text of an expression, type by type."""

    def __init__(self, draw: Random, item: str | None = None) -> None:
        self._draw = draw
        self._item = item  # the variable, a text, of the loop that is written

    def yes_no(self, depth: int) -> str:
        """Draw what is true or false."""
        if depth <= 0:
            return self._of("signed", "bant.need", f"has({self._any()})", f"{self._any()} == null", "true")
        below = depth - 1
        forms = [
            lambda: f"({self.yes_no(below)} && {self.yes_no(below)})",
            lambda: f"({self.yes_no(below)} || {self.yes_no(below)} || {self.yes_no(below)})",
            lambda: f"!({self.yes_no(below)})",
            lambda: f"({self.yes_no(below)} ? {self.yes_no(below)} : {self.yes_no(below)})",
            lambda: self._compared(below),
            lambda: self._compared(below),
            lambda: self._compared(below),
            lambda: self._asked_of_texts(below),
            lambda: self._asked_of_texts(below),
            lambda: self._looped(below),
        ]
        return self._draw.choice(forms)()

    def _of(self, *forms: str) -> str:
        return self._draw.choice(forms)

    def _any(self) -> str:
        return self._draw.choice(list(FIELDS))

    def _compared(self, depth: int) -> str:
        kind = self._of("number", "money", "mixed", "text", "date", "datetime", "duration", "bool")
        operators = ("==", "!=") if kind == "bool" else ("==", "!=", "<", "<=", ">", ">=")
        left, right = {"mixed": ("money", "number")}.get(kind, (kind, kind))
        sides = [getattr(self, f"_{side}")(depth - 1) for side in self._draw.sample((left, right), 2)]
        return f"{sides[0]} {self._draw.choice(operators)} {sides[1]}"

    def _bool(self, depth: int) -> str:
        return f"({self.yes_no(depth)})"

    def _number(self, depth: int) -> str:
        if depth <= 0:
            return self._of("discount", "bant.score", self._of(*_NUMBERS))
        below = depth - 1
        operator = self._of("+", "-", "*", "/", "%")
        return self._of(
            f"({self._number(below)} {operator} {self._number(below)})",
            f"({self._money(below)} / {self._money(below)})",
            f"size({self._of(self._text(below), self._texts(below))})",
            f"(-{self._number(below)})",
            f"({self.yes_no(below)} ? {self._number(below)} : {self._number(below)})",
        )

    def _money(self, depth: int) -> str:
        if depth <= 0:
            return self._of("amount", "budget")
        below = depth - 1
        return self._of(
            f"({self._money(below)} {self._of('+', '-')} {self._money(below)})",
            f"({self._money(below)} {self._of('+', '-', '*', '/')} {self._number(below)})",
            f"({self._number(below)} {self._of('+', '-', '*')} {self._money(below)})",
            f"(-{self._money(below)})",
        )

    def _text(self, depth: int) -> str:
        if depth <= 0:
            held = (self._item,) if self._item else ()
            return self._of("name", "level", "owner", f'"{self._of(*_WORDS)}"', *held)
        return f"({self._text(depth - 1)} + {self._text(depth - 1)})"

    def _texts(self, depth: int) -> str:
        if depth <= 0 or self._item:
            return self._of("tags", "contacts", '["a", "VIP"]', "[name, level]")
        inner = Drawing(self._draw, "item")
        return self._of(
            f"{self._texts(depth - 1)}.filter(item, {inner.yes_no(depth - 1)})",
            f"{self._texts(depth - 1)}.map(item, {inner._text(depth - 1)})",
        )

    def _date(self, depth: int) -> str:
        if depth <= 0:
            return self._of("close_date", "start", "today", 'date("2026-03-29")')
        return self._of(
            f"({self._date(0)} {self._of('+', '-')} {self._duration(depth - 1, whole=True)})", "date(touched)"
        )

    def _datetime(self, depth: int) -> str:
        if depth <= 0:
            return self._of("touched", "due", "now", 'timestamp("2026-03-29T01:00:00+02:00")')
        return f"({self._datetime(depth - 1)} {self._of('+', '-')} {self._duration(depth - 1)})"

    def _duration(self, depth: int, *, whole: bool = False) -> str:
        if whole:
            return self._of('duration("1d")', 'duration("-2d")', "(close_date - today)", "(now - touched)")
        if depth <= 0:
            return f'duration("{self._of(*_DURATIONS)}")'
        return self._of(
            f"({self._date(depth - 1)} - {self._date(depth - 1)})",
            f"({self._datetime(depth - 1)} - {self._datetime(depth - 1)})",
            f"({self._duration(depth - 1)} {self._of('+', '-')} {self._duration(depth - 1)})",
        )

    def _asked_of_texts(self, depth: int) -> str:
        below = depth - 1
        return self._of(
            f"{self._text(below)}.{self._of('contains', 'startsWith', 'endsWith')}({self._text(below)})",
            f'{self._text(below)}.matches("{self._of(*_PATTERNS)}")',
            f"{self._text(below)} in {self._texts(below)}",
            f'{self._text(below)} in ["a", "b", {self._text(below)}]',
            f"{self._number(below)} in [1, 2, {self._number(below)}]",
            f"{self._money(below)} in [1, 100, 2.5]",
        )

    def _looped(self, depth: int) -> str:
        if self._item:
            return self.yes_no(0)
        inner = Drawing(self._draw, "item")
        return f"{self._texts(depth - 1)}.{self._of('exists', 'all')}(item, {inner.yes_no(depth - 1)})"


def draw_check(draw: Random) -> dict[str, Any]:
    """Draw a check that is no expression."""
    names = draw.sample(list(FIELDS), draw.randrange(1, 5))
    field = draw.choice(list(FIELDS))
    day = draw.choice(("close_date", "start", "touched", "due", field))
    low, high = sorted(draw.sample(range(-3, 120), 2))
    return draw.choice(
        (
            {"required": names},
            {"at_least": draw.randrange(1, len(names) + 1), "of": names},
            {"activities": {"at_least": draw.randrange(1, 4), "state": draw.choice(("any", "done", "open"))}},
            {"bounds": {"field": field, "min": low, **({"max": high} if draw.random() < 0.5 else {})}},
            {"dates": {"field": day, "from_days": -2, **({"to_days": 1} if draw.random() < 0.5 else {})}},
            {"one_of": {"field": field, "values": ["a", "VIP", "yes", "100", "2.5"]}},
            {"approval": {"field": field, "over": draw.randrange(3), "by": draw.choice(names)}},
        )
    )
