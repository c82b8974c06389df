"""A process's exit rules as HubSpot's own: what a stage requires, limits of values, pipeline rules, and the rest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType
from typing import Any, NamedTuple, assert_never

from msgspec import Struct, field

from crmbridge.model.checks import (
    Activities,
    Approval,
    AtLeast,
    Attachments,
    Bounds,
    Company,
    Contacts,
    Dates,
    Expr,
    NumberBounds,
    OneOf,
    Outputs,
    Required,
)
from crmbridge.model.process import ExitRule, OnUnknown, Stage
from crmbridge.model.values import FieldType
from crmbridge.ports import GuardRequest, Guards, LeftOut, NativeField, rule_name
from crmbridge_hubspot.guard_steps import FILE, STEPS, clean, short_steps, steps_page

DEAL_TYPE = "0-3"
VERSION = "2026-03"
# Our standard fields as deal properties, and why the others have none that a stage could require.
STANDARD = MappingProxyType(
    {"name": "dealname", "amount": "amount", "close_date": "closedate", "owner": "hubspot_owner_id"}
)
_LINK = "is a link in HubSpot, which no stage can require"
_SETTING = "is in a property that the connection's settings name, unless one is bound to it"
WITHOUT = MappingProxyType({"company": _LINK, "contacts": _LINK, "source": _SETTING, "lost_reason": _SETTING})
NUMBERS = frozenset({FieldType.NUMBER, FieldType.MONEY})


class Asked(NamedTuple):
    """What HubSpot can hold of a rule: fields to be filled in, limits of one, and why that is not all of it, if so."""

    fields: tuple[str, ...] = ()
    limits: NumberBounds | None = None
    why: str = ""


class Property(Struct, frozen=True):
    """A deal property as HubSpot calls it, and as people see it."""

    name: str
    label: str


class Export(Struct):
    """What was found so far."""

    required: dict[str, dict[Property, list[str]]] = field(default_factory=dict)  # HubSpot's stage -> property -> rules
    limits: list[tuple[Property, str, Decimal, str]] = field(default_factory=list)  # rule type, argument, rule
    covered: list[str] = field(default_factory=list)
    left_out: list[LeftOut] = field(default_factory=list)


def guards(request: GuardRequest) -> Guards:
    """Write the exit rules as far as HubSpot can hold them; nothing is sent.

    HubSpot asks for a property when a deal is moved into a stage, so what a deal needs to leave a stage is required in
    each stage after it, and in the won ones ("Set up and customize your deal pipelines and deal stages").
    """
    export = Export()
    for stage, rule in request.rules():
        _add(export, stage, rule, request)
    document = _document(export, request)
    return Guards(
        files={FILE: json.dumps(document, indent=2, ensure_ascii=False) + "\n", STEPS: steps_page(document)},
        steps=short_steps(document),
        covered=tuple(export.covered),
        left_out=tuple(export.left_out),
    )


def _add(export: Export, stage: Stage, rule: ExitRule, request: GuardRequest) -> None:
    name, asked = rule_name(stage, rule), _asked(stage, rule, request)
    problems = [why for each in asked.fields if (why := _cannot(each, request))]
    whys = [asked.why, *problems] if asked.why else problems
    for each in asked.fields:
        if not _cannot(each, request):
            for native in _later(stage, request):
                export.required.setdefault(native, {}).setdefault(_property(each, request), []).append(name)
    if asked.limits is not None:
        _limit(export, asked.limits, name, request)
    if whys:
        export.left_out.append(LeftOut(rule=name, why="; ".join(dict.fromkeys(whys))))
    else:
        export.covered.append(name)


def _limit(export: Export, limits: NumberBounds, rule: str, request: GuardRequest) -> None:
    for kind, limit in (("MIN_NUMBER", limits.min), ("MAX_NUMBER", limits.max)):
        if limit is not None:
            export.limits.append((_property(limits.field, request), kind, limit, rule))


# ── What a rule asks for ────────────────────────────────────────────────────────────────────────────────


def _asked(stage: Stage, rule: ExitRule, request: GuardRequest) -> Asked:
    if why := _out_of_reach(stage, rule, request):
        return Asked(why=why)
    match rule.check:
        case Required(required=fields):
            return Asked(fields)
        case AtLeast(at_least=count, of=fields):
            return _at_least(count, fields, request)
        case Outputs(outputs=outputs):
            shown = stage.fields_of(outputs)
            if shown is None:
                return Asked(why="a file can show it, and HubSpot can't require one")
            return _at_least(len(outputs), shown, request)
        case _:
            return _asked_of_a_value(rule, request)


def _out_of_reach(stage: Stage, rule: ExitRule, request: GuardRequest) -> str:
    if stage.id not in request.stages:
        return "the stage is not mapped to any of HubSpot's"
    if not _later(stage, request):
        return "HubSpot asks when a deal enters a stage, and after this one no stage is mapped"
    if rule.when is not None:
        return "it holds for some deals only, and a stage of HubSpot's requires a property of all of them"
    return ""


def _asked_of_a_value(rule: ExitRule, request: GuardRequest) -> Asked:
    must_be_there = rule.on_unknown is OnUnknown.FAIL  # else the rule does not fail where the field is empty
    match rule.check:
        case Bounds(bounds=limits):
            return _bounds(limits, request, must_be_there=must_be_there)
        case Dates(dates=limits):
            why = f"HubSpot can't hold {limits.field} against the day on which the deal leaves the stage"
            return Asked((limits.field,) if must_be_there else (), why=why)
        case OneOf(one_of=choice):
            native, fields = _in_account(choice.field, request), (choice.field,) if must_be_there else ()
            if native is not None and native.options and set(native.options) <= set(choice.values):
                return Asked(fields)
            return Asked(fields, why=f"HubSpot can't ask for certain options of {choice.field} in a stage")
        case Activities() | Approval() | Attachments() | Company() | Contacts() | Expr():
            return Asked(why=_never_asked(rule.check))
        case Required() | AtLeast() | Outputs():
            raise ValueError("what asks for fields to be filled in is read elsewhere")
        case _ as never:
            assert_never(never)


def _never_asked(check: Activities | Approval | Attachments | Company | Contacts | Expr) -> str:
    match check:
        case Activities():
            return "HubSpot can't require activities"
        case Expr():
            return "it is an expression, and HubSpot can't compute one"
        case Approval(approval=rule):
            return f"{rule.by} is needed only above a value of {rule.field}, and HubSpot can't compare the two"
        case Attachments():
            return "HubSpot can't require links, notes or files"
        case Company() | Contacts():
            return "a stage of HubSpot's requires properties of the deal itself only"


def _at_least(count: int, fields: tuple[str, ...], request: GuardRequest) -> Asked:
    if count > len(fields):
        return Asked(why="the stage has no such output")
    if count < len(fields):
        return Asked(why=f"HubSpot can't require {count} of {len(fields)} properties")
    if any(_is_yes_or_no(each, request) for each in fields):
        return Asked(fields, why="the properties are required, but HubSpot takes a No as filled in")
    return Asked(fields)


def _bounds(limits: NumberBounds, request: GuardRequest, *, must_be_there: bool) -> Asked:
    fields = (limits.field,) if must_be_there else ()
    others = {each for _, rule in request.rules() if isinstance(rule.check, Bounds) for each in (rule.check.bounds,)}
    native = _in_account(limits.field, request)
    if _cannot(limits.field, request):
        return Asked((limits.field,))
    if native is not None and native.type not in NUMBERS:
        return Asked(fields, why=f"{limits.field} is not a number in HubSpot")
    if len([other for other in others if other.field == limits.field]) > 1:
        return Asked(fields, why=f"rules set several limits for {limits.field}, and HubSpot has one for all stages")
    return Asked(fields, limits)


# ── Properties and stages ───────────────────────────────────────────────────────────────────────────────


def _is_yes_or_no(name: str, request: GuardRequest) -> bool:
    return any(each.id == name and each.type is FieldType.BOOL for each in request.process.fields)


def _native(name: str, request: GuardRequest) -> str | None:
    return request.native(name) or STANDARD.get(name)


def _in_account(name: str, request: GuardRequest) -> NativeField | None:
    native, account = _native(name, request), request.account
    fields = account.fields if account is not None else ()
    # By its name, else by the label that people see, as the adapter reads bindings.
    found = [each for each in fields if each.name == native] or [each for each in fields if each.label == native]
    return found[0] if len(found) == 1 else None


def _cannot(name: str, request: GuardRequest) -> str:
    """Say why a field can't be required, or nothing when it can."""
    if _native(name, request) is None:
        return f"{name} {WITHOUT.get(name, 'has no deal property bound to it')}"
    known = _in_account(name, request)
    if known is None and request.account is not None:
        return f"the account has no deal property for {name}"
    if known is not None and not known.writable:
        return f"HubSpot works {name} out by itself"
    return ""


