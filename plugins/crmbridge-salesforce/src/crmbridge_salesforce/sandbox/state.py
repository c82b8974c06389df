"""The sandbox's org: what happens in it when somebody writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from msgspec import Struct

from crmbridge.ports import Clock
from crmbridge.sandbox import Faults
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.sandbox.answers import ApiError
from crmbridge_salesforce.sandbox.attached import FileHands
from crmbridge_salesforce.sandbox.checks import (
    Values,
    check_required,
    check_values,
    check_writable,
    read_values,
)
from crmbridge_salesforce.sandbox.effects import after_delete, after_undelete, after_write, derive, track
from crmbridge_salesforce.sandbox.hands import Hands
from crmbridge_salesforce.sandbox.jobs import Jobs
from crmbridge_salesforce.sandbox.objects import Object
from crmbridge_salesforce.sandbox.select import Selection
from crmbridge_salesforce.sandbox.sign_in import SignIn
from crmbridge_salesforce.sandbox.tables import Tables, is_purged


class Rule(Struct, frozen=True, kw_only=True):
    """A validation or duplicate rule of the org: `refuses` sees the row before (None when it is new) and after."""

    refuses: Callable[[Mapping[str, Any] | None, Mapping[str, Any]], bool]
    message: str
    object: str = "Opportunity"
    code: str = "FIELD_CUSTOM_VALIDATION_EXCEPTION"  # duplicate rules say DUPLICATES_DETECTED


class Locator(Struct, frozen=True):
    """The whole answer of a query that is fetched page by page."""

    selection: Selection
    rows: list[Mapping[str, Any]]
    made_at: datetime
    page: int


@dataclass(kw_only=True)
class State(Hands, FileHands):
    """The org, as tests may change it.

    `rules` are validation rules, `locked` the ids of rows (or of accounts) that can't be written, `tracked` the columns
    of a deal whose history is kept, and `described_at` is when somebody last changed an object's set-up.
    """

    clock: Clock
    tables: Tables
    sign_in: SignIn
    jobs: Jobs
    described_at: datetime
    human: str = ""  # the user id of somebody who works at a screen
    rules: list[Rule] = field(default_factory=list)
    locked: set[str] = field(default_factory=set)
    tracked: set[str] = field(default_factory=set)
    locators: dict[str, Locator] = field(default_factory=dict)
    faults: Faults = field(default_factory=lambda: Faults({}, 0))

    def insert(self, table: str, sent: Mapping[str, Any], *, by: str = "") -> str:
        """Create a row and give its id; raises ApiError when the org refuses it."""
        one = self.tables.object(table)
        values = {k: v for k, v in read_values(one, sent).items() if k != "Id"}
        self._check(one, values, None)
        author = by or self.tables.author
        row = dict(one.empty)
        row |= {"Id": self.tables.ids.next(one), "CreatedDate": self.tables.now(), "CreatedById": author}
        row |= {"OwnerId": author} if "OwnerId" in one.columns else {}
        row |= {name: value for name, value in values.items() if value is not None}
        self._store(one, row, None, by)
        return str(row["Id"])

    def update(self, table: str, row_id: str, sent: Mapping[str, Any], *, by: str = "") -> None:
        """Change a row; raises ApiError when it is not there or the org refuses it."""
        one = self.tables.object(table)
        before = self.tables.present(one.name, row_id)
        values = {k: v for k, v in read_values(one, sent).items() if k != "Id"}
        self._check(one, values, before)
        self._store(one, {**before, **values}, before, by)

    def delete(self, table: str, row_id: str, *, by: str = "") -> None:
        """Put a row into the recycle bin, with what belongs to it."""
        one = self.tables.object(table)
        row = self.tables.present(one.name, row_id)
        self._refuse_locked(row)
        self.tables.touch(one.name, {**row, "IsDeleted": True}, by)
        after_delete(self.tables, one.name, row)

    def undelete(self, table: str, row_id: str, *, by: str = "") -> None:
        """Take a row out of the recycle bin, with what went into it together; raises ApiError when it is not there."""
        one = self.tables.object(table)
        row = self.tables.storage(one.name).get(to_18(row_id))
        if row is None or not row.get("IsDeleted") or is_purged(self.tables, row):
            raise ApiError("UNDELETE_FAILED", "Entity is not in the recycle bin", status=404)
        self.tables.touch(one.name, {**row, "IsDeleted": False}, by)
        after_undelete(self.tables, one.name, row)

    def _check(self, one: Object, values: Values, before: Values | None) -> None:
        if not one.writable:
            raise ApiError("CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type {one.name} does not support writing")
        if before is not None:
            self._refuse_locked(before)
        check_writable(one, values, creating=before is None)
        check_required(one, values, creating=before is None)
        check_values(one, values, lambda table, row_id: self.tables.get(table, row_id) is not None)
        self._check_unique(one, values, before)

    def _check_unique(self, one: Object, values: Values, before: Values | None) -> None:
        for name, value in values.items():
            if value is None or not one.columns[name].unique:
                continue
            others = [row for row in self.tables.by_external_id(one, name, value) if row is not before]
            if others:
                words = f"duplicate value found: {name} duplicates value on record with id: {others[0]['Id']}"
                raise ApiError("DUPLICATE_VALUE", words, fields=[name])

    def _refuse_locked(self, row: Values) -> None:
        if self.locked & {row["Id"], row.get("AccountId")}:
            raise ApiError("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", fields=[])

    def _store(self, one: Object, row: Values, before: Values | None, by: str) -> None:
        derive(self.tables, one.name, row, before)
        for rule in self.rules:
            if rule.object == one.name and rule.refuses(before, row):
                raise ApiError(rule.code, rule.message, fields=[])
        row = self.tables.touch(one.name, row, by)
        if one.name == "Opportunity":
            track(self.tables, self.tracked, row, before)
        for table, values in after_write(self.tables, one.name, row, before):
            self.insert(table, values, by=by)
