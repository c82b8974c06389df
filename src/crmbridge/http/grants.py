"""Asking an OAuth token endpoint for a token (RFC 6749), with its errors in words that a person can act on."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode, urlsplit

from pydantic import SecretStr

from crmbridge.errors import AuthenticationError, CrmbridgeError, RetryLaterError, UnclearError
from crmbridge.http.budget import Budget
from crmbridge.http.client import PASSING, REDIRECTS, TOO_FAST, Dialect, HttpClient
from crmbridge.http.replies import Reply, tidy
from crmbridge.ports import Clock
from crmbridge.revealed import remember

# They say nothing of the credential: two of RFC 6749 §4.1.2.1, and one that Salesforce has for trouble of its own.
FOR_LATER = frozenset({"server_error", "temporarily_unavailable", "unknown_error"})


class TokenEndpoint:
    """One vendor's token endpoint. It is asked over a connection that is closed again, as that is done rarely."""

    def __init__(self, *, connection: str, url: str, clock: Clock, timeout: float = 30.0, advice: str = "") -> None:
        self._connection = connection
        self._url = url
        self._clock = clock
        self._timeout = timeout
        self._advice = advice or f"Check the credential of connection {connection!r}: is it right, and still valid?"

    def exchange(self, form: Mapping[str, str], *, basic: tuple[str, SecretStr] | None = None) -> Mapping[str, Any]:
        """Ask for a token; give the whole answer, which has a text `access_token`.

        `basic` is a client id and secret to be sent in a header. Raises AuthenticationError when the endpoint refuses,
        and RetryLaterError when it is out of reach; asking again is harmless, but for a refresh token that was used up
        by an answer that got lost, which the next call then says.
        """
        parts = urlsplit(self._url)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        if basic is not None:
            pair = base64.b64encode(f"{basic[0]}:{basic[1].get_secret_value()}".encode()).decode()
            remember(pair)  # it holds the secret, and an error may repeat it
            headers["Authorization"] = f"Basic {pair}"
        client = HttpClient(
            connection=self._connection,
            base_url=f"{parts.scheme}://{parts.netloc}",
            clock=self._clock,
            budget=Budget((), self._clock),
            dialect=Dialect(judge=self._judge),
            timeout=self._timeout,
        )
        try:
            reply = client.write("POST", parts.path, body=urlencode(form).encode(), headers=headers)
        except UnclearError as error:
            raise RetryLaterError(error.message, advice="Try again later; nothing was changed.") from error
        finally:
            client.close()
        token = reply.body.get("access_token") if isinstance(reply.body, dict) else None
        if not isinstance(reply.body, dict) or not isinstance(token, str) or not token:
            raise RetryLaterError(f"{self._connection}: {parts.path} answered without an access token")
        return reply.body

    def _judge(self, reply: Reply) -> CrmbridgeError | None:
        """Read an error of RFC 6749 §5.2; what is none is left to the status code."""
        body = reply.body if isinstance(reply.body, dict) else {}
        said = str(body.get("error") or "")
        if reply.status >= 500 or reply.status == TOO_FAST or (not said and reply.status in REDIRECTS | PASSING):
            return None
        if said in FOR_LATER:
            return RetryLaterError(f"signing in did not work this time ({reply.status}): {said}")
        said = " ".join(tidy(str(body[part])) for part in ("error", "error_description") if body.get(part))
        said = said or tidy(str(body.get("message") or reply.text))
        return AuthenticationError(f"signing in was refused ({reply.status}): {said}", advice=self._advice)
