"""Writes changes: the bodies HubSpot is sent, and the receipts read from its answers, item by item."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from crmbridge.errors import CrmbridgeError, RefusedError, RetryLaterError, UnclearError
from crmbridge.http.client import tidy
from crmbridge.model.changes import Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Money, Value
from crmbridge_hubspot.account import CURRENCY_PROPERTY, Account
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.mapping import OBJECTS, Terms, Words
from crmbridge_hubspot.values import Codec

BATCH = 100
LINKED = ("company", "contacts")  # fields that HubSpot keeps as associations; set when a deal is created
# HUBSPOT_DEFINED association types ("Associate records"): of a deal with its primary company and its contacts, and
# of tasks and notes with what they hang on.
DEAL_COMPANY, DEAL_CONTACT = 5, 3
ATTACHED = {
    (Kind.TASK, Kind.DEAL): 216,
    (Kind.TASK, Kind.COMPANY): 192,
    (Kind.TASK, Kind.CONTACT): 204,
    (Kind.NOTE, Kind.DEAL): 214,
    (Kind.NOTE, Kind.COMPANY): 190,
    (Kind.NOTE, Kind.CONTACT): 202,
}
ATTACHMENTS = {Kind.TASK: "tasks", Kind.NOTE: "notes"}
BODIES = {Kind.TASK: "hs_task_body", Kind.NOTE: "hs_note_body"}
PATHS = {
    Action.UPDATE: ("deals", "/batch/update"),
    Action.CREATE: ("deals", "/batch/create"),
    Action.TASK: ("tasks", "/batch/create"),
    Action.NOTE: ("notes", "/batch/create"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes changes of one action in one batch call each."""

    api: HubSpotApi
    terms: Terms
    now: Callable[[], datetime]

    @property
    def words(self) -> Words:
        """The connection's names."""
        return self.terms.words

    @property
    def account(self) -> Account:
        """The account's set-up."""
        return self.terms.account

    @property
    def codec(self) -> Codec:
        """The account's forms of values."""
        return self.terms.codec

    def write(self, changes: Sequence[Change]) -> list[Receipt]:
        """Make changes of one action; one receipt each, in order."""
        receipts: dict[str, Receipt] = {}
        inputs: dict[str, Mapping[str, Any]] = {}
        for change in changes:
            try:
                inputs[change.id] = self._input(change)
            except RefusedError as error:
                receipts[change.id] = _receipt(change, Outcome.REFUSED, error.message)
        sendable = [change for change in changes if change.id in inputs]
        if _alone(sendable):
            receipts |= self._one_by_one(sendable, inputs)
        elif sendable:
            receipts |= self._together(sendable, inputs)
        return [receipts[change.id] for change in changes]

    def _together(self, changes: Sequence[Change], inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Receipt]:
        kind, rest = PATHS[changes[0].action]
        body = {"inputs": [inputs[change.id] for change in changes]}
        try:
            answer = self.api.write(self.api.paths.object(kind, rest), body)
        except UnclearError as error:
            return {change.id: _receipt(change, Outcome.UNKNOWN, error.message) for change in changes}
        except RefusedError as error:
            if len(changes) > 1:  # nothing was done: one bad item can fail all of them
                return self._one_by_one(changes, inputs)
            return {changes[0].id: _receipt(changes[0], Outcome.REFUSED, error.message)}
        return self._read_answer(changes, answer)

    def _one_by_one(self, changes: Sequence[Change], inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Receipt]:
        receipts: dict[str, Receipt] = {}
        for change in changes:
            try:
                receipts |= self._together([change], inputs)
            except CrmbridgeError as error:
                if not receipts:
                    raise
                receipts[change.id] = _receipt(change, Outcome.FAILED, error.message)
        return receipts

    # ── What is sent ────────────────────────────────────────────────────────────────────────────────────

    def _input(self, change: Change) -> dict[str, Any]:
        match change.action:
            case Action.UPDATE:
                if change.target is None:
                    raise RefusedError("the change names no deal")
                return {"id": change.target.id, "properties": self._properties(change), **_trace(change)}
            case Action.CREATE:
                return self._creation(change)
            case _:
                return self._attachment(change)

    def _creation(self, change: Change) -> dict[str, Any]:
        """Make a deal with its key, so that HubSpot refuses a second one, and with its links in the same request."""
        key_field = self.account.fields.get(self.words.key_field)
        if change.key and (key_field is None or not key_field.unique):
            raise RefusedError(
                f"the account has no deal property {self.words.key_field!r} with unique values; make one in HubSpot"
            )
        properties = {**self._properties(change), **({self.words.key_field: change.key} if change.key else {})}
        company, contacts = change.after.get("company"), change.after.get("contacts")
        links = [_link(company, DEAL_COMPANY)] if company else []
        links += [_link(contact, DEAL_CONTACT) for contact in (contacts if isinstance(contacts, tuple) else ())]
        return {"properties": properties, "associations": links, **_trace(change)}

    def _properties(self, change: Change) -> dict[str, str]:
        properties: dict[str, str] = {}
        for name, value in change.after.items():
            if name in LINKED and change.action is Action.CREATE:
                continue
            properties |= self._property(name, value)
        if change.position is not None:  # the stage must belong to the pipeline, so both go in one write
            properties |= {"pipeline": change.position.pipeline, "dealstage": change.position.stage}
        return properties

    def _property(self, name: str, value: Value) -> dict[str, str]:
        native = self.words.native(name)
        if native is None:
            raise RefusedError(f"the field {name!r} can't be written to HubSpot")
        known = self.account.fields.get(native)
        if known is None:
            raise RefusedError(f"the account has no deal property {native!r}")
        if not known.writable:
            raise RefusedError(f"the deal property {native!r} is read-only")
        written = {native: self.codec.encode(value, self.account.native_types.get(native, ""))}
        return {**written, **self._currency(value)} if isinstance(value, Money) else written

    def _currency(self, money: Money) -> dict[str, str]:
        known = self.account.fields.get(CURRENCY_PROPERTY)
        if known is not None and known.writable:
            return {CURRENCY_PROPERTY: money.currency}
        if money.currency != self.codec.currency:
            raise RefusedError(
                f"the account keeps amounts in {self.codec.currency} only, this one is in {money.currency}"
            )
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
        return self.codec.encode(value if isinstance(value, datetime) else self.now(), "datetime")

    # ── What is answered ────────────────────────────────────────────────────────────────────────────────

    def _read_answer(self, changes: Sequence[Change], answer: Mapping[str, Any]) -> dict[str, Receipt]:
        errors = [each for each in answer.get("errors") or () if isinstance(each, dict)]
        results = [each for each in answer.get("results") or () if isinstance(each, dict)]
        return {change.id: self._read_one(change, results, errors, alone=len(changes) == 1) for change in changes}

    def _read_one(
        self, change: Change, results: Sequence[Any], errors: Sequence[Mapping[str, Any]], *, alone: bool
    ) -> Receipt:
        error = next((each for each in errors if _speaks_of(each, change, alone=alone)), None)
        if error is not None:
            said = tidy(str(error.get("message") or error.get("category") or "refused"))
            return self._taken_key(change, error) or _receipt(change, Outcome.REFUSED, f"HubSpot refused it: {said}")
        result = next((each for each in results if self._is_of(each, change, alone=alone)), None)
        if result is None:
            # Merged-away ids are left out without a word, and answers need not show what tells items apart.
            return _receipt(change, Outcome.UNKNOWN, "HubSpot's answer does not speak of this change")
        return _receipt(change, Outcome.APPLIED, ref=self.words.ref(change.kind, result["id"]))

    def _is_of(self, result: Mapping[str, Any], change: Change, *, alone: bool) -> bool:
        """Tell whether a result is that of a change; results come in no order."""
        properties = result.get("properties") or {}
        match change.action:
            case Action.UPDATE:
                return change.target is not None and str(result.get("id")) == change.target.id
            case Action.CREATE:
                return alone or (bool(change.key) and properties.get(self.words.key_field) == change.key)
            case _:
                return alone or has_marker(properties.get(BODIES[change.kind]), change.key or "")

    def _taken_key(self, change: Change, error: Mapping[str, Any]) -> Receipt | None:
        """Tell of a creation that had happened before: the key is taken by the deal that it made."""
        if change.action is not Action.CREATE or not change.key or error.get("category") != "CONFLICT":
            return None
        try:
            ref = find_deal(self.api, self.words, change.key)
        except RetryLaterError as later:
            return _receipt(change, Outcome.UNKNOWN, later.message)
        return _receipt(change, Outcome.APPLIED, "it was there already", ref=ref) if ref else None


