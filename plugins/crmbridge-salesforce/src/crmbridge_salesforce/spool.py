"""The details of all deals of an org, put down in a file of their own while a big first walk goes through the deals.

An org's history has several rows per deal and comes in no useful order, so that neither keeping it in memory nor asking
for it deal by deal would do.
"""

from __future__ import annotations

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from crmbridge_salesforce.details import Details
from crmbridge_salesforce.moves import Snapshot, in_order
from crmbridge_salesforce.values import Cell

_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE history (deal TEXT, at TEXT, id TEXT, stage TEXT, by TEXT);
    CREATE TABLE roles (deal TEXT, contact TEXT);
"""
# In the order in which they are asked for, the rows of one deal lie side by side.
_SEALED = """
    CREATE TABLE found_history (
        deal TEXT, at TEXT, id TEXT, stage TEXT, by TEXT, PRIMARY KEY (deal, at, id)
    ) WITHOUT ROWID;
    INSERT OR IGNORE INTO found_history SELECT * FROM history ORDER BY deal, at, id;
    DROP TABLE history;
    CREATE TABLE found_roles (deal TEXT, contact TEXT, PRIMARY KEY (deal, contact)) WITHOUT ROWID;
    INSERT OR IGNORE INTO found_roles SELECT * FROM roles WHERE contact != '' ORDER BY deal, contact;
    DROP TABLE roles;
"""
_CONTACTS = """
    SELECT deal, contact FROM found_roles WHERE deal IN (SELECT value FROM json_each(?)) ORDER BY deal, contact
"""
_HISTORY = """
    SELECT deal, at, id, stage, by FROM found_history WHERE deal IN (SELECT value FROM json_each(?))
"""


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
        """Make it ready to be asked; nothing can be added any more."""
        self._file.executescript(_SEALED)

    def contacts(self, deals: Sequence[str]) -> Mapping[str, tuple[str, ...]]:
        """Give the contacts of deals, sorted."""
        found: dict[str, list[str]] = defaultdict(list)
        for deal, contact in self._file.execute(_CONTACTS, (json.dumps(deals),)):
            found[deal].append(contact)
        return {deal: tuple(contacts) for deal, contacts in found.items()}

    def history(self, deals: Sequence[str]) -> Mapping[str, list[Snapshot]]:
        """Give the snapshots of deals, oldest first."""
        found: dict[str, list[Snapshot]] = defaultdict(list)
        for deal, at, row_id, stage, by in self._file.execute(_HISTORY, (json.dumps(deals),)):
            found[deal].append((at, row_id, stage, by))
        return {deal: in_order(snapshots) for deal, snapshots in found.items()}

    def ahead(self, deals: Sequence[str]) -> Details:  # noqa: ARG002  all of them are here
        """Give itself."""
        return self

    def close(self) -> None:
        """Take the file away."""
        self._file.close()
