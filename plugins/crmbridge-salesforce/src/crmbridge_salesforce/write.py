"""Sending changes to an org in batches, and reading what became of each."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from crmbridge.adapting import outcome_of, there_already
from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError, UnclearError
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Clock
from crmbridge_salesforce.archive import Archive
from crmbridge_salesforce.conditional import Conditional
from crmbridge_salesforce.contacts import Wish, set_contacts
from crmbridge_salesforce.encode import INDICATOR_KEY, INDICATORS, Encoder
from crmbridge_salesforce.finding import Finder, natural_key
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.library import Library
from crmbridge_salesforce.org import Org
from crmbridge_salesforce.receipts import Answered, Item, Send, all_alike, each_alone, receipt, refused
from crmbridge_salesforce.whole import EXISTED, WholeDeals

LOCK_TRIES = 3


# Gives the changes that would not do what they say, why, and the column that it is about.
Look = Callable[[Sequence[Change]], Sequence[tuple[Change, str, str]]]


class _Route(NamedTuple):
    """How rows are sent: in one collections request, each on its condition, whole with its contacts, or deleted."""

    method: str
    path: str


CONDITIONAL = _Route("POST", "composite")
WHOLE = _Route("POST", "composite/graph")
_AMENDMENT = _Route("PATCH", "composite/sobjects")
FIGURES = _Route("PATCH", f"composite/sobjects/{INDICATORS}/{INDICATOR_KEY}")
DELETION = _Route("DELETE", "composite/sobjects")


class Writer:
    """Makes the changes of one action; the receipts say what the org said, row by row."""

    def __init__(
        self,
        org: Org,
        encoder: Encoder,
        library: Library,
        clock: Clock,
        *,
        key_field: str,
        finder: Finder,
        looks: Sequence[Look],
    ) -> None:
        self._org = org
        self._encoder = encoder
        self._finder = finder
        self._clock = clock
        self._key_field = key_field
        self._conditional = Conditional(org, library, clock)
        self._looks = looks
        self._senders: dict[_Route, Send] = {
            CONDITIONAL: self._conditional.write,
            WHOLE: WholeDeals(org, key_field).write,
            DELETION: Archive(org, library).write,
        }

    def write(self, changes: Sequence[Change]) -> list[Receipt]:
        """Make the changes and give one receipt each, in order.

        Raises AuthenticationError or RetryLaterError only while nothing was sent.
        """
        found = [each for look in self._looks for each in look(changes)]
        receipts = {
            change.id: self._blaming(change, Answered(receipt(change, Outcome.REFUSED, why), named=frozenset({column})))
            for change, why, column in found
        }
        rest = [change for change in changes if change.id not in receipts]
        # Without a duplicate rule an org takes the same company or contact twice.
        receipts |= there_already(rest, natural_key, partial(self._finder.find, near=None))
        groups: dict[_Route, list[Item]] = {}
        for change in changes:
            if change.id in receipts:
                continue
            try:
                item = Item(change, self._encoder.row(change))
            except RefusedError as error:
                not_sent = receipt(change, outcome_of(change, error), error.message)
                receipts[change.id] = replace(not_sent, blamed=_unwritable(self._encoder, change))
                continue
            groups.setdefault(self._route(item), []).append(item)
        for number, (route, items) in enumerate(groups.items()):
            receipts.update(self._guarded(route, items) if number else self._deliver(route, items))
        receipts.update(self._with_contacts(changes, receipts))
        return [receipts[change.id] for change in changes]

    def amend(self, change: Change, ref: Ref) -> None:
        """Set a task to what a change says of it."""
        item = Item(change, self._encoder.amended(change, ref.id))
        answer = self._deliver(_AMENDMENT, [item])[change.id]
        if answer.outcome is Outcome.REFUSED:
            raise RefusedError(answer.message)
        if answer.outcome is Outcome.UNKNOWN:
            raise UnclearError(answer.message)
        if answer.outcome is not Outcome.APPLIED:
            raise RetryLaterError(answer.message)

    def _route(self, item: Item) -> _Route:
        change = item.change
        if change.action is Action.UPDATE:
            return CONDITIONAL if Conditional.takes(item) else _Route("PATCH", "composite/sobjects")
        if change.action is Action.ARCHIVE:
            return DELETION
        if change.action is Action.CREATE and change.creates is Kind.DEAL and change.after.get("contacts"):
            return WHOLE
        if change.action is Action.CREATE and change.creates is Kind.FIGURE:
            return FIGURES
        if change.action is Action.CREATE and change.creates is Kind.DEAL and change.key is not None:
            return _Route("PATCH", f"composite/sobjects/Opportunity/{self._key_field}")
        return _Route("POST", "composite/sobjects")

    def _deliver(self, route: _Route, items: Sequence[Item]) -> dict[str, Receipt]:
        """Send a batch, and once more what was only locked; one row that spoils its batch costs only itself."""
        send: Send = self._senders.get(route) or (lambda batch: self._send(route, batch))
        waiting = [item for item in items if route in self._senders or not item.empty]
        receipts = {item.change.id: receipt(item.change, Outcome.APPLIED) for item in items if item not in waiting}
        for attempt in range(LOCK_TRIES):
            if not waiting:
                break
            if attempt:
                self._clock.sleep(attempt + random.uniform(0, 1))  # noqa: S311  jitter is no secret
            answers = _quietly(send, waiting) if attempt else send(waiting)
            receipts.update({item.change.id: self._blaming(item.change, answers[item.change.id]) for item in waiting})
            waiting = [item for item in waiting if answers[item.change.id].locked]
        return receipts

    def _blaming(self, change: Change, answer: Answered) -> Receipt:
        """Give a receipt with the fields that stand for the columns that the org named."""
        if not answer.named or change.action is not Action.UPDATE or change.kind is not Kind.DEAL:
            return answer.receipt
        return replace(answer.receipt, blamed=self._encoder.fields_in(change, answer.named))

    def _guarded(self, route: _Route, items: Sequence[Item]) -> dict[str, Receipt]:
        """Deliver after something else was delivered already: now nothing may be raised."""
        try:
            return self._deliver(route, items)
        except (AuthenticationError, RetryLaterError) as error:
            return {item.change.id: receipt(item.change, Outcome.FAILED, error.message) for item in items}

    def _send(self, route: _Route, items: Sequence[Item]) -> dict[str, Answered]:
        """Send one batch."""
        body = {"allOrNone": False, "records": [item.row for item in items]}
        try:
            answer = self._org.write(route.method, route.path, body=body)
        except UnclearError as error:
            return all_alike(items, Outcome.UNKNOWN, error)
        except RefusedError as error:
            if len(items) == 1:
                return all_alike(items, Outcome.REFUSED, error)
            return each_alone(items, lambda batch: self._send(route, batch))
        if not isinstance(answer, list) or len(answer) != len(items):
            unclear = UnclearError(f"{len(items)} rows were sent and the answer does not say what became of each")
            return all_alike(items, Outcome.UNKNOWN, unclear)
        return {item.change.id: self._read(item, result) for item, result in zip(items, answer, strict=True)}

    def _read(self, item: Item, result: Any) -> Answered:
        change = item.change
        if not isinstance(result, Mapping) or not isinstance(result.get("success"), bool):
            return Answered(receipt(change, Outcome.UNKNOWN, "the answer does not say what became of this row"))
        if not result["success"]:
            return refused(change, result.get("errors"))
        if not result.get("id"):
            return Answered(receipt(change, Outcome.UNKNOWN, "the answer names no record"))
        existed = change.action is Action.CREATE and result.get("created") is False
        words = EXISTED if existed else ""
        ref = Ref(self._org.connection, change.kind, to_18(str(result["id"])))
        return Answered(Receipt(change=change.id, outcome=Outcome.APPLIED, ref=ref, message=words))

    def _with_contacts(self, changes: Sequence[Change], receipts: Mapping[str, Receipt]) -> dict[str, Receipt]:
        """Set the contacts of the deals that were updated; an update without its contacts is not applied."""
        wanted: dict[str, Wish] = {}
        deals: dict[str, str] = {}  # by the changes
        for change in changes:
            edit = next((edit for edit in change.edits if edit.name == "contacts"), None)
            written = change.action is Action.UPDATE and receipts[change.id].outcome is Outcome.APPLIED
            if written and edit is not None and change.target is not None:
                deal = deals[change.id] = to_18(change.target.id)
                wish = Wish.of(edit.before, edit.after)
                wanted[deal] = wanted[deal].then(wish) if deal in wanted else wish
        problems = set_contacts(self._org, wanted) if wanted else {}
        return {name: _short_of(receipts[name], problems[deal]) for name, deal in deals.items() if deal in problems}


def _unwritable(encoder: Encoder, change: Change) -> tuple[str, ...]:
    """Name the fields for which a deal's update can't be written: the ones that can't be on their own."""
    is_update = change.action is Action.UPDATE and change.kind is Kind.DEAL
    return tuple(edit.name for edit in change.edits if is_update and not _is_writable(encoder, change, edit))


def _is_writable(encoder: Encoder, change: Change, edit: FieldEdit) -> bool:
    place = change.position if edit.name == "stage" else None
    try:
        encoder.row(replace(change, edits=(edit,), position=place))
    except RefusedError:
        return False
    return True


def _short_of(written: Receipt, error: CrmbridgeError) -> Receipt:
    outcome = Outcome.FAILED
    if isinstance(error, UnclearError | RefusedError):
        outcome = Outcome.UNKNOWN if isinstance(error, UnclearError) else Outcome.REFUSED
    message = f"written, but not its contacts: {error.message}"
    return Receipt(change=written.change, outcome=outcome, ref=written.ref, message=message)


def _quietly(send: Send, items: Sequence[Item]) -> dict[str, Answered]:
    """Send after something was sent already: now nothing may be raised."""
    try:
        return send(items)
    except (AuthenticationError, RetryLaterError) as error:
        return all_alike(items, Outcome.FAILED, error)
