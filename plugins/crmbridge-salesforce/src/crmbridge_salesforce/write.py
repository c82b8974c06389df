"""Sending changes to an org in batches, and reading what became of each."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError, UnclearError
from crmbridge.http.client import tidy
from crmbridge.model.changes import Action, Change, Outcome, Receipt
from crmbridge.model.records import Ref
from crmbridge.ports import Clock
from crmbridge_salesforce.contacts import set_contacts
from crmbridge_salesforce.encode import Encoder, Payload
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.judge import is_locked, outcome_of, said
from crmbridge_salesforce.org import Org

LOCK_TRIES = 3


class _Item(NamedTuple):
    change: Change
    row: Payload


class _Route(NamedTuple):
    method: str
    path: str


class Writer:
    """Makes the changes of one action; the receipts say what the org said, row by row."""

    def __init__(self, org: Org, encoder: Encoder, clock: Clock, *, key_field: str) -> None:
        self._org = org
        self._encoder = encoder
        self._clock = clock
        self._key_field = key_field

    def write(self, changes: Sequence[Change]) -> list[Receipt]:
        """Make the changes and give one receipt each, in order.

        Raises AuthenticationError or RetryLaterError only while nothing was sent.
        """
        receipts: dict[str, Receipt] = {}
        groups: dict[_Route, list[_Item]] = {}
        for change in changes:
            try:
                item = _Item(change, self._encoder.row(change))
            except RefusedError as error:
                receipts[change.id] = _receipt(change, Outcome.REFUSED, error.message)
                continue
            groups.setdefault(self._route(change), []).append(item)
        for number, (route, items) in enumerate(groups.items()):
            receipts.update(self._guarded(route, items) if number else self._deliver(route, items))
        receipts.update(self._with_contacts(changes, receipts))
        return [receipts[change.id] for change in changes]

    def _route(self, change: Change) -> _Route:
        if change.action is Action.UPDATE:
            return _Route("PATCH", "composite/sobjects")
        if change.action is Action.CREATE and change.key is not None:
            return _Route("PATCH", f"composite/sobjects/Opportunity/{self._key_field}")
        return _Route("POST", "composite/sobjects")

    def _deliver(self, route: _Route, items: Sequence[_Item]) -> dict[str, Receipt]:
        """Send a batch, and once more what was only locked; one row that spoils its batch costs only itself."""
        empty = [item for item in items if set(item.row) <= {"attributes", "id"}]
        receipts = {item.change.id: _receipt(item.change, Outcome.APPLIED) for item in empty}
        waiting = [item for item in items if item not in empty]
        for attempt in range(LOCK_TRIES):
            if not waiting:
                break
            if attempt:
                self._clock.sleep(attempt + random.uniform(0, 1))  # noqa: S311  jitter is no secret
            send = self._guarded_send if attempt else self._send
            answers = send(route, waiting)
            receipts.update({change: receipt for change, (receipt, _) in answers.items()})
            waiting = [item for item in waiting if answers[item.change.id][1]]
        return receipts

    def _guarded(self, route: _Route, items: Sequence[_Item]) -> dict[str, Receipt]:
        """Deliver after something else was delivered already: now nothing may be raised."""
        try:
            return self._deliver(route, items)
        except (AuthenticationError, RetryLaterError) as error:
            return {item.change.id: _receipt(item.change, Outcome.FAILED, error.message) for item in items}

    def _guarded_send(self, route: _Route, items: Sequence[_Item]) -> dict[str, tuple[Receipt, bool]]:
        try:
            return self._send(route, items)
        except (AuthenticationError, RetryLaterError) as error:
            return _all(items, Outcome.FAILED, error)

    def _send(self, route: _Route, items: Sequence[_Item]) -> dict[str, tuple[Receipt, bool]]:
        """Send one batch; each answer says whether the row was only locked."""
        body = {"allOrNone": False, "records": [item.row for item in items]}
        try:
            answer = self._org.write(route.method, route.path, body=body)
        except UnclearError as error:
            return _all(items, Outcome.UNKNOWN, error)
        except RefusedError as error:
            if len(items) == 1:
                return _all(items, Outcome.REFUSED, error)
            # The whole batch was refused, so nothing of it was written, and each row can be tried alone.
            return {k: v for item in items for k, v in self._guarded_send(route, [item]).items()}
        if not isinstance(answer, list) or len(answer) != len(items):
            unclear = UnclearError(f"{len(items)} rows were sent and the answer does not say what became of each")
            return _all(items, Outcome.UNKNOWN, unclear)
        return {item.change.id: self._read(item, result) for item, result in zip(items, answer, strict=True)}

    def _read(self, item: _Item, result: Any) -> tuple[Receipt, bool]:
        change = item.change
        if not isinstance(result, Mapping) or not isinstance(result.get("success"), bool):
            return _receipt(change, Outcome.UNKNOWN, "the answer does not say what became of this row"), False
        if not result["success"]:
            errors = said(result.get("errors"))
            words = "; ".join(map(str, errors)) or "the CRM refused it without saying why"
            return _receipt(change, outcome_of(errors), words), is_locked(errors)
        if not result.get("id"):
            return _receipt(change, Outcome.UNKNOWN, "the answer names no record"), False
        existed = change.action is Action.CREATE and result.get("created") is False
        words = "it was there already and was brought up to date" if existed else ""
        ref = Ref(self._org.connection, change.kind, to_18(str(result["id"])))
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=ref, message=words), False

    def _with_contacts(self, changes: Sequence[Change], receipts: Mapping[str, Receipt]) -> dict[str, Receipt]:
        """Set the contacts of the deals that were written; an update without its contacts is not applied."""
        wanted: dict[str, tuple[str, ...]] = {}
        for change in changes:
            ref = receipts[change.id].ref
            if receipts[change.id].outcome is Outcome.APPLIED and ref is not None and "contacts" in change.after:
                value = change.after["contacts"]
                wanted[ref.id] = value if isinstance(value, tuple) else ()
        problems = set_contacts(self._org, wanted) if wanted else {}
        return {
            change.id: _short_of(change, receipts[change.id], problems)
            for change in changes
            if (ref := receipts[change.id].ref) is not None and ref.id in problems and "contacts" in change.after
        }


def _short_of(change: Change, receipt: Receipt, problems: Mapping[str, CrmbridgeError]) -> Receipt:
    error = problems[receipt.ref.id if receipt.ref else ""]
    # A created deal is there, whatever became of its contacts; saying otherwise would hide its id.
    outcome = Outcome.APPLIED
    if change.action is Action.UPDATE:
        outcomes = {UnclearError: Outcome.UNKNOWN, RefusedError: Outcome.REFUSED}
        outcome = outcomes.get(type(error), Outcome.FAILED)
    message = f"written, but not its contacts: {error.message}"
    return Receipt(change=change.id, outcome=outcome, ref=receipt.ref, message=message)


def _receipt(change: Change, outcome: Outcome, message: str = "") -> Receipt:
    ref = change.target if change.action is Action.UPDATE else None
    return Receipt(change=change.id, outcome=outcome, ref=ref, message=tidy(message, 400))


def _all(items: Sequence[_Item], outcome: Outcome, error: CrmbridgeError) -> dict[str, tuple[Receipt, bool]]:
    return {item.change.id: (_receipt(item.change, outcome, error.message), False) for item in items}
