"""Say in plain words, and at the right place, what pydantic finds wrong in a file's data."""

from __future__ import annotations

import types
import typing
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec import Struct
from pydantic import BaseModel
from pydantic_core import ErrorDetails

from crmbridge.engine.nearest import nearest
from crmbridge.files.diagnostics import Diagnostic
from crmbridge.files.display import shorten
from crmbridge.files.source import Source
from crmbridge.files.yaml_nodes import Path, value_at
from crmbridge.model.checks import CHECKS
from crmbridge.settings import Secret

LONGEST_VALUE = 60
OTHER_VERSION = "It says which form the file has: this crmbridge reads form 1, and a later one needs a newer crmbridge."
FRACTION = "A fraction is written with a point, as in 1.5; a comma ends the value before it."
WHERE_KEPT = (
    "Say where the secret is kept, not what it is: {env: NAME}, {file: path}, {command: …} or {keyring: service/name}."
)
_BRANCH_CODES = frozenset({"wrong-type"})  # what a union says once per branch


class _Said(NamedTuple):
    """An error in our words."""

    code: str
    sentence: str
    advice: str = ""


_EXPECTED: Mapping[str, str] = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "decimal_type": "a number",
    "decimal_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}
_LIMITS: Mapping[str, tuple[str, str]] = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
PATTERNS: Mapping[str, str] = {  # regular expression of the model -> what it asks for
    r"^[a-z][a-z0-9_]*$": "small letters, digits and _, beginning with a letter",
    r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)?$": "small letters, digits and _, with one dot at most",
    r"^[A-Za-z_][A-Za-z0-9_]*$": "the name of an environment variable, in letters, digits and _",
    r"^[A-Z]{2}$": "two capital letters, such as DE",
    r"^[A-Z]{3}$": "three capital letters, such as EUR",
    r"^\d+(d|h)$": "a number and d or h, such as 1d",
    r"\S": "some words",
    r"^(sqlite:///.|postgres.*://)": "sqlite:///path/to/state.db, or postgresql://host/database",
    r"^https?://[^\s/]+": "an address that begins with https:// or http://",
    r"^https://[^\s/]+/?$": "https:// and a host, with nothing behind it",
    r"^[A-Za-z0-9.-]+$": "the name of a host, such as crm.example.com, without https:// and port",
    r"^[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)*$": "a name of letters, digits and -, without https:// and slashes",
    r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$": "a name of small letters, digits and -, without https:// and dots",
    r"^[A-Za-z0-9_.-]+$": "letters, digits, _, . and -",
    r"^\d{2,3}\.0$": "a version in quotes, such as '67.0'",
    r"^00D[0-9A-Za-z]{12}(?:[0-9A-Za-z]{3})?$": "15 or 18 letters and digits, beginning with 00D",
    r"^([a-z][a-z0-9_]*|[^@\s]+@[^@\s]+)$": "a name in small letters, such as one under people:, or an e-mail address",
    r"^(newest|ask|only_if_empty|prefer: *[a-z][a-z0-9_]*)$": (
        "newest, ask, only_if_empty, or 'prefer: CONNECTION' in quotes"
    ),
    r"^(both|from: *[a-z][a-z0-9_]*)$": "both, or 'from: CONNECTION' in quotes",
    r"^(off|from: *[a-z][a-z0-9_]*)$": "off, or 'from: CONNECTION' in quotes",
}


class _Place(Struct, frozen=True):
    """Where an error belongs. `branch`: pydantic tried one of several types there, and this one did not fit."""

    path: Path
    at_key: bool
    missing: str | None
    branch: bool


