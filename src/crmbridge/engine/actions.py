"""Turn a deal's findings into changes, as the bindings say; findings without an action are only reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from crmbridge.engine.evaluate import Subject
from crmbridge.engine.mapping import WON
from crmbridge.engine.moves import LastMove, last_move
from crmbridge.engine.text import fill, plain
from crmbridge.engine.visits import in_order
from crmbridge.model.changes import Action, Change, FieldEdit, Origin, change_id
from crmbridge.model.findings import Evaluation, Finding, FindingKind
from crmbridge.model.records import STANDARD_FIELDS, Kind, Position, Status
from crmbridge.model.values import FieldType, Money, Value, parse_iso, show
from crmbridge.settings import Binding

SUBJECT_LIMIT, MESSAGE_LIMIT, FIELD_LIMIT, REASON_LIMIT = 120, 1500, 250, 300  # characters

_LABELS = {
    FindingKind.EXIT_RULE: "Exit rule not met",
    FindingKind.ENTRY_RULE: "Entry rule not met",
    FindingKind.SLA_AT_RISK: "SLA at risk",
    FindingKind.SLA_BREACHED: "SLA breached",
    FindingKind.ILLEGAL_MOVE: "Move not allowed",
    FindingKind.UNREADABLE: "Value not readable",
    FindingKind.UNDECIDED: "Exit rule not decided",
}
_ADVICE = {
    FindingKind.EXIT_RULE: "Complete what the stage asks for, or move the deal back.",
    FindingKind.ENTRY_RULE: "Complete what the stage asks for, or move the deal back.",
    FindingKind.SLA_AT_RISK: "Take the next step now, or move the deal to where it belongs.",
    FindingKind.SLA_BREACHED: "Take the next step now, or move the deal to where it belongs.",
    FindingKind.ILLEGAL_MOVE: "Move the deal to the stage where it belongs.",
    FindingKind.UNREADABLE: "Correct the value.",
    FindingKind.UNDECIDED: "Fill in what is missing, so that the rule can be decided.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Occasion:
    """One finding with the binding that speaks of it, and where both came from."""

    subject: Subject
    evaluation: Evaluation
    finding: Finding
    binding: Binding
    now: datetime

    @property
    def slot(self) -> str:
        """What only one change may do: set a field, move the deal back, or tell of this finding."""
        per_deal = {"field": self.binding.field, "revert": "stage"}
        return f"{self.binding.action}:{per_deal.get(self.binding.action) or self.finding.id}"


def actions_for(subject: Subject, evaluation: Evaluation, now: datetime) -> tuple[Change, ...]:
    """Give the changes that one deal's findings ask for, in the order of the findings.

    The same finding gives a change with the same id each time, so the plan can leave out what the journal says was
    applied. Of several findings that set one field, the first speaks; a deal is moved back once per move.
    """
    changes: dict[str, Change | None] = {}
    for finding in evaluation.findings:
        binding = subject.settings.binding(finding.rule, finding.deal.connection)
        make = _ACTIONS.get(binding.action) if binding else None
        if binding is None or make is None:
            continue
        occasion = _Occasion(subject=subject, evaluation=evaluation, finding=finding, binding=binding, now=now)
        if occasion.slot not in changes:
            changes[occasion.slot] = make(occasion)
    return tuple(change for change in changes.values() if change is not None)


def marker(finding: Finding) -> str:
    """Give the text that a task or note about a finding carries, so that it can be found again."""
    return f"crmbridge:{finding.id}"


def typed(text: str, kind: FieldType, current: Value = None) -> Value:
    """Read a setting's text as a field's kind of value; text that is not of that kind stays text.

    Money needs a currency, which is taken from the field's current value.
    """
    try:
        if kind is FieldType.MONEY:
            return Money(Decimal(text.strip()), current.currency) if isinstance(current, Money) else text
        return _READ.get(kind, str)(text.strip())
    except (ValueError, KeyError, InvalidOperation):
        return text


_READ: Mapping[FieldType, Callable[[str], Value]] = {
    FieldType.BOOL: lambda text: {"yes": True, "true": True, "no": False, "false": False}[text.lower()],
    FieldType.NUMBER: Decimal,
    FieldType.DATE: date.fromisoformat,
    FieldType.DATETIME: parse_iso,
    FieldType.CHOICES: lambda text: tuple(sorted(part.strip() for part in text.split(",") if part.strip())),
}


def _task(occasion: _Occasion) -> Change:
    deal, finding = occasion.subject.deal, occasion.finding
    title = f"{_LABELS[finding.kind]}: {show(deal.fields.get('name'))} ({finding.rule})"
    edits = (
        FieldEdit("subject", None, plain(title, SUBJECT_LIMIT)),
        FieldEdit("body", None, _body(occasion)),
        FieldEdit("due_at", None, _due(occasion)),
        FieldEdit("owner", None, deal.fields.get("owner")),
    )
    return _about(occasion, Action.TASK, edits)


def _note(occasion: _Occasion) -> Change:
    return _about(occasion, Action.NOTE, (FieldEdit("body", None, _body(occasion)),))


def _about(occasion: _Occasion, action: Action, edits: tuple[FieldEdit, ...]) -> Change:
    """Make the change that hangs a task or note on the deal. Its id leaves out the edits: the due time may differ."""
    finding = occasion.finding
    return Change(
        id=change_id(action, finding.deal.connection, finding.id),
        action=action,
        origin=Origin.ENFORCE,
        connection=finding.deal.connection,
        target=finding.deal,
        edits=edits,
        reason=_reason(finding),
        key=marker(finding),
        finding=finding.id,
    )


def _field(occasion: _Occasion) -> Change | None:
    """Set the binding's field, unless it already has that value."""
    deal, finding, binding = occasion.subject.deal, occasion.finding, occasion.binding
    if binding.field is None:
        return None
    before = deal.fields.get(binding.field)
    after: Value = None
    if binding.value is not None:
        words = {"rule": finding.rule, "message": plain(finding.message, FIELD_LIMIT)}
        text = plain(fill(binding.value, words), FIELD_LIMIT)
        after = typed(text, _type_of(binding.field, occasion.subject), before)
    if before == after:
        return None
    return Change(
        id=change_id(Action.UPDATE, finding.deal.connection, finding.id, binding.field, show(after)),
        action=Action.UPDATE,
        origin=Origin.ENFORCE,
        connection=finding.deal.connection,
        target=finding.deal,
        edits=(FieldEdit(binding.field, before, after),),
        reason=_reason(finding),
        expects=deal.version,
        finding=finding.id,
    )


