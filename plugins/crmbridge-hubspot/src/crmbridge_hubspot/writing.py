"""Writes changes, and reads the receipts from HubSpot's answers, item by item."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from crmbridge.adapting import one_by_one, outcome_of, there_already
from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge.model.changes import FOUND, Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge_hubspot.account import CURRENCY_PROPERTY
from crmbridge_hubspot.api import HubSpotApi
from crmbridge_hubspot.associating import Associating
from crmbridge_hubspot.bodies import BODIES, Bodies, has_marker
from crmbridge_hubspot.counterparts import Lookup, has_key, natural_key
from crmbridge_hubspot.currencies import turning
from crmbridge_hubspot.mapping import Terms, Words
from crmbridge_hubspot.objects import TYPES
from crmbridge_hubspot.replies import (
    HeldError,
    TakenError,
    WrongValuesError,
    is_taken,
    named_by,
    worded,
    wrong_properties,
)

ATTACHMENTS = {Kind.TASK: "tasks", Kind.NOTE: "notes"}
TABLES = {Kind.DEAL: "deals", Kind.COMPANY: "companies", Kind.CONTACT: "contacts", **ATTACHMENTS}
MORE = {"stage": ("pipeline", "dealstage"), "amount": (CURRENCY_PROPERTY,)}  # what else is written for a field
EXISTING = re.compile(r"Existing ID: (\d+)")  # of a contact whose e-mail is taken; only the words say it (php#59)


class Writer(Struct, frozen=True, kw_only=True):
    """Writes changes of one action in one batch call each."""

    api: HubSpotApi
    terms: Terms
    now: Callable[[], datetime]
    lookup: Lookup

    def write(self, changes: Sequence[Change]) -> list[Receipt]:
        """Make changes of one action; one receipt each, in order."""
        receipts: dict[str, Receipt] = {}
        inputs: dict[str, Mapping[str, Any]] = {}
        bodies = Bodies(terms=self.terms, now=self.now)
        for change in changes:
            try:
                inputs[change.id] = bodies.of(change)
            except RefusedError as error:
                receipts[change.id] = _receipt(change, outcome_of(change, error), error.message)
        for change, why in turning(self.api, self.terms, [change for change in changes if change.id in inputs]):
            receipts[change.id] = _receipt(change, Outcome.REFUSED, why)
        companies = [change for change in changes if change.creates is Kind.COMPANY and change.id not in receipts]
        receipts |= there_already(companies, natural_key, self.lookup.find)  # which HubSpot does not keep apart
        sendable = [change for change in changes if change.id not in receipts]
        for kind in dict.fromkeys(change.kind for change in sendable):
            group = [change for change in sendable if change.kind is kind]
            receipts |= self._of_kind(group, inputs, sent=kind is not sendable[0].kind)
        return [receipts[change.id] for change in changes]

    def _of_kind(
        self, changes: Sequence[Change], inputs: Mapping[str, Mapping[str, Any]], *, sent: bool
    ) -> dict[str, Receipt]:
        """Write changes of one object type; raises only where nothing was `sent` before."""
        try:
            filled = [change for change in changes if inputs[change.id]["properties"]]
            send = self._one_by_one if _are_alike(filled) else self._together
            receipts = send(filled, inputs) if filled else {}
            return receipts | self._associate(changes, receipts)
        except CrmbridgeError as error:
            if not sent:
                raise
            return {change.id: _receipt(change, Outcome.FAILED, error.message) for change in changes}

    def _associate(self, changes: Sequence[Change], receipts: Mapping[str, Receipt]) -> dict[str, Receipt]:
        """Write what hangs on deals, after their fields; a change is applied when all of it is."""
        done = [
            change
            for change in changes
            if change.action is Action.UPDATE
            and (change.id not in receipts or receipts[change.id].outcome is Outcome.APPLIED)
        ]
        results = Associating(api=self.api, begun=bool(receipts)).carry_out(done)
        found: dict[str, Receipt] = {}
        for change in done:
            outcome, said = results.get(change.id, (Outcome.APPLIED, ""))
            if outcome is not Outcome.APPLIED and change.id in receipts:
                said = f"its fields were written, but {said}"
            if change.id in results or change.id not in receipts:
                ref = change.target if outcome is Outcome.APPLIED else None
                found[change.id] = _receipt(change, outcome, said, ref)
        return found

    def _together(self, changes: Sequence[Change], inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Receipt]:
        rest = "/batch/update" if changes[0].action is Action.UPDATE else "/batch/create"
        body = {"inputs": [inputs[change.id] for change in changes]}
        try:
            answer = self.api.write(self.api.paths.object(TABLES[changes[0].kind], rest), body)
        except UnclearError as error:
            return {change.id: _receipt(change, Outcome.UNKNOWN, error.message) for change in changes}
        except RefusedError as error:
            if len(changes) > 1:  # nothing was done: one bad item can fail all of them
                return self._one_by_one(changes, inputs)
            if isinstance(error, TakenError) and (made := self._made_before(changes[0], error.message)):
                return {changes[0].id: made}
            return {changes[0].id: self._refused(changes[0], error)}
        return self._read_answer(changes, answer)

    def _one_by_one(self, changes: Sequence[Change], inputs: Mapping[str, Mapping[str, Any]]) -> dict[str, Receipt]:
        receipts: dict[str, Receipt] = {}
        for change, found in one_by_one(changes, lambda change: self._alone(change, inputs)):
            if not isinstance(found, CrmbridgeError):
                receipts[change.id] = found
            elif not receipts:
                raise found
            else:
                receipts[change.id] = _receipt(change, Outcome.FAILED, found.message)
        return receipts

    def _alone(self, change: Change, inputs: Mapping[str, Mapping[str, Any]]) -> Receipt:
        try:
            return self._together([change], inputs)[change.id]
        except HeldError as error:
            return _receipt(change, Outcome.FAILED, error.message)

    # ── What is answered ────────────────────────────────────────────────────────────────────────────────

    def _read_answer(self, changes: Sequence[Change], answer: Mapping[str, Any]) -> dict[str, Receipt]:
        errors = [each for each in answer.get("errors") or () if isinstance(each, dict)]
        results = [each for each in answer.get("results") or () if isinstance(each, dict)]
        receipts = {change.id: self._read_one(change, results, errors, alone=len(changes) == 1) for change in changes}
        silent = [change for change in changes if receipts[change.id] is None]
        receipts |= self._read_back([change for change in silent if change.action is Action.UPDATE])
        unclear = "HubSpot's answer does not speak of this change"
        return {each: receipt or _receipt_of(each, Outcome.UNKNOWN, unclear) for each, receipt in receipts.items()}

    def _read_back(self, changes: Sequence[Change]) -> dict[str, Receipt | None]:
        """Look what became of updates that the answer leaves out, as it does with ids that were merged away."""
        targets = {change.target.id: change for change in changes if change.target is not None}
        if not targets:
            return {}
        wanted = {each: self._written(change) for each, change in targets.items()}
        names = sorted({name for properties in wanted.values() for name in properties})
        try:
            found = {str(raw["id"]): raw["properties"] for raw in self.api.read("deals", list(targets), names)}
        except CrmbridgeError:  # something was written: nothing may be raised any more
            return {}
        return {change.id: _seen(change, wanted[each], found.get(each)) for each, change in targets.items()}

    def _written(self, change: Change) -> Mapping[str, str]:
        properties: Mapping[str, str] = Bodies(terms=self.terms, now=self.now).of(change)["properties"]
        return properties

    def _read_one(
        self, change: Change, results: Sequence[Any], errors: Sequence[Mapping[str, Any]], *, alone: bool
    ) -> Receipt | None:
        """Read a change's receipt from an answer; None where it does not speak of the change."""
        error = next((each for each in errors if _speaks_of(each, change, alone=alone)), None)
        if error is not None:
            said = worded(str(error.get("message") or error.get("category") or "refused"))
            made = self._made_before(change, said) if is_taken(error) else None
            kind = TakenError if is_taken(error) else WrongValuesError
            return made or self._refused(change, kind(f"HubSpot refused it: {said}", wrong_properties(error)))
        result = next((each for each in results if self._is_of(each, change, alone=alone)), None)
        if result is None:
            return None
        return _receipt(change, Outcome.APPLIED, ref=self.terms.words.ref(change.kind, result["id"]))

    def _refused(self, change: Change, error: RefusedError) -> Receipt:
        """Give the receipt of what HubSpot refused, with the fields that stand for the properties that it named.

        A deal is made later where its key can't be written, as the property went or was locked: that is mended once.
        """
        words = self.terms.words
        named = error.properties if isinstance(error, WrongValuesError) else frozenset()
        natives = {edit.name: {words.native(edit.name), *MORE.get(edit.name, ())} for edit in change.edits}
        blamed = tuple(name for name, held in natives.items() if not held.isdisjoint(named))
        later = change.action is Action.CREATE and words.key_field in named and not isinstance(error, TakenError)
        outcome = Outcome.FAILED if later else Outcome.REFUSED
        return replace(_receipt(change, outcome, error.message), blamed=blamed)

    def _is_of(self, result: Mapping[str, Any], change: Change, *, alone: bool) -> bool:
        """Tell whether a result is that of a change; results come in no order."""
        properties = result.get("properties") or {}
        if result.get("objectWriteTraceId") == change.id:
            return True
        match change.action:
            case Action.UPDATE:
                return change.target is not None and str(result.get("id")) == change.target.id
            case Action.CREATE if change.creates is not Kind.DEAL:
                key = natural_key(change)
                return alone or (key is not None and has_key(change.creates, properties, key))
            case Action.CREATE:
                return alone or (bool(change.key) and properties.get(self.terms.words.key_field) == change.key)
            case _:
                return alone or has_marker(properties.get(BODIES[change.kind]), change.key or "")

    def _made_before(self, change: Change, said: str) -> Receipt | None:
        """Tell of a creation that had happened before: what is unique of it is taken by the record that it made."""
        try:
            ref = self._taken_by(change, said)
        except CrmbridgeError as error:
            return _receipt(change, Outcome.UNKNOWN, error.message)
        return _receipt(change, Outcome.APPLIED, FOUND, ref=ref) if ref else None

    def _taken_by(self, change: Change, said: str) -> Ref | None:
        """Give the record that has what must be unique: a deal its key, a contact its e-mail."""
        if change.action is not Action.CREATE:
            return None
        if change.creates is Kind.DEAL:
            return find_deal(self.api, self.terms.words, change.key) if change.key else None
        if change.creates is not Kind.CONTACT or not change.after.get("email"):
            return None
        if named := EXISTING.search(said):  # also where the e-mail is a second one of that contact
            return self.terms.words.ref(Kind.CONTACT, named[1])
        return self.lookup.find(Kind.CONTACT, f"email:{change.after['email']}")


