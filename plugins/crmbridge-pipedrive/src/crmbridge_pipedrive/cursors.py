"""Where a pull of Pipedrive continues: a small JSON document that the state keeps as opaque text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from crmbridge.model.values import iso
from crmbridge_pipedrive.api import is_id
from crmbridge_pipedrive.values import moment

OVERLAP = timedelta(minutes=2)  # read again on top, in case a list shows an edit late
REMEMBERED = 2000  # how many fingerprints are kept of what was delivered within the overlap
LOST = 5000  # how many lost deals are kept in mind, newest ids first


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """How far a pull came.

    A walk reads what was updated since `since` (None: everything) in the order of the ids. While it lasts, `page` is
    Pipedrive's own marker of the page to read and `after` the last id delivered. `next` is the newest change
    there was before the walk began; the next walk starts from it. `seen` has the fingerprints of rows delivered that
    the overlap will bring again, `lost` the deals that were lost when they were last delivered.
    """

    since: datetime | None = None
    next: datetime | None = None
    page: str | None = None
    after: int | None = None
    seen: Mapping[str, str] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()

    @property
    def asked_since(self) -> datetime | None:
        """Give the time to ask for, overlap included."""
        return self.since - OVERLAP if self.since else None

    def is_fresh(self, row_id: int, print_: str) -> bool:
        """Tell whether a row was not delivered before, exactly as it is now."""
        return self.seen.get(str(row_id)) != print_

    def finished(self) -> Cursor:
        """Give the cursor after the last page: the next walk starts where this one began."""
        return replace(self, since=self.next or self.since, next=None, page=None, after=None)

    def text(self) -> str:
        """Write the cursor for the state."""
        body: dict[str, Any] = {
            "since": iso(self.since) if self.since else None,
            "next": iso(self.next) if self.next else None,
            "page": self.page,
            "after": self.after,
            "seen": dict(list(self.seen.items())[-REMEMBERED:]),
            "lost": sorted(self.lost, reverse=True)[:LOST],
        }
        return json.dumps({name: value for name, value in body.items() if value}, separators=(",", ":"))


def read_cursor(text: str | None) -> Cursor:
    """Read a cursor from the state; what is not one starts a full walk, which repeats and loses nothing."""
    try:
        body = json.loads(text) if text else {}
    except ValueError:
        return Cursor()
    if not isinstance(body, dict):
        return Cursor()
    seen, lost = body.get("seen"), body.get("lost")
    return Cursor(
        since=moment(body.get("since")),
        next=moment(body.get("next")),
        page=body["page"] if isinstance(body.get("page"), str) else None,
        after=body["after"] if is_id(body.get("after")) else None,
        seen={str(name): str(value) for name, value in seen.items()} if isinstance(seen, dict) else {},
        lost=frozenset(item for item in lost if is_id(item)) if isinstance(lost, list) else frozenset(),
    )
