"""Read an expression's text: what is written, each part with its place, before anybody asks whether it makes sense."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from crmbridge.engine.expr.faults import ExprError, Fault, Span
from crmbridge.engine.expr.limits import DEEPEST, LARGEST_EXPONENT, LARGEST_SOURCE, LONGEST_NUMBER

if TYPE_CHECKING:
    from lark import Lark, Token, Tree

# Precedence and spelling are those of CEL's definition ("Common Expression Language", Syntax).
GRAMMAR = r"""
?start: choice
?choice: either
    | either "?" either ":" choice  -> choose
?either: both
    | both ("||" both)+             -> either
?both: relation
    | relation ("&&" relation)+     -> both
?relation: sum
    | relation COMPARES sum         -> binary
    | relation IN sum               -> binary
?sum: product
    | sum PLUS product              -> binary
    | sum MINUS product             -> binary
?product: unary
    | product TIMES unary           -> binary
?unary: member
    | NOT unary                     -> unary
    | MINUS unary                   -> unary
?member: primary
    | member "." NAME               -> part
    | member "." NAME "(" args ")"  -> method
?primary: NAME                      -> name
    | NAME "(" args ")"             -> call
    | "(" choice ")"                -> brackets
    | "[" args "]"                  -> list
    | NUMBER                        -> number
    | STRING                        -> string
    | TRUE                          -> constant
    | FALSE                         -> constant
    | NULL                          -> constant
args: [choice ("," choice)*]

COMPARES: "==" | "!=" | "<=" | ">=" | "<" | ">"
PLUS: "+"
MINUS: "-"
TIMES: "*" | "/" | "%"
NOT: "!"
IN: "in"
TRUE: "true"
FALSE: "false"
NULL: "null"
NAME: /[A-Za-z_][A-Za-z0-9_]*/
NUMBER: /([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?/
STRING: /[rR]?("(\\.|[^"\\\n])*"|'(\\.|[^'\\\n])*')/
%ignore /[ \t\r\n]+/
"""
SHOWN = 40  # characters
SPLIT = "Say it in several rules."
_BRACKET = re.compile(r"""[()\[\]]|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'""")  # or a text, in which brackets are none
_CONSTANTS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None}
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.))", re.DOTALL)
_PLAIN_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'", "`": "`", "?": "?"}
# What people write who come from elsewhere -> how it is written here.
_ELSEWHERE = {"and": "&&", "or": "||", "not": "!", "=": "==", "<>": "!=", "=>": ">=", "=<": "<=", "&": "&&", "|": "||"}
_ELSEWHERE_NAMES = {"True": "true", "TRUE": "true", "False": "false", "FALSE": "false", "None": "null", "NULL": "null"}
_TYPOGRAPHERS_QUOTES = "\u201c\u201d\u201e\u2018\u2019"
_LEXEME = re.compile(r"<>|=>|=<|[A-Za-z_]+|.", re.DOTALL)


class Literal(Struct, frozen=True):
    """A value that is written down."""

    span: Span
    value: str | bool | Decimal | None


class Name(Struct, frozen=True):
    """A name, with its dots."""

    span: Span
    name: str


class Listed(Struct, frozen=True):
    """A list that is written down."""

    span: Span
    items: tuple[Syntax, ...]


class Call(Struct, frozen=True):
    """A function, or one of `target` where that is given; `at` is where its name stands."""

    span: Span
    at: Span
    name: str
    target: Syntax | None
    args: tuple[Syntax, ...]


class Operation(Struct, frozen=True):
    """An operator and its operands; `at` is where the operator stands. `?:` has three, `&&` and `||` any number."""

    span: Span
    at: Span
    op: str
    operands: tuple[Syntax, ...]


Syntax = Literal | Name | Listed | Call | Operation


