"""Show why a deal stands as it does: the verdict first, then what it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, plural, strong, table
from crmbridge.cli.plan_view import edits_in_words
from crmbridge.cli.rules_view import moment, read_parts, readiness_parts, rule_lines
from crmbridge.engine.sla.limits import clock_rule
from crmbridge.model.findings import Finding, FindingKind, SlaClock, SlaState
from crmbridge.model.lives import accepted
from crmbridge.model.values import Value, show
from crmbridge.services.explained import Asked, InStep
from crmbridge.services.naming import Names

if TYPE_CHECKING:
    from crmbridge.model.process import Process
    from crmbridge.services.explained import ExplainedClock, Explanation

RECENT = 10  # journal rows shown
_STATES = {
    SlaState.ON_TIME: Tinted("on time", Tone.GOOD),
    SlaState.AT_RISK: Tinted("at risk", Tone.WARN),
    SlaState.BREACHED: Tinted("breached", Tone.BAD),
}


_APART = {
    InStep.WAITING: Tinted("waits for the next run", Tone.WARN),
    InStep.CONFLICT: Tinted("conflict", Tone.BAD),
}
_TITLES = {
    Asked.TO_LEAVE: "To leave this stage",
    Asked.ON_ENTRY: "On coming into it",
    Asked.LEFT_BEHIND: "Left behind",
}


def explanation_lines(said: Explanation, process: Process, names: Names) -> Iterator[Line]:
    """Show a whole explanation."""
    yield readiness_parts(said.readiness)
    yield _standing(said, process)
    yield from _as_of(said)
    yield ""
    yield from table(_facts(said, names.stages))
    yield from _findings(said)
    for asked, title in _TITLES.items():
        yield from rule_lines(title, [rule for rule in said.rules if rule.asked is asked])
    yield from _clocks(said.clocks, process, names.stages)
    yield from _fields(said, names.stages)
    yield from _waiting(said)
    yield from _journal(said, names)


def _standing(said: Explanation, process: Process) -> Line:
    running = [one.clock for one in said.clocks if one.clock.running]
    first = min(running, key=lambda clock: clock.goal - clock.elapsed, default=None)
    left = left_of(first, process) if first else ""
    count = sum(finding.waived is None for finding in said.evaluation.findings)
    found = Tinted(f"{plural(count, 'finding')}.", Tone.BAD) if count else Tinted("No finding.", Tone.GOOD)
    return [found, f" {left[0].upper()}{left[1:]}." if left else ""]


def _as_of(said: Explanation) -> Iterator[Line]:
    """Say what an explanation of an earlier moment rests on."""
    if said.at is None:
        return
    known = f"values of today stand in for {', '.join(said.unknown_then)}" if said.unknown_then else "values of then"
    yield dim(f"As of {moment(said.at)} UTC: moves and activities up to then; {known}.")


def _facts(said: Explanation, stages: Mapping[str, str]) -> Iterator[list[Part]]:
    place = said.evaluation.place
    stage = stages.get(place.stage or "", place.stage or "no stage of the process")
    refs = ", ".join(str(record.ref) for record in said.linked) or str(said.subject.ref)
    yield [dim("deal"), strong(cut(show(said.subject.fields.get("name")), 80))]
    yield [dim("ref"), refs]
    yield [dim("stage"), f"{stage} ({place.status})"]
    yield [dim("owner"), said.owner or "nobody"]
    for text in read_parts(said.rules):
        yield [dim("read"), text]
    if said.subject.url:
        yield [dim("link"), said.subject.url]


def _findings(said: Explanation) -> Iterator[Line]:
    if not said.evaluation.findings:
        return
    yield from _title("Findings")
    rows: list[list[Part]] = []
    for finding in said.evaluation.findings:
        opened = said.opened.get(finding.id)
        is_stored = opened is not None and (said.at is None or opened <= said.at)
        since = f"since {moment(opened)}" if opened and is_stored else "then" if said.at else "new"
        action = "waived" if finding.waived else said.actions.get(finding.id, "audit")
        message = f"waived {accepted(finding.waived)}" if finding.waived else finding.message
        rows.append([_severity(finding), finding.rule, since, action, message])
    yield from table(rows, indent=2, heads=("severity", "rule", "open", "action", "says"))


def _clocks(clocks: Sequence[ExplainedClock], process: Process, stages: Mapping[str, str]) -> Iterator[Line]:
    if not clocks:
        return
    yield from _title("SLA")
    rows: list[list[Part]] = []
    for one in clocks:
        clock = one.clock
        stage = stages.get(clock.visit.stage, clock.visit.stage)
        again = f" (visit {clock.visit.number})" if clock.visit.number > 1 else ""
        what = _measured(clock, process)
        took = f"{length(clock.elapsed, clock, process)} of {length(clock.goal, clock, process)}"
        due = (
            f"due {_local(clock, process)}; {left_of(clock, process)}"
            if clock.running
            else f"ended {moment(clock.ended_at)}"
        )
        place = f"; {one.place}" if one.place else ""
        about = f"{due}{pauses_of(clock)}{place}"
        rows.append([_STATES[clock.state], f"{stage}{what}{again}", took, clock.calendar or "plain time", about])
    yield from table(rows, indent=2)


def pauses_of(clock: SlaClock) -> str:
    """Say when a clock stood still; nothing where it never did."""
    spans = [f"{moment(since)} to {moment(until) if until else 'now'}" for since, until in clock.pauses]
    return f"; paused {', '.join(spans)}" if spans else ""


def _measured(clock: SlaClock, process: Process) -> str:
    rule = clock_rule(clock.sla, process)
    if clock.sla.endswith(".handoff"):
        return " hand-off"
    return f", {rule.written.name.in_language('en')}" if rule and rule.written else ""


def _fields(said: Explanation, stages: Mapping[str, str]) -> Iterator[Line]:
    if not said.fields:
        return
    apart = [field for field in said.fields if field.state is not InStep.IN_STEP]
    yield from _title("Kept in step")
    sides = [record.ref.connection for record in said.linked]
    yield f"  {plural(len(said.fields) - len(apart), 'field')} the same in {', '.join(sides)}"
    rows: list[list[Part]] = []
    for field in apart:
        called = stages if field.name == "stage" else {}
        values = [_side(field.now, side, called) for side in sides]
        rows.append([field.name, *values, _APART[field.state], _agreed(field.base, called)])
    yield from table(rows, indent=2, heads=("field", *sides, "state", "last agreed"), most=36)


def _waiting(said: Explanation) -> Iterator[Line]:
    if not said.waiting:
        return
    yield from _title("Waits for a person")
    rows: list[list[Part]] = [
        [one.item.id, one.item.cause.value, one.item.name, f"since {moment(one.since)}", one.item.reason]
        for one in said.waiting
    ]
    yield from table(rows, indent=2)


def _side(now: Mapping[str, Value], side: str, called: Mapping[str, str]) -> str:
    return called.get(str(now[side]), show(now[side])) if side in now else "-"


def _agreed(base: Mapping[str, Value], called: Mapping[str, str]) -> str:
    shown = (called.get(str(value), show(value)) for value in base.values())
    return ", ".join(dict.fromkeys(shown)) or "nothing yet"


def _journal(said: Explanation, names: Names) -> Iterator[Line]:
    """Show the newest outcomes, and the intents that have none."""
    settled = {entry.change.id for entry in said.journal if entry.outcome is not None}
    entries = [entry for entry in said.journal if entry.outcome is not None or entry.change.id not in settled]
    if not entries:
        return
    yield from _title("What crmbridge wrote")
    rows: list[list[Part]] = []
    for entry in entries[-RECENT:]:
        change = entry.change
        outcome = entry.outcome.value if entry.outcome else "no outcome yet"
        said_so = f"{edits_in_words(change, names)} {entry.message}".strip()
        rows.append([moment(entry.at), change.connection, change.action.value, outcome, said_so])
    yield from table(rows, indent=2)


def _title(text: str) -> Iterator[Line]:
    yield ""
    yield strong(text)


def _severity(finding: Finding) -> Part:
    tone = {"error": Tone.BAD, "warning": Tone.WARN}.get(finding.severity.value, Tone.DIM)
    kind = "" if finding.kind is FindingKind.EXIT_RULE else f" ({finding.kind.value.replace('_', ' ')})"
    return Tinted(f"{finding.severity.value}{kind}", tone)


def left_of(clock: SlaClock, process: Process) -> str:
    """Say how much of a running clock's time is left, or by how much it is over."""
    left = clock.goal - clock.elapsed
    if left < timedelta(0):
        return f"SLA over by {length(-left, clock, process)}"
    return f"{length(left, clock, process)} of the SLA left"


def length(time: timedelta, clock: SlaClock, process: Process) -> str:
    """Write a length of time as the clock counts it: business days are as long as its calendar says."""
    calendar = process.calendars.get(clock.calendar) if clock.limit.is_business else None
    business = "business " if calendar else ""
    day = timedelta(hours=float(calendar.day_hours)) if calendar else timedelta(days=1)
    days, rest = divmod(time, day)
    hours, rest = divmod(rest, timedelta(hours=1))
    minutes = rest // timedelta(minutes=1)
    said = [f"{days} {business}{'day' if days == 1 else 'days'}"] if days else []
    said += [f"{hours} h"] if hours else []
    said += [f"{minutes} min"] if minutes and not days else []
    return " ".join(said) or "0 min"


def _local(clock: SlaClock, process: Process) -> str:
    calendar = process.calendars.get(clock.calendar)
    if clock.due_at is None:
        paused = clock.paused_since
        return f"when its pause since {moment(paused)} ends" if paused else "never: its calendar does not open again"
    zone = ZoneInfo(calendar.timezone) if calendar else ZoneInfo("UTC")
    return clock.due_at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M %Z")
