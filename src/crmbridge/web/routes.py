"""The routes: which view answers which address, for whom, and what a form must carry."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from urllib.parse import parse_qsl, quote

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from crmbridge.errors import CrmbridgeError, LockedError, OverLimitError, PlanStaleError, StateError
from crmbridge.languages import LANGUAGES
from crmbridge.revealed import strike
from crmbridge.web.access import carries
from crmbridge.web.addresses import own_path
from crmbridge.web.bodies import TurnedAwayError, read_body
from crmbridge.web.gate import Gate
from crmbridge.web.rendering import icon, style, style_path
from crmbridge.web.site import Asked, Site, View, message
from crmbridge.web.views import about, deal, deals, plan, runs, signing, start, waiting, work
from crmbridge.web.words import preferred, words_of

AT_ONCE = 8  # pages made side by side
LARGEST = 64 * 1024  # bytes of a form
PATIENCE = 10.0  # seconds for a form to arrive
LANGUAGE = "crmbridge_language"  # the cookie
YEAR = 365 * 86_400

log = logging.getLogger(__name__)

Endpoint = Callable[[Request], Awaitable[Response]]


def site_app(site: Site, webhooks: ASGIApp) -> ASGIApp:
    """Make the application: the page behind its gate, and beside it what programs call."""
    errors = _Errors(site)
    app = Starlette(routes=_routes(site), exception_handlers={HTTPException: errors.of_http, Exception: errors.of_bug})
    app.router.redirect_slashes = False
    page = Gate(app, site.hosts)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        # Vendors sign what they send, and whoever watches asks for no more than whether it is alive.
        path = scope.get("path", "")
        chosen = webhooks if path.startswith("/webhooks/") or path == "/healthz" else page
        await chosen(scope, receive, send)

    return dispatch


def _routes(site: Site) -> list[Route]:
    limiter = CapacityLimiter(AT_ONCE)

    def get(path: str, view: View, *, anybody: bool = False) -> Route:
        return Route(path, _looking(site, view, limiter, anybody=anybody), methods=["GET"])

    def post(path: str, view: View, *, anybody: bool = False, act: bool = True) -> Route:
        return Route(path, _doing(site, view, limiter, anybody=anybody, act=act), methods=["POST"])

    return [
        get("/", start.overview),
        get("/deals", deals.held),
        get("/deals/{connection}/{id:path}", deal.one),
        get("/waiting", waiting.everything),
        post("/waiting/{id}", waiting.decide),
        get("/plan", plan.shown),
        post("/plan/make", plan.make),
        get("/plan/apply", plan.confirm),
        post("/plan/apply", plan.apply),
        get("/work", work.work),
        get("/runs", runs.everything),
        get("/runs/{id}", runs.one),
        get("/indicators", start.indicators),
        get("/report", about.report),
        get("/manual", about.to_manual),
        get("/manual/{path:path}", about.manual),
        get("/sign-in", signing.form, anybody=True),
        post("/sign-in", signing.sign_in, anybody=True, act=False),
        post("/sign-out", signing.sign_out, act=False),
        get("/metrics", about.metrics, anybody=True),
        Route("/language/{code}", _language(site), methods=["GET"]),
        Route(style_path(), _style, methods=["GET"]),
        Route("/static/icon.svg", _icon, methods=["GET"]),
    ]


def _looking(site: Site, view: View, limiter: CapacityLimiter, *, anybody: bool) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        asked = _asked(site, request)
        if asked.session is None and not anybody:
            here = quote(_here(request), safe="")
            return RedirectResponse(f"/sign-in?next={here}" if here != "%2F" else "/sign-in", 303)
        return await to_thread.run_sync(_answered, site, view, asked, limiter=limiter)

    return endpoint


def _doing(site: Site, view: View, limiter: CapacityLimiter, *, anybody: bool, act: bool) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        asked = _asked(site, request, await _form(request))
        t = asked.words
        if not site.hosts.is_own(request.headers.get("origin"), request.headers.get("host", "")):
            return message(site, asked, 403, t("not_allowed"), t("not_allowed_why"))
        if not anybody and (asked.session is None or not carries(asked.session, asked.form.get("form", ""))):
            return message(site, asked, 403, t("not_allowed"), t("not_allowed_why"))
        if act and (asked.session is None or not asked.session.may_act):
            return message(site, asked, 403, t("not_allowed"), t("only_act"))
        return await to_thread.run_sync(_answered, site, view, asked, limiter=limiter)

    return endpoint


def _answered(site: Site, view: View, asked: Asked) -> Response:
    """Let a view answer; what a person can mend is said on a page."""
    try:
        return view(site, asked)
    except CrmbridgeError as error:
        log.info("%s: %s", asked.path, strike(error.message))
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
        t = asked.words
        said, advice = (t.told(strike(text)) for text in (error.message, error.advice))
        whole = said if said.endswith(_ENDS) else t("sentence", said=said)
        return message(site, asked, status, t("cannot_now"), whole, advice=advice)


_ENDS = (".", "!", "?", "。")
_STATUS: Mapping[type, int] = {LockedError: 409, PlanStaleError: 409, OverLimitError: 409, StateError: 503}


def _asked(site: Site, request: Request, form: dict[str, str] | None = None) -> Asked:
    cookie = request.cookies.get(signing.cookie_name(site))
    chosen = request.cookies.get(LANGUAGE, "")
    usual, accepted = site.workspace.project.settings.language, request.headers.get("accept-language", "")
    language = chosen if chosen in LANGUAGES else preferred(accepted, usual)
    header = request.headers.get("authorization", "")
    return Asked(
        words=words_of(language, site.zone),
        path=_path(request),
        address=_caller(site, request),
        query=dict(request.query_params),
        form=form or {},
        params=dict(request.path_params),
        session=site.access.session(cookie),
        cookie=cookie,
        bearer=header[7:].strip() if header.lower().startswith("bearer ") else None,
    )


def _caller(site: Site, request: Request) -> str:
    peer = request.client.host if request.client else ""
    return site.proxies.caller(peer, request.headers.getlist("x-forwarded-for"))


def _path(request: Request) -> str:
    """Give the path as it was asked for: ids may hold what would end one, and a line of the log, too."""
    asked: bytes = request.scope["raw_path"]
    return asked.decode("latin-1")


def _here(request: Request) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return f"{_path(request)}?{query}" if query else _path(request)


async def _form(request: Request) -> dict[str, str]:
    """Read a form up to the limits of size and time. A field that is given twice counts as it was given last."""
    try:
        body = await read_body(request, LARGEST, PATIENCE)
    except TurnedAwayError as error:
        raise HTTPException(error.status) from None
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise HTTPException(415)
    try:
        return dict(parse_qsl(body.decode("utf-8"), keep_blank_values=True, max_num_fields=100))
    except ValueError:  # bytes that are no UTF-8 are such, too
        raise HTTPException(400) from None


def _language(site: Site) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        code = request.path_params["code"]
        if code not in LANGUAGES:
            raise HTTPException(404)
        answer = RedirectResponse(own_path(request.query_params.get("next", "/")), 303)
        answer.set_cookie(LANGUAGE, code, max_age=YEAR, httponly=True, samesite="strict", secure=site.secure)
        return answer

    return endpoint


async def _style(_request: Request) -> Response:
    return Response(style(), media_type="text/css", headers={"Cache-Control": f"public, max-age={YEAR}, immutable"})


async def _icon(_request: Request) -> Response:
    return Response(icon(), media_type="image/svg+xml", headers={"Cache-Control": "public, max-age=86400"})


class _Errors:
    """Says what went wrong in the page's own style, and nothing of how it is built."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def of_http(self, request: Request, error: Exception) -> Response:
        """Answer where there is no page, or a form can't be read."""
        status = error.status_code if isinstance(error, HTTPException) else 500
        asked = _asked(self._site, request)
        t = asked.words
        if status in {404, 405}:  # the address of a form may be asked for again, and there is no page
            return message(self._site, asked, status, t("not_found"), t("not_found_why"))
        answer = message(self._site, asked, status, t("not_allowed"), t("not_allowed_why"))
        if status in {408, 413}:  # what is left of a form is not waited for
            answer.headers["Connection"] = "close"
        return answer

    async def of_bug(self, request: Request, error: Exception) -> Response:
        """Answer where we went wrong; the log has no more than the kind, as an error's words may hold anything."""
        asked = _asked(self._site, request)
        log.error("%s: a page could not be made (%s)", asked.path, type(error).__name__)
        t = asked.words
        return message(self._site, asked, 500, t("went_wrong"), t("went_wrong_why"))
