"""How much of Pipedrive's limits one connection may use: requests in two seconds, and the company's tokens of a day."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from crmbridge.errors import RetryLaterError
from crmbridge.http import Budget, Rate, Usage
from crmbridge.http.headers import count_in
from crmbridge.ports import AdapterContext
from crmbridge_pipedrive.settings import PipedriveSettings

A_DAY = 24 * 3600.0
WINDOW = 2.0
FEWEST_READERS, MOST_READERS = 3, 6
SLOW_ANSWER = 0.5  # seconds, with what it takes until the next one is asked for
BURST, DAY, HISTORY = "burst", "day", "history"
OLD_HISTORY = 2  # the moves of deals that moved long ago may use one part in so many of the day's share
AT_ONCE = 8  # and are read at once where they cost no more than one part in so many


class Limits:
    """The budget of one connection.

    What the answers say of the limits replaces what the settings say; the daily figures come undocumented, and not
    with every answer. Reading old history has a budget of its own inside the day's, so that it never takes the
    tokens that the daily work needs.
    """

    def __init__(self, settings: PipedriveSettings, context: AdapterContext) -> None:
        self._day_share = settings.day_share
        per_second = settings.requests_in_2s * settings.share / WINDOW
        # As many as keep the burst limit busy where answers are slow, and one more as parts do not end together; each
        # holds an answer of 500 deals in memory, and more than these few bring more than can be stored meanwhile.
        self.readers = max(FEWEST_READERS, min(MOST_READERS, int(per_second * SLOW_ANSWER) + 1))
        self._tokens = settings.tokens_a_day
        burst = Rate(settings.requests_in_2s, WINDOW, BURST)
        self.budget = Budget(
            [burst, Rate(self._tokens, A_DAY, DAY, "cost")],
            context.clock,
            share=settings.share,
            day_share=settings.day_share,
            ledger=context.ledger,
            account=context.connection,
        )
        self._history = Budget(
            [Rate(self._tokens // OLD_HISTORY, A_DAY, HISTORY, "cost")],
            context.clock,
            day_share=settings.day_share,
            ledger=context.ledger,
            account=context.connection,
        )

    def meter(self, headers: Mapping[str, str]) -> Iterator[Usage]:
        """Read what an answer says of the limits ("Rate limiting")."""
        limit, left = count_in(headers, "x-ratelimit-limit"), count_in(headers, "x-ratelimit-remaining")
        if limit is not None and left is not None:
            yield Usage(BURST, limit, left)
        day = count_in(headers, "x-daily-ratelimit-token-limit")
        left = count_in(headers, "x-daily-ratelimit-token-remaining")
        if day is not None and left is not None:
            yield Usage(DAY, day, left)
            if day != self._tokens and day > 0:
                self._tokens = day
                self._history.observe(Usage(HISTORY, day // OLD_HISTORY, day // OLD_HISTORY))

    def are_few(self, tokens: int) -> bool:
        """Tell whether so many tokens are few beside the day's share."""
        return tokens <= self.few

    @property
    def few(self) -> int:
        """Give how many tokens are few beside the day's share."""
        return int(self._tokens * self._day_share / AT_ONCE)

    def spare(self, tokens: int) -> bool:
        """Take so many tokens from what old history may use, or tell that they are not there today."""
        try:
            self._history.settle(self._history.take(tokens))
        except RetryLaterError:
            return False
        return True
