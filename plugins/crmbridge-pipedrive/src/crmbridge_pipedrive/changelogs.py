"""The changelogs of deals as they were read, so that what a pull has paid for is not paid for twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import MutableMapping, Sequence
from datetime import datetime
from typing import NamedTuple

from crmbridge_pipedrive.api import Api, Row
from crmbridge_pipedrive.values import moment

MOST_KEPT = 200  # deals: of those that moved since the last pull, the ones that were read last
HASH = 40  # characters of the code of a custom field
CUSTOM_SEEN = "changelog tells of custom fields"  # in the connection's memory, once it was seen


class _Kept(NamedTuple):
    of: datetime | None  # the deal's time of change when it was read
    rows: Sequence[Row]


class ChangeLogs:
    """Reads changelogs, twenty tokens each, and keeps the last ones. Thread-safe."""

    def __init__(self, api: Api, memory: MutableMapping[str, str]) -> None:
        self._api = api
        self._memory = memory
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, _Kept] = OrderedDict()

    def read(self, deal: int, changed: datetime | None) -> Sequence[Row]:
        """Read a deal's changelog anew, newest row first, and keep it for the deal as it was last changed."""
        rows = list(self._api.rows("changelog", id_=deal))
        tells = any(len(str(row.get("field_key"))) == HASH for row in rows)
        with self._lock:
            if tells and CUSTOM_SEEN not in self._memory:
                self._memory[CUSTOM_SEEN] = "yes"
            self._kept[deal] = _Kept(changed, rows)
            self._kept.move_to_end(deal)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return rows

    def kept(self, deal: int, changed: datetime) -> Sequence[Row] | None:
        """Give the changelog of a deal that was last changed at a time, if it was read since; None where it was not."""
        with self._lock:
            found = self._kept.get(deal)
        return found.rows if found is not None and found.of == changed else None

    @property
    def tells_custom(self) -> bool:
        """Tell whether the changelog was ever seen to tell of a custom field, which is not documented."""
        return CUSTOM_SEEN in self._memory


def changed_at(row: Row) -> datetime | None:
    """Give the time of change of a deal's row."""
    return moment(row.get("update_time")) or moment(row.get("add_time"))
