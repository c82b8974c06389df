"""Records that are saved together are stored column by column: each as it would be if it were saved alone."""

import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from crmbridge.model.records import Position, Problem, Record, Status
from crmbridge.model.values import Money
from crmbridge.store import open_store
from crmbridge.testing.stores.makers import OPEN, START, WON, make_record

EAST = timezone(timedelta(hours=5, minutes=30))
texts = st.sampled_from(["", "a", "é", "\x00", "\ud800", "漢"])
moments = st.sampled_from([START, START.astimezone(EAST), datetime(9999, 12, 31, 23, 59, 59, 999_999, UTC)])
values = texts | st.sampled_from([None, True, 7, date(2026, 1, 31), START, Decimal("1.50"), Decimal("1E+3"), ("a",)])
amounts = values | st.builds(Money, st.sampled_from([Decimal("0.10"), Decimal("-1E-9")]), texts)
records = st.builds(
    dict,
    fields=st.dictionaries(st.sampled_from(["name", "amount", "owner", "close_date", "other"]), amounts),
    version=texts,
    created_at=st.none() | moments,
    updated_at=moments,
    position=st.sampled_from([None, OPEN, WON, Position("\x00", "é", Status.LOST)]),
    key=st.none() | texts,
    url=st.none() | texts,
    updated_by=st.none() | texts,
    problems=st.sampled_from([(), (Problem("amount", "\ud800"),)]),
)
USUAL = {"created_at": START, "key": "k", "url": "u", "updated_by": "7"}


@settings(max_examples=25)
@given(st.lists(records, max_size=5))
@example([USUAL, USUAL])
@example([USUAL, {**USUAL, "created_at": None, "key": None, "updated_at": START.astimezone(EAST), "position": None}])
def test_together_is_as_alone(drawn: list[dict[str, Any]]) -> None:
    """What stands in a column of one record plays no part in how that of another one is written."""
    found = [make_record(f"{number}\x00", **each) for number, each in enumerate(drawn)]

    assert stored([[each] for each in found]) == stored([found])


def stored(lots: Sequence[Sequence[Record]]) -> list[Any]:
    """Save records lot by lot in a new state; give their rows, without the mark, which each lot has its own of."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "state.db"
        with closing(open_store(f"sqlite:///{path}")) as store:
            for lot in lots:
                store.records.put(lot)
        with closing(sqlite3.connect(path)) as reader:
            return [row[:-1] for row in reader.execute("SELECT * FROM records ORDER BY id")]
