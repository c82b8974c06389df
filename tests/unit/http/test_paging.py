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
