"""What the sandbox keeps: records with their history, tables of them in the order of their ids, and owners."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from msgspec import Struct, field

from crmbridge_hubspot.sandbox.account import ObjectType


class Source(NamedTuple):
    """Who changed a property, as the history tells it."""

    type: str = "API"
    user: str | None = None


BY_API = Source()


class Version(NamedTuple):
    """One entry of a property's history."""

    value: str
    at: datetime
    source: Source


class CrmObject(Struct, eq=False):
    """One record. `properties` holds what is filled in, as text; `history` is oldest first."""

    id: str
    kind: ObjectType
    created_at: datetime
    modified_at: datetime
    properties: dict[str, str] = field(default_factory=dict)
    history: dict[str, list[Version]] = field(default_factory=dict)
    archived_at: datetime | None = None
    edited_by: str | None = None  # the user id of whoever changed a property last; None: no person

    def put(self, name: str, value: str, at: datetime, source: Source) -> None:
        """Set a property and note it in the history."""
        self.edited_by = source.user
        if value:
            self.properties[name] = value
        else:
            self.properties.pop(name, None)
        if name in self.history:
            self.history[name].append(Version(value, at, source))
        else:
            self.history[name] = [Version(value, at, source)]

    def put_all(self, values: Mapping[str, str], at: datetime, source: Source) -> None:
        """Set properties at once, and note each in the history."""
        for name, value in values.items():
            self.put(name, value, at, source)

    def kept(self) -> Callable[[], None]:
        """Give what puts the record back as it is now."""
        history = {name: list(versions) for name, versions in self.history.items()}
        before = (self.modified_at, self.archived_at, dict(self.properties), history, self.edited_by)

        def put_back() -> None:
            self.modified_at, self.archived_at, self.properties, self.history, self.edited_by = before

        return put_back


class Table(dict[str, CrmObject]):
    """The records of one object type by id, and in the order of their ids without sorting at every request."""

    def __init__(self) -> None:
        super().__init__()
        self._order: list[CrmObject] = []

    def __setitem__(self, record_id: str, record: CrmObject) -> None:
        """Add a record; whoever had the id before is forgotten."""
        super().__setitem__(record_id, record)
        if not self._order or int(record_id) > _number(self._order[-1]):  # nearly always
            self._order.append(record)
            return
        place = bisect_left(self._order, int(record_id), key=_number)
        if [each.id for each in self._order[place : place + 1]] == [record_id]:
            self._order[place] = record
        else:
            self._order.insert(place, record)

    def between(self, low: int | None, high: int | None) -> list[CrmObject]:
        """Give the records whose ids are within bounds, both included."""
        start = 0 if low is None else bisect_left(self._order, low, key=_number)
        end = len(self._order) if high is None else bisect_right(self._order, high, key=_number)
        return [record for record in self._order[start:end] if record.id in self]

    def from_number(self, first: int, *, archived: bool) -> Iterator[CrmObject]:
        """Give the records from an id on, either those in the recycle bin or the others."""
        place = bisect_left(self._order, first, key=_number) if first else 0
        there = islice(self._order, place, None)
        wanted = (record for record in there if (record.archived_at is not None) is archived)
        return (record for record in wanted if record.id in self)  # one that was merged away is still in the order


def _number(record: CrmObject) -> int:
    return int(record.id)


class Undo:
    """What a batch did so far, so that all of it can be taken back."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], None]] | None = None

    @property
    def is_on(self) -> bool:
        """Tell whether a batch may have to be undone."""
        return self._steps is not None

    def note(self, step: Callable[[], Callable[[], None]]) -> None:
        """Remember how to take back what comes next; `step` is only asked while a batch may have to be undone."""
        if self._steps is not None:
            self._steps.append(step())

    @contextmanager
    def unless_whole(self, *, may_fail: bool) -> Iterator[None]:
        """Take back all that is done in this block when it raises; a batch of which some `may_fail` keeps the rest."""
        self._steps = None if may_fail else []
        try:
            yield
        except Exception:
            for step in reversed(self._steps or []):
                step()
            raise
        finally:
            self._steps = None


class Owner(NamedTuple):
    """Somebody who can own records. `user_id` is another number than `id`."""

    id: str
    user_id: int
    email: str
    first_name: str
    last_name: str
    created_at: datetime
    archived: bool = False
