"""Checked expressions as Python: each term becomes a few lines, and a name that holds its value, None for unknown."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any, NamedTuple

from crmbridge.engine.expr import runtime, terms
from crmbridge.engine.expr.limits import LONGEST_TEXT
from crmbridge.engine.expr.writing import Writer
from crmbridge.engine.time.moments import Moment
from crmbridge.model.values import Fields, Money, Value, untagged


class Held(NamedTuple):
    """Where a value is. `sure`: it is never unknown."""

    name: str
    sure: bool = False


class Amount(NamedTuple):
    """Where a number is, or the amount of money, and the money's currency. That is None for a plain number."""

    held: Held
    currency: str = "None"


Run = Callable[[Fields, Moment], Value | timedelta]


def compiled(term: terms.Term) -> Run:
    """Compile a term alone; None is unknown."""
    writer = Writer()
    writer.line(f"return {emit(term, writer).name}")
    run = writer.function()
    return lambda fields, at: run(fields.get, at)


def emit(term: terms.Term, writer: Writer) -> Held:
    """Write what computes a term."""
    return _EMITTERS[type(term)](term, writer)


def emit_number(name: str, writer: Writer) -> str:
    """Write what loads a field as a number, or as the amount of its money, whatever was declared."""

    def write() -> str:
        held = writer.new(_raw(name, writer))
        with writer.block(f"if type({held}) is {writer.use(Money)}:"):
            writer.line(f"{held} = {held}.amount")
        _finite(held, writer)
        return held

    return writer.once((name, "amount"), write)


def emit_empty(name: str, writer: Writer) -> tuple[str, str]:
    """Write what loads a field as it is; give where it is, and the condition under which it counts as empty."""
    held = _raw(name, writer)
    nothing = f"(not {held} and ({held} is None or isinstance({held}, (str, tuple))))"
    empty = f"{nothing} or (isinstance({held}, str) and {held}.isspace())"
    return held, writer.once((name, "empty"), lambda: writer.new(empty))


def _raw(name: str, writer: Writer) -> str:
    def write() -> str:
        held = writer.new(f"get({writer.value(name)})")
        writer.line(f"if type({held}) is dict: {held} = {writer.use(untagged)}({held})")
        return held

    return writer.once((name, "raw"), write)


def _finite(held: str, writer: Writer) -> None:
    with writer.block(f"if type({held}) is not {writer.use(Decimal)}:"):
        writer.line(f"{held} = {writer.use(runtime.number)}({held})")
    with writer.block(f"elif not {held}.is_finite():"):
        writer.line(f"{held} = None")


def _const(term: terms.Const, writer: Writer) -> Held:
    return Held(writer.value(term.value), sure=True)


def _field(term: terms.Field, writer: Writer) -> Held:
    def write() -> str:
        held = writer.new(_raw(term.name, writer))
        _LOADS[term.type](held, writer)
        return held

    return Held(writer.once((term.name, term.type), write))


def _load_text(held: str, writer: Writer) -> None:
    with writer.block(f"if not isinstance({held}, str) or not {held} or {held}.isspace():"):
        writer.line(f"{held} = None")


def _load_money(held: str, writer: Writer) -> None:
    with writer.block(f"if type({held}) is not {writer.use(Money)} or not {held}.amount.is_finite():"):
        writer.line(f"{held} = {writer.use(runtime.money)}({held})")


def _load_bool(held: str, writer: Writer) -> None:
    with writer.block(f"if {held} is not True and {held} is not False:"):
        writer.line(f"{held} = None")


def _load_date(held: str, writer: Writer) -> None:
    with writer.block(f"if type({held}) is not {writer.use(date)}:"):
        writer.line(f"{held} = {writer.use(runtime.day)}({held}, at)")


def _load_datetime(held: str, writer: Writer) -> None:
    with writer.block(f"if type({held}) is not {writer.use(datetime)} or {held}.tzinfo is None:"):
        writer.line(f"{held} = {writer.use(runtime.instant)}({held}, at)")


def _load_texts(held: str, writer: Writer) -> None:
    with writer.block(f"if type({held}) is not tuple:"):
        writer.line(f"{held} = {writer.use(runtime.texts)}({held})")


