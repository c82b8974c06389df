"""What a run was refused, or does not know of: it waits at once, and not only after the next plan."""

from __future__ import annotations

from crmbridge.engine.sync.planner import unmade
from crmbridge.model.changes import Origin, Outcome
from crmbridge.services.apply.applied import Applied
from crmbridge.services.workspace import Workspace

_WAIT = {Outcome.REFUSED, Outcome.UNKNOWN}
_PLANNED = {Origin.SYNC, Origin.ENFORCE}  # the next plan tells anew whether these still wait


def note_unmade(workspace: Workspace, applied: Applied) -> None:
    """Put what waits since a plan was applied beside what waits already under the same links."""
    done = [(change, receipt) for change, receipt in applied.done if change.origin in _PLANNED]
    items = [unmade(c, receipt.outcome, receipt.message) for c, receipt in done if receipt.outcome in _WAIT]
    if not items:
        return
    links, ids = {item.link for item in items}, {item.id for item in items}
    waiting = workspace.store.waiting
    others = [each.item for each in waiting.all() if each.item.link in links and each.item.id not in ids]
    waiting.replace(links, [*others, *items], workspace.clock.now())
