"""The details of all deals of an org, put down in a file of their own while a big first walk goes through the deals.

An org's history has several rows per deal and comes in no useful order, so that neither keeping it in memory nor asking
for it deal by deal would do.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence

from crmbridge_salesforce.moves import Snapshot, in_order, snapshot
from crmbridge_salesforce.values import Cell

_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE history (deal TEXT, at TEXT, id TEXT, stage TEXT, by TEXT);
    CREATE TABLE roles (deal TEXT, contact TEXT);
"""
# One row for each deal is quicker to find than several, and takes less room.
_SEALED = """
    CREATE TABLE found_history (deal TEXT PRIMARY KEY, snapshots TEXT) WITHOUT ROWID;
    INSERT INTO found_history
        SELECT deal, group_concat(at || char(31) || id || char(31) || stage || char(31) || by, char(30))
        FROM history WHERE deal != '' GROUP BY deal ORDER BY deal;
    DROP TABLE history;
    CREATE TABLE found_roles (deal TEXT PRIMARY KEY, contacts TEXT) WITHOUT ROWID;
    INSERT INTO found_roles
        SELECT deal, group_concat(contact) FROM roles WHERE deal != '' AND contact != '' GROUP BY deal ORDER BY deal;
    DROP TABLE roles;
"""
_CONTACTS = "SELECT deal, contacts FROM found_roles WHERE deal IN (SELECT value FROM json_each(?))"
_HISTORY = "SELECT deal, snapshots FROM found_history WHERE deal IN (SELECT value FROM json_each(?))"
_ROW, _CELL = "\x1e", "\x1f"


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
        found = self._file.execute(_CONTACTS, (json.dumps(deals),))
        return {deal: tuple(sorted(set(contacts.split(",")))) for deal, contacts in found}

    def history(self, deals: Sequence[str]) -> Mapping[str, list[Snapshot]]:
        """Give the snapshots of deals, oldest first."""
        found = self._file.execute(_HISTORY, (json.dumps(deals),))
        return {deal: in_order(snapshot(row.split(_CELL)) for row in rows.split(_ROW)) for deal, rows in found}

    def close(self) -> None:
        """Take the file away."""
        self._file.close()
