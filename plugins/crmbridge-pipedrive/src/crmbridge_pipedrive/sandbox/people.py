"""What people do in the sandbox's account, in Pipedrive's app instead of through its API."""

from __future__ import annotations

import html
from datetime import UTC, datetime
from typing import Any

from crmbridge_pipedrive.sandbox.schema import HASH
from crmbridge_pipedrive.sandbox.state import PipedriveState
from crmbridge_pipedrive.sandbox.tables import empty_activity, next_id, row_of, v1_stamp


class PeopledState(PipedriveState):
    """A Pipedrive account with hands for the people who work in it; everything happens at the clock's time."""

    def deal_ids(self) -> list[str]:
        """Give the ids of the deals that are neither deleted nor archived."""
        rows = self.tables.deals.values()
        return [str(row["id"]) for row in rows if not (row["is_deleted"] or row["is_archived"])]

    def edit_deal(self, native_id: str, /, **native_fields: Any) -> None:
        """Edit a deal as its owner would; custom fields are named by their codes."""
        custom = {name: value for name, value in native_fields.items() if HASH.fullmatch(name)}
        changes = {name: value for name, value in native_fields.items() if name not in custom}
        owner = row_of(self.tables.deals, int(native_id), "Deal")["owner_id"]
        self.change_deal(int(native_id), {**changes, **({"custom_fields": custom} if custom else {})}, by=owner)

    def archive_deal(self, native_id: str) -> None:
        """Archive a deal; it vanishes from all lists but the archived one."""
        deal = row_of(self.tables.deals, int(native_id), "Deal")
        deal.update(is_archived=True, archive_time=self.now(), update_time=self.now())

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
