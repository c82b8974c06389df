"""Reads the formulas of validation rules as an org does, and says whether one refuses that a row is saved."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

_TOKEN = re.compile(r'\s*(?:("(?:[^"\\]|\\.)*")|(-?\d+(?:\.\d+)?)|([A-Za-z$][\w.$]*)|(>=|<=|[=(),+\-]))', re.DOTALL)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


@dataclass(frozen=True)
class Cell:
    """A field's value and the kind of column it stands in."""

    kind: str  # text, number, date, checkbox, picklist, multipicklist, reference
    value: Any


@dataclass(frozen=True)
class Save:
    """What a validation rule sees when a row is saved."""

    before: Mapping[str, Cell]
    after: Mapping[str, Cell]
    today: date
    permissions: frozenset[str] = frozenset()


def refuses(formula: str, save: Save) -> bool:
    """Give what a formula says of a save; raises AssertionError for one that an org would refuse."""
    reader = _Reader(formula, save)
    found = reader.comparison()
    assert reader.at == len(reader.tokens), f"left over: {reader.tokens[reader.at :]}"
    assert isinstance(found, bool), f"a rule is true or false, not {found!r}"
    return found


class _Reader:
    """Reads strictly and computes at once: what it does not know, or what an org would refuse, fails.

    `live` is False in the branch of an IF that is not taken.
    """

    def __init__(self, formula: str, save: Save) -> None:
        self.tokens = _tokens(formula)
        self.at = 0
        self.save = save
        self.live = True

    def comparison(self) -> Any:
        left = self.sum()
        sign = self.peek()
        if sign not in {">=", "<=", "="}:
            return left
        self.at += 1
        right = self.sum()
        if not self.live:
            return False
        assert None not in {left, right}, "a blank is compared"
        assert type(left) is type(right), f"{left!r} is compared with {right!r}"
        assert not isinstance(left, Cell), "a picklist is compared as a text"
        return {">=": left >= right, "<=": left <= right}[sign] if sign != "=" else left == right

    def sum(self) -> Any:
        found = self.term()
        while self.peek() in {"+", "-"}:
            sign, other = self.take(), self.term()
            if self.live:
                found = _added(found, other, sign)
        return found

    def term(self) -> Any:
        token = self.take()
        if token[0] == '"':
            return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), token[1:-1], flags=re.DOTALL)
        if re.fullmatch(r"-?\d+(\.\d+)?", token):
            return Decimal(token)
        if self.peek() == "(":
            return getattr(self, f"do_{token.lower()}")()
        if token in {"TRUE", "FALSE"}:
            return token == "TRUE"
        if token.startswith("$Permission."):
            return token.removeprefix("$Permission.") in self.save.permissions
        cell = self.save.after[token]
        return cell if cell.kind in {"picklist", "multipicklist"} else cell.value

    def peek(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1]

    def arguments(self) -> list[Any]:
        assert self.take() == "("
        found: list[Any] = [] if self.peek() == ")" else [self.comparison()]
        while self.peek() == ",":
            self.at += 1
            found.append(self.comparison())
        assert self.take() == ")"
        return found

    def field(self) -> str:
        assert self.take() == "("
        name = self.take()
        assert self.take() == ")"
        return name

    def truths(self) -> list[bool]:
        found = self.arguments()
        assert len(found) > 0
        assert not self.live or all(isinstance(one, bool) for one in found), found
        return found

    def do_and(self) -> bool:
        return all(self.truths())

    def do_or(self) -> bool:
        return any(self.truths())

    def do_not(self) -> bool:
        (one,) = self.truths()
        return not one

    def do_if(self) -> Any:
        assert self.take() == "("
        condition = self.comparison()
        assert not self.live or isinstance(condition, bool)
        branches, live = [], self.live
        for wanted in (True, False):
            assert self.take() == ","
            self.live = live and condition is wanted
            branches.append(self.comparison())
        self.live = live
        assert self.take() == ")"
        return branches[0] if condition else branches[1]

    def do_isblank(self) -> bool:
        (one,) = self.arguments()
        assert not isinstance(one, bool) or not self.live, "a checkbox is never blank"
        if isinstance(one, Cell):
            assert one.kind == "multipicklist", "ISBLANK takes no picklist"
            return not one.value
        return one is None or one == ""

    def do_text(self) -> str:
        (one,) = self.arguments()
        assert one == Cell("picklist", one.value), "TEXT is for picklists here"
        return one.value or ""

    def do_trim(self) -> str:
        (one,) = self.arguments()
        return (one or "").strip()

    def do_lower(self) -> str:
        (one,) = self.arguments()
        return str(one).lower()

    def do_left(self) -> str:
        text, length = self.arguments()
        return str(text)[: int(length)]

    def do_today(self) -> date:
        assert self.arguments() == []
        return self.save.today

    def do_case(self) -> Any:
        value, *cases = self.arguments()
        pairs = dict(zip(cases[:-1:2], cases[1::2], strict=True))
        return pairs.get(value, cases[-1])

    def do_ischanged(self) -> bool:
        name = self.field()
        return self.save.before[name] != self.save.after[name]

    def do_priorvalue(self) -> Any:
        return self.save.before[self.field()]

    def do_ispickval(self) -> bool:
        cell, text = self.arguments()
        assert cell.kind == "picklist"
        return (cell.value or "") == text

    def do_includes(self) -> bool:
        cell, text = self.arguments()
        assert cell.kind == "multipicklist"
        assert text
        return text in (cell.value or "").split(";")


def _added(left: Any, right: Any, sign: str) -> Any:
    assert None not in {left, right}, "a blank is counted"
    if isinstance(left, date):
        assert sign == "-"
        return Decimal((left - right).days)
    return left + right if sign == "+" else left - right


def _tokens(formula: str) -> list[str]:
    found, at = [], 0
    while at < len(formula.rstrip()):
        match = _TOKEN.match(formula, at)
        assert match, f"can't be read from here: {formula[at : at + 40]!r}"
        found.append(match[0].strip())
        at = match.end()
    return found
