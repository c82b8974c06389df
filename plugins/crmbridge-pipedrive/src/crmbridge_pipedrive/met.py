"""What a walk met, as the next one has to know."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from crmbridge.model.replacing import replace
from crmbridge_pipedrive.api import Row
from crmbridge_pipedrive.cursors import LOST, OVERLAP, Cursor, Part
from crmbridge_pipedrive.values import query_time


class Met:
    """What a walk met, so that the overlap with the next walk brings only what is new."""

    def __init__(self, cursor: Cursor) -> None:
        self._before = cursor
        self._keep_ids = cursor.since is not None
        self._from = query_time(cursor.next - OVERLAP) if cursor.next else ""
        self._prints: dict[str, str] = {}
        self._pending: dict[str, str] = {}
        self.ids: set[int] = set()
        self._lost, self._gone = set(cursor.lost), set(cursor.gone)

    @property
    def lost(self) -> set[int]:
        """Give the deals that were lost when they were last delivered, the newest of them."""
        self._lost = _newest(self._lost)
        return self._lost

    @property
    def gone(self) -> set[int]:
        """Give the deals that were gone when they were last told of, the newest of them."""
        self._gone = _newest(self._gone)
        return self._gone

    def is_fresh(self, row: Row, print_: Callable[[Row], str], *, always: bool = False) -> bool:
        """Tell whether a row was not delivered before, as it is now or was later, by this walk or the one before.

        Kept in mind is what the next walk will see again: what changed last, and with `always` this one in any case.
        Fingerprints are only made where they count.
        """
        number, updated = row["id"], row.get("update_time")
        if self._keep_ids:
            self.ids.add(number)
        keep = always or not isinstance(updated, str) or updated.replace(" ", "T") >= self._from
        if not keep and (not self._before.seen or str(number) not in self._before.seen):
            return True
        made = print_(row)
        if keep:
            self._pending[str(number)] = made
        return self._before.is_fresh(number, made) and self._prints.get(str(number)) != made

    def take(self, ids: Iterable[int]) -> None:
        """Note that rows are delivered: only then may their fingerprints stand in a cursor."""
        for number in map(str, ids if self._pending else ()):
            made = self._pending.pop(number, None)
            if made is not None:
                self._prints[number] = made

    def midway(self, cursor: Cursor) -> str:
        """Write the cursor of a page in the middle of the walk."""
        seen = {**self._before.seen, **self._prints}
        return replace(cursor, seen=seen, lost=frozenset(self.lost), gone=frozenset(self.gone)).text()

    def finished(self, backlog: Part | None = None) -> str:
        """Write the cursor of the walk's last page."""
        seen = {**self._prints, **self._pending}  # what is pending now was delivered before, just as it is
        done = replace(self._before.finished(), lost=frozenset(self.lost), gone=frozenset(self.gone))
        return replace(done, seen=seen, backlog=backlog).text()


def _newest(ids: set[int]) -> set[int]:
    return ids if len(ids) <= 2 * LOST else set(sorted(ids, reverse=True)[:LOST])
