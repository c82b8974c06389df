"""Sockets whose reads end in time altogether, however an answer drips in.

A timeout bounds each wait only: a byte from time to time, in a head that never ends or in a part of a body that is
not whole yet, would hold a run for good.
"""

from __future__ import annotations

import math
import threading
import time
from typing import Any

import httpcore

from crmbridge.http.library import httpx


class _Until(threading.local):
    moment = math.inf  # of time.monotonic(), for what this thread reads


_until = _Until()


def read_until(moment: float) -> None:
    """Let what this thread reads next over `timely` clients come until then; what comes later is a ReadTimeout."""
    _until.moment = moment


def timely(client: httpx.Client) -> None:
    """Let a client read from such sockets, also through proxies; what stands in for the network has none."""
    for way in (client._transport, *client._mounts.values()):  # noqa: SLF001  httpx hands no backend on
        if isinstance(way, httpx.HTTPTransport):
            way._pool._network_backend = _Timely()  # noqa: SLF001  the same


class _Timely(httpcore.SyncBackend):
    def connect_tcp(self, *given: Any, **named: Any) -> httpcore.NetworkStream:
        return _Stream(super().connect_tcp(*given, **named))


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream
        self.write = stream.write  # type: ignore[method-assign]
        self.close = stream.close  # type: ignore[method-assign]
        self.get_extra_info = stream.get_extra_info  # type: ignore[method-assign]

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        left = _until.moment - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the answer drips in too slowly")
        return self._stream.read(max_bytes, left if timeout is None else min(timeout, left))

    def start_tls(self, *given: Any, **named: Any) -> httpcore.NetworkStream:
        return _Stream(self._stream.start_tls(*given, **named))
