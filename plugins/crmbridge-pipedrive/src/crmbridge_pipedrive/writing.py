"""Turning changes into Pipedrive's requests, and its replies into receipts."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge.model.changes import Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Money, Value
from crmbridge_pipedrive.account import DealFields
from crmbridge_pipedrive.api import Api, Row
from crmbridge_pipedrive.finding import holds
from crmbridge_pipedrive.values import FieldDefinition, currency_of, decimal, encode
from crmbridge_pipedrive.verdicts import ForbiddenError

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Makes changes, one request each: v2 has no bulk writes for deals, activities or notes."""

    api: Api
    connection: str
    currency: str | None  # of numbers that are written as amounts
    task_type: str
    fields: DealFields

    def write(self, changes: Sequence[Change]) -> list[Receipt]:
        """Make changes one after the other.

        An error that stops everything is raised when nothing was sent before it; otherwise it is the outcome of the
        change that met it and of all that follow.
        """
        receipts: list[Receipt] = []
        for index, change in enumerate(changes):
            try:
                receipts.append(self._one(change))
            except CrmbridgeError as error:
                if not receipts:
                    raise
                rest = changes[index:]
                receipts += [Receipt(change=c.id, outcome=Outcome.FAILED, message=error.message) for c in rest]
                break
        return receipts

    def _one(self, change: Change) -> Receipt:
        try:
            return self._send(change)
        except (RefusedError, ForbiddenError) as error:
            return Receipt(change=change.id, outcome=Outcome.REFUSED, ref=change.target, message=error.message)
        except UnclearError as error:
            return Receipt(change=change.id, outcome=Outcome.UNKNOWN, message=error.message)

    def _send(self, change: Change) -> Receipt:
        match change.action:
            case Action.CREATE:
                return self._create(change)
            case Action.UPDATE:
                sent = self.deal_body(change)
                deal = _number(_target(change))
                return self._receipt(change, sent, self.api.write("PATCH", f"deals/{deal}", sent))
            case Action.TASK:
                return self._receipt(change, {}, self.api.write("POST", "activities", self.task_body(change)))
            case Action.NOTE:
                return self._receipt(change, {}, self.api.write_v1("POST", "notes", note_body(change)))
            case Action.FIELD:
                raise RefusedError("fields are made by an admin")

    def _create(self, change: Change) -> Receipt:
        """Make a deal, then add its further contacts: a deal is made with one, the others are its participants.

        The deal is what the change is about, so a contact that could not be added is only told.
        """
        others = _contacts(change.after.get("contacts"))[1:]
        sent = self.create_body(change)
        answered = self.api.write("POST", "deals", sent)
        receipt = self._receipt(change, sent, answered)
        missed = []
        for person in others:
            try:
                self.api.write_v1("POST", f"deals/{answered['id']}/participants", {"person_id": person})
            except CrmbridgeError as error:
                missed.append(error.message)
        return replace(receipt, message="; ".join([receipt.message, *missed])) if missed else receipt

    def _receipt(self, change: Change, sent: Row, answered: Row) -> Receipt:
        """Compare the answer with what was sent; what differs was left out without a word."""
        ref = Ref(self.connection, change.kind, str(answered["id"]))
        wrong = differences(sent, answered)
        if wrong:
            message = f"Pipedrive took the request, but its answer has other values for {', '.join(wrong)}"
            return Receipt(change=change.id, outcome=Outcome.UNKNOWN, ref=ref, message=message)
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=ref)

    # ── Bodies ──────────────────────────────────────────────────────────────────────────────────────────

    def create_body(self, change: Change) -> Row:
        """Give the body that makes a deal; the key goes into its custom field."""
        contacts = _contacts(change.after.get("contacts"))
        body = self.deal_body(change, {**change.after, "contacts": tuple(map(str, contacts[:1]))})
        if change.key is not None:
            if self.fields.key is None:
                raise RefusedError(
                    f"{self.connection}: the account has no field for crmbridge's key, so a deal that was made could "
                    "not be found again",
                    advice="Add a custom text field named as the connection's key_field (usually `crmbridge key`).",
                )
            body.setdefault("custom_fields", {})[self.fields.key.code] = change.key
        return body

    def deal_body(self, change: Change, after: Mapping[str, Value] | None = None) -> Row:
        """Give the body of a deal: only what changes, custom fields apart, the pipeline with its stage."""
        body: Row = {}
        for name, value in (change.after if after is None else after).items():
            self._put(body, name, value)
        position, before = change.position, change.position_before
        if position is not None:
            body["pipeline_id"] = _number(position.pipeline)
            body["stage_id"] = _number(position.stage)
            # A status that stays is not sent again: it could set the time of winning or losing anew.
            if before is None or before.status is not position.status:
                body["status"] = position.status.value
        return body

    def _put(self, body: Row, name: str, value: Value) -> None:
        """Put one value where it belongs; raises RefusedError for what Pipedrive's API can't be told."""
        try:
            if name in self.fields.bound:
                self._put_bound(body, self.fields.bound[name].definition, value)
            elif name == "amount":
                body |= _amount(value, self.currency)
            elif name == "contacts":
                body["person_id"] = _only_contact(value)
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
        if definition.custom:
            body.setdefault("custom_fields", {})[definition.code] = encoded
        else:
            body[definition.code] = encoded

    def task_body(self, change: Change) -> Row:
        """Give the body of an activity of the task type. Notes of activities are HTML; due times are in UTC."""
        after = change.after
        due, owner = after.get("due_at"), after.get("owner")
        body = {
            "subject": str(after.get("subject") or "Task"),
            "type": self.task_type,
            "note": marked_html(after.get("body"), change.key),
            **_where(change),
        }
        if isinstance(due, datetime):
            at = due.astimezone(UTC)
            body |= {"due_date": f"{at:%Y-%m-%d}", "due_time": f"{at:%H:%M:%S}"}
        if isinstance(owner, str):
            body["owner_id"] = _number(owner)
        return body


