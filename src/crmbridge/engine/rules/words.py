"""How each check says what it found, from the code that it decided with and the values it looked at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crmbridge.engine.expr import runtime
from crmbridge.engine.rules.asking import activity_field, output_fields
from crmbridge.engine.rules.beside import answer, approver_misfit
from crmbridge.engine.rules.case import Answer, Case, quote
from crmbridge.engine.rules.outputs import says_yes, shown_by_files
from crmbridge.model import checks
from crmbridge.model.findings import Judgement
from crmbridge.model.values import is_empty


def say(check: Any, judgement: Judgement, reason: int, case: Case) -> Answer:
    """Say what a check decided; expressions are said elsewhere."""
    return _CHECKS[type(check)](check, judgement, reason, case)


def undecided(field: str, case: Case) -> str:
    """Say why a field can't be used: it is empty, or it holds another kind of value."""
    value = case.fields.get(field)
    why = "is empty" if is_empty(value) else f"is {quote(value)}, which can't be compared"
    return f"{case.name(field)} {why}"


def _required(check: checks.Required, judgement: Judgement, reason: int, case: Case) -> Answer:
    return _filled(check.required, len(check.required), judgement, reason, case)


def _at_least(check: checks.AtLeast, judgement: Judgement, reason: int, case: Case) -> Answer:
    return _filled(check.of, check.at_least, judgement, reason, case)


def _outputs(check: checks.Outputs, judgement: Judgement, reason: int, case: Case) -> Answer:
    if shown_by_files(check, case.stage):
        return answer(check, case)
    wanted = output_fields(check, case.stage)
    if wanted is None:
        known = {output.id for output in case.stage.outputs}
        unknown = ", ".join(output for output in check.outputs if output not in known)
        return Answer(judgement=judgement, message=f"The stage has no output {unknown}.")
    return _filled(wanted, len(wanted), judgement, reason, case)


def _filled(fields: Sequence[str], needed: int, judgement: Judgement, reason: int, case: Case) -> Answer:
    missing = [field for bit, field in enumerate(fields) if reason >> bit & 1]
    passed = len(fields) - len(missing)
    holds = judgement is Judgement.PASS
    if holds:
        message = f"{passed} of {len(fields)} filled in: {case.names(fields)}."
    elif needed == len(fields):
        message = f"Still to be filled in: {case.names(missing)}."
    else:
        message = f"{passed} of the {needed} needed are filled in; missing: {case.names(missing)}."
    return Answer(
        judgement=judgement,
        message=message,
        looked_at=fields,
        missing=() if holds else missing,
        passed=passed,
        value=case.fields.get(fields[0]) if len(fields) == 1 else None,
    )


def _activities(check: checks.Activities, judgement: Judgement, _reason: int, case: Case) -> Answer:
    if not check.activities.counts_all:
        return answer(check, case)
    wanted, field = check.activities, activity_field(check)
    if judgement is Judgement.UNKNOWN:
        return _undecided(field, case)
    value = case.fields.get(field)
    count = runtime.amount(value) or 0
    kind = "activities" if wanted.state == "any" else f"{wanted.state} activities"
    return Answer(
        judgement=judgement,
        message=f"The deal has {quote(min(count, wanted.at_least))} of the {wanted.at_least} {kind} it needs.",
        looked_at=(field,),
        missing=() if judgement is Judgement.PASS else (field,),
        passed=int(count),
        value=value,
    )


def _bounds(check: checks.Bounds, judgement: Judgement, _reason: int, case: Case) -> Answer:
    bounds = check.bounds
    limit = f"at least {bounds.min:,f}" if bounds.min is not None else ""
    limit += " and " if limit and bounds.max is not None else ""
    limit += f"at most {bounds.max:,f}" if bounds.max is not None else ""
    return _compared(bounds.field, judgement, limit=limit, case=case)


def _dates(check: checks.Dates, judgement: Judgement, _reason: int, case: Case) -> Answer:
    bounds = check.dates
    limit = f"not before {_day_text(bounds.from_days)}" if bounds.from_days is not None else ""
    limit += " and " if limit and bounds.to_days is not None else ""
    limit += f"not after {_day_text(bounds.to_days)}" if bounds.to_days is not None else ""
    return _compared(bounds.field, judgement, limit=limit, case=case)


def _one_of(check: checks.OneOf, judgement: Judgement, _reason: int, case: Case) -> Answer:
    return _compared(check.one_of.field, judgement, limit=f"one of {', '.join(check.one_of.values)}", case=case)


def _approval(check: checks.Approval, judgement: Judgement, reason: int, case: Case) -> Answer:
    rule = check.approval
    if reason and says_yes(case.fields.get(rule.by)) and (misfit := approver_misfit(rule, case)):
        return misfit
    if judgement is Judgement.UNKNOWN:
        return _undecided(rule.field, case)
    value = case.fields.get(rule.field)
    if not reason:
        message = f"{case.name(rule.field)} needs no approval up to {rule.over:,f}."
        return Answer(judgement=judgement, message=message, looked_at=(rule.field,), passed=1, value=value)
    approved = judgement is Judgement.PASS
    by = f"approved by {quote(case.fields.get(rule.by))}" if approved else f"{case.name(rule.by)} must be filled in"
    return Answer(
        judgement=judgement,
        message=f"{case.name(rule.field)} is {quote(value)}, which is over {rule.over:,f}: {by}.",
        looked_at=(rule.field, rule.by),
        missing=() if approved else (rule.by,),
        passed=int(approved),
        value=value,
    )


def _beside(check: Any, _judgement: Judgement, _reason: int, case: Case) -> Answer:
    return answer(check, case)


_CHECKS: Mapping[type, Callable[[Any, Judgement, int, Case], Answer]] = {
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
}


def _compared(field: str, judgement: Judgement, *, limit: str, case: Case) -> Answer:
    if judgement is Judgement.UNKNOWN:
        return _undecided(field, case)
    value, holds = case.fields.get(field), judgement is Judgement.PASS
    middle = "as it must be" if holds else "but must be"
    return Answer(
        judgement=judgement,
        message=f"{case.name(field)} is {quote(value)}, {middle} {limit}.",
        looked_at=(field,),
        missing=() if holds else (field,),
        passed=int(holds),
        value=value,
    )


def _undecided(field: str, case: Case) -> Answer:
    """Say that a check can't be decided, because its field is empty or holds another kind of value."""
    return Answer(
        judgement=Judgement.UNKNOWN,
        message=f"{undecided(field, case)}, so this can't be decided.",
        looked_at=(field,),
        missing=(field,),
        value=case.fields.get(field),
    )


def _day_text(days: int) -> str:
    # Without a date in it, the sentence stays the same from day to day.
    if days == 0:
        return "today"
    unit = "day" if abs(days) == 1 else "days"
    return f"{days} {unit} from today" if days > 0 else f"{-days} {unit} ago"
