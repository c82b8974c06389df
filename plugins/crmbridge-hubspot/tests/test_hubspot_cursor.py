"""Where a pull continues: what was delivered, when it came to rest, and how that is kept."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmbridge.errors import ConfigurationError
from crmbridge.model.replacing import replace
from crmbridge_hubspot.cursor import (
    MOST_SEEN,
    OVERLAP_MS,
    SLACK_MS,
    Cursor,
    Walk,
    read_cursors,
    write_cursors,
)
from crmbridge_hubspot.slices import Span

AT = 1_781_092_800_000  # a noon
TIMES = st.integers(1, 2 * AT)
COUNTS = st.integers(0, 10**6)
IDS = st.integers(1, 10**12).map(str)
WALKS = st.builds(
    Walk,
    by=st.sampled_from(["", "list", "search", "pages"]),
    left=st.lists(st.builds(Span, COUNTS, st.none() | COUNTS), max_size=3).map(tuple),
    after=st.none() | st.text(min_size=1),
    counted=COUNTS,
    total=COUNTS,
)
CURSORS = st.builds(
    Cursor,
    walk=WALKS,
    at=st.none() | TIMES,
    seen=st.dictionaries(IDS, TIMES, max_size=3),
    reached=COUNTS,
    settled=COUNTS,
    apart=st.none() | st.integers(-(10**8), 10**8),
    gone=st.none() | TIMES,
    gone_read=COUNTS,
    gone_pages=COUNTS,
    bin=st.lists(IDS, max_size=3).map(tuple),
)


@example(Cursor(apart=0), Cursor())
@given(CURSORS, CURSORS)
def test_what_is_written_is_read_back(one: Cursor, two: Cursor) -> None:
    """Of a kind that is one object type, and of one that is several."""
    several = {"calls": one, "tasks": two}

    assert {"deals": one} == read_cursors(write_cursors({"deals": one}, alone=True), ["deals"])
    assert several == read_cursors(write_cursors(several, alone=False), several)


def test_a_walk_of_the_first_version_goes_on() -> None:
    """It had a page token."""
    walk = Walk(by="pages", after="token")

    assert {"deals": Cursor(at=7, walk=walk)} == read_cursors('{"v": 1, "at": 7, "walk": "token"}', ["deals"])


@pytest.mark.parametrize(
    "text",
    [
        "",
        "noon",
        "[]",
        "7",
        "null",
        '{"v": 2}',
        '{"v": 2, "types": []}',
        '{"seen": ["7"]}',
        '{"seen": 7}',
        '{"left": [[1]]}',
    ],
)
def test_anything_else_is_said_to_be_no_cursor(text: str) -> None:
    """Whoever mixed up two states is told what to do."""
    with pytest.raises(ConfigurationError, match="can't be read") as caught:
        read_cursors(text, ["deals"])
    assert "Pull everything again" in caught.value.advice


def test_what_was_delivered_is_kept_in_mind_within_the_overlap() -> None:
    """The newest of it, however much there is; what came before moves nothing back."""
    one = Cursor(at=AT, reached=5, seen={"1": AT - OVERLAP_MS, "2": AT})

    assert one == one.delivered([], AT - 1)
    assert replace(one, seen={**one.seen, "3": AT - 2}) == one.delivered([("3", AT - 2), ("4", AT - OVERLAP_MS - 1)], 0)
    assert Cursor(at=AT + 1, seen={"2": AT}) == one.delivered([], AT + 1)  # not at rest any more
    many = [(str(number), AT + number) for number in range(MOST_SEEN + 1)]
    assert dict(many[1:]) == Cursor().delivered(many, AT + MOST_SEEN).seen
    assert (True, False, False) == (one.has("2", AT), one.has("2", AT + 1), one.has("3", AT))


def test_changes_are_asked_for_from_the_overlap_on_or_from_what_is_settled() -> None:
    """Nothing is older than the beginning of time."""
    assert 0 == Cursor().since == Cursor(at=7).since
    assert AT - OVERLAP_MS == Cursor(at=AT).since == Cursor(at=AT, settled=7).since
    assert AT + 1 == Cursor(at=AT, settled=AT).since


def test_a_cursor_is_never_ahead_of_hubspots_clock() -> None:
    """But for what clocks differ by anyway; what was settled by another clock is not, then."""
    one = Cursor(at=AT, reached=5, settled=4)

    assert one == one.not_ahead(None) == one.not_ahead(AT) == one.not_ahead(AT - SLACK_MS)
    assert Cursor(at=AT - SLACK_MS - 1) == one.not_ahead(AT - SLACK_MS - 1)
    assert Cursor() == Cursor().not_ahead(5)


@pytest.mark.parametrize(
    ("before", "now", "back"),
    [(0, SLACK_MS + 1, SLACK_MS + 1), (0, SLACK_MS, 0), (SLACK_MS * 2, 0, 0), (None, AT, 0), (AT, None, 0)],
)
def test_a_clock_was_put_back_by_what_changed_between_the_two(before: int | None, now: int | None, back: int) -> None:
    """Not where nobody knows."""
    assert back == Cursor(apart=before).put_back(now)


def test_what_comes_to_rest_for_as_long_as_the_overlap_is_settled() -> None:
    """The time from the end of one pull to the beginning of another counts; nothing may have come meanwhile."""
    before = Cursor(at=AT, reached=1000, settled=4, seen={"1": AT}, apart=0)
    resting = 1000 + OVERLAP_MS

    def rested(begun: int, *, of: Cursor = before, apart: int | None = 0) -> Cursor:
        return replace(before, reached=0).rested(of, begun, begun + 9, apart)

    assert replace(before, settled=AT, seen={}) == rested(resting)
    assert before == rested(resting - 1) == rested(1000)
    for anew in (
        rested(999),  # our clock was put back
        rested(resting, of=replace(before, at=AT - 1)),
        rested(resting, of=replace(before, reached=0)),
    ):
        assert replace(before, reached=anew.reached) == anew
        assert anew.reached in {1008, resting + 9}
    assert replace(before, reached=resting + 9, apart=SLACK_MS + 1) == rested(resting, apart=SLACK_MS + 1)
    assert replace(before, settled=AT, seen={}) == rested(resting, apart=None)
