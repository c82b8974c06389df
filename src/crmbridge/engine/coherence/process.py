"""The checks on a process alone, one function each, collected in the list at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from pydantic import BaseModel

from crmbridge.engine.coherence.acting import check_approvals
from crmbridge.engine.coherence.beside import check_approvers, check_beside, check_criteria, check_movers, check_names
from crmbridge.engine.coherence.indicators import check_indicators
from crmbridge.engine.coherence.slas import check_calendars, check_handoffs, check_sla_ids, check_slas, sla_fields
from crmbridge.engine.coherence.stage_flow import check_flow
from crmbridge.engine.issues import Issue, Path, duplicates, issue, listed, unknown
from crmbridge.engine.rules.rule_fields import check_operands, deal_fields, deal_options, operands
from crmbridge.model.checks import AtLeast, Outputs, Required
from crmbridge.model.parts import Text
from crmbridge.model.process import ExitRule, Process, Stage
from crmbridge.model.records import STANDARD_FIELDS, Kind
from crmbridge.model.values import FieldType

RESERVED_STAGES = ("won", "lost")  # keys of a stage map that stand for a status
RESERVED_RULES = ("sla", "handoff")  # `stage.sla` and `stage.handoff` are rule ids of their own
_CHOICES = (FieldType.CHOICE, FieldType.CHOICES)


def check_ids(process: Process) -> Iterator[Issue]:
    """Find ids that are not unique among things of one kind."""
    for name in ("roles", "touch_points", "materials", "fields", "criteria", "stages", "indicators"):
        yield from duplicates(name.rstrip("s").replace("_", " "), _ids((name,), getattr(process, name)))
    for at, stage in _stages(process):
        yield from duplicates("activity", _ids((*at, "activities"), stage.activities))
        yield from duplicates("output", _ids((*at, "outputs"), stage.outputs))
        yield from duplicates("rule", _rule_ids(at, stage))


def check_reserved(process: Process) -> Iterator[Issue]:
    """Find ids that mean something else already."""
    for path, name in _ids(("stages",), process.stages):
        if name in RESERVED_STAGES:
            yield issue(path, "reserved-id", f"{name!r} is a deal's status; a stage can't have it as its id")
    for path, name in _ids(("fields",), process.fields):
        if name in STANDARD_FIELDS[Kind.DEAL] or name == "stage":
            yield issue(path, "reserved-id", f"{name!r} is a standard field; every process has it without saying so")
    for at, stage in _stages(process):
        for path, name in _rule_ids(at, stage):
            if name in RESERVED_RULES:
                yield issue(path, "reserved-id", f"{name!r} is the id of the stage's own {name} rule")


def check_roles(process: Process) -> Iterator[Issue]:
    """Find work given to a role that doesn't exist."""
    named: list[tuple[Path, str]] = [(("leader",), process.leader)]
    for at, stage in _stages(process):
        named.append(((*at, "owner"), stage.owner))
        named += [
            ((*at, "activities", i, "role"), activity.role)
            for i, activity in enumerate(stage.activities)
            if activity.role is not None
        ]
        if stage.handoff:
            named.append(((*at, "handoff", "to"), stage.handoff.to))
    yield from unknown("role", named, [role.id for role in process.roles])


def check_things(process: Process) -> Iterator[Issue]:
    """Find materials, outputs and touch points that are named but not listed."""
    materials = [material.id for material in process.materials]
    points = [point.id for point in process.touch_points]
    for at, stage in _stages(process):
        outputs = [output.id for output in stage.outputs]
        yield from unknown("touch point", listed((*at, "touch_points"), stage.touch_points), points)
        for i, activity in enumerate(stage.activities):
            path = (*at, "activities", i)
            yield from unknown("material", listed((*path, "materials"), activity.materials), materials)
            yield from unknown("output", listed((*path, "outputs"), activity.outputs), outputs)
        for path, _, check in _checks(at, stage):
            if isinstance(check, Outputs):
                yield from unknown("output", listed((*path, "outputs"), check.outputs), outputs)


