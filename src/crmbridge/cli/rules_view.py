"""Show what each rule says of a deal: from which values, where it stands, what would clear it and who can."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, strong, table
from crmbridge.engine.text import plain
from crmbridge.model.edits import COUNTED
from crmbridge.model.findings import Judgement
from crmbridge.services.answers.explanation import Asked, ExplainedRule, Seen, Told

if TYPE_CHECKING:
    from datetime import datetime

    from crmbridge.cli.speech import Speech
    from crmbridge.services.answers.explanation import Readiness

VALUE, MESSAGE = 40, 300  # columns
_MARKS = {
    Judgement.PASS: Tinted("✓", Tone.GOOD),
    Judgement.FAIL: Tinted("✗", Tone.BAD),
    Judgement.UNKNOWN: Tinted("?", Tone.WARN),
    Judgement.NOT_APPLICABLE: Tinted("\u2013", Tone.DIM),
}


def readiness_parts(readiness: Readiness, stage: str | None, say: Speech) -> list[Part]:
    """Say in a sentence whether the deal may leave its stage."""
    name = cut(say.stage(stage, readiness.stage), VALUE)
    undecided = say.counted("cannot_decide", readiness.undecided) if readiness.undecided else ""
    if readiness.ready is None:
        return [strong(say("nothing_to_leave")), say("in_no_stage")]
    if not readiness.ready:
        fail = "fail_single" if readiness.failing == 1 else "fail"
        said = [say.counted(fail, readiness.rules, failing=readiness.failing), undecided]
        return [Tinted(say("cannot_leave", stage=name), Tone.BAD), _listed(said, say)]
    if not readiness.rules:
        return [Tinted(say("free", stage=name), Tone.GOOD), say("no_rule")]
    said = [say.counted("pass", readiness.rules, passed=readiness.rules - readiness.undecided), undecided]
    return [Tinted(say("can_leave", stage=name), Tone.GOOD), _listed(said, say)]


def _listed(said: Sequence[str], say: Speech) -> str:
    return say("listed", said=say("comma").join(filter(None, said)))


def rule_lines(title: str, rules: Sequence[ExplainedRule], say: Speech) -> Iterator[Line]:
    """Show some rules under a title; nothing where there are none."""
    if not rules:
        return
    yield ""
    yield strong(title)
    yield from table([row for rule in rules for row in _rows(rule, say)], indent=2)


def _rows(rule: ExplainedRule, say: Speech) -> Iterator[list[Part]]:
    verdict = rule.verdict
    name = verdict.rule.rpartition(".")[2]
    yield [_MARKS[verdict.judgement], name, cut(say.verdict(verdict), MESSAGE)]
    if rule.remedy:
        who = say("list").join(filter(None, [say.role(verdict.stage, rule.role), rule.person]))
        yield ["", "", _remedy(rule, say) + (say("who_can", who=who) if who else "")]
    about = [*_sources(rule, say), *([rule.place] if rule.place else [])]
    if about:
        yield ["", "", dim(say("semicolon").join(about))]


def _remedy(rule: ExplainedRule, say: Speech) -> str:
    """Say what would clear a rule; in English it is said already."""
    if not say.teller:
        return rule.remedy
    fields = [name for name in rule.verdict.missing if name not in COUNTED]
    return say.teller.remedy(fields) if fields or not rule.verdict.missing else say("do_activities")


def _sources(rule: ExplainedRule, say: Speech) -> Iterator[str]:
    """Say what was seen, and whether that is what the deal held at the moment judged, and who says so."""
    past = rule.asked is not Asked.TO_LEAVE and rule.verdict.judgement in {Judgement.FAIL, Judgement.UNKNOWN}
    of_which = {one.name: _of_which(one, say, past=past) for one in rule.seen}
    for which, group in groupby(sorted(rule.seen, key=lambda s: of_which[s.name]), key=lambda s: of_which[s.name]):
        values = say("list").join(f"{_label(one, say)} = {cut(say.value(one.value), VALUE)}" for one in group)
        yield say("saw", values=values, which=which)


def _label(one: Seen, say: Speech) -> str:
    return cut(say.field(one.name) if say.teller else one.label, VALUE)


def _of_which(seen: Seen, say: Speech, *, past: bool) -> str:
    """Say of which time a value is; `past` tells that the rule is about another one than now."""
    if seen.told is Told.RECORDED:
        return say("recorded", source=seen.source, when=moment(seen.told_at))
    if seen.told is Told.SEEN and seen.told_at:
        return say("last_seen", when=moment(seen.told_at))
    if seen.of_then:
        return say("as_then")
    why = say("cannot_tell", source=seen.source, why=plain(seen.why)) if seen.why else ""
    return say("as_now") + why if past else ""


def read_parts(rules: Sequence[ExplainedRule], say: Speech) -> Iterator[str]:
    """Say where the values that rules saw were read, and when: of each place once."""
    told: dict[tuple[str, str], None] = {}
    for one in (one for rule in rules for one in rule.seen):
        pulled = moment(one.pulled_at) if one.pulled_at else say("never")
        what = say("deal_pulled" if one.changed_at else "activities_pulled", when=pulled)
        told[one.source, say("changed", what=what, when=moment(one.changed_at)) if one.changed_at else what] = None
    for source, group in groupby(sorted(told), key=lambda each: each[0]):
        yield f"{source}: {say('semicolon').join(said for _, said in group)}"


def moment(at: datetime | None) -> str:
    """Show a time to the minute, in UTC."""
    return at.strftime("%Y-%m-%d %H:%M") if at else "never"
