"""What the kit must know of a vendor: how it answers in its own forms, and what it lets through."""

from __future__ import annotations

import functools
import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from msgspec import Struct
from starlette.requests import Request
from starlette.responses import Response


class RateWindow:
    """At most `requests` in any `seconds`, as a vendor counts them; `applies` tells which requests count."""

    def __init__(self, requests: int, seconds: float, *, applies: Callable[[Request], bool] = lambda _: True) -> None:
        self.requests = requests
        self.seconds = seconds
        self.applies = applies
        self._lasts = timedelta(seconds=seconds)
        self._taken: deque[datetime] = deque()
        self._lock = threading.Lock()

    def take(self, now: datetime) -> bool:
        """Take one request, or tell that the window is full."""
        with self._lock:
            if self._left(now) <= 0:
                return False
            self._taken.append(now)
            return True

    def remaining(self, now: datetime) -> int:
        """Give how many requests still fit."""
        with self._lock:
            return self._left(now)

    def _left(self, now: datetime) -> int:
        while self._taken and now - self._taken[0] >= self._lasts:
            self._taken.popleft()
        return self.requests - len(self._taken)


class Vendor(Struct, frozen=True, kw_only=True):
    """What the kit must know of a vendor to answer in its forms.

    `accepts` tells whether a request carries the sandbox's token; requests whose path starts with one of `open_paths`
    need none. `limited` answers a request that is one too many (`retry_after` in seconds, or None), `refused` one
    with a bad token, and `spent` one past the day's limit (`limited` with a wait of hours where it is not given).
    `decorate` adds the headers that the vendor sends with every answer. `names` tells what a request is for where its
    path does not, as with JSON-RPC: the log and the faults then go by that name instead of the path.
    """

    accepts: Callable[[Request, str], bool]
    refused: Callable[[Request], Response]
    limited: Callable[[Request, RateWindow | None, int | None], Response]
    spent: Callable[[Request], Response] | None = None
    windows: Sequence[RateWindow] = ()
    open_paths: tuple[str, ...] = ()
    decorate: Callable[[Request, Response], None] = lambda _request, _response: None
    names: Callable[[Request, bytes], str] = lambda request, _body: str(request.scope["path"])


@functools.lru_cache(maxsize=16)  # all that is answered in one moment says the same
def http_date(at: datetime) -> str:
    """Write a time as the headers of HTTP do."""
    return format_datetime(at.astimezone(UTC), usegmt=True)
