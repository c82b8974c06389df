"""When two values say the same, and what a CRM may have made of a value that it was given."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from crmbridge.model.values import Money, Value, is_empty

SHORTEST_CUT = 20  # characters: CRMs cut what is too long, and no field for people is shorter
_MINUTE = timedelta(minutes=1)


def same(one: Value, other: Value) -> bool:
    """Tell whether two values say the same: they have one canonical form."""
    if type(one) is type(other) and one == other:  # the usual case, at a fraction of the cost
        return True
    if type(one) is str and type(other) is str and one.isascii() and other.isascii() and "\r" not in one + other:
        return one.strip() == other.strip()  # what is left of the canonical form there
    return bool(canonical(one) == canonical(other))


def canonical(value: Value) -> Any:
    """Give the form in which values that say the same are equal.

    All ways of being empty are one. Text is compared with accents composed, lines ended one way and nothing around
    it; case counts. Numbers and amounts by their value, amounts with their currency; yes is 1 and no is 0. A day is the
    same as its midnight in UTC. Sets have no order. What Python calls equal says the same.
    """
    return None if is_empty(value) else _FORMS[type(value)](value)


def _text(text: str) -> str:
    return unicodedata.normalize("NFC", text).replace("\r\n", "\n").replace("\r", "\n").strip()


def _moment(moment: datetime) -> date:
    here = moment.astimezone(UTC)
    return here.date() if here.time() == datetime.min.time() else here


def _number(value: int | Decimal) -> Any:
    number = Decimal(value)
    return number if number.is_finite() else str(number)  # not even NaN is other than itself


class _Forms(dict[type, Callable[[Any], Any]]):
    """By type how a value is brought to its canonical form; a type of one's own is taken for what it derives from."""

    def __missing__(self, key: type) -> Callable[[Any], Any]:
        form = next(self[base] for base in key.__mro__ if base in self)
        self[key] = form
        return form


_FORMS = _Forms(
    {
        str: _text,
        bool: lambda value: ("number", _number(value)),
        int: lambda value: ("number", _number(value)),
        Decimal: lambda value: ("number", _number(value)),
        Money: lambda value: ("money", _number(value.amount), value.currency),
        date: lambda value: value,
        datetime: _moment,
        tuple: lambda value: frozenset(map(_text, value)),
    }
)


def altered(written: Value, seen: Value) -> bool:
    """Tell whether a CRM may have made one value of another that it was given.

    CRMs round numbers and amounts to fewer places, cut long text, change its case or its spaces, and keep times less
    exactly, or only the day. Where one has no empty amount, no money is none.
    """
    if is_empty(seen):
        return isinstance(written, Money) and not written.amount
    for kinds, may_be in _ALTERED:
        if isinstance(written, kinds) and isinstance(seen, kinds) and may_be(written, seen):
            return True
    return False


def _rounded(written: Any, seen: Any) -> bool:
    if isinstance(seen, bool):
        return False  # nobody rounds to a yes or a no
    before, after = Decimal(written), Decimal(seen)
    if not (before.is_finite() and after.is_finite()):
        return False
    places = _places(after)
    return places < _places(before) and abs(before - after) < Decimal(1).scaleb(-places)


def _places(number: Decimal) -> int:
    """Count the digits after the point that say something."""
    _, digits, exponent = number.as_tuple()
    ending = len(digits) - len("".join(map(str, digits)).rstrip("0"))
    return max(0, -int(exponent) - ending)


def _rounded_money(written: Money, seen: Money) -> bool:
    return written.currency == seen.currency and _rounded(written.amount, seen.amount)


def _reworded(written: str, seen: str) -> bool:
    before, after = _plain(written), _plain(seen)
    return before == after or (len(after) >= SHORTEST_CUT and before.startswith(after))


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _less_exact(written: datetime, seen: datetime) -> bool:
    before, after = written.astimezone(UTC), seen.astimezone(UTC)
    if after.microsecond % 1000:
        return False
    return timedelta(0) < abs(before - after) < (_MINUTE if not after.second else timedelta(seconds=1))


def _only_day(written: date, seen: date) -> bool:
    return isinstance(written, datetime) and not isinstance(seen, datetime) and written.astimezone(UTC).date() == seen


def _reworded_set(written: tuple[str, ...], seen: tuple[str, ...]) -> bool:
    return {_plain(item) for item in written} == {_plain(item) for item in seen}


_ALTERED: tuple[tuple[Any, Callable[[Any, Any], bool]], ...] = (
    (str, _reworded),
    ((int, Decimal), _rounded),
    (Money, _rounded_money),
    (datetime, _less_exact),
    (date, _only_day),
    (tuple, _reworded_set),
)
