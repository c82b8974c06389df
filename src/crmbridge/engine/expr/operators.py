"""Which types the operators take, what comes out, and what people probably meant who give them others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

from crmbridge.engine.expr.scope import Scope, article
from crmbridge.engine.expr.syntax import Operation
from crmbridge.engine.expr.terms import (
    BOOL,
    DATE,
    DATETIME,
    DURATION,
    MONEY,
    NUMBER,
    TEXT,
    Calculate,
    Compare,
    Const,
    Field,
    Now,
    Term,
    Type,
)
from crmbridge.model.values import parse_iso

_ORDERED = (NUMBER, MONEY, TEXT, DATE, DATETIME, DURATION)
_AMOUNTS = (NUMBER, MONEY)
# What comes out of left, operator and right; anything else can't be calculated.
_RESULTS: Mapping[tuple[Type, str, Type], Type] = {
    **{(NUMBER, op, NUMBER): NUMBER for op in "+-*/%"},
    **{(MONEY, op, NUMBER): MONEY for op in "+-*/"},
    **{(NUMBER, op, MONEY): MONEY for op in "+-*"},
    **{(MONEY, op, MONEY): MONEY for op in "+-"},
    (MONEY, "/", MONEY): NUMBER,
    (TEXT, "+", TEXT): TEXT,
    (DATE, "-", DATE): DURATION,
    (DATETIME, "-", DATETIME): DURATION,
    **{(kind, op, DURATION): kind for kind in (DATE, DATETIME, DURATION) for op in "+-"},
    (DURATION, "+", DATE): DATE,
    (DURATION, "+", DATETIME): DATETIME,
}


def compare(written: Operation, left: Term, right: Term, scope: Scope) -> Term | None:
    """Compare two terms of one type; money and numbers go together."""
    if left.type != right.type and not (left.type in _AMOUNTS and right.type in _AMOUNTS):
        sentence = f"{written.op} compares values of one type; {scope.said(left)} and {scope.said(right)}"
        scope.wrong(_blamed(left, right).span, "expr-type", sentence, nearest=_meant(left, right, scope))
        return None
    if written.op in {"==", "!="}:
        if left.type.item:
            scope.mistyped(left, f"{written.op} compares no lists", None)
            return None
        for one, other in ((left, right), (right, left)):
            if isinstance(one, Field):
                scope.stray(one.name, other)
    elif left.type not in _ORDERED:
        scope.mistyped(left, f"{written.op} needs an order, as numbers, texts and dates have it")
        return None
    op: Any = written.op
    return Compare(written.span, op, left, right)


def calculate(written: Operation, left: Term, right: Term, scope: Scope) -> Term | None:
    """Calculate with two terms."""
    result = _RESULTS.get((left.type, written.op, right.type))
    if result is None:
        sentence = f"{written.op} can't be done with {article(left.type)} and {article(right.type)}"
        advice = f"Here {scope.said(left)} and {scope.said(right)}."
        scope.wrong(written.at, "expr-type", sentence, nearest=_days(left, right, scope), advice=advice)
        return None
    days = right if left.type == DATE else left
    if result == DATE and isinstance(days, Const) and isinstance(days.value, timedelta) and days.value % timedelta(1):
        sentence = f"a date moves by whole days, not by {scope.quote(days.span)}"
        scope.wrong(days.span, "expr-type", sentence, advice="Use now, or a datetime field.")
        return None
    op: Any = written.op
    return Calculate(written.span, result, op, left, right)


def _days(left: Term, right: Term, scope: Scope) -> str | None:
    """Guess that a number beside a date or a moment was meant as days."""
    for number, moment in ((left, right), (right, left)):
        if isinstance(number, Const) and number.type == NUMBER and moment.type in {DATE, DATETIME}:
            return f'duration("{scope.quote(number.span)}d")'
    return _meant(left, right, scope)


def _blamed(left: Term, right: Term) -> Term:
    return left if isinstance(left, Const) and not isinstance(right, Const) else right


def _meant(left: Term, right: Term, scope: Scope) -> str | None:
    """Guess what would have been right: what is written down, in the type of the other side."""
    term, other = (left, right.type) if _blamed(left, right) is left else (right, left.type)
    written = scope.quote(term.span)
    if other in {DATE, DATETIME} and re.fullmatch(r"\d{4}-\d{2}-\d{2}", written):
        return f'date("{written}")'  # without quotes it is a subtraction
    if isinstance(term, Now):
        return {DATE: "today", DATETIME: "now"}.get(other)
    if isinstance(term, Const) and term.type == TEXT:
        return _unquoted(str(term.value), other)
    if isinstance(term, Const) and term.type == NUMBER:
        return {TEXT: f'"{written}"', DURATION: f'duration("{written}d")'}.get(other)
    if other == DATE and term.type == DATETIME:
        return f"date({written})"
    return None


def _unquoted(text: str, wanted: Type) -> str | None:
    if wanted in _AMOUNTS and text.replace(".", "", 1).isdecimal():
        return text
    if wanted == BOOL:
        return {"yes": "true", "true": "true", "no": "false", "false": "false"}.get(text.strip().casefold())
    try:
        if wanted == DATE:
            return f'date("{date.fromisoformat(text)}")'
        if wanted == DATETIME:
            parse_iso(text)
            return f'timestamp("{text}")'
    except ValueError:
        pass
    return None
