"""Show a plan: what would be created, updated and told, with before and after, and what needs a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from crmbridge.cli.output import Line, Part, Tinted, Tone, cut, dim, plural, strong, table
from crmbridge.model.changes import Action, Blocked, Change, FieldEdit, Plan
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value, show

if TYPE_CHECKING:
    from crmbridge.services.workspace import Workspace

NAME, VALUE, REASON = 60, 60, 200  # columns
_MARKS = {
    Action.CREATE: Tinted("+", Tone.GOOD),
    Action.UPDATE: Tinted("~", Tone.WARN),
    Action.TASK: Tinted("+", Tone.GOOD),
    Action.NOTE: Tinted("+", Tone.GOOD),
}
_WORDS = {Action.CREATE: "create", Action.UPDATE: "update", Action.TASK: "task on", Action.NOTE: "note on"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What people call the things in a plan. `people` is users by ref; the rest is by id."""

    adapters: Mapping[str, str]
    deals: Mapping[Ref, str]
    people: Mapping[Ref, str]
    stages: Mapping[str, str]


def names_for(workspace: Workspace, changes: Iterable[Change], blocked: Iterable[Blocked] = ()) -> Names:
    """Look up the names of everything that changes speak of."""
    refs = {change.target for change in changes if change.target} | {item.deal for item in blocked}
    found = workspace.store.records.get(sorted(refs))
    users = [u for name in workspace.connections for u in workspace.store.records.records(name, Kind.USER)]
    return Names(
        adapters={name: c.adapter for name, c in workspace.project.settings.connections.items()},
        deals={ref: str(record.fields.get("name") or "") for ref, record in found.items()},
        people={user.ref: _person(user) for user in users},
        stages=stage_names(workspace),
    )


def stage_names(workspace: Workspace) -> dict[str, str]:
    """Give what each stage of the process is called, won and lost included."""
    return {"won": "Won", "lost": "Lost"} | {stage.id: str(stage.name) for stage in workspace.project.process.stages}


def plan_lines(plan: Plan, names: Names) -> Iterator[Line]:
    """Show a whole plan, connection by connection, and end with its summary."""
    changes = {name: list(found) for name, found in groupby(plan.changes, key=lambda change: change.connection)}
    blocked: dict[str, list[Blocked]] = {}
    for item in plan.blocked:
        blocked.setdefault(item.deal.connection, []).append(item)
    for connection in sorted({*changes, *blocked}):
        yield [strong(connection), dim(f"  {names.adapters.get(connection, '')}")]
        yield ""
        for change in changes.get(connection, ()):
            yield from change_lines(change, names)
        for item in blocked.get(connection, ()):
            yield from _blocked_lines(item, names)
    yield summary_line(plan)


def change_lines(change: Change, names: Names) -> Iterator[Line]:
    """Show one change: what, on which deal, each field before and after, and why."""
    yield ["  ", _MARKS[change.action], f" {_WORDS[change.action]} ", *_what(change, names)]
    rows: list[list[Part]] = [_edit_row(change, edit, names) for edit in change.edits]
    rows.append([dim("because"), dim(cut(change.reason, REASON))])
    yield from table(rows, indent=6)
    yield ""


def summary_line(plan: Plan) -> Line:
    """Say in one line what a plan would do."""
    if not plan.changes and not plan.blocked:
        return "Plan: nothing to do. The CRMs agree, and no rule asks for anything."
    count = {action: sum(change.action is action for change in plan.changes) for action in Action}
    said = [
        f"{count[Action.CREATE]:,} to create",
        f"{count[Action.UPDATE]:,} to update",
        plural(count[Action.TASK], "task"),
        plural(count[Action.NOTE], "note"),
    ]
    blocked = len(plan.blocked)
    person = f", {blocked:,} {'needs' if blocked == 1 else 'need'} a person" if blocked else ""
    return strong(f"Plan: {', '.join(said)}{person}.")


def deal_name(ref: Ref | None, names: Mapping[Ref, str]) -> str:
    """Give a deal's name in quotes, or its ref where it has none."""
    name = cut(names.get(ref, ""), NAME) if ref else ""
    return f'"{name}"' if name else str(ref or "a deal")


def _what(change: Change, names: Names) -> list[Part]:
    if change.action is Action.CREATE:
        name = cut(show(change.after.get("name")), NAME)
        return ["deal ", strong(f'"{name}"')]
    return [strong(deal_name(change.target, names.deals)), dim(f"  {change.target}")]


def _edit_row(change: Change, edit: FieldEdit, names: Names) -> list[Part]:
    after = _shown(change, edit.name, edit.after, names)
    if change.action is not Action.UPDATE:
        return [edit.name, after]
    before = _shown(change, edit.name, edit.before, names)
    return [edit.name, before, f"→ {after}"]


def _shown(change: Change, name: str, value: Value, names: Names) -> str:
    if name == "stage":
        return cut(names.stages.get(str(value), show(value)), VALUE)
    if name == "owner" and value is not None:
        person = names.people.get(Ref(change.connection, Kind.USER, str(value)))
        return cut(person or str(value), VALUE)
    return cut(show(value), VALUE)


def _blocked_lines(item: Blocked, names: Names) -> Iterator[Line]:
    yield [
        "  ",
        Tinted("!", Tone.BAD),
        f" {cut(item.name, NAME)} of ",
        strong(deal_name(item.deal, names.deals)),
        dim(f"  {item.deal}"),
    ]
    rows: list[list[Part]] = [[connection, _value(item, value, names)] for connection, value in item.values.items()]
    rows.append([dim("because"), dim(cut(item.reason, REASON))])
    yield from table(rows, indent=6)
    yield ""


def _value(item: Blocked, value: Value, names: Names) -> str:
    return cut(names.stages.get(str(value), show(value)) if item.name == "stage" else show(value), VALUE)


def _person(user: Record) -> str:
    return str(user.fields.get("email") or user.fields.get("name") or user.ref.id)
