"""Which objects of an org hold the records of each kind, and reading records from them by id."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

from crmbridge.errors import ConfigurationError, RefusedError
from crmbridge.http import together
from crmbridge.model.records import Kind, Record
from crmbridge.ports import AdapterContext, BoundTo
from crmbridge_salesforce.activities import Activities
from crmbridge_salesforce.attached import OLD, TIES, files_of
from crmbridge_salesforce.details import Asked, Details, Unasked
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.mapping import OBJECTS, Reader, Shape
from crmbridge_salesforce.notes import ContentNotes, Notes
from crmbridge_salesforce.org import Org, Row
from crmbridge_salesforce.rows import BY, Cells
from crmbridge_salesforce.settings import SalesforceSettings
from crmbridge_salesforce.setup import Setup
from crmbridge_salesforce.soql import select
from crmbridge_salesforce.sources import Deals, Plain, Source

KINDS = (Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL, Kind.ACTIVITY, Kind.NOTE, Kind.FILE)
# What users are read with wherever no column is hidden from us.
USER_COLUMNS = ("Id", "SystemModstamp", "CreatedDate", "LastModifiedDate", BY, "Name", "Email", "IsActive")
# By these an id says in which object of several it lies.
_PREFIXES = {"Task": "00T", "Event": "00U", "Note": "002", "ContentNote": "069", TIES: "06A", OLD: "00P"}


class Library:
    """The sources of each kind, made from what the org looks like now. Thread-safe."""

    def __init__(self, settings: SalesforceSettings, context: AdapterContext, org: Org, setup: Setup) -> None:
        self._connection = context.connection
        self._clock = context.clock
        self._org = org
        self._setup = setup
        self._shapes = {
            kind: Shape.of(
                kind,
                connection=context.connection,
                currency=settings.currency,
                key_field=settings.key_name,
                lost_reason=settings.lost_reason_field,
                bindings=context.fields,
            )
            for kind in OBJECTS
        }

    def shape(self, kind: Kind) -> Shape:
        """Tell which columns stand for which fields of a user, company, contact or deal."""
        return self._shapes[kind]

    def bound(self) -> dict[str, BoundTo]:
        """Give which columns of deals the bound fields stand for, of those that the user may see."""
        shape, table = self._shapes[Kind.DEAL], self._setup.table(OBJECTS[Kind.DEAL])
        own = ((one.name, table.find(one.native)) for one in shape.bindings if one.name in shape.own)
        return {name: BoundTo(column.name) for name, column in own if column is not None}

    def reader(self, kind: Kind) -> Reader:
        """Give what reads the rows of a user, company, contact or deal."""
        shape = self._shapes[kind]
        table = self._setup.table(shape.object)
        if shape.missing(table):  # it may have been added since
            self._setup.forget()
            table = self._setup.table(shape.object)
        return Reader(shape, table)

    def sources(self, kind: Kind) -> list[Source]:
        """Give the objects that hold a kind's records; raises ConfigurationError for a kind that has none."""
        if kind is Kind.DEAL:
            return [self._deals()]
        if kind in OBJECTS:
            return [Plain(kind, self.reader(kind))]
        if kind is Kind.FILE:
            return files_of(self._connection, self._org, self._setup)
        if kind not in KINDS:
            raise ConfigurationError(f"{self._connection}: there is no reading of {kind}s")
        return list(self._activities() if kind is Kind.ACTIVITY else self._notes())

    def everybody(self) -> list[Record]:
        """Read all users, in one query: there are few of them beside other records.

        It need not wait for what the object looks like, as that has the usual columns nearly everywhere; where it has
        others, users are asked for again.
        """
        jobs: list[Callable[[], Any]] = [partial(self.reader, Kind.USER), self._usual_users]
        reader: Reader
        reader, rows = together(jobs)
        if rows is None or reader.form.columns != USER_COLUMNS:
            rows = self._org.query(select(reader.form.columns, OBJECTS[Kind.USER]))
        return reader.records(reader.form.of_json(rows))

    def _usual_users(self) -> list[Row] | None:
        try:
            return self._org.query(select(USER_COLUMNS, OBJECTS[Kind.USER]))
        except RefusedError:  # one of them is hidden from us
            return None

    def versions(self, kind: Kind, ids: Sequence[str]) -> dict[str, str]:
        """Read the versions of records by their ids, past every index; the ones that are gone are left out."""
        found: dict[str, str] = {}
        for source in self.sources(kind):
            found.update({to_18(row[0]): source.form.version(row) for row in self._rows(source, ids)})
        return found

    def read(self, kind: Kind, ids: Sequence[str], fields: Collection[str] | None = None) -> Iterator[Record]:
        """Read records by their ids; the ones that are gone are left out.

        With `fields`, the contacts of deals are only asked for where they are among these.
        """
        needless = kind is Kind.DEAL and fields is not None and "contacts" not in fields
        details: Details = Unasked() if needless else Asked(self._org)
        for source in self.sources(kind):
            rows = self._rows(source, ids)
            yield from source.records(rows, details) if rows else ()

    def _rows(self, source: Source, ids: Sequence[str]) -> list[Cells]:
        """Read those of the ids that can lie in an object; archived ones are only found by a query."""
        form = source.form
        name = form.table.name
        wanted = [row_id for row_id in ids if row_id.startswith(_PREFIXES.get(name, ""))]
        if not source.deleted_too:
            return form.of_json(self._org.rows(name, wanted, form.columns))
        statement = select(form.columns, name, where="IsDeleted = false AND Id IN ({})")
        return form.of_json(self._org.query_in(statement, wanted, deleted_too=True))

    def _deals(self) -> Deals:
        return Deals(self._org, self._setup, self.reader(Kind.DEAL))

    def _activities(self) -> Iterator[Source]:
        for name in ("Task", "Event"):
            if table := self._setup.table_if_there(name):
                yield Activities(self._connection, self._org, table, self._clock, self._setup.zone)

    def _notes(self) -> Iterator[Source]:
        for name in ("Task", "Note"):
            if table := self._setup.table_if_there(name):
                yield Notes(self._connection, table)
        if table := self._setup.table_if_there("ContentNote"):
            yield ContentNotes(self._connection, self._org, table)
