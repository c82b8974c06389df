"""Show a plan: what would be created, updated and told, with before and after, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import groupby

from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, strong, table
from crmbridge.cli.speech import Speech, english
from crmbridge.model.changes import Action, Blocked, Cause, Change, Edited, FieldEdit, JournalEntry, Plan
from crmbridge.model.records import Ref
from crmbridge.model.values import Value, show
from crmbridge.services.answers.alike import sameness_of, together
from crmbridge.services.answers.naming import Names, called, called_in

NAME, BEFORE, VALUE, REASON = 60, 40, 160, 300  # columns
_MARKS = {
    Action.CREATE: Tinted("+", Tone.GOOD),
    Action.UPDATE: Tinted("~", Tone.WARN),
    Action.TASK: Tinted("+", Tone.GOOD),
    Action.NOTE: Tinted("+", Tone.GOOD),
    Action.FIELD: Tinted("+", Tone.GOOD),
    Action.ARCHIVE: Tinted("-", Tone.BAD),
    Action.AMEND: Tinted("~", Tone.WARN),
    Action.NOTIFY: Tinted("+", Tone.GOOD),
}
# As they are counted: changes of records, and what hangs on them.
_COUNTED = (
    *(Action.CREATE, Action.UPDATE, Action.ARCHIVE),
    *(Action.FIELD, Action.TASK, Action.AMEND, Action.NOTE, Action.NOTIFY),
)


def plan_lines(plan: Plan, names: Names, say: Speech, *, complete: bool = True) -> Iterator[Line]:
    """Show a whole plan, connection by connection, and end with its summary.

    One is not complete when some connections could not be read.
    """
    changes = {name: list(found) for name, found in groupby(plan.changes, key=lambda change: change.connection)}
    blocked: dict[str, list[Blocked]] = {}
    for item in plan.blocked:
        blocked.setdefault(item.deal.connection, []).append(item)
    for connection in sorted({*changes, *blocked}):
        yield [strong(connection), dim(f"  {names.adapters.get(connection, '')}")]
        yield ""
        for change in changes.get(connection, ()):
            yield from change_lines(change, names, say)
        for item, *others in together(blocked.get(connection, ()), sameness_of):
            yield from _blocked_lines(item, names, say, len(others))
    yield summary_line(plan, say, complete=complete) if names.adapters else say("plan_of_none")


def change_lines(change: Change, names: Names, say: Speech) -> Iterator[Line]:
    """Show one change: what, on which deal, each field before and after, and why."""
    yield ["  ", _MARKS[change.action], f" {say(f'does_{change.action}')} ", *_what(change, names, say)]
    shown = [edit for edit in change.edits if edit.name != "body"]  # it says what the reason says
    if change.action is Action.FIELD:
        shown = [edit for edit in shown if edit.after]  # no options, not unique: that is the usual
    if change.action is Action.ARCHIVE:
        shown = []  # the one that there may be is what it is called
    rows: list[list[Part]] = [_edit_row(change, edit, names, say) for edit in shown]
    rows.append([dim(say("because")), dim(cut(say.because(change), REASON))])
    yield from table(rows, indent=6)
    yield ""


def summary_line(plan: Plan, say: Speech, *, complete: bool = True) -> Line:
    """Say in one line what a plan would do."""
    if not plan.changes and not plan.blocked and not complete:
        return say("plan_as_read")
    if not plan.changes and not plan.blocked:
        return say("plan_of_nothing")
    count = {action: sum(change.action is action for change in plan.changes) for action in _COUNTED}
    said = [f"{say.number(n)} {say.counted(f'action_{action}', n)}" for action, n in count.items() if n]
    if plan.blocked:
        said.append(say.counted("need_a_person", len(plan.blocked)))
    return strong(say("plan_says", said=say("comma").join(said)))


def edits_in_words(change: Change, names: Names, say: Speech) -> str:
    """Say in one line what a change writes: a task's subject, a note's beginning, who is archived, else each field."""
    after = change.after
    if change.action is Action.ARCHIVE:
        return ", ".join(f'"{cut(show(edit.before), NAME)}"' for edit in change.edits if edit.before)
    if change.action in {Action.TASK, Action.NOTE, Action.NOTIFY}:
        return cut(show(after.get("subject") or after.get("body")), VALUE)
    return ", ".join(f"{say.field(edit.name)}: {_shown(change, edit, edit.after, names, say)}" for edit in change.edits)


def edits_in_full(change: Change, names: Names, say: Speech) -> str:
    """Say in one line what a change writes, and over what: of an update each field before and after."""
    if change.action is not Action.UPDATE:
        return edits_in_words(change, names, say)
    rows = (_edit_row(change, edit, names, say) for edit in change.edits)
    return ", ".join(f"{label}: {before} {after}" for label, before, after in rows)


def written_in_words(entry: JournalEntry, names: Names, say: Speech) -> str:
    """Say in one line what was written, over what and why, and what the CRM said."""
    change = entry.change
    said = [edits_in_full(change, names, say), say.because(change), say.reason(entry.message)]
    return say("semicolon").join(filter(None, said))


def value_shown(item: Blocked, value: Value, names: Names, say: Speech) -> str:
    """Give a value of something that waits in the words that people use."""
    return cut(_told(item.name, value, called(names, item.name, value), say), VALUE)


def edited_in_words(edited: Edited | None, say: Speech) -> str:
    """Say who edited a record last, and when, as far as it is known."""
    if edited is None:
        return ""
    when = show(edited.at)
    return say("edited_by", when=when, by=cut(edited.by, NAME)) if edited.by else say("edited", when=when)


def deal_name(ref: Ref | None, names: Mapping[Ref, str], say: Speech | None = None) -> str:
    """Give a deal's name in quotes, or its ref where it has none."""
    name = cut(names.get(ref, ""), NAME) if ref else ""
    return f'"{name}"' if name else str(ref or (say or english())("a_deal"))


