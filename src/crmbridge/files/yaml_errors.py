"""What is wrong with a YAML text, in words that someone who doesn't know YAML's grammar can act on."""

from __future__ import annotations

from typing import NamedTuple

import yaml


class Fault(NamedTuple):
    """Something wrong between two characters of the text. `other` is where the thing it collides with begins."""

    start: int
    end: int
    code: str
    sentence: str
    advice: str = ""
    other: int | None = None


class _Wording(NamedTuple):
    """How one of libyaml's complaints is put. `at_context`: the place where it began says more than where it ended."""

    sentence: str
    advice: str = ""
    at_context: bool = False


_INDENT = "Compare the indentation of this line with the lines above it."
_COMMA = "Close it, or put the comma that is missing between two of its parts."
_WORDINGS: dict[str, _Wording] = {  # part of the parser's message -> our words; the first that fits is taken
    "mapping values are not allowed": _Wording(
        "a colon stands where no key can be", "Check the indentation, or put the whole text in quotes."
    ),
    "could not find expected ':'": _Wording("this line has no `key: value` form", _INDENT, at_context=True),
    "did not find expected key": _Wording("a key was expected here", _INDENT),
    "did not find expected '-' indicator": _Wording("a list item (`- …`) was expected here", _INDENT),
    "',' or ']'": _Wording("the list that begins here is not closed by ']'", _COMMA, at_context=True),
    "',' or '}'": _Wording("the mapping that begins here is not closed by '}'", _COMMA, at_context=True),
    "did not find expected node content": _Wording("a value was expected here"),
    "unexpected end of stream": _Wording("the quote that begins here is not closed", at_context=True),
    "unexpected document indicator": _Wording("the quote that begins here is not closed", at_context=True),
    "escape": _Wording("this backslash sequence means nothing", "Use single quotes to keep a backslash as it is."),
    "undefined tag handle": _Wording("a value that begins with '!' must be in quotes"),
    "while scanning an anchor": _Wording("a value that begins with '&' must be in quotes"),
    "while scanning an alias": _Wording("a value that begins with '*' must be in quotes"),
}


def explain_yaml_error(error: yaml.MarkedYAMLError, text: str) -> Fault:
    """Turn the parser's complaint into a fault at the most helpful place."""
    mark = error.problem_mark or error.context_mark
    offset = min(mark.index, len(text)) if mark else 0
    complaint = f"{error.context or ''}: {error.problem or ''}"
    found = text[offset : offset + 1]
    if found == "\t" or "tab character" in complaint:
        return Fault(offset, offset + 1, "yaml-tab", "a tab is used for indentation", "Indent with spaces.")
    if "cannot start any token" in complaint:
        sentence = f"a value can't begin with {found!r}"
        return Fault(offset, offset + 1, "yaml-syntax", sentence, "Put the whole value in quotes.")
    wording = next((words for part, words in _WORDINGS.items() if part in complaint), None)
    if wording is None:
        return Fault(offset, offset + 1, "yaml-syntax", f"this is not YAML: {error.problem or error.context}")
    if wording.at_context and error.context_mark:
        offset = min(error.context_mark.index, len(text))
    return Fault(offset, offset + 1, "yaml-syntax", wording.sentence, wording.advice)
