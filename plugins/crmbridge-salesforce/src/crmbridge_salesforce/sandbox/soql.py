"""Reading SOQL: a tokenizer and a recursive parser for the part of the language that the sandbox answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from msgspec import Struct

from crmbridge_salesforce.sandbox.answers import ApiError

_TOKEN = re.compile(
    r"""\s*(?:
      (?P<string>'(?:[^'\\]|\\.)*')
    | (?P<datetime>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))
    | (?P<date>\d{4}-\d\d-\d\d)
    | (?P<number>[+-]?\d+(?:\.\d+)?)
    | (?P<word>[A-Za-z_][\w.]*)
    | (?P<sign><=|>=|!=|<>|[=<>(),])
    )""",
    re.VERBOSE,
)
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}


class Token(NamedTuple):
    """A piece of a statement and where it stands."""

    kind: str
    text: str
    at: int


class Literal(Struct, frozen=True):
    """A value as it was written. `kind` is string, datetime, date, number, boolean or null."""

    kind: str
    text: str
    at: int


class Compare(Struct, frozen=True):
    """A field against one literal, or for IN against several, or against the ids of the rows of an object."""

    field: Token
    sign: str  # = != < <= > >= LIKE IN NOT IN
    values: tuple[Literal, ...]
    inner: Token | None = None  # the object whose ids it may be: IN (SELECT Id FROM it)


class Both(Struct, frozen=True):
    """Conditions of which all (AND) or any (OR) must hold."""

    word: str
    parts: tuple[Condition, ...]


class Negated(Struct, frozen=True):
    """A condition that must not hold."""

    part: Condition


Condition = Compare | Both | Negated


class Order(NamedTuple):
    """One part of ORDER BY."""

    field: Token
    descending: bool
    nulls_last: bool


class Query(Struct, frozen=True, kw_only=True):
    """A statement. `count` is what is counted: None, `()` for the number of rows, or a field."""

    text: str
    fields: tuple[Token, ...]
    count: Token | None
    table: Token
    where: Condition | None
    order: tuple[Order, ...]
    limit: int | None


def parse(text: str) -> Query:
    """Read a statement; raises ApiError MALFORMED_QUERY where it can't be understood."""
    return _Parser(text).query()


def at_fault(text: str, at: int, code: str, words: str) -> ApiError:
    """Make an error as the org words it: the statement, a caret below the place, the place, and why."""
    start = max(0, at - 80)
    excerpt = text[start : at + 40].replace("\n", " ")
    pointer = " " * (at - start) + "^"
    return ApiError(code, f"\n{excerpt}\n{pointer}\nERROR at Row:1:Column:{at + 1}\n{words}")


def unquote(text: str) -> str:
    """Read a string literal; escaped wildcards stay escaped, for LIKE to see."""
    return re.sub(r"\\([^%_])", lambda match: _ESCAPES.get(match[1], match[1]), text[1:-1], flags=re.DOTALL)


