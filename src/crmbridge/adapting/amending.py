"""Amending a task that crmbridge wrote: it is found by its marker, and set to what it should be."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from crmbridge.errors import CrmbridgeError, RefusedError, UnclearError
from crmbridge.model.changes import Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref

GONE = "the task is not there any more"
Find = Callable[[Kind, str, Ref | None], Ref | None]


def amend_tasks(changes: Sequence[Change], find: Find, send: Callable[[Change, Ref], None]) -> list[Receipt]:
    """Amend tasks one by one, and give a receipt for each in order.

    All are found before the first is sent, so what `find` raises means that nothing was. A task that is gone is done;
    other changes of one are refused. `send` raises the errors of `crmbridge.errors`; one that stops everything goes
    through while nothing was sent, and fails what is left after that. Sending the same twice leaves the same.
    """
    refs = {change.id: find(Kind.TASK, change.key or "", change.target) for change in changes}
    receipts: list[Receipt] = []
    stopped: CrmbridgeError | None = None
    sent = False
    for change in changes:
        ref = refs[change.id]
        if ref is None:
            receipts.append(_gone(change))
            continue
        if stopped is not None:
            receipts.append(_receipt(change, Outcome.FAILED, f"not sent: {stopped.message}"))
            continue
        try:
            send(change, ref)
            receipts.append(_receipt(change, Outcome.APPLIED, ref=ref))
        except RefusedError as error:
            receipts.append(_receipt(change, Outcome.REFUSED, error.message))
        except UnclearError as error:
            receipts.append(_receipt(change, Outcome.UNKNOWN, error.message, ref))
        except CrmbridgeError as error:
            if not sent:
                raise
            stopped = error
            receipts.append(_receipt(change, Outcome.FAILED, error.message))
        sent = True
    return receipts


def _gone(change: Change) -> Receipt:
    over = change.after.get("done") is True
    return _receipt(change, Outcome.APPLIED if over else Outcome.REFUSED, GONE)


def _receipt(change: Change, outcome: Outcome, message: str = "", ref: Ref | None = None) -> Receipt:
    return Receipt(change=change.id, outcome=outcome, message=message, ref=ref)
