"""Asks a Tryton server: by JSON-RPC in a session, or by its REST calls with an application key."""

from __future__ import annotations

import base64
import json
from functools import cached_property
from typing import Any

from pydantic import SecretStr

from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError, RetryLaterError, UnclearError
from crmbridge.http import Budget, Dialect, HttpClient, Rate, Reply, Signer, StaticToken, Token, TokenSource
from crmbridge.ports import AdapterContext
from crmbridge.secrets import reveal
from crmbridge_tryton.settings import TrytonSettings
from crmbridge_tryton.values import plain, tagged

# What a client of Tryton's own sends of the user's preferences with each call.
PREFERENCES = ("company", "company.rec_name", "companies", "company_filter", "employee", "employees", "language")


class StaleError(RefusedError):
    """Somebody changed the record since we read it (ConcurrencyException)."""


def judge(reply: Reply) -> CrmbridgeError | None:
    """Read an error that came as JSON; a UserError's first word is the sentence for people."""
    said = reply.body.get("error") if isinstance(reply.body, dict) else None
    match said:
        case ["ConcurrencyException", *_]:
            return StaleError("somebody changed the record meanwhile")
        case ["UserError", [str(words), *_]] | ["UserWarning", [_, str(words), *_]]:
            return RefusedError(" ".join(words.split()))
        case [str(words), *_]:
            return RefusedError(f"the server failed at it and undid it: {' '.join(words.split())[:300]}")
    return None


class Server:
    """One database of one server. Thread-safe; opening it sends nothing."""

    def __init__(self, settings: TrytonSettings, context: AdapterContext) -> None:
        self.settings = settings
        self._connection = context.connection
        secret = reveal(settings.secret)
        signer = TokenSource(lambda: self._sign_in(secret), context.clock, form="Session {}")
        self._door = self._client(context, Budget((), context.clock))
        rates = [Rate(settings.requests_per_second, 1)]
        budget = Budget(rates, context.clock, share=settings.share, ledger=context.ledger, account=context.connection)
        self._http = self._client(context, budget, StaticToken(secret) if settings.key else signer)

    def ask(self, model: str, method: str, at: dict[str, Any] | None = None, **arguments: Any) -> Any:
        """Call what changes nothing; `arguments` stand in the order of the method's own, `at` adds to the context."""
        if self.settings.key is None:
            params = [*arguments.values(), at or {}]
            reply = self._http.read("POST", self._rpc, body=_call(f"model.{model}.{method}", params), expect=dict)
            return self._result(reply, RetryLaterError)
        path = f"{self.settings.database}/rest/model/{model}/{method}"
        packed = base64.urlsafe_b64encode(json.dumps(tagged(at or {})).encode()).decode()
        return plain(self._http.read("POST", path, body=tagged(arguments), headers={"X-Tryton-Context": packed}).body)

    def tell(self, model: str, method: str, *params: Any, stamps: dict[str, str] | None = None) -> Any:
        """Call what changes something; with `stamps`, only if these records are as they were."""
        context = {**self.preferences, "_timestamp": stamps or {}}
        reply = self._http.write("POST", self._rpc, body=_call(f"model.{model}.{method}", [*params, context]))
        return self._result(reply, UnclearError)

    @cached_property
    def preferences(self) -> dict[str, Any]:
        """Give what the user's calls are made with, such as the company."""
        said = self.ask("res.user", "get_preferences", context_only=True)
        own = {"company": self.settings.company} if self.settings.company else {}
        return {**{name: said[name] for name in PREFERENCES if name in said}, **own}

    @cached_property
    def currencies(self) -> dict[str, int]:
        """Give the ids of the currencies by their codes."""
        rows = self.ask("currency.currency", "search_read", **every(["code"]))
        return {row["code"]: row["id"] for row in rows}

    def scope(self, model: str) -> list[Any]:
        """Give the domain of the records that are read; only an administrator may list notes without their records."""
        if model == "ir.note":
            deals = self.ask("sale.opportunity", "search", domain=[], offset=0, limit=None, order=None)
            return [["resource", "in", [f"sale.opportunity,{deal}" for deal in deals]]]
        return [["type", "!=", "website"]] if model == "party.contact_mechanism" else []

    def close(self) -> None:
        """Give back connections."""
        self._http.close()
        self._door.close()

    @property
    def _rpc(self) -> str:
        return f"{self.settings.database}/rpc/"

    def _client(self, context: AdapterContext, budget: Budget, signer: Signer | None = None) -> HttpClient:
        return HttpClient(
            connection=context.connection,
            base_url=self.settings.base_url,
            clock=context.clock,
            budget=budget,
            dialect=Dialect(
                judge=judge,
                expired=lambda reply: reply.status == 401,
                failed=lambda reply: isinstance(reply.body, dict) and "error" in reply.body,
            ),
            signer=signer,
            timeout=self.settings.timeout,
        )

    def _sign_in(self, password: SecretStr) -> Token:
        given = {"password": password.get_secret_value()}
        login = _call("common.db.login", [self.settings.user, given, "en"])
        said = self._result(self._door.read("POST", self._rpc, body=login, expect=dict), RetryLaterError)
        if not isinstance(said, list) or len(said) < 2:
            raise AuthenticationError(
                f"{self._connection}: signing in gave no session",
                advice="Does the user sign in with more than one step?",
            )
        session = f"{self.settings.user}:{said[0]}:{said[1]}"
        return Token(value=SecretStr(base64.b64encode(session.encode()).decode()), user=self.settings.user)

    def _result(self, reply: Reply, otherwise: type[CrmbridgeError]) -> Any:
        if not isinstance(reply.body, dict) or "result" not in reply.body:
            raise otherwise(f"{self._connection}: the answer is none of JSON-RPC; is base_url a Tryton server?")
        return plain(reply.body["result"])


def every(fields: list[str], domain: list[Any] | None = None) -> dict[str, Any]:
    """Give the arguments of a search_read without a limit."""
    return {"domain": domain or [], "offset": 0, "limit": None, "order": None, "fields_names": fields}


def _call(method: str, params: list[Any]) -> dict[str, Any]:
    return {"id": 0, "method": method, "params": tagged(params)}
