"""The sandbox's sign-in by OAuth: codes, refresh tokens, access tokens that live half an hour, and their routes."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crmbridge.ports import Clock
from crmbridge_hubspot.sandbox.account import PORTAL
from crmbridge_hubspot.sandbox.replies import VendorError, correlation, error_response

LIFETIME = timedelta(seconds=1800)
VERSIONS = ("v1", "v3", "2026-03", "2026-09")
USER = 5_190_801
SCOPES = frozenset(
    {
        "oauth",
        *(f"crm.objects.{kind}.{do}" for kind in ("deals", "contacts", "companies") for do in ("read", "write")),
        "crm.objects.owners.read",
        "files",
        "files.ui_hidden.read",
        "sales-email-read",
        *(f"crm.schemas.{kind}.{do}" for kind in ("deals", "contacts", "companies") for do in ("read", "write")),
    }
)


@dataclass
class OAuth:
    """The app that was installed in the account, and the tokens it was given.

    `rotates`: each refresh gives a new refresh token and ends the one before, which HubSpot is not known to do and
    not known not to. `scopes` are those that every token of the account has, the sandbox's fixed token too.
    """

    clock: Clock
    client_id: str = "5d0f8f0e-sandbox-client"
    client_secret: str = "sandbox-client-secret"  # noqa: S105  an invented one
    refresh_token: str = "eu1-sandbox-refresh-0"  # noqa: S105  the newest one
    redirect_uri: str = "https://crmbridge.example/callback"
    rotates: bool = False
    scopes: frozenset[str] = SCOPES
    access: dict[str, datetime] = field(default_factory=dict)  # token -> when it ends
    refresh: set[str] = field(default_factory=set)  # the refresh tokens that are good
    codes: set[str] = field(default_factory=set)
    _made: int = 0

    def __post_init__(self) -> None:
        self.refresh.add(self.refresh_token)

    def make_code(self) -> str:
        """Install the app as a person does: the code that comes back to `redirect_uri`, good for one exchange."""
        code = self._token("eu1-code")
        self.codes.add(code)
        return code

    def revoke(self, token: str) -> None:
        """End a token. Without its refresh token the app is gone from the account, and all it was given with it."""
        if token in self.refresh:
            self.refresh.discard(token)
            self.access.clear()
        self.access.pop(token, None)

    def issue(self) -> str:
        """Make an access token, as long as real ones are."""
        token = self._token("CL-sandbox", 300)
        self.access[token] = self.clock.now() + LIFETIME
        return token

    def is_live(self, token: str) -> bool:
        """Tell whether an access token is good now."""
        return token in self.access and self.clock.now() < self.access[token]

    def renew(self) -> str:
        """Give the refresh token that goes with a refresh: the same, or a new one where they rotate."""
        if self.rotates:
            self.refresh.discard(self.refresh_token)
            self.refresh_token = self._token("eu1-sandbox-refresh")
            self.refresh.add(self.refresh_token)
        return self.refresh_token

    def _token(self, prefix: str, length: int = 36) -> str:
        self._made += 1
        digest = hashlib.shake_256(f"{prefix} {self._made}".encode()).hexdigest(length // 2)
        return f"{prefix}-{digest}"


def oauth_routes(oauth: OAuth) -> Sequence[Route]:
    """Give the routes, under every version."""
    return [
        Route(f"/oauth/{version}/{path}", _endpoint(oauth, answer), methods=["POST"])
        for version in VERSIONS
        for path, answer in (("token", _token), ("token/introspect", _introspect), ("token/revoke", _revoke))
    ]


Answer = Callable[[OAuth, Mapping[str, str]], Response]


def _endpoint(oauth: OAuth, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    async def answered(request: Request) -> Response:
        raw = await request.body()
        if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return error_response(VendorError(415, "VALIDATION_ERROR", "Unsupported Media Type"), 415)
        form = dict(parse_qsl(raw.decode("utf-8", "replace"), keep_blank_values=True))
        if request.url.query:
            return _bad("BAD_REQUEST", "invalid_request", "Parameters belong in the body")
        if (form.get("client_id"), form.get("client_secret")) != (oauth.client_id, oauth.client_secret):
            return _bad("BAD_CLIENT_SECRET", "invalid_client", "missing or unknown client id or secret")
        return answer(oauth, form)

    return answered


def _bad(status: str, error: str, message: str) -> Response:
    body = {"status": status, "message": message, "correlationId": correlation(400)}
    return JSONResponse({**body, "error": error, "error_description": message}, status_code=400)


def _token(oauth: OAuth, form: Mapping[str, str]) -> Response:
    match form.get("grant_type"):
        case "refresh_token":
            if form.get("refresh_token") not in oauth.refresh:
                return _bad("BAD_REFRESH_TOKEN", "invalid_grant", "missing or invalid refresh token")
        case "authorization_code":
            if form.get("redirect_uri") != oauth.redirect_uri:
                return _bad("BAD_REDIRECT_URI", "invalid_grant", "missing or invalid redirect uri")
            if form.get("code") not in oauth.codes:
                return _bad("BAD_AUTH_CODE", "invalid_grant", "missing or unknown auth code")
            oauth.codes.discard(form["code"])
            oauth.refresh.add(oauth.refresh_token)
        case _:
            return _bad("BAD_GRANT_TYPE", "unsupported_grant_type", "missing or unknown grant type")
    access = oauth.issue()
    return JSONResponse({"access_token": access, "refresh_token": oauth.renew(), **_about(oauth, access)})


def _about(oauth: OAuth, token: str) -> dict[str, Any]:
    left = int((oauth.access[token] - oauth.clock.now()).total_seconds())
    about = {"expires_in": left, "token_type": "bearer", "hub_id": PORTAL, "user_id": USER}
    return {**about, "scopes": sorted(oauth.scopes)}


def _introspect(oauth: OAuth, form: Mapping[str, str]) -> Response:
    token = form.get("token", "")
    if oauth.is_live(token):
        about = {"active": True, "token_use": "access_token", "client_id": oauth.client_id}
        return JSONResponse({**about, **_about(oauth, token)})
    if token in oauth.refresh:
        about = {"active": True, "token_use": "refresh_token", "client_id": oauth.client_id, "hub_id": PORTAL}
        return JSONResponse({**about, "scopes": sorted(oauth.scopes)})
    return JSONResponse({"active": False})


def _revoke(oauth: OAuth, form: Mapping[str, str]) -> Response:
    oauth.revoke(form.get("token", ""))
    return Response(status_code=204)
