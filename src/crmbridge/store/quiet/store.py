"""What a run that finds nothing new asks of a state in SQLite, in plain SQL; the rest is the whole store's.

Such runs are nearly all there are, and loading SQLAlchemy would be a quarter of what one costs. So the whole store is
opened by the first call that is not answered here. Both take turns to write, and write under one lease.
docs/decisions/0003-state-store.md says how they are held equal.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, MutableMapping
from pathlib import Path
from typing import TYPE_CHECKING, Self, cast

from crmbridge.store import sqlite
from crmbridge.store.holding import Hold
from crmbridge.store.plain import PlainState
from crmbridge.store.quiet.parts import (
    QuietBacklog,
    QuietFindings,
    QuietHints,
    QuietJournal,
    QuietLinks,
    QuietRecords,
    QuietWaiting,
)
from crmbridge.store.quiet.runs import QuietMemory, QuietRuns
from crmbridge.store.rates import RateFile

if TYPE_CHECKING:
    from crmbridge.ports import (
        Backlog,
        CourseStore,
        FindingStore,
        HintStore,
        Journal,
        LinkStore,
        MatchIndex,
        RecordStore,
        RunStore,
        WaitingStore,
        WaiverStore,
    )
    from crmbridge.store.sql.store import SqlStore

_PLAIN_URL = re.compile(r"sqlite:///(?P<file>[^?#%]+)")  # as nearly all are written; SQLAlchemy reads the others


class QuietStore:
    """Everything that crmbridge remembers between runs, in one SQLite file. Threads may share it."""

    def __init__(self, path: Path, open_whole: Callable[[Hold], SqlStore]) -> None:
        sqlite.create(path)  # the first run of all shows something before SQLAlchemy is loaded
        self._hold = Hold()
        self._open_whole = open_whole
        self._opening = threading.Lock()
        self._state = state = PlainState(path, self._hold)
        self._opened: SqlStore | None = None if state.is_up_to_date() else self._open_first()
        self.records = cast("RecordStore", QuietRecords(state, lambda: self.whole.records))
        self.links = cast("LinkStore", QuietLinks(state, lambda: self.whole.links))
        self.backlog = cast("Backlog", QuietBacklog(state, lambda: self.whole.backlog))
        self.waiting = cast("WaitingStore", QuietWaiting(state, lambda: self.whole.waiting))
        self.findings = cast("FindingStore", QuietFindings(state, lambda: self.whole.findings))
        self.journal = cast("Journal", QuietJournal(state, lambda: self.whole.journal))
        self.runs = cast("RunStore", QuietRuns(state, lambda: self.whole.runs))
        self.hints = cast("HintStore", QuietHints(state, lambda: self.whole.hints))
        self.rates = RateFile(path)

    @classmethod
    def open(cls, url: str) -> Self | None:
        """Open the state at a URL; None where only SQLAlchemy can tell what it means."""
        named = _PLAIN_URL.fullmatch(url)
        if named is None or named["file"] == ":memory:":
            return None

        def open_whole(hold: Hold) -> SqlStore:
            from crmbridge.store.sql.store import SqlStore  # noqa: PLC0415  SQLAlchemy: what this module is there to avoid

            return SqlStore.open(url, hold)

        return cls(Path(named["file"]).expanduser(), open_whole)

    @property
    def whole(self) -> SqlStore:
        """The store that knows all of it."""
        with self._opening:
            if self._opened is None:
                self._state.must_be_there()
                self._opened = self._open_whole(self._hold)
            return self._opened

    def _open_first(self) -> SqlStore:
        try:
            return self._open_whole(self._hold)
        except BaseException:
            self._state.close()
            raise

    @property
    def courses(self) -> CourseStore:
        """What CRMs recorded of fields."""
        return self.whole.courses

    @property
    def matches(self) -> MatchIndex:
        """What records are matched by."""
        return self.whole.matches

    @property
    def waivers(self) -> WaiverStore:
        """What was accepted."""
        return self.whole.waivers

    def memory(self, connection: str) -> MutableMapping[str, str]:
        """Give what the adapter of a connection keeps between runs."""
        return QuietMemory(self._state, connection)

    def close(self) -> None:
        """Give back files and connections."""
        self.rates.close()
        self._state.close()
        if self._opened is not None:
            self._opened.close()