def _are_alike(changes: Sequence[Change]) -> bool:
    """Tell whether two changes are of one record: their answers could not be told apart.

    Of two creations with one key, together in a batch, both are refused (action-destinations PR 3969).
    """
    targets = [change.target for change in changes if change.action is Action.UPDATE]
    keys = [_known_by(change) for change in changes if change.action is Action.CREATE]
    return len(set(targets)) < len(targets) or len(set(keys)) < len(keys)


def _known_by(change: Change) -> str | None:
    if change.creates is Kind.DEAL:
        return change.key
    key = natural_key(change)
    return key.casefold() if key else None


def _seen(change: Change, wanted: Mapping[str, str], found: Mapping[str, Any] | None) -> Receipt:
    """Tell what became of an update by what the deal holds now."""
    if found is None:
        return _receipt(change, Outcome.REFUSED, "the deal is gone: deleted, or merged into another")
    if all((found.get(name) or "") == text for name, text in wanted.items()):
        return _receipt(change, Outcome.APPLIED, "read back", ref=change.target)
    return _receipt(change, Outcome.FAILED, "HubSpot left it out of the batch without a word")


def _receipt(change: Change, outcome: Outcome, message: str = "", ref: Ref | None = None) -> Receipt:
    return _receipt_of(change.id, outcome, message, ref)


