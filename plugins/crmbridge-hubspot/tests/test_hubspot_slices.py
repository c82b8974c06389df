"""Ids are shared out among readers without a gap, however unevenly they lie, and what does not agree is noticed."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from crmbridge.http import side_by_side
from crmbridge_hubspot.slices import (
    READERS,
    WORTH,
    Board,
    DisorderError,
    Fetch,
    Fetched,
    Part,
    Span,
    readers_for,
    without,
)

PAGE = 10


def make_fetch(ids: list[int], *, page: int = PAGE) -> Fetch:
    """Fetch pages of ids as HubSpot lists records: from an id on, naming the id of the next one."""

    def fetch(start: int) -> Fetched:
        rest = [each for each in sorted(ids) if each >= start]
        return Fetched([{"id": str(each)} for each in rest[:page]], rest[page] if len(rest) > page else None)

    return fetch


def make_board(spans: list[Span], ids: list[int], exists: Callable[[int], bool] | None = None) -> Board:
    """Make the board of a walk over ids."""
    return Board(spans, highest=max(ids, default=0), expected=len(ids), exists=exists or ids.__contains__)


def read(board: Board, fetch: Fetch, readers: int) -> list[Part]:
    """Read side by side, each in a thread of its own."""
    return [part for _, part in side_by_side([lambda: board.parts(fetch)] * readers, workers=readers)]


def found_in(parts: list[Part]) -> list[int]:
    """Give the ids of parts."""
    return [int(raw["id"]) for part in parts for raw in part.raws]


id_lists = st.one_of(
    st.sets(st.integers(1, 500), max_size=120),
    st.sets(st.integers(1, 10**11), max_size=120),
    # Old ids are short and lie apart, new ones are long and lie close together.
    st.integers(0, 1500).map(lambda n: {*range(1, 40_000, 1_000), *range(10**10, 10**10 + n)}),
).map(sorted)


@given(id_lists, st.integers(1, 8))
def test_every_id_comes_once(ids: list[int], readers: int) -> None:
    """Whatever the gaps, and however slices are split while they are read, nothing is left out or comes twice."""
    board, fetch = make_board([Span(0, None)], ids), make_fetch(ids)
    parts = read(board, fetch, readers)
    left: tuple[Span, ...] = (Span(0, None),)
    for part in parts:
        left = without(left, part.span)

    assert ids == sorted(found_in(parts))
    assert () == left


@example(set(range(1, 500, 2)), [(0, 100), (300, 501)], 3)  # one span is left, which has an end
@given(
    st.sets(st.integers(1, 500), max_size=120),
    st.lists(st.tuples(st.integers(0, 500), st.integers(1, 300)).map(lambda pair: (pair[0], sum(pair))), min_size=1),
    st.integers(1, 4),
)
def test_a_walk_that_goes_on_reads_what_is_left_of_it_once(
    ids: set[int], reads: list[tuple[int, int]], readers: int
) -> None:
    """As many spans as a pull before it left, and nothing else; records that are many are shared out all the same."""
    left: tuple[Span, ...] = (Span(0, None),)
    for start, end in reads:
        left = without(left, Span(start, end if end <= 500 else None))
    board = Board(left, highest=500, expected=10 * WORTH, exists=ids.__contains__) if left else None
    found = found_in(read(board, make_fetch(sorted(ids)), readers)) if board else []

    assert sorted(each for each in ids if not any(one <= each < two for one, two in reads)) == sorted(found)


def test_a_crowd_of_new_ids_is_shared_out() -> None:
    """Where nearly all ids lie in a thousandth of the range, readers that find nothing take half of the crowd.

    They read in turn here, as they do where all answers take as long.
    """
    ids = [*range(1, 100), *range(10**10, 10**10 + 5_000)]
    board, fetch = make_board([Span(0, None)], ids), make_fetch(ids, page=100)
    loads = Counter[int]()
    pages = 0
    readers = {number: board.parts(fetch) for number in range(8)}
    while readers:
        for number, parts in [*readers.items()]:
            part = next(parts, None)
            if part is None:
                del readers[number]
            else:
                loads[number] += len(part.raws)
                pages += 1

    assert len(ids) == sum(loads.values())
    assert max(loads.values()) < len(ids) / 2
    assert pages < 1.6 * len(ids) / 100


def test_few_records_need_one_reader() -> None:
    """Nobody starts threads for two pages."""
    assert 1 == readers_for(WORTH // 2)
    assert READERS == readers_for(200_000)


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)).filter(lambda pair: pair[0] < pair[1])))
def test_what_was_read_is_taken_out_of_what_is_left(reads: list[tuple[int, int]]) -> None:
    """What is left is exactly what nobody read, also where a part spans several gaps."""
    left: tuple[Span, ...] = (Span(0, 30), Span(40, None))
    for start, end in reads:
        left = without(left, Span(start, end))
    expected = {each for each in (*range(30), *range(40, 80)) if not any(one <= each < two for one, two in reads)}

    assert expected == {
        each for each in range(80) if any(span.start <= each and (span.end is None or each < span.end) for span in left)
    }


# ── Pages that can't be trusted ─────────────────────────────────────────────────────────────────────────


def page(*ids: object, following: int | None = None) -> Fetched:
    """Make a page."""
    return Fetched([{"id": str(each)} for each in ids], following)


@pytest.mark.parametrize(
    "answer",
    [
        page(7, 6),  # not in order
        page(3, 4, following=4),  # the next page repeats this one
        page(2),  # before what was asked for
        page("x7"),  # no number
        page(following=3),  # leads back
    ],
)
def test_pages_out_of_order_are_noticed(answer: Fetched) -> None:
    """`after` being an id is not documented: a list that does otherwise is not read in slices."""
    board = make_board([Span(3, None)], [3, 7])

    with pytest.raises(DisorderError):
        list(board.parts(lambda _start: answer))


def disagreeing(answers: dict[int, Fetched], exists: Callable[[int], bool], highest: int = 9) -> list[Part]:
    """Read two slices, from 1 and from 5, that are answered like this."""
    board = Board([Span(1, 5), Span(5, None)], highest=highest, expected=9, exists=exists)
    return list(board.parts(lambda start: answers[start]))


def test_a_record_that_only_one_side_of_a_border_sees_is_noticed() -> None:
    """The reader before the border names 6 as next, the one after it begins at 8: 6 would be lost."""
    answers = {1: page(1, 2, following=6), 5: page(8)}

    with pytest.raises(DisorderError, match="follows 5"):
        disagreeing(answers, exists=lambda _: True)


def test_a_record_that_the_first_side_skipped_is_noticed() -> None:
    """The reader before the border leads past a record that the other one finds: it may skip more."""
    answers = {1: page(1, 2, following=8), 5: page(6, 8)}

    with pytest.raises(DisorderError, match="follows 5"):
        disagreeing(answers, exists=lambda _: True)


@pytest.mark.parametrize(
    ("answers", "exists"),
    [
        ({1: page(1, 2, following=6), 5: page(8)}, False),  # 6 was deleted in between
        ({1: page(1, 2), 5: page(12)}, True),  # 12 was made in between
        ({1: page(1, 2, following=6), 5: page()}, False),  # the last one was deleted
    ],
)
def test_an_edit_during_the_walk_is_no_disorder(answers: dict[int, Fetched], exists: Any) -> None:
    """Records are made and deleted while we read; both sides were right when they were asked."""
    assert [1, 2] == found_in(disagreeing(answers, exists=lambda _: exists))[:2]
