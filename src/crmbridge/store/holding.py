"""The lease that a process holds on a state, and its turn to write, however many connections it has there."""

from __future__ import annotations

import secrets
import threading
from datetime import datetime, timedelta

from msgspec import Struct

from crmbridge.errors import LockedError
from crmbridge.model.values import show
from crmbridge.store.liveness import Identity, is_dead, myself


class HeldLease(Struct, frozen=True, kw_only=True):
    """The lease that this process holds."""

    token: str
    lasts: timedelta


class Hold:
    """What all connections of this process to one state share."""

    def __init__(self) -> None:
        self.turn = threading.Lock()  # threads queue here; between processes the database itself decides
        self.lease: HeldLease | None = None


def new_lease(lasts: timedelta) -> HeldLease:
    """Make a lease that can be told from all others, and tells which process took it."""
    return HeldLease(token=f"{secrets.token_hex(16)}@{myself() or ''}", lasts=lasts)


def is_left_behind(token: str) -> bool:
    """Tell whether the process that took a lease is certainly gone, so that nobody can hold it any more."""
    taker = Identity.parse(token.partition("@")[2])
    return taker is not None and is_dead(taker, myself())


def taken(holder: str, since: datetime, expires_at: datetime) -> LockedError:
    """Make the error for a state that another run holds."""
    return LockedError(
        f"The run {holder} holds the state since {show(since)}. Its lease expires at {show(expires_at)} unless that "
        "run is still alive.",
        advice="Wait until it is done, or give --wait. If it was killed on another machine, its lease must expire.",
    )


def taken_over(where: object) -> LockedError:
    """Make the error for a lease that expired while this process held it, and that another run took."""
    return LockedError(
        f"This run's hold on the state {where} expired and another run took it over.",
        advice="Let that run finish, then run this again.",
    )
