"""What rules say, computed in the plainest way: the yardstick that compiled rules are held against in tests.

It shares no code with what it judges but the terms of an expression. Unknown is None, and nothing stops early.
"""

from __future__ import annotations

import decimal
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal
from typing import Any

from msgspec import Struct, field

from crmbridge.engine.expr import terms as t
from crmbridge.model.checks import Activities, Approval, AtLeast, Bounds, Dates, OneOf, Required
from crmbridge.model.findings import Judgement
from crmbridge.model.values import Fields, Money

DIGITS, LONGEST_TEXT, LONGEST_MATCHED, LONGEST_LIST = 60, 100_000, 2_000, 200


class Scene(Struct, frozen=True, kw_only=True):
    """What a term is asked about."""

    fields: Fields
    now: datetime
    zone: tzinfo = UTC
    variables: Mapping[str, Any] = field(default_factory=dict)


def value_of(term: t.Term, scene: Scene) -> Any:
    """Give a term's value, None where it is unknown."""
    if isinstance(term, t.Not | t.Joined | t.Choose):
        return _logic(term, scene)
    if isinstance(term, t.Loop):
        return _loop(term, scene)
    found = _SIMPLE.get(type(term))
    return _computed(term, scene) if found is None else found(term, scene)


def judgement_of(check: Any, scene: Scene) -> Judgement:
    """Judge by a check that is no expression."""
    holds = _CHECKS[type(check)](check, scene)
    return Judgement.UNKNOWN if holds is None else (Judgement.PASS if holds else Judgement.FAIL)


def _at_least(check: AtLeast, scene: Scene) -> bool:
    return sum(_says_yes(scene.fields.get(name)) for name in check.of) >= check.at_least


def _activities(check: Activities, scene: Scene) -> bool | None:
    suffix = "" if check.activities.state == "any" else f"_{check.activities.state}"
    return _between(_number(scene.fields.get(f"activities{suffix}")), check.activities.at_least, None)


def _dates(check: Dates, scene: Scene) -> bool | None:
    day, today = _day(scene.fields.get(check.dates.field), scene), scene.now.astimezone(scene.zone).date()
    return _between(None if day is None else (day - today).days, check.dates.from_days, check.dates.to_days)


def _one_of(check: OneOf, scene: Scene) -> bool | None:
    value = scene.fields.get(check.one_of.field)
    return bool(set(_choices(value)) & set(check.one_of.values)) if _filled(value) else None


def _approval(check: Approval, scene: Scene) -> bool | None:
    number = _number(scene.fields.get(check.approval.field))
    return None if number is None else number <= check.approval.over or _says_yes(scene.fields.get(check.approval.by))


_CHECKS: Mapping[type, Callable[[Any, Scene], bool | None]] = {
    Required: lambda check, scene: all(_filled(scene.fields.get(name)) for name in check.required),
    AtLeast: _at_least,
    Activities: _activities,
    Bounds: lambda check, scene: _between(
        _number(scene.fields.get(check.bounds.field)), check.bounds.min, check.bounds.max
    ),
    Dates: _dates,
    OneOf: _one_of,
    Approval: _approval,
}


def _between(value: Any, low: Any, high: Any) -> bool | None:
    if value is None:
        return None
    return not ((low is not None and value < low) or (high is not None and value > high))


def _choices(value: Any) -> Sequence[str]:
    if isinstance(value, tuple):
        return value
    if isinstance(value, bool):
        return ["yes", "true"] if value else ["no", "false"]
    return [str(value.amount if isinstance(value, Money) else value)]


def _filled(value: Any) -> bool:
    return not (value is None or value == () or (isinstance(value, str) and not value.strip()))


def _says_yes(value: Any) -> bool:
    return _filled(value) and value is not False


def _number(value: Any) -> Decimal | None:
    bare = value.amount if isinstance(value, Money) else value
    if isinstance(bare, bool) or not isinstance(bare, int | Decimal):
        return None
    return Decimal(bare) if Decimal(bare).is_finite() else None


def _day(value: Any, scene: Scene) -> date | None:
    if isinstance(value, datetime):
        return value.astimezone(scene.zone).date() if value.tzinfo else None
    return value if isinstance(value, date) else None


def _field(value: Any, kind: t.Type, scene: Scene) -> Any:
    if not _filled(value) and value != ():
        return None
    read: Any = {
        t.TEXT: lambda: value if isinstance(value, str) else None,
        t.NUMBER: lambda: None if isinstance(value, Money) else _number(value),
        t.MONEY: lambda: None if _number(value) is None else (value if isinstance(value, Money) else _number(value)),
        t.BOOL: lambda: value if isinstance(value, bool) else None,
        t.DATE: lambda: _day(value, scene),
        t.DATETIME: lambda: _moment(value, scene),
        t.TEXTS: lambda: value if isinstance(value, tuple) else ((value,) if isinstance(value, str) else None),
    }
    return read[kind]()


def _moment(value: Any, scene: Scene) -> datetime | None:
    if isinstance(value, datetime):
        return value if value.tzinfo else None
    if isinstance(value, date):
        try:
            return datetime(value.year, value.month, value.day, tzinfo=scene.zone).astimezone(UTC)
        except OverflowError:  # the first or last day that there is, seen from elsewhere
            return None
    return None


def _logic(term: t.Not | t.Joined | t.Choose, scene: Scene) -> Any:
    match term:
        case t.Not():
            inner = value_of(term.of, scene)
            return None if inner is None else not inner
        case t.Choose():
            condition = value_of(term.condition, scene)
            yes, no = value_of(term.yes, scene), value_of(term.no, scene)
            return None if condition is None else (yes if condition else no)
        case t.Joined():
            return _decided([value_of(one, scene) for one in term.operands], decides=term.op == "||")


