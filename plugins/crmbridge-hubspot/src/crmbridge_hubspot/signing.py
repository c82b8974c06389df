"""Signing in: by a token that stays, or as an app whose access token is renewed by the clock."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from datetime import timedelta
from types import MappingProxyType
from urllib.parse import urlencode

from pydantic import SecretStr

from crmbridge.errors import AuthenticationError, ConfigurationError, RefusedError, RetryLaterError, UnclearError
from crmbridge.http import Signer, StaticToken, Token, TokenEndpoint, TokenSource
from crmbridge.model.records import Kind
from crmbridge.ports import AdapterContext, Credential
from crmbridge.secrets import holding, keep, reveal
from crmbridge_hubspot.api import HOST, HubSpotApi
from crmbridge_hubspot.paths import PATHS
from crmbridge_hubspot.settings import HubSpotSettings, OAuthSettings

# Tasks and notes go by the scopes of contacts ("Tasks", "Notes"). `connections setup` needs the last one.
NEEDED = frozenset(
    {
        *(f"crm.objects.{kind}.{what}" for kind in ("deals", "contacts", "companies") for what in ("read", "write")),
        "crm.objects.owners.read",
        "crm.schemas.deals.read",
        "crm.schemas.deals.write",
    }
)
EMAILS = "sales-email-read"  # beside the scope of contacts (HubSpot's description of "Emails", 2026-03)
# Files that people attach to records are hidden from the files tool ("Get a signed URL for a private file").
NEEDED_FOR = MappingProxyType(
    {
        Kind.ACTIVITY: frozenset({EMAILS}),
        Kind.FILE: frozenset({"files", "files.ui_hidden.read", EMAILS}),
        Kind.FIELD: frozenset({"crm.schemas.companies.read", "crm.schemas.companies.write"}),  # where figures go
    }
)
LIFE = 1800  # seconds that an access token lasts, where the answer does not say ("Manage OAuth access tokens")


def make_signer(settings: HubSpotSettings, context: AdapterContext) -> Signer:
    """Make what signs a connection's requests. Touches no network."""
    if settings.oauth is not None:
        return TokenSource(_Renewal(settings, settings.oauth, context).fetch, context.clock)
    if settings.token is None:
        raise ConfigurationError("the connection has neither token nor oauth")
    return StaticToken(reveal(settings.token))


class _Renewal:
    """Gets an app's next access token."""

    def __init__(self, settings: HubSpotSettings, oauth: OAuthSettings, context: AdapterContext) -> None:
        self._oauth = oauth
        self._clock = context.clock
        self._endpoint = TokenEndpoint(
            connection=context.connection,
            url=(settings.base_url or HOST).rstrip("/") + PATHS[settings.api_version].token,
            clock=context.clock,
            timeout=settings.timeout,
            advice=f"Install the app in the HubSpot account again, and give connection {context.connection!r} its "
            "client_id, client_secret and the new refresh_token.",
        )

    def fetch(self) -> Token:
        """Ask for an access token, and store the refresh token that came with it before anybody uses the other.

        Whether HubSpot ever rotates refresh tokens is not documented: what comes back is kept whenever it differs, and
        no other process uses the old one meanwhile.
        """
        with ExitStack() as held:
            with suppress(ConfigurationError):  # where nothing can be written, nothing new could be kept, either
                held.enter_context(holding(self._oauth.refresh_token))
            return self._exchanged()

    def _exchanged(self) -> Token:
        refresh = reveal(self._oauth.refresh_token)  # each time anew: another process may have stored a new one
        asked = self._clock.now()
        answer = self._endpoint.exchange(
            {
                "grant_type": "refresh_token",
                "client_id": self._oauth.client_id,
                "client_secret": reveal(self._oauth.client_secret).get_secret_value(),
                "refresh_token": refresh.get_secret_value(),
            }
        )
        kept = answer.get("refresh_token")
        if isinstance(kept, str) and kept and kept != refresh.get_secret_value():
            keep(self._oauth.refresh_token, kept)
        return Token(
            value=SecretStr(answer["access_token"]),
            issued_at=asked,
            expires_at=asked + timedelta(seconds=_seconds(answer.get("expires_in"))),
            scopes=_scopes(answer),
            user=str(answer.get("user_id") or ""),
        )


def credential(signer: Signer, settings: HubSpotSettings, api: HubSpotApi) -> Credential:
    """Tell what a connection is signed in with, as far as HubSpot says.

    Of an app, people keep the refresh token, whose age and end HubSpot does not tell; that access tokens end every half
    hour is nobody's worry.
    """
    if not isinstance(signer, TokenSource) or settings.oauth is None:
        return Credential(way="service key or private app token", needed=NEEDED, needed_for=NEEDED_FOR)
    token = signer.token()
    said = _introspected(token, settings.oauth, api)
    return Credential(
        way="OAuth",
        user=token.user,
        scopes=token.scopes if said is None else said,
        needed=NEEDED,
        needed_for=NEEDED_FOR,
    )


def _introspected(token: Token, oauth: OAuthSettings, api: HubSpotApi) -> frozenset[str] | None:
    """Ask what a token is good for; None where that can't be had, which is no reason to describe nothing."""
    form = {
        "client_id": oauth.client_id,
        "client_secret": reveal(oauth.client_secret).get_secret_value(),
        "token": token.value.get_secret_value(),
        "token_type_hint": "access_token",
    }
    try:
        return _scopes(api.post_form(api.paths.introspection, urlencode(form).encode()))
    except (AuthenticationError, RefusedError, RetryLaterError, UnclearError):
        return None


def _scopes(answer: object) -> frozenset[str] | None:
    said = answer.get("scopes", answer.get("scope")) if isinstance(answer, dict) else None
    if isinstance(said, str):
        said = said.split()
    # `oauth` is in every app's list and opens nothing.
    return frozenset(map(str, said)) - {"oauth"} if isinstance(said, list) else None


A_YEAR = 365 * 24 * 3600  # seconds; a figure beyond it is none, and could not be added to a time


def _seconds(said: object) -> float:
    return said if isinstance(said, int) and 0 < said < A_YEAR else LIFE
