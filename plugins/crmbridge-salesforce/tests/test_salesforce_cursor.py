"""Where a walk through an org stands, and how that is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmbridge.errors import ConfigurationError
from crmbridge_salesforce.cursor import Cursor, dump_several, parse_several

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIMES = st.none() | st.integers(-(10**9), 10**9).map(lambda seconds: NOON + timedelta(seconds=seconds))
CURSORS = st.builds(
    Cursor,
    at=TIMES,
    id=st.text(),
    floor=TIMES,
    gone=TIMES,
    job=st.text(),
    locator=st.text(),
    history=st.text(),
    roles=st.text(),
    tracked=st.text(),
    whole=st.booleans(),
    second=st.booleans(),
    apart=st.none() | st.integers(-(10**8), 10**8),
)


@example(Cursor(apart=0), Cursor())
@given(CURSORS, CURSORS)
def test_what_is_written_is_read_back(one: Cursor, two: Cursor) -> None:
    """Of a kind that lies in one object, and of one that lies in several."""
    several = {"Task": one.dump(), "Event": two.dump()}

    assert one == Cursor.parse(one.dump())
    assert several == parse_several(dump_several(several))


def test_where_nothing_was_written_a_walk_begins() -> None:
    """With everything there is."""
    assert Cursor() == Cursor.parse(None)
    assert {} == parse_several(None)


@pytest.mark.parametrize("text", ["", "noon", "[]", "7", "null", '{"at": "noon"}', '{"at": 7}', '{"apart": "x"}'])
def test_anything_else_is_said_to_be_no_cursor(text: str) -> None:
    """Whoever mixed up two states is told what to do."""
    for read in (Cursor.parse, parse_several):
        with pytest.raises(ConfigurationError, match="can't be read") as caught:
            read(text)
        assert "Pull this connection again" in caught.value.advice
    with pytest.raises(ConfigurationError, match="can't be read"):
        parse_several('{"of": []}')


@given(CURSORS)
def test_a_walk_that_came_to_its_end_begins_again_where_it_began(cursor: Cursor) -> None:
    """And one that can't go on in bulk goes on page by page from the same place."""
    place = (cursor.at, cursor.id, cursor.floor, cursor.gone, cursor.whole, cursor.second, cursor.apart)
    rest = cursor.without_job

    ended = (cursor.floor, "", cursor.floor, cursor.gone, cursor.whole, cursor.second, cursor.apart)
    end = cursor.at_end

    assert ended == (end.at, end.id, end.floor, end.gone, end.whole, end.second, end.apart)
    assert end == end.without_job
    assert Cursor(at=cursor.floor, second=cursor.whole, apart=cursor.apart) == cursor.finished
    assert place == (rest.at, rest.id, rest.floor, rest.gone, rest.whole, rest.second, rest.apart)
    assert ("", "", "", "", "") == (rest.job, rest.locator, rest.history, rest.roles, rest.tracked)


def test_a_clock_that_was_put_back_is_reached_behind() -> None:
    """Changes and deletions alike; a walk that is under way, or has not begun, stays where it is."""
    earlier = NOON - 3 * HOUR

    assert Cursor(at=NOON - HOUR, gone=NOON - HOUR) == Cursor(at=NOON).further_back(HOUR)
    assert Cursor(at=NOON - HOUR, gone=earlier - HOUR) == Cursor(at=NOON, gone=earlier).further_back(HOUR)
    for still in (Cursor(at=NOON, id="006"), Cursor()):
        assert still == still.further_back(HOUR)
