"""What became of a write, as its receipt says it."""

from __future__ import annotations

import pytest

from crmbridge.adapting import NotReadyError, partly, receipt_of, there_already
from crmbridge.errors import (
    AuthenticationError,
    CrmbridgeError,
    RefusedError,
    RetryLaterError,
    StaleError,
    UnclearError,
)
from crmbridge.model.changes import FOUND, Action, Change, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.testing.factories import make_change, make_ref


def test_a_record_that_was_written_is_applied() -> None:
    """The receipt names it."""
    receipt = receipt_of(make_change(), lambda _: make_ref("8"))

    assert (Outcome.APPLIED, make_ref("8")) == (receipt.outcome, receipt.ref)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (UnclearError("what?"), Outcome.UNKNOWN),
        (StaleError("what?"), Outcome.STALE),
        (RefusedError("what?"), Outcome.REFUSED),
        (NotReadyError("what?"), Outcome.REFUSED),  # its other fields go on without it
    ],
)
def test_an_answer_that_is_no_yes_is_an_outcome(error: CrmbridgeError, outcome: Outcome) -> None:
    """With the words of the error; only what the CRM said no to is refused."""

    def make(_: Change) -> Ref:
        raise error

    receipt = receipt_of(make_change(), make)
    assert (outcome, "what?") == (receipt.outcome, receipt.message)


def test_a_creation_that_the_account_is_not_ready_for_is_tried_again() -> None:
    """An admin can make what is lacking; what is refused would wait for somebody to edit each record."""

    def make(_: Change) -> Ref:
        raise NotReadyError("make it")

    receipt = receipt_of(make_change(action=Action.CREATE, target=None), make)
    assert (Outcome.FAILED, "make it") == (receipt.outcome, receipt.message)


@pytest.mark.parametrize("error", [AuthenticationError("who?"), RetryLaterError("later")])
def test_what_was_not_sent_is_no_receipt(error: CrmbridgeError) -> None:
    """It goes through, for the engine to plan again."""

    def make(_: Change) -> Ref:
        raise error

    with pytest.raises(type(error)):
        receipt_of(make_change(), make)


@pytest.mark.parametrize("error", [RefusedError("no"), RetryLaterError("no"), StaleError("no")])
def test_after_a_part_was_written_everything_is_unclear(error: CrmbridgeError) -> None:
    """A refused second step does not undo the first one."""
    with pytest.raises(UnclearError, match="the half: no"), partly("the half"):
        raise error


def test_before_anything_was_written_an_error_stays_what_it_is() -> None:
    """No words, no part."""
    with pytest.raises(RefusedError, match=r"^no$"), partly(""):
        raise RefusedError("no")


def test_what_is_there_already_is_not_sent_and_of_two_with_one_key_the_second_waits() -> None:
    """One that can't be looked for is refused alone; what is new, or has no key, is left to be sent."""
    names = ("there", "new", "New", "odd", "")
    changes = [replace(make_change(), id=f"{number}", key=name) for number, name in enumerate(names)]

    def find(_kind: Kind, key: str) -> Ref | None:
        if key == "odd":
            raise RefusedError("its name is too long")
        return make_ref("7") if key == "there" else None

    found = there_already(changes, lambda change: change.key or None, find)

    assert {"0": Outcome.APPLIED, "2": Outcome.FAILED, "3": Outcome.REFUSED} == {
        id_: receipt.outcome for id_, receipt in found.items()
    }
    assert (make_ref("7"), FOUND) == (found["0"].ref, found["0"].message)
    assert "its name is too long" == found["3"].message
