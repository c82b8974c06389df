"""Cutting a big list in parts: nothing falls between them, and what is taken for read was read."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from crmbridge_pipedrive.cursors import OVERLAP
from crmbridge_pipedrive.cutting import Cut, cut

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
PAGE = 5


def rows(seconds_ago: list[int]) -> list[dict[str, Any]]:
    """Make deals that were changed so long before noon."""
    return [
        {"id": number, "update_time": (NOON - timedelta(seconds=ago)).isoformat()}
        for number, ago in enumerate(seconds_ago, 1)
    ]


def at(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["update_time"])


def ids_in(deals: list[dict[str, Any]], start: datetime | None, end: datetime | None) -> set[int]:
    """List deals by times of change, as Pipedrive does: from one on, and before another."""
    return {row["id"] for row in deals if (start is None or at(row) >= start) and (end is None or at(row) < end)}


def cut_of(deals: list[dict[str, Any]], page: list[dict[str, Any]], step: int = 2) -> Cut:
    return cut(deals[::step], page, most=4, rows=len(deals), page=PAGE)


@example([400, 300, 299, 150, 100, 0], 1)  # one that changed in the first second after the page's oldest
@given(st.lists(st.integers(0, 400), min_size=PAGE + 1, max_size=60), st.integers(1, 7))
def test_every_deal_is_read_before_or_lies_in_one_part(seconds_ago: list[int], step: int) -> None:
    """However changes lie in time, many of them in one second or within the overlap."""
    deals = rows(seconds_ago)
    page = sorted(deals, key=at, reverse=True)[:PAGE]
    made = cut_of(deals, page, step)
    read = set() if made.newest is None else {row["id"] for row in made.newest.rows}
    asked = [
        ids_in(deals, part.since, part.until)
        for number, part in enumerate(made.parts)
        if made.newest is None or number != made.newest.number
    ]

    assert {row["id"] for row in deals} == read.union(*asked)
    assert sum(map(len, asked)) == len(set().union(*asked))
    assert (None, None) == (made.parts[0].since, made.parts[-1].until)
    for number, part in enumerate(made.parts):
        assert ids_in(deals[::step], part.since, part.until) == set(made.marks.get(number, ()))
    if made.newest is not None:
        part = made.parts[made.newest.number]
        assert ids_in(deals, part.since, part.until) <= read
        assert not read & set().union(*asked[:-1])  # but for the overlap, nothing is read twice
        assert [row["id"] for row in made.newest.rows] == sorted(read)
        assert max(map(at, page)) - OVERLAP == made.parts[-1].since  # so much of it is asked for again


def test_a_page_in_another_order_is_taken_for_nothing() -> None:
    """It may hold any deals."""
    deals = rows([900, 600, 300, 200, 100, 0])

    assert cut_of(deals, deals[::-1][:PAGE]).newest is not None
    assert cut_of(deals, deals[:PAGE]).newest is None
    assert cut_of(deals, [*deals[:-3:-1], *deals[:3]]).newest is None


def test_parts_hold_about_as_many_deals() -> None:
    """However unevenly their changes lie in time."""
    deals = rows([number**2 for number in range(100, 0, -1)])
    made = cut(deals, deals[::-1][:PAGE], most=4, rows=1_000, page=PAGE)
    sizes = [len(made.marks[number]) for number in range(4)]

    assert 100 - PAGE - 1 <= sum(sizes)
    assert 1 >= max(sizes) - min(sizes)


def test_what_has_no_time_is_no_help() -> None:
    """It is read where the list has it, and cuts nothing."""
    deals = rows([900, 600, 300, 200, 100, 0])
    odd: list[dict[str, Any]] = [{"id": 8}, {"id": 9, "update_time": "noon"}]
    page = deals[::-1][:PAGE]

    assert cut_of(deals, page, 1) == cut(deals + odd, [*page, *odd], most=4, rows=len(deals), page=PAGE)


def test_few_pages_are_not_cut_in_more_parts_than_they_are() -> None:
    """Each part costs a request, however few deals lie in it."""
    deals = rows(list(range(1_000, 0, -40)))
    page = deals[::-1][:PAGE]

    assert 3 == len(cut(deals, page, most=4, rows=len(deals), page=50).parts)
    assert 4 == len(cut(deals, page, most=4, rows=60, page=50).parts)
    assert 6 == len(cut(deals, page, most=4, rows=1_000, page=50).parts)


def test_a_small_sample_cuts_in_few_parts() -> None:
    """Each part is known by four deals of the sample at least."""
    deals = rows(list(range(1_000, 0, -40)))
    page = deals[::-1][:PAGE]
    made = [len(cut(deals[:size], page, most=4, rows=1_000, page=50).parts) for size in (0, 3, 7, 8, 11, 12, 16, 20)]

    assert [3, 3, 3, 4, 4, 5, 6, 6] == made
