"""Apply: the only way that anything is written to a CRM. Intents first, outcomes after, nothing sent twice."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from typing import NamedTuple, TypeVar

from crmbridge.engine.sync.refusing import is_of_sync
from crmbridge.engine.views import Viewer
from crmbridge.errors import AdapterBugError, CrmbridgeError, PlanStaleError, UnclearError
from crmbridge.model.changes import Action, Change, Outcome, Plan, Receipt
from crmbridge.model.records import Ref
from crmbridge.services.apply import notices
from crmbridge.services.apply.applied import Applied
from crmbridge.services.apply.batching import groups
from crmbridge.services.apply.deciding import Decisions, decisions_of
from crmbridge.services.apply.needless import NEEDLESS, needless
from crmbridge.services.apply.settling import settle
from crmbridge.services.apply.staleness import unfit
from crmbridge.services.apply.trying_anew import note_refused
from crmbridge.services.links.gathering import make_viewers
from crmbridge.services.links.native_ids import Native, in_native_ids
from crmbridge.services.workspace import Workspace
from crmbridge.threads import make_pool

_THERE = {Outcome.APPLIED, Outcome.UNKNOWN}  # or may be
NEXT_PART = "another part of it was just written; the next run goes on with this one"

T = TypeVar("T")
R = TypeVar("R")


def apply_plan(workspace: Workspace, plan: Plan, run: str, whole: Plan | None = None) -> Applied:
    """Make exactly the changes of a plan, batch by batch, and journal each before and after.

    A change whose record is no longer as the plan saw it is skipped as stale; one that was made before is not made
    again. Where the plan is a part of a `whole`, the rest is left for later, but what it has in common with this part
    is decided now: else what it is to write over would seem to be a later edit. Raises PlanStaleError when the plan was
    made with other settings, before anything is written.
    """
    if plan.settings != workspace.project.digest:
        raise PlanStaleError(
            "The plan was made with other settings or another process",
            advice="Make a new one with `crmbridge plan`.",
        )
    vetoes = workspace.plugins.vetoes(plan.changes)
    every = (whole or plan).changes
    sent = _known_before(workspace, every)
    before = _kept_back(plan, sent, vetoes)
    written = frozenset(name for name, receipt in before.items() if receipt.outcome is Outcome.APPLIED)
    todo = [change for change in plan.changes if change.id not in before]
    done = [(change, before[change.id]) for change in plan.changes if change.id in before]
    viewers = make_viewers(workspace)
    decisions = decisions_of(workspace, viewers, [change for change in every if change.id not in sent])
    scene = _Scene(workspace, viewers, decisions, run, set())
    errors = _unopened(workspace, todo)
    for group in groups(workspace, [change for change in todo if change.connection not in errors]):
        connection = group[0][0].connection
        if connection in errors:
            continue
        for tried, error in _apply_group(scene, group):
            done.extend(tried)
            if error is not None:
                errors.setdefault(connection, error)
        workspace.progress("apply", f"{len(done)} of {len(plan.changes)} changes")
    return Applied(done=tuple(done), errors=errors, vetoed=frozenset(vetoes), before=written)


def _kept_back(plan: Plan, sent: Mapping[str, Receipt], vetoes: Mapping[str, str]) -> dict[str, Receipt]:
    """Give receipts to the changes that are not sent: sent before, vetoed, or needed by vetoed ones alone."""
    found = {change.id: sent[change.id] for change in plan.changes if change.id in sent}
    # A veto is not journaled: nothing was sent, and the plugin is asked anew the next time.
    found |= {c.id: _receipt(c, Outcome.REFUSED, vetoes[c.id]) for c in plan.changes if c.id in vetoes}
    idle = needless(plan.changes, vetoes).difference(found)
    return found | {c.id: _receipt(c, Outcome.STALE, NEEDLESS) for c in plan.changes if c.id in idle}


def _unopened(workspace: Workspace, changes: Sequence[Change]) -> dict[str, CrmbridgeError]:
    """Give the connections that can't be opened, as a secret is missing, with why: they keep no other one waiting."""
    found: dict[str, CrmbridgeError] = {}
    for connection in dict.fromkeys(change.connection for change in changes):
        try:
            workspace.adapter(connection)
        except CrmbridgeError as error:
            found[connection] = error
    return found


class _Scene(NamedTuple):
    """What applying a plan goes on in."""

    workspace: Workspace
    viewers: Mapping[str, Viewer]
    decisions: Decisions
    run: str
    written: set[Ref]  # what this run wrote to for sync


def _known_before(workspace: Workspace, changes: Sequence[Change]) -> dict[str, Receipt]:
    """Find the changes that were made before, or may have been: none of these is sent again."""
    journal = workspace.store.journal
    last = journal.outcomes([change.id for change in changes])
    entries = [entry for entry in last.values() if entry.outcome is Outcome.APPLIED]
    wanted = {change.id for change in changes}
    entries += [entry for entry in journal.unsettled() if entry.change.id in wanted]
    return {
        entry.change.id: Receipt(
            change=entry.change.id, outcome=entry.outcome or Outcome.UNKNOWN, ref=entry.ref, message="sent before"
        )
        for entry in entries
    }


