"""Rate ledgers beside those of the stores: one that counts for this process alone, and one that asks first."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime

from crmbridge.engine.pacing import fresh, kept, slot_of, wait_for
from crmbridge.ports.rates import Rate, RateLedger


class HeldLedger:
    """Counts for a run that must hold the state: once another run took that over, no request is let through.

    `must_hold` raises the error that says so. A run can lose the state while its machine sleeps, in the middle of many
    writes; then the other one has made them, and they must not be made twice.
    """

    def __init__(self, counted: RateLedger, must_hold: Callable[[], None]) -> None:
        self._counted = counted
        self._must_hold = must_hold

    def take(self, account: str, rates: Sequence[Rate], amounts: Sequence[int], now: datetime) -> float:
        """Take an amount of each rate, as the other ledger does, if the state is still held."""
        self._must_hold()
        return self._counted.take(account, rates, amounts, now)

    def settle(
        self, account: str, rates: Sequence[Rate], amounts: Sequence[int], taken_at: datetime, now: datetime
    ) -> tuple[int, ...]:
        """Count what was taken from now on instead of from then."""
        return self._counted.settle(account, rates, amounts, taken_at, now)

    def used(self, account: str, rate: Rate, now: datetime) -> int:
        """Give how much of a rate counts now."""
        return self._counted.used(account, rate, now)


class LocalLedger:
    """Counts in memory, for all threads of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._slots: defaultdict[tuple[str, str], dict[int, int]] = defaultdict(dict)

    def take(self, account: str, rates: Sequence[Rate], amounts: Sequence[int], now: datetime) -> float:
        """Take an amount of each rate at once and give 0; or take nothing and give the seconds until it may fit."""
        with self._lock:
            wait = 0.0
            for rate, amount in zip(rates, amounts, strict=True):
                self._tidy(account, rate, now)
                slots = self._counting(account, rate, now)
                wait = max(wait, wait_for(slots, rate.requests, amount, rate.seconds, now))
            if wait > 0:
                return wait
            for rate, amount in zip(rates, amounts, strict=True):
                slots, slot = self._slots[account, rate.key], slot_of(rate.seconds, now)
                slots[slot] = slots.get(slot, 0) + amount
            return 0.0

    def settle(
        self, account: str, rates: Sequence[Rate], amounts: Sequence[int], taken_at: datetime, now: datetime
    ) -> tuple[int, ...]:
        """Count what was taken from now on instead of from then, and give what counts now."""
        with self._lock:
            for rate, amount in zip(rates, amounts, strict=True):
                slots = self._slots[account, rate.key]
                before, after = slot_of(rate.seconds, taken_at), slot_of(rate.seconds, now)
                moved = min(amount, slots.get(before, 0))
                slots[before] = slots.get(before, 0) - moved
                if slots[before] <= 0:
                    del slots[before]
                slots[after] = slots.get(after, 0) + amount
            return tuple(sum(self._counting(account, rate, now).values()) for rate in rates)

    def used(self, account: str, rate: Rate, now: datetime) -> int:
        """Give how much of a rate counts now."""
        with self._lock:
            return sum(self._counting(account, rate, now).values())

    def _counting(self, account: str, rate: Rate, now: datetime) -> dict[int, int]:
        return fresh(self._slots[account, rate.key], rate.seconds, now)

    def _tidy(self, account: str, rate: Rate, now: datetime) -> None:
        """Forget what counts no more; only by the time it is, as an answer may tell of an earlier one."""
        first, last = kept(rate.seconds, now)
        slots = self._slots[account, rate.key]
        for slot in [slot for slot in slots if not first <= slot <= last]:
            del slots[slot]
