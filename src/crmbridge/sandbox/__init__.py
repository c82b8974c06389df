"""A kit for building sandboxes: local servers that speak one CRM's own API.

A sandbox is state, routes that serve it in the vendor's forms, and the kit's parts around them: a clock, faults,
rate limits, latency and a log of requests. `serve` puts it on a real socket.
"""

from crmbridge.sandbox.clock import VirtualClock
from crmbridge.sandbox.faults import FAULTS, Faults
from crmbridge.sandbox.front import fronted
from crmbridge.sandbox.kit import Sandbox, SandboxOptions, assemble
from crmbridge.sandbox.log import LoggedRequest, RequestLog
from crmbridge.sandbox.server import Served, serve
from crmbridge.sandbox.vendor import RateWindow, Vendor, http_date
from crmbridge.sandbox.world import (
    WORLD_FIELDS,
    World,
    WorldActivity,
    WorldCompany,
    WorldContact,
    WorldDeal,
    WorldUser,
    make_world,
)

__all__ = [
    "FAULTS",
    "WORLD_FIELDS",
    "Faults",
    "LoggedRequest",
    "RateWindow",
    "RequestLog",
    "Sandbox",
    "SandboxOptions",
    "Served",
    "Vendor",
    "VirtualClock",
    "World",
    "WorldActivity",
    "WorldCompany",
    "WorldContact",
    "WorldDeal",
    "WorldUser",
    "assemble",
    "fronted",
    "http_date",
    "make_world",
    "serve",
]
