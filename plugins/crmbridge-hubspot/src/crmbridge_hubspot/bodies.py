"""The bodies that HubSpot is sent for changes, with the markers that find tasks and notes again."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from crmbridge.adapting import NotReadyError, bare_text
from crmbridge.errors import RefusedError
from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Kind
from crmbridge.model.values import Money, Value
from crmbridge_hubspot.account import CURRENCY_PROPERTY
from crmbridge_hubspot.counterparts import KNOWN_BY, made_properties
from crmbridge_hubspot.mapping import Terms
from crmbridge_hubspot.objects import LINKED
from crmbridge_hubspot.values import SAY_CURRENCY, flag_option

# HUBSPOT_DEFINED association types ("Associate records"): of a deal with its primary company and its contacts, of a
# contact with its primary company, and of tasks and notes with what they hang on.
DEAL_COMPANY, DEAL_CONTACT, CONTACT_COMPANY = 5, 3, 1
ATTACHED = {
    (Kind.TASK, Kind.DEAL): 216,
    (Kind.TASK, Kind.COMPANY): 192,
    (Kind.TASK, Kind.CONTACT): 204,
    (Kind.NOTE, Kind.DEAL): 214,
    (Kind.NOTE, Kind.COMPANY): 190,
    (Kind.NOTE, Kind.CONTACT): 202,
}
BODIES = {Kind.TASK: "hs_task_body", Kind.NOTE: "hs_note_body"}


class Bodies(Struct, frozen=True, kw_only=True):
    """Makes the item of a batch that stands for a change; refuses what the account can't take, before it is sent."""

    terms: Terms
    now: Callable[[], datetime]

    def of(self, change: Change) -> dict[str, Any]:
        """Make the item of a change; raises RefusedError."""
        match change.action:
            case Action.UPDATE:
                if change.target is None:
                    raise RefusedError("the change names no deal")
                return {"id": change.target.id, "properties": self._properties(change), **_trace(change)}
            case Action.CREATE if change.creates is Kind.DEAL:
                return self._creation(change)
            case Action.CREATE:
                return _counterpart(change)
            case _:
                return self._attachment(change)

    def takes(self, change: Change) -> bool:
        """Tell whether a change can be written."""
        try:
            self.of(change)
        except RefusedError:
            return False
        return True

    def _creation(self, change: Change) -> dict[str, Any]:
        """Make a deal with its key, so that HubSpot refuses a second one, and with its links in the same request."""
        name = self.terms.words.key_field
        known = self.terms.account.fields.get(name)
        if not change.key or known is None or not known.unique:
            setup = f"`crmbridge connections setup {self.terms.words.connection}` does, or says how"
            raise NotReadyError(f"the account has no deal property {name!r} with unique values; make one: {setup}")
        properties = {**self._properties(change), name: change.key}
        company, contacts = change.after.get("company"), change.after.get("contacts")
        links = [_link(company, DEAL_COMPANY)] if company else []
        links += [_link(contact, DEAL_CONTACT) for contact in (contacts if isinstance(contacts, tuple) else ())]
        return {"properties": properties, "associations": links, **_trace(change)}

    def _properties(self, change: Change) -> dict[str, str]:
        properties: dict[str, str] = {}
        for name, value in change.after.items():
            if name not in LINKED:
                properties |= self._property(name, value)
        if change.position is not None:  # the stage must belong to the pipeline, so both go in one write
            properties |= {"pipeline": change.position.pipeline, "dealstage": change.position.stage}
        return properties

    def _property(self, name: str, value: Value) -> dict[str, str]:
        native = self.terms.words.native(name)
        if native is None:
            raise RefusedError(f"the field {name!r} can't be written to HubSpot")
        known = self.terms.account.fields.get(native)
        if known is None:
            raise RefusedError(f"the account has no deal property {native!r}")
        if not known.writable:
            raise RefusedError(f"the deal property {native!r} is read-only")
        if isinstance(value, bool) and known.options:
            return {native: flag_option(value, known)}
        written = {native: self.terms.codec.encode(value, self.terms.account.native_types.get(native, ""))}
        return {**written, **self._currency(value)} if isinstance(value, Money) else written

    def _currency(self, money: Money) -> dict[str, str]:
        known = self.terms.account.fields.get(CURRENCY_PROPERTY)
        if known is not None and known.writable:
            return {CURRENCY_PROPERTY: money.currency}
        kept = self.terms.codec.currency
        if kept is None:
            raise NotReadyError(f"the account does not say which currency its amounts are in; {SAY_CURRENCY}")
        if money.currency != kept:
            raise RefusedError(f"the account keeps amounts in {kept} only, this one is in {money.currency}")
        return {}

    def _attachment(self, change: Change) -> dict[str, Any]:
        """Make a task or note on its target. Its marker stands at the end of its body."""
        if change.target is None or (change.kind, change.target.kind) not in ATTACHED:
            raise RefusedError(f"HubSpot can't hang a {change.kind} on {change.target or 'nothing'}")
        after = change.after
        properties = {"hs_timestamp": self._time(after.get("due_at")), BODIES[change.kind]: to_html(after, change.key)}
        if after.get("owner"):
            properties["hubspot_owner_id"] = str(after["owner"])
        if change.kind is Kind.TASK:
            properties |= {"hs_task_subject": str(after.get("subject") or ""), "hs_task_status": "NOT_STARTED"}
            properties |= {"hs_task_type": "TODO"}
        link = _link(change.target.id, ATTACHED[change.kind, change.target.kind])
        return {"properties": properties, "associations": [link], **_trace(change)}

    def _time(self, value: Value) -> str:
        return self.terms.codec.encode(value if isinstance(value, datetime) else self.now(), "datetime")


def _counterpart(change: Change) -> dict[str, Any]:
    """Make a company or contact, a contact with its company in the same request."""
    if change.creates not in KNOWN_BY:
        raise RefusedError(f"HubSpot can't make a {change.creates}")
    company = change.after.get("company") if change.creates is Kind.CONTACT else None
    links = [_link(company, CONTACT_COMPANY)] if company else []
    return {"properties": made_properties(change), "associations": links, **_trace(change)}


def _trace(change: Change) -> dict[str, str]:
    return {"objectWriteTraceId": change.id}  # with it, a bad item fails alone and is named in the answer


def _link(target: Value, kind: int) -> dict[str, Any]:
    return {
        "to": {"id": str(target)},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": kind}],
    }


# ── Markers ─────────────────────────────────────────────────────────────────────────────────────────────


def to_html(after: Mapping[str, Value], marker: str | None) -> str:
    """Write plain text as HTML, as HubSpot shows bodies, with the marker on a line of its own at the end."""
    lines = str(after.get("body") or "").split("\n")
    if marker:
        lines.append(f"[{marker}]")
    return "<br>".join(html.escape(line, quote=False) for line in lines)


def has_marker(body: Any, marker: str) -> bool:
    """Tell whether a body holds a marker, however the editor has wrapped it and whatever people wrote after it."""
    return bool(marker) and f"[{marker}]" in bare_text(str(body or ""))
