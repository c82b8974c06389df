"""A sandbox in this very process: requests go straight to it, without a socket and without a wait."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Protocol, cast

import httpx
from starlette.types import ASGIApp

from crmbridge.sandbox import Sandbox, VirtualClock


class Traffic(Protocol):
    """Told of the requests that pass, as they come and as they are answered; either may end the process."""

    def asked(self, request: httpx.Request) -> None:
        """Take note of a request that is about to arrive."""
        ...

    def answered(self, request: httpx.Request, status: int, fault: str) -> None:
        """Take note of what came of it; the status is 0 when no answer came."""
        ...


class Wire(httpx.BaseTransport):
    """What stands in for the network to one sandbox. A client that would wait lets the clock go on instead."""

    def __init__(
        self,
        app: ASGIApp,
        sandbox: Sandbox,
        clock: VirtualClock,
        traffic: Traffic | None,
        loop: asyncio.AbstractEventLoop,
    ) -> None:
        self._app = app
        self._sandbox = sandbox
        self._clock = clock
        self._traffic = traffic
        self._loop = loop

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer as the sandbox does, or raise what a client would meet."""
        if self._traffic is not None:
            self._traffic.asked(request)
        exchange = _Exchange(request.read())
        answering = self._app(_scope(request), exchange.receive, exchange.send)
        self._carry_out(cast("Coroutine[Any, Any, None]", answering))
        error = exchange.error(request)
        if isinstance(error, httpx.ReadTimeout):
            self._clock.sleep(request.extensions["timeout"]["read"])
        if self._traffic is not None:
            fault = self._sandbox.log.newest.fault
            self._traffic.answered(request, 0 if error else exchange.status, fault)
        if error is not None:
            raise error
        return httpx.Response(exchange.status, headers=exchange.headers, stream=httpx.ByteStream(bytes(exchange.body)))

    def _carry_out(self, answering: Coroutine[Any, Any, None]) -> None:
        if self._traffic is not None and self._sandbox.faults.planned:
            self._loop.run_until_complete(answering)
            return
        # Where nothing goes wrong nobody waits, and what never waits needs no turn of a loop, only to know of one.
        asyncio._set_running_loop(self._loop)  # noqa: SLF001  offered to whoever runs coroutines as loops do
        try:
            answering.send(None)
        except StopIteration:
            return
        finally:
            asyncio._set_running_loop(None)  # noqa: SLF001  as above
        raise RuntimeError("a sandbox waits though nothing goes wrong")

    def close(self) -> None:
        """Leave the sandbox to the next client."""


class _Exchange:
    """One request and its answer, as ASGI has them. A client that is left waiting goes away at once."""

    def __init__(self, body: bytes) -> None:
        self._sent: bytes | None = body
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.body = bytearray()
        self.left = False  # the client went away while it was kept waiting
        self.reset = False

    @property
    def transport(self) -> _Exchange:
        """The connection, for the one fault that must reach it."""
        return self

    def get_extra_info(self, _name: str) -> _Exchange:
        """Give the socket."""
        return self

    def setsockopt(self, *_options: object) -> None:
        """Take an option of the socket."""

    def abort(self) -> None:
        """Be reset."""
        self.reset = True

    async def receive(self) -> dict[str, Any]:
        """Give the body; whoever asks again keeps the client waiting."""
        if self._sent is None:
            self.left = True
            return {"type": "http.disconnect"}
        body, self._sent = self._sent, None
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(self, message: Any) -> None:
        """Take a part of the answer."""
        if message["type"] == "http.response.start":
            self.status, self.headers = message["status"], list(message["headers"])
        else:
            self.body += message.get("body", b"")

    def error(self, request: httpx.Request) -> httpx.TransportError | None:
        """Give what the client met instead of an answer, if anything."""
        if self.left:
            return httpx.ReadTimeout("no answer in time", request=request)
        if self.reset:
            return httpx.ReadError("the connection was reset", request=request)
        promised = next((int(value) for name, value in self.headers if name.lower() == b"content-length"), None)
        if not self.status or (promised is not None and promised > len(self.body)):
            return httpx.RemoteProtocolError("the answer was cut", request=request)
        return None


def _scope(request: httpx.Request) -> dict[str, Any]:
    url = request.url
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.partition(b"?")[0],
        "query_string": url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "client": ("127.0.0.1", 1),
        "server": (url.host, url.port or 80),
        "state": {},
    }
