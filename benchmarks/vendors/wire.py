"""A small HTTP/1.1 server on raw asyncio: answers are bytes made beforehand, as late as they are told to be."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any, NamedTuple, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from vendors.limits import OtherApp, Window

CONTROL = "/_bench/"
REASONS = {200: "OK", 201: "Created", 204: "No Content", 207: "Multi-Status", 400: "Bad Request", 404: "Not Found"}


class Request(NamedTuple):
    """A request as it came in."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Decode the body."""
        return json.loads(self.body or b"null")


class Reply(NamedTuple):
    """An answer as it goes out; headers are name and value."""

    body: bytes
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    type: str = "application/json"


class Vendor(Protocol):
    """What a stand-in is made of: answers, and the window that another app may take from."""

    window: Window | None

    def answer(self, request: Request) -> Reply:
        """Answer one request; its limits are counted in here."""
        ...

    def touch(self, count: int) -> None:
        """Let so many deals have been changed now."""
        ...

    def edit(self, places: range, field: str, value: str) -> None:
        """Let a person have written a value in one of the fields of `vendors.columns`, in these deals, now."""
        ...


class Counts:
    """What was asked and how it was answered, by second since the first request."""

    def __init__(self) -> None:
        self.began: float | None = None
        self.ended = 0.0
        self.paths: Counter[str] = Counter()
        self.statuses: Counter[int] = Counter()
        self.admitted: Counter[int] = Counter()
        self.refused: Counter[int] = Counter()

    def note(self, request: Request, reply: Reply) -> None:
        """Count a request by where it went and what came of it."""
        now = time.monotonic()
        self.began = self.began or now
        self.ended = now
        second = int(now - self.began)
        (self.refused if reply.status == 429 else self.admitted)[second] += 1
        self.statuses[reply.status] += 1
        self.paths[f"{request.method} {shape(request.path)}"] += 1

    def report(self, other: OtherApp | None) -> dict[str, Any]:
        """Give all of it as JSON."""
        found = {
            "requests": sum(self.statuses.values()),
            "refused": self.statuses[429],
            "wrong": {str(s): n for s, n in self.statuses.items() if s >= 400 and s != 429},
            "paths": dict(self.paths.most_common()),
            "admitted_by_second": dict(self.admitted),
            "refused_by_second": dict(self.refused),
            "seconds": self.ended - (self.began or self.ended),
        }
        if other is not None and other.started is not None and self.began is not None:
            found["other"] = {
                "from_second": other.started - self.began,
                "admitted": other.admitted,
                "refused": other.refused,
            }
        return found


def shape(path: str) -> str:
    """Give a path without its ids, so that requests of one kind are counted together."""
    return "/".join(
        "*" if part.isdigit() or (len(part) > 12 and any(c.isdigit() for c in part)) else part
        for part in path.split("/")
    )


class Server:
    """Serves one vendor; `latency` is how many seconds every answer takes."""

    def __init__(self, vendor: Vendor, latency: float) -> None:
        self.vendor = vendor
        self.latency = latency
        self.counts = Counts()
        self.other = OtherApp(vendor.window) if vendor.window else None
        self._tasks: set[asyncio.Task[None]] = set()

    def respond(self, request: Request) -> tuple[Reply, float]:
        """Answer a request, and tell after how many seconds."""
        if request.path.startswith(CONTROL):
            return self._control(request), 0.0
        reply = self.vendor.answer(request)
        self.counts.note(request, reply)
        return reply, self.latency

    def _control(self, request: Request) -> Reply:
        match request.path.removeprefix(CONTROL):
            case "touch":
                self.vendor.touch(int(request.query["count"]))
            case "edit":
                self.vendor.edit(_places(request.query), request.query["field"], request.query["value"])
            case "reset":
                self.counts = Counts()
            case "other" if self.other is not None:
                task = asyncio.get_running_loop().create_task(self.other.run())
                self._tasks.add(task)
        return Reply(json.dumps(self.counts.report(self.other)).encode())


def _places(query: Mapping[str, str]) -> range:
    """Read which deals are meant: `count` of them, every `step`th from `offset` on."""
    step, offset = int(query.get("step", 1)), int(query.get("offset", 0))
    return range(offset, offset + step * int(query["count"]), step)


class Connection(asyncio.Protocol):
    """One client's connection; it is answered in the order of its requests."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._buffer = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101  what asyncio gives to protocols of servers
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that is whole."""
        self._buffer += data
        while (parsed := parse(self._buffer)) is not None:
            request, used = parsed
            self._buffer = self._buffer[used:]
            reply, wait = self._server.respond(request)
            if wait:
                asyncio.get_running_loop().call_later(wait, self._send, reply)
            else:
                self._send(reply)

    def _send(self, reply: Reply) -> None:
        if self._transport is None or self._transport.is_closing():
            return
        lines = [
            f"HTTP/1.1 {reply.status} {REASONS.get(reply.status, 'Status')}",
            f"Content-Type: {reply.type}",
            f"Content-Length: {len(reply.body)}",
            f"Date: {formatdate(usegmt=True)}",
            *(f"{name}: {value}" for name, value in reply.headers),
        ]
        self._transport.write("\r\n".join(lines).encode() + b"\r\n\r\n")
        self._transport.write(reply.body)


def parse(buffer: bytes) -> tuple[Request, int] | None:
    """Read the first request of a buffer and how many bytes it took; None while it is not whole."""
    head_end = buffer.find(b"\r\n\r\n")
    if head_end < 0:
        return None
    lines = buffer[:head_end].decode("latin-1").split("\r\n")
    length = next((int(line[15:]) for line in lines[1:] if line[:15].lower() == "content-length:"), 0)
    end = head_end + 4 + length
    if len(buffer) < end:
        return None
    method, target, _ = lines[0].split(" ", 2)
    parts = urlsplit(target)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    return Request(method, unquote(parts.path), query, buffer[head_end + 4 : end]), end
