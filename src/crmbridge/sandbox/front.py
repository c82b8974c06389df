"""A front before a real server: what goes through it is logged, late or at fault as with any sandbox."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crmbridge.sandbox.kit import Sandbox, SandboxOptions, assemble
from crmbridge.sandbox.vendor import Vendor

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]
PATIENCE = 60.0  # seconds
# What belongs to one connection, or to the form that the answer had on the way to us.
NOT_PASSED_ON = {"connection", "content-encoding", "content-length", "host", "transfer-encoding", "accept-encoding"}


@contextlib.contextmanager
def fronted(
    *,
    name: str,
    url: str,
    state: Any,
    vendor: Vendor,
    options: SandboxOptions,
    refuses: Callable[[Request, bytes], Response],
) -> Iterator[Sandbox]:
    """Give a sandbox whose answers come from the server at `url`, until the block ends.

    The server judges credentials by itself. What it can't be told to do is done here, in its form: the limits and
    refused credentials of `vendor`, and with `refuses` what it says to one item of a request that it won't take.
    """
    with httpx.Client(base_url=url, timeout=PATIENCE, trust_env=False) as client:

        async def forward(request: Request) -> Response:
            body = await request.body()
            if sandbox.faults.strikes("partial", request.method, vendor.names(request, body)):
                return refuses(request, body)
            return _passed_on(client, request, body)

        routes = [Route("/{path:path}", forward, methods=METHODS)]
        sandbox = assemble(name=name, state=state, routes=routes, vendor=vendor, options=options)
        yield sandbox


def _passed_on(client: httpx.Client, request: Request, body: bytes) -> Response:
    """Ask the server; requests go one at a time, as in any sandbox, so the loop may wait for it."""
    headers = {name: value for name, value in request.headers.items() if name not in NOT_PASSED_ON}
    answer = client.request(
        request.method, request.url.path, params=request.query_params, content=body, headers=headers
    )
    kept = {name: value for name, value in answer.headers.items() if name not in NOT_PASSED_ON}
    return Response(answer.content, answer.status_code, kept)
