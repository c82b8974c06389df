"""Check that an expression makes sense for the fields there are, before any deal is looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

from crmbridge.engine.expr.faults import ExprError, Fault, Span
from crmbridge.engine.expr.functions import FUNCTIONS, check_call
from crmbridge.engine.expr.operators import calculate, compare
from crmbridge.engine.expr.scope import Scope
from crmbridge.engine.expr.syntax import Call, Listed, Literal, Name, Operation, Syntax, read
from crmbridge.engine.expr.terms import (
    BOOL,
    DATE,
    DATETIME,
    DURATION,
    MONEY,
    NUMBER,
    TEXT,
    TYPES,
    Among,
    Choose,
    Const,
    Field,
    Filled,
    Items,
    Joined,
    Negative,
    Not,
    Now,
    Term,
    Type,
    Variable,
    field_names,
    looks_at_time,
)
from crmbridge.engine.nearest import nearest
from crmbridge.model.values import FieldType

TIMES = {"now": DATETIME, "today": DATE}


def checked(
    text: str, fields: Mapping[str, FieldType], options: Mapping[str, tuple[str, ...]] | None = None
) -> tuple[Term | None, tuple[Fault, ...]]:
    """Read an expression that answers yes or no about a deal with these fields; None with the faults that it has.

    `options` are the values that choice fields can have; comparing with any other is a fault.
    """
    try:
        written = _read(text)
    except ExprError as error:
        return None, (error.fault,)
    scope = Scope(text, fields, options or {})
    term = check(written, scope)
    if term is not None and term.type != BOOL:
        sentence = f"a rule must be true or false, and {scope.said(term)}"
        scope.wrong(term.span, "expr-type", sentence, advice="Compare it with something.")
    elif term is not None and not scope.faults and not field_names(term) and not looks_at_time(term):
        sentence = "this looks at no field, so it says the same of every deal"
        scope.wrong(term.span, "expr-constant", sentence)
    return (None if scope.faults else term), tuple(scope.faults)


def names_in(text: str) -> tuple[str, ...]:
    """Give the names that an expression may look at, whether there are such fields or not; none if it can't be read."""
    try:
        return tuple(dict.fromkeys(_names(_read(text))))
    except ExprError:
        return ()


_read = lru_cache(maxsize=4096)(read)


def _names(written: Syntax) -> list[str]:
    match written:
        case Name():
            return [written.name]
        case Listed(items=inner) | Operation(operands=inner):
            return [name for part in inner for name in _names(part)]
        case Call():
            inner = written.args if written.target is None else (written.target, *written.args)
            return [name for part in inner for name in _names(part)]
        case Literal():
            return []


def check(written: Syntax, scope: Scope) -> Term | None:
    """Give what is written as a term; None where something is wrong with it, which the scope then knows."""
    return _CHECKS[type(written)](written, scope)


def _literal(written: Literal, scope: Scope) -> Term | None:
    match written.value:
        case None:
            scope.wrong(written.span, "expr-type", "null stands only beside == and !=, with a field on the other side")
            return None
        case bool():
            return Const(written.span, BOOL, written.value)
        case str():
            return Const(written.span, TEXT, written.value)
        case _:
            return Const(written.span, NUMBER, written.value)


def _name(written: Name, scope: Scope) -> Term | None:
    name = written.name
    if name in scope.variables:
        return Variable(written.span, scope.variables[name], name)
    if name in scope.fields:
        return Field(written.span, TYPES[scope.fields[name]], name)
    if name in TIMES:
        return Now(written.span, TIMES[name])
    _unknown_field(written, scope)
    return None


def _unknown_field(written: Name, scope: Scope) -> None:
    known = (*scope.variables, *scope.fields, *TIMES)
    advice = f"{written.name} is a function; write {written.name}(…)." if written.name in FUNCTIONS else ""
    sentence = f"there is no field {written.name[:64]!r}"
    scope.wrong(written.span, "unknown-field", sentence, nearest=nearest(written.name, known), advice=advice)


def _listed(written: Listed, scope: Scope) -> Term | None:
    items = [check(item, scope) for item in written.items]
    kept = tuple(item for item in items if item is not None)
    if len(kept) < len(items):
        return None
    if not kept:
        scope.wrong(written.span, "expr-type", "an empty list has no type")
        return None
    for item in kept:
        if item.type.item:
            scope.mistyped(item, "a list holds no lists")
            return None
        if item.type != kept[0].type:
            scope.mistyped(item, f"all items of a list are of one type, the first is {kept[0].type}")
            return None
    return Items(written.span, Type("list", kept[0].type.name), kept)


def _call(written: Call, scope: Scope) -> Term | None:
    return check_call(written, scope, check)


