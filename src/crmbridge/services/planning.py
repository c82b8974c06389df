"""Plan: everything that sync and enforcement want to write, as one value. Nothing is written here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from crmbridge.engine.planner import assemble
from crmbridge.model.changes import Plan
from crmbridge.model.records import Kind
from crmbridge.services import evaluating, syncing
from crmbridge.services.evaluating import Evaluated
from crmbridge.services.workspace import Workspace

Part = Literal["sync", "enforce"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan, and the evaluations that its enforcement came from."""

    plan: Plan
    judged: tuple[Evaluated, ...]


def make_plan(
    workspace: Workspace, parts: Collection[Part] = ("sync", "enforce"), fresh: Sequence[str] | None = None
) -> Planned:
    """Compute the plan from the state as it is.

    `fresh` names the connections whose records are up to date (all when not said); nothing is planned that would
    need another. Links, what all sides agree on, and what evaluating said are remembered; no CRM is touched.
    """
    current = tuple(workspace.connections if fresh is None else fresh)
    synced = syncing.Synced()
    if "sync" in parts:
        synced = syncing.sync(workspace, syncing.make_viewers(workspace), current)
        syncing.remember(workspace, synced)
    judged: tuple[Evaluated, ...] = ()
    if "enforce" in parts:
        judged = evaluating.evaluate_all(workspace)
        evaluating.save(workspace, judged)
    enforced = [change for one in judged for change in one.changes if change.connection in current]
    changes = [*synced.changes, *enforced]
    journal = workspace.store.journal
    plan = assemble(
        changes,
        synced.blocked,
        outcomes=journal.outcomes([change.id for change in changes]),
        unclear=journal.unsettled(),
        made_at=workspace.clock.now(),
        settings=workspace.project.digest,
        cursors=_cursors(workspace),
    )
    return Planned(plan=plan, judged=judged)


def _cursors(workspace: Workspace) -> dict[str, str]:
    found = {
        f"{connection}/{kind}": workspace.store.records.cursor(connection, kind)
        for connection in workspace.connections
        for kind in Kind
    }
    return {name: cursor for name, cursor in found.items() if cursor is not None}
