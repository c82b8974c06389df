"""Parts shared out among readers: whoever reads when, each row comes once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge_pipedrive.cursors import Part
from crmbridge_pipedrive.sharing import Board, RangesError, Reader

PAGE = 3
Listed = Mapping[int, Sequence[int]]  # the ids of each part, in their order


class Desk:
    """A reader with its place in the list, which asks for a page at one time and has it at another."""

    def __init__(self, board: Board, listed: Listed) -> None:
        self._board = board
        self._listed = listed
        self._readers = board.readers()
        self._reader: Reader | None = None
        self._rows: list[int] = []
        self._is_asking = False
        self.delivered: list[int] = []
        self.done: list[int] = []  # parts of which this reader was told that all is taken
        self.asked = 0

    def step(self) -> bool:
        """Take a part, ask for a page, or have it; tell whether there is more to do."""
        if self._reader is None:
            self._reader = next(self._readers, None)
            if self._reader is None:
                return False
            ids = self._listed[self._reader.number]
            self._rows = list(reversed(ids)) if self._reader.is_backwards else list(ids)
        elif self._is_asking:
            page, self._rows, self._is_asking = self._rows[:PAGE], self._rows[PAGE:], False
            rows: list[dict[str, Any]] = [{"id": each} for each in page]
            self.delivered += [row["id"] for row in self._board.take(self._reader, rows, is_last=not self._rows)]
        elif self._board.begins(self._reader):
            self._is_asking = True
            self.asked += 1
        else:
            if self._board.end(self._reader.number):
                self.done.append(self._reader.number)
            self._reader = None
        return True


def finish(desks: Sequence[Desk]) -> None:
    """Let all take turns until none has more to do."""
    while desks:
        desks = [desk for desk in desks if desk.step()]


@given(
    st.lists(st.sets(st.integers(1, 200), max_size=40), min_size=1, max_size=3),
    st.lists(st.integers(0, 3), max_size=150),
)
def test_each_row_comes_once(parts: list[set[int]], turns: list[int]) -> None:
    """And each part is done once, when the last of its readers has ended."""
    listed = {number: sorted(part) for number, part in enumerate(parts)}
    board = Board({number: Part() for number in listed}, listed, stands_for=1, page=PAGE)
    desks = [Desk(board, listed) for _ in range(4)]
    for turn in turns:
        desks[turn].step()
    finish(desks)

    assert sorted(each for part in parts for each in part) == sorted(each for desk in desks for each in desk.delivered)
    assert sorted(listed) == sorted(number for desk in desks for number in desk.done)


def test_two_readers_of_one_part_need_hardly_more_pages_than_one() -> None:
    """The last page between them is asked for once, unless it may just not hold all that is left."""
    for count in range(1, 40):
        listed = {0: range(1, count + 1)}
        board = Board({0: Part()}, listed, stands_for=1, page=PAGE)
        desks = [Desk(board, listed) for _ in range(2)]
        finish(desks)

        assert list(range(1, count + 1)) == sorted(each for desk in desks for each in desk.delivered)
        assert all(desk.delivered for desk in desks) or count <= 2 * PAGE
        assert sum(desk.asked for desk in desks) - math.ceil(count / PAGE) <= (count % PAGE == 0)


def test_who_has_no_part_left_helps_where_most_is_left() -> None:
    """From the other end, and once; not where less than a page is left, or nothing."""
    marks = {0: range(1, 11), 1: range(1, 31), 2: range(1, PAGE), 3: range(1, PAGE + 1), 4: range(1, 41)}
    board = Board({number: Part() for number in marks}, marks, stands_for=1, page=PAGE)
    readers = board.readers()
    first = [next(readers) for _ in marks]
    assert board.begins(first[4])
    board.take(first[4], [{"id": 40}], is_last=True)
    assert board.begins(first[1])
    board.take(first[1], [{"id": 25}], is_last=False)  # five of its marks are left

    assert [(number, False) for number in marks] == [(each.number, each.is_backwards) for each in first]
    assert [(0, True), (1, True), (3, True)] == [(each.number, each.is_backwards) for each in readers]


@given(st.sets(st.integers(1, 60), max_size=40), st.none() | st.integers(1, 60), st.none() | st.integers(1, 60))
def test_what_a_pull_before_this_one_delivered_comes_no_more(
    part: set[int], after: int | None, before: int | None
) -> None:
    """It had read a part up to an id, and from another one on."""
    listed = {0: sorted(part)}
    board = Board({0: Part(after=after, before=before)}, listed, stands_for=1, page=PAGE)
    desks = [Desk(board, listed) for _ in range(2)]
    finish(desks)

    left = {each for each in part if (after is None or each > after) and (before is None or each < before)}
    assert sorted(left) == sorted(each for desk in desks for each in desk.delivered)


@pytest.mark.parametrize("ids", [(2, 1), (1, 1)])
def test_another_order_than_asked_for_is_noticed(ids: tuple[int, int]) -> None:
    """Rows between the places of two readers would pass for read, and one alone would pass over later lower ids."""
    board = Board({0: Part()}, {})
    reader = next(board.readers())
    board.begins(reader)

    with pytest.raises(RangesError):
        board.take(reader, [{"id": each} for each in ids], is_last=True)