def _what(change: Change, names: Names, say: Speech) -> list[Part]:
    if change.action is Action.CREATE:
        name = cut(show(change.after.get("name")), NAME)
        return [f"{say.named('kind', str(change.creates))} ", strong(f'"{name}"')]
    if change.action is Action.ARCHIVE and change.target is not None:
        name = names.deals.get(change.target) or next((show(edit.before) for edit in change.edits), "")
        kind = say.named("kind", change.target.kind.value)
        return [f"{kind} ", strong(deal_name(change.target, {change.target: name})), dim(f"  {change.target}")]
    if change.action is Action.FIELD:
        return [strong(f'"{cut(show(change.after.get("label")), NAME)}"')]
    return [strong(deal_name(change.target, names.deals)), dim(f"  {change.target}")]


def _edit_row(change: Change, edit: FieldEdit, names: Names, say: Speech) -> list[Part]:
    after = _shown(change, edit, edit.after, names, say)
    label = say("due_on") if edit.name == "due_at" else say.field(edit.name)
    if change.action is not Action.UPDATE:
        return [label, after]
    before = cut(_shown(change, edit, edit.before, names, say), BEFORE)
    return [label, before, f"→ {after}"]


def _shown(change: Change, edit: FieldEdit, value: Value, names: Names, say: Speech) -> str:
    return cut(_told(edit.name, value, called_in(change, edit.name, value, names), say), VALUE)


def _told(name: str, value: Value, called: str, say: Speech) -> str:
    """Say a value in a language: stages, and what is no text, have words of their own in each."""
    if name == "stage" and value:
        return say.stage(str(value), called)
    return called if value and isinstance(value, str | tuple) else say.value(value)


def _blocked_lines(item: Blocked, names: Names, say: Speech, others: int) -> Iterator[Line]:
    yield [
        "  ",
        Tinted("!", Tone.BAD),
        f" {say('field_of', field=cut(say.field(item.name), NAME))}",
        strong(deal_name(names.about.get(item.id, item.deal), names.deals, say)),
        dim(f"  {item.deal}"),
        *([say.counted("and_others", others)] if others else []),
    ]
    rows = value_rows(item, names, say)
    rows.append([dim(say("because")), dim(cut(say.reason(item.reason), REASON))])
    if item.cause is Cause.CONFLICT and item.link:
        rows.append([dim(say("decide")), dim(f"crmbridge conflicts resolve {item.id} --take CONNECTION")])
    yield from table(rows, indent=6)
    yield ""


def value_rows(item: Blocked, names: Names, say: Speech) -> list[list[Part]]:
    """Give a row for each side of something that waits: what it holds or should hold, and who edited it last."""
    rows: list[list[Part]] = []
    for connection, value in item.values.items():
        said = edited_in_words(item.edited.get(connection), say)
        shown = f"{'→ ' if item.unwritten else ''}{value_shown(item, value, names, say)}"
        rows.append([say.side(connection), shown + (f"  ({said})" if said else "")])
    return rows
