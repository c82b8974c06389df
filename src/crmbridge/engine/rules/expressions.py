"""How an expression says what it found: which of its parts hold, and the values that they looked at."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from functools import cached_property, partial
from typing import Any, NamedTuple

from msgspec import Struct

from crmbridge.engine.expr.compiling import Run, compiled, emit, emit_empty
from crmbridge.engine.expr.terms import Field, Filled, Joined, Term, field_names
from crmbridge.engine.expr.terms import parts as all_parts
from crmbridge.engine.expr.writing import Writer
from crmbridge.engine.rules.case import NOTHING_SEEN, Answer, Case
from crmbridge.engine.rules.words import undecided
from crmbridge.engine.text import plain
from crmbridge.engine.time.moments import Moment
from crmbridge.model.findings import Judgement

_answer = partial(tuple.__new__, Answer)  # its parts in their order: the usual way takes twice as long
LONGEST_QUOTE = 100  # characters of an expression


class Part(NamedTuple):
    """One of the operands that must all hold.

    `unread` names the fields that are empty, or hold what can't be read as what they are declared; it is given what
    gives a field by its name.
    """

    text: str
    run: Run
    unread: Callable[[Any, Moment], list[str]]
    names: tuple[str, ...]


class Expression(Struct, frozen=True, dict=True):
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
        return tuple(Part(self._quote(term), compiled(term), _unread(term), field_names(term)) for term in terms)

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
            return _answer((judgement, message, fields, (), len(self.parts), value, NOTHING_SEEN))
        at = case.moment
        telling, passed = self._telling(judgement, case, at)
        if len(telling) == 1:
            unread, told = telling[0].unread(case.fields.get, at), telling[0].names
        else:
            unread = list(dict.fromkeys(name for part in telling for name in part.unread(case.fields.get, at)))
            told = tuple(dict.fromkeys(name for part in telling for name in part.names))
        message = self._message(judgement, telling, unread, told, case)
        return _answer((judgement, message, fields, tuple(unread or told), passed, value, NOTHING_SEEN))

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


def _unread(term: Term) -> Callable[[Any, Moment], list[str]]:
    """Compile what names the fields of a term that can't be read."""
    writer = Writer()
    conditions: dict[str, str] = {}
    for part in all_parts(term):
        if isinstance(part, Field):
            conditions[part.name] = f"{emit(part, writer).name} is None"
        elif isinstance(part, Filled):
            conditions.setdefault(part.name, emit_empty(part.name, writer)[1])
    found = writer.new("[]")
    for name, condition in conditions.items():
        writer.line(f"if {condition}: {found}.append({writer.value(name)})")
    writer.line(f"return {found}")
    return writer.function()


def _seen(fields: Collection[str], case: Case) -> str:
    said = case.says_of(fields)
    return f": {said}" if said else ""
