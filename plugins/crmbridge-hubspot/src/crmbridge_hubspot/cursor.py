"""Where a pull continues: what was delivered, in HubSpot's own time, and what of it must not come again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any, Literal

from msgspec import Struct, field

from crmbridge.errors import ConfigurationError
from crmbridge.model.replacing import replace
from crmbridge_hubspot.slices import Span

OVERLAP = timedelta(minutes=5)  # how late HubSpot's search index may be; "a few moments" is all it promises
OVERLAP_MS = OVERLAP // timedelta(milliseconds=1)
SLACK_MS = 60_000  # clocks that differ by less, from one pull to the next, are taken for steady
MOST_BINNED = 1_000  # beyond it, none is remembered
MOST_SEEN = 2_000  # beyond it, some records come twice, which is harmless
Way = Literal["", "list", "search", "pages"]


class Walk(Struct, frozen=True, kw_only=True):
    """A walk through all records of an object type, as far as it has come.

    By `list` and by `search` the ids in `left` are still to read; by `pages`, the list is read page after page, and
    `after` is the token of the next one. `counted` records were delivered of the `total` there were at the beginning.
    """

    by: Way = ""  # no walk is under way
    left: tuple[Span, ...] = ()
    after: str | None = None
    counted: int = 0
    total: int = 0


class Cursor(Struct, frozen=True, kw_only=True):
    """All times are HubSpot's modification times in epoch milliseconds: no other clock decides what is new.

    `at` is the newest time up to which everything was delivered; `seen` the records delivered with a time within the
    overlap before it. `reached` is when, by our clock, a pull had come to its end with this `at`; one that begins an
    overlap later sees all that the index was late with, and what is not newer than `settled` is not asked for again.
    Else a nightly bulk edit would be read again in each pull until somebody edits something in the morning.

    `apart` is how far our clock was ahead of HubSpot's when that was last heard, in milliseconds; None: it did not say.
    It tells when either of them was put to another time.

    `gone` is the newest deletion delivered; the list of deletions had `gone_pages` when it was read at `gone_read`, by
    our clock, and held the ids in `bin`; one that is not there the next time was restored, or is gone for good.
    """

    walk: Walk = Walk()
    at: int | None = None
    seen: Mapping[str, int] = field(default_factory=dict)
    reached: int = 0  # 0: not yet
    settled: int = 0
    apart: int | None = None
    gone: int | None = None
    gone_read: int = 0
    gone_pages: int = 0
    bin: tuple[str, ...] = ()

    @property
    def since(self) -> int:
        """From when on changes are asked for again, because the index may have been late."""
        return max(0, (self.at or 0) - OVERLAP_MS, self.settled + 1 if self.settled else 0)

    def has(self, record_id: str, stamp: int) -> bool:
        """Tell whether a record was delivered as it is."""
        return self.seen.get(record_id) == stamp

    def delivered(self, records: Iterable[tuple[str, int]], upto: int) -> Cursor:
        """Advance over records delivered up to a time."""
        at = max(upto, self.at or 0)
        reached = self.reached if at == self.at else 0
        seen = {**self.seen, **dict(records)}
        recent = sorted((stamp, each) for each, stamp in seen.items() if stamp >= at - OVERLAP_MS)
        return replace(self, at=at, reached=reached, seen={each: stamp for stamp, each in recent[-MOST_SEEN:]})

    def not_ahead(self, theirs: int | None) -> Cursor:
        """Give one that is not ahead of HubSpot's own time, where that is known: it may have been put back.

        What is edited from now on has times after that one, not after the newest that there is.
        """
        if theirs is None or self.at is None or self.at <= theirs + SLACK_MS:
            return self
        return replace(self, at=theirs, reached=0, settled=0)

    def put_back(self, apart: int | None) -> int:
        """Tell how far HubSpot's clock was put back since the last pull, in milliseconds, or ours forward."""
        changed = 0 if apart is None or self.apart is None else apart - self.apart
        return changed if changed > SLACK_MS else 0

    def rested(self, before: Cursor, begun: int, ended: int, apart: int | None) -> Cursor:
        """Note that a pull from `before` has come to its end; it began and ended at these times of our clock.

        Only the time between two pulls counts, so it does not matter whether our clock is right. Where one of the
        clocks was put to another time in between, nobody knows how long that was.
        """
        now = self if apart is None else replace(self, apart=apart)
        if before.at != self.at or not 0 < before.reached <= begun or before.put_back(apart):
            return replace(now, reached=ended)
        if begun < before.reached + OVERLAP_MS:
            return replace(now, reached=before.reached)
        return replace(now, reached=before.reached, settled=self.at or 0, seen={})

    def as_json(self) -> dict[str, Any]:
        """Give it as JSON, without what is empty."""
        data: dict[str, Any] = {
            "at": self.at,
            "seen": [f"{each}:{stamp}" for each, stamp in self.seen.items()],
            "reached": self.reached,
            "settled": self.settled,
            "gone": self.gone,
            "gone_read": self.gone_read,
            "gone_pages": self.gone_pages,
            "bin": list(self.bin),
            **{name: getattr(self.walk, name) for name in ("by", "left", "after", "counted", "total")},
        }
        apart = {} if self.apart is None else {"apart": self.apart}
        return {name: value for name, value in data.items() if value} | apart

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Cursor:
        """Read what `as_json` gave, of this version or the first; raises what bad data may raise."""
        pairs = (each.rsplit(":", 1) for each in data.get("seen", ()))
        old = data.get("walk")  # the first version: a page token
        walk = Walk(
            by=data.get("by", "pages" if old else ""),
            left=tuple(Span(start, end) for start, end in data.get("left", ())),
            after=data.get("after", old),
            counted=data.get("counted", 0),
            total=data.get("total", 0),
        )
        return cls(
            walk=walk,
            at=data.get("at"),
            seen={record_id: int(stamp) for record_id, stamp in pairs},
            reached=data.get("reached", 0),
            settled=data.get("settled", 0),
            apart=data.get("apart"),
            gone=data.get("gone"),
            gone_read=data.get("gone_read", 0),
            gone_pages=data.get("gone_pages", 0),
            bin=tuple(map(str, data.get("bin", ()))),
        )


def write_cursors(cursors: Mapping[str, Cursor], *, alone: bool) -> str:
    """Write the cursors of a kind's object types as the text that is stored."""
    parts = {name: cursor.as_json() for name, cursor in cursors.items()}
    data = {"v": 1, **next(iter(parts.values()))} if alone else {"v": 2, "types": parts}
    return json.dumps(data, separators=(",", ":"))


def read_cursors(text: str, names: Iterable[str]) -> dict[str, Cursor]:
    """Read what `write_cursors` wrote; raises ConfigurationError for anything else."""
    try:
        data = json.loads(text)
        parts = data["types"] if data.get("v") == 2 else {next(iter(names)): data}
        return {name: Cursor.from_json(part) for name, part in parts.items()}
    except (ValueError, AttributeError, TypeError, KeyError) as error:
        raise ConfigurationError(
            f"The stored HubSpot cursor can't be read: {text[:60]!r}",
            advice="Pull everything again: the cursor belongs to another adapter or a newer version.",
        ) from error
