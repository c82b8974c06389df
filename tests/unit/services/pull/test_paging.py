"""Which pages of a pull are saved together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest

from crmbridge.errors import RetryLaterError
from crmbridge.model.records import Tombstone
from crmbridge.ports import Page
from crmbridge.services.pull.paging import in_fewer
from crmbridge.testing.factories import NOON, make_deal, make_move


def page(cursor: str, *ids: str, gone: tuple[str, ...] = ()) -> Page:
    """Make a page of deals with a move each."""
    records = tuple(make_deal(each) for each in ids)
    return Page(
        records=records,
        moves=tuple(make_move(deal=record.ref) for record in records),
        tombstones=tuple(Tombstone(ref=make_deal(each).ref, at=NOON) for each in gone),
        cursor=cursor,
    )


def shape(pages: Iterable[Page]) -> list[tuple[str, int, int]]:
    """Tell pages by their cursor and how many records and tombstones they hold."""
    return [(page.cursor, len(page.records), len(page.tombstones)) for page in pages]


def test_small_pages_are_saved_together() -> None:
    """Each page that is saved waits for the disk, so a hundred small ones would wait a hundred times."""
    pages = [page(str(n), f"{n}a", f"{n}b") for n in range(7)]
    found = list(in_fewer(iter(pages), most=6))

    assert [("2", 6, 0), ("5", 6, 0), ("6", 2, 0)] == shape(found)
    assert sum((one.moves for one in pages), ()) == sum((one.moves for one in found), ())


def test_a_full_page_does_not_wait_for_the_next() -> None:
    """It may take long to come, and until then nobody would see anything."""
    pages = iter([page("1", "a", "b"), page("2", "c")])

    assert "1" == next(in_fewer(pages, most=2)).cursor
    assert ["2"] == [one.cursor for one in pages]


def test_a_deal_that_comes_twice_is_saved_twice() -> None:
    """The moves of a deal replace what was known of it; put together, old and new ones would mix."""
    pages = [page("1", "a", "b"), page("2", "b", "c")]

    assert [("1", 2, 0), ("2", 2, 0)] == shape(in_fewer(iter(pages)))


def test_tombstones_stay_where_they_came() -> None:
    """A deal that is deleted and restored is there again only if the later page is saved later."""
    pages = [page("1", "a"), page("2", gone=("b",)), page("3", "b"), page("4", "c")]

    assert [("1", 1, 0), ("2", 0, 1), ("4", 2, 0)] == shape(in_fewer(iter(pages)))


def test_what_was_read_before_an_error_is_kept() -> None:
    """The next pull goes on from there."""

    def breaking() -> Iterator[Page]:
        yield page("1", "a")
        raise RetryLaterError("out of reach")

    found = in_fewer(breaking())

    assert "1" == next(found).cursor
    with pytest.raises(RetryLaterError):
        next(found)


def test_the_last_page_is_given_though_it_is_empty() -> None:
    """It carries the cursor from which the next pull begins."""
    assert [("2", 1, 0)] == shape(in_fewer(iter([page("1", "a"), page("2")])))
