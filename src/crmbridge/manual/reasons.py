"""Say in the reader's language why a change is planned, or why something waits.

Reasons are stored as sentences in English. The engine puts each together after one pattern; here it is read by that
pattern again. What was filled in comes from CRMs and the files, and stays as it is; so does a reason that fits none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from markupsafe import Markup, escape

from crmbridge.manual.saying import Saying
from crmbridge.manual.words import words_of
from crmbridge.model.values import show

_LONGEST = 5000  # characters of a reason that is read; the engine's own are far shorter
_APART = "; "  # stands between what is said of several fields
_SLOT = re.compile(r"\{(\w+)\}")
_ID, _REF = r"[a-z][a-z0-9_]*", r"\S+"
_FIELD = rf"{_ID}(?:\.{_ID})?"
_SLOTS: Mapping[str, str] = {
    "field": _FIELD,
    "fields": rf"{_FIELD}(?: and {_FIELD})*",
    "listed": rf"{_FIELD}(?:, {_FIELD})*",
    "names": rf"{_ID}(?: and {_ID})*",
    "others": rf"{_ID}(?:, {_ID})*",
    "refs": rf"{_REF}(?:, {_REF})*",
    "quoted": r"'.*'|\".*\"",  # as Python writes a text
    "stage": r".+",
    "place": r"`enforce` \d+(?:, `escalate` \d+)?",
    "text": r".*",
    "n": r"\d+",
    "most": r"\d+",
    **dict.fromkeys(("crm", "role", "name"), _ID),
    **dict.fromkeys(("ref", "other", "email", "rule", "day", "before", "after"), _REF),
}


def reason_told(reason: str, of: Saying) -> str | None:
    """Tell a reason; None where it is none that is known, or too long to be one."""
    if len(reason) > _LONGEST:
        return None
    whole = _one(reason, of)
    if whole is not None:
        return str(whole.unescape())
    told = _each(reason.split(_APART), of)
    return None if told is None else str(_folded("why_and", told, of).unescape())


def _folded(key: str, parts: Iterable[str], of: Saying) -> Markup:
    """Join two or more by the words that stand between two."""
    first, *others = map(escape, parts)
    for second in others:
        first = of.words(key, first=first, second=second)
    return first


def _each(parts: Sequence[str], of: Saying) -> list[Markup] | None:
    """Tell what is said of each field, two parts together where that is one thing; None where one can't be told."""
    told: list[Markup] = []
    number = 0
    while number < len(parts):
        both = _one(_APART.join(parts[number : number + 2]), of) if number + 1 < len(parts) else None
        said = both or _one(parts[number], of)
        if said is None:
            return None
        told.append(said)
        number += 2 if both else 1
    return told


def _one(reason: str, of: Saying) -> Markup | None:
    for key, pattern in _patterns().items():
        found = pattern.fullmatch(reason)
        if found:
            return of.words(key, **{name: _slot(name, text, of) for name, text in found.groupdict().items()})
    return None


def _slot(name: str, text: str, of: Saying) -> object:
    """Write what was filled in: fields and stages as the process calls them, all else as it is."""
    match name:
        case "field" | "fields" | "listed":
            return of.words.listed(_field(each, of) for each in re.split(" and |, ", text))
        case "names":
            return _folded("why_both", text.split(" and "), of)
        case "quoted":
            return of.words.quoted(text[1:-1]) if text[1:-1] != show(None) else of.words("empty")
        case "before" | "after":
            return of.stage(text)
        case "stage":  # its name in English
            return next((of.stage(each.id) for each in of.speech.process.stages if str(each.name) == text), text)
    return text


def _field(name: str, of: Saying) -> Markup:
    return of.words("why_stage") if name == "stage" else escape(of.name(name))


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    """Give the pattern of each reason, made from the words in English."""
    said = {key: text for key, text in words_of("en").texts.items() if key.startswith("why_")}
    own = ("why_and", "why_both", "why_stage")
    return {key: re.compile(_pattern(text), re.DOTALL) for key, text in said.items() if key not in own}


def _pattern(text: str) -> str:
    pieces = _SLOT.split(text)  # what stands there, a name, what stands there, ...
    return "".join(f"(?P<{each}>{_SLOTS[each]})" if at % 2 else re.escape(each) for at, each in enumerate(pieces))
