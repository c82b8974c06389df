"""Judge one deal by one exit rule; what each check looks at stands in a function of its own, found through a table."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from crmbridge.engine.activity_checks import count_activities, turns
from crmbridge.engine.beside_checks import approver_misfit, check_attachments, check_company, check_contacts
from crmbridge.engine.cases import Answer, Case, as_choices, quote, says_yes
from crmbridge.engine.text import fill
from crmbridge.model.checks import (
    Activities,
    Approval,
    AtLeast,
    Attachments,
    Bounds,
    Check,
    Company,
    Contacts,
    Dates,
    OneOf,
    Outputs,
    Required,
)
from crmbridge.model.findings import Judgement, Verdict
from crmbridge.model.process import ExitRule
from crmbridge.model.records import Record
from crmbridge.model.values import Money, Value, is_empty


def judge(rule: ExitRule, case: Case) -> Verdict:
    """Judge the case's deal by a rule of the case's stage.

    A rule whose `when` does not pass, or can't be decided, is not applicable.
    """
    condition = ask(rule.when, case) if rule.when is not None else None
    if condition and condition.judgement is not Judgement.PASS:
        answer = Answer(
            judgement=Judgement.NOT_APPLICABLE,
            message="This rule is for other deals.",
            looked_at=condition.looked_at,
        )
    else:
        answer = ask(rule.check, case)
    return Verdict(
        rule=f"{case.stage.id}.{rule.id}",
        stage=case.stage.id,
        judgement=answer.judgement,
        message=_message(rule, answer, case),
        seen={**{field: case.fields.get(field) for field in answer.looked_at}, **answer.seen},
        missing=tuple(answer.missing),
        on_unknown=rule.on_unknown.value,
        as_of=case.now,
        values=case.values,
    )


def ask(check: Check, case: Case) -> Answer:
    """Ask one check about the case's deal."""
    return _CHECKS[type(check)](check, case)


def looks_at_today(rule: ExitRule) -> bool:
    """Tell whether a rule can turn out otherwise on another day, with nothing changed."""
    return isinstance(rule.check, Dates) or isinstance(rule.when, Dates)


def turning_points(rule: ExitRule, activities: Sequence[Record] | None) -> Iterator[datetime]:
    """Give the moments at which a rule can turn out otherwise with nothing changed, beside the beginning of a day."""
    for check in (rule.check, rule.when):
        if isinstance(check, Activities):
            yield from turns(check.activities, activities)


def _message(rule: ExitRule, answer: Answer, case: Case) -> str:
    """Say it in the rule's own words where it has some and does not hold, else in the check's."""
    if rule.message is None or answer.judgement not in {Judgement.FAIL, Judgement.UNKNOWN}:
        return answer.message
    values = {
        "passed": str(answer.passed),
        "missing": case.names(answer.missing),
        "value": quote(answer.value),
    }
    return fill(rule.message.in_language(case.language), values)


def _required(check: Required, case: Case) -> Answer:
    return _filled(check.required, len(check.required), case, is_filled=lambda value: not is_empty(value))


def _at_least(check: AtLeast, case: Case) -> Answer:
    return _filled(check.of, check.at_least, case, is_filled=says_yes)


def _outputs(check: Outputs, case: Case) -> Answer:
    fields = {output.id: output.field for output in case.stage.outputs}
    unknown = [output for output in check.outputs if output not in fields]
    if unknown:
        return Answer(judgement=Judgement.UNKNOWN, message=f"The stage has no output {', '.join(unknown)}.")
    wanted = tuple(fields[output] for output in check.outputs)
    return _filled(wanted, len(wanted), case, is_filled=says_yes)


def _filled(fields: Sequence[str], needed: int, case: Case, *, is_filled: Callable[[Value], bool]) -> Answer:
    missing = [field for field in fields if not is_filled(case.fields.get(field))]
    passed = len(fields) - len(missing)
    holds = passed >= needed
    if holds:
        message = f"{passed} of {len(fields)} filled in: {case.names(fields)}."
    elif needed == len(fields):
        message = f"Still to be filled in: {case.names(missing)}."
    else:
        message = f"{passed} of the {needed} needed are filled in; missing: {case.names(missing)}."
    return Answer(
        judgement=Judgement.PASS if holds else Judgement.FAIL,
        message=message,
        looked_at=fields,
        missing=() if holds else missing,
        passed=passed,
        value=case.fields.get(fields[0]) if len(fields) == 1 else None,
    )


def _activities(check: Activities, case: Case) -> Answer:
    wanted = check.activities
    if not wanted.counts_all:
        return count_activities(wanted, case)
    field = "activities" if wanted.state == "any" else f"activities_{wanted.state}"
    kind = "activities" if wanted.state == "any" else f"{wanted.state} activities"
    count = _number(case.fields.get(field))
    if count is None:
        return _undecided(field, case)
    return Answer(
        judgement=Judgement.PASS if count >= wanted.at_least else Judgement.FAIL,
        message=f"The deal has {count:f} of the {wanted.at_least} {kind} it needs.",
        looked_at=(field,),
        missing=() if count >= wanted.at_least else (field,),
        passed=int(count),
        value=case.fields.get(field),
    )