_LOADS: Mapping[terms.Type, Callable[[str, Writer], None]] = {
    terms.TEXT: _load_text,
    terms.NUMBER: _finite,
    terms.MONEY: _load_money,
    terms.BOOL: _load_bool,
    terms.DATE: _load_date,
    terms.DATETIME: _load_datetime,
    terms.TEXTS: _load_texts,
}


def _variable(term: terms.Variable, writer: Writer) -> Held:
    return Held(writer.variables[term.name], sure=True)


def _now(term: terms.Now, writer: Writer) -> Held:
    return Held(writer.new("at.today" if term.type == terms.DATE else "at.now"), sure=True)


def _filled(term: terms.Filled, writer: Writer) -> Held:
    _, empty = emit_empty(term.name, writer)
    return Held(writer.new(f"not ({empty})"), sure=True)


def _known(text: str, writer: Writer, *needed: Held) -> Held:
    """Write a value that is unknown when one of those that it needs is."""
    missing = " or ".join(f"{held.name} is None" for held in needed if not held.sure)
    return Held(writer.new(f"None if {missing} else {text}" if missing else text), sure=not missing)


def _not(term: terms.Not, writer: Writer) -> Held:
    of = emit(term.of, writer)
    return _known(f"not {of.name}", writer, of)


def _joined(term: terms.Joined, writer: Writer) -> Held:
    neutral, deciding = ("True", "False") if term.op == "&&" else ("False", "True")
    result, sure = writer.new(neutral), True
    for operand in term.operands:
        with writer.block(f"if {result} is not {deciding}:"):
            held = emit(operand, writer)
            with writer.block(f"if {held.name} is not {neutral}:"):
                writer.line(f"{result} = {held.name}")
        sure = sure and held.sure
    return Held(result, sure)


def _choose(term: terms.Choose, writer: Writer) -> Held:
    condition = emit(term.condition, writer)
    result = writer.new("None")
    for answer, chosen in ((True, term.yes), (False, term.no)):
        with writer.block(f"if {condition.name} is {answer}:"):
            writer.line(f"{result} = {emit(chosen, writer).name}")
    return Held(result)


def _amount(term: terms.Term, writer: Writer) -> Amount:
    """Write the amount of what may be money; anything else as it is."""
    if term.type != terms.MONEY:
        return Amount(emit(term, writer))
    if isinstance(term, terms.Calculate):
        return _calculated(term, writer)
    held = emit(term, writer)
    parts = {"amount": held.name, "currency": "None"}
    for part, otherwise in parts.items():
        text = f"{held.name}.{part} if type({held.name}) is {writer.use(Money)} else {otherwise}"
        write = partial(writer.new, text)
        parts[part] = writer.once((term.name, terms.MONEY, part), write) if isinstance(term, terms.Field) else write()
    return Amount(Held(parts["amount"], held.sure), parts["currency"])


def _of_both(text: str, left: Amount, right: Amount, writer: Writer) -> Held:
    """Write what comes of two amounts. It is unknown where one of them is, and where their currencies differ."""
    one, other = left.currency, right.currency
    if "None" in (one, other):
        return _known(text, writer, left.held, right.held)
    alike = f"{one} == {other} or {one} is None or {other} is None"
    return Held(_known(f"{text} if {alike} else None", writer, left.held, right.held).name)


def _compare(term: terms.Compare, writer: Writer) -> Held:
    left, right = _amount(term.left, writer), _amount(term.right, writer)
    return _of_both(f"{left.held.name} {term.op} {right.held.name}", left, right, writer)


def _among(term: terms.Among, writer: Writer) -> Held:
    if isinstance(term.items, terms.Items):
        constants = [item.value for item in term.items.items if isinstance(item, terms.Const)]
        if len(constants) < len(term.items.items):
            equal = tuple(terms.Compare(term.span, "==", term.item, item) for item in term.items.items)
            return emit(terms.Joined(term.span, "||", equal), writer)
        item = _amount(term.item, writer).held
        return _known(f"{item.name} in {writer.value(frozenset(constants))}", writer, item)
    item, items = emit(term.item, writer), emit(term.items, writer)
    return _known(f"{item.name} in {items.name}", writer, item, items)


def _calculate(term: terms.Calculate, writer: Writer) -> Held:
    if term.type in (terms.NUMBER, terms.MONEY):
        held, currency = _calculated(term, writer)
        known = f"{held.name} if {held.name} is None or {currency} is None else"
        return held if currency == "None" else Held(writer.new(f"{known} {writer.use(Money)}({held.name}, {currency})"))
    left, right = emit(term.left, writer), emit(term.right, writer)
    function = writer.use(runtime.join if term.type == terms.TEXT else runtime.move)
    return Held(_known(f"{function}({term.op!r}, {left.name}, {right.name})", writer, left, right).name)


