"""What is told of files on deals: documents that are tied to them, and the attachments of older orgs."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from crmbridge.errors import NotGrantedError
from crmbridge.model.files import extension, with_extension
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge_salesforce.activities import record_of
from crmbridge_salesforce.details import Details
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.org import Org, Row
from crmbridge_salesforce.rows import Cells, Form
from crmbridge_salesforce.schema import Table
from crmbridge_salesforce.setup import Setup
from crmbridge_salesforce.soql import moment, select
from crmbridge_salesforce.sources import Source, Span
from crmbridge_salesforce.values import read_moment

TIES, DOCUMENTS, OLD = "ContentDocumentLink", "ContentDocument", "Attachment"
ON_DEALS = "{} IN (SELECT Id FROM Opportunity)"
NOTE = "SNOTE"  # the file type of enhanced notes, which are notes to us
ASK_FILES = (
    "Let the connection's user see Salesforce Files (ContentDocument and ContentDocumentLink) or Attachment, by its "
    "profile or a permission set."
)
_TOLD = ("Id", "Title", "FileType", "FileExtension", "ContentSize", "CreatedById", "SystemModstamp")


def files_of(connection: str, org: Org, setup: Setup) -> list[Source]:
    """Give the objects that tell of files; raises NotGrantedError where the user sees none of them."""
    ties, documents, old = (setup.table_if_there(name) for name in (TIES, DOCUMENTS, OLD))
    found: list[Source] = [Documents(connection, org, ties, documents)] if ties and documents else []
    found += [Attachments(connection, old)] if old else []
    if not found:
        raise NotGrantedError(f"{connection}: the org shows no files to this user", advice=ASK_FILES)
    return found


class Documents:
    """Files, tied to deals by ContentDocumentLink, which must be asked for by what they are tied to.

    A tie tells no time of its own but that of its last change, which is when it was made: it is seldom changed.
    """

    kind = Kind.FILE
    where = ON_DEALS.format("LinkedEntityId")
    deleted_too = False

    def __init__(self, connection: str, org: Org, ties: Table, documents: Table) -> None:
        self._connection = connection
        self._org = org
        self._told = documents.having(*_TOLD)
        self.form = Form(ties, ("ContentDocumentId", "LinkedEntityId"))

    def records(self, rows: Sequence[Cells], details: Details) -> list[Record]:  # noqa: ARG002  it reads its own
        """Make the files of ties; enhanced notes are none, nor are those that the user may not see."""
        ids = list(dict.fromkeys(to_18(self.form.get(row, "ContentDocumentId")) for row in rows))
        statement = select(self._told, DOCUMENTS, where="Id IN ({})")
        told = {to_18(str(each["Id"])): each for each in self._org.query_in(statement, ids)}
        pairs = ((row, told.get(to_18(self.form.get(row, "ContentDocumentId")))) for row in rows)
        return [self._record(row, each) for row, each in pairs if each is not None and each.get("FileType") != NOTE]

    def touched(self, span: Span) -> set[str]:
        """Find the ties of files that have another name or another version now, which does not touch the tie."""
        if span.since is None:
            return set()
        changed = select(["Id"], DOCUMENTS, where=f"SystemModstamp >= {moment(span.since)}")
        ids = [to_18(str(row["Id"])) for row in self._org.query(changed)]
        ties = select(["Id", "LinkedEntityId"], TIES, where="ContentDocumentId IN ({})")
        found = self._org.query_in(ties, ids) if ids else ()
        return {to_18(str(row["Id"])) for row in found if str(row["LinkedEntityId"]).startswith("006")}

    def _record(self, row: Cells, told: Row) -> Record:
        name = with_extension(str(told.get("Title") or ""), str(told.get("FileExtension") or ""))
        by, at = told.get("CreatedById"), read_moment(row[1])
        fields = {
            **_told_of(name, told.get("ContentSize"), self.form.get(row, "LinkedEntityId")),
            "at": at,
            "owner": to_18(str(by)) if by else None,
        }
        made = record_of(Ref(self._connection, self.kind, to_18(row[0])), self.form, row, fields)
        return replace(made, created_at=at, version=f"{made.version}/{told.get('SystemModstamp') or ''}")


class Attachments:
    """The attachments of before Salesforce Files, which hang on one record each."""

    kind = Kind.FILE
    where = ON_DEALS.format("ParentId")
    deleted_too = False

    def __init__(self, connection: str, table: Table) -> None:
        self._connection = connection
        self.form = Form(table, ("Name", "BodyLength", "ParentId", "OwnerId"))  # never Body, which is all of it

    def records(self, rows: Sequence[Cells], details: Details) -> list[Record]:  # noqa: ARG002  nothing lies beside
        """Make the files of rows; those on other records are left out."""
        return [self._record(row) for row in rows if self.form.get(row, "ParentId").startswith("006")]

    def _record(self, row: Cells) -> Record:
        get = self.form.get
        fields = {
            **_told_of(get(row, "Name"), get(row, "BodyLength"), get(row, "ParentId")),
            "at": read_moment(get(row, "CreatedDate") or row[1]),
            "owner": to_18(get(row, "OwnerId")) or None,
        }
        return record_of(Ref(self._connection, self.kind, to_18(row[0])), self.form, row, fields)


def _told_of(name: str, size: Any, deal: str) -> dict[str, Value]:
    return {
        "name": name.strip() or None,
        "type": extension(name),
        "size": Decimal(str(size)) if str(size).isdecimal() else None,
        "deals": (to_18(deal),),
    }