def note_body(change: Change) -> Row:
    """Give the body of a note; its content is HTML."""
    return {"content": marked_html(change.after.get("body"), change.key), **_where(change)}


def marked_html(text: Value, marker: str | None) -> str:
    """Write plain text as HTML, with the marker at its end unless it says it already."""
    plain = str(text or "")
    if marker and not holds(plain, marker):
        plain = f"{plain}\n\n{marker}".strip()
    return html.escape(plain, quote=False).replace("\r\n", "\n").replace("\n", "<br>")


def differences(sent: Row, answered: Row) -> list[str]:
    """Name the fields whose value in the answer is not what was sent; what the answer leaves out counts as taken."""
    found = [name for name, value in sent.items() if name in answered and not _same(value, answered[name])]
    return [name for name in found if name != "custom_fields"] + _different_customs(sent, answered)


def _different_customs(sent: Row, answered: Row) -> list[str]:
    ours, theirs = sent.get("custom_fields"), answered.get("custom_fields")
    if not isinstance(ours, dict) or not isinstance(theirs, dict):
        return []
    return [code for code, value in ours.items() if code in theirs and not _same(value, theirs[code])]


def _same(sent: Any, answered: Any) -> bool:
    """Tell whether an answer holds what was sent, however it writes numbers and blanks."""
    if sent in (None, "") or answered in (None, ""):
        return (sent in (None, "", 0)) == (answered in (None, "", 0))
    if isinstance(sent, dict) and isinstance(answered, dict):
        return all(_same(value, answered.get(name)) for name, value in sent.items())
    if isinstance(sent, list) and isinstance(answered, list):
        return sorted(map(str, sent)) == sorted(map(str, answered))
    try:
        return decimal(sent) == decimal(answered)
    except ValueError:
        return _letters(str(sent)) == _letters(str(answered))


def _letters(text: str) -> str:
    """Leave out what a CRM may drop or replace in a text: blanks, control characters, halves of characters."""
    return "".join(c for c in text if c.isprintable() and not c.isspace() and c != "\ufffd")


def _amount(value: Value, currency: str | None) -> Row:
    if isinstance(value, Money):
        return {"value": value.amount, "currency": value.currency}
    if value is None:
        return {"value": None}
    if isinstance(value, Decimal | int):
        return {"value": decimal(value), "currency": currency_of(None, currency)}
    raise ValueError("not an amount")


def _only_contact(value: Value) -> int | None:
    """Give the main contact; which of a deal's participants to drop or add is not for an update to guess."""
    people = _contacts(value)
    if len(people) > 1:
        raise ValueError("a deal is updated with one contact; add the others as participants in Pipedrive")
    return people[0] if people else None


def _contacts(value: Value) -> list[int]:
    given = value if isinstance(value, tuple) else (value,)
    return [_number(str(person)) for person in given if person is not None]


def _where(change: Change) -> Row:
    target = _ref(change)
    return {"org_id" if target.kind is Kind.COMPANY else "deal_id": _number(target.id)}


def _ref(change: Change) -> Ref:
    if change.target is None:
        raise RefusedError(f"{change.connection}: the change {change.id} does not say what it is about")
    return change.target


def _target(change: Change) -> str:
    return _ref(change).id


def _number(text: str) -> int:
    if not text.isdecimal():
        raise RefusedError(f"{text!r} is not an id of Pipedrive; its ids are numbers")
    return int(text)
