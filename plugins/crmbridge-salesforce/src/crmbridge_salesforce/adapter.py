"""The Salesforce adapter: crmbridge's port, spoken in SOQL, rows and collections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import SecretStr

from crmbridge.errors import ConfigurationError, RefusedError
from crmbridge.model.changes import DEAL_ACTIONS, Change, Receipt
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import AdapterContext, Capabilities, Description, Page
from crmbridge_salesforce.details import details_of
from crmbridge_salesforce.encode import Encoder, currencies, has_marker
from crmbridge_salesforce.ids import is_id, to_18
from crmbridge_salesforce.mapping import Shape
from crmbridge_salesforce.org import COLLECTION, Org
from crmbridge_salesforce.pull import Walk
from crmbridge_salesforce.schema import Schema
from crmbridge_salesforce.settings import SalesforceSettings
from crmbridge_salesforce.soql import select, text
from crmbridge_salesforce.write import Writer

KINDS = (Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL)
CAPABILITIES = Capabilities(
    kinds=frozenset(KINDS),
    actions=DEAL_ACTIONS,
    batch=dict.fromkeys(DEAL_ACTIONS, COLLECTION),
    external_key=True,
    history=True,
    tombstones=True,
    status_in_stage=True,
)


class SalesforceAdapter:
    """Speaks Salesforce for one connection. Opening it sends nothing."""

    def __init__(self, settings: SalesforceSettings, context: AdapterContext, token: SecretStr) -> None:
        self._settings = settings
        self._connection = context.connection
        self._org = Org(settings, context, token)
        self._schema = Schema(self._org)
        self._shapes = {
            kind: Shape.of(
                kind,
                connection=context.connection,
                currency=settings.currency,
                key_field=settings.key_name,
                lost_reason=settings.lost_reason_field,
                bindings=context.fields,
            )
            for kind in KINDS
        }
        encoder = Encoder(self._schema, self._shapes[Kind.DEAL])
        self._writer = Writer(self._org, encoder, context.clock, key_field=settings.key_name)

    @property
    def capabilities(self) -> Capabilities:
        """What this adapter can do."""
        return CAPABILITIES

    def describe(self) -> Description:
        """Read the org's record types, stages, fields, users and currencies, anew each time."""
        self._schema.forget()
        table = self._schema.table("Opportunity")
        key = table.columns.get(self._settings.key_name)
        return Description(
            account=self._account(),
            pipelines=self._schema.pipelines(),
            fields=tuple(column.native() for column in table.columns.values()),
            users=tuple(record for page in self.pull(Kind.USER, None) for record in page.records),
            currencies=currencies(table, self._settings.currency),
            api_version=self._settings.api_version,
            key_field=key.native() if key and key.external_id else None,
        )

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        """Yield pages of what changed since a cursor, in the order of change."""
        walk = Walk(
            self._org,
            self._schema,
            self._shape(kind),
            overlap=timedelta(seconds=self._settings.overlap),
            page_size=self._settings.page_size,
        )
        yield from walk.pages(since)

    def read(self, refs: Sequence[Ref]) -> Mapping[Ref, Record]:
        """Read records by their ids, which no index or open transaction stands before."""
        found: dict[Ref, Record] = {}
        for kind in dict.fromkeys(ref.kind for ref in refs):
            wanted = {to_18(ref.id): ref for ref in refs if ref.kind is kind and is_id(ref.id)}
            found.update({wanted[record.ref.id]: record for record in self._read(kind, list(wanted))})
        return found

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        """Find a deal by its external key, or a task or note by its marker among those on a record."""
        if kind is Kind.DEAL:
            return self._find_deal(key)
        if near is None:
            raise RefusedError("A task or note can only be found on the record that it hangs on")
        column = "WhoId" if near.kind is Kind.CONTACT else "WhatId"
        rows = self._org.query(select(["Id", "Description"], "Task", where=f"{column} = {text(near.id)}", order="Id"))
        ids = (to_18(str(row["Id"])) for row in rows if has_marker(row.get("Description"), key))
        return next((Ref(self._connection, kind, row_id) for row_id in ids), None)

    def write(self, changes: Sequence[Change]) -> Sequence[Receipt]:
        """Make up to 200 changes of one action by collections requests, and read the result of each row."""
        return self._writer.write(changes)

    def close(self) -> None:
        """Give back the connections."""
        self._org.close()

    def _shape(self, kind: Kind) -> Shape:
        if kind not in self._shapes:
            raise ConfigurationError(f"{self._connection}: there is no reading of {kind}s")
        return self._shapes[kind]

    def _read(self, kind: Kind, ids: Sequence[str]) -> Iterator[Record]:
        shape = self._shape(kind)
        table = self._schema.table(shape.object)
        rows = list(self._org.rows(table.name, ids, shape.columns(table)))
        found = details_of(self._org, rows) if kind is Kind.DEAL else {}
        for row in rows:
            yield shape.record(row, table, found.get(to_18(str(row["Id"])), {}))

    def _find_deal(self, key: str) -> Ref | None:
        column = self._schema.table("Opportunity").columns.get(self._settings.key_name)
        if column is None or not column.external_id:
            return None  # no deal was ever created with a key here
        rows = self._org.query(select(["Id"], "Opportunity", where=f"{column.name} = {text(key)}"))
        return Ref(self._connection, Kind.DEAL, to_18(str(rows[0]["Id"]))) if rows else None

    def _account(self) -> str:
        try:
            rows = self._org.query("SELECT Name FROM Organization LIMIT 1")
        except RefusedError:  # the integration user may not see it, and the host names the org as well
            rows = []
        return str(rows[0]["Name"]) if rows else urlsplit(self._settings.address).hostname or ""