def _receipt_of(change: str, outcome: Outcome, message: str = "", ref: Ref | None = None) -> Receipt:
    return Receipt(change=change, outcome=outcome, message=message, ref=ref)


def _speaks_of(error: Mapping[str, Any], change: Change, *, alone: bool) -> bool:
    if change.id in named_by(error, "objectWriteTraceId"):
        return True
    return alone or (change.target is not None and change.target.id in named_by(error, "ids"))


def find_deal(api: HubSpotApi, words: Words, key: str) -> Ref | None:
    """Find the deal with this key, by the unique property itself, which is not late as the search index is."""
    found = api.read("deals", [key], [words.key_field], idProperty=words.key_field)
    exact = [raw for raw in found if raw["properties"].get(words.key_field) == key]
    return words.ref(Kind.DEAL, exact[0]["id"]) if exact else None


def find_attachment(api: HubSpotApi, words: Words, kind: Kind, key: str, near: Ref) -> Ref | None:
    """Find the task or note with this marker among those that hang on a record."""
    name, body = ATTACHMENTS[kind], BODIES[kind]
    links = api.links(TYPES[near.kind][0].name, name, [near.id])
    ids = {str(link["toObjectId"]) for found in links.values() for link in found}
    found = [raw for raw in api.read(name, sorted(ids), [body]) if has_marker(raw["properties"].get(body), key)]
    return words.ref(kind, min(str(raw["id"]) for raw in found)) if found else None
