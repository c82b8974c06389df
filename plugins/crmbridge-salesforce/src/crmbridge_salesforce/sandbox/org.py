"""Putting the org together: its routes, its sign-in and its allowance."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC
from email.utils import format_datetime
from urllib.parse import parse_qs

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from crmbridge.sandbox import RateWindow, Sandbox, SandboxOptions, Vendor, assemble
from crmbridge_salesforce.sandbox import batch, routes
from crmbridge_salesforce.sandbox.answers import ApiError, answer, refusal
from crmbridge_salesforce.sandbox.fill import fill
from crmbridge_salesforce.sandbox.objects import make_objects
from crmbridge_salesforce.sandbox.routes import Handler, endpoint
from crmbridge_salesforce.sandbox.state import State
from crmbridge_salesforce.sandbox.tables import Tables

DAILY_REQUESTS = 100_000
DAY_SECONDS = 86_400.0
TOKEN_PATH = "/services/oauth2/token"  # noqa: S105  a path, no secret
VERSIONS = "/services/data"


def build_org(options: SandboxOptions, *, multi_currency: bool) -> Sandbox:
    """Build an org; without `multi_currency` its deals have no CurrencyIsoCode, as in most orgs."""
    state = State(clock=options.clock, tables=Tables(options.clock, make_objects(multi_currency=multi_currency)))
    fill(state, options)
    token = options.token or f"00DSb-sandbox-salesforce-{options.seed}"
    window = RateWindow(DAILY_REQUESTS, DAY_SECONDS, applies=lambda request: request.url.path != TOKEN_PATH)

    def decorate(_request: Request, response: Response) -> None:
        used = window.requests - window.remaining(options.clock.now())
        response.headers["Date"] = format_datetime(options.clock.now().astimezone(UTC), usegmt=True)
        response.headers["Sforce-Limit-Info"] = f"api-usage={used}/{window.requests}"

    sandbox = assemble(
        name="salesforce",
        state=state,
        routes=_routes(state, window, token),
        vendor=Vendor(
            accepts=_accepts,
            refused=_refused,
            limited=_limited,
            windows=(window,),
            open_paths=(TOKEN_PATH,),
            decorate=decorate,
        ),
        options=replace(options, token=token),
    )
    state.faults = sandbox.faults
    return sandbox


def _accepts(request: Request, token: str) -> bool:
    # The list of versions is open to everybody.
    return request.url.path.rstrip("/") == VERSIONS or request.headers.get("authorization", "") in {
        f"Bearer {token}",
        f"OAuth {token}",
    }


def _refused(_request: Request) -> Response:
    return refusal(ApiError("INVALID_SESSION_ID", "Session expired or invalid", status=401))


def _limited(_request: Request, window: RateWindow | None, _after: int | None) -> Response:
    # The daily allowance and too many long requests at once have one code, and no Retry-After.
    what = "TotalRequests" if window else "ConcurrentRequests (Concurrent API Requests)"
    return refusal(ApiError("REQUEST_LIMIT_EXCEEDED", f"{what} Limit exceeded.", status=403))


def _routes(state: State, window: RateWindow, token: str) -> list[BaseRoute]:
    base = VERSIONS + "/v{version}"
    served: list[tuple[str, str, Handler]] = [
        ("GET", "", routes.resources),
        ("GET", "/limits", routes.limits(window)),
        ("GET", "/limits/recordCount", routes.record_count),
        ("GET", "/query", routes.run_query),
        ("GET", "/queryAll", routes.run_query_all),
        ("GET", "/query/{locator}", routes.more),
        ("POST", "/composite/sobjects", batch.create_rows),
        ("PATCH", "/composite/sobjects", batch.update_rows),
        ("DELETE", "/composite/sobjects", batch.delete_rows),
        ("GET", "/composite/sobjects/{table}", batch.get_rows),
        ("POST", "/composite/sobjects/{table}", batch.get_rows),
        ("PATCH", "/composite/sobjects/{table}/{field}", batch.upsert_rows),
        ("GET", "/sobjects", routes.all_objects),
        ("GET", "/sobjects/{table}", routes.one_object),
        ("POST", "/sobjects/{table}", routes.create),
        ("GET", "/sobjects/{table}/describe", routes.object_describe),
        ("GET", "/sobjects/{table}/updated", routes.updated),
        ("GET", "/sobjects/{table}/deleted", routes.deleted),
        ("GET", "/sobjects/{table}/{id}", routes.get_row),
        ("PATCH", "/sobjects/{table}/{id}", routes.update_row),
        ("DELETE", "/sobjects/{table}/{id}", routes.delete_row),
        ("GET", "/sobjects/{table}/{field}/{value}", routes.get_by_external_id),
        ("PATCH", "/sobjects/{table}/{field}/{value}", routes.upsert),
    ]
    found: list[BaseRoute] = [
        Route(TOKEN_PATH, _sign_in(token), methods=["POST"]),
        Route(VERSIONS, routes.versions, methods=["GET"]),
    ]
    # The vendor's own clients end some paths with a slash.
    found += [
        Route(base + path + ending, endpoint(state, handler), methods=[method])
        for method, path, handler in served
        for ending in ("", "/")
    ]
    inner = Starlette(routes=list(found))
    found += [
        Route(base + "/composite" + ending, endpoint(state, batch.composite(inner)), methods=["POST"])
        for ending in ("", "/")
    ]
    return [*found, Route("/{path:path}", _nothing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]


async def _nothing(_request: Request) -> Response:
    return refusal(ApiError("NOT_FOUND", "The requested resource does not exist", status=404))


def _sign_in(token: str) -> Callable[[Request], Awaitable[Response]]:
    async def respond(request: Request) -> Response:
        form = parse_qs((await request.body()).decode())
        if form.get("grant_type") != ["client_credentials"]:
            words = {"error": "unsupported_grant_type", "error_description": "grant type not supported"}
            return answer(words, 400)
        if not (form.get("client_secret") or request.headers.get("authorization", "").startswith("Basic ")):
            return answer({"error": "invalid_client", "error_description": "invalid client credentials"}, 400)
        host = str(request.base_url).rstrip("/")
        body = {
            "access_token": token,
            "instance_url": host,
            "id": f"{host}/id/00DSb0000000001MAA/005Sb0000000001MAA",
            "token_type": "Bearer",
            "issued_at": "1795413600000",
            "signature": "c2FuZGJveA==",
        }
        return answer(body)

    return respond
