"""The one task of a finding: made once, amended by its escalation, done when nothing is asked any more."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime

from crmbridge.engine.acting.aging import Past
from crmbridge.engine.acting.bindings import Step
from crmbridge.engine.acting.occasion import Occasion, marker, reason
from crmbridge.engine.text import plain
from crmbridge.model.changes import Action, Change, FieldEdit, JournalEntry, Origin, Outcome, change_id
from crmbridge.model.findings import Finding
from crmbridge.model.lives import Known
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value

SUBJECT_LIMIT = 120  # characters
_SAYS = ("subject", "body", "owner")  # what a step changes; when it is due follows from that


def task(at: Occasion) -> Change:
    """Make the task of a finding, or amend it where a step of its escalation says something else than it does.

    Where its CRM lets nobody amend it, or the task is not there any more, a note says so instead.
    """
    made = at.past.outcomes.get(task_id(at.finding, at.opening))
    wanted = _creation(at)
    if at.step is None or made is None or made.outcome is not Outcome.APPLIED:
        return wanted
    if _says(made, wanted, at.step):
        return wanted  # which the journal has already
    amended = at.past.outcomes.get(step_id(at.finding, at.opening, at.level))
    refused = amended is not None and amended.outcome is Outcome.REFUSED
    return _note(at) if refused or not at.past.amends else _amendment(at, _stands(at, made), wanted)


def note(at: Occasion) -> Change:
    """Make the note of a finding."""
    id_ = at.name(Action.NOTE)
    return about(at, Action.NOTE, id_, (FieldEdit("body", None, at.body()),), marker(at.finding, at.opening))


def endings(past: Past, asking: Collection[str], now: datetime) -> Iterator[Change]:
    """End the tasks of findings that ask for nothing any more; `asking` are the ids of those that do, from now on."""
    if not past.amends:
        return
    for known in past.known.values():
        now_at = past.life(replace(known.finding, waived=None), now).openings if known.finding.id in asking else None
        for opening in range(1, known.life.openings + 1):
            made = past.outcomes.get(task_id(known.finding, opening))
            if opening != now_at and made is not None and made.outcome is Outcome.APPLIED:
                yield _ending(known.finding, opening)


def tasks_asked(known: Known, steps: int) -> Iterator[str]:
    """Name what the journal is asked of a finding's tasks."""
    for opening in range(1, known.life.openings + 1):
        yield task_id(known.finding, opening)
        yield from (step_id(known.finding, opening, step) for step in range(1, steps + 1))


def task_id(finding: Finding, opening: int) -> str:
    """Name the change that makes a finding's task. Its id leaves out the edits: the due time may differ."""
    again = (str(opening),) if opening > 1 else ()
    return change_id(Action.TASK, finding.deal.connection, finding.id, *again)


def step_id(finding: Finding, opening: int, step: int) -> str:
    """Name the change that a step makes to a finding's task."""
    return change_id(Action.AMEND, finding.deal.connection, finding.id, str(opening), str(step))


def about(at: Occasion, action: Action, id_: str, edits: tuple[FieldEdit, ...], key: str | None) -> Change:
    """Make a change that tells of a finding."""
    finding = at.finding
    return Change(
        id=id_,
        action=action,
        origin=Origin.ENFORCE,
        connection=finding.deal.connection,
        target=finding.deal,
        edits=edits,
        reason=reason(finding),
        key=key,
        finding=finding.id,
    )


def _creation(at: Occasion) -> Change:
    owner: Value = at.past.people.user(at.email) or at.subject.deal.fields.get("owner")
    edits = (
        FieldEdit("subject", None, plain(at.title(), SUBJECT_LIMIT)),
        FieldEdit("body", None, at.body()),
        FieldEdit("due_at", None, at.due()),
        FieldEdit("owner", None, owner),
    )
    return about(at, Action.TASK, task_id(at.finding, at.opening), edits, marker(at.finding, at.opening))


def _says(made: JournalEntry, wanted: Change, step: Step) -> bool:
    """Tell whether a task says what a step asks for: by its words, or as it was made for the same person by this step.

    Then it may say so in other words, in another language for one. Whoever ticked it off knew of the step, so mere
    words don't ask for it again.
    """
    then, now = made.change.after, wanted.after
    if made.at >= step.at:
        return then.get("owner") == now.get("owner")
    return all(then.get(name) == now.get(name) for name in _SAYS)


def _stands(at: Occasion, made: JournalEntry) -> Mapping[str, Value]:
    """Give what a task was last told to say: as it was made, and changed by other steps since."""
    others = (number for number in range(1, len(at.binding.escalate) + 1) if number != at.level)
    amended = (at.past.outcomes.get(step_id(at.finding, at.opening, number)) for number in others)
    applied = (entry for entry in amended if entry is not None and entry.outcome is Outcome.APPLIED)
    said = dict(made.change.after)
    for entry in sorted(applied, key=lambda entry: entry.at):
        said |= entry.change.after
    return said


def _amendment(at: Occasion, before: Mapping[str, Value], wanted: Change) -> Change:
    """Change a task to what it should say now. One that somebody ticked off is to be done again."""
    edits = [FieldEdit(name, before.get(name), after) for name, after in wanted.after.items() if name != "done"]
    changed = (*(edit for edit in edits if edit.before != edit.after), FieldEdit("done", None, False))
    return about(at, Action.AMEND, step_id(at.finding, at.opening, at.level), changed, wanted.key)


def _note(at: Occasion) -> Change:
    key = f"{marker(at.finding)}:{at.opening}:{at.level}"
    id_ = at.name(Action.NOTE, "step", str(at.level))
    return about(at, Action.NOTE, id_, (FieldEdit("body", None, at.body()),), key)


def _ending(finding: Finding, opening: int) -> Change:
    return Change(
        id=change_id(Action.AMEND, finding.deal.connection, finding.id, str(opening), "done"),
        action=Action.AMEND,
        origin=Origin.ENFORCE,
        connection=finding.deal.connection,
        target=finding.deal,
        edits=(FieldEdit("done", False, True),),
        reason=f"{finding.rule}: nothing is to be done about it any more",
        key=marker(finding, opening),
        finding=finding.id,
    )
