"""Answers that HubSpot gives when it is in trouble of its own: locks, moves between data centres, gateways."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from crmbridge_hubspot.sandbox.replies import VendorError, error_response

# What each status says; a gateway's answers are pages, not JSON ("Error handling").
LOCKED, MIGRATING = 423, 477
SAID = MappingProxyType(
    {
        LOCKED: ("LOCKED", "The record is locked by another write. Wait two seconds between requests"),
        MIGRATING: ("MIGRATION_IN_PROGRESS", "The account is being moved between data hosting locations"),
        500: ("INTERNAL_ERROR", "internal error"),
        504: ("TIMEOUT", "The request took too long"),
    }
)


@dataclass
class _Planned:
    status: int
    times: int
    method: str
    path: str
    retry_after: int | None


@dataclass
class Trouble:
    """Which requests are answered with a status of HubSpot's own trouble; nothing of them is carried out."""

    planned: list[_Planned] = field(default_factory=list)

    def plan(
        self, status: int, *, times: int = 1, method: str = "", path: str = "", retry_after: int | None = None
    ) -> None:
        """Let the next matching requests end so; `retry_after` is sent along, in seconds, as with 477."""
        self.planned.append(_Planned(status, times, method, path, retry_after))

    def answer(self, request: Request) -> Response | None:
        """Give the answer to a request that is hit, and use up the plan."""
        for planned in self.planned:
            if planned.method in {"", request.method} and planned.path in request.scope["path"]:
                planned.times -= 1
                if planned.times <= 0:
                    self.planned.remove(planned)
                return _answer(planned)
        return None


def _answer(planned: _Planned) -> Response:
    if planned.status in SAID:
        category, message = SAID[planned.status]
        response = error_response(VendorError(planned.status, category, message), planned.status)
    else:
        response = HTMLResponse(f"<html><title>{planned.status}</title></html>", status_code=planned.status)
    if planned.retry_after is not None:
        response.headers["Retry-After"] = str(planned.retry_after)
    return response