def explain_errors(
    source: Source, model: type[BaseModel], errors: Sequence[ErrorDetails], base: Path = ()
) -> Iterator[Diagnostic]:
    """Turn pydantic's errors on the data at `base` into diagnostics in the file.

    Left out is what pydantic says too often: a list called too short because all its items were refused, a key that
    is missing because it is misspelt, and the branches of a union that nobody meant.
    """
    meant = {(error["loc"][:-1], _guess_key(model, error)) for error in errors if error["type"] == "extra_forbidden"}
    kept = [(error, _place(error, source, base)) for error in errors if not _is_echo(error, meant)]
    deeper = {place.path[:depth] for _, place in kept for depth in range(len(place.path))}
    told: set[tuple[Path, str]] = set()
    for error, place in kept:
        said = _say(error)
        if place.branch and said.code in _BRANCH_CODES:
            if place.path in deeper or (place.path, said.code) in told:
                continue
            told.add((place.path, said.code))
            said = said._replace(sentence=_wrong_type(_all_expected(kept, place.path), error["input"]))
        yield _diagnose(source, model, error, place, said)


def allowed_keys(model: type[BaseModel], loc: Iterable[str | int]) -> tuple[str, ...]:
    """List the keys of the models that pydantic may have tried at an error's location."""
    *_, models = _models_along(model, loc)
    return tuple(dict.fromkeys(f.alias or name for kind in models for name, f in kind.model_fields.items()))


def leads_through(kind: type[BaseModel], model: type[BaseModel], loc: Iterable[str | int]) -> bool:
    """Tell whether an error's location lies in a model of some kind within the model."""
    return any(kind in models for models in _models_along(model, loc))


def _models_along(model: type[BaseModel], loc: Iterable[str | int]) -> Iterator[list[type[BaseModel]]]:
    """Give the models that can stand at each step of a location, the first one before the first step."""
    found: list[Any] = [model]
    yield [model]
    for part in loc:
        if isinstance(part, str) and part.startswith("check:"):
            found = [CHECKS[part.removeprefix("check:")]]
        else:
            found = [inner for annotation in found for inner in _step(annotation, part)]
        yield [kind for annotation in found for kind in _models(annotation)]


def _diagnose(source: Source, model: type[BaseModel], error: ErrorDetails, place: _Place, said: _Said) -> Diagnostic:
    guess: str | None = None
    sentence, advice = said.sentence, said.advice
    path, key = place.path, place.at_key
    if place.missing is not None:
        sentence = f"the key {place.missing!r} is missing here"
    elif said.code == "unknown-key":
        sentence = f"{shorten(str(path[-1]), LONGEST_VALUE)!r} is no key that can stand here"
        guess, key = _guess_key(model, error), True
        advice = "" if guess else f"The keys here are: {', '.join(allowed_keys(model, error['loc'][:-1]))}."
        advice = FRACTION if str(path[-1]).isdecimal() else advice
    elif said.code == "unknown-check":
        names = error["input"] if isinstance(error["input"], dict) else {}
        guess = next((found for name in names if (found := nearest(name, CHECKS))), None)
    elif error["type"] in {"enum", "literal_error"}:
        guess = nearest(str(error["input"]), _choices(error))
        advice = OTHER_VERSION if error["loc"] == ("version",) else advice
    elif said.code in {"wrong-type", "wrong-name"} and leads_through(Secret, model, error["loc"]):
        advice = WHERE_KEPT
    return source.at(path, said.code, sentence, key=key, nearest=guess, advice=advice)


def _say(error: ErrorDetails) -> _Said:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind in _EXPECTED:
        return _Said("wrong-type", _wrong_type([_EXPECTED[kind]], value), _type_advice(kind, value))
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return _Said("wrong-value", f"{show_value(value)} is out of range; it must be {words} {context[name]}")
    speak = _SENTENCES.get(kind)
    return speak(value, context) if speak else _Said("wrong-value", f"{show_value(value)} can't stand here")


def _wrong_choice(value: Any, context: Mapping[str, Any]) -> _Said:
    return _Said("wrong-value", f"{show_value(value)} is not one of {context['expected'].replace(' or ', ', ')}")


def _wrong_name(value: Any, context: Mapping[str, Any]) -> _Said:
    wanted = PATTERNS.get(context["pattern"], f"text that matches {context['pattern']}")
    return _Said("wrong-name", f"{show_value(value)} is not written as it must be: {wanted}")


def _own_words(value: Any, context: Mapping[str, Any]) -> _Said:
    sentence = str(context.get("error", "")) or f"{show_value(value)} can't stand here"
    return _Said("wrong-value", sentence)