def _property(name: str, request: GuardRequest) -> Property:
    native, known = str(_native(name, request)), _in_account(name, request)
    return Property(clean(known.name), clean(known.label)) if known else Property(clean(native), "")


def _later(stage: Stage, request: GuardRequest) -> list[str]:
    """Give HubSpot's stages that come after one, in the order of the process; won ones, and not lost ones."""
    after = [each.id for each in request.process.stages[request.process.order(stage.id) + 1 :]]
    own = set(request.stages.get(stage.id, ()))
    found = dict.fromkeys(native for key in (*after, "won") for native in request.stages.get(key, ()))
    return [] if stage.status == "won" else [native for native in found if native not in own]


# ── The document ────────────────────────────────────────────────────────────────────────────────────────


def _document(export: Export, request: GuardRequest) -> dict[str, Any]:
    """Give everything as data, in an order that is the same each time; the steps are written from it."""
    labels = _stage_labels(request)
    return {
        "version": 1,
        "connection": request.connection,
        "process": request.process.id,
        "title": clean(request.process.name.in_language(request.language)),
        "pipeline": {"id": clean(request.pipeline), "label": _pipeline_label(request)},
        "stages": [
            {"id": clean(native), "label": labels.get(native, ""), "required": _as_rows(export.required[native])}
            for native in dict.fromkeys(n for natives in request.stages.values() for n in natives)
            if native in export.required
        ],
        "validations": [_validation(*each) for each in export.limits],
        "pipeline_rules": _pipeline_rules(request),
        "covered": export.covered,
        "left_out": [{"rule": each.rule, "why": each.why} for each in export.left_out],
    }