def _operation(written: Operation, scope: Scope) -> Term | None:
    return _OPERATIONS[written.op](written, scope)


def _not(written: Operation, scope: Scope) -> Term | None:
    inner = check(written.operands[0], scope)
    if inner is None:
        return None
    if inner.type != BOOL:
        scope.mistyped(inner, "! turns true and false round", _emptiness(inner, "== null"))
        return None
    return Not(written.span, inner)


def _minus(written: Operation, scope: Scope) -> Term | None:
    if len(written.operands) == 2:
        return _calculate(written, scope)
    inner = check(written.operands[0], scope)
    if inner is None:
        return None
    if inner.type not in {NUMBER, MONEY, DURATION}:
        scope.mistyped(inner, "- stands before a number, money or a duration")
        return None
    return Negative(written.span, inner.type, inner)


def _joined(written: Operation, scope: Scope) -> Term | None:
    operands = [check(operand, scope) for operand in written.operands]
    kept = tuple(operand for operand in operands if operand is not None)
    right = [operand for operand in kept if operand.type == BOOL]
    for operand in kept:
        if operand.type != BOOL:
            wanted = f"{written.op} joins what is true or false"
            scope.mistyped(operand, wanted, _emptiness(operand, "!= null"))
    if len(right) < len(operands):
        return None
    return Joined(written.span, "&&" if written.op == "&&" else "||", kept)


def _emptiness(term: Term, question: str) -> str | None:
    return f"{term.name} {question}" if isinstance(term, Field) else None


def _choose(written: Operation, scope: Scope) -> Term | None:
    condition, yes, no = (check(operand, scope) for operand in written.operands)
    if condition is None or yes is None or no is None:
        return None
    if condition.type != BOOL:
        scope.mistyped(condition, "what stands before ? is true or false")
        return None
    if yes.type != no.type:
        scope.mistyped(no, f"both sides of : are of one type, the first is {yes.type}")
        return None
    return Choose(written.span, yes.type, condition, yes, no)


def _compare(written: Operation, scope: Scope) -> Term | None:
    nulls = [isinstance(side, Literal) and side.value is None for side in written.operands]
    if any(nulls) and written.op in {"==", "!="}:
        return _emptiness_of(written, written.operands[nulls.index(True) ^ 1], scope)
    left, right = (check(operand, scope) for operand in written.operands)
    return None if left is None or right is None else compare(written, left, right, scope)


def _emptiness_of(written: Operation, side: Syntax, scope: Scope) -> Term | None:
    filled = filled_field(side, written.span, scope, "only a field can be compared with null")
    return Not(written.span, filled) if filled is not None and written.op == "==" else filled


def filled_field(written: Syntax, span: Span, scope: Scope, wanted: str) -> Filled | None:
    """Ask whether the field that is written here is filled in."""
    if not isinstance(written, Name) or written.name in scope.variables:
        scope.wrong(written.span, "expr-type", f"{wanted}, and {scope.quote(written.span)} is none")
    elif written.name not in scope.fields:
        _unknown_field(written, scope)
    else:
        return Filled(span, written.name)
    return None


def _among(written: Operation, scope: Scope) -> Term | None:
    item, items = (check(operand, scope) for operand in written.operands)
    if item is None or items is None:
        return None
    if not items.type.item:
        guess = f"[{scope.quote(items.span)}]" if items.type == item.type else None
        scope.mistyped(items, "in looks into a list", guess)
        return None
    if item.type == MONEY and not isinstance(items, Items):
        scope.mistyped(item, "in looks for money only in a list that is written down")
        return None
    if item.type.name != items.type.item and (item.type, items.type.item) != (MONEY, "number"):
        scope.mistyped(item, f"in looks for one of a {items.type}")
        return None
    if isinstance(item, Field) and isinstance(items, Items):
        for one in items.items:
            scope.stray(item.name, one)
    if isinstance(items, Field):
        scope.stray(items.name, item)
    return Among(written.span, item, items)


def _calculate(written: Operation, scope: Scope) -> Term | None:
    left, right = (check(operand, scope) for operand in written.operands)
    return None if left is None or right is None else calculate(written, left, right, scope)


_CHECKS: Mapping[type, Callable[[Any, Scope], Term | None]] = {
    Literal: _literal,
    Name: _name,
    Listed: _listed,
    Call: _call,
    Operation: _operation,
}
_OPERATIONS: Mapping[str, Callable[[Operation, Scope], Term | None]] = {
    "!": _not,
    "-": _minus,
    "&&": _joined,
    "||": _joined,
    "?:": _choose,
    "in": _among,
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), _compare),
    **dict.fromkeys(("+", "*", "/", "%"), _calculate),
}