_SENTENCES: Mapping[str, Callable[[Any, Mapping[str, Any]], _Said]] = {
    "missing": lambda _value, _context: _Said("missing-key", ""),
    "extra_forbidden": lambda _value, _context: _Said("unknown-key", ""),
    "enum": _wrong_choice,
    "literal_error": _wrong_choice,
    "string_pattern_mismatch": _wrong_name,
    "string_too_long": lambda value, context: _Said(
        "wrong-name", f"{show_value(value)} is longer than {context['max_length']} characters"
    ),
    "too_short": lambda _value, context: _Said(
        "empty-list", f"at least {context['min_length']} must be listed here, not {context['actual_length']}"
    ),
    "unknown_check": lambda _value, _context: _Said(
        "unknown-check", "this is no check", f"A check is one of: {', '.join(CHECKS)}."
    ),
    "value_error": _own_words,
}


def show_value(value: Any) -> str:
    """Show a plain value in a sentence, as it would be written in the file."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "true" if value else "false"
        case str():
            return repr(shorten(value, LONGEST_VALUE))
        case int() | Decimal():
            return str(value)
        case dict():
            return "a mapping"
        case _:
            return "a list"


def _wrong_type(expected: Iterable[str], value: Any) -> str:
    return f"{' or '.join(dict.fromkeys(expected))} must stand here, not {show_value(value)}"


def _type_advice(kind: str, value: Any) -> str:
    if kind == "string_type" and isinstance(value, int | Decimal):
        return "Put it in quotes if it is text."
    if kind in {"tuple_type", "list_type"} and isinstance(value, str):
        return f"A list is written as [{shorten(value, LONGEST_VALUE)}], or with one `- ` line per item."
    if _EXPECTED[kind] == "a mapping" and value is None:
        return "What belongs to it stands below, further to the right."
    return ""


def _all_expected(kept: Iterable[tuple[ErrorDetails, _Place]], path: Path) -> list[str]:
    return [_EXPECTED[error["type"]] for error, place in kept if place.path == path and error["type"] in _EXPECTED]


def _choices(error: ErrorDetails) -> list[str]:
    return [part.strip(" '") for part in error.get("ctx", {})["expected"].replace(" or ", ", ").split(",")]


def _is_echo(error: ErrorDetails, meant: Container[tuple[Path, str | None]]) -> bool:
    """Tell whether an error only follows from another: a list whose items were refused, a key that is misspelt."""
    if error["type"] == "missing":
        return (error["loc"][:-1], str(error["loc"][-1])) in meant
    return error["type"] == "too_short" and len(error["input"]) > error["ctx"]["actual_length"]


def _guess_key(model: type[BaseModel], error: ErrorDetails) -> str | None:
    return nearest(str(error["loc"][-1]), allowed_keys(model, error["loc"][:-1]))


def _place(error: ErrorDetails, source: Source, base: Path) -> _Place:
    """Follow an error's location through the data; parts that are not in it name a type that pydantic tried."""
    loc = error["loc"]
    missing = str(loc[-1]) if error["type"] == "missing" else None
    value = value_at(source.root, base) if source.root else None
    path: list[str | int] = list(base)
    branch = False
    for part in loc[:-1] if missing is not None else loc:
        if isinstance(value, dict) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            branch = branch or not (part == "[key]" or str(part).startswith("check:"))
            continue
        branch = False
        path.append(part)
    return _Place(tuple(path), "[key]" in loc[-1:], missing, branch)


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    """Give the types that a key or index leads to."""
    for kind in _unwrapped(annotation):
        origin, arguments = typing.get_origin(kind), typing.get_args(kind)
        if origin in {tuple, list} and isinstance(part, int):
            yield arguments[0]
        elif origin is dict and isinstance(part, str):
            yield arguments[1]
        elif isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            yield kind.model_fields[str(part)].annotation


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    for kind in _unwrapped(annotation):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind


def _unwrapped(annotation: Any) -> Iterator[Any]:
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        yield from _unwrapped(typing.get_args(annotation)[0])
    elif origin in {typing.Union, types.UnionType}:
        for branch in typing.get_args(annotation):
            yield from _unwrapped(branch)
    else:
        yield annotation
