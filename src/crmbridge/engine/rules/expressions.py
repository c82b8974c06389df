"""How an expression says what it found: which of its parts hold, and the values that they looked at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from crmbridge.engine.expr.compiling import Run, compiled
from crmbridge.engine.expr.terms import Field, Filled, Joined, Term, field_names
from crmbridge.engine.expr.terms import parts as all_parts
from crmbridge.engine.moment import Moment
from crmbridge.engine.rules.case import Answer, Case, quote
from crmbridge.engine.rules.words import undecided
from crmbridge.engine.text import plain
from crmbridge.model.findings import Judgement
from crmbridge.model.values import is_empty

LONGEST_QUOTE = 100  # characters of an expression


class Part(NamedTuple):
    """One of the operands that must all hold; `fields` are what it looks at, and how each is read."""

    text: str
    run: Run
    fields: dict[str, Run]


@dataclass(frozen=True)
class Expression:
    """An expression that was read and checked."""

    text: str
    term: Term

    @cached_property
    def fields(self) -> tuple[str, ...]:
        """The fields that it looks at."""
        return field_names(self.term)

    @cached_property
    def parts(self) -> tuple[Part, ...]:
        """The operands that must all hold; the whole where it is nothing of the kind."""
        whole = self.term
        terms = whole.operands if isinstance(whole, Joined) and whole.op == "&&" else (whole,)
        return tuple(Part(self._quote(term), compiled(term), _readings(term)) for term in terms)

    def _quote(self, term: Term) -> str:
        return plain(self.text[term.span.start : term.span.end], LONGEST_QUOTE)

    def say(self, judgement: Judgement, _reason: int, case: Case) -> Answer:
        """Say what was decided, with every value that was looked at, and what would have to be filled in."""
        at = case.moment
        found = [part.run(case.fields, at) for part in self.parts]
        wanted = {Judgement.FAIL: False, Judgement.UNKNOWN: None}.get(judgement, True)
        telling = [part for part, value in zip(self.parts, found, strict=True) if value is wanted]
        missing = () if judgement is Judgement.PASS else self._missing(telling, case, at)
        return Answer(
            judgement=judgement,
            message=self._message(judgement, telling, case, at),
            looked_at=self.fields,
            missing=missing,
            passed=sum(value is True for value in found),
            value=case.fields.get(self.fields[0]) if len(self.fields) == 1 else None,
        )

    def _message(self, judgement: Judgement, telling: Sequence[Part], case: Case, at: Moment) -> str:
        if judgement is Judgement.PASS:
            return f"{plain(self.text, LONGEST_QUOTE)} holds{_seen(self.fields, case)}."
        fields = tuple(dict.fromkeys(name for part in telling for name in part.fields))
        texts = " and ".join(part.text for part in telling)
        if judgement is Judgement.UNKNOWN:
            unread = [name for part in telling for name in _unread(part, case, at)]
            why = ", ".join(undecided(name, case) for name in dict.fromkeys(unread))
            seen = f": {why}" if why else _seen(fields, case)
            return f"{texts} can't be decided{seen}.{_beside(self.fields, unread or fields, case)}"
        verb = "does" if len(telling) == 1 else "do"
        return f"{texts} {verb} not hold{_seen(fields, case)}.{_beside(self.fields, fields, case)}"

    def _missing(self, telling: Sequence[Part], case: Case, at: Moment) -> tuple[str, ...]:
        """Name what must be filled in: the fields that can't be read, or else all that were looked at."""
        unread = [name for part in telling for name in _unread(part, case, at)]
        return tuple(dict.fromkeys(unread or [name for part in telling for name in part.fields]))


def _readings(term: Term) -> dict[str, Run]:
    found: dict[str, Run] = {}
    for part in all_parts(term):
        if isinstance(part, Field):
            found[part.name] = compiled(part)
        elif isinstance(part, Filled):
            found.setdefault(part.name, _as_filled(part.name))
    return found


def _as_filled(name: str) -> Run:
    return lambda fields, _at: None if is_empty(fields.get(name)) else True


def _unread(part: Part, case: Case, at: Moment) -> Iterable[str]:
    return [name for name, read in part.fields.items() if read(case.fields, at) is None]


def _seen(fields: Iterable[str], case: Case) -> str:
    said = ", ".join(_value(name, case) for name in fields)
    return f": {said}" if said else ""


def _beside(fields: Iterable[str], told: Iterable[str], case: Case) -> str:
    others = set(fields).difference(told)
    said = ", ".join(_value(name, case) for name in fields if name in others)
    return f" Beside it, {said}." if said else ""


def _value(name: str, case: Case) -> str:
    value = case.fields.get(name)
    return f"{case.name(name)} is {'empty' if is_empty(value) else quote(value)}"
