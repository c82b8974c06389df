"""The smallest vendor there can be, to try the kit on: one counter, which is read and added to."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crmbridge.sandbox import RateWindow, Sandbox, SandboxOptions, Served, Vendor, VirtualClock, assemble, serve
from crmbridge.testing.factories import NOON

Client = Callable[..., contextlib.AbstractContextManager[httpx.Client]]


class Counter:
    """The vendor's whole account."""

    def __init__(self) -> None:
        self.count = 0

    def routes(self) -> list[Route]:
        return [
            Route("/count", self.read),
            Route("/count", self.add, methods=["POST"]),
            Route("/open/count", self.read),
            Route("/broken", self.fail),
        ]

    async def read(self, _request: Request) -> Response:
        return JSONResponse({"count": self.count})

    async def add(self, request: Request) -> Response:
        """Add as badly as can be: whoever comes in between is overwritten."""
        before = self.count
        by = (await request.json())["by"]
        await asyncio.sleep(0)
        self.count = before + by
        return JSONResponse({"count": self.count}, status_code=201)

    async def fail(self, _request: Request) -> Response:
        raise RuntimeError("the sandbox has a bug")


def accepts(request: Request, token: str) -> bool:
    return token in {request.headers.get("x-token"), request.query_params.get("token")}


def limited(_request: Request, window: RateWindow | None, after: int | None) -> Response:
    headers = {} if after is None else {"retry-after": str(after)}
    return JSONResponse({"error": "slow down", "of": window and window.requests}, status_code=429, headers=headers)


def decorate(_request: Request, response: Response) -> None:
    response.headers["x-vendor"] = "tiny"
    response.headers["x-request-id"] = "tiny-1"


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOON)


@pytest.fixture
def make_sandbox(clock: VirtualClock) -> Callable[..., Sandbox]:
    """Make a sandbox of the tiny vendor; keyword arguments are the kit's options."""

    def make(*windows: RateWindow, **options: Any) -> Sandbox:
        counter = Counter()
        vendor = Vendor(
            accepts=accepts,
            refused=lambda _request: JSONResponse({"error": "who are you?"}, status_code=401),
            limited=limited,
            windows=windows,
            open_paths=("/open",),
            decorate=decorate,
        )
        return assemble(
            name="tiny",
            state=counter,
            routes=counter.routes(),
            vendor=vendor,
            options=SandboxOptions(**{"clock": clock, **options}),
        )

    return make


def call(served: Served, *, token: str | None = None, patience: float = 10.0) -> httpx.Client:
    """Make a client with the sandbox's credential, unless another is named."""
    timeout = httpx.Timeout(60, read=patience)
    return httpx.Client(base_url=served.url, headers={"x-token": token or served.token}, timeout=timeout)


@pytest.fixture
def open_client() -> Client:
    """Serve a sandbox and give a client for it, both until the block ends."""

    @contextlib.contextmanager
    def opened(sandbox: Sandbox, **how: Any) -> Iterator[httpx.Client]:
        with serve(sandbox) as served, call(served, **how) as client:
            yield client

    return opened
