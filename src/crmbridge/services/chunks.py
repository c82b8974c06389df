"""Cut what may be very much into parts that are handled at once, so that memory does not grow with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

CHUNK = 500  # records that are looked at together; what a sync holds in memory does not grow with the CRMs


def chunks(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Cut items in parts of a size that is handled at once."""
    rest = iter(items)
    while part := list(islice(rest, size)):
        yield part
