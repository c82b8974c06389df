"""Show why a deal stands as it does: the verdict first, then what it came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, strong, table
from crmbridge.cli.plan_view import written_in_words
from crmbridge.cli.rules_view import moment, read_parts, readiness_parts, rule_lines
from crmbridge.engine.sla.limits import clock_rule
from crmbridge.engine.text import plain
from crmbridge.model.findings import Finding, FindingKind, SlaClock, SlaState
from crmbridge.model.lives import accepted
from crmbridge.model.records import Status
from crmbridge.model.values import Value, show
from crmbridge.services.answers.deal_log import told
from crmbridge.services.answers.explanation import Absent, Asked, InStep
from crmbridge.services.answers.naming import Names, called_in_step

if TYPE_CHECKING:
    from crmbridge.cli.speech import Speech
    from crmbridge.model.process import Process
    from crmbridge.services.answers.explanation import ExplainedClock, Explanation

RECENT = 10  # journal rows shown
VALUE = 36  # columns of a value that is compared
_STATES = {SlaState.ON_TIME: Tone.GOOD, SlaState.AT_RISK: Tone.WARN, SlaState.BREACHED: Tone.BAD}
_APART = {
    InStep.WAITING: ("waits_for_run", Tone.WARN),
    InStep.HELD: ("waits_for_person", Tone.WARN),
    InStep.CONFLICT: ("is_conflict", Tone.BAD),
    InStep.LEFT: ("stays_so", Tone.DIM),
}
_ABSENT = {
    Absent.NOT_NAMED: "absent_not_named",
    Absent.CLOSED: "absent_closed",
    Absent.BESIDE: "absent_beside",
    Absent.NOT_YET: "absent_not_yet",
}


def explanation_lines(said: Explanation, process: Process, names: Names, say: Speech) -> Iterator[Line]:
    """Show a whole explanation."""
    stages = {each: say.stage(each, name) for each, name in names.stages.items()}
    yield readiness_parts(said.readiness, said.evaluation.place.stage, say)
    yield _standing(said, process, say)
    yield from _as_of(said, say)
    yield ""
    yield from table(_facts(said, stages, say))
    yield from _findings(said, say)
    for asked in Asked:
        yield from rule_lines(say(f"rules_{asked}"), [rule for rule in said.rules if rule.asked is asked], say)
    yield from _clocks(said.clocks, process, stages, say)
    yield from _fields(said, stages, names, say)
    yield from _waiting(said, say)
    yield from _journal(said, names, say)


def _standing(said: Explanation, process: Process, say: Speech) -> Line:
    running = [one.clock for one in said.clocks if one.clock.running]
    first = min(running, key=lambda clock: clock.goal - clock.elapsed, default=None)
    left = left_of(first, process, say) if first else ""
    count = sum(finding.waived is None for finding in said.evaluation.findings)
    found = Tinted(say.counted("findings_count", count), Tone.BAD) if count else Tinted(say("no_findings"), Tone.GOOD)
    return [found, say("sentence", text=left[0].upper() + left[1:]) if left else ""]


def _as_of(said: Explanation, say: Speech) -> Iterator[Line]:
    """Say what an explanation of an earlier moment rests on."""
    if said.at is None:
        return
    fields = say("list").join(map(say.field, said.unknown_then))
    known = say("of_today", fields=fields) if fields else say("of_that_time")
    yield dim(say("as_of", when=moment(said.at), known=known))


def _facts(said: Explanation, stages: Mapping[str, str], say: Speech) -> Iterator[list[Part]]:
    place = said.evaluation.place
    stage = stages.get(place.stage or "", place.stage or _no_stage(said, say))
    refs = ", ".join(str(record.ref) for record in said.linked) or str(said.subject.ref)
    yield [dim(say("kind_deal")), strong(cut(show(said.subject.fields.get("name")), 80))]
    yield [dim(say("ref")), refs]
    yield [dim(say("stage")), f"{stage} ({say.named('state', place.status.value)})"]
    yield [dim(say("owner")), said.owner or say("nobody")]
    for text in read_parts(said.rules, say):
        yield [dim(say("read")), text]
    if said.subject.url:
        yield [dim(say("url")), said.subject.url]


def _no_stage(said: Explanation, say: Speech) -> str:
    """Say of an open deal where its CRM has it; only today's place is known."""
    there = said.subject.position
    if there is None or there.status is not Status.OPEN or said.at is not None:
        return say("no_stage")
    where = {"pipeline": plain(there.pipeline), "stage": plain(there.stage)}
    return say("no_stage_there", connection=said.subject.ref.connection, **where)


