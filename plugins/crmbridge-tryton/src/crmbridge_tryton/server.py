"""Asks a Tryton server: by JSON-RPC in a session, or by its REST calls with an application key."""

from __future__ import annotations

import base64
import json
from datetime import datetime
from functools import cached_property, partial
from typing import Any

from pydantic import SecretStr

from crmbridge import adapting, http, ports
from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, StaleError
from crmbridge.model.records import Kind, Record
from crmbridge.secrets import reveal
from crmbridge.settings import Secret
from crmbridge_tryton.mapping import tables
from crmbridge_tryton.settings import TrytonSettings


def judge(reply: http.Reply) -> CrmbridgeError | None:
    """Read an error that came as JSON; a UserError's first word is the sentence for people."""
    match reply.body.get("error") if isinstance(reply.body, dict) else None:
        case ["ConcurrencyException", *_]:
            return StaleError("somebody changed the record meanwhile")
        case ["UserError", [str(words), *_]] | ["UserWarning", [_, str(words), *_]]:
            return RefusedError(" ".join(words.split()))
        case [str(words), *_]:
            return RefusedError(f"the server failed at it and undid it: {' '.join(words.split())[:300]}")
    return None


class Server:
    """One database of one server, for one connection. Thread-safe; opening it sends nothing."""

    def __init__(self, settings: TrytonSettings, context: ports.AdapterContext) -> None:
        self.settings, self.connection = settings, context.connection
        self.tables = tables(context, settings.key_field)
        secret, path = reveal(settings.password or settings.key or Secret()), f"{settings.database}/rpc/"
        dialect = http.Dialect(judge=judge, expired=lambda reply: reply.status == 401, failed=http.rpc_failed)
        self._door = http.JsonRpc(http.open_client(settings, context, dialect=dialect), path)
        session = http.TokenSource(partial(self._sign_in, secret), context.clock, form="Session {}")
        signer = http.StaticToken(secret) if settings.key else session
        rates = [http.Rate(settings.requests_per_second, 1)]
        self._http = http.open_client(settings, context, dialect=dialect, rates=rates, signer=signer)
        self._rpc = http.JsonRpc(self._http, path, http.mark, http.unmark)

    def ask(self, model: str, method: str, at: datetime | None = None, **arguments: Any) -> Any:
        """Call what changes nothing, in what is there now or was at a time.

        The arguments have the names of the method's own, for REST, and their order, for JSON-RPC.
        """
        context = {"_datetime": at} if at else {}
        if self.settings.key is None:
            return self._rpc.read(f"model.{model}.{method}", *arguments.values(), context)
        path = f"{self.settings.database}/rest/model/{model}/{method}"
        packed = base64.urlsafe_b64encode(json.dumps(http.rewrite(context, http.mark)).encode()).decode()
        body, headers = http.rewrite(arguments, http.mark), {"X-Tryton-Context": packed}
        return http.rewrite(self._http.read("POST", path, body=body, headers=headers).body, http.unmark)

    def rows(self, model: str, fields: list[str], domain: list[Any], **more: Any) -> list[dict[str, Any]]:
        """Search and read, with `more` of the method's arguments."""
        wanted = {"domain": domain, "offset": 0, "limit": None, "order": None, **more, "fields_names": fields}
        return [adapting.flat(row) for row in self.ask(model, "search_read", **wanted)]

    def records(self, kind: Kind, domain: list[Any], **more: Any) -> list[Record]:
        """Search and read records."""
        table = self.tables[kind]
        return [table.record(self.connection, row) for row in self.rows(table.model, table.natives, domain, **more)]

    def tell(self, model: str, method: str, *params: Any, stamps: dict[str, str] | None = None) -> Any:
        """Call what changes something; with `stamps`, only if these records are as they were."""
        return self._rpc.write(f"model.{model}.{method}", *params, {**self.preferences, "_timestamp": stamps or {}})

    @cached_property
    def preferences(self) -> dict[str, Any]:
        """Give what the user's calls are made with, such as the company."""
        own = {"company": self.settings.company} if self.settings.company else {}
        return {**self.ask("res.user", "get_preferences", context_only=True), **own}

    @cached_property
    def currencies(self) -> dict[str, int]:
        """Give the ids of the currencies by their codes."""
        return {row["code"]: row["id"] for row in self.rows("currency.currency", ["code"], [])}

    def close(self) -> None:
        """Give back connections."""
        self._http.close()
        self._door.client.close()

    def _sign_in(self, password: SecretStr) -> http.Token:
        user = self.settings.user
        said = self._door.read("common.db.login", user, {"password": password.get_secret_value()}, "en")
        if not isinstance(said, list) or len(said) < 2:
            raise AuthenticationError(f"{self.connection}: signing in takes more than one step for this user")
        session = base64.b64encode(f"{user}:{said[0]}:{said[1]}".encode()).decode()
        return http.Token(value=SecretStr(session), user=user)
