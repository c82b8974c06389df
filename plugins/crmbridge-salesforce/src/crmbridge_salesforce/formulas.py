"""Checks as Salesforce formulas: what a validation rule can look at, written so that it says what the process says."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, NamedTuple

from msgspec import Struct

from crmbridge.model import checks
from crmbridge.model.process import Stage
from crmbridge.model.records import STANDARD_FIELDS, Kind
from crmbridge.model.values import FieldType
from crmbridge.ports import GuardRequest, NativeField
from crmbridge_salesforce.schema import NO, YES

TRUE, FALSE = "TRUE", "FALSE"
API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
# Characters that XML 1.0 has no way to write.
UNWRITABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Standard fields that a formula can read: their name, and how they are stored.
STANDARD: Mapping[str, tuple[str, FieldType]] = MappingProxyType(
    {
        "name": ("Name", FieldType.TEXT),
        "amount": ("Amount", FieldType.MONEY),
        "close_date": ("CloseDate", FieldType.DATE),
        "owner": ("OwnerId", FieldType.USER),
        "company": ("AccountId", FieldType.USER),
        "source": ("LeadSource", FieldType.CHOICE),
    }
)
_NUMBERS = frozenset({FieldType.NUMBER, FieldType.MONEY})
_ELSEWHERE = frozenset({"contacts", "activities", "activities_done", "activities_open", "last_activity_at"})
_WORDS = frozenset({FieldType.TEXT, FieldType.CHOICE, FieldType.CHOICES})


class UnsayableError(Exception):
    """What a formula can't say, in plain words."""


class Field(Struct, frozen=True, kw_only=True):
    """A field as a formula has it: its API name, how the org stores it, and what the process takes it for.

    `choices` tells whether it is a picklist of one value; a yes/no field is one or a checkbox.
    """

    name: str
    native: str
    stored: FieldType
    meant: FieldType
    choices: bool
    percent: bool | None  # None: not known


class Said(NamedTuple):
    """Two formulas, never both true: that a check holds, and that it can't be decided because a value is missing."""

    holds: str
    unknown: str = FALSE


def literal(text: str) -> str:
    """Write a text of a formula; raises UnsayableError for one that can't be written."""
    if UNWRITABLE.search(text):
        raise UnsayableError(f"{text[:40]!r} holds characters that can't be written in a formula")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


def all_of(parts: Iterable[str]) -> str:
    """Join formulas of which all must be true."""
    kept = [part for part in dict.fromkeys(parts) if part != TRUE]
    if FALSE in kept:
        return FALSE
    return _called("AND", kept) if kept else TRUE


def any_of(parts: Iterable[str]) -> str:
    """Join formulas of which one must be true."""
    kept = [part for part in dict.fromkeys(parts) if part != FALSE]
    if TRUE in kept:
        return TRUE
    return _called("OR", kept) if kept else FALSE


def not_(part: str) -> str:
    """Turn a formula round."""
    return {TRUE: FALSE, FALSE: TRUE}.get(part) or f"NOT({part})"


def picks(field: str, values: Iterable[str]) -> str:
    """Say that a picklist has one of these values; it is compared by API name, whatever the labels say."""
    return any_of(f"ISPICKVAL({field}, {literal(value)})" for value in values)


