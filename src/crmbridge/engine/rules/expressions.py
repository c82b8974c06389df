"""How an expression says what it found: which of its parts hold, and the values that they looked at."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from crmbridge.engine.expr.compiling import Run, compiled
from crmbridge.engine.expr.terms import Field, Filled, Joined, Term, field_names
from crmbridge.engine.expr.terms import parts as all_parts
from crmbridge.engine.moment import Moment
from crmbridge.engine.rules.case import Answer, Case
from crmbridge.engine.rules.words import undecided
from crmbridge.engine.text import plain
from crmbridge.model.findings import Judgement
from crmbridge.model.values import is_empty

LONGEST_QUOTE = 100  # characters of an expression


class Part(NamedTuple):
    """One of the operands that must all hold; `readings` has how each field that it looks at is read."""

    text: str
    run: Run
    readings: dict[str, Run]
    names: tuple[str, ...]

    def unread(self, case: Case, at: Moment) -> list[str]:
        """Name the fields that are empty, or hold what can't be read as what they are declared."""
        return [name for name, read in self.readings.items() if read(case.fields, at) is None]


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
        return tuple(Part(self._quote(term), compiled(term), _readings(term), field_names(term)) for term in terms)

    def _quote(self, term: Term) -> str:
        return plain(self.text[term.span.start : term.span.end], LONGEST_QUOTE)

    @cached_property
    def quoted(self) -> str:
        """The text, as a sentence quotes it."""
        return plain(self.text, LONGEST_QUOTE)

    def say(self, judgement: Judgement, _reason: int, case: Case) -> Answer:
        """Say what was decided, with every value that was looked at, and what would have to be filled in."""
        fields = self.fields
        value = case.fields.get(fields[0]) if len(fields) == 1 else None
        if judgement is Judgement.PASS:
            message = f"{self.quoted} holds: {case.says_of(fields)}." if fields else f"{self.quoted} holds."
            return Answer(judgement, message, fields, (), len(self.parts), value)
        at = case.moment
        telling, passed = self._telling(judgement, case, at)
        if len(telling) == 1:
            unread, told = telling[0].unread(case, at), telling[0].names
        else:
            unread = list(dict.fromkeys(name for part in telling for name in part.unread(case, at)))
            told = tuple(dict.fromkeys(name for part in telling for name in part.names))
        message = self._message(judgement, telling, unread, told, case)
        return Answer(judgement, message, fields, tuple(unread or told), passed, value)

    def _telling(self, judgement: Judgement, case: Case, at: Moment) -> tuple[Sequence[Part], int]:
        """Give the parts that make it what it is, and how many hold."""
        if len(self.parts) == 1:
            return self.parts, 0
        found = [part.run(case.fields, at) for part in self.parts]
        wanted = None if judgement is Judgement.UNKNOWN else False
        telling = [part for part, value in zip(self.parts, found, strict=True) if value is wanted]
        return telling, found.count(True)

    def _message(
        self, judgement: Judgement, telling: Sequence[Part], unread: Sequence[str], told: Collection[str], case: Case
    ) -> str:
        texts = " and ".join([part.text for part in telling])
        if judgement is Judgement.FAIL:
            verb = "does" if len(telling) == 1 else "do"
            return f"{texts} {verb} not hold{_seen(told, case)}.{self._beside(told, case)}"
        why = ", ".join([undecided(name, case) for name in unread])
        seen = f": {why}" if why else _seen(told, case)
        return f"{texts} can't be decided{seen}.{self._beside(unread or told, case)}"

    def _beside(self, told: Collection[str], case: Case) -> str:
        if len(told) == len(self.fields):
            return ""
        others = [name for name in self.fields if name not in told]
        return f" Beside it, {case.says_of(others)}." if others else ""


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


def _seen(fields: Collection[str], case: Case) -> str:
    said = case.says_of(fields)
    return f": {said}" if said else ""
