"""Try again, as long as that is worth waiting for."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from crmbridge.errors import RetryLaterError
from crmbridge.http.budget import LONGEST_WAIT
from crmbridge.ports import Clock

if TYPE_CHECKING:
    import tenacity

Answer = TypeVar("Answer")
TRIES = 5


def patiently(send: Callable[[], Answer], clock: Clock, latest: datetime) -> Answer:
    """Send, and again until it succeeds, five times in all and not after `latest`; the last error is raised.

    Only a RetryLaterError is tried again, after the wait that it asks for. What trying again takes is made where the
    first try failed: nearly every request needs none of it.
    """
    try:
        return send()
    except RetryLaterError as error:
        failed = [error]
    import tenacity  # noqa: PLC0415  most runs need none of it

    def once_more() -> Answer:
        if failed:
            raise failed.pop()
        return send()

    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception(worth_waiting_for),
        wait=_wait,
        stop=lambda state: state.attempt_number >= TRIES or clock.now() >= latest,
        sleep=clock.sleep,
        reraise=True,
    )
    return again(once_more)


def worth_waiting_for(error: BaseException) -> bool:
    """Tell whether an error passes within a minute; a longer wait is for the next run."""
    return isinstance(error, RetryLaterError) and (error.after is None or error.after <= LONGEST_WAIT)


def _wait(state: tenacity.RetryCallState) -> float:
    """Wait as long as the CRM asked, else twice as long each time; with jitter, so that workers spread out."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.after if isinstance(error, RetryLaterError) else None
    seconds = asked.total_seconds() if asked is not None else 0.5 * 2 ** (state.attempt_number - 1)
    return seconds + random.uniform(0, 0.1 + seconds / 10)  # noqa: S311  jitter is no secret
