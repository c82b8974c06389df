"""Signing in to the sandbox's org: the token endpoint, and the sessions that it gives out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote

import jwt
from starlette.requests import Request
from starlette.responses import Response

from crmbridge.ports import Clock
from crmbridge_salesforce.sandbox.answers import ApiError, answer

if TYPE_CHECKING:
    from jwt.types import Options  # older ones, which do, don't have it

EXPIRED = "Session expired or invalid"
# Two refusals that carry the code of an expired session and that no new sign-in mends (jsforce src/http-api.ts).
LOOK_ALIKES = ("This session is not valid for use with the REST API", "Connected app is not attached to Agent")
CLIENT_ID, CLIENT_SECRET = "sandbox-client", "sandbox-secret"
REFRESH_TOKEN = "sandbox-refresh-0"  # noqa: S105  the same
USERNAME = "integration@lumenworks.example"
LOGIN_HOSTS = ("https://login.salesforce.com", "https://test.salesforce.com")
LONGEST_ASSERTION = timedelta(minutes=5)
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


class SignInError(Exception):
    """A sign-in that is refused: one object with `error` and `error_description`, no array."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(description)
        self.error = error


@dataclass(kw_only=True)
class SignIn:
    """Who may sign in, and the sessions that are good. Tests may change all of it.

    `keys` holds the public key (PEM) of each consumer key that signs assertions; `rotates` gives a new refresh token
    with each refresh and takes the old one back; `look_alike` is a text of LOOK_ALIKES that every call is refused with.
    """

    clock: Clock
    first: str  # a session that is good from the start
    clients: dict[str, str] = field(default_factory=lambda: {CLIENT_ID: CLIENT_SECRET})
    keys: dict[str, str] = field(default_factory=dict)
    usernames: set[str] = field(default_factory=lambda: {USERNAME})
    refresh_tokens: dict[str, str] = field(default_factory=lambda: {REFRESH_TOKEN: CLIENT_ID})
    rotates: bool = False
    look_alike: str = ""
    sessions: set[str] = field(default_factory=set)
    given: int = 0  # sessions so far

    def __post_init__(self) -> None:
        """Open the first session."""
        self.sessions.add(self.first)

    def expire(self) -> None:
        """End all sessions, as the org's session policy or an admin does."""
        self.sessions.clear()

    def accepts(self, request: Request) -> bool:
        """Tell whether a request carries a session that is good."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        return not self.look_alike and scheme in {"Bearer", "OAuth"} and token in self.sessions

    def refusal(self) -> ApiError:
        """Make the error of a request without a good session."""
        return ApiError("INVALID_SESSION_ID", self.look_alike or EXPIRED, status=401)

    def exchange(self, form: Mapping[str, str], host: str) -> dict[str, Any]:
        """Give a new session for a grant; raises SignInError."""
        grants: dict[str, Callable[[], dict[str, Any]]] = {
            "client_credentials": lambda: self._by_secret(form),
            JWT_BEARER: lambda: self._by_assertion(form.get("assertion", ""), host),
            "refresh_token": lambda: self._by_refresh(form),
        }
        grant = grants.get(form.get("grant_type", ""))
        if grant is None:
            raise SignInError("unsupported_grant_type", "grant type not supported")
        more = grant()
        return {**self._open(host), **more}

    def _open(self, host: str) -> dict[str, Any]:
        # There is no expires_in: how long a session lives is the org's policy, which the client never learns.
        self.given += 1
        token = f"{self.first}-{self.given}"
        self.sessions.add(token)
        return {
            "access_token": token,
            "instance_url": host,
            "id": f"{host}/id/00DSb0000000001MAA/005Sb0000000001MAA",
            "token_type": "Bearer",
            "issued_at": str(int(self.clock.now().timestamp() * 1000)),
            "signature": "c2FuZGJveA==",
            "scope": "api",
        }

    def _by_secret(self, form: Mapping[str, str]) -> dict[str, Any]:
        self._check_client(form)
        return {}

    def _check_client(self, form: Mapping[str, str]) -> None:
        secret = self.clients.get(form.get("client_id", ""))
        if secret is None:
            raise SignInError("invalid_client_id", "client identifier invalid")
        if form.get("client_secret") != secret:
            raise SignInError("invalid_client", "invalid client credentials")

    def _by_assertion(self, assertion: str, host: str) -> dict[str, Any]:
        claims = self._claims(assertion)
        if str(claims.get("aud")).rstrip("/") not in {*LOGIN_HOSTS, host}:
            raise SignInError("invalid_grant", "audience is invalid")
        left = float(claims.get("exp") or 0) - self.clock.now().timestamp()
        if not 0 < left <= LONGEST_ASSERTION.total_seconds():
            raise SignInError("invalid_grant", "expired authorization code")
        if claims.get("sub") not in self.usernames:
            raise SignInError("invalid_grant", "user hasn't approved this consumer")
        return {}

    def _claims(self, assertion: str) -> dict[str, Any]:
        """Read an assertion's claims, its signature checked; times are checked by the sandbox's own clock."""
        try:
            issuer = str(jwt.decode(assertion, options={"verify_signature": False}).get("iss"))
            key = self.keys.get(issuer)
            if key is None:
                raise SignInError("invalid_client_id", "client identifier invalid")
            options: Options = {"verify_exp": False, "verify_aud": False, "verify_iat": False, "verify_nbf": False}
            return dict(jwt.decode(assertion, key, algorithms=["RS256"], options=options))
        except jwt.PyJWTError:
            raise SignInError("invalid_grant", "invalid assertion") from None

    def _by_refresh(self, form: Mapping[str, str]) -> dict[str, Any]:
        old = form.get("refresh_token", "")
        if self.refresh_tokens.get(old) is None or self.refresh_tokens[old] != form.get("client_id"):
            raise SignInError("invalid_grant", "expired access/refresh token")
        if "client_secret" in form:
            self._check_client(form)
        if not self.rotates:
            return {}
        new = f"sandbox-refresh-{self.given + 1}"
        self.refresh_tokens[new] = self.refresh_tokens.pop(old)
        return {"refresh_token": new}


def token_endpoint(sign_in: SignIn) -> Callable[[Request], Awaitable[Response]]:
    """Make the route that gives sessions for grants."""

    async def respond(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace"), keep_blank_values=True))
        try:
            return answer(sign_in.exchange({**form, **_basic(request)}, str(request.base_url).rstrip("/")))
        except SignInError as refused:
            return answer({"error": refused.error, "error_description": str(refused)}, 400)

    return respond


def _basic(request: Request) -> dict[str, str]:
    """Read client id and secret from a Basic header; nothing where there is none."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return {}
    try:
        name, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise SignInError("invalid_client", "invalid client credentials") from None
    return {"client_id": unquote(name), "client_secret": unquote(secret)}
