"""The sandbox's account with the people who work in it: what they do in HubSpot's own screens."""

from __future__ import annotations

from datetime import datetime
from html import escape
from types import MappingProxyType
from typing import NamedTuple

from crmbridge_hubspot.sandbox.deal_screens import DealScreens
from crmbridge_hubspot.sandbox.records import CrmObject
from crmbridge_hubspot.sandbox.replies import stamp


class Activity(NamedTuple):
    """How HubSpot keeps one kind of activity."""

    kind: str  # the object type
    title: str
    status: str
    open: str
    done: str


# By the word that crmbridge has for it. A record that was logged by hand may have no status at all.
ACTIVITIES = MappingProxyType(
    {
        "call": Activity("calls", "hs_call_title", "hs_call_status", "SCHEDULED", "COMPLETED"),
        "email": Activity("emails", "hs_email_subject", "hs_email_status", "SCHEDULED", "SENT"),
        "meeting": Activity("meetings", "hs_meeting_title", "hs_meeting_outcome", "SCHEDULED", "COMPLETED"),
        "task": Activity("tasks", "hs_task_subject", "hs_task_status", "NOT_STARTED", "COMPLETED"),
    }
)


class HubSpotAccount(DealScreens):
    """An account whose public methods act as a person in the HubSpot screens would, at the clock's time."""

    def add_activity(self, deal_id: str, *, type: str, subject: str, at: datetime, done: bool) -> str:  # noqa: A002  the standard field's name
        """Note a call, email, meeting or task on a deal, for its owner, with a status that says whether it is done.

        Gives its type and id, as in `call-44700000037`.
        """
        as_kept, deal = ACTIVITIES[type], self.get("deals", deal_id)
        values = {
            as_kept.title: subject,
            as_kept.status: as_kept.done if done else as_kept.open,
            "hs_timestamp": stamp(at),
            "hubspot_owner_id": deal.properties.get("hubspot_owner_id", ""),
        }
        return f"{type}-{self._noted(as_kept.kind, values, deal).id}"

    def delete_activity(self, native_id: str) -> None:
        """Delete an activity, as `add_activity` names it."""
        word, _, record_id = native_id.partition("-")
        self.archive(self.get(ACTIVITIES[word].kind, record_id))

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

    def _noted(self, name: str, values: dict[str, str], deal: CrmObject) -> CrmObject:
        made = self.create(name, values, self._person())
        self.links.link(made, deal)
        self.touch(deal)
        return made