def _calculated(term: terms.Calculate, writer: Writer) -> Amount:
    """Write an amount that comes of two; to make money of each on the way would cost more than to calculate."""
    left, right = _amount(term.left, writer), _amount(term.right, writer)
    operation = writer.value(runtime.OPERATIONS[term.op])
    held = _of_both(f"{operation}({left.held.name}, {right.held.name})", left, right, writer).name
    writer.line(f"if {held} is not None and not {held}.is_finite(): {held} = None")
    known = [each.currency for each in (left, right) if each.currency != "None"] if term.type == terms.MONEY else []
    if len(known) == 2:
        known = [writer.new(f"{known[1]} if {known[0]} is None else {known[0]}")]
    return Amount(Held(held), *known)


def _negative(term: terms.Negative, writer: Writer) -> Held:
    of = emit(term.of, writer)
    return _known(f"{writer.use(runtime.negative)}({of.name})", writer, of)


def _search(term: terms.Search, writer: Writer) -> Held:
    where, what = emit(term.text, writer), emit(term.part, writer)
    text = _SEARCHES[term.how].format(where=where.name, what=what.name)
    short = f"len({where.name}) <= {LONGEST_TEXT} and len({what.name}) <= {LONGEST_TEXT}"
    return Held(_known(f"{text} if {short} else None", writer, where, what).name)


_SEARCHES = {
    "contains": "{what} in {where}",
    "startsWith": "{where}.startswith({what})",
    "endsWith": "{where}.endswith({what})",
}


def _matches(term: terms.Matches, writer: Writer) -> Held:
    where = emit(term.text, writer)
    call = f"{writer.use(runtime.match)}({writer.value(term.pattern)}, {where.name})"
    return Held(_known(call, writer, where).name)


def _size(term: terms.Size, writer: Writer) -> Held:
    of = emit(term.of, writer)
    return _known(f"{writer.use(Decimal)}(len({of.name}))", writer, of)


def _day(term: terms.Day, writer: Writer) -> Held:
    of = emit(term.of, writer)
    return Held(_known(f"{writer.use(runtime.day)}({of.name}, at)", writer, of).name)


def _items(term: terms.Items, writer: Writer) -> Held:
    items = [emit(item, writer) for item in term.items]
    return _known(f"({', '.join(item.name for item in items)},)", writer, *items)


def _loop(term: terms.Loop, writer: Writer) -> Held:
    items = emit(term.items, writer)
    known = _known(f"{writer.use(runtime.short_list)}({items.name})", writer, items)
    result = writer.new("None")
    with writer.block(f"if {known.name} is not None:"):
        writer.line(f"{result} = {_BEGINNINGS[term.how]}")
        item = writer.fresh()
        with writer.block(f"for {item} in {known.name}:"), writer.variable(term.variable, item):
            body = emit(term.body, writer).name
            for line in _STEPS[term.how]:
                writer.line(line.format(result=result, body=body, item=item))
    return Held(result)


_BEGINNINGS = {"exists": "False", "all": "True", "filter": "()", "map": "()"}
_STEPS: Mapping[str, tuple[str, ...]] = {
    "exists": ("if {body} is not False: {result} = {body}", "if {body}: break"),
    "all": ("if {body} is not True: {result} = {body}", "if {body} is False: break"),
    "filter": ("if {body} is None: {result} = None; break", "if {body}: {result} += ({item},)"),
    "map": ("if {body} is None: {result} = None; break", "{result} += ({body},)"),
}
_EMITTERS: Mapping[type, Callable[[Any, Writer], Held]] = {
    terms.Const: _const,
    terms.Field: _field,
    terms.Variable: _variable,
    terms.Now: _now,
    terms.Filled: _filled,
    terms.Not: _not,
    terms.Joined: _joined,
    terms.Choose: _choose,
    terms.Compare: _compare,
    terms.Among: _among,
    terms.Calculate: _calculate,
    terms.Negative: _negative,
    terms.Search: _search,
    terms.Matches: _matches,
    terms.Size: _size,
    terms.Day: _day,
    terms.Items: _items,
    terms.Loop: _loop,
}
