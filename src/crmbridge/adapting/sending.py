"""Sending one by one what can't go together, for as long as there is a use in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from crmbridge.errors import CrmbridgeError

Item = TypeVar("Item")
Answer = TypeVar("Answer")


def one_by_one(items: Iterable[Item], send: Callable[[Item], Answer]) -> Iterator[tuple[Item, Answer | CrmbridgeError]]:
    """Send items one by one, and give what each was answered, or the error because of which it was not sent.

    Nothing is sent after the first error that `send` raises: a limit, a credential that was revoked or a host that is
    out of reach is there for the next one as well. What concerns one item only is for `send` to catch.
    """
    stopped: CrmbridgeError | None = None
    for item in items:
        if stopped is None:
            try:
                answer = send(item)
            except CrmbridgeError as error:
                stopped = error
            else:
                yield item, answer
                continue
        yield item, stopped
