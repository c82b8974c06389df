"""Show what each rule says of a deal: from which values, where it stands, what would clear it and who can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, plural, strong, table
from crmbridge.engine.text import plain
from crmbridge.model.findings import Judgement
from crmbridge.model.values import show
from crmbridge.services.explained import Asked, ExplainedRule, Seen, Told

if TYPE_CHECKING:
    from datetime import datetime

    from crmbridge.services.explained import Readiness

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
    about = [*_sources(rule), *([rule.place] if rule.place else [])]
    if about:
        yield ["", "", dim("; ".join(about))]


def _sources(rule: ExplainedRule) -> Iterator[str]:
    """Say what was seen, and whether that is what the deal held at the moment judged, and who says so."""
    past = rule.asked is not Asked.TO_LEAVE and rule.verdict.judgement in {Judgement.FAIL, Judgement.UNKNOWN}
    of_which = {one.name: _of_which(one, past=past) for one in rule.seen}
    for which, group in groupby(sorted(rule.seen, key=lambda s: of_which[s.name]), key=lambda s: of_which[s.name]):
        values = ", ".join(f"{cut(one.label, VALUE)} = {cut(show(one.value), VALUE)}" for one in group)
        yield f"saw {values}{which}"


def _of_which(seen: Seen, *, past: bool) -> str:
    """Say of which time a value is; `past` tells that the rule is about another one than now."""
    if seen.told is Told.RECORDED:
        return f", as {seen.source} recorded it at {moment(seen.told_at)}"
    if seen.told is Told.SEEN and seen.told_at:
        return f", as it was last seen on {moment(seen.told_at)}"
    if seen.of_then:
        return ", as it was then"
    why = f" ({seen.source} can't tell what it was: {plain(seen.why)})" if seen.why else ""
    return f", as it is now{why}" if past else ""


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
