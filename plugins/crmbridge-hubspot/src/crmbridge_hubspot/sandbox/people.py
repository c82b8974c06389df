"""The sandbox's account with the people who work in it: what they do in HubSpot's own screens."""

from __future__ import annotations

from datetime import datetime
from html import escape
from types import MappingProxyType

from crmbridge_hubspot.sandbox.merging import merge
from crmbridge_hubspot.sandbox.objects import HubSpotState
from crmbridge_hubspot.sandbox.records import CrmObject, Source
from crmbridge_hubspot.sandbox.replies import stamp

# The object type and the title of each kind of activity, by the word that crmbridge has for it.
ACTIVITIES = MappingProxyType(
    {
        "call": ("calls", "hs_call_title"),
        "email": ("emails", "hs_email_subject"),
        "meeting": ("meetings", "hs_meeting_title"),
        "task": ("tasks", "hs_task_subject"),
    }
)


class HubSpotAccount(HubSpotState):
    """An account whose public methods act as a person in the HubSpot screens would, at the clock's time."""

    def deal_ids(self) -> list[str]:
        """Give the ids of all deals that are there."""
        return [deal.id for deal in self.tables["deals"].values() if deal.archived_at is None]

    def edit_deal(self, native_id: str, /, **native_fields: object) -> None:
        """Change properties of a deal."""
        self.update(self.get("deals", native_id), native_fields, self._person())

    def delete_deal(self, native_id: str) -> None:
        """Delete a deal: it goes to the recycle bin."""
        self.archive(self.get("deals", native_id))

    def merge_deals(self, winner: str, loser: str) -> None:
        """Merge one deal into another."""
        merge(self, "deals", winner, loser)

    def add_activity(self, deal_id: str, *, type: str, subject: str, at: datetime, done: bool) -> str:  # noqa: A002  the standard field's name
        """Note a call, email, meeting or task on a deal, for its owner; give its type and id, as in `call-44700000037`.

        Calls and emails are logged when they are over, and a meeting is over once its time has come: only a task has a
        status of its own.
        """
        name, title = ACTIVITIES[type]
        deal = self.get("deals", deal_id)
        values = {title: subject, "hs_timestamp": stamp(at)}
        values["hubspot_owner_id"] = deal.properties.get("hubspot_owner_id", "")
        if name == "tasks":
            values["hs_task_status"] = "COMPLETED" if done else "NOT_STARTED"
        return f"{type}-{self._noted(name, values, deal).id}"

    def delete_activity(self, native_id: str) -> None:
        """Delete an activity, as `add_activity` names it."""
        word, _, record_id = native_id.partition("-")
        self.archive(self.get(ACTIVITIES[word][0], record_id))

    def add_note(self, deal_id: str, body: str) -> str:
        """Write a note on a deal: HubSpot's editor makes a paragraph of each line."""
        lines = "".join(f'<p style="margin:0;">{escape(line, quote=False)}</p>' for line in body.split("\n"))
        text = f'<div style="" dir="auto" data-top-level="true">{lines}</div>'
        values = {"hs_note_body": text, "hs_timestamp": stamp(self.now())}
        return self._noted("notes", values, self.get("deals", deal_id)).id

    def delete_note(self, native_id: str) -> None:
        """Delete a note."""
        self.archive(self.get("notes", native_id))

    def expire_session(self) -> None:
        """Let every access token that was given out have expired."""
        self.oauth.access = dict.fromkeys(self.oauth.access, self.clock.now())

    def _person(self) -> Source:
        return Source("CRM_UI", str(next(iter(self.owners.values())).user_id))

    def _noted(self, name: str, values: dict[str, str], deal: CrmObject) -> CrmObject:
        made = self.create(name, values, self._person())
        self.links.link(made, deal)
        self.touch(deal)
        return made
