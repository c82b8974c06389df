"""Turning what became of a write into what the engine is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from crmbridge.errors import CrmbridgeError, RefusedError, StaleError, UnclearError
from crmbridge.model.changes import FOUND, Action, Change, Outcome, Receipt
from crmbridge.model.records import Kind, Ref


class NotReadyError(RefusedError):
    """The account or the settings lack what a change takes, such as the field for the key, and can be given it.

    A creation fails then, and the next run tries it again; what is refused waits for a person at each record. An update
    is refused all the same, as its other fields go on without what was refused.
    """


def receipt_of(change: Change, make: Callable[[Change], Ref]) -> Receipt:
    """Make a change and give its receipt; `make` gives the record that was written.

    UnclearError is unknown, StaleError stale, and RefusedError refused, or failed: see `outcome_of`. Anything else goes
    through: with one change a call, AuthenticationError and RetryLaterError mean that nothing was sent.
    """
    try:
        return Receipt(change=change.id, outcome=Outcome.APPLIED, ref=make(change))
    except UnclearError as error:
        return Receipt(change=change.id, outcome=Outcome.UNKNOWN, ref=change.target, message=error.message)
    except StaleError as error:
        return Receipt(change=change.id, outcome=Outcome.STALE, ref=change.target, message=error.message)
    except RefusedError as error:
        return Receipt(change=change.id, outcome=outcome_of(change, error), message=error.message)


def outcome_of(change: Change, error: RefusedError) -> Outcome:
    """Tell what becomes of a change that was not sent, or that the CRM said no to."""
    later = isinstance(error, NotReadyError) and change.action is Action.CREATE
    return Outcome.FAILED if later else Outcome.REFUSED


@contextmanager
def partly(done: str) -> Iterator[None]:
    """Let whatever goes wrong in here be unclear: `done` says what was written before it. Empty: nothing was.

    For a change that takes several requests. One that broke off between them is read back, and not taken for refused.
    """
    try:
        yield
    except CrmbridgeError as error:
        if not done:
            raise
        raise UnclearError(f"{done}: {error.message}") from error


def there_already(
    changes: Iterable[Change], key_of: Callable[[Change], str | None], find: Callable[[Kind, str], Ref | None]
) -> dict[str, Receipt]:
    """Look for what creations would make a second time, where a CRM does not keep that apart itself.

    Gives the receipts of those that must not be sent. Of two with one key the second waits for the first. Nothing was
    sent yet, so a `find` that can't say makes all of them wait; one that raises RefusedError refuses that change alone.
    """
    receipts: dict[str, Receipt] = {}
    keys: set[str] = set()
    for change in changes:
        key = key_of(change)
        if key is None:
            continue
        ref, outcome, message = None, Outcome.APPLIED, FOUND
        if key.casefold() in keys:
            outcome, message = Outcome.FAILED, f"another change of the batch makes {key}"
        else:
            try:
                ref = find(change.creates, key)
            except RefusedError as error:
                outcome, message = Outcome.REFUSED, error.message
        if ref or outcome is not Outcome.APPLIED:
            receipts[change.id] = Receipt(change=change.id, outcome=outcome, ref=ref, message=message)
        keys.add(key.casefold())
    return receipts
