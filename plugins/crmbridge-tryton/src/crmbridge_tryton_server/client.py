"""A second client of the server, as a person's would be: it knows nothing of crmbridge."""

from __future__ import annotations

import base64
import json
import urllib.error
import urllib.request
from typing import Any

UNAUTHORIZED = 401


class SaidNoError(Exception):
    """The server's error, as it came."""


class Client:
    """Calls of one user, in one session that is made anew when it is gone."""

    def __init__(self, url: str, database: str, user: str, password: str) -> None:
        self._url, self._user, self._password = f"{url}/{database}/rpc/", user, password
        self._session = ""
        self.context: dict[str, Any] = {}  # whose company it is

    def __call__(self, model: str, method: str, *params: Any, **context: Any) -> Any:
        """Call a method of a model, with the user's context and more of it."""
        asked = (f"model.{model}.{method}", *params, {**self.context, **context})
        try:
            return self._send(*asked)
        except urllib.error.HTTPError as error:
            if error.code != UNAUTHORIZED:
                raise
            self._session = ""
            user, key, *_ = self._send("common.db.login", self._user, {"password": self._password}, "en")
            self._session = base64.b64encode(f"{self._user}:{user}:{key}".encode()).decode()
            said = self._send("model.res.user.get_preferences", True, {})
            self.context = {"company": said["company"]} if said.get("company") else {}
            return self._send(asked[0], *params, {**self.context, **context})

    def _send(self, method: str, *params: Any) -> Any:
        body = json.dumps({"id": 0, "method": method, "params": params}).encode()
        headers = {"Content-Type": "application/json"}
        if self._session:
            headers["Authorization"] = f"Session {self._session}"
        request = urllib.request.Request(self._url, body, headers)  # noqa: S310  our own server
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  the same
            said = json.load(answer)
        if "error" in said:
            raise SaidNoError(said["error"])
        return said["result"]


def decimal(value: object) -> dict[str, str]:
    """Write an amount as the server takes it."""
    return {"__class__": "Decimal", "decimal": str(value)}


def day(value: Any) -> dict[str, Any]:
    """Write a day as the server takes it."""
    return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
