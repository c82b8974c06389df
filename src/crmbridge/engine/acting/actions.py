"""Turn a deal's findings into changes, as the bindings say; findings without an action are only reported."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation

from msgspec import Struct, field

from crmbridge.engine.acting.aging import Past, rule_of
from crmbridge.engine.acting.bindings import binding_for, latest_due, steps_of
from crmbridge.engine.acting.occasion import Occasion, reason
from crmbridge.engine.acting.reverting import revert, reverts_asked
from crmbridge.engine.acting.tasks import SUBJECT_LIMIT, about, endings, note, task, tasks_asked
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.people import OWNER
from crmbridge.engine.sla.limits import clock_rule
from crmbridge.engine.text import fill, plain
from crmbridge.model.changes import Action, Blocked, Cause, Change, FieldEdit, Origin
from crmbridge.model.findings import Evaluation, Finding, FindingKind
from crmbridge.model.lives import Known
from crmbridge.model.records import STANDARD_FIELDS, Kind
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType, Money, Value, parse_iso, show

FIELD_LIMIT = 250  # characters
_ONE_OF = {"task", "reassign"}  # of which a step takes the place of what the binding itself asks for


class Acts(Struct, frozen=True, kw_only=True):
    """What the findings of a deal ask for: changes in the order of the findings, and what needs a person."""

    changes: tuple[Change, ...] = ()
    blocked: tuple[Blocked, ...] = ()


class _Wanted(Struct):
    """What is gathered, by what only one change may do: set a field, move the deal back, or tell of a finding."""

    changes: dict[str, Change | None] = field(default_factory=dict)
    blocked: list[Blocked] = field(default_factory=list)

    def take(self, slot: str, found: Change | Blocked | None) -> None:
        """Keep the first that speaks."""
        if slot in self.changes:
            return
        self.changes[slot] = found if isinstance(found, Change) else None
        if isinstance(found, Blocked):
            self.blocked.append(found)


def acts_for(subject: Subject, evaluation: Evaluation, past: Past, now: datetime) -> Acts:
    """Give what one deal's findings ask for, and end the tasks whose findings ask for nothing any more.

    The same finding gives a change with the same id each time, so the plan can leave out what the journal says was
    applied. Of several findings that set one field, the first speaks; a deal is moved back once per move. A finding
    that is waived asks for nothing, and one that hangs on a field that can't be read for nothing new.
    """
    wanted = _Wanted()
    asking = [finding for finding in evaluation.findings if finding.waived is None]
    for finding in asking:
        binding = binding_for(subject, finding, now)
        if binding is not None and not _is_unread(subject, finding):
            at = Occasion(subject=subject, evaluation=evaluation, past=past, finding=finding, binding=binding, now=now)
            _act(at, wanted)
    changes = (change for change in wanted.changes.values() if change is not None)
    ended = endings(past, {finding.id for finding in asking}, now)
    return Acts(changes=(*changes, *ended), blocked=tuple(wanted.blocked))


def _is_unread(subject: Subject, finding: Finding) -> bool:
    """Tell whether what was found hangs on a field that can't be read: that is a finding of its own, to act on."""
    unreadable = subject.deal.unreadable
    if not unreadable:
        return False
    if finding.kind is FindingKind.UNDECIDED:
        return not unreadable.isdisjoint(finding.seen)
    clock, rule = clock_rule(finding.rule, subject.process), rule_of(subject, finding)
    names = clock.fields if clock else frozenset()
    if rule and rule.waived_by:  # it may be approved
        names |= {rule.waived_by.field, rule.waived_by.until or ""}
    return not unreadable.isdisjoint(names)


def asked_of(subject: Subject, evaluation: Evaluation, past: Past) -> Iterator[str]:
    """Name the changes whose outcomes decide on what is done now."""
    now = evaluation.at
    for finding in evaluation.findings:
        binding = binding_for(subject, finding, now)
        yield from tasks_asked(Known(finding, past.life(finding, now)), len(binding.escalate) if binding else 0)
        if binding is not None and binding.action == "revert":
            yield from reverts_asked(evaluation)
    here = {finding.id for finding in evaluation.findings}
    for each in past.known.values():
        if each.finding.id not in here:
            yield from tasks_asked(each, 0)


def _act(at: Occasion, wanted: _Wanted) -> None:
    """Take what a binding asks for, and the latest step of its escalation for each action."""
    own = at.binding.action
    since = at.past.life(at.finding, at.now).asks_since
    steps = dict(latest_due(steps_of(at.binding, at.subject, at.finding, since), at.now))
    if own not in _ONE_OF or own not in steps:
        _take(own, at, wanted)
    for action, step in steps.items():
        _take(action, replace(at, step=step), wanted)


