"""Expressions of rules in words: `amount > 50000 && decision_maker != null` as a seller would say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from markupsafe import Markup, escape

from crmbridge.engine.expr import terms
from crmbridge.engine.expr.checking import checked
from crmbridge.engine.text import plain
from crmbridge.manual.speech import Speech

_COMPARED = {"==": "is", "!=": "is_not", "<": "less", "<=": "at_most", ">": "more", ">=": "at_least"}
_CALCULATED = {"+": "+", "-": "−", "*": "×", "/": "÷", "%": "mod"}  # noqa: RUF001  as they are printed
_OPPOSITE = {"==": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}


def said(text: str, speech: Speech) -> Markup:
    """Say an expression as a clause; one that does not make sense for the process stands as it is written."""
    term, _faults = checked(text, speech.fields, speech.options)
    return Markup("<code>{}</code>").format(plain(text, 2048)) if term is None else _clause(term, speech)


def _clause(term: terms.Term, speech: Speech) -> Markup:
    """Say something that is true or false."""
    write = _CLAUSES.get(type(term))
    if write is not None:
        return write(term, speech)
    return speech.words("says_yes", x=_value(term, speech))


def _value(term: terms.Term, speech: Speech) -> Markup:
    """Name a value."""
    write = _VALUES.get(type(term))
    return write(term, speech) if write is not None else speech.words("whether", clause=_clause(term, speech))


def _joined(term: terms.Joined, speech: Speech) -> Markup:
    parts = []
    for operand in term.operands:
        clause = _clause(operand, speech)
        nested = isinstance(operand, terms.Choose) or (isinstance(operand, terms.Joined) and operand.op != term.op)
        parts.append(speech.words("brackets", x=clause) if nested else clause)
    return speech.words(f"joined_{'and' if term.op == '&&' else 'or'}").join(parts)


def _not(term: terms.Not, speech: Speech) -> Markup:
    match term.of:
        case terms.Filled(name=name):
            said = speech.words("is_empty", x=speech.field(name))
        case terms.Field() as field:
            said = speech.words("says_no", x=_value(field, speech))
        case terms.Compare(op=op) as compared:
            said = _compared_as(_OPPOSITE[op], compared, speech)
        case terms.Among() as among:
            said = _among_as("none_of", "has_not", among, speech)
        case terms.Not(of=inner):
            said = _clause(inner, speech)
        case terms.Search(how=how, text=text, part=part):
            said = speech.words(f"not_{how.lower()}", x=_value(text, speech), y=_value(part, speech))
        case _:
            said = speech.words("not_so", clause=_clause(term.of, speech))
    return said


def _filled(term: terms.Filled, speech: Speech) -> Markup:
    return speech.words("is_filled", x=speech.field(term.name))


def _choose(term: terms.Choose, speech: Speech) -> Markup:
    clauses = {"condition": term.condition, "yes": term.yes, "no": term.no}
    return speech.words("if_else", **{name: _clause(part, speech) for name, part in clauses.items()})


def _compare(term: terms.Compare, speech: Speech) -> Markup:
    return _compared_as(term.op, term, speech)


def _compared_as(op: str, term: terms.Compare, speech: Speech) -> Markup:
    left, right = term.left, term.right
    if isinstance(left, terms.Const) and not isinstance(right, terms.Const):
        left, right, op = right, left, terms.TURNED.get(op, op)
    if isinstance(right, terms.Const) and right.type == terms.BOOL:
        yes = right.value is (op == "==")
        return _clause(left, speech) if yes else _not(terms.Not(term.span, left), speech)
    ago = _distance(op, left, right, speech)
    if ago is not None:
        return ago
    moments = left.type in {terms.DATE, terms.DATETIME}
    name = f"{'date_' if moments and op not in {'==', '!='} else ''}{_COMPARED[op]}"
    return speech.words(f"cmp_{name}", x=_value(left, speech), y=_value(right, speech))


def _distance(op: str, left: terms.Term, right: terms.Term, speech: Speech) -> Markup | None:
    """Say how far a moment is from now, which is what most calculations with times are about."""
    if op not in terms.TURNED or not isinstance(left, terms.Calculate) or not isinstance(right, terms.Const):
        return None
    if left.op != "-":
        return None
    first, second = left.left, left.right
    if isinstance(first, terms.Now) and not isinstance(second, terms.Now):
        return speech.words(f"ago_{_COMPARED[op]}", x=_value(second, speech), y=_value(right, speech))
    if isinstance(second, terms.Now) and second.type == first.type:
        return speech.words(f"ahead_{_COMPARED[op]}", x=_value(first, speech), y=_value(right, speech))
    return None


def _among(term: terms.Among, speech: Speech) -> Markup:
    return _among_as("one_of", "has", term, speech)


def _among_as(listed: str, held: str, term: terms.Among, speech: Speech) -> Markup:
    item, items = _value(term.item, speech), term.items
    if isinstance(items, terms.Items):
        values = speech.words.listed((_value(one, speech) for one in items.items), "or")
        return speech.words("is_one" if listed == "one_of" and len(items.items) == 1 else listed, x=item, values=values)
    return speech.words(held, x=_value(items, speech), y=item)


def _search(term: terms.Search, speech: Speech) -> Markup:
    return speech.words(f"text_{term.how.lower()}", x=_value(term.text, speech), y=_value(term.part, speech))


def _matches(term: terms.Matches, speech: Speech) -> Markup:
    pattern = Markup("<code>{}</code>").format(plain(term.pattern.source))
    return speech.words("matches", x=_value(term.text, speech), pattern=pattern)


def _loop(term: terms.Loop, speech: Speech) -> Markup:
    body = _clause(term.body, speech) if term.body.type == terms.BOOL else _value(term.body, speech)
    return speech.words(
        f"loop_{term.how}", items=_value(term.items, speech), item=_variable_name(term.variable), body=body
    )


def _variable_name(name: str) -> Markup:
    return Markup("<em>{}</em>").format(name)


def _const(term: terms.Const, speech: Speech) -> Markup:
    match term.value:
        case bool():
            return speech.words("yes" if term.value else "no")
        case str():
            return speech.words.quoted(plain(term.value))
        case datetime():
            day = speech.words.day(term.value.date())
            return speech.words("moment", day=day, time=f"{term.value:%H:%M}")
        case date():
            return speech.words.day(term.value)
        case timedelta():
            return elapsed(term.value, speech)
        case _:
            return escape(speech.words.number(term.value))


def elapsed(length: timedelta, speech: Speech) -> Markup:
    """Say a length of time around the clock, in the largest unit that it has a whole number of."""
    seconds = Decimal(length.days * 86400 + length.seconds)
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds % size == 0:
            return speech.words.counted(f"unit_{unit}", seconds / size)
    return speech.words.counted("unit_s", seconds)


def _field(term: terms.Field, speech: Speech) -> Markup:
    return speech.field(term.name)


def _variable(term: terms.Variable, _speech: Speech) -> Markup:
    return _variable_name(term.name)


def _now(term: terms.Now, speech: Speech) -> Markup:
    return speech.words("today" if term.type == terms.DATE else "now")


def _calculate(term: terms.Calculate, speech: Speech) -> Markup:
    sides = []
    for side in (term.left, term.right):
        value = _value(side, speech)
        sides.append(speech.words("brackets", x=value) if isinstance(side, terms.Calculate) else value)
    return Markup("{} {} {}").format(sides[0], _CALCULATED[term.op], sides[1])


def _negative(term: terms.Negative, speech: Speech) -> Markup:
    return Markup("−{}").format(_value(term.of, speech))  # noqa: RUF001  a minus as it is printed


def _size(term: terms.Size, speech: Speech) -> Markup:
    key = "length_of" if term.of.type == terms.TEXT else "number_of"
    return speech.words(key, x=_value(term.of, speech))


def _day(term: terms.Day, speech: Speech) -> Markup:
    return speech.words("day_of", x=_value(term.of, speech))


def _items(term: terms.Items, speech: Speech) -> Markup:
    return speech.words.listed(_value(one, speech) for one in term.items)


def _chosen(term: terms.Choose, speech: Speech) -> Markup:
    if term.type == terms.BOOL:
        return speech.words("whether", clause=_choose(term, speech))
    values = {"condition": _clause(term.condition, speech), "yes": _value(term.yes, speech)}
    return speech.words("value_if", **values, no=_value(term.no, speech))


_CLAUSES: Mapping[type, Callable[[Any, Speech], Markup]] = {
    terms.Joined: _joined,
    terms.Not: _not,
    terms.Filled: _filled,
    terms.Choose: _choose,
    terms.Compare: _compare,
    terms.Among: _among,
    terms.Search: _search,
    terms.Matches: _matches,
    terms.Loop: _loop,
}
_VALUES: Mapping[type, Callable[[Any, Speech], Markup]] = {
    terms.Const: _const,
    terms.Field: _field,
    terms.Variable: _variable,
    terms.Now: _now,
    terms.Calculate: _calculate,
    terms.Negative: _negative,
    terms.Size: _size,
    terms.Day: _day,
    terms.Items: _items,
    terms.Choose: _chosen,
    terms.Loop: _loop,
}