def _apply_group(
    scene: _Scene, group: Sequence[list[Change]]
) -> list[tuple[list[tuple[Change, Receipt]], CrmbridgeError | None]]:
    """Check, decide, journal, write, journal. With an error, the connection is of no use for now.

    What goes to the CRM goes side by side, what goes to the journal in the order of the plan. All intents of the group
    are committed before its first write. What ends the run meanwhile ends it after the outcomes that are known.
    """
    workspace = scene.workspace
    native = in_native_ids(workspace, [change for batch in group for change in batch])
    looked, stopped = _at_once(lambda batch: _check(scene, batch, native), group)
    if stopped is not None:
        raise stopped
    checked = [future.result() for future in looked]
    to_write = [_intend(scene, batch, receipts, native) for batch, (receipts, _) in zip(group, checked, strict=True)]
    written, stopped = _at_once(lambda changes: _write(workspace, changes), to_write)
    done = []
    for batch, (receipts, error), future in zip(group, checked, written, strict=True):
        if (broken := future.exception()) is not None:  # its intents stay open, and the next run reads back
            stopped = stopped or broken
            continue
        more, failure = future.result()
        ordered = [{**receipts, **more}[change.id] for change in batch]
        tried = list(zip(batch, ordered, strict=True))
        note_refused(workspace, tried)
        settle(workspace, tried, scene.run, scene.viewers, sent=native.changes)
        scene.written.update(c.target for c, r in tried if is_of_sync(c) and c.target and r.outcome in _THERE)
        workspace.plugins.applied(batch, ordered)
        done.append((tried, error or failure))
    if stopped is not None:
        raise stopped
    return done


def _at_once(call: Callable[[T], R], items: Sequence[T]) -> tuple[list[Future[R]], BaseException | None]:
    """Call for all items side by side; give what came of each, and what interrupted the waiting, such as Ctrl-C."""
    interruption: BaseException | None = None
    futures: list[Future[R]] = []
    if len(items) == 1:
        only: Future[R] = Future()
        only.set_result(call(items[0]))
        return [only], None
    with make_pool(max_workers=len(items)) as threads:  # whose end waits for all once more
        try:
            futures.extend(threads.submit(call, item) for item in items)
            wait(futures)
        except BaseException as error:  # noqa: BLE001  it is raised once the outcomes are journaled
            interruption = error
    for _ in items[len(futures) :]:  # nobody knows of these whether they began
        futures.append(Future())
        futures[-1].set_exception(interruption)
    return futures, interruption


def _check(scene: _Scene, batch: Sequence[Change], native: Native) -> tuple[dict[str, Receipt], CrmbridgeError | None]:
    """Look whether the changes still fit; what can't be read can't be checked, so nothing of it is written.

    Of an update that goes in parts a run writes one, so that the next one sees a copy with all that was written.
    """
    workspace = scene.workspace
    waiting = {c.id: _receipt(c, Outcome.STALE, native.missing[c.id]) for c in batch if c.id in native.missing}
    parts = [c for c in batch if c.id not in waiting and is_of_sync(c) and c.target in scene.written]
    waiting |= {c.id: _receipt(c, Outcome.STALE, NEXT_PART) for c in parts}
    try:
        rest = [native.changes[change.id] for change in batch if change.id not in waiting]
        return waiting | (unfit(workspace, rest) if rest else {}), None
    except CrmbridgeError as failure:
        return {c.id: _receipt(c, Outcome.FAILED, failure.message) for c in batch}, failure


def _intend(scene: _Scene, batch: list[Change], receipts: dict[str, Receipt], native: Native) -> list[Change]:
    """Decide on a batch and journal its intents; give the changes as they are sent, and receipts to the others."""
    workspace = scene.workspace
    lost = [c for c in batch if c.id not in receipts and scene.decisions.lost(c)]
    receipts |= {c.id: _receipt(c, Outcome.STALE, "what it was made from changed since") for c in lost}
    to_write = [change for change in batch if change.id not in receipts]
    bases = scene.decisions.bases(to_write)
    workspace.store.links.save_bases(bases)
    workspace.store.journal.intend(
        scene.run, [native.changes.get(change.id, change) for change in batch], workspace.clock.now()
    )
    return [native.changes[change.id] for change in to_write]


def _write(workspace: Workspace, batch: Sequence[Change]) -> tuple[dict[str, Receipt], CrmbridgeError | None]:
    """Write a batch; whatever goes wrong, there is one receipt for each change."""
    if not batch:
        return {}, None
    if batch[0].action is Action.NOTIFY:
        return {receipt.change: receipt for receipt in notices.send(workspace, batch)}, None
    outcome, message, error = Outcome.UNKNOWN, "the adapter gave no receipt for it", None
    receipts: Sequence[Receipt] = ()
    try:
        receipts = workspace.adapter(batch[0].connection).write(batch)
    except UnclearError as failure:
        message = failure.message
    except CrmbridgeError as failure:
        message, error = failure.message, failure
        if not isinstance(failure, AdapterBugError):  # which comes in the middle of writing: each may have arrived
            outcome = Outcome.FAILED
    found = {receipt.change: receipt for receipt in receipts}
    return {c.id: found.get(c.id) or _receipt(c, outcome, message) for c in batch}, error


def _receipt(change: Change, outcome: Outcome, message: str) -> Receipt:
    return Receipt(change=change.id, outcome=outcome, ref=change.target, message=message)
