"""Amends the tasks that crmbridge wrote ("Tasks" guide)."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from msgspec import Struct

from crmbridge.errors import RefusedError, UnclearError
from crmbridge.model.changes import Change
from crmbridge.model.records import Kind, Ref
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.bodies import BODIES, to_html
from crmbridge_hubspot.mapping import Terms
from crmbridge_hubspot.replies import worded

OPEN, DONE = "NOT_STARTED", "COMPLETED"


class Amending(Struct, frozen=True, kw_only=True):
    """Sends one task at a time: there are few, and each has an answer of its own."""

    api: HubSpotApi
    terms: Terms

    def send(self, change: Change, ref: Ref) -> None:
        """Set a task to what a change says of it."""
        body = {"inputs": [{"id": ref.id, "properties": self._properties(change)}]}
        answer = self.api.write(self.api.paths.object("tasks", "/batch/update"), body)
        for error in answer.get("errors") or ():
            raise RefusedError(f"HubSpot refused it: {worded(str(error.get('message') or 'refused'))}")
        if ref.id not in {str(each.get("id")) for each in answer.get("results") or ()}:
            raise UnclearError("HubSpot's answer does not speak of this task")

    def _properties(self, change: Change) -> dict[str, Any]:
        after = change.after
        properties: dict[str, Any] = {}
        if "subject" in after:
            properties["hs_task_subject"] = str(after["subject"] or "")
        if "body" in after:
            properties[BODIES[Kind.TASK]] = to_html(after, change.key)
        if "owner" in after:
            properties["hubspot_owner_id"] = str(after["owner"] or "")
        if isinstance(due := after.get("due_at"), datetime):
            properties["hs_timestamp"] = self.terms.codec.encode(due, "datetime")
        if "done" in after:
            properties["hs_task_status"] = DONE if after["done"] else OPEN
        return properties
