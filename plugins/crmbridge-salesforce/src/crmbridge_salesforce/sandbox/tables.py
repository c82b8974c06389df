"""The rows of the sandbox's org: kept, found and stamped, without any rules."""

from __future__ import annotations

import copy
import string
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from crmbridge.ports import Clock
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.sandbox.answers import ApiError, not_found
from crmbridge_salesforce.sandbox.checks import Values
from crmbridge_salesforce.sandbox.objects import Object

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
LAG = timedelta(seconds=20)  # how long a transaction of the fault `lag` stays open


class Tables:
    """All rows by object and id. Deleted rows stay, marked, as in the recycle bin."""

    def __init__(self, clock: Clock, objects: Mapping[str, Object]) -> None:
        self.objects = objects
        self.author = ""  # who writes when nobody is named
        self._clock = clock
        self._rows: dict[str, dict[str, Values]] = {name: {} for name in objects}
        self._before: dict[str, Values | None] = {}  # what the last write of a row replaced
        self._serials: dict[str, int] = {}

    def now(self) -> datetime:
        """Give the time as rows are stamped with it: whole seconds."""
        return self._clock.now().replace(microsecond=0)

    def object(self, name: str) -> Object:
        """Find an object, whatever its case; raises ApiError NOT_FOUND."""
        found = next((one for key, one in self.objects.items() if key.lower() == name.lower()), None)
        if found is None:
            raise not_found()
        return found

    def rows(self, table: str, *, deleted_too: bool = False) -> dict[str, Values]:
        """Give the rows of an object by id, in the order of the ids."""
        found = self._rows[table]
        return {i: row for i, row in sorted(found.items()) if deleted_too or not row.get("IsDeleted")}

    def rows_lagging(self, table: str, *, deleted_too: bool = False) -> dict[str, Values]:
        """Give the rows as they stood before transactions that are still open."""
        open_since = self.now() - LAG
        found: dict[str, Values] = {}
        for row_id, row in self.rows(table, deleted_too=deleted_too).items():
            is_open = row_id in self._before and row["SystemModstamp"] > open_since
            shown = self._before[row_id] if is_open else row
            if shown is not None:
                found[row_id] = shown
        return found

    def get(self, table: str, row_id: str) -> Values | None:
        """Give one row that is not deleted."""
        row = self._rows[table].get(to_18(row_id))
        return None if row is None or row.get("IsDeleted") else row

    def present(self, table: str, row_id: str) -> Values:
        """Give one row; raises ApiError NOT_FOUND or ENTITY_IS_DELETED."""
        row = self._rows[table].get(to_18(row_id))
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
        if column.type == "id":
            row = self.get(one.name, str(value))
            return [row] if row else []
        wanted = str(value).lower()
        return [row for row in self.rows(one.name).values() if (row.get(column.name) or "").lower() == wanted]

    def touch(self, table: str, row: Values, by: str) -> None:
        """Store a row as changed now."""
        now = self.now()
        self._before[row["Id"]] = self._rows[table].get(row["Id"])
        row |= {"SystemModstamp": now, "LastModifiedDate": now, "LastModifiedById": by or self.author}
        self._rows[table][row["Id"]] = row

    def plant(self, table: str, values: Values, *, created: datetime, changed: datetime, by: str = "") -> str:
        """Put a row into the org's past, without rules; give its id."""
        one = self.objects[table]
        row: Values = {column.name: column.default for column in one.columns.values()} | values
        row["Id"] = values.get("Id") or self.new_id(one)
        author = by or self.author or row["Id"]
        row |= {"CreatedDate": created, "SystemModstamp": changed, "LastModifiedDate": changed}
        row |= {"CreatedById": author, "LastModifiedById": author}
        self._rows[table][row["Id"]] = row
        return str(row["Id"])

    def new_id(self, one: Object) -> str:
        """Give the next id of an object."""
        number = self._serials[one.name] = self._serials.get(one.name, 0) + 1
        tail = ""
        for _ in range(5):
            number, digit = divmod(number, len(_DIGITS))
            tail = _DIGITS[digit] + tail
        return to_18(f"{one.prefix}Sb00000{tail}")

    def keep(self) -> dict[str, dict[str, Values]]:
        """Copy all rows, to go back to them."""
        return copy.deepcopy(self._rows)

    def go_back(self, kept: dict[str, dict[str, Values]]) -> None:
        """Undo everything since `keep`."""
        self._rows = kept
