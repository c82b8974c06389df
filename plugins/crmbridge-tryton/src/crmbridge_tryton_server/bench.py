"""A workbench for the AdapterSuite on a real server, behind a front that shows the faults."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from crmbridge.model.replacing import replace
from crmbridge.ports import Adapter, AdapterContext
from crmbridge.sandbox import RateWindow, SandboxOptions, Vendor, VirtualClock, fronted, make_world, serve
from crmbridge.testing.adapters.workbench import CONNECTION, AdapterWorkbench, field_bindings
from crmbridge_tryton.plugin import crmbridge_adapters
from crmbridge_tryton_server.filling import FIELDS, PIPELINE, STAGES, filled, holds
from crmbridge_tryton_server.hands import TrytonHands
from crmbridge_tryton_server.installing import DATABASE, PASSWORD, USER
from crmbridge_tryton_server.running import TrytonServer

NO = ["UserError", ["You are not allowed to modify this record.", "", None]]


@contextlib.contextmanager
def tryton_workbench(server: TrytonServer, options: SandboxOptions, folder: Path) -> Iterator[AdapterWorkbench]:
    """Fill the server with the world that the options name, and open adapters on it through a front."""
    if not isinstance(options.clock, VirtualClock):
        raise TypeError("the suite needs a VirtualClock, so that no test waits")
    world = make_world(options.seed, options.deals, options.as_of)
    deals = [holds(deal) for deal in world.part(options.part)]
    filled(server, world, deals, f"{options.seed}-{options.deals}-{options.as_of:%Y%m%dT%H%M}")
    password = folder / "password"
    password.write_text(PASSWORD, "utf-8")
    context = AdapterContext(connection=CONNECTION, clock=options.clock, fields=field_bindings(FIELDS))
    spec, kept = next(iter(crmbridge_adapters())), replace(options, now=options.as_of, token=PASSWORD)
    with (
        fronted(
            name="tryton", url=server.url, state=TrytonHands(server), vendor=VENDOR, options=kept, refuses=refuses
        ) as sandbox,
        serve(sandbox) as served,
        contextlib.ExitStack() as opened,
    ):
        usual = {"base_url": served.url, "database": DATABASE, "user": USER, "password": {"file": str(password)}}

        def open_adapter(**settings: object) -> Adapter:
            adapter = spec.open(spec.settings.model_validate({**usual, **settings}), context)
            opened.callback(adapter.close)  # a test that fails leaves nothing open
            return adapter

        yield AdapterWorkbench(
            served=served,
            open=open_adapter,
            stages=STAGES,
            fields=FIELDS,
            clock=options.clock,
            options=kept,
            pipeline=PIPELINE,
            credential="password",
            sign_in=open_adapter,
            holds=holds,
        )


def _named(request: Request, body: bytes) -> str:
    """Name a request by the method that it calls: with JSON-RPC, all go to one path."""
    with contextlib.suppress(ValueError, TypeError, KeyError):
        return f"{request.url.path}{json.loads(body)['method']}"
    return request.url.path


def refuses(_request: Request, _body: bytes) -> Response:
    """Say no to one item, as the server does."""
    return JSONResponse({"id": 0, "error": NO})


def _limited(_request: Request, _window: RateWindow | None, after: int | None) -> Response:
    return Response("Too Many Requests", 429, {"Retry-After": str(after)} if after else None)


# The server itself judges every credential, and has a limit for failing sign-ins only.
VENDOR = Vendor(
    accepts=lambda _request, _token: True,
    refused=lambda _request: Response(status_code=401, headers={"WWW-Authenticate": 'Basic realm="Tryton"'}),
    limited=_limited,
    names=_named,
)