def read(text: str) -> Syntax:
    """Read an expression; raises ExprError, which says what is wrong with it and where."""
    _refuse_large(text)
    from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken  # noqa: PLC0415  see _parser

    try:
        tree: Any = _parser().parse(text)
    except UnexpectedCharacters as error:
        raise _unreadable(text, int(getattr(error, "pos_in_stream", 0))) from error
    except UnexpectedToken as error:
        raise _unexpected(text, error.token) from error
    except UnexpectedInput as error:
        raise _error(Span(len(text), len(text)), "expr-syntax", "the expression ends too early") from error
    _refuse_deep(tree)
    return _build(tree)


def _refuse_large(text: str) -> None:
    """Refuse what would only take time to read: too long a text, and brackets within brackets without end."""
    if len(text) > LARGEST_SOURCE or len(text.encode("utf-8", "replace")) > LARGEST_SOURCE:
        sentence = f"an expression has at most {LARGEST_SOURCE} bytes, and this one more"
        raise _error(Span(0, SHOWN), "expr-too-large", sentence, advice=SPLIT)
    if not text.strip():
        raise _error(Span(0, len(text)), "expr-syntax", "there is no expression here")
    depth = 0
    for found in _BRACKET.finditer(text):
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(found[0], 0)
        if depth > DEEPEST:
            raise _too_deep(Span(*found.span()))


def _too_deep(span: Span) -> ExprError:
    return _error(span, "expr-too-large", f"more than {DEEPEST} levels are nested here", advice=SPLIT)


@cache
def _parser() -> Lark:
    # Imported when the first expression is read: commands that read none start without it.
    from lark import Lark  # noqa: PLC0415

    return Lark(GRAMMAR, parser="lalr", lexer="basic", propagate_positions=True, maybe_placeholders=False)


def _error(span: Span, code: str, sentence: str, *, nearest: str | None = None, advice: str = "") -> ExprError:
    return ExprError(Fault(span, code, sentence, nearest, advice))


def _unreadable(text: str, at: int) -> ExprError:
    found = text[at]
    if found in "\"'":
        return _error(Span(at, len(text)), "expr-syntax", "the text that begins here is not closed")
    lexeme = _lexeme(text, at)
    guess = _ELSEWHERE.get(lexeme)
    if found in _TYPOGRAPHERS_QUOTES:
        return _error(Span(at, at + 1), "expr-syntax", f"{found} is no quote of the language", nearest='"')
    return _error(Span(at, at + len(lexeme)), "expr-syntax", f"{lexeme!r} means nothing here", nearest=guess)


def _unexpected(text: str, token: Token) -> ExprError:
    if token.type == "$END":
        return _error(Span(len(text), len(text)), "expr-syntax", "the expression ends too early")
    start = token.start_pos or 0
    if text[start - 1 : start + 1] == "<>":
        start -= 1
    lexeme = _lexeme(text, start) if str(token) in {"<", ">"} else str(token)
    guess = _ELSEWHERE.get(lexeme)
    shown = lexeme if len(lexeme) <= SHOWN else lexeme[:SHOWN] + "…"
    return _error(Span(start, start + len(lexeme)), "expr-syntax", f"{shown!r} was not expected here", nearest=guess)


def _lexeme(text: str, at: int) -> str:
    found = _LEXEME.match(text, at)
    return found[0] if found else text[at]


def _refuse_deep(tree: Any) -> None:
    """Refuse deep nesting before anything that calls itself goes down there."""
    level = [tree]
    for _ in range(DEEPEST):
        level = [child for node in level for child in getattr(node, "children", ()) if hasattr(child, "children")]
        if not level:
            return
    raise _too_deep(_span(level[0]))


def _span(tree: Any) -> Span:
    if hasattr(tree, "meta"):
        return Span(getattr(tree.meta, "start_pos", 0), getattr(tree.meta, "end_pos", 0))
    return Span(tree.start_pos, tree.end_pos)


def _build(tree: Any) -> Syntax:
    return _BUILDERS[tree.data](tree)


def _binary(tree: Tree[Token]) -> Syntax:
    left, operator, right = tree.children
    return Operation(_span(tree), _span(operator), str(operator), (_build(left), _build(right)))