def _findings(said: Explanation, say: Speech) -> Iterator[Line]:
    if not said.evaluation.findings:
        return
    yield from _title(say("findings"))
    rows: list[list[Part]] = []
    for finding in said.evaluation.findings:
        opened = said.opened.get(finding.id)
        is_stored = opened is not None and (said.at is None or opened <= said.at)
        since = say("since", when=moment(opened)) if opened and is_stored else say("then" if said.at else "new")
        action = say("waived") if finding.waived else said.actions.get(finding.id, "audit")
        message = say("waived_by", how=accepted(finding.waived)) if finding.waived else say.finding(finding)
        rows.append([_severity(finding, say), finding.rule, since, action, message])
    yield from table(rows, indent=2, heads=tuple(map(say, ("severity", "rule", "open", "action", "says"))))


def _clocks(
    clocks: Sequence[ExplainedClock], process: Process, stages: Mapping[str, str], say: Speech
) -> Iterator[Line]:
    if not clocks:
        return
    yield from _title(say("sla_title"))
    rows: list[list[Part]] = []
    for one in clocks:
        clock = one.clock
        what = _measured(clock, process, stages.get(clock.visit.stage, clock.visit.stage), say)
        if clock.visit.number > 1:
            what = say("visit", what=what, n=clock.visit.number)
        took = say("spent_of", spent=length(clock.elapsed, clock, process, say), goal=_goal(clock, process, say))
        about = say("semicolon").join(filter(None, [*_ends(clock, process, say), pauses_of(clock, say), one.place]))
        state = Tinted(say(clock.state.value), _STATES[clock.state])
        rows.append([state, what, took, clock.calendar or say("plain_time"), about])
    yield from table(rows, indent=2)


def _goal(clock: SlaClock, process: Process, say: Speech) -> str:
    return length(clock.goal, clock, process, say)


def _ends(clock: SlaClock, process: Process, say: Speech) -> list[str]:
    """Say when a clock runs out, and what is left until then; of one that doesn't run, when it ended."""
    if not clock.running:
        return [say("ended", when=moment(clock.ended_at))]
    return [say("due", when=_local(clock, process, say)), left_of(clock, process, say)]


def pauses_of(clock: SlaClock, say: Speech) -> str:
    """Say when a clock stood still; nothing where it never did."""
    spans = [
        say("span", since=moment(since), until=moment(until) if until else say("now")) for since, until in clock.pauses
    ]
    return say("paused", spans=say("list").join(spans)) if spans else ""


def _measured(clock: SlaClock, process: Process, stage: str, say: Speech) -> str:
    rule = clock_rule(clock.sla, process)
    if clock.sla.endswith(".handoff"):
        return say("handoff_of", stage=stage)
    if rule is None or rule.written is None:
        return stage
    return say("named_sla", stage=stage, name=rule.written.name.in_language(say.language))


def _fields(said: Explanation, stages: Mapping[str, str], names: Names, say: Speech) -> Iterator[Line]:
    if not said.fields and not said.absent and not said.unbound:
        return
    yield from _title(say("in_step"))
    apart = [say(_ABSENT[why], connection=connection) for connection, why in said.absent.items()]
    for connection, lacking in said.unbound.items():
        apart.append(say("unbound", connection=connection, fields=say("list").join(map(say.field, lacking))))
    yield from table([[text] for text in apart], indent=2)
    if said.fields:
        yield from _compared(said, stages, names, say)


