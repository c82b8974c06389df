"""The functions of the language: what each takes and gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from crmbridge.engine.expr.faults import ExprError, Span
from crmbridge.engine.expr.pattern_reading import read_pattern
from crmbridge.engine.expr.scope import Scope
from crmbridge.engine.expr.syntax import Call, Literal, Name, Syntax
from crmbridge.engine.expr.terms import (
    BOOL,
    DATE,
    DATETIME,
    DURATION,
    TEXT,
    Const,
    Day,
    Filled,
    Loop,
    Matches,
    Search,
    Size,
    Term,
    Type,
)
from crmbridge.engine.nearest import nearest
from crmbridge.model.replacing import replace
from crmbridge.model.values import parse_iso

Check = Callable[[Syntax, Scope], Term | None]

FUNCTIONS: Mapping[str, str] = MappingProxyType(
    {
        "has": "has(field)",
        "size": "size(text or list)",
        "contains": 'text.contains("…")',
        "startsWith": 'text.startsWith("…")',
        "endsWith": 'text.endsWith("…")',
        "matches": 'text.matches("…")',
        "exists": "list.exists(item, …)",
        "all": "list.all(item, …)",
        "filter": "list.filter(item, …)",
        "map": "list.map(item, …)",
        "duration": 'duration("36h")',
        "date": 'date("2026-01-31")',
        "timestamp": 'timestamp("2026-01-31T09:00:00Z")',
    }
)
# How others call them.
_ELSEWHERE = {
    **dict.fromkeys(("len", "length", "count"), "size"),
    **dict.fromkeys(("includes", "include"), "contains"),
    **dict.fromkeys(("any", "some"), "exists"),
    **dict.fromkeys(("every",), "all"),
    **dict.fromkeys(("days", "hours"), "duration"),
    **dict.fromkeys(("datetime", "time"), "timestamp"),
    **dict.fromkeys(("empty", "isEmpty", "exist", "defined"), "has"),
}
_DURATION = re.compile(r"(-?)((?:[0-9]{1,9}(?:\.[0-9]{1,6})?(?:d|h|m|s))+)")
_SPAN_OF_TIME = re.compile(r"([0-9.]+)([dhms])")
_SECONDS = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_LONGEST = timedelta(days=36500)


def check_call(written: Call, scope: Scope, check: Check) -> Term | None:
    """Check a call; `check` is what its arguments are checked by."""
    function = _CALLS.get(written.name)
    if function is None:
        sentence = f"there is no function {written.name[:64]!r}"
        guess = _ELSEWHERE.get(written.name) or nearest(written.name, FUNCTIONS)
        advice = f"There are: {', '.join(FUNCTIONS)}."
        scope.wrong(written.at, "unknown-function", sentence, nearest=guess, advice=advice)
        return None
    return function(written, scope, check)


def _misused(written: Call, scope: Scope) -> Term | None:
    sentence = f"{written.name} is written {FUNCTIONS[written.name]}"
    scope.wrong(written.at, "expr-type", sentence)
    return None


def _has(written: Call, scope: Scope, _check: Check) -> Term | None:
    if written.target is not None or len(written.args) != 1:
        return _misused(written, scope)
    (arg,) = written.args
    if not isinstance(arg, Name) or arg.name in scope.variables:
        scope.wrong(arg.span, "expr-type", f"has asks for a field, and {scope.quote(arg.span)} is none")
    elif arg.name not in scope.fields:
        guess = nearest(arg.name, scope.fields)
        scope.wrong(arg.span, "unknown-field", f"there is no field {arg.name[:64]!r}", nearest=guess)
    else:
        return Filled(written.span, arg.name)
    return None


def _size(written: Call, scope: Scope, check: Check) -> Term | None:
    given = written.args if written.target is None else (written.target, *written.args)
    if len(given) != 1:
        return _misused(written, scope)
    of = check(given[0], scope)
    if of is None:
        return None
    if of.type != TEXT and not of.type.item:
        scope.mistyped(of, "size counts the characters of a text or the items of a list")
        return None
    return Size(written.span, of)


def _text_and(written: Call, scope: Scope, check: Check) -> tuple[Term, Term] | None:
    if written.target is None or len(written.args) != 1:
        _misused(written, scope)
        return None
    text, part = check(written.target, scope), check(written.args[0], scope)
    if text is None or part is None:
        return None
    for term in (text, part):
        if term.type != TEXT:
            guess = f"{scope.quote(part.span)} in {scope.quote(text.span)}" if term.type.item == "text" else None
            scope.mistyped(term, f"{written.name} looks into a text for a text", guess)
            return None
    return text, part


def _search(written: Call, scope: Scope, check: Check) -> Term | None:
    found = _text_and(written, scope, check)
    how: Any = written.name
    return None if found is None else Search(written.span, how, *found)


def _matches(written: Call, scope: Scope, check: Check) -> Term | None:
    found = _text_and(written, scope, check)
    if found is None:
        return None
    text, part = found
    if not isinstance(part, Const):
        scope.wrong(part.span, "expr-pattern", "a regular expression must be written down in quotes")
        return None
    try:
        return Matches(written.span, text, read_pattern(str(part.value)))
    except ExprError as error:
        fault = error.fault
        scope.faults.append(fault._replace(span=_within(part.span, str(part.value), fault.span, scope)))
        return None


def _within(literal: Span, value: str, inner: Span, scope: Scope) -> Span:
    """Place a part of a quoted text in the expression; with escapes in it, the whole text is the place."""
    written = scope.text[literal.start : literal.end]
    start = literal.start + written.find(value) if value in written else None
    return literal if start is None else Span(start + inner.start, start + inner.end)


def _loop(written: Call, scope: Scope, check: Check) -> Term | None:
    if written.target is None or len(written.args) != 2:
        return _misused(written, scope)
    if scope.variables:
        scope.wrong(written.at, "expr-too-large", f"{written.name} can't stand within another loop")
        return None
    items, variable = check(written.target, scope), written.args[0]
    if items is None:
        return None
    if not items.type.item:
        scope.mistyped(items, f"{written.name} goes through a list")
        return None
    if not isinstance(variable, Name) or "." in variable.name or variable.name in {*scope.fields, "now", "today"}:
        sentence = f"{scope.quote(variable.span)} can't name an item here; choose a name that no field has"
        scope.wrong(variable.span, "expr-type", sentence, nearest="item")
        return None
    inner = replace(scope, variables={variable.name: Type(items.type.item)})
    body = check(written.args[1], inner)
    return None if body is None else _looped(written, scope, items, variable.name, body)


def _looped(written: Call, scope: Scope, items: Term, variable: str, body: Term) -> Term | None:
    how: Any = written.name
    if how == "map":
        if body.type.item:
            scope.mistyped(body, "a list holds no lists")
            return None
        return Loop(written.span, Type("list", body.type.name), how, items, variable, body)
    if body.type != BOOL:
        scope.mistyped(body, f"what {how} asks of each item is true or false")
        return None
    return Loop(written.span, items.type if how == "filter" else BOOL, how, items, variable, body)


def _written(written: Call, scope: Scope) -> str | None:
    """Give the text that a function takes, which must be written down."""
    arg = written.args[0] if len(written.args) == 1 else None
    if written.target is None and isinstance(arg, Literal) and isinstance(arg.value, str):
        return arg.value
    _misused(written, scope)
    return None


def _misread(written: Call, scope: Scope, text: str) -> Term | None:
    sentence = f"{text[:40]!r} can't be read; it is written {FUNCTIONS[written.name]}"
    scope.wrong(written.args[0].span, "expr-literal", sentence)
    return None


def _duration(written: Call, scope: Scope, _check: Check) -> Term | None:
    text = _written(written, scope)
    if text is None:
        return None
    found = _DURATION.fullmatch(text)
    if found is None:
        sentence = f"{text[:40]!r} is no duration; it is written with d, h, m and s, such as 36h or 1d12h"
        scope.wrong(written.args[0].span, "expr-literal", sentence)
        return None
    seconds = sum(Decimal(count) * _SECONDS[unit] for count, unit in _SPAN_OF_TIME.findall(found[2]))
    if seconds > _LONGEST // timedelta(seconds=1):
        scope.wrong(written.args[0].span, "expr-literal", "a duration has at most 36500 days")
        return None
    length = timedelta(microseconds=int(seconds * 1_000_000))
    return Const(written.span, DURATION, -length if found[1] else length)


def _date(written: Call, scope: Scope, check: Check) -> Term | None:
    if written.target is None and len(written.args) == 1 and not isinstance(written.args[0], Literal):
        of = check(written.args[0], scope)
        if of is None:
            return None
        if of.type != DATETIME:
            scope.mistyped(of, "date takes the day of a datetime, or a written date")
            return None
        return Day(written.span, of)
    text = _written(written, scope)
    if text is None:
        return None
    try:
        return Const(written.span, DATE, date.fromisoformat(text))
    except ValueError:
        return _misread(written, scope, text)


def _timestamp(written: Call, scope: Scope, _check: Check) -> Term | None:
    text = _written(written, scope)
    if text is None:
        return None
    try:
        return Const(written.span, DATETIME, parse_iso(text))
    except (ValueError, OverflowError):
        return _misread(written, scope, text)


_CALLS: Mapping[str, Callable[[Call, Scope, Check], Term | None]] = {
    "has": _has,
    "size": _size,
    **dict.fromkeys(("contains", "startsWith", "endsWith"), _search),
    "matches": _matches,
    **dict.fromkeys(("exists", "all", "filter", "map"), _loop),
    "duration": _duration,
    "date": _date,
    "timestamp": _timestamp,
}
