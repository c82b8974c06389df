"""Signing in to the sandbox: its API token, and the OAuth endpoint with access tokens that end."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime, timedelta
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crmbridge.ports import Clock
from crmbridge_pipedrive.sandbox.replies import json_response

CLIENT_ID, CLIENT_SECRET = "sandbox-app", "sandbox-app-secret"  # what the sandbox's app signs in with
LASTS = 3599  # seconds
SCOPE = "base,deals:full,activities:full,contacts:full,users:read,recents:read,deal-fields:full,search:read"


class Sessions:
    """The access tokens that were given out. The refresh token stays the same at every use ("OAuth authorization")."""

    def __init__(self, clock: Clock, refresh_token: str) -> None:
        self._clock = clock
        self._ends: dict[str, datetime] = {}
        self.refresh_token = refresh_token
        self.scope = SCOPE
        self.given = 0

    def accepts(self, request: Request, token: str) -> bool:
        """Tell whether a request carries the API token, or an access token that has not ended."""
        if request.headers.get("x-api-token") == token:
            return True
        scheme, _, carried = request.headers.get("authorization", "").partition(" ")
        ends = self._ends.get(carried)
        return scheme.lower() == "bearer" and ends is not None and self._clock.now() < ends

    def grants(self, request: Request, scope: str) -> bool:
        """Tell whether a request may do what a scope is for; an API token may do all that its user may."""
        return "x-api-token" in request.headers or scope in self.scope.split(",")

    def expire(self) -> None:
        """Let every access token have ended."""
        self._ends.clear()

    def give(self, host: str) -> dict[str, object]:
        """Give out another access token."""
        self.given += 1
        access = f"v1u:sandbox-access-{self.given}-of-{self.refresh_token}"
        self._ends[access] = self._clock.now() + timedelta(seconds=LASTS)
        return {
            "access_token": access,
            "token_type": "bearer",
            "refresh_token": self.refresh_token,
            "scope": self.scope,
            "expires_in": LASTS,
            "api_domain": host,
        }

    @property
    def routes(self) -> list[Route]:
        """Give the routes of the token endpoint; they cost nothing and need no token."""
        return [Route("/oauth/token", self._token, methods=["POST"])]

    async def _token(self, request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode("utf-8", "replace")))
        if _basic(request) != (CLIENT_ID, CLIENT_SECRET):
            return _refused(401, "invalid_client", "The client credentials are invalid")
        if form.get("grant_type") != "refresh_token":
            return _refused(400, "unsupported_grant_type", "Use refresh_token")
        if form.get("refresh_token") != self.refresh_token:
            return _refused(400, "invalid_grant", "Invalid grant: refresh token is invalid")
        return json_response(self.give(str(request.base_url).rstrip("/")))


def _basic(request: Request) -> tuple[str, str]:
    scheme, _, carried = request.headers.get("authorization", "").partition(" ")
    try:
        name, _, secret = base64.b64decode(carried, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (name, secret) if scheme.lower() == "basic" else ("", "")


def _refused(status: int, error: str, message: str) -> Response:
    return json_response({"success": False, "error": error, "error_description": message}, status)
