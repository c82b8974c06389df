"""A SQLite state is read as it was at one moment, whatever is written meanwhile; what can't be read is said."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import duckdb
import pytest

from crmbridge.errors import StateError
from crmbridge.indicators.from_sqlite import SqliteState, sqlite_state
from crmbridge.indicators.state import opened
from crmbridge.indicators.tables import Lean, Table
from crmbridge.store import open_store

STAGES = ("open",)
PLACES = Table(name="places", source="places", types="", picked="deal", typed="deal")


def test_what_is_written_meanwhile_is_not_seen(tmp_path: Path) -> None:
    """All that is asked for is of when the state was opened, by whichever connection it is read."""
    path = tmp_path / "state.db"
    open_store(f"sqlite:///{path}").close()
    _add(path, "north", "first")

    with sqlite_state(path) as state:
        _add(path, "south", "second")
        seen = [_deals(state) for _ in range(state.readers)]  # the one who waited longest is the next
        connections = state.connections()

    assert [["first"], ["first"]] == seen
    assert ["north"] == connections


@pytest.mark.parametrize(("number", "ordinal"), [(1, 0), (2, 1), (32_767, 32_767)])
def test_a_visit_keeps_its_numbers(tmp_path: Path, number: int, ordinal: int) -> None:
    """Which visit of its stage it is, and which of all of the deal, come through as they are."""
    url = _visited(tmp_path / "state.db", number, ordinal)

    with opened(url, STAGES) as database:
        seen = database.execute("SELECT number, ordinal, stage FROM state.visits").fetchall()

    assert [(number, ordinal, 0)] == seen


def test_deals_whose_ids_are_no_numbers_need_no_findings(tmp_path: Path) -> None:
    """A table without rows has no types to go by, and deals are looked up in it all the same."""
    url = _visited(tmp_path / "state.db", 1, 0)

    with opened(url, STAGES, lean=Lean(lambda moment: f"month({moment})")) as database:
        seen = database.execute("SELECT deal FROM state.places JOIN state.visits ON no = places.rowid").fetchall()

    assert [("d1",)] == seen


def test_more_visits_of_a_deal_than_there_is_room_for_are_an_error(tmp_path: Path) -> None:
    """No figure is made of numbers that would have become others on the way."""
    url = _visited(tmp_path / "state.db", 1, 32_768)

    with pytest.raises(StateError, match="can't be read for the indicators"), opened(url, STAGES):
        pass


def _visited(path: Path, number: int, ordinal: int) -> str:
    url = f"sqlite:///{path}"
    open_store(url).close()
    _add(path, "north", "d1")
    state = sqlite3.connect(path)
    with state:
        state.execute(
            "INSERT INTO visits VALUES ('north', 'd1', 'open', ?, ?, '2026-01-01T00:00:00.000000Z', NULL, NULL, NULL)",
            [number, ordinal],
        )
    state.close()
    return url


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