class _Parser:
    """Builds a query from the tokens of one statement."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._stream = _Stream(text)

    def query(self) -> Query:
        self._stream.word("SELECT")
        count, fields = self._selected()
        self._stream.word("FROM")
        table = self._stream.take("word")
        where = self._any() if self._stream.word("WHERE", needed=False) else None
        order = self._order() if self._stream.word("ORDER", needed=False) else ()
        limit = int(self._stream.take("number").text) if self._stream.word("LIMIT", needed=False) else None
        self._stream.end()
        return Query(text=self._text, fields=fields, count=count, table=table, where=where, order=order, limit=limit)

    def _selected(self) -> tuple[Token | None, tuple[Token, ...]]:
        first = self._stream.take("word")
        if first.text.upper() == "COUNT" and self._stream.sign("("):
            if self._stream.sign(")"):
                return Token("word", "()", first.at), ()
            counted = self._stream.take("word")
            self._stream.sign(")", needed=True)
            return counted, ()
        fields = [first]
        while self._stream.sign(","):
            fields.append(self._stream.take("word"))
        return None, tuple(fields)

    def _any(self) -> Condition:
        first = self._unit()
        for word in ("AND", "OR"):
            if self._stream.peek(word):
                return self._chain(first, word)
        return first

    def _chain(self, first: Condition, word: str) -> Condition:
        """Read parts joined by one word: the org wants brackets where AND and OR meet."""
        parts = [first]
        while self._stream.word(word, needed=False):
            parts.append(self._unit())
        if self._stream.peek("AND") or self._stream.peek("OR"):
            raise self._stream.unexpected()
        return Both(word, tuple(parts))

    def _unit(self) -> Condition:
        if self._stream.word("NOT", needed=False):
            return Negated(self._unit())
        if self._stream.sign("("):
            inside = self._any()
            self._stream.sign(")", needed=True)
            return inside
        return self._compare()

    def _compare(self) -> Compare:
        field = self._stream.take("word")
        if self._stream.word("LIKE", needed=False):
            return Compare(field, "LIKE", (self._literal(),))
        negated = self._stream.word("NOT", needed=False)
        if self._stream.word("IN", needed=negated):
            if inner := self._inner():
                return Compare(field, "NOT IN" if negated else "IN", (), inner)
            return Compare(field, "NOT IN" if negated else "IN", self._list())
        sign = self._stream.take("sign")
        if sign.text in {"(", ")", ","}:
            raise self._stream.unexpected(sign)
        return Compare(field, "!=" if sign.text == "<>" else sign.text, (self._literal(),))

    def _inner(self) -> Token | None:
        """Read a semi-join without a condition of its own; None where a list begins."""
        if not self._stream.opens_with("SELECT"):
            return None
        self._stream.sign("(", needed=True)
        for word in ("SELECT", "ID", "FROM"):
            self._stream.word(word)
        table = self._stream.take("word")
        self._stream.sign(")", needed=True)
        return table

    def _list(self) -> tuple[Literal, ...]:
        self._stream.sign("(", needed=True)
        found = [self._literal()]
        while self._stream.sign(","):
            found.append(self._literal())
        self._stream.sign(")", needed=True)
        return tuple(found)

    def _literal(self) -> Literal:
        token = self._stream.take()
        if token.kind == "word" and token.text.lower() in {"true", "false", "null"}:
            kind = "null" if token.text.lower() == "null" else "boolean"
            return Literal(kind, token.text.lower(), token.at)
        if token.kind not in {"string", "datetime", "date", "number"}:
            raise self._stream.unexpected(token)
        return Literal(token.kind, unquote(token.text) if token.kind == "string" else token.text, token.at)

    def _order(self) -> tuple[Order, ...]:
        self._stream.word("BY")
        found = [self._order_part()]
        while self._stream.sign(","):
            found.append(self._order_part())
        return tuple(found)

    def _order_part(self) -> Order:
        field = self._stream.take("word")
        descending = self._stream.word("DESC", needed=False) or (self._stream.word("ASC", needed=False) and False)
        last = False
        if self._stream.word("NULLS", needed=False):
            last = self._stream.word("LAST", needed=False)
            if not last:
                self._stream.word("FIRST")
        return Order(field, descending, last)


class _Stream:
    """The tokens of one statement, taken one after the other."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._next = 0

    def peek(self, word: str) -> bool:
        token = self._tokens[self._next]
        return token.kind == "word" and token.text.upper() == word

    def opens_with(self, word: str) -> bool:
        """Tell whether a bracket and this word come next."""
        bracket, first, *_ = (*self._tokens[self._next : self._next + 2], Token("end", "", 0), Token("end", "", 0))
        return bracket.text == "(" and first.kind == "word" and first.text.upper() == word

    def word(self, word: str, *, needed: bool = True) -> bool:
        if self.peek(word):
            self._next += 1
            return True
        if needed:
            raise self.unexpected()
        return False

    def sign(self, sign: str, *, needed: bool = False) -> bool:
        token = self._tokens[self._next]
        if token.kind == "sign" and token.text == sign:
            self._next += 1
            return True
        if needed:
            raise self.unexpected()
        return False

    def take(self, kind: str = "") -> Token:
        token = self._tokens[self._next]
        if token.kind == "end" or (kind and token.kind != kind):
            raise self.unexpected()
        self._next += 1
        return token

    def end(self) -> None:
        if self._tokens[self._next].kind != "end":
            raise self.unexpected()

    def unexpected(self, token: Token | None = None) -> ApiError:
        wrong = token or self._tokens[self._next]
        return at_fault(self._text, wrong.at, "MALFORMED_QUERY", f"unexpected token: '{wrong.text or '<EOF>'}'")


def _tokens(text: str) -> Sequence[Token]:
    found: list[Token] = []
    at = 0
    end = len(text.rstrip())
    while at < end:
        match = _TOKEN.match(text, at)
        if match is None or match.lastgroup is None:
            wrong = at + len(text[at:]) - len(text[at:].lstrip())
            raise at_fault(text, wrong, "MALFORMED_QUERY", f"unexpected character: '{text[wrong]}'")
        found.append(Token(match.lastgroup, match[match.lastgroup], match.start(match.lastgroup)))
        at = match.end()
    return [*found, Token("end", "", end)]
