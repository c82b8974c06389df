"""What a run did, in the diary's words."""

from __future__ import annotations

from collections.abc import Sequence

import httpx

from crmbridge.model.changes import Change, Outcome, Receipt
from crmbridge.model.values import show
from crmbridge.services.runs.cycle import Cycle
from crmbridge.testing.simulation.diary import Diary


def tell_changes(diary: Diary, who: str, changes: Sequence[Change]) -> None:
    """Note changes."""
    if diary.wanted:
        for change in changes:
            diary.note(who, told(change))


def told(change: Change) -> str:
    """Say what a change does, in a line."""
    edits = ", ".join(f"{edit.name}: {show(edit.before)} -> {show(edit.after)}" for edit in change.edits)
    return f"{change.id} {change.action} {change.target or change.connection} [{edits}] {change.reason}"


def tell_receipts(diary: Diary, changes: Sequence[Change], receipts: Sequence[Receipt]) -> None:
    """Note what came of changes."""
    if diary.wanted:
        for change, receipt in zip(changes, receipts, strict=True):
            more = f" ({receipt.message})" if receipt.message else ""
            diary.note("answer", f"{change.id} {receipt.outcome} {receipt.ref or ''}{more}")


def tell_answer(diary: Diary, connection: str, request: httpx.Request, status: int, fault: str) -> None:
    """Note what a CRM answered, if it went wrong or somebody wants to read of all."""
    if diary.wants_requests or (fault and diary.wanted):
        answer = str(status or "no answer") + (f" ({fault})" if fault else "")
        diary.note(connection, f"    {request.method} {request.url.path} -> {answer}")


def tell_cycle(diary: Diary, cycle: Cycle | None) -> None:
    """Note what a run planned, what came of it, and how it ended, where nobody did while it was at work."""
    if cycle is not None and cycle.plan is not None:
        tell_changes(diary, "plan", cycle.plan.changes)
        done = cycle.applied.done
        tell_receipts(diary, [change for change, _ in done], [receipt for _, receipt in done])
        tell_end(diary, "it", cycle)


def tell_end(diary: Diary, name: str, cycle: Cycle | None) -> None:
    """Note how a run ended that was not killed."""
    if cycle is None or cycle.plan is None or not diary.wanted:
        return
    for connection, error in cycle.errors:
        diary.note("run", f"{name}: {connection} failed: {error.message}")
    for receipt in cycle.reconciled:
        diary.note("run", f"{name}: {receipt.change} turned out to be {receipt.outcome}")
    for change, receipt in cycle.applied.done:
        if receipt.outcome in {Outcome.STALE, Outcome.FAILED}:
            diary.note("run", f"{name}: {change.id} is {receipt.outcome}: {receipt.message}")
    for item in cycle.plan.blocked:
        values = ", ".join(f"{at}: {show(value)}" for at, value in item.values.items())
        diary.note("run", f"{name}: {item.link} {item.name} waits ({item.cause}): {item.reason} [{values}]")
    diary.note("run", f"{name} ends with exit code {cycle.exit_code()}")