def _revert(occasion: _Occasion) -> Change | None:
    """Move the deal back to the stage that its last move left, if that went forward and the deal is still open.

    A deal is never moved forward, nor out of or into won and lost, nor for what an earlier move left behind. The
    change's id is the move's: a deal that was moved back once is left alone until somebody moves it again.
    """
    deal, finding = occasion.subject.deal, occasion.finding
    move = last_move(occasion.evaluation.visits, occasion.evaluation.place, occasion.subject.process)
    if move is None or move.target is None or not _may_revert(move, occasion):
        return None
    position = occasion.subject.mapper.position(move.source.stage, _left(move, occasion.subject))
    if position is None or position == deal.position:
        return None
    steps = (move.source.stage, str(move.source.number), move.target.stage, str(move.target.number))
    return Change(
        id=change_id(Action.UPDATE, finding.deal.connection, "revert", finding.deal.id, *steps),
        action=Action.UPDATE,
        origin=Origin.ENFORCE,
        connection=finding.deal.connection,
        target=finding.deal,
        edits=(FieldEdit("stage", move.target.stage, move.source.stage),),
        reason=_reason(finding),
        position=position,
        position_before=deal.position,
        expects=deal.version,
        finding=finding.id,
    )


_OF_A_MOVE = frozenset({FindingKind.EXIT_RULE, FindingKind.ENTRY_RULE, FindingKind.UNDECIDED, FindingKind.ILLEGAL_MOVE})

# `audit` and `warn` change nothing, so they have no line.
_ACTIONS: Mapping[str, Callable[[_Occasion], Change | None]] = {
    "task": _task,
    "note": _note,
    "field": _field,
    "revert": _revert,
}


def _may_revert(move: LastMove, occasion: _Occasion) -> bool:
    about_move = occasion.finding.kind in _OF_A_MOVE and occasion.finding.since == move.at
    origin = occasion.subject.process.stage(move.source.stage)
    still_open = occasion.evaluation.place.status is Status.OPEN and origin is not None and origin.status != WON
    return about_move and still_open and move.forward and move.direct


def _left(move: LastMove, subject: Subject) -> Position | None:
    """Give the CRM's own stage that the deal was in before, where the history knows it."""
    moves = in_order(subject.moves)
    before = moves[-1].before if moves else None
    return before if before and subject.mapper.place(before).stage == move.source.stage else None


def _body(occasion: _Occasion) -> str:
    finding = occasion.finding
    process = plain(occasion.subject.process.name.in_language(occasion.subject.language))
    return (
        f"{plain(finding.message, MESSAGE_LIMIT)}\n\n"
        f"What to do: {_ADVICE[finding.kind]}\n"
        f"Rule: {finding.rule} of the process {process}\n\n"
        f"{marker(finding)}"
    )


def _due(occasion: _Occasion) -> datetime:
    """Count from when the finding began; if that is over already, from now."""
    amount, unit = int(occasion.binding.due[:-1]), occasion.binding.due[-1]
    given = timedelta(days=amount) if unit == "d" else timedelta(hours=amount)
    due = occasion.finding.since + given
    return due if due > occasion.now else occasion.now + given


def _reason(finding: Finding) -> str:
    return plain(f"{finding.rule}: {finding.message}", REASON_LIMIT)


def _type_of(field: str, subject: Subject) -> FieldType:
    declared = next((known.type for known in subject.process.fields if known.id == field), None)
    return declared or STANDARD_FIELDS[Kind.DEAL].get(field, FieldType.TEXT)
