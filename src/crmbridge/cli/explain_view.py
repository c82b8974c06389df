"""Show why a deal stands as it does: the verdict first, then what it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, plural, strong, table
from crmbridge.cli.plan_view import Names, edits_in_words
from crmbridge.engine.sla.limits import clock_rule
from crmbridge.model.findings import Finding, FindingKind, Judgement, SlaClock, SlaState, Verdict
from crmbridge.model.values import Value, show

if TYPE_CHECKING:
    from crmbridge.model.process import Process
    from crmbridge.services.explaining import Explanation

RECENT = 10  # journal rows shown
_MARKS = {
    Judgement.PASS: Tinted("✓", Tone.GOOD),
    Judgement.FAIL: Tinted("✗", Tone.BAD),
    Judgement.UNKNOWN: Tinted("?", Tone.WARN),
    Judgement.NOT_APPLICABLE: Tinted("\u2013", Tone.DIM),
}
_STATES = {
    SlaState.ON_TIME: Tinted("on time", Tone.GOOD),
    SlaState.AT_RISK: Tinted("at risk", Tone.WARN),
    SlaState.BREACHED: Tinted("breached", Tone.BAD),
}


def explanation_lines(said: Explanation, process: Process, names: Names) -> Iterator[Line]:
    """Show a whole explanation."""
    yield _verdict_line(said, process)
    yield ""
    yield from table(_facts(said, names.stages))
    yield from _findings(said)
    yield from _rules("To leave this stage", said.evaluation.readiness)
    yield from _rules("To come into this stage", said.evaluation.entry)
    yield from _rules("Left behind", said.evaluation.judged)
    yield from _clocks(said.evaluation.clocks, process, names.stages)
    yield from _fields(said, names.stages)
    yield from _journal(said, names)


def _verdict_line(said: Explanation, process: Process) -> Line:
    name = cut(show(said.subject.fields.get("name")), 80)
    running = [clock for clock in said.evaluation.clocks if clock.running]
    first = min(running, key=lambda clock: clock.goal - clock.elapsed, default=None)
    left = f"; {left_of(first, process)}" if first else ""
    count = len(said.evaluation.findings)
    verdict = Tinted(f"held by {plural(count, 'finding')}", Tone.BAD) if count else Tinted("fine", Tone.GOOD)
    return [strong(name), ": ", verdict, f"{left}."]


def _facts(said: Explanation, stages: Mapping[str, str]) -> Iterator[list[Part]]:
    place = said.evaluation.place
    stage = stages.get(place.stage or "", place.stage or "no stage of the process")
    yield [dim("deal"), ", ".join(str(record.ref) for record in said.linked) or str(said.subject.ref)]
    yield [dim("stage"), f"{stage} ({place.status})"]
    yield [dim("owner"), said.owner or "nobody"]
    if said.subject.url:
        yield [dim("link"), said.subject.url]


def _findings(said: Explanation) -> Iterator[Line]:
    if not said.evaluation.findings:
        return
    yield from _title("Findings")
    rows: list[list[Part]] = []
    for finding in said.evaluation.findings:
        opened = said.opened.get(finding.id)
        since = f"since {_moment(opened)}" if opened else "new"
        rows.append([_severity(finding), finding.rule, since, said.actions.get(finding.id, "audit"), finding.message])
    yield from table(rows, indent=2, heads=("severity", "rule", "open", "action", "says"))


def _rules(title: str, verdicts: Sequence[Verdict]) -> Iterator[Line]:
    if not verdicts:
        return
    yield from _title(title)
    for verdict in verdicts:
        yield ["  ", _MARKS[verdict.judgement], f" {verdict.rule.rpartition('.')[2]}  ", cut(verdict.message, 200)]
        if verdict.seen:
            seen = ", ".join(f"{name} = {cut(show(value), 40)}" for name, value in sorted(verdict.seen.items()))
            yield ["      ", dim(f"seen{_then(verdict)}: {seen}")]
        if verdict.missing and verdict.judgement in {Judgement.FAIL, Judgement.UNKNOWN}:
            yield f"      to clear it, fill in: {', '.join(verdict.missing)}"


def _then(verdict: Verdict) -> str:
    return f" on {_moment(verdict.as_of)}" if verdict.values == "then" else ""


def _clocks(clocks: Sequence[SlaClock], process: Process, stages: Mapping[str, str]) -> Iterator[Line]:
    if not clocks:
        return
    yield from _title("SLA")
    rows: list[list[Part]] = []
    for clock in clocks:
        stage = stages.get(clock.visit.stage, clock.visit.stage)
        again = f" (visit {clock.visit.number})" if clock.visit.number > 1 else ""
        what = _measured(clock, process)
        took = f"{length(clock.elapsed, clock, process)} of {length(clock.goal, clock, process)}"
        due = (
            f"due {_local(clock, process)}; {left_of(clock, process)}"
            if clock.running
            else f"ended {_moment(clock.ended_at)}"
        )
        rows.append([_STATES[clock.state], f"{stage}{what}{again}", took, clock.calendar or "plain time", due])
    yield from table(rows, indent=2)


def _measured(clock: SlaClock, process: Process) -> str:
    rule = clock_rule(clock.sla, process)
    if clock.sla.endswith(".handoff"):
        return " hand-off"
    return f", {rule.written.name.in_language('en')}" if rule and rule.written else ""


def _fields(said: Explanation, stages: Mapping[str, str]) -> Iterator[Line]:
    if not said.fields:
        return
    yield from _title("Kept in step")
    sides = [record.ref.connection for record in said.linked]
    rows: list[list[Part]] = []
    for field in said.fields:
        mark = Tinted("=", Tone.DIM) if field.in_step else Tinted("≠", Tone.WARN)
        called = stages if field.name == "stage" else {}
        agreed = "" if field.in_step else _agreed(field.base, called)
        rows.append([mark, field.name, *(_side(field.now, side, called) for side in sides), agreed])
    yield from table(rows, indent=2, heads=("", "field", *sides, "last agreed"), most=36)


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
        rows.append([_moment(entry.at), change.connection, change.action.value, outcome, said_so])
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
        return f"when its pause since {_moment(paused)} ends" if paused else "never: its calendar does not open again"
    zone = ZoneInfo(calendar.timezone) if calendar else ZoneInfo("UTC")
    return clock.due_at.astimezone(zone).strftime("%a %Y-%m-%d %H:%M %Z")


def _moment(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M") if at else "never"