def _alone(changes: Sequence[Change]) -> bool:
    """Tell whether two changes are of one deal: their answers could not be told apart."""
    targets = [change.target for change in changes if change.action is Action.UPDATE]
    return len(set(targets)) < len(targets)


def _receipt(change: Change, outcome: Outcome, message: str = "", ref: Ref | None = None) -> Receipt:
    return Receipt(change=change.id, outcome=outcome, message=message, ref=ref)


def _trace(change: Change) -> dict[str, str]:
    return {"objectWriteTraceId": change.id}  # with it, a bad item fails alone and is named in the answer


def _link(target: Value, kind: int) -> dict[str, Any]:
    return {
        "to": {"id": str(target)},
        "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": kind}],
    }


def _speaks_of(error: Mapping[str, Any], change: Change, *, alone: bool) -> bool:
    context = error.get("context") or {}
    if change.id in _list(context.get("objectWriteTraceId")):
        return True
    return alone or (change.target is not None and change.target.id in _list(context.get("ids")))


def _list(value: Any) -> list[str]:
    return [str(each) for each in (value if isinstance(value, list) else [value]) if each is not None]


# ── Markers ─────────────────────────────────────────────────────────────────────────────────────────────


def to_html(after: Mapping[str, Value], marker: str | None) -> str:
    """Write plain text as HTML, as HubSpot shows bodies, with the marker on a line of its own at the end."""
    lines = str(after.get("body") or "").split("\n")
    if marker:
        lines.append(f"[{marker}]")
    return "<br>".join(html.escape(line, quote=False) for line in lines)


def has_marker(body: Any, marker: str) -> bool:
    """Tell whether a body ends with a marker, however the editor has wrapped it."""
    text = html.unescape(re.sub(r"<[^>]*>", "", str(body or "")))
    return bool(marker) and text.rstrip().endswith(f"[{marker}]")


def find_deal(api: HubSpotApi, words: Words, key: str) -> Ref | None:
    """Find the deal with this key, by the unique property itself, which is not late as the search index is."""
    found = api.read("deals", [key], [words.key_field], idProperty=words.key_field)
    exact = [raw for raw in found if raw["properties"].get(words.key_field) == key]
    return words.ref(Kind.DEAL, exact[0]["id"]) if exact else None


def find_attachment(api: HubSpotApi, words: Words, kind: Kind, key: str, near: Ref) -> Ref | None:
    """Find the task or note with this marker among those that hang on a record."""
    name, body = ATTACHMENTS[kind], BODIES[kind]
    ids = {
        str(link["toObjectId"]) for links in api.links(OBJECTS[near.kind], name, [near.id]).values() for link in links
    }
    found = [raw for raw in api.read(name, sorted(ids), [body]) if has_marker(raw["properties"].get(body), key)]
    return words.ref(kind, min(str(raw["id"]) for raw in found)) if found else None
