"""Walking a paged list: written once, so that every adapter stops where the CRM stops and never loops."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from crmbridge.errors import RetryLaterError
from crmbridge.revealed import strike

MOST_EMPTY = 1_000  # pages
ADVICE = "Try again later; if it happens again, report it to the CRM's support."


def pages(
    fetch: Callable[[str | None], tuple[list[Any], str | None]], *, start: str | None = None
) -> Iterator[tuple[list[Any], str | None]]:
    """Yield each page's items with the token of the next page, until a page names no next one.

    `fetch` is given a page token (None for the first page) and gives the items and the next token. A short or empty
    page ends nothing as long as it names a next one. A token seen before raises RetryLaterError: the CRM sends
    us round in a circle. So do very many empty pages in a row: there is no end.
    """
    token = start
    seen: set[str] = set()
    empty = 0
    while True:
        items, following = fetch(token)
        empty = 0 if items else empty + 1
        yield items, following
        if following is None:
            return
        if empty == MOST_EMPTY:
            raise RetryLaterError(
                f"The CRM sent {empty} empty pages in a row, and names a next one again", advice=ADVICE
            )
        if following in seen:
            raise RetryLaterError(
                f"The CRM sent the page token {strike(following)[:40]!r} twice in one walk",
                advice=ADVICE,
            )
        seen.add(following)
        token = following
