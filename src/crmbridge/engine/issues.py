"""One thing in a process or its settings that doesn't hang together, and the codes these come under."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

from msgspec import Struct

from crmbridge.engine.nearest import nearest

Path = tuple[str | int, ...]
Severity = Literal["error", "warning"]

CODES: Mapping[str, tuple[Severity, str]] = MappingProxyType(
    {
        "duplicate-id": ("error", "two things of one kind have the same id, or a list names something twice"),
        "reserved-id": ("error", "an id that already means something else"),
        "unknown-role": ("error", "a role that is not listed under `roles`"),
        "unknown-material": ("error", "a material that is not listed under `materials`"),
        "unknown-output": ("error", "an output that the stage does not list under `outputs`"),
        "unknown-touch-point": ("error", "a touch point that is not listed under `touch_points`"),
        "unknown-field": ("error", "a field that is neither a standard deal field nor listed under `fields`"),
        "unknown-option": ("error", "a value that is not among the field's options"),
        "unknown-calendar": ("error", "a calendar that is not listed under `calendars`"),
        "unknown-stage": ("error", "a stage that the process doesn't have"),
        "unknown-time-zone": ("error", "a time zone that doesn't exist"),
        "wrong-field-type": ("error", "a check that can't be made on a field of this type"),
        "impossible-count": ("error", "more is asked for than is listed"),
        "expr-syntax": ("error", "an expression that is not written as expressions are"),
        "expr-literal": ("error", "a number, date, duration or text in an expression that can't be read"),
        "expr-type": ("error", "a part of an expression that has another type than is needed there"),
        "expr-pattern": ("error", "a regular expression that is not understood"),
        "expr-constant": ("error", "an expression that says the same of every deal"),
        "expr-too-large": ("error", "an expression that is too long, nested too deep, or a loop within a loop"),
        "unknown-function": ("error", "a function that expressions don't have"),
        "unreachable-stage": ("error", "no way through `next` leads to the stage"),
        "dead-end": ("error", "no way through `next` leads from the stage to the end of the process"),
        "several-won-stages": ("error", "more than one stage has `status: won`"),
        "never-open": ("error", "business time in a calendar that has no opening hours"),
        "missing-calendar": ("error", "business time without a calendar to count it in"),
        "wrong-target": ("error", "an indicator's target, warn, quota or stage that is not what its measure needs"),
        "missing-translation": ("warning", "a text that lacks one of the declared languages"),
        "too-many-indicators": ("warning", "more indicators than people can act on"),
        "unused-field": ("warning", "a process field that no rule, output, SLA or hand-off uses"),
        "never-holds": ("warning", "conditions of an expression that exclude each other"),
        "same-name": ("warning", "two stages, or two fields, that people can't tell apart by their names"),
        "unmeasured-handoff": ("warning", "a hand-off with a time limit but no field that shows its acceptance"),
        "unknown-connection": ("error", "a connection that is not under `connections`, or not in the sync's `between`"),
        "shared-connection": ("error", "a connection that stands in two syncs, which would fight over its links"),
        "ambiguous-stage": ("error", "a CRM's stage that stands for two stages of the process"),
        "shared-field": ("error", "a CRM's field that stands for two fields of the process"),
        "unknown-rule": ("error", "a binding or threshold whose pattern matches no rule of the process"),
        "unknown-person": ("error", "a role that nobody stands for under `people`"),
        "unknown-sink": ("error", "a sink that there is not, or that is not listed under `notices`"),
        "unknown-report": ("error", "a report that is not listed under `reports`"),
        "wrong-sink": ("error", "a sink that isn't one key with settings that it can read"),
        "wrong-case": ("error", "a value or a moment in a case that can't be what it must be"),
        "case-failed": ("error", "a case of `process_tests` of which the process says something else than it must"),
        "uncovered-stage": ("warning", "a stage of the process without a counterpart in a mapped connection"),
        "one-sided-sync": ("warning", "connections kept in step of which only some have their stages mapped"),
        "idle-setting": ("warning", "something that a sync says and that nothing comes of as the rest stands"),
        "blind-match": ("warning", "a sync that creates deals and can't find those that are there already"),
        "nobody-listed": ("warning", "a role that may approve or move deals, and that the settings list nobody for"),
        "unknown-language": ("warning", "a language that the process is not written in"),
    }
)


class Issue(Struct, frozen=True, kw_only=True):
    """What doesn't hang together, and the path to it in the file.

    `at_key`: the key is wrong, not its value. `within`: only this piece of the text at the path, in characters.
    """

    path: Path
    code: str
    sentence: str
    nearest: str | None = None
    severity: Severity
    at_key: bool = False
    advice: str = ""
    within: tuple[int, int] | None = None


def issue(path: Path, code: str, sentence: str, **details: Any) -> Issue:
    """Make an issue with the severity of its code."""
    return Issue(path=path, code=code, sentence=sentence, severity=CODES[code][0], **details)


def listed(at: Path, names: Iterable[str]) -> list[tuple[Path, str]]:
    """Give names with their places in the list that stands at a path, as `unknown` and `duplicates` take them."""
    return [((*at, i), name) for i, name in enumerate(names)]


def unknown(
    what: str, names: Iterable[tuple[Path, str]], allowed: Iterable[str], *, at_key: bool = False
) -> Iterator[Issue]:
    """Report the names that are not allowed; `what` is the noun, and `unknown-noun` the code."""
    known = tuple(allowed)
    code = "unknown-" + what.replace(" ", "-")
    for path, name in names:
        if name not in known:
            yield issue(path, code, f"there is no {what} {name!r}", nearest=nearest(name, known), at_key=at_key)


def duplicates(what: str, ids: Iterable[tuple[Path, str]]) -> Iterator[Issue]:
    """Report every id that has been seen before."""
    seen: set[str] = set()
    for path, name in ids:
        if name in seen:
            yield issue(path, "duplicate-id", f"there are two of the {what} {name!r}")
        seen.add(name)
