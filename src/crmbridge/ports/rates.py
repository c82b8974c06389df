"""How fast an account may be asked, and the ledger that all processes of a project write their requests in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol


class Rate(NamedTuple):
    """At most `requests` in any `seconds`. With `counts` of "cost", what is counted is each request's cost instead."""

    requests: int
    seconds: float
    name: str = ""  # tells rates of one account apart; made from the figures when empty
    counts: str = "requests"  # or "cost", such as Pipedrive's tokens

    @property
    def key(self) -> str:
        """The name under which it is counted."""
        return self.name or f"{self.requests}/{self.seconds:g}s"


class RateLedger(Protocol):
    """Counts the requests of accounts, for all threads and, where it lies in the store, for all processes.

    An amount counts from when it was taken until `seconds` after it was settled: when the answer came, the CRM had
    certainly counted the request. What a killed process never settled counts from when it was taken. No call raises:
    an answer that came must not be lost because it could not be counted. But `take` raises LockedError where a run is
    not to send anything more.
    """

    def take(self, account: str, rates: Sequence[Rate], amounts: Sequence[int], now: datetime) -> float:
        """Take an amount of each rate at once and give 0; or take nothing and give the seconds until it may fit."""
        ...

    def settle(
        self, account: str, rates: Sequence[Rate], amounts: Sequence[int], taken_at: datetime, now: datetime
    ) -> tuple[int, ...]:
        """Count what was taken from now on instead of from then: its answer has just come.

        Gives how much of each rate counts now, by all processes.
        """
        ...

    def used(self, account: str, rate: Rate, now: datetime) -> int:
        """Give how much of a rate counts now, by all processes."""
        ...
