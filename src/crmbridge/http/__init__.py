"""What adapters compose to speak HTTP: a client that retries what is safe, a rate budget, pagination, exact JSON.

Importing a name loads its module; httpx is only imported when an adapter opens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmbridge.http.budget import Budget, Rate
    from crmbridge.http.client import HttpClient, Reply
    from crmbridge.http.exact_json import dump_json, load_json
    from crmbridge.http.paging import pages

__all__ = ["Budget", "HttpClient", "Rate", "Reply", "dump_json", "load_json", "pages"]

_HOMES = {
    "Budget": "budget",
    "HttpClient": "client",
    "Rate": "budget",
    "Reply": "client",
    "dump_json": "exact_json",
    "load_json": "exact_json",
    "pages": "paging",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  only when a name is asked for

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