def _as_rows(required: Mapping[Property, Sequence[str]]) -> list[dict[str, Any]]:
    return [{"property": prop.name, "label": prop.label, "rules": list(rules)} for prop, rules in required.items()]


def _validation(prop: Property, kind: str, limit: Decimal, rule: str) -> dict[str, Any]:
    return {
        "property": prop.name,
        "label": prop.label,
        "method": "PUT",
        "path": f"/crm/property-validations/{VERSION}/{DEAL_TYPE}/{prop.name}/rule-type/{kind}",
        "body": {"ruleArguments": [f"{limit:f}"], "shouldApplyNormalization": False},
        "rules": [rule],
    }


def _stage_labels(request: GuardRequest) -> dict[str, str]:
    pipelines = request.account.pipelines if request.account is not None else ()
    return {s.id: clean(s.label) for each in pipelines if each.id == request.pipeline for s in each.stages}


def _pipeline_label(request: GuardRequest) -> str:
    pipelines = request.account.pipelines if request.account is not None else ()
    return next((clean(each.label) for each in pipelines if each.id == request.pipeline), "")


def _pipeline_rules(request: GuardRequest) -> dict[str, bool]:
    """Tell which of HubSpot's rules about moves are the process's own too ("Set up rules for deal pipelines")."""
    moves = request.process.moves
    return {"restrict_skipping": not moves.skip and _is_one_path(request), "restrict_backwards": not moves.back}


def _is_one_path(request: GuardRequest) -> bool:
    """Tell whether each stage leads to the next only, and HubSpot has just these stages, in this order."""
    stages = [each for each in request.process.stages if each.status == "open"]
    if any(each.next is not None and each.next != (after.id,) for each, after in pairwise(stages)):
        return False
    natives = [request.stages.get(each.id, ()) for each in stages]
    if any(len(each) != 1 for each in natives):
        return False
    pipelines = request.account.pipelines if request.account is not None else ()
    found = [[s.id for s in each.stages if s.status == "open"] for each in pipelines if each.id == request.pipeline]
    return not found or found[0] == [each[0] for each in natives]
