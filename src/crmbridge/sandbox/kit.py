"""What stands around a sandbox's routes: credential, log, latency, faults and rate limits, as one ASGI layer."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from weakref import WeakKeyDictionary

from msgspec import Struct, field
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from crmbridge.clock import SystemClock
from crmbridge.http.exact_json import load_json
from crmbridge.http.replies import REQUEST_IDS
from crmbridge.ports import Clock
from crmbridge.revealed import STRUCK
from crmbridge.sandbox.answers import INSTEAD, SHOWN, UNANSWERED, UNCARRIED, WAIT, deliver
from crmbridge.sandbox.faults import Faults
from crmbridge.sandbox.log import LoggedRequest, RequestLog
from crmbridge.sandbox.vendor import RateWindow, Vendor


class SandboxOptions(Struct, frozen=True, kw_only=True):
    """How a sandbox is shaped. The same options give the same account, to the byte.

    `part` is the share of the world's deals that this CRM knows, as (from, to) between 0 and 1, so that several
    sandboxes of one seed hold overlapping parts of one company's deals. `now` is when the account's history ends;
    the clock's time when not said.
    """

    seed: int = 7
    deals: int = 60
    part: tuple[float, float] = (0.0, 1.0)
    now: datetime | None = None
    clock: Clock = field(default_factory=SystemClock)
    latency_ms: int = 0
    limit: Literal["vendor", "none"] = "vendor"
    faults: Mapping[str, float] = field(default_factory=dict)
    token: str = ""  # made from the seed when empty

    @property
    def as_of(self) -> datetime:
        """When the account's history ends."""
        return self.now or self.clock.now()


class Sandbox(Struct, frozen=True, kw_only=True):
    """A sandbox ready to be served. `state` is the plugin's own; tests may reach into it to plant things.

    `backstage` is the same account for whoever looks and acts without being part of the traffic: no faults, no limits,
    no log.
    """

    name: str
    token: str
    app: ASGIApp
    backstage: ASGIApp
    log: RequestLog
    faults: Faults
    clock: Clock
    state: Any


def assemble(*, name: str, state: Any, routes: Sequence[BaseRoute], vendor: Vendor, options: SandboxOptions) -> Sandbox:
    """Put the kit's parts around a plugin's routes.

    Routes answer from `state`; the kit runs them one at a time, so that a request is carried out whole or not at all.
    """
    token = options.token or f"sandbox-{name}-{options.seed}"
    gate = _Gate(_routed(routes), vendor, options, token)
    return Sandbox(
        name=name,
        token=token,
        app=gate,
        backstage=gate.behind,
        log=gate.log,
        faults=gate.faults,
        clock=options.clock,
        state=state,
    )


def _routed(routes: Sequence[BaseRoute]) -> ASGIApp:
    """Compare a path with the routes of its own depth: a vendor has hundreds, as each stands under several versions."""
    whole = Router(routes)
    depths = [(route, _depth(route)) for route in routes]
    near = {at: [route for route, depth in depths if depth is None or depth == at] for _, at in depths}
    # What none of these serves is told by all of them.
    routers = {at: Router(some, redirect_slashes=False, default=whole) for at, some in near.items()}

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await routers.get(scope["path"].count("/"), whole)(scope, receive, send)

    return answer


def _depth(route: BaseRoute) -> int | None:
    """Count the slashes of the paths that a route serves; None where these may have more or fewer."""
    return route.path.count("/") if isinstance(route, Route) and ":path}" not in route.path else None


class _Gate:
    """Lets requests through to the routes, or lets them go wrong as the faults say.

    A path is read from the scope: Starlette's `url` puts the whole address together, and takes it apart again.
    """

    def __init__(self, app: ASGIApp, vendor: Vendor, options: SandboxOptions, token: str) -> None:
        self._app = app
        self._vendor = vendor
        self._options = options
        self._token = token
        self.log = RequestLog()
        self.faults = Faults(options.faults, options.seed)
        # A lock belongs to one event loop, and a sandbox that is served again runs in another.
        self._one_at_a_time: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Lock] = WeakKeyDictionary()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await _lifespan(receive, send)
            return
        body = await _whole_body(receive)
        with self.log.under_way():
            request = Request(scope, _replay(body))
            if self._options.latency_ms:
                await asyncio.sleep(self._options.latency_ms / 1000)
            response, fault = await self._answer(request, body)
            self._note(request, body, response, fault)
            await deliver(response, fault, scope, receive, send)

    async def behind(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer past everything that stands around the routes."""
        body = await _whole_body(receive)
        with self.faults.paused():
            response = await self._carry_out(scope, body)
        self._vendor.decorate(Request(scope), response)
        await response(scope, receive, send)

    async def _answer(self, request: Request, body: bytes) -> tuple[Response | None, str]:
        """Give the response and the fault that shapes it; no response when the request is not carried out."""
        fault = self.faults.pick(SHOWN, request.method, self._vendor.names(request, body))
        if fault in INSTEAD:
            return INSTEAD[fault](self._vendor, request), fault
        if fault in UNCARRIED:
            return None, fault
        if not self._is_open(request) and not self._vendor.accepts(request, self._token):
            return self._vendor.refused(request), fault
        full = self._full_window(request)
        if full is not None:
            return self._vendor.limited(request, full, None), "limit"
        response = await self._carry_out(request.scope, body)
        self._vendor.decorate(request, response)
        return response, fault

    def _is_open(self, request: Request) -> bool:
        return str(request.scope["path"]).startswith(self._vendor.open_paths)

    def _full_window(self, request: Request) -> RateWindow | None:
        if self._options.limit == "none":
            return None
        now = self._options.clock.now()
        windows = (window for window in self._vendor.windows if window.applies(request))
        return next((window for window in windows if not window.take(now)), None)

    async def _carry_out(self, scope: Scope, body: bytes) -> Response:
        collected: list[bytes] = []
        start: dict[str, Any] = {}

        async def collect(message: Any) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                collected.append(message.get("body", b""))

        async with self._one_at_a_time.setdefault(asyncio.get_running_loop(), asyncio.Lock()):
            await self._app(scope, _replay(body), collect)
        response = Response(b"".join(collected), status_code=start["status"])
        response.raw_headers = list(start["headers"])
        return response

    def _note(self, request: Request, body: bytes, response: Response | None, fault: str) -> None:
        answered = None if fault in UNANSWERED else response
        headers = answered.headers if answered else {}
        entry = LoggedRequest(
            self._options.clock.now(),
            request.method,
            self._vendor.names(request, body),
            request.scope["query_string"].decode("ascii", "replace").replace(self._token, STRUCK),
            _decoded(body),
            answered.status_code if answered else 0,
            fault,
            next((headers[name] for name in REQUEST_IDS if name in headers), ""),
            self._asked_to_wait(request) if fault == "limit_after" else None,
        )
        self.log.add(entry)

    def _asked_to_wait(self, request: Request) -> int | None:
        """Give the wait that this vendor's answer asks for, wherever in it that stands; None where it has no word."""
        told, untold = (self._vendor.limited(request, None, wait) for wait in (WAIT, None))
        return None if (told.body, told.raw_headers) == (untold.body, untold.raw_headers) else WAIT


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _whole_body(receive: Receive) -> bytes:
    parts = []
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _replay(body: bytes) -> Receive:
    async def receive() -> Any:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


def _decoded(body: bytes) -> Any:
    try:
        return load_json(body) if body else None
    except ValueError:
        return None
