"""Walking pages: until there is no next one, and never in a circle."""

from __future__ import annotations

import itertools

import pytest

from crmbridge.errors import RetryLaterError
from crmbridge.http import pages


def test_short_and_empty_pages_end_nothing() -> None:
    """A page that names a next one is followed, however little is on it."""
    book: dict[str | None, tuple[list[int], str | None]] = {None: ([1, 2], "a"), "a": ([], "b"), "b": ([3], None)}

    assert [1, 2, 3] == [item for items, _ in pages(book.__getitem__) for item in items]


def test_a_walk_starts_where_it_is_told() -> None:
    """A resumed walk asks for the page that it stopped at."""
    asked: list[str | None] = []
    list(pages(lambda token: (asked.append(token) or [], None), start="k"))

    assert ["k"] == asked


@pytest.mark.parametrize("tokens", [["a", "a"], ["a", "b", "a"], ["a", "b", "c", "b"]])
def test_a_circle_is_an_error(tokens: list[str]) -> None:
    """Any token that comes a second time, not only twice in a row."""
    circle = itertools.chain(tokens, itertools.repeat("never"))

    with pytest.raises(RetryLaterError):
        list(pages(lambda _: ([], next(circle))))


def test_empty_pages_without_end_are_an_error() -> None:
    """Each names another next one, so it is no circle. Many in a row are fine where something comes in between."""
    count = itertools.count(1)
    with pytest.raises(RetryLaterError, match="empty pages"):
        list(pages(lambda _: ([], str(next(count)))))
    sparse = [([], str(n)) if n % 900 else ([n], str(n)) for n in range(1, 3_000)]
    book = iter([*sparse, ([], None)])

    assert [900, 1800, 2700] == [item for items, _ in pages(lambda _: next(book)) for item in items]