def _bounds(check: Bounds, case: Case) -> Answer:
    bounds = check.bounds
    number = _number(case.fields.get(bounds.field))
    if number is None:
        return _undecided(bounds.field, case)
    low = bounds.min is not None and number < bounds.min
    high = bounds.max is not None and number > bounds.max
    limit = f"at least {bounds.min:,f}" if bounds.min is not None else ""
    limit += " and " if limit and bounds.max is not None else ""
    limit += f"at most {bounds.max:,f}" if bounds.max is not None else ""
    return _compared(bounds.field, holds=not (low or high), limit=limit, case=case)


def _dates(check: Dates, case: Case) -> Answer:
    bounds = check.dates
    value = case.fields.get(bounds.field)
    if not isinstance(value, date):
        return _undecided(bounds.field, case)
    days = (case.day(value) - case.day(case.now)).days
    early = bounds.from_days is not None and days < bounds.from_days
    late = bounds.to_days is not None and days > bounds.to_days
    limit = f"not before {_day_text(bounds.from_days)}" if bounds.from_days is not None else ""
    limit += " and " if limit and bounds.to_days is not None else ""
    limit += f"not after {_day_text(bounds.to_days)}" if bounds.to_days is not None else ""
    return _compared(bounds.field, holds=not (early or late), limit=limit, case=case)


def _one_of(check: OneOf, case: Case) -> Answer:
    choice = check.one_of
    value = case.fields.get(choice.field)
    if is_empty(value):
        return _undecided(choice.field, case)
    holds = not set(as_choices(value)).isdisjoint(choice.values)
    return _compared(choice.field, holds=holds, limit=f"one of {', '.join(choice.values)}", case=case)


def _approval(check: Approval, case: Case) -> Answer:
    rule = check.approval
    number = _number(case.fields.get(rule.field))
    if number is None:
        return _undecided(rule.field, case)
    if number <= rule.over:
        return Answer(
            judgement=Judgement.PASS,
            message=f"{case.name(rule.field)} needs no approval up to {rule.over:,f}.",
            looked_at=(rule.field,),
            passed=1,
            value=case.fields.get(rule.field),
        )
    approved = says_yes(case.fields.get(rule.by))
    if approved and (misfit := approver_misfit(rule, case)):
        return misfit
    return Answer(
        judgement=Judgement.PASS if approved else Judgement.FAIL,
        message=f"{case.name(rule.field)} is {quote(case.fields.get(rule.field))}, which is over {rule.over:,f}: "
        + (
            f"approved by {quote(case.fields.get(rule.by))}."
            if approved
            else f"{case.name(rule.by)} must be filled in."
        ),
        looked_at=(rule.field, rule.by),
        missing=() if approved else (rule.by,),
        passed=int(approved),
        value=case.fields.get(rule.field),
    )


def _attachments(check: Attachments, case: Case) -> Answer:
    return check_attachments(check.attachments, case)


def _company(check: Company, case: Case) -> Answer:
    return check_company(check.company, case)


def _contacts(check: Contacts, case: Case) -> Answer:
    return check_contacts(check.contacts, case)


# A new check is one function above and one line here. The argument is of the check's own class.
_CHECKS: Mapping[type, Callable[[Any, Case], Answer]] = {
    Required: _required,
    AtLeast: _at_least,
    Activities: _activities,
    Outputs: _outputs,
    Bounds: _bounds,
    Dates: _dates,
    OneOf: _one_of,
    Approval: _approval,
    Attachments: _attachments,
    Company: _company,
    Contacts: _contacts,
}


def _compared(field: str, *, holds: bool, limit: str, case: Case) -> Answer:
    value = case.fields.get(field)
    middle = "as it must be" if holds else "but must be"
    return Answer(
        judgement=Judgement.PASS if holds else Judgement.FAIL,
        message=f"{case.name(field)} is {quote(value)}, {middle} {limit}.",
        looked_at=(field,),
        missing=() if holds else (field,),
        passed=int(holds),
        value=value,
    )


def _undecided(field: str, case: Case) -> Answer:
    """Say that a check can't be decided, because its field is empty or holds another kind of value."""
    value = case.fields.get(field)
    why = "is empty" if is_empty(value) else f"is {quote(value)}, which can't be compared"
    return Answer(
        judgement=Judgement.UNKNOWN,
        message=f"{case.name(field)} {why}, so this can't be decided.",
        looked_at=(field,),
        missing=(field,),
        value=value,
    )


def _number(value: Value) -> Decimal | None:
    """Give a number or the amount of money; None for anything that is neither, NaN and infinity included."""
    if isinstance(value, Money):
        value = value.amount
    if isinstance(value, bool) or not isinstance(value, (int, Decimal)):
        return None
    number = Decimal(value)
    return number if number.is_finite() else None


def _day_text(days: int) -> str:
    # Without a date in it, the sentence stays the same from day to day.
    if days == 0:
        return "today"
    unit = "day" if abs(days) == 1 else "days"
    return f"{days} {unit} from today" if days > 0 else f"{-days} {unit} ago"
