"""Whether anything is near is asked in the order in which Python has the values, whatever a CRM's ids are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from sqlalchemy import URL

from crmbridge.model.records import Kind, Ref
from crmbridge.ports import StateStore
from crmbridge.store import open_store
from crmbridge.store.sql.sparse import FEW
from crmbridge.store.texts import storable

# Orders that differ: by code point, by UTF-16, by a language's words; and what no database keeps.
PARTS = (
    "a",
    "A",
    "b",
    "B",
    "_",
    "-",
    " ",
    "0",
    "9",
    "10",
    "é",
    "e\u0301",
    "ß",
    "Z",
    "\uffff",
    "\U00010000",
    "\x00",
    "\ud800",
)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    """Open an empty state of each kind."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'state.db'}"
    else:
        server: URL = request.getfixturevalue("server")
        url = server.render_as_string(hide_password=False)
    opened = open_store(url)
    yield opened
    opened.close()


def test_what_is_there_is_found_among_any_others(store: StateStore) -> None:
    """One id that is known, at any place among many that are not."""
    draw = Random(9)
    for number in range(150):
        connection = f"c{number}"
        ids = list(dict.fromkeys(_drawn(draw) for _ in range(3 * FEW)))
        known = draw.choice(ids)
        store.links.save({f"link{number}": [Ref(connection, Kind.DEAL, known)]})
        asked = [Ref(connection, Kind.DEAL, id_) for id_ in ids]
        draw.shuffle(asked)

        assert len(asked) > FEW
        assert {Ref(connection, Kind.DEAL, storable(known)): f"link{number}"} == dict(store.links.of(asked)), ids
        # Where it is not asked for, nothing is found, though it is in between.
        others = [ref for ref in asked if storable(ref.id) != storable(known)]
        assert {} == dict(store.links.of(others)), ids


def _drawn(draw: Random) -> str:
    return "".join(draw.choice(PARTS) for _ in range(draw.randint(1, 4)))
