"""Notes of an org: our own, which are tasks, the classic ones, and enhanced ones that hang on several records."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from crmbridge.adapting import text_of
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.threads import make_pool
from crmbridge_salesforce.activities import COMPANY, CONTACT, DEAL, hangs_on, record_of
from crmbridge_salesforce.details import Details
from crmbridge_salesforce.encode import NOTE_SUBJECT
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.org import AT_ONCE, Org
from crmbridge_salesforce.rows import Cells, Form
from crmbridge_salesforce.schema import Table
from crmbridge_salesforce.soql import select, text
from crmbridge_salesforce.values import read_moment

_LINKS = select(["ContentDocumentId", "LinkedEntityId"], "ContentDocumentLink", where="ContentDocumentId IN ({})")
_OURS = (DEAL, COMPANY, CONTACT)


class Notes:
    """The tasks that we write as notes, or classic notes, which hang on one record each."""

    kind = Kind.NOTE

    def __init__(self, connection: str, table: Table) -> None:
        self._connection = connection
        self._ours = table.name == "Task"
        wanted = ("Subject", "Description", "OwnerId", "WhatId", "WhoId", "AccountId")
        self.form = Form(table, wanted if self._ours else ("Title", "Body", "OwnerId", "ParentId", "IsPrivate"))
        self.where = f"Subject = {text(NOTE_SUBJECT)}" if self._ours else "IsPrivate = false"
        self.deleted_too = self._ours  # tasks are archived, notes are not

    def records(self, rows: Sequence[Cells], details: Details) -> list[Record]:  # noqa: ARG002  nothing lies beside
        """Make the notes of rows; other tasks, and private notes, are none."""
        return [self._record(row) for row in rows if self._is_note(row)]

    def _is_note(self, row: Cells) -> bool:
        if self._ours:
            return self.form.get(row, "Subject") == NOTE_SUBJECT
        return self.form.get(row, "IsPrivate") != "true"

    def _record(self, row: Cells) -> Record:
        get = self.form.get
        body = get(row, "Description") if self._ours else titled(get(row, "Title"), get(row, "Body"))
        places = [get(row, "WhatId"), get(row, "WhoId"), get(row, "ParentId")]
        fields = {
            "body": body or None,
            "at": read_moment(get(row, "CreatedDate") or row[1]),
            "owner": to_18(get(row, "OwnerId")) or None,
            **hangs_on(places, get(row, "AccountId")),
        }
        return record_of(Ref(self._connection, self.kind, to_18(row[0])), self.form, row, fields)


class ContentNotes:
    """Enhanced notes: files, tied to records by ContentDocumentLink. Those tied to none of ours are left out.

    A tie that is made later shows when the note itself next changes: the org does not tell ties by their time.
    """

    kind = Kind.NOTE
    where = ""
    deleted_too = False

    def __init__(self, connection: str, org: Org, table: Table) -> None:
        self._connection = connection
        self._org = org
        self.form = Form(table, ("Title", "TextPreview", "OwnerId"))

    def records(self, rows: Sequence[Cells], details: Details) -> list[Record]:  # noqa: ARG002  it reads its own
        """Make the notes of rows that hang on a deal, company or contact."""
        ties = self._ties([to_18(row[0]) for row in rows])
        tied = [row for row in rows if to_18(row[0]) in ties]
        with make_pool(AT_ONCE) as threads:  # one request each: a text comes with nothing else
            texts = list(threads.map(self._text, tied))
        return [self._record(row, ties[to_18(row[0])], body) for row, body in zip(tied, texts, strict=True)]

    def _ties(self, ids: Sequence[str]) -> Mapping[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for link in self._org.query_in(_LINKS, ids):
            if str(link["LinkedEntityId"]).startswith(_OURS):
                found[to_18(str(link["ContentDocumentId"]))].append(str(link["LinkedEntityId"]))
        return found

    def _record(self, row: Cells, ties: Sequence[str], body: str) -> Record:
        get = self.form.get
        fields = {
            "body": titled(get(row, "Title"), body) or None,
            "at": read_moment(get(row, "CreatedDate") or row[1]),
            "owner": to_18(get(row, "OwnerId")) or None,
            **hangs_on(ties),
        }
        return record_of(Ref(self._connection, self.kind, to_18(row[0])), self.form, row, fields)

    def _text(self, row: Cells) -> str:
        # The preview that comes with a row is cut, and its lines run together; it only tells an empty note.
        if self.form.place("TextPreview") is not None and not self.form.get(row, "TextPreview"):
            return ""
        reply = self._org.fetch(f"sobjects/ContentNote/{row[0]}/Content")
        return text_of(reply.body.decode("utf-8", "replace"))


def titled(title: str, body: str) -> str:
    """Put a note's title above its text, where it says anything of its own."""
    title, body = title.strip(), body.strip()
    return body if not title or body.startswith(title) else f"{title}\n\n{body}".strip()
