"""Who was told of a report, and when: noted before a sink is told and after it, so that nobody is told twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from crmbridge.model.values import iso
from crmbridge.ports import Run
from crmbridge.services.workspace import Workspace

TOLD = "deliver "  # begins the names of the notes on who was told of a report; nobody ran these


class Told(StrEnum):
    """How far the telling of a sink came."""

    SENDING = "sending"  # begun; a run that finds this knows that an earlier one was killed in between
    SENT = "sent"
    UNCLEAR = "unclear"  # it may have arrived, and a person was told so


class Telling(NamedTuple):
    """The last time that a sink was told of a report: on which day, of which figures."""

    day: str
    fingerprint: str
    state: Told
    at: str  # in ISO 8601


class Book:
    """What is known of a report's sinks. What is noted is kept at once, under the run that notes it."""

    def __init__(self, workspace: Workspace, run: str, report: str) -> None:
        self._workspace = workspace
        self._command = f"{TOLD}{report}"
        self._row = f"{run}-{report}"
        self._begun = False
        last = workspace.store.runs.last(self._command, workspace.clock.now())
        self._told = _read(last.summary) if last else {}

    def of(self, sink: str, day: str, fingerprint: str) -> Telling | None:
        """Give how a sink was told of this report before: of these figures, or of others on this day."""
        told = self._told.get(sink)
        return told if told and (told.day == day or told.fingerprint == fingerprint) else None

    def note(self, sink: str, day: str, fingerprint: str, state: Told) -> None:
        """Note how far the telling of a sink came."""
        self._told[sink] = Telling(day, fingerprint, state, iso(self._workspace.clock.now()))
        self._keep()

    def forget(self, sink: str) -> None:
        """Note that a sink was certainly not told, so that the next run tells it."""
        self._told.pop(sink, None)
        self._keep()

    def _keep(self) -> None:
        runs, now = self._workspace.store.runs, self._workspace.clock.now()
        if not self._begun:
            runs.start(Run(id=self._row, command=self._command, started_at=now))
            self._begun = True
        runs.finish(self._row, now, 0, {"told": {sink: list(each) for sink, each in self._told.items()}})


def sink_key(entry: Mapping[str, Any]) -> str:
    """Name a sink by its settings, wherever it stands among the others; they hold no secret."""
    text = json.dumps(entry, sort_keys=True, ensure_ascii=True, default=str)
    return f"{next(iter(entry), '')}:{hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _read(summary: Mapping[str, Any]) -> dict[str, Telling]:
    """Read what was kept; what an earlier crmbridge kept in another form tells nothing of these sinks."""
    kept = summary.get("told")
    rows = kept.items() if isinstance(kept, Mapping) else ()
    return {
        sink: Telling(row[0], row[1], Told(row[2]), row[3]) for sink, row in rows if len(row) == len(Telling._fields)
    }
