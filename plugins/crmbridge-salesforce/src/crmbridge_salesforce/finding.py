"""Finding records by a key, in SOQL: it looks at the rows themselves, so nothing is missed that an index lacks."""

from __future__ import annotations

from collections.abc import Iterator

from crmbridge.adapting import domain_of
from crmbridge.errors import RefusedError
from crmbridge.model.changes import Action, Change
from crmbridge.model.records import KNOWN_BY, Kind, Ref
from crmbridge.model.values import folded
from crmbridge_salesforce.encode import NOTE_SUBJECT, has_marker
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.mapping import OBJECTS
from crmbridge_salesforce.org import Org
from crmbridge_salesforce.setup import Setup
from crmbridge_salesforce.soql import containing, select, text, with_any_blanks


def natural_key(change: Change) -> str | None:
    """Give what a company or contact to be made is known by; None where nobody could tell it from another."""
    if change.action is not Action.CREATE:
        return None
    names = KNOWN_BY.get(change.creates, ())
    return next((f"{name}:{value}" for name in names if (value := change.after.get(name))), None)


class Finder:
    """Finds one record; None means that there is certainly none. Thread-safe."""

    def __init__(self, org: Org, setup: Setup, key_field: str) -> None:
        self._org = org
        self._setup = setup
        self._key_field = key_field

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its external key, a company or contact by its natural one, a task or note by its marker."""
        if kind is Kind.FIELD:
            return self._field(key)
        if kind is Kind.DEAL:
            found = self._deals(key)
        elif kind in {Kind.COMPANY, Kind.CONTACT}:
            found = self._people(kind, key)
        elif near is None:
            raise RefusedError("A task or note can only be found on the record that it hangs on")
        else:
            found = self._tasks(kind, key, near)
        row_id = next(found, None)
        return None if row_id is None else Ref(self._org.connection, kind, to_18(row_id))

    def _field(self, key: str) -> Ref | None:
        """Look for a field of deals, or with `company:` or `user:` before its name, of accounts or users."""
        on, _, name = key.rpartition(":")
        self._setup.forget()  # it may have just been made
        table = self._setup.table_if_there(OBJECTS[Kind(on or Kind.DEAL)])
        there = table is not None and name in table.columns
        return Ref(self._org.connection, Kind.FIELD, name) if there else None

    def _deals(self, key: str) -> Iterator[str]:
        column = self._setup.table("Opportunity").columns.get(self._key_field)
        if column is None or not column.external_id:
            return  # no deal was ever created with a key here
        for row in self._org.query(select(["Id"], "Opportunity", where=f"{column.name} = {text(key)}")):
            yield str(row["Id"])

    def _people(self, kind: Kind, key: str) -> Iterator[str]:
        """Look through companies or contacts. Queries compare texts without case, and an org keeps blanks as typed."""
        what, _, value = key.partition(":")
        value = value.strip()  # as an org keeps it
        match kind, what:
            case _, "name":
                where = f"Name LIKE {with_any_blanks(value)}"
            case Kind.CONTACT, "email":
                where = f"Email = {text(value)}"
            case Kind.COMPANY, "domain":
                # A website is written in many ways; which of those that hold the domain have it, is seen from here.
                where = f"Website LIKE {containing(value)}"
            case _:
                raise RefusedError(f"A {kind} can't be found by {what!r}")
        columns = ["Id", *(["Name"] if what == "name" else []), *(["Website"] if kind is Kind.COMPANY else [])]
        wanted = value.casefold() if what == "domain" else None  # one with a domain is not known by its name
        for row in self._org.query(select(columns, OBJECTS[kind], where=where, order="Id")):
            if what == "name" and folded(row.get("Name")) != folded(value):
                continue
            if kind is Kind.CONTACT or domain_of(str(row.get("Website") or "")) == wanted:
                yield str(row["Id"])

    def _tasks(self, kind: Kind, marker: str, near: Ref) -> Iterator[str]:
        """Look through the tasks on a record, archived ones too (Object Reference, "Task"); our notes are such, too."""
        column = "WhoId" if near.kind is Kind.CONTACT else "WhatId"
        where = f"{column} = {text(near.id)} AND IsDeleted = false"
        statement = select(["Id", "Subject", "Description"], "Task", where=where, order="Id")
        for row in self._org.query(statement, deleted_too=True):
            is_note = row.get("Subject") == NOTE_SUBJECT
            if is_note == (kind is Kind.NOTE) and has_marker(row.get("Description"), marker):
                yield str(row["Id"])
