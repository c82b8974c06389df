"""Where a walk through an org stands, as it is kept in the state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from crmbridge.errors import ConfigurationError
from crmbridge.model.replacing import replace
from crmbridge.model.values import iso, parse_iso

_TIMES = ("at", "floor", "gone")
_TEXTS = ("id", "job", "locator", "history", "roles", "tracked")
_FLAGS = ("whole", "second")


class Cursor(Struct, frozen=True, kw_only=True):
    """Where a walk stands. With an id it is under way, after that row; without, `at` is when the last one began.

    `floor` is when the walk under way began, `gone` when the one before it did: deletions and moves are owed since
    then. `whole` says that this is a first walk, which reads everything, and `second` that it comes right after one.
    `job` is the bulk job that the walk reads and `locator` its next part; `history`, `roles` and `tracked` are the jobs
    beside it. `apart` is how many seconds our clock was ahead of the org's when the walk began, if the org said its
    time.
    """

    at: datetime | None = None
    id: str = ""
    floor: datetime | None = None
    gone: datetime | None = None
    job: str = ""
    locator: str = ""
    history: str = ""
    roles: str = ""
    tracked: str = ""
    whole: bool = False
    second: bool = False
    apart: int | None = None

    @property
    def without_job(self) -> Cursor:
        """The same place, for a walk that goes page by page."""
        return replace(self, job="", locator="", history="", roles="", tracked="")

    @property
    def at_end(self) -> Cursor:
        """The place where this walk has come to the end of its rows, and still owes what else there is."""
        return replace(self.without_job, at=self.floor, id="")

    @property
    def finished(self) -> Cursor:
        """Where the next walk begins, once this one has come to its end."""
        return Cursor(at=self.floor, second=self.whole, apart=self.apart)

    def further_back(self, by: timedelta) -> Cursor:
        """Give one that reaches further back, unless a walk is under way."""
        return self if self.id or self.at is None else replace(self, at=self.at - by, gone=(self.gone or self.at) - by)

    @classmethod
    def parse(cls, written: str | None) -> Cursor:
        """Read what `dump` wrote; raises ConfigurationError for anything else."""
        if written is None:
            return cls()
        try:
            data = json.loads(written)
            found: dict[str, Any] = {name: parse_iso(data[name]) for name in _TIMES if data.get(name)}
            found |= {name: str(data[name]) for name in _TEXTS if data.get(name)}
            apart = data.get("apart")
            found |= {name: data.get(name) is True for name in _FLAGS}
            return cls(apart=None if apart is None else int(apart), **found)
        except (ValueError, TypeError, AttributeError) as error:
            raise unreadable(written) from error

    def dump(self) -> str:
        """Write it for the state."""
        times = {name: iso(value) for name in _TIMES if (value := getattr(self, name))}
        texts = {name: value for name in _TEXTS if (value := getattr(self, name))}
        flags = {name: True for name in _FLAGS if getattr(self, name)}
        apart = {} if self.apart is None else {"apart": self.apart}
        return json.dumps({**times, **texts, **flags, **apart}, separators=(",", ":"))


def parse_several(written: str | None) -> dict[str, str]:
    """Read the cursors of a kind that lies in several objects; raises ConfigurationError for anything else."""
    if written is None:
        return {}
    try:
        data = json.loads(written)["of"]
        return {str(name): str(cursor) for name, cursor in data.items()}
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise unreadable(written) from error


def dump_several(cursors: Mapping[str, str]) -> str:
    """Write the cursors of a kind that lies in several objects."""
    return json.dumps({"of": dict(cursors)}, separators=(",", ":"))


def unreadable(written: str) -> ConfigurationError:
    """Make the error for a state that was mixed up."""
    return ConfigurationError(
        f"The state holds a Salesforce cursor that can't be read: {written[:60]!r}",
        advice="Pull this connection again from the beginning.",
    )
