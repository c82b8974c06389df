"""Receives webhooks: turns a delivery into a request to the use case, and its answer into HTTP. It decides nothing.

Whoever can reach the port may send anything, so what was not found genuine costs little: bodies are read up to a limit
of size and time, few at once are looked at, and all that are not taken get the same answer.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from anyio import CapacityLimiter, to_thread
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crmbridge.errors import AuthenticationError, CrmbridgeError, RefusedError
from crmbridge.ports import WebhookRequest
from crmbridge.revealed import strike
from crmbridge.services.pull.hinting import Receiver, Taken, take_delivery
from crmbridge.services.workspace import Workspace
from crmbridge.web.bodies import TurnedAwayError, read_body

PATH = "/webhooks/{connection}"
LARGEST = 1024 * 1024  # bytes of a body
PATIENCE = 10.0  # seconds for a body to arrive
AT_ONCE = 4  # deliveries looked at side by side
WAITING = 64  # deliveries that may wait for that; vendors send what is turned away again
AGAIN_AFTER = 60  # seconds, told to vendors

log = logging.getLogger(__name__)


class Reception:
    """Takes the deliveries of all connections that have webhooks."""

    def __init__(
        self, workspace: Workspace, receivers: Mapping[str, Receiver], public_url: str, patience: float = PATIENCE
    ) -> None:
        self._workspace = workspace
        self._receivers = receivers
        self._public_url = public_url.rstrip("/")
        self._patience = patience
        self._turns = CapacityLimiter(AT_ONCE)

    async def deliver(self, request: Request) -> Response:
        """Take one delivery. Nobody finds out which connections there are: the path is looked at last."""
        try:
            body = await read_body(request, LARGEST, self._patience)
        except TurnedAwayError as error:
            return _turned_away(error.status, error.message)
        if self._turns.statistics().tasks_waiting >= WAITING:
            return _turned_away(503, "busy")
        receiver = self._receivers.get(request.path_params["connection"])
        if receiver is None:
            return _not_accepted()
        whole = self._as_called(request, receiver.connection, body)
        return await to_thread.run_sync(self._answer, receiver, whole, limiter=self._turns)

    def _answer(self, receiver: Receiver, request: WebhookRequest) -> Response:
        try:
            return _accepted(take_delivery(self._workspace, receiver, request))
        except AuthenticationError as error:
            log.info("%s: a webhook was not accepted: %s", receiver.connection, strike(error.message))
            return _not_accepted()
        except RefusedError as error:
            log.warning("%s: a webhook can't be read: %s", receiver.connection, strike(error.message))
            return JSONResponse({"error": "can't be read"}, 400)
        except CrmbridgeError as error:
            log.warning("%s: a webhook can't be taken now: %s", receiver.connection, strike(error.message))
            return _turned_away(503, "try again later")
        except Exception as error:  # noqa: BLE001  a bug in an adapter must not end the receiver, nor tell a stranger
            log.error("%s: a webhook could not be looked at (%s)", receiver.connection, type(error).__name__)  # noqa: TRY400  its words may hold a secret
            return _turned_away(500, "failed")

    def _as_called(self, request: Request, connection: str, body: bytes) -> WebhookRequest:
        path = request.scope["raw_path"].decode("latin-1")
        query = request.scope["query_string"].decode("latin-1")
        return WebhookRequest(
            connection=connection,
            method=request.method,
            url=f"{self._public_url}{path}{f'?{query}' if query else ''}",
            headers={name: ", ".join(request.headers.getlist(name)) for name in request.headers},
            body=body,
            received_at=self._workspace.clock.now(),
        )


def webhook_app(reception: Reception) -> Starlette:
    """Make the application: `POST /webhooks/CONNECTION`, and `GET /healthz` for whoever watches."""
    routes = [
        Route(PATH, reception.deliver, methods=["POST"]),
        Route("/healthz", _healthy, methods=["GET"]),
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False  # a redirect would repeat whatever Host the caller gave
    return app


def _accepted(taken: Taken) -> Response:
    return Response(taken.body, 200, media_type=taken.content_type)


def _not_accepted() -> Response:
    return JSONResponse({"error": "not accepted"}, 401)


def _turned_away(status: int, message: str) -> Response:
    # What is left of a body is not waited for.
    headers = {"Retry-After": str(AGAIN_AFTER)} if status == 503 else {"Connection": "close"}
    return JSONResponse({"error": message}, status, headers=headers)


async def _healthy(_request: Request) -> Response:
    return JSONResponse({"ok": True})