def _compared(said: Explanation, stages: Mapping[str, str], names: Names, say: Speech) -> Iterator[Line]:
    def written(name: str, value: Value) -> str:
        stage = stages.get(str(value)) if name == "stage" else None
        return stage or called_in_step(names, name, value) or say.value(value)

    apart = [field for field in said.fields if field.state is not InStep.IN_STEP]
    sides = [record.ref.connection for record in said.linked]
    yield f"  {say.counted('same_in', len(said.fields) - len(apart), sides=say('list').join(sides))}"
    rows: list[list[Part]] = []
    for field in apart:
        values = [written(field.name, field.now[side]) if side in field.now else "-" for side in sides]
        before = agreed([written(field.name, value) for value in field.base.values()], say)
        state, tone = _APART[field.state]
        rows.append([say.field(field.name), *values, Tinted(say(state), tone), before])
    yield from table(rows, indent=2, heads=(say("kind_field"), *sides, say("state"), say("last_agreed")), most=VALUE)
    if any(field.state is InStep.LEFT for field in apart):
        yield from table([[dim(say("stays_why"))]], indent=2)


def _waiting(said: Explanation, say: Speech) -> Iterator[Line]:
    if not said.waiting:
        return
    yield from _title(say("waits_title"))
    rows: list[list[Part]] = [
        [
            one.item.id,
            say.named("cause", one.item.cause.value),
            say.field(one.item.name),
            say("since", when=moment(one.since)),
            say.reason(one.item.reason),
        ]
        for one in said.waiting
    ]
    yield from table(rows, indent=2)


def agreed(values: Iterable[str], say: Speech) -> str:
    """Say what was last agreed on with each side, each once."""
    return say("list").join(dict.fromkeys(cut(value, VALUE) for value in values)) or say("nothing_yet")


def _journal(said: Explanation, names: Names, say: Speech) -> Iterator[Line]:
    """Show the newest outcomes, and the intents that have none."""
    entries = told(said.journal)
    if not entries:
        return
    yield from _title(say("journal"))
    rows: list[list[Part]] = []
    for entry in entries[-RECENT:]:
        change = entry.change
        outcome = say.named("outcome", entry.outcome.value) if entry.outcome else say("no_outcome")
        action = say.named("wrote", change.action.value)
        rows.append([moment(entry.at), change.connection, action, outcome, written_in_words(entry, names, say)])
    yield from table(rows, indent=2)
    yield from table([[dim(say("all_written", command=f"crmbridge history {said.subject.ref}"))]], indent=2)


def _title(text: str) -> Iterator[Line]:
    yield ""
    yield strong(text)


def _severity(finding: Finding, say: Speech) -> Part:
    tone = {"error": Tone.BAD, "warning": Tone.WARN}.get(finding.severity.value, Tone.DIM)
    kind = "" if finding.kind is FindingKind.EXIT_RULE else f" ({_kind(finding.kind, say)})"
    return Tinted(f"{say.named('severity', finding.severity.value)}{kind}", tone)


def _kind(kind: FindingKind, say: Speech) -> str:
    return say.teller.label(kind) if say.teller else kind.value.replace("_", " ")


def left_of(clock: SlaClock, process: Process, say: Speech) -> str:
    """Say how much of a running clock's time is left, or by how much it is over."""
    left = clock.goal - clock.elapsed
    if left < timedelta(0):
        return say("sla_over", span=length(-left, clock, process, say))
    return say("sla_left", span=length(left, clock, process, say))


def length(time: timedelta, clock: SlaClock, process: Process, say: Speech) -> str:
    """Write a length of time as the clock counts it: business days are as long as its calendar says."""
    calendar = process.calendars.get(clock.calendar) if clock.limit.is_business else None
    day = timedelta(hours=float(calendar.day_hours)) if calendar else timedelta(days=1)
    days, rest = divmod(time, day)
    hours, rest = divmod(rest, timedelta(hours=1))
    minutes = rest // timedelta(minutes=1)
    said = [say.counted("unit_bd" if calendar else "unit_d", days)] if days else []
    said += [say("short_h", n=hours)] if hours else []
    said += [say("short_m", n=minutes)] if minutes and not days else []
    return " ".join(said) or say("short_m", n=0)


def _local(clock: SlaClock, process: Process, say: Speech) -> str:
    calendar = process.calendars.get(clock.calendar)
    if clock.due_at is None:
        paused = clock.paused_since
        return say("pause_ends", when=moment(paused)) if paused else say("never_opens")
    zone = ZoneInfo(calendar.timezone) if calendar else ZoneInfo("UTC")
    local = clock.due_at.astimezone(zone)
    return f"{say(f'weekday_{local.weekday()}')} {local.strftime('%Y-%m-%d %H:%M %Z')}"
