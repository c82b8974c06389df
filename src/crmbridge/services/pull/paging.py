"""Put pages together that are saved at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from crmbridge.errors import CrmbridgeError
from crmbridge.model.records import Ref
from crmbridge.ports import Page

MOST_AT_ONCE = 500  # records saved in one transaction


def in_fewer(pages: Iterator[Page], most: int = MOST_AT_ONCE) -> Iterator[Page]:
    """Put pages together until they hold about `most` records, since each one saved waits for the disk.

    What was found before an error is given before the error. Pages that say something of one record twice, and ones
    with tombstones, stay apart: there the order counts.
    """
    held: list[Page] = []
    seen: set[Ref] = set()
    try:
        for page in pages:
            refs = {record.ref for record in page.records}
            if held and (page.tombstones or seen & refs or len(seen) + len(refs) > most):
                yield _together(held)
                held, seen = [], set()
            held.append(page)
            seen |= refs
            if page.tombstones or len(seen) >= most:  # a full one need not wait for the next
                yield _together(held)
                held, seen = [], set()
    except CrmbridgeError:
        if held:
            yield _together(held)
        raise
    if held:
        yield _together(held)


def _together(pages: Sequence[Page]) -> Page:
    return Page(
        records=tuple(record for page in pages for record in page.records),
        moves=tuple(move for page in pages for move in page.moves),
        tombstones=tuple(tombstone for page in pages for tombstone in page.tombstones),
        cursor=pages[-1].cursor,
        total=pages[-1].total,
    )
