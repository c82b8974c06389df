"""The state store on SQLAlchemy: opens the database and hands out its parts."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Self

from crmbridge.ports import RateLedger
from crmbridge.store.holding import Hold
from crmbridge.store.rates import RateFile
from crmbridge.store.sql.backlog import SqlBacklog, SqlMatches, SqlWaiting
from crmbridge.store.sql.courses import SqlCourses
from crmbridge.store.sql.database import Database
from crmbridge.store.sql.findings import SqlFindings
from crmbridge.store.sql.hints import SqlHints
from crmbridge.store.sql.journal import SqlJournal
from crmbridge.store.sql.links import SqlLinks
from crmbridge.store.sql.memories import SqlMemory
from crmbridge.store.sql.rates_postgresql import rates_in
from crmbridge.store.sql.records import SqlRecords
from crmbridge.store.sql.runs import SqlRuns
from crmbridge.store.sql.waivers import SqlWaivers


class SqlStore:
    """Everything that crmbridge remembers between runs, in one database. Threads may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.records = SqlRecords(database)
        self.courses = SqlCourses(database)
        self.links = SqlLinks(database)
        self.backlog = SqlBacklog(database)
        self.waiting = SqlWaiting(database)
        self.matches = SqlMatches(database)
        self.findings = SqlFindings(database)
        self.waivers = SqlWaivers(database)
        self.journal = SqlJournal(database)
        self.runs = SqlRuns(database)
        self.hints = SqlHints(database)
        self._rate_file = RateFile(database.file) if database.file else None
        self.rates: RateLedger = self._rate_file or rates_in(database)

    @classmethod
    def open(cls, url: str, hold: Hold | None = None) -> Self:
        """Open the state at a URL; `crmbridge.store.open_store` says what may go wrong.

        `hold` is what this process shares with other connections to it.
        """
        return cls(Database.open(url, hold))

    def memory(self, connection: str) -> MutableMapping[str, str]:
        """Give what the adapter of a connection keeps between runs."""
        return SqlMemory(self._database, connection)

    def close(self) -> None:
        """Give back files and connections."""
        if self._rate_file is not None:
            self._rate_file.close()
        self._database.close()
