"""The state store on SQLAlchemy: opens the database and hands out its parts."""

from __future__ import annotations

from typing import Self

from crmbridge.store.database import Database
from crmbridge.store.findings import SqlFindings
from crmbridge.store.journal import SqlJournal
from crmbridge.store.links import SqlLinks
from crmbridge.store.records import SqlRecords
from crmbridge.store.runs import SqlRuns


class SqlStore:
    """Everything that crmbridge remembers between runs, in one database. Threads may share it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.records = SqlRecords(database)
        self.links = SqlLinks(database)
        self.findings = SqlFindings(database)
        self.journal = SqlJournal(database)
        self.runs = SqlRuns(database)

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the state at a URL; `crmbridge.store.open_store` says what may go wrong."""
        return cls(Database.open(url))

    def close(self) -> None:
        """Give back files and connections."""
        self._database.close()