def _called(name: str, parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{name}({', '.join(parts)})"


def field_of(name: str, request: GuardRequest) -> Field:
    """Find a field of the process in the org; raises UnsayableError for one that a formula can't read."""
    if name in _ELSEWHERE:
        raise UnsayableError(f"{name} stands in other records than the deal, and a validation rule sees the deal only")
    bound = next((one for one in request.fields if one.name == name), None)
    native, stored = (bound.native, bound.type) if bound else STANDARD.get(name, ("", FieldType.TEXT))
    if not native:
        raise UnsayableError(f"{name} is bound to no field of the org")
    meant = bound.type if bound else STANDARD_FIELDS[Kind.DEAL][name]
    known = _known(native, request)
    if known is None and request.account is not None and bound:
        raise UnsayableError(f"the org has no field {native}, or several of that label")
    native = known.name if known else native
    if API_NAME.fullmatch(native) is None:
        raise UnsayableError(f"{native[:80]!r} is no API name; with --ask, the export looks labels up in the org")
    if known and (bound or known.type in _NUMBERS):
        stored = known.type or FieldType.TEXT
    choices = stored is FieldType.CHOICE or (stored is FieldType.BOOL and bool(known and known.options))
    percent = known.percent if known else None
    return Field(name=name, native=native, stored=stored, meant=meant, choices=choices, percent=percent)


def _known(native: str, request: GuardRequest) -> NativeField | None:
    """Find a field in the account by its API name in any case, or by its label where only one has it."""
    fields, wanted = request.account.fields if request.account else (), native.strip().casefold()
    by_name = [field for field in fields if field.name.casefold() == wanted]
    found = by_name or [field for field in fields if field.label.strip().casefold() == wanted]
    return found[0] if len(found) == 1 else None


def said(check: checks.Check, stage: Stage, request: GuardRequest) -> Said:
    """Say a check of a stage; raises UnsayableError."""
    return _CHECKS[type(check)](check, stage, request)


def _required(check: checks.Required, _stage: Stage, request: GuardRequest) -> Said:
    return Said(all_of(_filled(field_of(name, request)) for name in check.required))


def _at_least(check: checks.AtLeast, _stage: Stage, request: GuardRequest) -> Said:
    return Said(_count(check.at_least, check.of, request))


def _outputs(check: checks.Outputs, stage: Stage, request: GuardRequest) -> Said:
    if not set(check.outputs) <= {output.id for output in stage.outputs}:
        return Said(FALSE, TRUE)
    fields = stage.fields_of(check.outputs)
    if fields is None:
        raise UnsayableError("a file can show it, and a validation rule sees the deal only")
    return Said(_count(len(fields), fields, request))


def _count(needed: int, names: Iterable[str], request: GuardRequest) -> str:
    """Say that this many of the fields say yes; a field that is named twice counts twice."""
    parts = [_yes(field_of(name, request)) for name in names]
    if needed >= len(parts):
        return all_of(parts) if needed == len(parts) else FALSE
    return any_of(parts) if needed == 1 else " + ".join(f"IF({part}, 1, 0)" for part in parts) + f" >= {needed}"


def _bounds(check: checks.Bounds, _stage: Stage, request: GuardRequest) -> Said:
    bounds, field = check.bounds, _number_field(check.bounds.field, request)
    limits = [f"{field.native} >= {_number(bounds.min, field)}"] if bounds.min is not None else []
    limits += [f"{field.native} <= {_number(bounds.max, field)}"] if bounds.max is not None else []
    return _unless_blank(field, all_of(limits))


def _dates(check: checks.Dates, _stage: Stage, request: GuardRequest) -> Said:
    bounds, field = check.dates, field_of(check.dates.field, request)
    if field.stored is not FieldType.DATE or field.meant is not FieldType.DATE:
        raise UnsayableError(f"{field.name} is no plain date, and which day a time falls on depends on the time zone")
    limits = [f"{field.native} - TODAY() >= {bounds.from_days}"] if bounds.from_days is not None else []
    limits += [f"{field.native} - TODAY() <= {bounds.to_days}"] if bounds.to_days is not None else []
    return _unless_blank(field, all_of(limits))


def _one_of(check: checks.OneOf, _stage: Stage, request: GuardRequest) -> Said:
    field = field_of(check.one_of.field, request)
    if field.meant not in _WORDS or field.stored not in _WORDS or field.name in STANDARD.keys() - {"name", "source"}:
        raise UnsayableError(f"{field.name} is no text or picklist whose values a formula could compare")
    if field.meant is FieldType.CHOICES and field.stored is FieldType.TEXT:
        raise UnsayableError(f"{field.name} holds several values in one text")
    values = [value for value in check.one_of.values if value.strip()]
    if field.stored is FieldType.CHOICES:
        return _unless_blank(field, any_of(f"INCLUDES({field.native}, {literal(value)})" for value in values))
    if field.choices:
        return _unless_blank(field, picks(field.native, values))
    return _unless_blank(field, any_of(f"{field.native} = {literal(value)}" for value in values))


def _approval(check: checks.Approval, _stage: Stage, request: GuardRequest) -> Said:
    rule = check.approval
    if rule.who is not None or rule.not_owner:
        raise UnsayableError(f"{rule.by} holds a name, and a formula can't tell whose it is")
    field, by = _number_field(rule.field, request), field_of(rule.by, request)
    return _unless_blank(field, any_of([f"{field.native} <= {_number(rule.over, field)}", _yes(by)]))


def _activities(_check: checks.Activities, _stage: Stage, _request: GuardRequest) -> Said:
    raise UnsayableError("a validation rule sees the deal only, not its activities")


def _beside(
    _check: checks.Attachments | checks.Company | checks.Contacts, _stage: Stage, _request: GuardRequest
) -> Said:
    raise UnsayableError("a validation rule sees the deal only, not its links, files, company and contacts")


def _expr(_check: checks.Expr, _stage: Stage, _request: GuardRequest) -> Said:
    raise UnsayableError("it is an expression, which is checked by crmbridge alone")


_CHECKS: Mapping[type, Callable[[Any, Stage, GuardRequest], Said]] = MappingProxyType(
    {
        checks.Required: _required,
        checks.AtLeast: _at_least,
        checks.Activities: _activities,
        checks.Outputs: _outputs,
        checks.Bounds: _bounds,
        checks.Dates: _dates,
        checks.OneOf: _one_of,
        checks.Approval: _approval,
        checks.Attachments: _beside,
        checks.Company: _beside,
        checks.Contacts: _beside,
        checks.Expr: _expr,
    }
)


def _unless_blank(field: Field, holds: str) -> Said:
    """Say what a value must be, and that without one nothing can be said; IF keeps a blank out of comparisons."""
    blank = _blank(field)
    return Said(holds if blank == FALSE else f"IF({blank}, FALSE, {holds})", blank)


def _blank(field: Field) -> str:
    # The org trims texts when they are saved, so one of spaces alone is blank here, too.
    if field.stored is FieldType.BOOL and not field.choices:
        return FALSE  # a checkbox is never empty
    return f"ISBLANK(TEXT({field.native}))" if field.choices else f"ISBLANK({field.native})"


def _filled(field: Field) -> str:
    if field.meant is FieldType.BOOL:
        return _answers(field, YES | NO)
    _check_readable(field)
    return not_(_blank(field))


def _yes(field: Field) -> str:
    return _answers(field, YES) if field.meant is FieldType.BOOL else _filled(field)


def _answers(field: Field, words: frozenset[str]) -> str:
    """Say that a yes/no field has one of these answers; any other word is one that crmbridge can't read either."""
    if field.choices or field.stored is FieldType.TEXT:
        text = f"TEXT({field.native})" if field.choices else f"TRIM({field.native})"
        cases = ", ".join(f"{literal(word)}, 1" for word in sorted(words))
        return f"CASE(LOWER({text}), {cases}, 0) = 1"
    if field.stored is not FieldType.BOOL:
        raise UnsayableError(f"{field.name} is a yes or no, and {field.native} holds neither")
    return TRUE if words >= NO else field.native


def _check_readable(field: Field) -> None:
    """Refuse a field that is filled in and yet may hold nothing that crmbridge reads as what the process means."""
    numbers, days = _NUMBERS, {FieldType.DATE, FieldType.DATETIME}
    for kinds in (numbers, days):
        if field.meant in kinds and field.stored not in kinds:
            raise UnsayableError(f"{field.native} is stored as {field.stored}, and the process means {field.meant}")


def _number_field(name: str, request: GuardRequest) -> Field:
    field = field_of(name, request)
    _check_readable(field)
    if field.stored is FieldType.NUMBER and field.percent is None:
        raise UnsayableError(
            f"a formula counts 10 % as 0.1, and whether {field.native} is a percentage was not looked up; use --ask"
        )
    return field


def _number(value: Decimal, field: Field) -> str:
    return f"{value.scaleb(-2) if field.percent else value:f}"
