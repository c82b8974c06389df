"""Where a pull of Pipedrive continues: a small JSON document that the state keeps as opaque text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct, field

from crmbridge.adapting import put_back
from crmbridge.model.replacing import replace
from crmbridge.model.values import iso
from crmbridge_pipedrive.api import Heard, Row, is_id
from crmbridge_pipedrive.values import moment

OVERLAP = timedelta(minutes=2)  # read again on top, in case a list shows an edit late
REMEMBERED = 2000  # how many fingerprints are kept of what was delivered within the overlap
LOST = 5000  # how many deals that were lost are kept in mind, and that were gone, newest ids first


class Part(Struct, frozen=True, kw_only=True):
    """One part of a list, read in the order of the ids: what was updated from `since` on and before `until`.

    `page` is Pipedrive's own marker of the page to read next and `after` the last id delivered; ids from `before` on
    were delivered by a reader that came from the other end.
    """

    since: datetime | None = None
    until: datetime | None = None
    page: str | None = None
    after: int | None = None
    before: int | None = None
    done: bool = False

    def data(self) -> dict[str, Any]:
        """Give what there is to say of it as plain JSON."""
        said = {
            "since": iso(self.since) if self.since else None,
            "until": iso(self.until) if self.until else None,
            "page": self.page,
            "after": self.after,
            "before": self.before,
            "done": self.done,
        }
        return {name: value for name, value in said.items() if value}


class Cursor(Struct, frozen=True, kw_only=True):
    """How far a pull came.

    A walk reads what was updated since `since` (None: everything), in `parts`. While it lasts, `next` is the newest
    change there was before it began; the next walk starts from it. `owed` are deals that were sampled before the
    list was cut in parts and have not come yet. `seen` has the fingerprints of rows delivered that the overlap will
    bring again, `lost` the deals that were lost when they were last delivered, `gone` those that were gone. `backlog`
    is how far the moves of deals that moved before the first pull are read, where that was put off. `apart` is how many
    seconds our clock was ahead of Pipedrive's when the walk began; None: Pipedrive did not say.
    """

    since: datetime | None = None
    next: datetime | None = None
    parts: tuple[Part, ...] = ()
    owed: frozenset[int] = frozenset()
    seen: Mapping[str, str] = field(default_factory=dict)
    lost: frozenset[int] = frozenset()
    gone: frozenset[int] = frozenset()
    backlog: Part | None = None
    puts_off: bool = False  # this walk puts moves off
    apart: int | None = None

    @property
    def asked_since(self) -> datetime | None:
        """Give the time to ask for, overlap included."""
        return self.since - OVERLAP if self.since else None

    def caught_up(self, heard: Heard | None) -> Cursor:
        """Give one that reaches further back, where Pipedrive's clock was put back since, or ours forward.

        What is new may have older times then. Whoever has asked with this one asks again with another one.
        """
        back = put_back(self.apart, None if heard is None else heard.apart)
        return replace(self, since=self.since - back) if back and self.since else self

    def begun(self, rows: Iterable[Row], heard: Heard | None) -> Cursor:
        """Note where the next walk starts: at the newest change, by Pipedrive's own times, and not in its future."""
        stamps = [at for row in rows if (at := moment(row.get("update_time"))) is not None]
        newest = max(stamps, default=self.since)
        if heard is None:
            return replace(self, next=newest)
        return replace(self, next=newest and min(newest, heard.at), apart=heard.apart)

    def is_fresh(self, row_id: int, print_: str) -> bool:
        """Tell whether a row was not delivered before, exactly as it is now."""
        return self.seen.get(str(row_id)) != print_

    def with_part(self, number: int, part: Part) -> Cursor:
        """Give the cursor after one of its parts went on."""
        return replace(self, parts=(*self.parts[:number], part, *self.parts[number + 1 :]))

    def finished(self) -> Cursor:
        """Give the cursor after the last page: the next walk starts where this one began."""
        return replace(self, since=self.next or self.since, next=None, parts=(), owed=frozenset(), puts_off=False)

    def text(self) -> str:
        """Write the cursor for the state."""
        body: dict[str, Any] = {
            "since": iso(self.since) if self.since else None,
            "next": iso(self.next) if self.next else None,
            "parts": [part.data() for part in self.parts],
            "owed": sorted(self.owed),
            "seen": dict(list(self.seen.items())[-REMEMBERED:]),
            "lost": sorted(self.lost, reverse=True)[:LOST],
            "gone": sorted(self.gone, reverse=True)[:LOST],
            "puts_off": self.puts_off,
            "apart": self.apart,
            "backlog": None if self.backlog is None else self.backlog.data() or {"done": False},
        }
        said = {name: value for name, value in body.items() if value or (name == "apart" and value is not None)}
        return json.dumps(said, separators=(",", ":"))


def read_cursor(text: str | None) -> Cursor:
    """Read a cursor from the state; what is not one starts a full walk, which repeats and loses nothing."""
    try:
        body = json.loads(text) if text else {}
    except ValueError:
        return Cursor()
    if not isinstance(body, dict):
        return Cursor()
    seen, parts, backlog = body.get("seen"), body.get("parts"), body.get("backlog")
    return Cursor(
        since=moment(body.get("since")),
        next=moment(body.get("next")),
        parts=tuple(_part(part) for part in parts) if isinstance(parts, list) else (),
        owed=_ids(body.get("owed")),
        seen={str(name): str(value) for name, value in seen.items()} if isinstance(seen, dict) else {},
        lost=_ids(body.get("lost")),
        gone=_ids(body.get("gone")),
        backlog=_part(backlog) if isinstance(backlog, dict) else None,
        puts_off=body.get("puts_off") is True,
        apart=body["apart"] if is_id(body.get("apart")) else None,
    )


def _part(said: Any) -> Part:
    body = said if isinstance(said, dict) else {}
    return Part(
        since=moment(body.get("since")),
        until=moment(body.get("until")),
        page=body["page"] if isinstance(body.get("page"), str) else None,
        after=body["after"] if is_id(body.get("after")) else None,
        before=body["before"] if is_id(body.get("before")) else None,
        done=body.get("done") is True,
    )


def _ids(said: Any) -> frozenset[int]:
    return frozenset(item for item in said if is_id(item)) if isinstance(said, list) else frozenset()
