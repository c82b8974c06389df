"""A SQLite state is read as it was at one moment, whatever is written meanwhile."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb

from crmbridge.indicators.from_sqlite import SqliteState, sqlite_state
from crmbridge.indicators.tables import Table
from crmbridge.store import open_store

PLACES = Table(name="places", source="places", types="", picked="deal", typed="deal")


def test_what_is_written_meanwhile_is_not_seen(tmp_path: Path) -> None:
    """All that is asked for is of when the state was opened, by whichever connection it is read."""
    path = tmp_path / "state.db"
    open_store(f"sqlite:///{path}").close()
    _add(path, "north", "first")

    with sqlite_state(path) as state:
        _add(path, "south", "second")
        seen = [_deals(SqliteState(path, state.asked, [reader])) for reader in state.readers]
        connections = state.connections()

    assert [["first"], ["first"]] == seen
    assert ["north"] == connections


def _add(path: Path, connection: str, deal: str) -> None:
    state = sqlite3.connect(path)
    with state:
        at = "2026-01-01T00:00:00.000000Z"
        state.execute("INSERT INTO places VALUES (?, ?, 'open', 'open', ?, NULL)", [connection, deal, at])
    state.close()


def _deals(state: SqliteState) -> list[str]:
    deals: list[str] = []
    for part in state.parts(PLACES):
        with part() as stream, duckdb.connect() as database:
            database.register("one", stream)
            deals.extend(deal for (deal,) in database.execute("SELECT deal FROM one").fetchall())
    return deals
