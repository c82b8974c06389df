"""Asks a Tryton server: by JSON-RPC in a session, or by its REST calls with an application key."""

from __future__ import annotations

import base64
import json
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from pydantic import SecretStr

from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, StaleError
from crmbridge.http import (
    Dialect,
    JsonRpc,
    Rate,
    Reply,
    StaticToken,
    Token,
    TokenSource,
    open_client,
    rewrite,
    rpc_failed,
)
from crmbridge.ports import AdapterContext
from crmbridge.secrets import reveal
from crmbridge.settings import Secret
from crmbridge_tryton.settings import TrytonSettings

# What a client of Tryton's own sends of the user's preferences with each call.
PREFERENCES = ("company", "company.rec_name", "companies", "company_filter", "employee", "employees", "language")
MOMENT = ("year", "month", "day", "hour", "minute", "second", "microsecond")


def judge(reply: Reply) -> CrmbridgeError | None:
    """Read an error that came as JSON; a UserError's first word is the sentence for people."""
    match reply.body.get("error") if isinstance(reply.body, dict) else None:
        case ["ConcurrencyException", *_]:
            return StaleError("somebody changed the record meanwhile")
        case ["UserError", [str(words), *_]] | ["UserWarning", [_, str(words), *_]]:
            return RefusedError(" ".join(words.split()))
        case [str(words), *_]:
            return RefusedError(f"the server failed at it and undid it: {' '.join(words.split())[:300]}")
    return None


def plain(value: Any) -> Any:
    """Read what Tryton's JSON marks as a number or a time; times are UTC."""
    match value:
        case {"__class__": "Decimal", "decimal": str(text)}:
            return Decimal(text)
        case {"__class__": "date", "year": year, "month": month, "day": day}:
            return date(year, month, day)
        case {"__class__": "datetime"}:
            return datetime(**{part: value[part] for part in MOMENT}, tzinfo=UTC)
    return value


def tagged(value: Any) -> Any:
    """Mark numbers and times as Tryton does."""
    match value:
        case Decimal():
            return {"__class__": "Decimal", "decimal": f"{value:f}"}
        case datetime():
            return {"__class__": "datetime", **{part: getattr(value, part) for part in MOMENT}}
        case date():
            return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    return value


class Server:
    """One database of one server. Thread-safe; opening it sends nothing."""

    def __init__(self, settings: TrytonSettings, context: AdapterContext) -> None:
        self.settings = settings
        secret, path = reveal(settings.password or settings.key or Secret()), f"{settings.database}/rpc/"
        dialect = Dialect(judge=judge, expired=lambda reply: reply.status == 401, failed=rpc_failed)
        source = TokenSource(lambda: self._sign_in(secret), context.clock, form="Session {}")
        self._door = JsonRpc(open_client(settings, context, dialect=dialect), path)
        self._http = open_client(
            settings,
            context,
            dialect=dialect,
            rates=[Rate(settings.requests_per_second, 1)],
            signer=StaticToken(secret) if settings.key else source,
        )
        self._rpc = JsonRpc(self._http, path, tagged, plain)

    def ask(self, model: str, method: str, at: datetime | None = None, **arguments: Any) -> Any:
        """Call what changes nothing, in what is there now or was at a time.

        The arguments have the names of the method's own, for REST, and their order, for JSON-RPC.
        """
        context = {"_datetime": at} if at else {}
        if self.settings.key is None:
            return self._rpc.read(f"model.{model}.{method}", *arguments.values(), context)
        path = f"{self.settings.database}/rest/model/{model}/{method}"
        packed = base64.urlsafe_b64encode(json.dumps(rewrite(context, tagged)).encode()).decode()
        headers = {"X-Tryton-Context": packed}
        return rewrite(self._http.read("POST", path, body=rewrite(arguments, tagged), headers=headers).body, plain)

    def rows(
        self, model: str, fields: list[str], domain: list[Any], limit: int | None = None, order: Any = None
    ) -> list[dict[str, Any]]:
        """Search and read. What is read through a link stands under its whole name, such as `party.email`."""
        wanted = {"domain": domain, "offset": 0, "limit": limit, "order": order, "fields_names": fields}
        rows: list[dict[str, Any]] = self.ask(model, "search_read", **wanted)
        for row in rows:
            linked = {name: of for name, of in row.items() if name.endswith(".") and of}
            row |= {f"{name}{own}": value for name, of in linked.items() for own, value in of.items()}
        return rows

    def ids(self, model: str, domain: list[Any], at: datetime | None = None) -> list[int]:
        """Search, in what is there now or was at a time."""
        return list(self.ask(model, "search", at, domain=domain, offset=0, limit=None, order=None))

    def tell(self, model: str, method: str, *params: Any, stamps: dict[str, str] | None = None) -> Any:
        """Call what changes something; with `stamps`, only if these records are as they were."""
        return self._rpc.write(f"model.{model}.{method}", *params, {**self.preferences, "_timestamp": stamps or {}})

    @cached_property
    def preferences(self) -> dict[str, Any]:
        """Give what the user's calls are made with, such as the company."""
        said = self.ask("res.user", "get_preferences", context_only=True)
        own = {"company": self.settings.company} if self.settings.company else {}
        return {**{name: said[name] for name in PREFERENCES if name in said}, **own}

    @cached_property
    def currencies(self) -> dict[str, int]:
        """Give the ids of the currencies by their codes."""
        return {row["code"]: row["id"] for row in self.rows("currency.currency", ["code"], [])}

    def close(self) -> None:
        """Give back connections."""
        self._http.close()
        self._door.client.close()

    def _sign_in(self, password: SecretStr) -> Token:
        user = self.settings.user
        said = self._door.read("common.db.login", user, {"password": password.get_secret_value()}, "en")
        if not isinstance(said, list) or len(said) < 2:
            raise AuthenticationError(
                f"{self._http.connection}: signing in gave no session",
                advice="Does the user sign in with more than one step?",
            )
        session = base64.b64encode(f"{user}:{said[0]}:{said[1]}".encode()).decode()
        return Token(value=SecretStr(session), user=user)
