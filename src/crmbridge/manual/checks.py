"""Exit and entry rules in words: what must hold, for which deals, and what is said while a value is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape
from msgspec import Struct

from crmbridge.engine.text import fill, plain
from crmbridge.manual import expressions
from crmbridge.manual.speech import Speech
from crmbridge.manual.words import sentence
from crmbridge.model import checks
from crmbridge.model.process import ExitRule, Stage
from crmbridge.model.values import FieldType

KINDS = ("call", "meeting", "email", "task")  # those that have a name in every language


class SaidRule(Struct, frozen=True, kw_only=True):
    """A rule in words. `told` is what people read when it does not hold; `notes` are whole sentences."""

    id: str
    must: Markup
    when: Markup | None
    told: Markup
    notes: tuple[Markup, ...]


def said_rule(rule: ExitRule, stage: Stage, speech: Speech) -> SaidRule:
    """Say a rule of a stage."""
    return SaidRule(
        id=rule.id,
        must=sentence(clause(rule.check, stage, speech)),
        when=clause(rule.when, stage, speech) if rule.when is not None else None,
        told=_told(rule, speech),
        notes=tuple(_notes(rule, speech)),
    )


def clause(check: Any, stage: Stage | None, speech: Speech) -> Markup:
    """Say what holds when a check passes, as a clause without a full stop."""
    return _CHECKS[type(check)](check, stage, speech)


def _told(rule: ExitRule, speech: Speech) -> Markup:
    if rule.message is None:
        return Markup("")
    template = speech.plain(rule.message)
    text = escape(fill(template, {"passed": "…", "missing": "…", "value": "…"}))
    tongue = speech.tongue(rule.message)
    return text if tongue is None else Markup('<span lang="{}" class="other">{}</span>').format(tongue, text)


def _notes(rule: ExitRule, speech: Speech) -> list[Markup]:
    notes = [speech.words(f"unknown_{rule.on_unknown.value}")] if rule.on_unknown.value != "fail" else []
    if rule.waived_by is not None:
        field, until = rule.waived_by.field, rule.waived_by.until
        key = "waived_by" if until is None else "waived_until"
        notes.append(speech.words(key, field=speech.field(field), until=speech.field(until) if until else ""))
    return notes


def _required(check: checks.Required, _stage: Stage | None, speech: Speech) -> Markup:
    return _filled(check.required, speech)


def _filled(names: Sequence[str], speech: Speech) -> Markup:
    if len(names) == 1:
        return speech.words("is_filled", x=speech.field(names[0]))
    return speech.words("are_filled", x=speech.fields_listed(names))


def _at_least(check: checks.AtLeast, _stage: Stage | None, speech: Speech) -> Markup:
    names, needed = check.of, check.at_least
    yes = {speech.fields.get(name) is FieldType.BOOL for name in names}
    how = {frozenset({True}): "yes", frozenset({False}): "filled"}.get(frozenset(yes), "hold")
    if len(names) == 1:
        return speech.words("says_yes" if how == "yes" else "is_filled", x=speech.field(names[0]))
    group = next((one for one in speech.process.criteria if set(one.fields) == set(names)), None)
    count = {"k": speech.words.number(needed), "n": speech.words.number(len(names))}
    of = (
        speech.words("of_criteria", name=speech.text(group.name), **count)
        if group
        else speech.words("of_these", **count)
    )
    key = f"all_of_{how}" if needed == len(names) else f"at_least_of_{how}"
    return speech.words(key, of=of, list=speech.fields_listed(names), **count)


def _activities(check: checks.Activities, _stage: Stage | None, speech: Speech) -> Markup:
    wanted, words = check.activities, speech.words
    kinds = ""
    if wanted.kind:
        kinds = words("in_brackets", x=kinds_listed(wanted.kind, speech))
    parts = [words.counted(f"activities_{wanted.state}", wanted.at_least, kinds=kinds)]
    if wanted.within is not None:
        side = "next" if wanted.state == "open" else "last"
        parts.append(words(f"within_{side}", time=words.duration(wanted.within)))
    if wanted.in_stage:
        parts.append(words("since_stage"))
    if wanted.subject is not None:
        parts.append(words("with_subject", text=words.quoted(plain(wanted.subject))))
    return words("list_comma").join(parts)


def kinds_listed(kinds: Sequence[str], speech: Speech) -> Markup:
    """Name kinds of activities; people may have called them something of their own."""
    named = (speech.words(f"kind_{kind}") if kind in KINDS else plain(kind) for kind in kinds)
    return speech.words.listed(named, "or")


def _outputs(check: checks.Outputs, stage: Stage | None, speech: Speech) -> Markup:
    known = {output.id: output for output in stage.outputs} if stage else {}
    named = [output_name(known[one], speech) if one in known else escape(one) for one in check.outputs]
    return speech.words("is_there" if len(named) == 1 else "are_there", x=speech.words.listed(named))


def output_name(output: Any, speech: Speech) -> Markup:
    """Name an output, and the field that shows it where that is called something else."""
    name = speech.text(output.name)
    if output.file is not None:
        file = _files(output.file, speech)
        if output.field is None:
            return name + speech.words("in_brackets", x=file)
        return speech.words("in_field_or_file", x=name, field=speech.field(output.field), file=file)
    if name == speech.field_name(output.field):
        return speech.field(output.field)
    return speech.words("in_field", x=name, field=speech.field(output.field))


def _bounds(check: checks.Bounds, _stage: Stage | None, speech: Speech) -> Markup:
    bounds, number = check.bounds, speech.words.number
    field = speech.field(bounds.field)
    if bounds.min is not None and bounds.max is not None:
        return speech.words("between", x=field, low=number(bounds.min), high=number(bounds.max))
    if bounds.min is not None:
        return speech.words("cmp_at_least", x=field, y=number(bounds.min))
    return speech.words("cmp_at_most", x=field, y=number(bounds.max or 0))


def _dates(check: checks.Dates, _stage: Stage | None, speech: Speech) -> Markup:
    bounds = check.dates
    field, low, high = speech.field(bounds.field), bounds.from_days, bounds.to_days
    if low is not None and high is not None:
        return speech.words("between", x=field, low=_day(low, speech), high=_day(high, speech))
    if low is not None:
        return speech.words("cmp_date_at_least", x=field, y=_day(low, speech))
    return speech.words("cmp_date_at_most", x=field, y=_day(high or 0, speech))


def _day(days: int, speech: Speech) -> Markup:
    if days == 0:
        return speech.words("today")
    return speech.words.counted("days_ahead" if days > 0 else "days_ago", abs(days))


def _one_of(check: checks.OneOf, _stage: Stage | None, speech: Speech) -> Markup:
    values = [speech.words.quoted(plain(value)) for value in check.one_of.values]
    key = "is_one" if len(values) == 1 else "one_of"
    return speech.words(key, x=speech.field(check.one_of.field), values=speech.words.listed(values, "or"))


def _approval(check: checks.Approval, _stage: Stage | None, speech: Speech) -> Markup:
    rule, words = check.approval, speech.words
    parts = {"x": speech.field(rule.field), "over": words.number(rule.over), "by": speech.field(rule.by)}
    said = words("approval", **parts)
    if rule.who:
        said += words("approval_who", who=speech.people(rule.who))
    return said + words("approval_not_owner") if rule.not_owner else said


def _attachments(check: checks.Attachments, _stage: Stage | None, speech: Speech) -> Markup:
    rule, words, parts = check.attachments, speech.words, []
    if rule.links:
        key = "holds_link" if len(rule.links) == 1 else "hold_links"
        parts.append(words(key, x=speech.fields_listed(rule.links)))
    if rule.note is not None:
        parts.append(words("note_says", text=words.quoted(plain(rule.note))))
    if rule.files is not None:
        parts.append(words("files_attached", x=_files(rule.files, speech)))
    return words("joined_and").join(parts)


def _files(rule: checks.FileRule, speech: Speech) -> Markup:
    """Say which files are meant, and how many."""
    words = speech.words
    said = words.counted("files", rule.at_least)
    if rule.name:
        said += words("files_named", list=words.listed((words.quoted(plain(one)) for one in rule.name), "or"))
    if rule.kind:
        said += words("files_of_kind", list=words.listed((escape(plain(one)) for one in rule.kind), "or"))
    return said + words("files_new") if rule.in_stage else said


def _company(check: checks.Company, _stage: Stage | None, speech: Speech) -> Markup:
    return speech.words("company_has", list=speech.words.listed(_beside(check.company.required, speech)))


def _contacts(check: checks.Contacts, _stage: Stage | None, speech: Speech) -> Markup:
    rule, words = check.contacts, speech.words
    parts = [words.counted("contacts_linked", rule.at_least)]
    if rule.title:
        titles = words.listed((words.quoted(plain(title)) for title in rule.title), "or")
        parts.append(words("with_title", list=titles))
    if rule.required:
        parts.append(words("with_fields", list=words.listed(_beside(rule.required, speech))))
    return words("list_comma").join(parts)


def _beside(names: Sequence[str], speech: Speech) -> list[Markup]:
    """Name fields of a company or contact."""
    known = {"name", "email", "title", "domain", "company"}
    return [speech.words(f"beside_{name}") if name in known else escape(plain(name)) for name in names]


def _expr(check: checks.Expr, _stage: Stage | None, speech: Speech) -> Markup:
    return expressions.said(check.expr, speech)


_CHECKS: Mapping[type, Callable[[Any, Stage | None, Speech], Markup]] = {
    checks.Required: _required,
    checks.AtLeast: _at_least,
    checks.Activities: _activities,
    checks.Outputs: _outputs,
    checks.Bounds: _bounds,
    checks.Dates: _dates,
    checks.OneOf: _one_of,
    checks.Approval: _approval,
    checks.Attachments: _attachments,
    checks.Company: _company,
    checks.Contacts: _contacts,
    checks.Expr: _expr,
}
