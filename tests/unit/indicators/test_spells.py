"""How long stages keep deals, by the product limit, held against fractions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from fractions import Fraction

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmbridge.indicators.database import by_period
from crmbridge.indicators.state import query

AS_OF = datetime(2026, 11, 2, 12)  # noqa: DTZ001  in UTC, as all times in that database
Spell = tuple[int, int, bool]  # the stage, minutes, and whether it is over


@pytest.fixture(scope="module")
def database() -> Iterator[duckdb.DuckDBPyConnection]:
    """Give a database with as much of a state as spells are made from."""
    with duckdb.connect() as found:
        found.execute("CREATE MACRO last_stage() AS 2; CREATE MACRO sells(stage) AS TRUE")
        found.execute("CREATE MACRO is_grouped() AS FALSE")
        found.execute(query("macros"))
        by_period(found, None)
        found.execute("CREATE SCHEMA state; CREATE TABLE grouped (no INTEGER, seg INTEGER)")
        found.execute("CREATE TABLE state.visits (no INTEGER, stage TINYINT, entered_at TIMESTAMP, left_at TIMESTAMP)")
        found.execute("CREATE TABLE deals (no INTEGER, status VARCHAR, first_at TIMESTAMP, closed_at TIMESTAMP)")
        found.execute("CREATE TABLE moment AS SELECT ?::TIMESTAMP AS as_of", [AS_OF])
        yield found


# Few lengths, so that many spells are over, or only followed no longer, after the same time.
spells = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.booleans()), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(told=spells)
def test_half_and_nine_in_ten_are_over_when_fractions_say_so(
    database: duckdb.DuckDBPyConnection, told: list[Spell]
) -> None:
    """Counted in stretches, the product limit passes a half and a tenth where step by step it does."""
    database.execute("DELETE FROM state.visits")
    rows = [
        (number, stage, AS_OF - timedelta(minutes=minutes), AS_OF if is_over else None)
        for number, (stage, minutes, is_over) in enumerate(told)
    ]
    database.executemany("INSERT INTO state.visits VALUES (?, ?, ?, ?)", rows)

    database.execute(query("spells"))

    found = database.execute(
        "SELECT stage, spells, closed, round(median_days * 1440), round(p90_days * 1440) FROM usual WHERE part <> 'row'"
    ).fetchall()
    parts = {stage: [spell for spell in told if stage in {None, spell[0]}] for stage in {None, *(s for s, *_ in told)}}
    assert {(stage, *_expected(part)) for stage, part in parts.items()} == {*found}


def _expected(told: Sequence[Spell]) -> tuple[int, int, int | None, int | None]:
    """Give how many there are and are over, and after how many minutes a half and a tenth are left."""
    left, shares = Fraction(1), {}
    for minutes in sorted({minutes for _, minutes, _ in told}):
        at_risk = sum(each >= minutes for _, each, _ in told)
        left *= 1 - Fraction(sum(is_over for _, each, is_over in told if each == minutes), at_risk)
        shares[minutes] = left
    half, tenth = (
        next((minutes for minutes, share in shares.items() if share <= Fraction(1, of)), None) for of in (2, 10)
    )
    return len(told), sum(is_over for *_, is_over in told), half, tenth
