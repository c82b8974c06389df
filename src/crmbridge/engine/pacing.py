"""Counts requests in slots of time, so that a window that moves can be kept with few figures: pure arithmetic."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

SLOTS = 1000  # per window; counting in slots costs a thousandth of the rate at most
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Slots = Mapping[int, int]  # slot -> amount


def slot_of(seconds: float, now: datetime) -> int:
    """Give the slot of a time, in a window of so many seconds."""
    return int((now - EPOCH).total_seconds() * SLOTS / seconds)


def counting(seconds: float, now: datetime) -> tuple[int, int]:
    """Give the first and the last slot that count now. A slot counts until its last moment is a whole window ago.

    What lies more than a window ahead was counted by a clock that has been put right since, and does not count.
    """
    here = slot_of(seconds, now)
    return here - SLOTS - 1, here + SLOTS


def kept(seconds: float, now: datetime) -> tuple[int, int]:
    """Give the first and the last slot to keep: also what counted a window ago, for whom an answer tells of then."""
    first, last = counting(seconds, now)
    return first - SLOTS, last


def fresh(slots: Slots, seconds: float, now: datetime) -> dict[int, int]:
    """Give what counts now."""
    first, last = counting(seconds, now)
    return {slot: amount for slot, amount in slots.items() if first <= slot <= last}


def wait_for(slots: Slots, limit: int, amount: int, seconds: float, now: datetime) -> float:
    """Give the seconds until an amount fits into a limit; 0 when it does now. `slots` are those that count."""
    over = sum(slots.values()) + min(amount, limit) - limit  # what never fits waits until nothing else counts
    if over <= 0:
        return 0.0
    for slot in sorted(slots):
        over -= slots[slot]
        if over <= 0:
            break
    ends = (slot + 1) * seconds / SLOTS + seconds
    return max(ends - (now - EPOCH).total_seconds(), seconds / SLOTS)
