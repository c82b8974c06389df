"""Turning changes into Pipedrive's requests, and its replies into receipts."""

from __future__ import annotations

import html
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from crmbridge.errors import CrmbridgeError, RefusedError, RetryLaterError, UnclearError
from crmbridge.model.changes import Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Money, Value
from crmbridge_pipedrive.account import Account, DealFields
from crmbridge_pipedrive.api import Api, Row
from crmbridge_pipedrive.finding import holds, newest_keys
from crmbridge_pipedrive.making import differs, field_body, field_named
from crmbridge_pipedrive.values import FieldDefinition, currency_of, decimal, encode
from crmbridge_pipedrive.verdicts import ForbiddenError
from crmbridge_pipedrive.walking import together

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


class _NotSentError(RetryLaterError):
    """Another change met an error that stops everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Makes changes, one request each: v2 has no bulk writes for deals, activities or notes.

    Changes of different deals go out side by side, those of one in their order.
    """

    api: Api
    account: Account
    connection: str
    currency: str | None  # of numbers that are written as amounts
    task_type: str

    @property
    def fields(self) -> DealFields:
        """Give the account's deal fields."""
        return self.account.deal_fields

    def write(self, changes: Sequence[Change]) -> list[Receipt]:
        """Make changes; an error that stops everything is raised when nothing was sent, else it fails the rest."""
        made = self._made_before(changes)
        rows: dict[str, list[int]] = {}
        for place, change in enumerate(changes):
            rows.setdefault(_row_of(change), []).append(place)
        stop = threading.Event()
        done = together([partial(self._in_order, changes, places, made, stop) for places in rows.values()])
        ended = {place: end for row in done for place, end in row.items()}
        errors = [end for end in ended.values() if isinstance(end, CrmbridgeError)]
        if errors and len(errors) == len(changes):
            raise _first_told(errors)
        return [self._as_receipt(change, ended[place]) for place, change in enumerate(changes)]

    def _in_order(
        self, changes: Sequence[Change], places: Sequence[int], made: Mapping[str, Ref], stop: threading.Event
    ) -> dict[int, Receipt | CrmbridgeError]:
        """Make the changes of one deal. After an error that stops everything nobody sends anything more."""
        ended: dict[int, Receipt | CrmbridgeError] = {}
        for place in places:
            change = changes[place]
            if stop.is_set():
                ended[place] = _NotSentError("not sent, as an earlier change could not be")
                continue
            try:
                there = made.get(change.id)
                ended[place] = self._there(change, there) if there else self._one(change)
            except CrmbridgeError as error:
                stop.set()
                ended[place] = error
        return ended

    def _as_receipt(self, change: Change, end: Receipt | CrmbridgeError) -> Receipt:
        if isinstance(end, Receipt):
            return end
        return Receipt(change=change.id, outcome=Outcome.FAILED, message=end.message)

    def _made_before(self, changes: Sequence[Change]) -> dict[str, Ref]:
        """Find the deals among the newest ones that carry a key of these creations already: one list for all."""
        keys = {change.key: change.id for change in changes if change.action is Action.CREATE and change.key}
        if not keys or self.fields.key is None:
            return {}
        found = newest_keys(self.api, self.fields.key)
        return {keys[key]: Ref(self.connection, Kind.DEAL, str(found[key])) for key in keys if key in found}

    def _there(self, change: Change, ref: Ref) -> Receipt:
        message = "a deal with this key is there already; nothing was sent"
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=ref, message=message)

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
                return self._update(change)
            case Action.TASK:
                return self._receipt(change, {}, self.api.write("activities.create", self.task_body(change)))
            case Action.NOTE:
                return self._receipt(change, {}, self.api.write("notes.create", note_body(change)))
            case Action.FIELD:
                return self._make_field(change)

    def _update(self, change: Change) -> Receipt:
        sent = self.deal_body(change)
        deal = _number(_target(change))
        return self._receipt(change, sent, self.api.write("deals.update", sent, id_=deal))

    def _create(self, change: Change) -> Receipt:
        """Make a deal, then add its further contacts: a deal is made with one, the others are its participants.

        The deal is what the change is about, so a contact that could not be added is only told.
        """
        others = _contacts(change.after.get("contacts"))[1:]
        sent = self.create_body(change)
        answered = self.api.write("deals.create", sent)
        receipt = self._receipt(change, sent, answered)
        missed = []
        for person in others:
            try:
                self.api.write("participants.create", {"person_id": person}, id_=answered["id"])
            except CrmbridgeError as error:
                missed.append(error.message)
        return replace(receipt, message="; ".join([receipt.message, *missed])) if missed else receipt

    def _make_field(self, change: Change) -> Receipt:
        """Make a deal field, unless one of its name is there; Pipedrive itself would make a second one."""
        self.account.renew(anyway=True)
        body = field_body(change, self.account.key_name)
        found = field_named(self.account.setup.definitions, body["field_name"], self.connection)
        if found is not None:
            why_not = differs(found, change)
            if why_not:
                raise RefusedError(f"{self.connection}: {why_not}", advice="Rename that field, or bind another one.")
            ref = Ref(self.connection, Kind.FIELD, found.code)
            return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=ref, message="it was there already")
        made = self.api.write("fields.create", body)
        code = made.get("field_code")
        if not isinstance(code, str):
            raise UnclearError("the answer does not name the field that was made")
        self.account.renew(anyway=True)
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=Ref(self.connection, Kind.FIELD, code))

    def _receipt(self, change: Change, sent: Row, answered: Row) -> Receipt:
        """Compare what is there now with what was sent; what differs was left out without a word.

        Answers to a PATCH were seen to say less than the whole deal, and deals to hold something else after it
        (client-nodejs #626), so what an answer does not show is read.
        """
        ref = Ref(self.connection, change.kind, str(answered["id"]))
        try:
            wrong = differences(sent, self._shown(sent, answered))
        except CrmbridgeError as error:
            message = f"Pipedrive took the request, and it could not be read back: {error.message}"
            return Receipt(change=change.id, outcome=Outcome.UNKNOWN, ref=ref, message=message)
        if wrong:
            message = f"Pipedrive took the request, but the deal has other values for {', '.join(wrong)}"
            return Receipt(change=change.id, outcome=Outcome.UNKNOWN, ref=ref, message=message)
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=ref)

    def _shown(self, sent: Row, answered: Row) -> Row:
        """Give the answer if it shows all that was sent, else the deal as it is now."""
        custom, shown = sent.get("custom_fields") or {}, answered.get("custom_fields")
        if sent.keys() <= answered.keys() and (
            not custom or (isinstance(shown, dict) and custom.keys() <= shown.keys())
        ):
            return answered
        row = self.api.get("deal", id_=answered["id"])
        return row if isinstance(row, dict) else {}

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


def differences(sent: Row, shown: Row) -> list[str]:
    """Name the fields whose value is not what was sent; one that is not shown at all counts as empty."""
    found = [name for name, value in sent.items() if name != "custom_fields" and not _same(value, shown.get(name))]
    ours, theirs = sent.get("custom_fields") or {}, shown.get("custom_fields") or {}
    return found + [code for code, value in ours.items() if not _same(value, theirs.get(code))]


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


def _row_of(change: Change) -> str:
    """Name what changes must keep their order about; creations are about nothing that is there, fields about all."""
    if change.action is Action.CREATE:
        return f"create {change.id}"
    return str(change.target)


def _first_told(errors: Sequence[CrmbridgeError]) -> CrmbridgeError:
    """Give the error that stopped the others, rather than one of those that were not sent."""
    return next((error for error in errors if not isinstance(error, _NotSentError)), errors[0])


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
