"""A client that speaks to a sandbox in its own process meets what it would meet over a network."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crmbridge.http.wires import instead_of_network, wire_to
from crmbridge.sandbox import Sandbox, SandboxOptions, Vendor, VirtualClock, assemble
from crmbridge.testing.simulation.wire import Wire

NOW = datetime(2026, 6, 8, 9, tzinfo=UTC)
URL = "http://127.0.0.1:1"


@pytest.fixture
def sandbox() -> Sandbox:
    """Give a sandbox that tells what it was asked."""

    async def say(request: Request) -> Response:
        made.state.append(request.method)
        return JSONResponse(
            {"path": request.url.path, "q": request.query_params.get("q"), "body": len(await request.body())}
        )

    vendor = Vendor(
        accepts=lambda request, token: request.headers.get("authorization") == token,
        refused=lambda _request: Response(status_code=401),
        limited=lambda _request, _window, _after: Response(status_code=429),
    )
    routes = [Route("/{path:path}", say, methods=["GET", "POST"])]
    options = SandboxOptions(clock=VirtualClock(NOW), token="t")
    made = assemble(name="it", state=[], routes=routes, vendor=vendor, options=options)
    return made


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    """Give an event loop of its own."""
    made = asyncio.new_event_loop()
    yield made
    made.close()


class Notes:
    """Notes what passes."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, int, str]] = []

    def asked(self, request: httpx.Request) -> None:
        self.noted.append((request.method, 0, ""))

    def answered(self, request: httpx.Request, status: int, fault: str) -> None:
        self.noted.append((request.method, status, fault))


def client(sandbox: Sandbox, loop: asyncio.AbstractEventLoop, notes: Notes | None = None) -> httpx.Client:
    """Open a client that speaks to a sandbox directly."""
    app = sandbox.app if notes is not None else sandbox.backstage
    assert isinstance(sandbox.clock, VirtualClock)
    wire = Wire(app, sandbox, sandbox.clock, notes, loop)
    return httpx.Client(base_url=URL, transport=wire, headers={"authorization": "t"}, timeout=30)


def test_a_request_is_answered(sandbox: Sandbox, loop: asyncio.AbstractEventLoop) -> None:
    """Path, query and body arrive, and whoever looks on is told."""
    notes = Notes()
    answer = client(sandbox, loop, notes).post("/a/b?q=1", content=b"four")

    assert {"path": "/a/b", "q": "1", "body": 4} == answer.json()
    assert [("POST", 0, ""), ("POST", 200, "")] == notes.noted


CUT, LATE = httpx.RemoteProtocolError, httpx.ReadTimeout


@pytest.mark.parametrize(
    ("fault", "meets"),
    [
        ("drop_before", (CUT, 0, 0)),
        ("drop_after", (CUT, 1, 0)),
        ("timeout_before", (LATE, 0, 30)),
        ("timeout_after", (LATE, 1, 30)),
        ("reset", (httpx.ReadError, 0, 0)),
        ("cut_body", (CUT, 1, 0)),
        ("drip", (LATE, 1, 30)),
    ],
)
def test_a_fault_is_what_a_client_would_meet(
    sandbox: Sandbox, loop: asyncio.AbstractEventLoop, fault: str, meets: tuple[type[Exception], int, int]
) -> None:
    """Carried out or not, as the fault says; a client that would wait lets the clock go on."""
    error, carried_out, waited = meets
    sandbox.faults.plan(fault)
    with pytest.raises(error):
        client(sandbox, loop, Notes()).get("/")

    assert carried_out == len(sandbox.state)
    assert NOW + timedelta(seconds=waited) == sandbox.clock.now()


def test_backstage_nothing_goes_wrong(sandbox: Sandbox, loop: asyncio.AbstractEventLoop) -> None:
    """Who looks from behind meets no fault and is in no log, and what was planned is kept."""
    sandbox.faults.plan("error_500")

    assert 200 == client(sandbox, loop).get("/").status_code
    assert () == sandbox.log.all()
    assert 500 == client(sandbox, loop, Notes()).get("/").status_code


def test_a_wire_stands_in_for_the_network_until_the_block_ends(
    sandbox: Sandbox, loop: asyncio.AbstractEventLoop
) -> None:
    """Only for its own address."""
    assert isinstance(sandbox.clock, VirtualClock)
    wire = Wire(sandbox.app, sandbox, sandbox.clock, None, loop)
    with instead_of_network({URL: wire}):
        assert (wire, wire, None) == (wire_to(URL), wire_to(URL + "/"), wire_to("http://127.0.0.1:2"))

    assert None is wire_to(URL)
