"""Calling methods by JSON-RPC, as Tryton and other free software is called."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from crmbridge.errors import CrmbridgeError, RetryLaterError, UnclearError
from crmbridge.http.client import HttpClient
from crmbridge.http.replies import Reply


def rpc_failed(reply: Reply) -> bool:
    """Tell whether a reply is an error, which JSON-RPC sends with 200; for `Dialect.failed`."""
    return isinstance(reply.body, dict) and bool(reply.body.get("error"))


def _same(value: Any) -> Any:
    return value


class JsonRpc(Struct, frozen=True):
    """The methods behind one path.

    `pack` and `unpack` change single values that the CRM's JSON has in a form of its own. `version` is said where there
    is one, as 2.0 asks for; Tryton takes a call that says more than id, method and params for another protocol.
    """

    client: HttpClient
    path: str
    pack: Callable[[Any], Any] = _same
    unpack: Callable[[Any], Any] = _same
    version: str = ""

    def read(self, method: str, *params: Any) -> Any:
        """Call what changes nothing, and give its result; raises what `HttpClient.read` raises."""
        reply = self.client.read("POST", self.path, body=self._call(method, params), expect=dict)
        return self._result(reply, RetryLaterError)

    def write(self, method: str, *params: Any) -> Any:
        """Call what changes something, and give its result; raises what `HttpClient.write` raises."""
        return self._result(self.client.write("POST", self.path, body=self._call(method, params)), UnclearError)

    def _call(self, method: str, params: tuple[Any, ...]) -> dict[str, Any]:
        said = {"jsonrpc": self.version} if self.version else {}
        return {**said, "id": 0, "method": method, "params": rewrite(params, self.pack)}

    def _result(self, reply: Reply, otherwise: type[CrmbridgeError]) -> Any:
        if not isinstance(reply.body, dict) or "result" not in reply.body:
            message = "the answer is none of JSON-RPC; is it the right server that base_url names?"
            raise otherwise(f"{self.client.connection}: {message}")
        return rewrite(reply.body["result"], self.unpack)


def rewrite(data: Any, change: Callable[[Any], Any]) -> Any:
    """Give JSON data with each value changed, the innermost first; lists and objects are values too."""
    match data:
        case dict():
            data = {name: rewrite(value, change) for name, value in data.items()}
        case list() | tuple():
            data = [rewrite(value, change) for value in data]
    return change(data)
