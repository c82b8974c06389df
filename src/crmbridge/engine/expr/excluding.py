"""Find conditions of one expression that exclude each other, so that it holds for no deal."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from itertools import combinations
from typing import Any, NamedTuple

from crmbridge.engine.expr.terms import TURNED, Compare, Const, Field, Joined, Term

_OPS: Mapping[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class _Limit(NamedTuple):
    """What one condition asks of a field: a comparison with a value that stands in the text."""

    term: Compare
    field: str
    op: str
    value: Decimal | str

    def allows(self, value: Decimal | str) -> bool:
        """Tell whether the field may have this value."""
        return bool(_OPS[self.op](value, self.value))


def excluding(term: Term) -> Iterator[tuple[Compare, Compare]]:
    """Give two conditions each of which must hold and can't where the other one does; of any one `&&`, the first."""
    if not isinstance(term, Joined):
        return
    if term.op == "||":
        for operand in term.operands:
            yield from excluding(operand)
        return
    limits = [limit for operand in _operands(term) if (limit := _limit(operand)) is not None]
    for one, other in combinations(limits, 2):
        if one.field == other.field and not any(one.allows(v) and other.allows(v) for v in _tried(one, other)):
            yield one.term, other.term
            return


def _operands(term: Joined) -> Iterator[Term]:
    for operand in term.operands:
        if isinstance(operand, Joined) and operand.op == "&&":
            yield from _operands(operand)
        else:
            yield operand


def _limit(term: Term) -> _Limit | None:
    """Read a comparison of a field with a number or, for being the same, with a text."""
    if not isinstance(term, Compare):
        return None
    field, const, op = term.left, term.right, str(term.op)
    if isinstance(field, Const):  # the same comparison, from the other side
        field, const, op = term.right, term.left, TURNED.get(op, op)
    if not isinstance(field, Field) or not isinstance(const, Const):
        return None
    if isinstance(const.value, Decimal) and op in _OPS:
        return _Limit(term, field.name, op, const.value)
    if isinstance(const.value, str) and op == "==":
        return _Limit(term, field.name, op, const.value)
    return None


def _tried(one: _Limit, other: _Limit) -> list[Decimal | str]:
    """Give values of which one satisfies both, if any value does: the two, and numbers between and beyond them."""
    low, high = one.value, other.value
    if isinstance(low, Decimal) and isinstance(high, Decimal):
        return [low, high, (low + high) / 2, min(low, high) - 1, max(low, high) + 1]
    return [low, high]
