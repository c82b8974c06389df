"""Overview: how the last runs went and what needs a person, from the state alone; no CRM is asked."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import Struct

from crmbridge.model.changes import Cause, JournalEntry
from crmbridge.model.findings import Severity, Waiver
from crmbridge.model.records import Kind
from crmbridge.ports import Run
from crmbridge.services.answers.listing import SOON
from crmbridge.services.pull.first_use import FIRST_USED
from crmbridge.services.reports.told import TOLD
from crmbridge.services.workspace import Workspace

OLD = timedelta(days=180)  # credentials that stay are usually renewed within half a year
INTENDED = "intended"  # what stands in the place of an outcome where none is known
SILENT = timedelta(days=1)  # after that long without a run, somebody should look whether the schedule still works


class SignedIn(NamedTuple):
    """What a connection signs in with, and since when it was seen here."""

    connection: str
    way: str
    since: datetime


class Overview(Struct, frozen=True, kw_only=True):
    """How things are. `unknown` counts the writes of which nobody knows whether they happened."""

    now: datetime
    last: Run | None  # the newest run that is over
    running: Run | None  # the one that is under way
    waiting: Mapping[Cause, int]
    unknown: int
    ending: tuple[Waiver, ...]  # waivers that hold, and end within a week
    old: tuple[SignedIn, ...]  # credentials that were used for half a year or longer
    pulled: Mapping[str, datetime | None]  # connection -> when its deals were pulled last
    open_deals: int
    findings: Mapping[Severity, int]

    @property
    def conflicts(self) -> int:
        """Count the fields that a person must decide on."""
        return self.waiting.get(Cause.CONFLICT, 0)

    @property
    def others(self) -> int:
        """Count what else waits for a person, beside the writes that are `unknown`."""
        return sum(self.waiting.values()) - self.conflicts - self.waiting.get(Cause.UNCLEAR, 0)

    @property
    def is_silent(self) -> bool:
        """Tell whether no run ended for longer than a day."""
        return self.last is None or self.now - (self.last.finished_at or self.last.started_at) > SILENT


def look_over(workspace: Workspace) -> Overview:
    """Say how things are now."""
    store, now = workspace.store, workspace.clock.now()
    runs = newest_runs(workspace, 10)
    return Overview(
        now=now,
        last=next((run for run in runs if run.finished_at), None),
        running=under_way(workspace, runs),
        waiting=Counter(one.item.cause for one in store.waiting.all()),
        unknown=len(store.journal.unsettled()),
        ending=waivers_ending(workspace, now),
        old=tuple(one for one in sign_ins(workspace) if now - one.since >= OLD),
        pulled={name: store.records.pulled_at(name, Kind.DEAL) for name in workspace.connections},
        open_deals=store.findings.open_deals(),
        findings=store.findings.counts(),
    )


def under_way(workspace: Workspace, runs: Iterable[Run]) -> Run | None:
    """Give the run that holds the state, if it is one of these. All others that never ended were killed."""
    unended = [run for run in runs if run.finished_at is None]
    held_by = workspace.store.runs.holder(workspace.clock.now()).split() if unended else []
    return next((run for run in unended if run.id in held_by), None)


def outcomes_of(workspace: Workspace, run: Run) -> Mapping[str, int]:
    """Count what became of a run's changes: as it noted when it ended, else as the journal has it by now."""
    if run.finished_at is None:
        last = {row.change.id: row.outcome for row in entries_of(workspace, run)}
        return dict(sorted(Counter(str(outcome or INTENDED) for outcome in last.values()).items()))
    noted = run.summary.get("outcomes")
    return noted if isinstance(noted, dict) else {}


def entries_of(workspace: Workspace, run: Run) -> Iterator[JournalEntry]:
    """Give what a run wrote in the journal, and of what it left without an outcome the one that a later run noted."""
    journal = workspace.store.journal
    open_: dict[str, int] = {}
    for row in journal.entries(run.id):
        if row.outcome is None:
            open_[row.change.id] = row.seq
        else:
            open_.pop(row.change.id, None)
        yield row
    later = journal.outcomes(list(open_)).values()  # the same may have been sent, and failed, in earlier runs as well
    yield from sorted((row for row in later if row.seq > open_[row.change.id]), key=lambda row: row.seq)


def waivers_ending(workspace: Workspace, now: datetime) -> tuple[Waiver, ...]:
    """Give the waivers that hold now and end within a week, the first to end first."""
    soon = (one for one in workspace.store.waivers.all() if one.holds(now) and one.until - now <= SOON)
    return tuple(sorted(soon, key=lambda one: one.until))


def newest_runs(workspace: Workspace, limit: int) -> tuple[Run, ...]:
    """Give the newest runs, without the notes on who was told of a report: nobody ran those."""
    found = workspace.store.runs.runs(2 * limit)
    return tuple(run for run in found if not run.command.startswith(TOLD))[:limit]


def sign_ins(workspace: Workspace) -> tuple[SignedIn, ...]:
    """Give what connections sign in with, as a pull, `doctor` or `connections describe` noted it."""
    found = []
    for name in workspace.connections:
        with contextlib.suppress(ValueError, KeyError, TypeError):  # KeyError: nothing is remembered
            way, _user, at = json.loads(workspace.store.memory(name)[FIRST_USED])
            found.append(SignedIn(name, str(way), datetime.fromisoformat(at)))
    return tuple(found)
