"""A process's exit rules as Pipedrive's required fields: bodies to send, steps by hand, and what can't be said."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, assert_never

from msgspec import Struct, field

from crmbridge.http import dump_json
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
    OneOf,
    Outputs,
    Required,
)
from crmbridge.model.process import ExitRule, OnUnknown, Stage
from crmbridge.model.values import FieldType
from crmbridge.ports import GuardRequest, Guards, LeftOut, NativeField, rule_name

FILE, STEPS = "required-fields.json", "STEPS.md"
CODE = re.compile(r"[0-9a-f]{40}")
# Our standard fields as Pipedrive's.
STANDARD: Mapping[str, str] = {
    "name": "title",
    "amount": "value",
    "close_date": "expected_close_date",
    "owner": "owner_id",
    "company": "org_id",
    "contacts": "person_id",
    "source": "channel",
    "lost_reason": "lost_reason",
}
ONLY_ON_SCREEN = "Pipedrive asks for required fields in its app only; what comes through the API is not held back"


class Needs(NamedTuple):
    """What a rule asks for that can be required: fields of the process, and why that is not all of it, if so."""

    fields: tuple[str, ...]
    why: str = ""


class Requirement(Struct):
    """Where one field must be filled in."""

    native: str  # its code, or its name where the code is not known
    label: str
    stages: set[int] = field(default_factory=set)
    to_win: bool = False


def guards(request: GuardRequest) -> Guards:
    """Write the exit rules as required fields.

    Required at a stage means that a deal must not stand there without; so what a deal needs to leave a stage is
    required from the stages after it on, and to win ("DealFields: Update one deal field").
    """
    found: dict[str, Requirement] = {}
    covered: list[str] = []
    left: list[LeftOut] = []
    for stage, rule in request.rules():
        name = rule_name(stage, rule)
        needs = _needs(stage, rule, request)
        unknown = [f for f in needs.fields if _native(f, request) is None]
        why = f"{', '.join(unknown)} can't be required: no field of Pipedrive's holds it" if unknown else needs.why
        if why:
            left.append(LeftOut(rule=name, why=why))
        else:
            covered.append(name)
        for wanted in needs.fields:
            if wanted not in unknown:
                _require(found, wanted, stage, request)
    requirements = [found[native] for native in sorted(found)]
    return Guards(
        files=_files(requirements, request), steps=_short(requirements), covered=tuple(covered), left_out=tuple(left)
    )


# ── What a rule asks for ────────────────────────────────────────────────────────────────────────────────


def _needs(stage: Stage, rule: ExitRule, request: GuardRequest) -> Needs:
    if stage.status == "won":
        return Needs((), "the deal is won then; Pipedrive has no later stage in this pipeline at which to ask")
    if stage.id not in request.stages:
        return Needs((), "the stage is not mapped to any of Pipedrive's")
    if rule.when is not None:
        return Needs((), "it holds for some deals only, and Pipedrive requires a field of all of them")
    needs = _needs_of(stage, rule, request)
    if needs.why and rule.on_unknown is not OnUnknown.FAIL:
        # With an empty field the rule does not fail, so requiring the field would be stricter than the process.
        return Needs((), needs.why)
    return needs


def _needs_of(stage: Stage, rule: ExitRule, request: GuardRequest) -> Needs:
    match rule.check:
        case Required(required=fields):
            return Needs(fields)
        case Outputs(outputs=outputs):
            shown = stage.fields_of(outputs)
            return Needs((), "a file can show it, and Pipedrive can't require one") if shown is None else Needs(shown)
        case AtLeast(at_least=count, of=fields):
            return _at_least(count, fields, request)
        case Bounds(bounds=limits) | Dates(dates=limits):
            return Needs((limits.field,), f"{limits.field} is required, but Pipedrive can't hold its limits")
        case OneOf(one_of=choice):
            return _one_of(choice.field, choice.values, request)
        case Activities() | Approval() | Attachments() | Company() | Contacts() | Expr():
            return Needs((), _never_required(rule.check))
        case _ as never:
            assert_never(never)


def _never_required(check: Activities | Approval | Attachments | Company | Contacts | Expr) -> str:
    match check:
        case Expr():
            return "it is an expression, and Pipedrive can't compute one"
        case Activities():
            return "Pipedrive can't require activities"
        case Approval(approval=approval):
            return f"{approval.by} is needed above a limit only, and Pipedrive requires a field of all deals"
        case Attachments():
            return "Pipedrive can't require links, notes or files"
        case _:
            return "Pipedrive requires fields of the deal itself only"


def _at_least(count: int, fields: tuple[str, ...], request: GuardRequest) -> Needs:
    if count < len(fields):
        return Needs((), f"Pipedrive can't require {count} of {len(fields)} fields")
    if any(_type(name, request) is FieldType.BOOL for name in fields):
        return Needs(fields, "the fields are required, but Pipedrive can't hold that they say yes")
    return Needs(fields)


def _one_of(name: str, values: tuple[str, ...], request: GuardRequest) -> Needs:
    known = _in_account(name, request)
    if known is not None and known.options and set(known.options) <= set(values):
        return Needs((name,))
    return Needs((name,), f"{name} is required, but Pipedrive can't hold which of its options are right")


# ── Fields and stages ───────────────────────────────────────────────────────────────────────────────────


def _type(name: str, request: GuardRequest) -> FieldType | None:
    return next((f.type for f in request.process.fields if f.id == name), None)


def _native(name: str, request: GuardRequest) -> str | None:
    return request.native(name) or STANDARD.get(name)


def _in_account(name: str, request: GuardRequest) -> NativeField | None:
    """Find a field in the account, by its code or its name, if the account was asked and it is one field."""
    native, account = _native(name, request), request.account
    if native is None or account is None:
        return None
    by_code = [f for f in account.fields if f.name == native]
    found = by_code or [f for f in account.fields if f.label.casefold() == native.strip().casefold()]
    return found[0] if len(found) == 1 else None


def _require(found: dict[str, Requirement], name: str, stage: Stage, request: GuardRequest) -> None:
    known = _in_account(name, request)
    native = known.name if known else str(_native(name, request))
    requirement = found.setdefault(native, Requirement(native=native, label=known.label if known else native))
    requirement.stages |= set(_later_stages(stage, request))
    requirement.to_win = True


def _later_stages(stage: Stage, request: GuardRequest) -> Iterator[int]:
    later = request.process.stages[request.process.order(stage.id) + 1 :]
    natives = (native for after in later if after.status == "open" for native in request.stages.get(after.id, ()))
    return (int(native) for native in natives if native.isdecimal())


# ── Files and steps ─────────────────────────────────────────────────────────────────────────────────────


def _can_be_sent(requirement: Requirement) -> bool:
    """Tell whether the API can say it: of a custom field, by its code, and for some stages.

    An enabled requirement without stages holds everywhere, so one that is only for winning is set by hand.
    """
    return CODE.fullmatch(requirement.native) is not None and bool(requirement.stages)


def _body(requirement: Requirement, pipeline: str) -> dict[str, object]:
    statuses = {pipeline: ["won"]} if requirement.to_win else {}
    return {"required_fields": {"enabled": True, "stage_ids": sorted(requirement.stages), "statuses": statuses}}


def _files(requirements: Sequence[Requirement], request: GuardRequest) -> dict[str, str]:
    if not requirements:
        return {}
    sent = [
        {
            "field": requirement.label,
            "method": "PATCH",
            "path": f"/api/v2/dealFields/{requirement.native}",
            "body": _body(requirement, request.pipeline),
        }
        for requirement in requirements
        if _can_be_sent(requirement)
    ]
    files = {STEPS: _steps(requirements, request)}
    return files | ({FILE: _indented(sent)} if sent else {})


def _indented(requests: Sequence[Mapping[str, object]]) -> str:
    lines = ",\n".join(f"  {dump_json(one).decode()}" for one in requests)
    return f"[\n{lines}\n]\n"


def _steps(requirements: Sequence[Requirement], request: GuardRequest) -> str:
    names = _stage_names(request)
    rows = [
        f"| {_cell(requirement.label)} "
        f"| {', '.join(_cell(names.get(s, str(s))) for s in sorted(requirement.stages)) or '(none)'} "
        f"| {'yes' if requirement.to_win else 'no'} | {FILE if _can_be_sent(requirement) else 'by hand'} |"
        for requirement in requirements
    ]
    text = [
        f"# Required fields for {request.connection}",
        "",
        f"{ONLY_ON_SCREEN}. crmbridge goes on checking all rules.",
        "",
        "| field | required in these stages | required to win | how |",
        "|---|---|---|---|",
        *rows,
        "",
        "## By hand",
        "",
        "1. Open Company settings, Data fields, tab Lead/deal, as an admin.",
        "2. Open the field; under *Required fields* choose the pipeline's stages above, and *Won* where it says so.",
        "3. Let the field be shown in the pipeline, or it can't be asked for.",
        "",
        f"## From {FILE}",
        "",
        "Each entry is one request, with the API token of an admin in the header `x-api-token`. It replaces what is",
        "required of that field so far, so look at it first: `GET /api/v2/dealFields?include_fields=required_fields`.",
    ]
    return "\n".join(text) + "\n"


def _cell(text: str) -> str:
    """Give text that comes from an account as one cell of a table: names may hold what would end it."""
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")


def _stage_names(request: GuardRequest) -> dict[int, str]:
    account = request.account
    pipelines = account.pipelines if account else ()
    return {int(stage.id): stage.label for p in pipelines for stage in p.stages if stage.id.isdecimal()}


def _short(requirements: Sequence[Requirement]) -> tuple[str, ...]:
    if not requirements:
        return ()
    by_file = sum(map(_can_be_sent, requirements))
    said = [f"{FILE}: {by_file} fields; send each entry's body to its path, as an admin."] if by_file else []
    if by_file < len(requirements):
        said.append(f"{STEPS}: {len(requirements) - by_file} fields to be set by hand in Pipedrive's settings.")
    return (*said, f"{ONLY_ON_SCREEN}.")
