"""The bodies that changes are sent as: deals with only what changes, tasks and notes with their markers."""

from __future__ import annotations

import html
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from msgspec import Struct

from crmbridge.adapting import NotReadyError
from crmbridge.errors import RefusedError
from crmbridge.model.changes import Change
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Money, Value
from crmbridge_pipedrive.account import DealFields
from crmbridge_pipedrive.api import Row
from crmbridge_pipedrive.finding import PLACES, holds
from crmbridge_pipedrive.values import FieldDefinition, currency_of, decimal, encode

READ_ONLY = frozenset(
    {"source", "activities", "activities_done", "activities_open", "last_activity_at", "next_activity_at"}
)
_TEXT = FieldDefinition(code="", label="", native_type="varchar")
_DATE = FieldDefinition(code="", label="", native_type="date")
_USER = FieldDefinition(code="", label="", native_type="user")
# Our names of plain deal fields, with Pipedrive's names and forms.
PLAIN = {
    "name": ("title", _TEXT),
    "close_date": ("expected_close_date", _DATE),
    "owner": ("owner_id", _USER),
    "company": ("org_id", _USER),
    "lost_reason": ("lost_reason", _TEXT),
}

SEVERAL = {
    "amount": frozenset({"value", "currency"}),
    "stage": frozenset({"stage_id", "pipeline_id", "status"}),
    "contacts": frozenset({"person_id"}),
}


class Bodies(Struct, frozen=True, kw_only=True):
    """Makes the bodies for one connection. `currency` is that of numbers that are written as amounts."""

    connection: str
    currency: str | None
    task_type: str
    fields: DealFields

    def create_body(self, change: Change) -> Row:
        """Give the body that makes a deal; the key goes into its custom field."""
        body = self.deal_body(change)
        contacts = contacts_of(change.after.get("contacts"))
        if contacts:
            body["person_id"] = contacts[0]
        if change.key is not None:
            if self.fields.key is None:
                raise NotReadyError(
                    f"{self.connection}: the account has no field for crmbridge's key, so a deal that was made could "
                    "not be found again",
                    advice="Add a custom text field named as the connection's key_field (usually `crmbridge key`).",
                )
            body.setdefault("custom_fields", {})[self.fields.key.code] = change.key
        return body

    def deal_body(self, change: Change) -> Row:
        """Give the body of a deal: only what changes, custom fields apart, the pipeline with its stage.

        Its contacts are not in it: which of them goes into the body depends on the deal.
        """
        body: Row = {}
        for name, value in change.after.items():
            if name != "contacts":
                self._put(body, name, value)
        position, before = change.position, change.position_before
        if position is not None:
            body["pipeline_id"] = number_of(position.pipeline)
            body["stage_id"] = number_of(position.stage)
            # A status that stays is not sent again: it could set the time of winning or losing anew.
            if before is None or before.status is not position.status:
                body["status"] = position.status.value
        return body

    def fields_in(self, change: Change, natives: Collection[str]) -> tuple[str, ...]:
        """Name the fields of a deal's update that are written to some of Pipedrive's fields."""
        return tuple(edit.name for edit in change.edits if not self._natives(edit.name).isdisjoint(natives))

    def _natives(self, name: str) -> frozenset[str]:
        if name in self.fields.bound:
            return frozenset({self.fields.bound[name].definition.code})
        return frozenset({PLAIN[name][0]}) if name in PLAIN else SEVERAL.get(name, frozenset())

    def _put(self, body: Row, name: str, value: Value) -> None:
        """Put one value where it belongs; raises RefusedError for what Pipedrive's API can't be told."""
        try:
            if name in self.fields.bound:
                self._put_bound(body, self.fields.bound[name].definition, value)
            elif name == "amount":
                body |= _amount(value, self.currency)
            elif name in PLAIN:
                native, form = PLAIN[name]
                body[native] = encode(value, form, self.currency)
            else:
                reason = (
                    "can't be written through Pipedrive's API" if name in READ_ONLY else "is bound to no deal field"
                )
                raise RefusedError(f"{self.connection}: {name} {reason}", advice="Leave the field out of the sync.")
        except ValueError as error:
            raise RefusedError(f"{self.connection}: {name} can't be written: {error}") from error

    def _put_bound(self, body: Row, definition: FieldDefinition, value: Value) -> None:
        encoded = encode(value, definition, self.currency)
        if encoded is None and definition.native_type == "set" and not definition.custom:
            encoded = []  # null clears custom fields only; labels are a list, which replaces the one that is there
        if definition.custom:
            body.setdefault("custom_fields", {})[definition.code] = encoded
        else:
            body[definition.code] = encoded

    def task_body(self, change: Change) -> Row:
        """Give the body of an activity of the task type. Notes of activities are HTML; due times are in UTC."""
        after = change.after
        return {
            "subject": str(after.get("subject") or "Task"),
            "type": self.task_type,
            "note": marked_html(after.get("body"), change.key),
            **_task_on(change),
            **_when_and_whose(after),
        }

    def amended(self, change: Change) -> Row:
        """Give the body that changes a task: only what changes, and whether it is done."""
        after = change.after
        body = _when_and_whose(after)
        if "subject" in after:
            body["subject"] = str(after["subject"] or "Task")
        if "body" in after:
            body["note"] = marked_html(after["body"], change.key)
        if "done" in after:
            body["done"] = bool(after["done"])
        return body


