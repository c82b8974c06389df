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
        yield ["", "", f"{rule.remedy}" + (f" Who can: {who}." if who else "")]
    about = [*_sources(rule.seen), *([rule.place] if rule.place else [])]
    if about:
        yield ["", "", dim("; ".join(about))]


def _sources(seen: Sequence[Seen]) -> Iterator[str]:
    """Say what was seen, and whether that is what the deal held at the moment judged."""
    for of_then, group in groupby(sorted(seen, key=lambda one: one.of_then), key=lambda one: one.of_then):
        values = ", ".join(f"{cut(one.label, VALUE)} = {cut(show(one.value), VALUE)}" for one in group)
        yield f"saw {values}" + (", as it was then" if of_then else "")


def read_parts(rules: Sequence[ExplainedRule]) -> Iterator[str]:
    """Say where the values that rules saw were read, and when: of each place once."""
    told: dict[tuple[str, str], None] = {}
    for one in (one for rule in rules for one in rule.seen):
        changed = f", changed {moment(one.changed_at)}" if one.changed_at else ""
        what = "deal" if one.changed_at else "activities"
        told[one.source, f"{what} pulled {moment(one.pulled_at)}{changed}"] = None
    for source, group in groupby(sorted(told), key=lambda each: each[0]):
        yield f"{source}: {'; '.join(said for _, said in group)}"


def moment(at: datetime | None) -> str:
    """Show a time to the minute, in UTC."""
    return at.strftime("%Y-%m-%d %H:%M") if at else "never"