def check_fields(process: Process) -> Iterator[Issue]:
    """Find fields that don't exist or have a type that doesn't fit, and values that are no option of theirs."""
    fields, options = deal_fields(process), deal_options(process)
    for at, stage in _stages(process):
        yield from unknown("field", _named_fields(at, stage), fields)
        for path, _, check in _checks(at, stage):
            yield from check_operands(path, check, fields, options)
    for i, field in enumerate(process.fields):
        if field.options and field.type not in _CHOICES:
            sentence = f"only a choice or choices field has options, not a {field.type} field"
            yield issue(("fields", i, "options"), "wrong-field-type", sentence)


def check_counts(process: Process) -> Iterator[Issue]:
    """Find checks that ask for more than they list, or count a field twice."""
    for at, stage in _stages(process):
        for path, _, check in _checks(at, stage):
            if isinstance(check, AtLeast):
                yield from duplicates("field", listed((*path, "of"), check.of))
                if check.at_least > len(check.of):
                    sentence = f"at least {check.at_least} are asked for, but only {len(check.of)} are listed"
                    yield issue((*path, "at_least"), "impossible-count", sentence)
            elif isinstance(check, Required):
                yield from duplicates("field", listed((*path, "required"), check.required))


def check_languages(process: Process) -> Iterator[Issue]:
    """Find texts that lack a declared language."""
    for path, text in _texts(process, ()):
        missing = [language for language in process.languages if language not in text]
        if missing:
            yield issue(path, "missing-translation", f"this text is missing in {', '.join(missing)}")


def check_use(process: Process) -> Iterator[Issue]:
    """Find fields of the process that nothing uses."""
    used = {process.moves.reason, *sla_fields(process)}
    for at, stage in _stages(process):
        used.update(name for _, name in _named_fields(at, stage))
        used.update(operand.name for path, _, check in _checks(at, stage) for operand in operands(path, check))
    for path, name in _ids(("fields",), process.fields):
        if name not in used:
            yield issue(path, "unused-field", f"no rule, output, SLA or hand-off uses the field {name!r}")


def _stages(process: Process) -> Iterator[tuple[Path, Stage]]:
    return ((("stages", i), stage) for i, stage in enumerate(process.stages))


def _ids(at: Path, things: Iterable[object]) -> Iterator[tuple[Path, str]]:
    return (((*at, i, "id"), str(getattr(thing, "id", ""))) for i, thing in enumerate(things))


def _rule_ids(at: Path, stage: Stage) -> Iterator[tuple[Path, str]]:
    for part in ("entry", "exit", "slas"):
        yield from _ids((*at, part), getattr(stage, part))


def _checks(at: Path, stage: Stage) -> Iterator[tuple[Path, ExitRule, BaseModel]]:
    for part, i, rule in stage.placed():
        yield (*at, part, i, "check"), rule, rule.check
        if rule.when is not None:
            yield (*at, part, i, "when"), rule, rule.when


def _named_fields(at: Path, stage: Stage) -> Iterator[tuple[Path, str]]:
    for i, output in enumerate(stage.outputs):
        if output.field is not None:
            yield (*at, "outputs", i, "field"), output.field
    if stage.handoff and stage.handoff.accepted is not None:
        yield (*at, "handoff", "accepted"), stage.handoff.accepted
    for part, i, rule in stage.placed():
        if rule.waived_by is not None:
            yield (*at, part, i, "waived_by", "field"), rule.waived_by.field
        if rule.waived_by is not None and rule.waived_by.until is not None:
            yield (*at, part, i, "waived_by", "until"), rule.waived_by.until


def _texts(value: object, path: Path) -> Iterator[tuple[Path, Mapping[str, str]]]:
    match value:
        case Text():
            if isinstance(value.root, dict):
                yield path, value.root
        case BaseModel():
            for name in type(value).model_fields:
                yield from _texts(getattr(value, name), (*path, name))
        case tuple():
            for i, item in enumerate(value):
                yield from _texts(item, (*path, i))
        case dict():
            for name, item in value.items():
                yield from _texts(item, (*path, name))


PROCESS_CHECKS: tuple[Callable[[Process], Iterator[Issue]], ...] = (
    check_ids,
    check_reserved,
    check_roles,
    check_things,
    check_fields,
    check_approvals,
    check_counts,
    check_flow,
    check_sla_ids,
    check_slas,
    check_calendars,
    check_handoffs,
    check_beside,
    check_approvers,
    check_movers,
    check_criteria,
    check_names,
    check_languages,
    check_indicators,
    check_use,
)
