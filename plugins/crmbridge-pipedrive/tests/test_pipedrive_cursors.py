"""Where a pull continues: what is written is read back, and what is nothing of the kind begins anew."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmbridge_pipedrive.api import Heard
from crmbridge_pipedrive.cursors import LOST, OVERLAP, REMEMBERED, Cursor, Part, read_cursor

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TIMES = st.none() | st.integers(-(10**9), 10**9).map(
    lambda seconds: NOON + timedelta(seconds=seconds, microseconds=seconds % 7)
)
IDS = st.integers(1, 10**12)
PARTS = st.builds(
    Part,
    since=TIMES,
    until=TIMES,
    page=st.none() | st.text(min_size=1),
    after=st.none() | IDS,
    before=st.none() | IDS,
    done=st.booleans(),
)
CURSORS = st.builds(
    Cursor,
    since=TIMES,
    next=TIMES,
    parts=st.lists(PARTS, max_size=4).map(tuple),
    owed=st.frozensets(IDS),
    seen=st.dictionaries(IDS.map(str), st.text()),
    lost=st.frozensets(IDS),
    gone=st.frozensets(IDS),
    backlog=st.none() | PARTS,
    puts_off=st.booleans(),
    apart=st.none() | st.integers(-90_000, 90_000),
)


@example(Cursor(apart=0))
@given(CURSORS)
def test_what_is_written_is_read_back(cursor: Cursor) -> None:
    """A pull goes on where the one before it was cut short."""
    assert cursor == read_cursor(cursor.text())


def test_of_what_is_kept_in_mind_the_newest_is_written() -> None:
    """The last ones delivered, and the deals made last: the state does not grow with the account."""
    seen = {str(number): "print" for number in range(REMEMBERED + 1)}
    many = frozenset(range(LOST + 1))
    found = read_cursor(Cursor(seen=seen, lost=many, gone=many).text())

    assert list(seen)[1:] == list(found.seen)
    assert frozenset(range(1, LOST + 1)) == found.lost == found.gone


@pytest.mark.parametrize(
    ("text", "cursor"),
    [
        (None, Cursor()),
        ("", Cursor()),
        ("noon", Cursor()),
        ("[]", Cursor()),
        ('{"since": 7, "next": "noon", "seen": [1], "lost": "12", "backlog": [], "puts_off": 1}', Cursor()),
        ('{"apart": "3", "parts": {"since": 1}, "owed": {}}', Cursor()),
        ('{"apart": true, "owed": [1, "2", true, null, 1.5]}', Cursor(owed=frozenset({1}))),
        ('{"seen": {"1": 2}}', Cursor(seen={"1": "2"})),
        ('{"parts": [7, {"page": 7, "after": "1", "before": true, "done": 1}]}', Cursor(parts=(Part(), Part()))),
    ],
)
def test_what_is_no_cursor_begins_anew(text: str | None, cursor: Cursor) -> None:
    """That repeats, and loses nothing; what can be read of one is."""
    assert cursor == read_cursor(text)


@pytest.mark.parametrize(
    ("apart", "now", "back"),
    [
        (0, 3600, HOUR),  # Pipedrive's clock was put back by an hour, or ours forward
        (-3600, 0, HOUR),
        (0, -3600, None),
        (None, 3600, None),
        (0, None, None),
    ],
)
def test_a_clock_that_was_put_back_is_caught_up_with(
    apart: int | None, now: int | None, back: timedelta | None
) -> None:
    """What is new may have older times; where nobody said the time, or nothing was read yet, nothing follows."""
    heard = None if now is None else Heard(NOON, now)
    cursor = Cursor(since=NOON, apart=apart)

    assert NOON - (back or timedelta(0)) == cursor.caught_up(heard).since
    assert None is Cursor(apart=apart).caught_up(heard).since
    assert cursor.asked_since == NOON - OVERLAP
    assert None is Cursor().asked_since


@pytest.mark.parametrize(
    ("stamps", "heard", "begins"),
    [
        ([-2, -1, -3], None, NOON - HOUR),
        ([-2, 5], Heard(NOON, 0), NOON),  # not in Pipedrive's future
        ([-2], Heard(NOON, 0), NOON - 2 * HOUR),
        ([], Heard(NOON, 0), NOON - 9 * HOUR),  # nothing has changed
    ],
)
def test_the_next_walk_begins_at_the_newest_change(stamps: list[int], heard: Heard | None, begins: datetime) -> None:
    """By Pipedrive's own times, and where this walk ends it is the one that counts."""
    rows: list[dict[str, Any]] = [{"update_time": (NOON + hours * HOUR).isoformat()} for hours in stamps]
    rows.append({"update_time": "noon"})
    cursor = Cursor(since=NOON - 9 * HOUR, apart=7, owed=frozenset({1}), parts=(Part(),), puts_off=True)
    begun = cursor.begun(rows, heard)

    assert (begins, 7 if heard is None else 0) == (begun.next, begun.apart)
    assert Cursor(since=begins, apart=begun.apart) == begun.finished() == begun.finished().finished()
    assert None is Cursor().begun([], heard).next
