"""The checks of what the settings say is done about findings, and of the approvals that a process takes for waivers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from crmbridge.engine.issues import Issue, Path, issue, listed, unknown
from crmbridge.engine.nearest import nearest
from crmbridge.engine.people import LEADER, OWNER
from crmbridge.engine.rules.rule_fields import operands
from crmbridge.model.values import FieldType
from crmbridge.settings import fits
from crmbridge.sink_settings import wrong_in

if TYPE_CHECKING:
    from crmbridge.model.process import Process
    from crmbridge.settings import Binding, Settings

_DAYS = (FieldType.DATE, FieldType.DATETIME)


def check_conditions(settings: Settings, process: Process, fields: Mapping[str, FieldType]) -> Iterator[Issue]:
    """Find bindings of unknown stages, and conditions on fields that aren't there or don't fit."""
    stages = [stage.id for stage in process.stages]
    options = {field.id: field.options for field in process.fields if field.options}
    for i, binding in enumerate(settings.enforce):
        at: Path = ("enforce", i)
        yield from unknown("stage", listed((*at, "stages"), binding.stages), stages)
        for operand in operands((*at, "when"), binding.when) if binding.when is not None else ():
            yield from unknown("field", [(operand.path, operand.name)], fields)
            yield from operand.misfits(fields.get(operand.name))
            yield from operand.strays(options.get(operand.name, ()))


def check_people(settings: Settings, process: Process) -> Iterator[Issue]:
    """Find people who are nobody: roles without an e-mail, and e-mails for unknown connections."""
    known = {*settings.people, OWNER, *([LEADER] if process.leader in settings.people else [])}
    for path, name in _named(settings):
        if name not in known and "@" not in name:
            sentence = f"nobody is named for {name!r}; write who it is under `people`, or an e-mail here"
            yield issue(path, "unknown-person", sentence, nearest=nearest(name, known))
    for role, people in settings.people.items():
        for connection in people if isinstance(people, dict) else ():
            path = ("people", role, connection)
            yield from unknown("connection", [(path, connection)], settings.connections, at_key=True)


def check_notices(settings: Settings, _process: Process) -> Iterator[Issue]:
    """Find sinks of notices that can't be read, and notices that go nowhere."""
    for name, sink in settings.notices.items():
        if len(sink) != 1:
            sentence = "a sink is one key with its settings, such as {slack: {env: SLACK_URL}}"
            yield issue(("notices", name), "wrong-sink", sentence)
        elif "crm" in sink:
            sentence = "a notice is no note in a CRM; bind the rule to `action: note`, or name another sink"
            yield issue(("notices", name), "wrong-sink", sentence)
        elif "csv" in sink:
            sentence = "a notice has no figures to put into a CSV; write html, markdown or json, or name another sink"
            yield issue(("notices", name), "wrong-sink", sentence)
        elif wrong := wrong_in(*(pair := next(iter(sink.items())))):
            yield issue(("notices", name, pair[0]), "wrong-sink", f"the sink `{pair[0]}` is wrong: {wrong}")
    for i, binding in enumerate(settings.enforce):
        yield from unknown("sink", listed(("enforce", i, "sinks"), binding.sinks), settings.notices)
        if not settings.notices and (path := _notifies(i, binding)):
            yield issue(path, "unknown-sink", "a notice needs a sink; name one under `notices`")


def check_time(settings: Settings, process: Process) -> Iterator[Issue]:
    """Find business time in escalations where the process has no calendar to count it in."""
    for i, binding in enumerate(settings.enforce):
        for j, step in enumerate(binding.escalate):
            if step.after.is_business and not process.calendars:
                sentence = f"{step.after} is business time, and the process has no calendar"
                yield issue(("enforce", i, "escalate", j, "after"), "missing-calendar", sentence)


def check_thresholds(settings: Settings, rules: tuple[str, ...]) -> Iterator[Issue]:
    """Find thresholds that no rule can ever reach."""
    for i, threshold in enumerate(settings.thresholds):
        if not any(fits(threshold.rule, rule) for rule in rules):
            sentence = f"no rule of the process matches {threshold.rule!r}"
            path = ("thresholds", i, "rule")
            yield issue(path, "unknown-rule", sentence, nearest=nearest(threshold.rule, rules))


def check_approvals(process: Process) -> Iterator[Issue]:
    """Find approvals whose last day is kept in a field that holds no day."""
    types = {field.id: field.type for field in process.fields}
    for i, stage in enumerate(process.stages):
        for part, j, rule in stage.placed():
            name = rule.waived_by.until if rule.waived_by else None
            if name is not None and types.get(name, FieldType.DATE) not in _DAYS:
                sentence = f"this needs a date or datetime field, and {name!r} is a {types[name]} field"
                yield issue(("stages", i, part, j, "waived_by", "until"), "wrong-field-type", sentence)


def _named(settings: Settings) -> Iterator[tuple[Path, str]]:
    for i, binding in enumerate(settings.enforce):
        if binding.to is not None:
            yield ("enforce", i, "to"), binding.to
        for j, step in enumerate(binding.escalate):
            yield ("enforce", i, "escalate", j, "to"), step.to


def _notifies(i: int, binding: Binding) -> Path | None:
    """Say where a binding asks for a notice, if it does."""
    if binding.action == "notify":
        return ("enforce", i, "action")
    found = (j for j, step in enumerate(binding.escalate) if step.action == "notify")
    return next((("enforce", i, "escalate", j, "action") for j in found), None)