def _take(action: str, at: Occasion, wanted: _Wanted) -> None:
    """Make what one action asks for, in the place that only one change may have."""
    if action == "notify":
        for sink in at.binding.sinks or at.subject.settings.notices:
            wanted.take(f"notify:{at.finding.id}:{at.level}:{sink}", _notice(at, sink))
    elif action in _ACTIONS:
        slots = {"field": f"field:{at.binding.field}", "revert": "field:stage", "reassign": "field:owner"}
        found = _ACTIONS[action](at)
        if found is not None or action != "revert":  # a finding that takes no move back leaves that to the others
            wanted.take(slots.get(action, f"{action}:{at.finding.id}"), found)


def typed(text: str, kind: FieldType, current: Value = None) -> Value:
    """Read a setting's text as a field's kind of value; text that is not of that kind stays text.

    Money needs a currency, which is taken from the field's current value.
    """
    try:
        if kind is FieldType.MONEY:
            return Money(_number(text.strip()), current.currency) if isinstance(current, Money) else text
        return _READ.get(kind, str)(text.strip())
    except (ValueError, KeyError, InvalidOperation):
        return text


def _number(text: str) -> Decimal:
    number = Decimal(text)
    if not number.is_finite():  # Python takes `nan` and `infinity` for numbers
        raise ValueError(text)
    return number


_READ: Mapping[FieldType, Callable[[str], Value]] = {
    FieldType.BOOL: lambda text: {"yes": True, "true": True, "no": False, "false": False}[text.lower()],
    FieldType.NUMBER: _number,
    FieldType.DATE: date.fromisoformat,
    FieldType.DATETIME: parse_iso,
    FieldType.CHOICES: lambda text: tuple(sorted(part.strip() for part in text.split(",") if part.strip())),
}


def _field(at: Occasion) -> Change | None:
    """Set the binding's field, unless it already has that value."""
    finding, binding = at.finding, at.binding
    if binding.field is None:
        return None
    before = at.subject.deal.fields.get(binding.field)
    after: Value = None
    if binding.value is not None:
        words = {"rule": finding.rule, "message": plain(finding.message, FIELD_LIMIT)}
        text = plain(fill(binding.value, words), FIELD_LIMIT)
        after = typed(text, _type_of(binding.field, at.subject), before)
    return _update(at, binding.field, before, after)


def _reassign(at: Occasion) -> Change | Blocked | None:
    """Give the deal to somebody else, unless they have it; a person decides where nobody is known by that name."""
    connection = at.finding.deal.connection
    user = at.past.people.user(at.email)
    before = at.subject.deal.fields.get(OWNER)
    if user is not None:
        return _update(at, OWNER, before, user)
    said = f"{connection} has no user with the e-mail {at.email}" if at.email else f"nobody is {at.to} in `people:`"
    return Blocked(
        link="",
        deal=at.finding.deal,
        name=OWNER,
        reason=f"{said}, so the deal keeps its owner ({at.finding.rule}: {at.place})",
        values={connection: at.past.people.emails.get(str(before), before)},
        cause=Cause.COUNTERPART,
    )


def _update(at: Occasion, name: str, before: Value, after: Value) -> Change | None:
    if before == after:
        return None
    finding = at.finding
    return Change(
        id=at.name(Action.UPDATE, name, show(after)),
        action=Action.UPDATE,
        origin=Origin.ENFORCE,
        connection=finding.deal.connection,
        target=finding.deal,
        edits=(FieldEdit(name, before, after),),
        reason=reason(finding),
        expects=at.subject.deal.version,
        finding=finding.id,
    )


def _notice(at: Occasion, sink: str) -> Change:
    """Tell a sink of a finding, once for the binding and once for each step."""
    edits = (
        FieldEdit("sink", None, sink),
        FieldEdit("to", None, at.called),
        FieldEdit("subject", None, plain(at.title(), SUBJECT_LIMIT)),
        FieldEdit("body", None, at.body()),
    )
    return about(at, Action.NOTIFY, at.name(Action.NOTIFY, sink, str(at.level)), edits, None)


# `audit` and `warn` change nothing, so they have no line; a notice is one for each sink.
_ACTIONS: Mapping[str, Callable[[Occasion], Change | Blocked | None]] = {
    "task": task,
    "note": note,
    "field": _field,
    "revert": revert,
    "reassign": _reassign,
}


def _type_of(name: str, subject: Subject) -> FieldType:
    declared = next((known.type for known in subject.process.fields if known.id == name), None)
    return declared or STANDARD_FIELDS[Kind.DEAL].get(name, FieldType.TEXT)
