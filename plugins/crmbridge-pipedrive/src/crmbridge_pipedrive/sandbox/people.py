"""What people do in the sandbox's account, in Pipedrive's app instead of through its API."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any

from crmbridge_pipedrive.sandbox.schema import HASH
from crmbridge_pipedrive.sandbox.state import PipedriveState
from crmbridge_pipedrive.sandbox.tables import empty_activity, log_change, next_id, row_of, v1_stamp


class DealHands(PipedriveState):
    """What people do with deals, and with what hangs on them."""

    def deal_ids(self) -> list[str]:
        """Give the ids of the deals that are neither deleted nor archived."""
        rows = self.tables.deals.values()
        return [str(row["id"]) for row in rows if not (row["is_deleted"] or row["is_archived"])]

    def create_deal(self, **native_fields: Any) -> str:
        """Make a deal, in the first stage of the first pipeline where nothing else is said, and give its id."""
        return str(self.make_deal({"title": "New deal", **_by_column(native_fields)}, by=self.me)["id"])

    def edit_deal(self, native_id: str, /, **native_fields: Any) -> None:
        """Edit a deal as its owner would; custom fields are named by their codes."""
        owner = row_of(self.tables.deals, int(native_id), "Deal")["owner_id"]
        self.change_deal(int(native_id), _by_column(native_fields), by=owner)

    def set_company(self, deal_id: str, company_id: str | None) -> None:
        """Put a deal on another company, or on none."""
        self.edit_deal(deal_id, org_id=None if company_id is None else int(company_id))

    def add_contact(self, deal_id: str, contact_id: str) -> None:
        """Put a contact on a deal: as its main one where there is none, else as a participant."""
        if row_of(self.tables.deals, int(deal_id), "Deal")["person_id"] is None:
            self.edit_deal(deal_id, person_id=int(contact_id))
        else:
            self.add_participant(int(deal_id), int(contact_id))

    def remove_contact(self, deal_id: str, contact_id: str) -> None:
        """Take a contact off a deal; where it was the main one, there is none then."""
        if row_of(self.tables.deals, int(deal_id), "Deal")["person_id"] == int(contact_id):
            self.edit_deal(deal_id, person_id=None)
        if int(contact_id) in self.tables.participants.get(int(deal_id), ()):
            self.drop_participant(int(deal_id), int(contact_id))

    def restore_deal(self, native_id: str) -> None:
        """Take a deal out of the archive, or bring back a deleted one with the status it had."""
        deal = self.tables.deals[int(native_id)]
        if deal["is_deleted"]:
            log = self.tables.history[deal["id"]]
            status = next(row["old_value"] for row in reversed(log) if row["new_value"] == "deleted")
            log_change(self.tables, deal["id"], "status", ("deleted", status), at=self.now(), by=deal["owner_id"])
            deal.update(is_deleted=False, status=status)
        deal.update(is_archived=False, archive_time=None, update_time=self.now())

    def archive_deal(self, native_id: str) -> None:
        """Archive a deal; it vanishes from all lists but the archived one."""
        deal = row_of(self.tables.deals, int(native_id), "Deal")
        deal.update(is_archived=True, archive_time=self.now(), update_time=self.now())


class PeopledState(DealHands):
    """A Pipedrive account with hands for the people who work in it; everything happens at the clock's time."""

    def set_products(self, native_id: str, total: float | None) -> None:
        """Put products on a deal, which make its value from then on, or with None take all of them off."""
        number = int(native_id)
        self.tables.products.pop(number, None)
        if total is not None:
            self.change_deal(number, {"value": total}, by=self.me)
            self.tables.products[number] = 1

    def create_company(self, **native_fields: Any) -> str:
        """Make an organization, and give its id."""
        return str(self.make_row("organizations", {"name": "New company", **native_fields}, by=self.me)["id"])

    def create_contact(self, **native_fields: Any) -> str:
        """Make a person, and give its id."""
        return str(self.make_row("persons", {"name": "New contact", **native_fields}, by=self.me)["id"])

    def delete_company(self, native_id: str) -> None:
        """Delete an organization; it is in no list any more."""
        row_of(self.tables.organizations, int(native_id), "Organization").update(
            is_deleted=True, update_time=self.now()
        )

    def delete_contact(self, native_id: str) -> None:
        """Delete a person; they are in no list any more."""
        row_of(self.tables.persons, int(native_id), "Person").update(is_deleted=True, update_time=self.now())

    def add_activity(self, deal_id: str, *, type: str, subject: str, at: datetime, done: bool) -> str:  # noqa: A002  the field's name
        """Note an activity on a deal, for its owner, and give its id."""
        deal, number = row_of(self.tables.deals, int(deal_id), "Deal"), next_id(self.tables.activities)
        row = empty_activity(number, owner=deal["owner_id"], at=self.now())
        due = at.astimezone(UTC)
        row.update(type=type, subject=subject, deal_id=deal["id"], org_id=deal["org_id"], done=done)
        row.update(due_date=f"{due:%Y-%m-%d}", due_time=f"{due:%H:%M:%S}", duration="00:30:00")
        row["marked_as_done_time"] = self.now() if done else None
        self.tables.activities[number] = row
        return str(number)

    def delete_activity(self, native_id: str) -> None:
        """Delete an activity; it is in no list any more."""
        row_of(self.tables.activities, int(native_id), "Activity").update(is_deleted=True, update_time=self.now())

    def add_note(self, deal_id: str, body: str) -> str:
        """Write a note of plain text on a deal, kept as HTML, and give its id."""
        deal = row_of(self.tables.deals, int(deal_id), "Deal")
        content = html.escape(body, quote=False).replace("\n", "<br>")
        return str(self.create_note({"content": content, "deal_id": deal["id"]}, by=deal["owner_id"])["id"])

    def delete_note(self, native_id: str) -> None:
        """Delete a note; it is in no list any more."""
        self.tables.notes[int(native_id)].update(active_flag=False, update_time=v1_stamp(self.now()))

    def expire_session(self) -> None:
        """Let every access token have ended; refreshing works at once."""
        self.sessions.expire()


def _by_column(native_fields: dict[str, Any]) -> dict[str, Any]:
    """Put custom fields, which are named by their codes, where the API has them."""
    custom = {name: value for name, value in native_fields.items() if HASH.fullmatch(name)}
    plain = {name: value for name, value in native_fields.items() if name not in custom}
    return {**plain, "custom_fields": custom} if custom else plain
