"""What can't go together goes one by one, until there is no use in it."""

from __future__ import annotations

from crmbridge.adapting import one_by_one
from crmbridge.errors import CrmbridgeError, RetryLaterError


def test_each_is_sent_in_its_turn() -> None:
    """And only when its answer is asked for: what comes before it may be noted first."""
    sent: list[int] = []
    answers = one_by_one([1, 2], lambda item: sent.append(item) or item * 10)

    assert ((1, 10), [1]) == (next(answers), sent)
    assert ([(2, 20)], [1, 2]) == (list(answers), sent)


def test_nothing_is_sent_after_an_error() -> None:
    """Nobody goes on knocking at a door that is shut; what was sent before is told all the same."""
    sent: list[int] = []
    shut = RetryLaterError("the day is used up")

    def send(item: int) -> str:
        sent.append(item)
        if item == 2:
            raise shut
        return "made"

    answers: list[tuple[int, str | CrmbridgeError]] = list(one_by_one([1, 2, 3, 4], send))

    assert [(1, "made"), (2, shut), (3, shut), (4, shut)] == answers
    assert [1, 2] == sent
