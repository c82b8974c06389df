"""Signing in to an org: a token that is given, or one that is fetched by client credentials or a signed assertion."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from crmbridge.errors import AuthenticationError, ConfigurationError
from crmbridge.http import Signer, StaticToken, Token, TokenEndpoint, TokenSource
from crmbridge.loopback import is_loopback
from crmbridge.ports import Clock, Credential
from crmbridge.settings import Secret
from crmbridge_salesforce.settings import LOGIN, TEST, ClientCredentials, JwtBearer, SalesforceSettings

TOKEN_PATH = "/services/oauth2/token"  # noqa: S105  a path, no secret
JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTION_LIVES = timedelta(minutes=3)  # five at most; a short one is good for one sign-in and little else
# Where an org may say that its requests go.
VENDOR_HOSTS = (".salesforce.com", ".salesforce.mil", ".force.com", ".cloudforce.com")
NEEDED_SCOPES = frozenset({"api"})

Reveal = Callable[[Secret], SecretStr]


class SignIn:
    """One connection's way to sign in: it signs requests, and tells what is known of the credential.

    How long a session lives is the org's policy, which the client never learns; so there is no time of expiry.
    """

    def __init__(self, settings: SalesforceSettings, connection: str, clock: Clock, reveal: Reveal) -> None:
        self._settings = settings
        self._connection = connection
        self._clock = clock
        self.signer: Signer
        if settings.token is not None:
            self.signer = StaticToken(reveal(settings.token))
            return
        fetch = (
            self._by_secret(settings.client_credentials, reveal(settings.client_credentials.client_secret))
            if settings.client_credentials is not None
            else self._by_assertion(settings.jwt, reveal(settings.jwt.key))
            if settings.jwt is not None
            else _no_way
        )
        self.signer = TokenSource(fetch, clock)

    def credential(self) -> Credential:
        """Say what the connection is signed in with, signing in first where that is needed."""
        if not isinstance(self.signer, TokenSource):
            return Credential(way="access token", needed=NEEDED_SCOPES)
        token = self.signer.token()
        way = "JWT bearer" if self._settings.jwt is not None else "client credentials"
        # A session's age says nothing of the credential's.
        return Credential(way=way, user=token.user, scopes=token.scopes, needed=NEEDED_SCOPES)

    def _by_secret(self, way: ClientCredentials, secret: SecretStr) -> Callable[[], Token]:
        def fetch() -> Token:
            return self._exchange({"grant_type": "client_credentials"}, basic=(way.client_id, secret))

        return fetch

    def _by_assertion(self, way: JwtBearer, key: SecretStr) -> Callable[[], Token]:
        def fetch() -> Token:
            assertion = sign_assertion(way, key, self._settings.audience, self._clock.now())
            token = self._exchange({"grant_type": JWT_GRANT, "assertion": assertion})
            return Token(
                value=token.value,
                issued_at=token.issued_at,
                base_url=token.base_url,
                scopes=token.scopes,
                user=way.username,
            )

        return fetch

    def _exchange(self, form: Mapping[str, str], basic: tuple[str, SecretStr] | None = None) -> Token:
        endpoint = TokenEndpoint(
            connection=self._connection,
            url=self._settings.address + TOKEN_PATH,
            clock=self._clock,
            timeout=min(self._settings.timeout, 60.0),
        )
        try:
            said = endpoint.exchange(form, basic=basic)
        except AuthenticationError as error:
            raise AuthenticationError(error.message, advice=advice_for(error.message, self._settings)) from error
        return self._token(said)

    def _token(self, said: Mapping[str, Any]) -> Token:
        issued, scope = str(said.get("issued_at") or ""), said.get("scope")
        return Token(
            value=SecretStr(str(said["access_token"])),
            issued_at=datetime.fromtimestamp(int(issued) / 1000, UTC) if re.fullmatch("[0-9]{1,14}", issued) else None,
            base_url=None if self._settings.base_url else self._instance(said.get("instance_url")),
            scopes=frozenset(scope.split()) if isinstance(scope, str) else None,
            user=str(said.get("id") or "").rpartition("/")[2],
        )

    def _instance(self, said: Any) -> str | None:
        """Give where requests go; the token must not be sent to a host that is not the vendor's."""
        if not said:
            return None
        address = str(said).rstrip("/")
        parts = urlsplit(address)
        host = (parts.hostname or "").lower()
        ours = host == urlsplit(self._settings.address).hostname or host.endswith(VENDOR_HOSTS)
        if parts.scheme == "https" and ours and not parts.path:
            return address
        if is_loopback(address) and is_loopback(self._settings.address):
            return address
        raise AuthenticationError(
            f"{self._connection}: signing in named {host or 'nothing'!r} as the place for requests",
            advice="That is no host of Salesforce, so nothing was sent there. Check domain or instance_url.",
        )


def sign_assertion(way: JwtBearer, key: SecretStr, audience: str, now: datetime) -> str:
    """Sign an assertion (RS256); raises ConfigurationError when the key is no private key in PEM."""
    import jwt  # noqa: PLC0415  loads the cryptography library, which only this way needs

    claims = {
        "iss": way.client_id,
        "sub": way.username,
        "aud": audience,
        "exp": int((now + ASSERTION_LIVES).timestamp()),
    }
    try:
        return jwt.encode(claims, key.get_secret_value(), algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError):  # what they say may show the key
        raise ConfigurationError(
            "jwt.key is no RSA private key in PEM form",
            advice="Give the private key whose certificate was uploaded to the External Client App.",
        ) from None


def advice_for(words: str, settings: SalesforceSettings) -> str:
    """Say what mends a refused sign-in, by the words of the token endpoint."""
    known = next((advice for mark, advice in _ADVICE if mark in words), None)
    if known is not None:
        return known
    if settings.jwt is not None:
        return _JWT
    return "Check client_id and client_secret of the External Client App, and that its client credentials flow is on."


_JWT = (
    "Check this machine's clock first: an assertion is good for three minutes. Then that username is right and"
    " pre-authorised for the External Client App, and that jwt.audience fits the org."
)
_ADVICE = (
    (
        "app_not_found",
        "Sign in at the org's My Domain (domain: NAME), which knows its External Client App; the login host does not.",
    ),
    (
        "request not supported on this domain",
        "Client credentials work on the org's My Domain only: set domain to the name before .my.salesforce.com.",
    ),
    ("no client credentials user", "Name a Run As user in the External Client App's client credentials flow."),
    ("hasn't approved", "Pre-authorise the user: give its profile or a permission set to the External Client App."),
    ("user hasn", "Pre-authorise the user: give its profile or a permission set to the External Client App."),
    ("invalid_client_id", "Check client_id: it is the consumer key of the External Client App in this very org."),
    (
        "invalid_client",
        "Check client_secret: it is the consumer secret of the External Client App; a new one may be in force.",
    ),
    (
        "audience is invalid",
        f"Set jwt.audience: {TEST} for a sandbox or a scratch org, {LOGIN} for any other.",
    ),
    ("inactive_user", "The user is frozen or inactive; let an admin look at it."),
    ("inactive_org", "The org is locked or closed; let an admin look at it."),
    ("unsupported_grant_type", "Switch this flow on in the External Client App."),
)


def _no_way() -> Token:
    raise ConfigurationError("the connection names no way to sign in")
