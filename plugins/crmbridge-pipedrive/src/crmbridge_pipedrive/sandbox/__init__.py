"""A Pipedrive account on this machine: speaks API v2 and the living part of v1, in Pipedrive's own forms."""

from __future__ import annotations

from crmbridge.sandbox import Sandbox, SandboxOptions, assemble
from crmbridge_pipedrive.sandbox import attached, v1, v2
from crmbridge_pipedrive.sandbox.attached import FilingState
from crmbridge_pipedrive.sandbox.filling import ADMIN, fill
from crmbridge_pipedrive.sandbox.replies import Limits
from crmbridge_pipedrive.sandbox.routing import Router
from crmbridge_pipedrive.sandbox.signing import Sessions

DAILY_TOKENS = 30_000 * 7  # the smallest plan with seven seats

__all__ = ["DAILY_TOKENS", "FilingState", "build"]


def build(options: SandboxOptions) -> Sandbox:
    """Build the sandbox; the same options give the same account."""
    limits = Limits(options.clock, enforced=options.limit == "vendor", daily_tokens=DAILY_TOKENS)
    sessions = Sessions(options.clock, f"sandbox-refresh-{options.seed}")
    state = FilingState(options.clock, fill(options), ADMIN, limits, sessions)
    router = Router(state, limits)
    v2.add_routes(router)
    v1.add_routes(router)
    attached.add_routes(router)
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
        router.add(method, "/api/v2/{path:path}", 0, v2.unknown_v2)
        router.add(method, "/{path:path}", 0, v1.unknown_v1)
    routes = [*sessions.routes, *router.routes]
    vendor = limits.vendor(sessions.accepts)
    sandbox = assemble(name="pipedrive", state=state, routes=routes, vendor=vendor, options=options)
    state.faults = sandbox.faults
    return sandbox
