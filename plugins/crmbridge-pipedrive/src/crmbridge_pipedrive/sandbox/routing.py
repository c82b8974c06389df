"""Turns the sandbox's answers into routes: the body read, the price taken, refusals in the version's form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crmbridge.http import load_json
from crmbridge_pipedrive.sandbox.replies import (
    Limits,
    RefusalError,
    invalid,
    json_response,
    out_of_scope,
    refusal_response,
)
from crmbridge_pipedrive.sandbox.state import PipedriveState

# Answers with the body to send; a pair gives the status beside it.
Answer = Callable[[PipedriveState, Request, Any], Any]
WRITES = frozenset({"POST", "PATCH", "PUT", "DELETE"})


class Router:
    """Collects the routes of one account. Prices are those of the `x-token-cost` in Pipedrive's own documents."""

    def __init__(self, state: PipedriveState, limits: Limits) -> None:
        self._state = state
        self._limits = limits
        self.routes: list[Route] = []

    def add(self, method: str, path: str, tokens: int, answer: Answer) -> None:
        """Serve an answer at a path, for a price in tokens."""

        async def endpoint(request: Request) -> Response:
            body = await request.body()
            if not self._state.sessions.opens(request):
                return out_of_scope()
            if not self._limits.spend(tokens):
                return self._limits.spent()
            try:
                self._maybe_refuse(request)
                return _as_response(answer(self._state, request, _decoded(body)))
            except RefusalError as refusal:
                return refusal_response(request, refusal)

        self.routes.append(Route(path, endpoint, methods=[method]))

    def _maybe_refuse(self, request: Request) -> None:
        path = request.scope["path"]
        if request.method in WRITES and self._state.faults.strikes("partial", request.method, path):
            raise invalid("title: Refused, because the sandbox was told to refuse one item")


def number_in(request: Request, name: str = "id") -> int:
    """Give the number in a path; what is not one names nothing."""
    text = str(request.path_params[name])
    if not text.isdecimal():
        raise invalid(f"{name}: Expected a number")
    return int(text)


def _decoded(body: bytes) -> Any:
    try:
        return load_json(body) if body else None
    except ValueError:
        raise RefusalError(400, "Invalid JSON", "ERR_BAD_REQUEST") from None


def _as_response(answered: Any) -> Response:
    if isinstance(answered, tuple):
        return json_response(answered[1], answered[0])
    return json_response(answered)
