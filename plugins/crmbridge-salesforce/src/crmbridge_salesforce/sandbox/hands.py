"""What a person does in the org at a screen, at the clock's time."""

from __future__ import annotations

import base64
import html
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from crmbridge_salesforce.ids import to_18

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from decimal import Decimal

    from crmbridge_salesforce.sandbox.sign_in import SignIn
    from crmbridge_salesforce.sandbox.tables import Tables

_SUBTYPES = {"call": "Call", "email": "Email"}


class DealHands:
    """What people do with deals, companies and contacts. Values are given as the API takes them."""

    if TYPE_CHECKING:  # what the state has
        tables: Tables
        sign_in: SignIn
        human: str
        tracked: set[str]

        def insert(self, table: str, sent: Mapping[str, Any], *, by: str = "") -> str:
            """Create a row."""

        def update(self, table: str, row_id: str, sent: Mapping[str, Any], *, by: str = "") -> None:
            """Change a row."""

        def delete(self, table: str, row_id: str, *, by: str = "") -> None:
            """Put a row into the recycle bin."""

        def undelete(self, table: str, row_id: str, *, by: str = "") -> None:
            """Take a row out of the recycle bin."""

    def deal_ids(self) -> list[str]:
        """Give the ids of all deals that are not deleted, in order."""
        return list(self.tables.rows("Opportunity"))

    def edit_deal(self, native_id: str, /, **native_fields: Any) -> None:
        """Change a deal."""
        self.update("Opportunity", native_id, native_fields, by=self.human)

    def delete_deal(self, native_id: str) -> None:
        """Delete a deal."""
        self.delete("Opportunity", native_id, by=self.human)

    def restore_deal(self, native_id: str) -> None:
        """Take a deal out of the recycle bin, with what went into it together."""
        self.undelete("Opportunity", native_id, by=self.human)

    def create_deal(self, **native_fields: Any) -> str:
        """Create a deal, in its first stage and closing in a month where nothing else is said; give its id."""
        usual = {"StageName": "Prospecting", "CloseDate": (self.tables.now() + timedelta(days=30)).date().isoformat()}
        return self.insert("Opportunity", usual | {"Name": "New deal"} | native_fields, by=self.human)

    def create_company(self, **native_fields: Any) -> str:
        """Create an account, and give its id."""
        return self.insert("Account", native_fields, by=self.human)

    def create_contact(self, **native_fields: Any) -> str:
        """Create a contact, and give its id."""
        return self.insert("Contact", native_fields, by=self.human)

    def set_products(self, deal_id: str, total: Decimal | None) -> None:
        """Put products on a deal, whose prices make its amount from then on, or with None take all of them off."""
        deal = self.tables.present("Opportunity", deal_id)
        priced = {"HasOpportunityLineItem": total is not None, "Amount": deal["Amount"] if total is None else total}
        self.tables.touch("Opportunity", {**deal, **priced}, self.human)

    def set_company(self, deal_id: str, company_id: str | None) -> None:
        """Put a deal on another account, or on none."""
        self.edit_deal(deal_id, AccountId=company_id)

    def add_contact(self, deal_id: str, contact_id: str) -> None:
        """Give a contact a role on a deal."""
        values = {"OpportunityId": deal_id, "ContactId": contact_id}
        self.insert("OpportunityContactRole", values, by=self.human)

    def remove_contact(self, deal_id: str, contact_id: str) -> None:
        """Take all the roles of a contact off a deal."""
        for role in self.tables.find("OpportunityContactRole", "OpportunityId", to_18(deal_id)):
            if role["ContactId"] == to_18(contact_id):
                self.delete("OpportunityContactRole", role["Id"], by=self.human)


class Hands(DealHands):
    """The part of the org's state that stands for its people: what they do with deals, and all else."""

    def add_task(self, native_id: str, **native_fields: Any) -> str:
        """Put a task on a deal, and give its id."""
        return self.insert("Task", {"WhatId": native_id, **native_fields}, by=self.human)

    def add_activity(self, deal_id: str, *, type: str, subject: str, at: datetime, done: bool) -> str:  # noqa: A002  the standard field's name
        """Note an activity on a deal for its owner: a meeting is an event, anything else a task; give its id."""
        owner = self.tables.present("Opportunity", deal_id)["OwnerId"]
        values = {"WhatId": deal_id, "Subject": subject, "OwnerId": owner}
        if type == "meeting":
            end = at if done else at + timedelta(hours=1)
            times = {"StartDateTime": _wire(at), "EndDateTime": _wire(end)}
            return self.insert("Event", {**values, **times}, by=self.human)
        values |= {"ActivityDate": at.date().isoformat(), "TaskSubtype": _SUBTYPES.get(type, "Task")}
        return self.insert("Task", {**values, "Status": "Completed" if done else "Not Started"}, by=self.human)

    def delete_activity(self, native_id: str) -> None:
        """Delete a task or event."""
        self.delete("Event" if native_id.startswith("00U") else "Task", native_id, by=self.human)

    def archive_activity(self, native_id: str) -> None:
        """Let a task or event be so old that the org archives it."""
        self.tables.archived.add(to_18(native_id))

    def add_note(self, deal_id: str, body: str) -> str:
        """Write an enhanced note of plain text on a deal, titled by its first line; give its id."""
        markup = "".join(f"<p>{html.escape(line)}</p>" for line in body.splitlines())
        content = base64.b64encode(markup.encode()).decode()
        note = self.insert("ContentNote", {"Title": body.splitlines()[0][:255], "Content": content}, by=self.human)
        tie = {"ContentDocumentId": note, "LinkedEntityId": deal_id, "ShareType": "V"}
        self.insert("ContentDocumentLink", tie, by=self.human)
        return note

    def delete_note(self, native_id: str) -> None:
        """Delete a note, or a task that stands for one."""
        self.delete("Task" if native_id.startswith("00T") else "ContentNote", native_id, by=self.human)

    def merge(self, table: str, winner: str, loser: str) -> None:
        """Merge an account or contact into another; what points to it moves over."""
        row, kept = self.tables.present(table, loser), self.tables.present(table, winner)["Id"]
        for one in self.tables.objects.values():
            for column in one.columns.values():
                if table in column.refers.split(",") and column.name != "MasterRecordId":
                    for other in self.tables.find(one.name, column.name, row["Id"]):
                        self.tables.touch(one.name, {**other, column.name: kept}, self.human)
        self.tables.touch(table, {**row, "IsDeleted": True, "MasterRecordId": kept}, self.human)

    def merge_companies(self, *, winner: str, loser: str) -> None:
        """Merge one account into another, which stays."""
        self.merge("Account", winner, loser)

    def track_fields(self, *names: str) -> None:
        """Let the org keep a history of these columns of deals from now on, as an admin does in its set-up."""
        self.tracked |= set(names)
        self._define(names, tracked=True)

    def untrack_fields(self, *names: str) -> None:
        """Let it keep none from now on. The rows that there are stay."""
        self.tracked -= set(names)
        self._define(names, tracked=False)

    def _define(self, names: Iterable[str], *, tracked: bool) -> None:
        known = {row["QualifiedApiName"]: row for row in self.tables.rows("FieldDefinition").values()}
        for name in names:
            values = {"EntityDefinitionId": "Opportunity", "QualifiedApiName": name, "IsFieldHistoryTracked": tracked}
            if name in known:
                self.tables.store("FieldDefinition", known[name] | values)
            else:
                self.tables.plant("FieldDefinition", values, created=self.tables.now(), changed=self.tables.now())

    def expire_session(self) -> None:
        """Let every session have expired."""
        self.sign_in.expire()


def _wire(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
