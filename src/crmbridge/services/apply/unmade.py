"""What a run was refused, or does not know of: it waits at once, and not only after the next plan."""

from __future__ import annotations

from collections.abc import Iterable

from crmbridge.engine.sync.planner import unmade, vetoed
from crmbridge.model.changes import Blocked, Cause, Change, Origin, Plan
from crmbridge.model.records import Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Waiting
from crmbridge.services.apply.applied import Applied
from crmbridge.services.apply.trying_anew import note_tried
from crmbridge.services.workspace import Workspace


def note_unmade(workspace: Workspace, applied: Applied) -> None:
    """Put what waits since a plan was applied beside what waits already under the same links.

    What a plugin vetoed before, and let pass now, waits no more.
    """
    note_tried(workspace, applied)
    done = applied.planned
    items = [
        _vetoed(workspace, c, receipt.message)
        if c.id in applied.vetoed
        else unmade(c, receipt.outcome, receipt.message)
        for c, receipt in applied.waiting
    ]
    waiting = workspace.store.waiting
    every = waiting.all() if done else ()
    passed = {each.item.id for each in vetoed_before(every, (c for c, _ in done if c.id not in applied.vetoed))}
    links = {item.link for item in items} | {each.item.link for each in every if each.item.id in passed}
    if not links:
        return
    new = passed | {item.id for item in items}
    others = [each.item for each in every if each.item.link in links and each.item.id not in new]
    waiting.replace(links, [*others, *items], workspace.clock.now())


def still_asked(workspace: Workspace, plan: Plan) -> Plan:
    """Leave out of a plan what it asked about and was settled since it was made; what an undo leaves waits nowhere."""
    if not plan.blocked or is_of_undo(plan):
        return plan
    waits = {each.item.id for each in workspace.store.waiting.all()}
    return replace(plan, blocked=tuple(item for item in plan.blocked if item.id in waits))


def is_of_undo(plan: Plan) -> bool:
    """Tell whether a plan undoes a run, also where nothing is left of it but what can't be undone."""
    return any(change.origin is Origin.UNDO for change in plan.changes) or any(map(_is_left, plan.blocked))


def _is_left(item: Blocked) -> bool:
    if item.cause is Cause.UNCLEAR:  # what an undo says so of has no value: nobody knows what there is to restore
        return not item.values
    return not item.link and item.cause in {Cause.CHANGED, Cause.DELETE}


def vetoed_before(waiting: Iterable[Waiting], changes: Iterable[Change]) -> list[Waiting]:
    """Give what waits as a plugin vetoed one of these changes."""
    found = [each for each in waiting if each.item.cause is Cause.VETO]
    ids = {vetoed(change).id for change in changes} if found else set()
    return [each for each in found if each.item.id in ids]


def _vetoed(workspace: Workspace, change: Change, message: str) -> Blocked:
    back = change.origin is Origin.ENFORCE and change.position is not None
    return vetoed(change, message, _following(workspace, change) if back else ())


def _following(workspace: Workspace, change: Change) -> list[str]:
    """Name the connections where a deal that shall be moved back has counterparts, or may get some."""
    links = workspace.store.links
    linked = {ref.connection for refs in links.get(set(links.of(_target(change)).values())).values() for ref in refs}
    entries = [each for each in workspace.project.settings.sync if change.connection in each.between]
    names = {name for each in entries for name in each.between if name in linked or name in each.create}
    return sorted(names - {change.connection})


def _target(change: Change) -> list[Ref]:
    return [change.target] if change.target else []
