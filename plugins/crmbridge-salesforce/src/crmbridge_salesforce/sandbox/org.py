"""Putting the org together: its routes, its sign-in and its allowance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, timedelta

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from crmbridge.model.replacing import replace
from crmbridge.sandbox import RateWindow, Sandbox, SandboxOptions, Vendor, assemble, http_date
from crmbridge_salesforce.sandbox import batch, bulk, composites, routes
from crmbridge_salesforce.sandbox.answers import ApiError, refusal
from crmbridge_salesforce.sandbox.fill import fill
from crmbridge_salesforce.sandbox.jobs import Jobs
from crmbridge_salesforce.sandbox.objects import make_objects
from crmbridge_salesforce.sandbox.routes import Handler, endpoint
from crmbridge_salesforce.sandbox.sign_in import SignIn, token_endpoint
from crmbridge_salesforce.sandbox.state import State
from crmbridge_salesforce.sandbox.tables import Tables

DAILY_REQUESTS = 100_000
DAY_SECONDS = 86_400.0
TOKEN_PATH = "/services/oauth2/token"  # noqa: S105  a path, no secret
VERSIONS = "/services/data"


def build_org(options: SandboxOptions, *, multi_currency: bool) -> Sandbox:
    """Build an org; without `multi_currency` its deals have no CurrencyIsoCode, as in most orgs."""
    token = options.token or f"00DSb-sandbox-salesforce-{options.seed}"
    state = State(
        clock=options.clock,
        tables=Tables(options.clock, make_objects(multi_currency=multi_currency)),
        sign_in=SignIn(clock=options.clock, first=token),
        jobs=Jobs(clock=options.clock),
        described_at=options.as_of.astimezone(UTC).replace(microsecond=0) - timedelta(days=400),
    )
    fill(state, options)
    window = RateWindow(DAILY_REQUESTS, DAY_SECONDS, applies=lambda request: request.scope["path"] != TOKEN_PATH)
    sandbox = assemble(
        name="salesforce",
        state=state,
        routes=_routes(state, window),
        vendor=_vendor(state, window),
        options=replace(options, token=token),
    )
    state.faults = sandbox.faults
    return sandbox


def _vendor(state: State, window: RateWindow) -> Vendor:
    """Make the org's forms of refusing, and the headers of every answer."""

    def accepts(request: Request, _token: str) -> bool:
        # The list of versions is open to everybody.
        return request.scope["path"].rstrip("/") == VERSIONS or state.sign_in.accepts(request)

    def decorate(_request: Request, response: Response) -> None:
        now = state.clock.now()
        used = window.requests - window.remaining(now)
        response.headers["Date"] = http_date(now)
        response.headers["Sforce-Limit-Info"] = f"api-usage={used}/{window.requests}"

    def refused(request: Request) -> Response:
        return _decorated(refusal(state.sign_in.refusal()), request, decorate)

    def limited(request: Request, full: RateWindow | None, _after: int | None) -> Response:
        # The daily allowance and too many long requests at once have one code, and no Retry-After.
        what = "TotalRequests" if full else "ConcurrentRequests (Concurrent API Requests)"
        error = ApiError("REQUEST_LIMIT_EXCEEDED", f"{what} Limit exceeded.", status=403)
        return _decorated(refusal(error), request, decorate)

    def spent(request: Request) -> Response:
        response = limited(request, window, None)
        response.headers["Sforce-Limit-Info"] = f"api-usage={window.requests}/{window.requests}"
        return response

    return Vendor(
        accepts=accepts,
        refused=refused,
        limited=limited,
        spent=spent,
        windows=(window,),
        open_paths=(TOKEN_PATH,),
        decorate=decorate,
    )


def _decorated(response: Response, request: Request, decorate: Callable[[Request, Response], None]) -> Response:
    decorate(request, response)
    return response


def _routes(state: State, window: RateWindow) -> list[BaseRoute]:
    base = VERSIONS + "/v{version}"
    served: list[tuple[str, str, Handler]] = [
        ("GET", "", routes.resources),
        ("GET", "/limits", routes.limits(window)),
        ("GET", "/limits/recordCount", routes.record_count),
        ("GET", "/query", routes.run_query),
        ("GET", "/queryAll", routes.run_query_all),
        ("GET", "/query/{locator}", routes.more),
        *_job_routes(),
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
        Route(TOKEN_PATH, token_endpoint(state.sign_in), methods=["POST"]),
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
        Route(base + path + ending, endpoint(state, handler), methods=["POST"])
        for path, handler in (
            ("/composite", composites.composite(inner)),
            ("/composite/graph", composites.graph(inner)),
        )
        for ending in ("", "/")
    ]
    return [*found, Route("/{path:path}", _nothing, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])]


def _job_routes() -> list[tuple[str, str, Handler]]:
    either: list[tuple[str, str, Handler]] = [
        entry
        for kind in ("query", "ingest")
        for entry in (
            ("GET", f"/jobs/{kind}", bulk.all_jobs),
            ("GET", f"/jobs/{kind}/{{job}}", bulk.tell),
            ("PATCH", f"/jobs/{kind}/{{job}}", bulk.change),
            ("DELETE", f"/jobs/{kind}/{{job}}", bulk.drop),
        )
    ]
    return [
        *either,
        ("POST", "/jobs/query", bulk.create_query),
        ("GET", "/jobs/query/{job}/results", bulk.results),
        ("POST", "/jobs/ingest", bulk.create_ingest),
        ("PUT", "/jobs/ingest/{job}/batches", bulk.upload),
        ("GET", "/jobs/ingest/{job}/successfulResults", bulk.successful),
        ("GET", "/jobs/ingest/{job}/failedResults", bulk.failed),
        ("GET", "/jobs/ingest/{job}/unprocessedRecords", bulk.unprocessed),
        ("GET", "/jobs/ingest/{job}/unprocessedrecords", bulk.unprocessed),  # as jsforce writes it
    ]


async def _nothing(_request: Request) -> Response:
    return refusal(ApiError("NOT_FOUND", "The requested resource does not exist", status=404))
