"""Serves an application on a socket until it is told to stop."""

from __future__ import annotations

import asyncio
import socket
from typing import cast

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from crmbridge.errors import ConfigurationError

CONNECTIONS = 200  # at once; more are answered with 503
IDLE_SECONDS = 5  # how long a connection may stay without a request
HEAD_SECONDS = 10  # how long the head of a request may take, from its first byte or the connection's first moment
UNREAD_SECONDS = 20  # how long a caller may take nothing of an answer that no buffer has room for any more


def listen(host: str, port: int) -> socket.socket:
    """Take a port of an address, or a free one for 0; raises ConfigurationError when it can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # Named as TCP, or asyncio leaves Nagle's algorithm on, which holds every answer back for 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        raise ConfigurationError(
            f"Port {port} of {host} can't be used: {error.strerror or error}",
            advice="Choose another with --port, or 0 for a free one; --host names an address of this machine.",
        ) from error
    return listener


class _ImpatientProtocol(H11Protocol):
    """Closes a connection on which no request begins in time, or whose answers nobody takes.

    A few hundred such would keep everybody else out.
    """

    seconds: float = HEAD_SECONDS
    _timer: asyncio.TimerHandle | None = None
    _unread: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Stop waiting once a request is whole enough to be answered; more bytes of a head buy no more time."""
        super().data_received(data)
        cycle: RequestResponseCycle | None = self.cycle  # there is none before the first request
        if cycle is not None and not cycle.response_complete:
            self._stop()
        elif self._timer is None:
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop()
        self.resume_writing()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the caller to take what was sent. It is cut off then: closing waits for it, too."""
        super().pause_writing()
        self._unread = self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Wait no more: there is room again."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that stays without a request, and cut it off when what is left is not taken."""
        super().timeout_keep_alive_handler()
        self.loop.call_later(UNREAD_SECONDS, self.transport.abort)

    def _wait(self) -> None:
        self._timer = self.loop.call_later(self.seconds, self.transport.close)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def make_server(app: ASGIApp, head_seconds: float = HEAD_SECONDS) -> uvicorn.Server:
    """Make the server; `run(sockets=[...])` serves until `should_exit` or a signal."""
    config = uvicorn.Config(
        app,
        http=type("Protocol", (_ImpatientProtocol,), {"seconds": head_seconds}),
        ws="none",
        log_level="critical",  # what matters is logged by us, and a request line may hold a secret
        access_log=False,
        proxy_headers=False,  # what X-Forwarded-For says, anybody can say, and be a new address at every try
        lifespan="off",
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=5,
        server_header=False,
    )
    return uvicorn.Server(config)
