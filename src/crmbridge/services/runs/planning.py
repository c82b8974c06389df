"""Plan: everything that sync and enforcement want to write, as one value. Nothing is written here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from crmbridge.engine.sync.planner import AGAIN, assemble, is_wanted_again
from crmbridge.engine.sync.refusing import in_parts
from crmbridge.model.changes import Blocked, Cause, Change, JournalEntry, Origin, Outcome, Plan
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Waiting
from crmbridge.services.apply.trying_anew import tried_anew
from crmbridge.services.apply.unmade import vetoed_before
from crmbridge.services.bulk import made_for_bulk
from crmbridge.services.enforce.awaiting import Judged, awaiting, dealt
from crmbridge.services.sync import syncing
from crmbridge.services.sync.companions import without_refused
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Cap

Part = Literal["sync", "enforce"]
# What may go another way the next time, though no record changes.
_MAY_TURN_OUT_OTHERWISE = {Cause.DELETE, Cause.CLEAR, Cause.REFUSED, Cause.UNCLEAR}


class Planned(Struct, frozen=True, kw_only=True):
    """A plan, and what its enforcement came from."""

    plan: Plan
    judged: Judged


@made_for_bulk()
def make_plan(
    workspace: Workspace,
    parts: Collection[Part] = ("sync", "enforce"),
    fresh: Sequence[str] | None = None,
    *,
    cap: Cap | None = None,
    ask: bool = False,
) -> Planned:
    """Compute the plan from the state as it is.

    `fresh` names the connections whose records are up to date (all when not said); nothing is planned that would
    need another. Links, what all sides agree on, what waits for a person, and what evaluating said are remembered; no
    CRM is touched, but that with `ask` they may be asked what their deals held when they moved. `cap` stands in for the
    cap on deletions of the settings.
    """
    current = tuple(workspace.connections if fresh is None else fresh)
    failed = set(workspace.connections).difference(current)
    synced = syncing.sync(workspace, current, cap) if "sync" in parts else syncing.Synced()
    judged = _judge(workspace, current if ask else ()) if "enforce" in parts else Judged()
    wanted = [*synced.changes, *(change for change in judged.changes if change.connection in current)]
    changes, outcomes, unmade = _with_outcomes(workspace, wanted)
    link_of = _links_of_moved(workspace, judged)
    back = _taken_back(changes, outcomes, link_of)
    asked = [item for item in (*synced.blocked, *unmade) if item.cause is not Cause.MOVE or item.link not in back]
    plan = assemble(
        changes,
        [*asked, *(item for item in judged.blocked if item.deal.connection in current)],
        outcomes=outcomes,
        unclear=workspace.store.journal.unsettled(),
        made_at=workspace.clock.now(),
        settings=workspace.project.digest,
        cursors=_cursors(workspace),
        link_of=link_of,
    )
    finished = _finished(changes, outcomes)
    if "enforce" in parts:
        dealt(workspace, judged, (change for change in judged.changes if change.id not in finished))
    if "sync" in parts:
        plan = _remember(workspace, synced, plan, finished, failed, back=back)
    elif "enforce" in parts:
        own = [item for item in plan.blocked if not item.link]
        own += _kept(workspace.store.waiting.all(), plan, failed)
        workspace.store.waiting.replace({""}, own, workspace.clock.now())
    return Planned(plan=plan, judged=judged)


def _with_outcomes(
    workspace: Workspace, changes: list[Change]
) -> tuple[list[Change], Mapping[str, JournalEntry], list[Blocked]]:
    """Give changes with what became of them before, where that counts, and what waits for companies and contacts.

    They come in parts where they were refused as a whole, and without what waits.
    """
    journal = workspace.store.journal
    outcomes: Mapping[str, JournalEntry] = journal.outcomes([change.id for change in changes])
    while len(parted := in_parts(changes, outcomes)) > len(changes):
        changes, outcomes = parted, {**outcomes, **journal.outcomes([change.id for change in parted])}
    outcomes = tried_anew(workspace, changes, outcomes)
    kept, waits = without_refused(changes, outcomes)
    if not waits:
        return changes, outcomes, []
    kept, outcomes, others = _with_outcomes(workspace, kept)  # what is left of them has ids of its own
    return kept, outcomes, [*waits, *others]


def _judge(workspace: Workspace, told_by: Collection[str]) -> Judged:
    """Judge the deals that wait for it, if any do."""
    waiting = awaiting(workspace)
    if not waiting.deals:
        return Judged(reader=waiting.reader, mark=waiting.mark)
    from crmbridge.services.enforce.evaluating import judge_pending  # noqa: PLC0415  what an idle cycle does without

    return judge_pending(workspace, told_by, waiting)


def _links_of_moved(workspace: Workspace, judged: Judged) -> dict[Ref, str]:
    """Give the link of each deal that enforcement wants moved."""
    moved = {change.target for change in judged.changes if change.position is not None and change.target is not None}
    return workspace.store.links.of(moved) if moved else {}


def _taken_back(
    changes: Sequence[Change], outcomes: Mapping[str, JournalEntry], link_of: Mapping[Ref, str]
) -> dict[str, None]:
    """Name the links of which this plan takes a move back: whether the others may follow it is nothing to ask."""
    moves = [c for c in changes if c.origin is Origin.ENFORCE and c.position is not None and c.target in link_of]
    due = [c for c in moves if c.id not in outcomes or outcomes[c.id].outcome in AGAIN]
    return {link_of[c.target]: None for c in due if c.target is not None}


def _finished(changes: Sequence[Change], outcomes: Mapping[str, JournalEntry]) -> set[str]:
    """Name the changes of which nothing is left to be written: they were made, and nobody wants them once more."""
    made = {id_ for id_, entry in outcomes.items() if entry.outcome is Outcome.APPLIED}
    return {c.id for c in changes if c.id in made and not is_wanted_again(c, outcomes[c.id])}


def _remember(
    workspace: Workspace,
    synced: syncing.Synced,
    plan: Plan,
    finished: Collection[str],
    failed: Collection[str],
    *,
    back: Mapping[str, None],
) -> Plan:
    """Keep what waits for a person and what is not finished; give the plan with everything that waits.

    What a plugin vetoed before is in the plan already: the plugin is asked again.
    """
    waiting, connections = workspace.store.waiting, workspace.connections
    every = waiting.all()
    left_behind = {each.item.link for each in every if each.item.deal.connection not in connections}
    kept = _kept(every, plan, failed)
    waiting.replace({*synced.looked, *left_behind, ""}, [*plan.blocked, *kept], workspace.clock.now())
    held = dict.fromkeys(item.link for item in plan.blocked if item.cause in _MAY_TURN_OUT_OTHERWISE)
    # Also what another change stands in the way of: it may be wanted again when that one was not made. In the order in
    # which links were looked at, as their deals lie in the state.
    wanted = dict.fromkeys(change.link for change in synced.changes if change.link and change.id not in finished)
    syncing.dealt(workspace, synced, {**held, **wanted, **back})
    return replace(plan, blocked=tuple(each.item for each in waiting.all() if each.item.cause is not Cause.VETO))


def _kept(waiting: Collection[Waiting], plan: Plan, failed: Collection[str]) -> list[Blocked]:
    """Give what waits on: vetoed changes that are wanted still, and what enforcement asks where it could not look."""
    unasked = [each for each in waiting if not each.item.link and each.item.deal.connection in failed]
    return [each.item for each in (*vetoed_before(waiting, plan.changes), *unasked)]


def _cursors(workspace: Workspace) -> dict[str, str]:
    found = {connection: workspace.store.records.cursors(connection) for connection in workspace.connections}
    # In the order in which kinds are named, so that the same state gives the same plan.
    return {f"{name}/{kind}": cursors[kind] for name, cursors in found.items() for kind in Kind if kind in cursors}
