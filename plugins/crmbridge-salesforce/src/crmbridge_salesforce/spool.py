"""The details of all deals of an org, put down in a file of their own while a big first walk goes through the deals.

An org's history has several rows per deal and comes in no useful order, so that neither keeping it in memory nor asking
for it deal by deal would do.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from crmbridge_salesforce.moves import Snapshot
from crmbridge_salesforce.values import Cell

_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE history (deal TEXT, at TEXT, id TEXT, stage TEXT, by TEXT);
    CREATE TABLE roles (deal TEXT, contact TEXT);
"""
_INDEXES = """
    CREATE INDEX history_of ON history (deal);
    CREATE INDEX roles_of ON roles (deal);
"""
_CONTACTS = "SELECT DISTINCT deal, contact FROM roles WHERE deal IN (SELECT value FROM json_each(?)) ORDER BY 1, 2"
_HISTORY = (
    "SELECT deal, at, id, stage, by FROM history WHERE deal IN (SELECT value FROM json_each(?)) ORDER BY deal, at, id"
)


class Spool:
    """Contact roles and snapshots in a temporary file, which is gone when it is closed."""

    def __init__(self) -> None:
        # An empty name is a file that SQLite makes and takes away by itself.
        self._file = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._file.executescript(_TABLES)

    def add_history(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Put down rows of deal, time, id, stage and user."""
        self._file.execute("BEGIN")
        self._file.executemany("INSERT INTO history VALUES (?, ?, ?, ?, ?)", rows)
        self._file.execute("COMMIT")

    def add_roles(self, rows: Iterable[Sequence[Cell]]) -> None:
        """Put down rows of deal and contact."""
        self._file.execute("BEGIN")
        self._file.executemany("INSERT INTO roles VALUES (?, ?)", rows)
        self._file.execute("COMMIT")

    def seal(self) -> None:
        """Make it ready to be asked."""
        self._file.executescript(_INDEXES)

    def contacts(self, deals: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Give the contacts of deals, sorted."""
        found: dict[str, list[str]] = defaultdict(list)
        for deal, contact in self._file.execute(_CONTACTS, (json.dumps(deals),)):
            if contact:
                found[deal].append(contact)
        return {deal: tuple(contacts) for deal, contacts in found.items()}

    def history(self, deals: Sequence[str]) -> Mapping[str, list[Snapshot]]:
        """Give the snapshots of deals, oldest first."""
        found: dict[str, list[Snapshot]] = defaultdict(list)
        for deal, *cells in self._file.execute(_HISTORY, (json.dumps(deals),)):
            found[deal].append(Snapshot(*cells))
        return found

    def close(self) -> None:
        """Take the file away."""
        self._file.close()
