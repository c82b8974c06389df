"""Signing in to Pipedrive: an API token in a header, or an app's OAuth token that is refreshed by the clock."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from crmbridge import secrets
from crmbridge.errors import AuthenticationError, RetryLaterError
from crmbridge.http import StaticToken, Token, TokenEndpoint, TokenSource
from crmbridge.loopback import is_loopback
from crmbridge.model.records import Kind
from crmbridge.ports import AdapterContext, Clock, Credential
from crmbridge_pipedrive.paths import FIELD_SCOPES, SCOPES
from crmbridge_pipedrive.settings import OAuthSettings, PipedriveSettings

A_CENTURY = 3_000_000_000  # seconds
ASK_SIGN_IN = "Take the connection's token from Pipedrive (Personal preferences, API); a new one ends the old one."
ASK_CONSENT = (
    "Let a user with all deals consent to the app again and put the refresh token you get into the connection's oauth; "
    "one that nobody used for 60 days has ended."
)


class SignIn:
    """How one connection signs in."""

    def __init__(self, settings: PipedriveSettings, context: AdapterContext) -> None:
        self._settings = settings
        self._source: TokenSource | None = None
        if settings.oauth is None:
            if settings.token is None:
                raise TypeError("the settings were not validated")
            # In a header: what stands in the query ends up in logs ("Authentication").
            token = secrets.reveal(settings.token)
            self.signer: StaticToken | TokenSource = StaticToken(token, header="x-api-token", form="{}")
        else:
            grant = _Grant(settings, settings.oauth, context.connection, context.clock)
            self.signer = self._source = TokenSource(grant.fetch, context.clock)

    @property
    def advice(self) -> str:
        """Say what to do when the credential is refused."""
        return ASK_SIGN_IN if self._source is None else ASK_CONSENT

    def v1_path(self) -> str:
        """Give where v1 is served; with OAuth that needs the host which the sign-in names."""
        host = self._source.token().base_url if self._source else None
        return self._settings.v1_path(host or self._settings.host_url)

    def credential(self, user: str) -> Credential:
        """Describe the credential, with the user as whom it acts."""
        if self._source is None:
            return Credential(way="API token", user=user)
        token = self._source.token()
        return Credential(
            way="OAuth",
            user=user,
            scopes=token.scopes,  # the hour of an access token says nothing of the refresh token's age
            needed=_needed(token.scopes),
            needed_for={Kind.FIELD: FIELD_SCOPES},
        )


class _Grant:
    """Exchanges the refresh token for access tokens."""

    def __init__(self, settings: PipedriveSettings, oauth: OAuthSettings, connection: str, clock: Clock) -> None:
        self._settings = settings
        self._oauth = oauth
        self._connection = connection
        self._clock = clock
        self._endpoint = TokenEndpoint(
            connection=connection,
            url=settings.token_url,
            clock=clock,
            timeout=settings.timeout,
            advice=ASK_CONSENT,
        )

    def fetch(self) -> Token:
        """Refresh. The refresh token comes back as it was; another one is stored before anything uses it."""
        asked_at = self._clock.now()
        # Not held against other processes: Pipedrive's does not change by being used, so nobody can come too late.
        refresh = secrets.reveal(self._oauth.refresh_token).get_secret_value()
        basic = (self._oauth.client_id, secrets.reveal(self._oauth.client_secret))
        answer = self._endpoint.exchange({"grant_type": "refresh_token", "refresh_token": refresh}, basic=basic)
        given = answer.get("refresh_token")
        if isinstance(given, str) and given not in {"", refresh}:
            secrets.keep(self._oauth.refresh_token, given)
        scope = answer.get("scope")
        return Token(
            value=SecretStr(answer["access_token"]),
            issued_at=asked_at,
            expires_at=_end(asked_at, answer.get("expires_in")),
            base_url=self._host(answer),
            scopes=frozenset(scope.replace(",", " ").split()) if isinstance(scope, str) else None,
        )

    def _host(self, answer: Mapping[str, Any]) -> str | None:
        """Give the company's own host, unless the settings name one; a token goes to nobody else's."""
        domain = answer.get("api_domain")
        if self._settings.base_url is not None:
            return None
        if not isinstance(domain, str):
            if self._settings.company is not None:
                return None
            raise RetryLaterError(f"{self._connection}: the sign-in did not say where the company's API is")
        domain = domain if "://" in domain else f"https://{domain}"
        if not _is_vendors(domain) and not (is_loopback(self._settings.token_url) and is_loopback(domain)):
            raise AuthenticationError(
                f"{self._connection}: the sign-in sends us to a host that is not Pipedrive's: {domain[:80]!r}",
                advice="Check the connection's oauth_url.",
            )
        return domain


def _is_vendors(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "https" and (parts.hostname or "").endswith(".pipedrive.com")


def _end(asked_at: datetime, lasts: Any) -> datetime | None:
    """Say when a token ends; without a figure it is good until Pipedrive says otherwise."""
    is_count = isinstance(lasts, int) and not isinstance(lasts, bool) and 0 < lasts < A_CENTURY
    return asked_at + timedelta(seconds=lasts) if is_count else None


def _needed(scopes: frozenset[str] | None) -> frozenset[str]:
    """Give the scopes needed; where the wider one of a pair was granted, that one serves."""
    granted = scopes or frozenset()
    return frozenset(
        wide if (wide := need.replace(":read", ":full")) in granted and need not in granted else need for need in SCOPES
    )
