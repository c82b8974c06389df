"""The rows of the sandbox's org: kept, found and stamped, without any rules."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from crmbridge.ports import Clock
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.sandbox.answers import ApiError, not_found
from crmbridge_salesforce.sandbox.objects import Object
from crmbridge_salesforce.sandbox.storage import Storage, Values

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEPT = timedelta(days=15)  # how long the recycle bin holds a row
LAG = timedelta(seconds=20)  # how long a transaction of the fault `lag` stays open
Undo = list[tuple[str, str, Values | None]]  # object, id, and the row that was there before


class Serials:
    """Numbers rows and writes the numbers as ids; objects that share a prefix share the numbers."""

    def __init__(self) -> None:
        self._last: dict[str, int] = {}

    def next(self, one: Object) -> str:
        """Give the next id of an object."""
        number = self._last[one.prefix] = self._last.get(one.prefix, 0) + 1
        tail = ""
        for _ in range(5):
            number, digit = divmod(number, len(_DIGITS))
            tail = _DIGITS[digit] + tail
        return to_18(f"{one.prefix}Sb00000{tail}")


class Tables:
    """All rows by object and id. Deleted rows stay, marked, and are seen as long as the recycle bin holds them."""

    def __init__(self, clock: Clock, objects: Mapping[str, Object]) -> None:
        self.objects = objects
        self.author = ""  # who writes when nobody is named
        self.archived: set[str] = set()  # old activities, which are only seen by a look into the recycle bin
        self._clock = clock
        self.visible = {name.lower(): one for name, one in objects.items()}  # those that the user may see
        self._storages: dict[str, Storage] = {name: Storage() for name in objects}
        self._before: dict[str, Values | None] = {}  # what the last write of a row replaced
        self.ids = Serials()
        self._undo: list[Undo] = []  # of what is under way, the innermost last

    def now(self) -> datetime:
        """Give the time as rows are stamped with it: whole seconds."""
        return self._clock.now().replace(microsecond=0)

    def object(self, name: str) -> Object:
        """Find an object, whatever its case; raises ApiError NOT_FOUND."""
        found = self.visible.get(name.lower())
        if found is None:
            raise not_found()
        return found

    def storage(self, table: str) -> Storage:
        """Give the rows of an object, deleted ones too."""
        return self._storages[table]

    def rows(self, table: str, *, deleted_too: bool = False) -> dict[str, Values]:
        """Give the rows of an object by id, in the order of the ids."""
        return {row["Id"]: row for row in self._storages[table].by_id() if deleted_too or not row.get("IsDeleted")}

    def lagging(self, table: str) -> Iterator[Values]:
        """Yield the rows, deleted ones too, as they stood before transactions that are still open."""
        open_since = self.now() - LAG
        for row in self._storages[table].by_id():
            is_open = row["Id"] in self._before and row["SystemModstamp"] > open_since
            shown = self._before[row["Id"]] if is_open else row
            if shown is not None:
                yield shown

    def find(self, table: str, column: str, value: Any) -> list[Values]:
        """Find the rows that are not deleted with this value in a column, in the order of their ids."""
        if column == "Id":
            row = self.get(table, value)
            return [row] if row else []
        return [row for row in self._storages[table].where(column, {value}) if not row.get("IsDeleted")]

    def get(self, table: str, row_id: str) -> Values | None:
        """Give one row that is not deleted."""
        row = self._storages[table].get(to_18(row_id))
        return None if row is None or row.get("IsDeleted") else row

    def present(self, table: str, row_id: str) -> Values:
        """Give one row; raises ApiError NOT_FOUND or ENTITY_IS_DELETED."""
        row = self._storages[table].get(to_18(row_id))
        if row is None:
            raise not_found()
        if row.get("IsDeleted"):
            raise ApiError("ENTITY_IS_DELETED", "entity is deleted", status=404)
        return row

    def by_external_id(self, one: Object, field_name: str, value: Any) -> list[Values]:
        """Find rows by an external id, whatever its case; raises ApiError NOT_FOUND when the field is none."""
        column = one.column(field_name)
        if column is None or not (column.external_id or column.type == "id"):
            raise not_found(f"Provided external ID field does not exist or is not accessible: {field_name}")
        return self.find(one.name, column.name, str(value)) if value != "" else []

    def touch(self, table: str, row: Values, by: str) -> Values:
        """Store a row as changed now, and give it as it is stored."""
        now = self.now()
        self._before[row["Id"]] = self._storages[table].get(row["Id"])
        stamped = row | {"SystemModstamp": now, "LastModifiedDate": now, "LastModifiedById": by or self.author}
        self.store(table, stamped)
        return stamped

    def store(self, table: str, row: Values) -> None:
        """Store a row as it is, its stamp included."""
        if self._undo:
            self._undo[-1].append((table, row["Id"], self._storages[table].get(row["Id"])))
        self._storages[table].put(row)

    def plant(self, table: str, values: Values, *, created: datetime, changed: datetime, by: str = "") -> str:
        """Put a row into the org's past, without rules; give its id."""
        one = self.objects[table]
        row = one.empty | values
        row["Id"] = values.get("Id") or self.ids.next(one)
        author = by or self.author or row["Id"]
        row |= {"CreatedDate": created, "SystemModstamp": changed, "LastModifiedDate": changed}
        row |= {"CreatedById": author, "LastModifiedById": author}
        self.store(table, row)
        return str(row["Id"])

    def begin(self) -> None:
        """Remember from now on what is replaced, so that it can be put back; one may begin within another."""
        self._undo.append([])

    def end(self, *, keep: bool) -> None:
        """Keep everything since the last `begin`, or put back what was there."""
        undo = self._undo.pop()
        if keep and self._undo:
            self._undo[-1].extend(undo)
        for table, row_id, before in [] if keep else reversed(undo):
            if before is None:
                self._storages[table].remove(row_id)
            else:
                self._storages[table].put(before)


def shows(tables: Tables, row: Mapping[str, Any], *, deleted_too: bool) -> bool:
    """Tell whether a query finds a row; with `deleted_too` also what is archived or in the recycle bin still."""
    if not deleted_too:
        return not row.get("IsDeleted") and row["Id"] not in tables.archived
    return not row.get("IsDeleted") or not is_purged(tables, row)


def is_purged(tables: Tables, row: Mapping[str, Any]) -> bool:
    """Tell whether a row was deleted so long ago that it left the recycle bin, too."""
    return bool(row.get("IsDeleted")) and row["SystemModstamp"] < tables.now() - KEPT
