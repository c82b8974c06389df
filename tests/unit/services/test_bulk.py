"""Bulk work: the collector rests, and is as it was afterwards."""

from __future__ import annotations

import weakref

from crmbridge.services.bulk import made_for_bulk


class _Litter:
    """What refers to itself, so that the collector alone frees it."""

    def __init__(self) -> None:
        self.me = self


def test_a_process_that_works_in_bulk_again_and_again_does_not_grow() -> None:
    """What was in use when bulk work began is still looked at afterwards, and freed once nobody needs it."""
    left = weakref.WeakSet[_Litter]()
    for _ in range(300):
        left.add(_Litter())
        with made_for_bulk():
            pass
        list(map(list, [()] * 3000))  # so much that the collector would have come by

    assert len(left) < 200