def _decided(found: Sequence[bool | None], *, decides: bool) -> bool | None:
    if any(one is decides for one in found):
        return decides
    return None if any(one is None for one in found) else not decides


def _loop(term: t.Loop, scene: Scene) -> Any:
    items = value_of(term.items, scene)
    if items is None or len(items) > LONGEST_LIST:
        return None
    found = []
    for item in items:
        inner = Scene(fields=scene.fields, now=scene.now, zone=scene.zone, variables={term.variable: item})
        found.append(value_of(term.body, inner))
    if term.how in {"exists", "all"}:
        return _decided(found, decides=term.how == "exists")
    if any(one is None for one in found):
        return None
    return tuple(found) if term.how == "map" else tuple(i for i, keep in zip(items, found, strict=True) if keep)


def _computed(term: Any, scene: Scene) -> Any:
    """Compute what is unknown as soon as one of its operands is."""
    if isinstance(term, t.Among) and isinstance(term.items, t.Items):
        item = value_of(term.item, scene)
        return _decided([_equal(item, value_of(one, scene)) for one in term.items.items], decides=True)
    operands = [value_of(one, scene) for one in t.within(term)]
    return None if any(one is None for one in operands) else _COMPUTED[type(term)](term, scene, *operands)


def _equal(left: Any, right: Any) -> bool | None:
    found = None if left is None or right is None else _compared("==", left, right)
    return None if found is None else bool(found)


def _compared(op: str, left: Any, right: Any) -> bool | None:
    if isinstance(left, Money) and isinstance(right, Money) and left.currency != right.currency:
        return None
    left, right = (side.amount if isinstance(side, Money) else side for side in (left, right))
    found: Mapping[str, Any] = {
        "==": lambda: left == right,
        "!=": lambda: left != right,
        "<": lambda: left < right,
        "<=": lambda: left < right or left == right,
        ">": lambda: right < left,
        ">=": lambda: right < left or left == right,
    }
    return bool(found[op]())


def _calculated(op: str, left: Any, right: Any) -> Any:
    if isinstance(left, str):
        return left + right if len(left + right) <= LONGEST_TEXT else None
    if isinstance(left, date | timedelta):
        return _moved(op, left, right)
    currencies = {side.currency for side in (left, right) if isinstance(side, Money)}
    if len(currencies) > 1:
        return None
    both = isinstance(left, Money) and isinstance(right, Money)
    number = _arithmetic(op, *(side.amount if isinstance(side, Money) else side for side in (left, right)))
    ratio = op == "/" and (both or not currencies)
    return number if number is None or ratio or not currencies else Money(number, *currencies)


def _arithmetic(op: str, left: Decimal, right: Decimal) -> Decimal | None:
    with decimal.localcontext(decimal.Context(prec=DIGITS, traps=[])):
        found: Mapping[str, Any] = {
            "+": lambda: left + right,
            "-": lambda: left - right,
            "*": lambda: left * right,
            "/": lambda: left / right,
            "%": lambda: left % right,
        }
        result: Decimal = found[op]()
    return result if result.is_finite() else None


def _moved(op: str, left: Any, right: Any) -> Any:
    if isinstance(left, timedelta) and isinstance(right, date):
        return _moved(op, right, left)
    if isinstance(left, date) and not isinstance(left, datetime) and isinstance(right, timedelta):
        whole = right.seconds == 0 and right.microseconds == 0
        right = right if whole else None
    try:
        return None if right is None else (left + right if op == "+" else left - right)
    except OverflowError:
        return None


def _matched(pattern: str, text: str) -> bool | None:
    # Python's own way back and forth: for patterns and texts that are short.
    return re.search(pattern.replace("$", r"\Z"), text, re.ASCII) is not None if len(text) <= LONGEST_MATCHED else None


def _searched(how: str, where: str, what: str) -> bool | None:
    if max(len(where), len(what)) > LONGEST_TEXT:
        return None
    return {
        "contains": where.find(what) >= 0,
        "startsWith": where[: len(what)] == what,
        "endsWith": what == "" or where[-len(what) :] == what,
    }[how]


def _negative(value: Any) -> Any:
    return Money(-value.amount, value.currency) if isinstance(value, Money) else -value


_SIMPLE: Mapping[type, Callable[[Any, Scene], Any]] = {
    t.Const: lambda term, _scene: term.value,
    t.Variable: lambda term, scene: scene.variables[term.name],
    t.Now: lambda term, scene: _day(scene.now, scene) if term.type == t.DATE else scene.now,
    t.Field: lambda term, scene: _field(scene.fields.get(term.name), term.type, scene),
    t.Filled: lambda term, scene: _filled(scene.fields.get(term.name)),
}
_COMPUTED: Mapping[type, Callable[..., Any]] = {
    t.Compare: lambda term, _scene, left, right: _compared(term.op, left, right),
    t.Calculate: lambda term, _scene, left, right: _calculated(term.op, left, right),
    t.Negative: lambda _term, _scene, of: _negative(of),
    t.Among: lambda _term, _scene, item, items: item in items,
    t.Items: lambda _term, _scene, *items: items,
    t.Size: lambda _term, _scene, of: Decimal(len(of)),
    t.Day: lambda _term, scene, of: _day(of, scene),
    t.Matches: lambda term, _scene, text: _matched(term.pattern.source, text),
    t.Search: lambda term, _scene, text, part: _searched(term.how, text, part),
}
