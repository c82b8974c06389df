"""Show what each rule says of a deal: from which values, where it stands, what would clear it and who can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, plural, strong, table
from crmbridge.model.findings import Judgement
from crmbridge.model.values import show

if TYPE_CHECKING:
    from datetime import datetime

    from crmbridge.services.explained import ExplainedRule, Readiness, Seen

VALUE, MESSAGE = 40, 300  # columns
_MARKS = {
    Judgement.PASS: Tinted("✓", Tone.GOOD),
    Judgement.FAIL: Tinted("✗", Tone.BAD),
    Judgement.UNKNOWN: Tinted("?", Tone.WARN),
    Judgement.NOT_APPLICABLE: Tinted("\u2013", Tone.DIM),
}


def readiness_parts(readiness: Readiness) -> list[Part]:
    """Say in a sentence whether the deal may leave its stage."""
    name = cut(readiness.stage, VALUE)
    undecided = f"{readiness.undecided} can't be decided" if readiness.undecided else ""
    if readiness.ready is None:
        return [strong("Nothing to leave"), ": it stands in no stage of the process."]
    if not readiness.ready:
        fail = f"{readiness.failing} of {plural(readiness.rules, 'rule')} fail{'s' * (readiness.failing == 1)}"
        said = ", ".join(filter(None, [fail, undecided]))
        return [Tinted(f"Not ready to leave {name}", Tone.BAD), f": {said}."]
    if not readiness.rules:
        return [Tinted(f"Free to leave {name}", Tone.GOOD), ": no rule of it applies."]
    said = f"{readiness.rules - readiness.undecided} of {plural(readiness.rules, 'rule')} pass"
    return [Tinted(f"Ready to leave {name}", Tone.GOOD), f": {', '.join(filter(None, [said, undecided]))}."]


def rule_lines(title: str, rules: Sequence[ExplainedRule]) -> Iterator[Line]:
    """Show some rules under a title; nothing where there are none."""
    if not rules:
        return
    yield ""
    yield strong(title)
    yield from table([row for rule in rules for row in _rows(rule)], indent=2)


def _rows(rule: ExplainedRule) -> Iterator[list[Part]]:
    verdict = rule.verdict
    name = verdict.rule.rpartition(".")[2]
    yield [_MARKS[verdict.judgement], name, cut(verdict.message, MESSAGE)]
    if rule.remedy:
        who = ", ".join(filter(None, [rule.role, rule.person]))
        yield ["", "", f"To clear it: {rule.remedy}" + (f" By: {who}." if who else "")]
    for text in _sources(rule.seen):
        yield ["", "", dim(text)]
    if rule.place:
        yield ["", "", dim(rule.place)]


def _sources(seen: Sequence[Seen]) -> Iterator[str]:
    """Say what was seen, values from one place and time together."""
    for _, group in groupby(sorted(seen, key=_source_key), key=_source_key):
        together = list(group)
        first = together[0]
        values = ", ".join(f"{cut(one.label, VALUE)} = {cut(show(one.value), VALUE)}" for one in together)
        yield f"saw {values} ({_where(first)})"


def _source_key(one: Seen) -> tuple[str, bool, str, str]:
    return one.source, one.of_then, moment(one.changed_at), moment(one.pulled_at)


def _where(one: Seen) -> str:
    said = [one.source]
    said += ["as it was then"] if one.of_then else []
    said += [f"changed {moment(one.changed_at)}"] if one.changed_at and not one.of_then else []
    said += [f"pulled {moment(one.pulled_at)}"] if one.pulled_at else []
    return "; ".join(said)


def moment(at: datetime | None) -> str:
    """Show a time to the minute, in UTC."""
    return at.strftime("%Y-%m-%d %H:%M") if at else "never"
