"""Signing requests: a token that stays, or one that is fetched, renewed by the clock and after a session expired."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from copy import copy
from datetime import datetime, timedelta
from typing import Any, Protocol

from msgspec import Struct
from pydantic import SecretStr

from crmbridge.errors import ConfigurationError, CrmbridgeError
from crmbridge.ports import Clock
from crmbridge.revealed import remember

EARLY = timedelta(seconds=60)  # a token is renewed this long before it ends, or when a tenth of its life is left


class Signed(Struct, frozen=True):
    """What a request is sent with. `base_url` is where the sign-in said requests go; None: where they always go."""

    headers: Mapping[str, str]
    base_url: str | None = None

    def __repr__(self) -> str:
        return f"Signed(base_url={self.base_url!r})"  # the headers hold a secret

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """Give what tools show that print values in their own way: no more than above."""
        return [("base_url", self.base_url)]


class Signer(Protocol):
    """Signs requests. Thread-safe."""

    def sign(self) -> Signed:
        """Give what the next request is sent with, signing in first where that is needed."""
        ...

    def renew(self, used: Signed) -> bool:
        """Sign in anew after the CRM said that the session `used` has expired; False where that can't help."""
        ...


class StaticToken:
    """A token that stays until somebody revokes it.

    Raises ConfigurationError for what copying and pasting leave around one: no CRM could read it, or it can't be sent.
    """

    def __init__(self, token: SecretStr, *, header: str = "Authorization", form: str = "Bearer {}") -> None:
        value = token.get_secret_value()
        if wrong := _wrong_in(value):
            raise ConfigurationError(f"The token can't be right: there {wrong} in it", advice=PASTED)
        self._signed = Signed({header: form.format(value)})

    def sign(self) -> Signed:
        """Give the header."""
        return self._signed

    def renew(self, used: Signed) -> bool:  # noqa: ARG002  the protocol's signature
        """Tell that there is no other token."""
        return False


def _wrong_in(token: str) -> str:
    """Say what is in a token that is in none, without repeating any of it."""
    if any(letter.isspace() for letter in token):
        return "is a blank or a line break"
    if not (token.isascii() and token.isprintable()):
        return "is a character that no token has"
    return "are quotes" if any(quote in token for quote in "\"'") else ""


PASTED = "Where it is kept, put the token alone: as the CRM shows it, without quotes, and nothing before it."


class Token(Struct, frozen=True, kw_only=True):
    """What a sign-in gave. Without `expires_at`, it is good until the CRM says otherwise."""

    value: SecretStr
    expires_at: datetime | None = None
    issued_at: datetime | None = None
    base_url: str | None = None
    scopes: frozenset[str] | None = None
    user: str = ""


class TokenSource:
    """Keeps one token fresh for all threads of a connection.

    `fetch` signs in; it is called by one thread at a time, when there is no token yet, shortly before the one there
    is ends, and after an expired session. It stores a rotated refresh token before it gives the access token back.
    When it fails, it has failed for all threads that were waiting for it: asking once for each would lock users out.
    """

    def __init__(self, fetch: Callable[[], Token], clock: Clock, *, form: str = "Bearer {}") -> None:
        self._fetch = fetch
        self._clock = clock
        self._form = form
        self._lock = threading.Lock()
        self._token: Token | None = None
        self._signed: Signed | None = None
        self._failure: CrmbridgeError | None = None  # the last one

    def sign(self) -> Signed:
        """Give the header of a token that is good now."""
        return self._current()[1]

    def token(self) -> Token:
        """Give the token itself, for what was said of it when it was fetched."""
        return self._current()[0]

    def renew(self, used: Signed) -> bool:
        """Fetch another token, unless another thread has done so since this one was used."""
        before = self._failure
        with self._lock:
            if self._signed is used:
                self._get(before)
            return True

    def _current(self) -> tuple[Token, Signed]:
        before = self._failure
        with self._lock:
            if self._token is None or self._signed is None or self._ends_soon(self._token):
                return self._get(before)
            return self._token, self._signed

    def _get(self, before: CrmbridgeError | None) -> tuple[Token, Signed]:
        """Fetch a token; `before` is the last failure there was when the caller began to wait."""
        if self._failure is not None and self._failure is not before:
            raise copy(self._failure)  # each thread adds its own places to its own error
        try:
            return self._take(self._fetch())
        except CrmbridgeError as error:
            self._failure = error
            raise

    def _take(self, token: Token) -> tuple[Token, Signed]:
        remember(token.value.get_secret_value())
        signed = Signed({"Authorization": self._form.format(token.value.get_secret_value())}, token.base_url)
        self._token, self._signed = token, signed
        return token, signed

    def _ends_soon(self, token: Token) -> bool:
        if token.expires_at is None:
            return False
        life = token.expires_at - (token.issued_at or token.expires_at)
        return self._clock.now() >= token.expires_at - min(EARLY, life / 10 or EARLY)
