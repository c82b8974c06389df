"""Receipts, made from what an org says of a change."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from crmbridge.adapting import one_by_one
from crmbridge.errors import CrmbridgeError
from crmbridge.http.replies import tidy
from crmbridge.model.changes import Action, Change, Outcome, Receipt
from crmbridge_salesforce.encode import Payload
from crmbridge_salesforce.judge import is_locked, is_not_allowed, is_taken, outcome_of, said


class Item(NamedTuple):
    """A change with the row that makes it."""

    change: Change
    row: Payload

    @property
    def empty(self) -> bool:
        """Tell whether the row says nothing that could be written."""
        return set(self.row) <= {"attributes", "id"}


class Answered(NamedTuple):
    """What became of a change; `locked` says that trying again may help, `named` has the columns that are wrong."""

    receipt: Receipt
    locked: bool = False
    named: frozenset[str] = frozenset()


Send = Callable[[Sequence[Item]], dict[str, Answered]]


def receipt(change: Change, outcome: Outcome, message: str = "") -> Receipt:
    """Make the receipt of a change; an update or archive names its record whatever became of it."""
    ref = change.target if change.action in {Action.UPDATE, Action.ARCHIVE} else None
    return Receipt(change=change.id, outcome=outcome, ref=ref, message=tidy(message, 400))


def refused(change: Change, errors: Any) -> Answered:
    """Make the answer of a row that the org refused, with the words of its rules."""
    found = said(errors)
    words = "; ".join(map(str, found)) or "the CRM refused it without saying why"
    # Who may not make deals may be given that; an edit of each deal, which what is refused waits for, is no way to.
    not_allowed = change.action is Action.CREATE and is_not_allowed(found)
    outcome = Outcome.FAILED if not_allowed else outcome_of(found)
    # Of two who create with one new key at once, one is refused so; sent again, it finds what the other one made.
    taken = change.action is Action.CREATE and change.key is not None and is_taken(found)
    named = frozenset(column for each in found for column in each.fields)
    return Answered(receipt(change, outcome, words), is_locked(found) or taken, named)


def all_alike(items: Sequence[Item], outcome: Outcome, error: CrmbridgeError) -> dict[str, Answered]:
    """Give all changes of a request one outcome."""
    return {item.change.id: Answered(receipt(item.change, outcome, error.message)) for item in items}


def each_alone(items: Sequence[Item], send: Send) -> dict[str, Answered]:
    """Send changes one by one, because a whole request was refused and nothing of it was written; raises nothing."""
    answers: dict[str, Answered] = {}
    for item, found in one_by_one(items, lambda item: send([item])):
        answers |= all_alike([item], Outcome.FAILED, found) if isinstance(found, CrmbridgeError) else found
    return answers


def parts_of(items: Sequence[Item], size: int) -> list[Sequence[Item]]:
    """Cut changes in runs of at most `size`."""
    return [items[start : start + size] for start in range(0, len(items), size)]
