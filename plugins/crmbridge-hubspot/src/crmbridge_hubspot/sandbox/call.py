"""A request to the sandbox, taken apart, and the endpoint that answers one in HubSpot's form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from crmbridge.http import load_json
from crmbridge_hubspot.sandbox.account import ENGAGEMENTS, TYPE_NAMES, ObjectType
from crmbridge_hubspot.sandbox.objects import HubSpotState
from crmbridge_hubspot.sandbox.replies import VendorError, error_response, validation

DATED = ("2025-09", "2026-03", "2026-09")
STRICT_SINCE = "2026-09"  # from then on the account's own rules bind API writes
Routes = tuple[tuple[str, str, str, "Answer"], ...]  # family, rest of the path, method, answer
SCHEMA_PATHS = ("/pipelines/", "/properties/", "/property-validations/")
READING_POSTS = ("/search", "/batch/read")
Answer = Callable[["Call"], Response]


class Call(NamedTuple):
    """A request to one object type, taken apart."""

    state: HubSpotState
    request: Request
    kind: ObjectType
    raw: bytes
    body: Mapping[str, Any]

    @property
    def strict(self) -> bool:
        """Tell whether the version asked for applies the account's own rules."""
        return f"/{STRICT_SINCE}/" in self.request.scope["path"]

    @property
    def archived(self) -> bool:
        """Tell whether only archived records are asked for; HubSpot's Python client writes True."""
        return self.request.query_params.get("archived", "").lower() == "true"

    def listed(self, name: str) -> list[str]:
        """Give a query parameter that may be repeated or hold commas."""
        return [part for value in self.request.query_params.getlist(name) for part in value.split(",") if part]


def endpoint(state: HubSpotState, answer: Answer) -> Callable[[Request], Awaitable[Response]]:
    """Make an endpoint that takes the request apart and answers errors in HubSpot's form."""

    async def answered(request: Request) -> Response:
        raw = await request.body()
        if (trouble := state.trouble.answer(request)) is not None:
            return trouble
        try:
            call = Call(state, request, _kind(request), raw, _body(raw))
            _check_scope(call)
            return answer(call)
        except VendorError as error:
            return error_response(error, len(raw))

    return answered


def _kind(request: Request) -> ObjectType:
    name = request.path_params.get("kind") or request.path_params.get("start") or "deals"
    if name not in TYPE_NAMES:
        raise validation(f"Unable to infer object type from: {name[:60]}")
    return TYPE_NAMES[name]


def _body(raw: bytes) -> Mapping[str, Any]:
    try:
        body = load_json(raw) if raw else {}
    except ValueError:
        body = None
    if isinstance(body, list):  # association types come so; who takes them reads `raw`
        return {}
    if not isinstance(body, dict):
        raise validation("Invalid input JSON")
    return body


# Where each family of calls is: under a number, and under each date.
NUMBERED: Mapping[str, str] = {
    "account-info": "/account-info/v3",
    "pipelines": "/crm/v3/pipelines",
    "owners": "/crm/v3/owners",
    "properties": "/crm/v3/properties",
    "property-validations": "/crm/v3/property-validations",
    "associations": "/crm/v4/associations",
    "objects": "/crm/v4/objects",
}


def versioned(state: HubSpotState, routes: Routes) -> list[Route]:
    """Give routes under the numbered path and under each dated one."""
    versions = [NUMBERED]
    for date in DATED:
        dated = {name: f"/crm/{name}/{date}" for name in NUMBERED}
        versions.append({**dated, "account-info": f"/account-info/{date}"})
    return [
        Route(f"{version[family]}{path}", endpoint(state, answer), methods=[method])
        for version in versions
        for family, path, method, answer in routes
    ]


def _check_scope(call: Call) -> None:
    """Refuse a call for which the credential has no scope, and name the scope, as HubSpot does.

    E-mails take one more than tasks and notes do ("Emails").
    """
    needed = [scope_of(call.request, call.kind)]
    if call.kind.name == "emails" and "/objects/" in call.request.scope["path"]:
        needed.append("sales-email-read")
    missing = [each for each in needed if each and each not in call.state.oauth.scopes]
    if missing:
        message = "This app hasn't been granted all required scopes to make this call."
        raise VendorError(403, "MISSING_SCOPES", message, context={"requiredGranularScopes": missing})


def scope_of(request: Request, kind: ObjectType) -> str:
    """Name the scope that a call needs, if any; tasks, notes and the like go with contacts ("Tasks", "Notes")."""
    path, method = request.scope["path"], request.method
    reads = method == "GET" or path.endswith(READING_POSTS)
    if "/account-info/" in path:
        return ""
    if "/owners" in path:
        return "crm.objects.owners.read"
    if path.startswith("/files/"):
        return "files"
    name = "contacts" if kind.name in ENGAGEMENTS else kind.name
    family = "schemas" if any(part in path for part in SCHEMA_PATHS) else "objects"
    return f"crm.{family}.{name}.{'read' if reads else 'write'}"


def integer(text: str) -> int:
    """Read a number from a query; raises the 400."""
    if not (text.isascii() and text.isdecimal()):
        raise validation(f"{text[:40]} is not an integer")
    return int(text)
