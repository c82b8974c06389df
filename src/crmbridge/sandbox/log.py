"""The log of what a sandbox was asked, for tests and for people who wonder what a client sends."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from msgspec import Struct


class LoggedRequest(Struct, frozen=True):
    """One request and how it was answered. The credential is not kept."""

    at: datetime
    method: str
    path: str
    query: str
    body: Any  # decoded JSON, or None
    status: int  # 0 when no answer was given
    fault: str = ""
    answer_id: str = ""  # what the vendor calls this request in its answer, where it gives it a name

    retry_after: int | None = None  # seconds that a fault's answer asked to wait

    @property
    def writes(self) -> bool:
        """Tell whether the method is one that changes something (some vendors also read by POST)."""
        return self.method in {"POST", "PUT", "PATCH", "DELETE"}


class RequestLog:
    """The requests of a sandbox, oldest first; only the newest ten thousand are kept."""

    LIMIT = 10_000

    def __init__(self) -> None:
        self._requests: list[LoggedRequest] = []
        self._lock = threading.Lock()
        self._under_way = 0
        self.most_at_once = 0  # how many requests were being answered at one time, at most

    def add(self, request: LoggedRequest) -> None:
        """Note a request."""
        with self._lock:
            self._requests.append(request)
            del self._requests[: -self.LIMIT]

    @contextlib.contextmanager
    def under_way(self) -> Iterator[None]:
        """Count a request as being answered until the block ends."""
        with self._lock:
            self._under_way += 1
            self.most_at_once = max(self.most_at_once, self._under_way)
        try:
            yield
        finally:
            with self._lock:
                self._under_way -= 1

    def all(self) -> tuple[LoggedRequest, ...]:
        """Give the requests so far."""
        with self._lock:
            return tuple(self._requests)

    @property
    def newest(self) -> LoggedRequest:
        """The request that was answered last; raises IndexError before the first."""
        with self._lock:
            return self._requests[-1]

    def matching(self, method: str, path: str) -> tuple[LoggedRequest, ...]:
        """Give the requests with this method whose path contains this text."""
        return tuple(request for request in self.all() if request.method == method and path in request.path)

    def clear(self) -> None:
        """Forget them."""
        with self._lock:
            self._requests.clear()
            self.most_at_once = self._under_way
