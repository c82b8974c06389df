"""How an answer of a sandbox goes out: as it is, or as a fault has it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send

from crmbridge.sandbox.vendor import Vendor

HOLD_SECONDS = 90.0  # how long a timed-out request is held; longer than clients wait
DRIP_SECONDS = 0.02  # from one byte of a dripping answer to the next
PAGE = "<html><body>We are setting things up</body></html>"
WAIT = 5  # seconds that `limit_after` asks for; longer than anybody waits unasked after a first try
TOMORROW = 36_000  # seconds until the day's limit ends, where the vendor has no form of its own for it


def _spent(vendor: Vendor, request: Request) -> Response:
    return vendor.spent(request) if vendor.spent else vendor.limited(request, None, TOMORROW)


def _out_of_order(status: int) -> Callable[[Vendor, Request], Response]:
    def answer(vendor: Vendor, request: Request) -> Response:
        response = Response(status_code=status)
        vendor.decorate(request, response)
        return response

    return answer


# The faults that take the place of the vendor's answer; nothing is carried out.
INSTEAD: Mapping[str, Callable[[Vendor, Request], Response]] = MappingProxyType(
    {
        "limit": lambda vendor, request: vendor.limited(request, None, None),
        "limit_after": lambda vendor, request: vendor.limited(request, None, WAIT),
        "limit_day": _spent,
        "error_500": _out_of_order(500),
        "error_503": _out_of_order(503),
        "html": lambda _vendor, _request: HTMLResponse(PAGE),
        "html_404": lambda _vendor, _request: HTMLResponse(PAGE, 404),
        "html_json": lambda _vendor, _request: Response(PAGE, media_type="application/json"),
        "empty_body": lambda _vendor, _request: Response(status_code=200),
        "revoked": lambda vendor, request: vendor.refused(request),
    }
)
UNCARRIED = frozenset({"drop_before", "timeout_before", "reset"})
UNANSWERED = frozenset({"drop_after", "timeout_after"}) | UNCARRIED
SHOWN = (*INSTEAD, *sorted(UNANSWERED), "cut_body", "cut_json", "drip", "wrong_type")


async def deliver(response: Response | None, fault: str, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an answer in the way that the fault says."""
    match fault:
        case "timeout_before" | "timeout_after":
            await _hold(receive)
            await _cut(b"", 200, send)
        case "reset":
            _reset(send)
        case "drop_before" | "drop_after":
            await _cut(b"", 200, send)
        case "cut_body" if response is not None:
            await _cut(bytes(response.body), response.status_code, send)
        case "cut_json" if response is not None:
            await _like(response, bytes(response.body)[: len(response.body) // 2])(scope, receive, send)
        case "wrong_type" if response is not None:
            await _like(response, bytes(response.body), {"content-type": "text/html; charset=utf-8"})(
                scope, receive, send
            )
        case "drip" if response is not None:
            await _drip(response, receive, send)
        case _ if response is not None:
            await response(scope, receive, send)


async def _cut(body: bytes, status: int, send: Send) -> None:
    """Send half of a body. Promising more bytes than are sent makes the server cut the connection."""
    length = str(len(body) + 1).encode()
    await send({"type": "http.response.start", "status": status, "headers": [(b"content-length", length)]})
    await send({"type": "http.response.body", "body": body[: len(body) // 2], "more_body": False})


def _like(response: Response, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    """Answer the same with another body or header."""
    kept = {name: value for name, value in response.headers.items() if name != "content-length"}
    return Response(body, response.status_code, {**kept, **(headers or {})})


def _reset(send: Send) -> None:
    """Close the connection so that the other side sees it reset: with nothing left to send, and no time to linger."""
    transport: Any = send.__self__.transport  # type: ignore[attr-defined]  # ASGI has no word for this; uvicorn's send is a method of what holds the connection
    transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _drip(response: Response, receive: Receive, send: Send) -> None:
    """Send a byte from time to time, until all is sent or the client gives up."""
    await send({"type": "http.response.start", "status": response.status_code, "headers": response.raw_headers})
    gone = asyncio.ensure_future(_hold(receive))
    for byte in bytes(response.body):
        await send({"type": "http.response.body", "body": bytes([byte]), "more_body": True})
        await asyncio.wait({gone}, timeout=DRIP_SECONDS)
        if gone.done():
            return
    gone.cancel()
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _hold(receive: Receive) -> None:
    """Wait until the client gives up."""
    try:
        async with asyncio.timeout(HOLD_SECONDS):
            while (await receive())["type"] != "http.disconnect":
                pass
    except TimeoutError:
        return
