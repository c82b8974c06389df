"""Trying again, as long as that is worth waiting for."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crmbridge.errors import CrmbridgeError, RefusedError, RetryLaterError
from crmbridge.http.budget import LONGEST_WAIT
from crmbridge.http.patience import TRIES, patiently
from crmbridge.sandbox.clock import VirtualClock
from crmbridge.testing.factories import NOON

MOMENT = timedelta(microseconds=1)


def sent(
    *errors: CrmbridgeError, latest: timedelta = timedelta(days=1)
) -> tuple[int, CrmbridgeError | None, timedelta]:
    """Send what fails with one error after the other, and then never; give how often, what was raised, and how long."""
    clock, times, left = VirtualClock(NOON), 0, list(errors)

    def send() -> None:
        nonlocal times
        times += 1
        if left:
            raise left.pop(0)

    try:
        patiently(send, clock, NOON + latest)
    except CrmbridgeError as error:
        return times, error, clock.now() - NOON
    return times, None, clock.now() - NOON


def later(after: timedelta | None = None) -> RetryLaterError:
    return RetryLaterError("not now", after=after)


def test_what_passes_is_tried_again_and_the_first_other_error_is_raised() -> None:
    """What was refused stays so, also where it was refused only at the second try."""
    refused = RefusedError("no")

    assert (1, None, timedelta(0)) == sent()
    assert (3, None) == sent(later(), later())[:2]
    assert (2, refused) == sent(later(), refused, later())[:2]
    assert (1, refused) == sent(refused)[:2]


def test_after_five_tries_the_last_error_is_raised() -> None:
    """The next run goes on."""
    errors = [later() for _ in range(9)]

    assert (TRIES, errors[TRIES - 1]) == sent(*errors)[:2]


@pytest.mark.parametrize(("after", "times"), [(LONGEST_WAIT, 2), (LONGEST_WAIT + MOMENT, 1)])
def test_a_wait_of_a_minute_is_waited_for_and_a_longer_one_is_not(after: timedelta, times: int) -> None:
    """As long as the CRM asked, and up to a tenth more, so that workers spread out."""
    count, _, took = sent(later(after))

    assert times == count
    assert took == timedelta(0) if times == 1 else after <= took <= after * 1.1 + timedelta(seconds=0.1)


def test_without_a_wait_that_was_asked_for_it_is_twice_as_long_each_time() -> None:
    """Half a second, one, two and four."""
    _, _, took = sent(*(later() for _ in range(4)))

    assert timedelta(seconds=7.5) <= took <= timedelta(seconds=7.5 * 1.1 + 0.4)


def test_nothing_is_tried_again_once_it_is_too_late() -> None:
    """The wait may end later, and then the last try is made."""
    assert 1 == sent(later(), latest=timedelta(0))[0]
    assert 2 == sent(later(), later(), latest=MOMENT)[0]
