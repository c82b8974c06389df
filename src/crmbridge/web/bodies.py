"""Reads what is sent to the page: up to a limit of size and of time, as anybody who reaches the port may send."""

from __future__ import annotations

import asyncio

from starlette.requests import ClientDisconnect, Request


class TurnedAwayError(Exception):
    """What comes is too large, too slow or cut off; `status` is what HTTP calls that."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


async def read_body(request: Request, largest: int, patience: float) -> bytes:
    """Read a body of at most so many bytes within so many seconds; raises TurnedAwayError for any other.

    What is announced as larger is not read at all.
    """
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:20]) > largest:
        raise TurnedAwayError(413, "too large")
    try:
        async with asyncio.timeout(patience):
            return await _read(request, largest)
    except TimeoutError:
        raise TurnedAwayError(408, "too slow") from None
    except ClientDisconnect:
        raise TurnedAwayError(400, "cut off") from None


async def _read(request: Request, largest: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > largest:
            raise TurnedAwayError(413, "too large")
        parts.append(part)
    return b"".join(parts)
