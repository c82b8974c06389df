"""Where a pull continues: what was delivered, in HubSpot's own time, and what of it must not come again."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from crmbridge.errors import ConfigurationError

OVERLAP = timedelta(minutes=5)  # how late HubSpot's search index may be; "a few moments" is all it promises
OVERLAP_MS = OVERLAP // timedelta(milliseconds=1)
MOST_SEEN = 2_000  # beyond it, some records come twice, which is harmless


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """All times are HubSpot's modification times in epoch milliseconds: no other clock decides what is new.

    `walk` is where a walk through all records continues, None when it is done. `at` is the newest time up to which
    everything was delivered; `seen` the records delivered with a time within the overlap before it. `gone` is the
    newest deletion delivered.
    """

    walk: str | None = None
    at: int | None = None
    seen: Mapping[str, int] = field(default_factory=dict)
    gone: int | None = None

    @property
    def since(self) -> int:
        """From when on changes are asked for again, because the index may have been late."""
        return max(0, (self.at or 0) - OVERLAP_MS)

    def has(self, record_id: str, stamp: int) -> bool:
        """Tell whether a record was delivered as it is."""
        return self.seen.get(record_id) == stamp

    def delivered(self, records: Iterable[tuple[str, int]], upto: int) -> Cursor:
        """Advance over records delivered up to a time."""
        at = max(upto, self.at or 0)
        seen = {**self.seen, **dict(records)}
        recent = sorted((stamp, each) for each, stamp in seen.items() if stamp >= at - OVERLAP_MS)
        return replace(self, at=at, seen={each: stamp for stamp, each in recent[-MOST_SEEN:]})

    def write(self) -> str:
        """Write it as the text that is stored."""
        seen = [f"{each}:{stamp}" for each, stamp in self.seen.items()]
        data = {"v": 1, "walk": self.walk, "at": self.at, "seen": seen, "gone": self.gone}
        return json.dumps({name: value for name, value in data.items() if value}, separators=(",", ":"))

    @classmethod
    def read(cls, text: str) -> Cursor:
        """Read what `write` wrote; raises ConfigurationError for anything else."""
        try:
            data = json.loads(text)
            pairs = (each.rsplit(":", 1) for each in data.get("seen", ()))
            seen = {record_id: int(stamp) for record_id, stamp in pairs}
            return cls(walk=data.get("walk"), at=data.get("at"), seen=seen, gone=data.get("gone"))
        except (ValueError, AttributeError, TypeError) as error:
            raise ConfigurationError(
                f"The stored HubSpot cursor can't be read: {text[:60]!r}",
                advice="Pull everything again: the cursor belongs to another adapter or a newer version.",
            ) from error