def _unary(tree: Tree[Token]) -> Syntax:
    operator, operand = tree.children
    inner = _build(operand)
    if operator == "-" and isinstance(inner, Literal) and isinstance(inner.value, Decimal):
        return Literal(_span(tree), -inner.value)
    return Operation(_span(tree), _span(operator), str(operator), (inner,))


def _joined(op: str) -> Callable[[Tree[Token]], Syntax]:
    def build(tree: Tree[Token]) -> Syntax:
        return Operation(_span(tree), _span(tree), op, tuple(_build(child) for child in tree.children))

    return build


def _part(tree: Tree[Token]) -> Syntax:
    owner, part = tree.children
    inner = _build(owner)
    if not isinstance(inner, Name):
        raise _error(_span(part), "expr-syntax", "only a name has parts that a dot leads to")
    return Name(_span(tree), f"{inner.name}.{part}")


def _name(tree: Tree[Token]) -> Syntax:
    name = str(tree.children[0])
    if guess := _ELSEWHERE_NAMES.get(name):
        raise _error(_span(tree), "expr-syntax", f"{name!r} is written in small letters", nearest=guess)
    return Name(_span(tree), name)


def _call(tree: Tree[Token]) -> Syntax:
    name, args = tree.children
    return Call(_span(tree), _span(name), str(name), None, _args(args))


def _method(tree: Tree[Token]) -> Syntax:
    target, name, args = tree.children
    return Call(_span(tree), _span(name), str(name), _build(target), _args(args))


def _args(tree: Any) -> tuple[Syntax, ...]:
    return tuple(_build(child) for child in tree.children)


def _list(tree: Tree[Token]) -> Syntax:
    return Listed(_span(tree), _args(tree.children[0]))


def _number(tree: Tree[Token]) -> Syntax:
    text = str(tree.children[0])
    if len(text) > LONGEST_NUMBER:
        raise _error(_span(tree), "expr-literal", f"a number of {len(text)} characters is too long")
    number = Decimal(text)
    if abs(number.adjusted()) > LARGEST_EXPONENT:
        raise _error(_span(tree), "expr-literal", f"{text} is too large or too small a number")
    return Literal(_span(tree), number)


def _string(tree: Tree[Token]) -> Syntax:
    span, written = _span(tree), str(tree.children[0])
    if written[0] in "rR":
        return Literal(span, written[2:-1])
    for found in _ESCAPE.finditer(written[1:-1]):
        if found[4] is not None and found[4] not in _PLAIN_ESCAPES:
            at = span.start + 1 + found.start()
            advice = 'Double the backslash, or write r"…", where backslashes stay as they are.'
            raise _error(Span(at, at + 2), "expr-literal", f"{found[0]!r} is no escape", advice=advice)
    return Literal(span, _ESCAPE.sub(_unescaped, written[1:-1]))


def _unescaped(found: re.Match[str]) -> str:
    if found[4] is not None:
        return _PLAIN_ESCAPES[found[4]]
    number = int(found[1] or found[2] or found[3], 16)
    return chr(number) if number < 0x110000 and not 0xD800 <= number < 0xE000 else "\ufffd"


def _choose(tree: Tree[Token]) -> Syntax:
    return Operation(_span(tree), _span(tree), "?:", _args(tree))


def _constant(tree: Tree[Token]) -> Syntax:
    return Literal(_span(tree), _CONSTANTS[str(tree.children[0])])


def _brackets(tree: Tree[Token]) -> Syntax:
    return _build(tree.children[0])


_BUILDERS: Mapping[str, Callable[[Any], Syntax]] = {
    "choose": _choose,
    "either": _joined("||"),
    "both": _joined("&&"),
    "binary": _binary,
    "unary": _unary,
    "part": _part,
    "method": _method,
    "name": _name,
    "call": _call,
    "brackets": _brackets,
    "list": _list,
    "number": _number,
    "string": _string,
    "constant": _constant,
}