def _when_and_whose(after: Mapping[str, Value]) -> Row:
    """Give when a task is due, in UTC, and its owner, as far as it says."""
    due, owner = after.get("due_at"), after.get("owner")
    body: Row = {}
    if isinstance(due, datetime):
        at = due.astimezone(UTC)
        body |= {"due_date": f"{at:%Y-%m-%d}", "due_time": f"{at:%H:%M:%S}"}
    if isinstance(owner, str):
        body["owner_id"] = number_of(owner)
    return body


def company_body(change: Change) -> Row:
    """Give the body that makes an organization; its domain is kept as its website."""
    after = _known(change, {"name", "domain"})
    domain = after.get("domain")
    return {"name": str(after.get("name") or domain or ""), **({"website": str(domain)} if domain else {})}


def contact_body(change: Change) -> Row:
    """Give the body that makes a person, with the company in the same request."""
    after = _known(change, {"name", "email", "title", "company"})
    email, title, company = after.get("email"), after.get("title"), after.get("company")
    body: Row = {"name": str(after.get("name") or email or "")}
    if email:
        body["emails"] = [{"value": str(email), "primary": True, "label": "work"}]
    if company:
        body["org_id"] = number_of(str(company))
    return body | ({"job_title": str(title)} if title else {})


def _known(change: Change, names: set[str]) -> Mapping[str, Value]:
    """Give what a change writes; raises RefusedError for a field that Pipedrive has no place for."""
    unknown = sorted(name for name, value in change.after.items() if name not in names and value is not None)
    if unknown:
        raise RefusedError(f"{change.connection}: {unknown[0]} can't be written on a {change.creates}")
    return change.after


def note_body(change: Change) -> Row:
    """Give the body of a note; its content is HTML."""
    return {"content": marked_html(change.after.get("body"), change.key), **_where(change)}


def marked_html(text: Value, marker: str | None) -> str:
    """Write plain text as HTML, with the marker at its end unless it says it already."""
    plain = str(text or "")
    if marker and not holds(plain, marker):
        plain = f"{plain}\n\n{marker}".strip()
    return html.escape(plain, quote=False).replace("\r\n", "\n").replace("\n", "<br>")


def _amount(value: Value, currency: str | None) -> Row:
    if isinstance(value, Money):
        return {"value": value.amount, "currency": value.currency}
    if value is None:  # it may be no null ("Update a deal"), and 0 stands for none
        return {"value": 0}
    if isinstance(value, Decimal | int):
        return {"value": decimal(value), "currency": currency_of(None, currency)}
    raise ValueError("not an amount")


def contacts_of(value: Value) -> list[int]:
    """Give the ids of contacts; raises RefusedError for one that is none of Pipedrive's."""
    given = value if isinstance(value, tuple) else (value,)
    return [number_of(str(person)) for person in given if person is not None]


def _where(change: Change) -> Row:
    target = ref_of(change)
    if target.kind not in PLACES:
        raise RefusedError(f"{change.connection}: Pipedrive can't hang a {change.kind} on a {target.kind}")
    return {PLACES[target.kind]: number_of(target.id)}


def _task_on(change: Change) -> Row:
    """Say what a task hangs on; a person is its main participant ("Activities: Add a new activity")."""
    place = _where(change)
    person = place.pop(PLACES[Kind.CONTACT], None)
    return place if person is None else {"participants": [{"person_id": person, "primary": True}]}


def ref_of(change: Change) -> Ref:
    """Give what a change is about; raises RefusedError when it does not say."""
    if change.target is None:
        raise RefusedError(f"{change.connection}: the change {change.id} does not say what it is about")
    return change.target


def number_of(text: str) -> int:
    """Read an id; raises RefusedError for one that is none of Pipedrive's."""
    if not text.isdecimal():
        raise RefusedError(f"{text!r} is not an id of Pipedrive; its ids are numbers")
    return int(text)
