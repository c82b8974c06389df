"""A front before a real server: it answers as the server does, and goes wrong as a sandbox does."""

from __future__ import annotations

from collections.abc import Callable

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crmbridge.sandbox import Sandbox, SandboxOptions, Vendor, VirtualClock, fronted, serve
from crmbridge.testing.factories import NOON

NAMED = Vendor(
    accepts=lambda _request, _token: True,
    refused=lambda _request: JSONResponse({"error": "who are you?"}, status_code=401),
    limited=lambda _request, _window, _after: Response(status_code=429),
    names=lambda request, body: f"{request.url.path}/{len(body)}",
)


def refuses(_request: Request, _body: bytes) -> Response:
    return JSONResponse({"error": "not this one"}, status_code=422)


def test_a_front_passes_on_and_goes_wrong(make_sandbox: Callable[..., Sandbox]) -> None:
    """The server behind it judges the credential and counts; faults and the log go by what a request is called."""
    behind = make_sandbox()
    options = SandboxOptions(clock=VirtualClock(NOON), token=behind.token)
    with (
        serve(behind) as server,
        fronted(name="front", url=server.url, state=None, vendor=NAMED, options=options, refuses=refuses) as front,
        serve(front) as served,
        httpx.Client(base_url=served.url, headers={"x-token": served.token}) as client,
    ):
        front.faults.plan("partial", path="/count/8")
        said = [
            client.post("/count", content=b'{"by":5}'),
            client.post("/count", content=b'{"by":5}'),
            client.get("/count", headers={"x-token": "wrong"}),
        ]
        front.faults.plan("error_503")
        said.append(client.get("/count"))

    assert [422, 201, 401, 503] == [answer.status_code for answer in said]
    assert ({"count": 5}, "tiny-1") == (said[1].json(), said[1].headers["x-request-id"])
    assert ["/count/8", "/count/8", "/count/0", "/count/0"] == [request.path for request in front.log.all()]
