"""What adapters compose to speak HTTP: a client that retries what is safe, a rate budget, pagination, exact JSON.

Importing a name loads its module; httpx is only imported when an adapter opens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crmbridge.http.auth import Signed, Signer, StaticToken, Token, TokenSource
    from crmbridge.http.budget import Budget, Rate, Usage
    from crmbridge.http.client import Dialect, HttpClient
    from crmbridge.http.exact_json import dump_json, load_json
    from crmbridge.http.grants import TokenEndpoint
    from crmbridge.http.marks import mark, unmark
    from crmbridge.http.opening import open_client
    from crmbridge.http.paging import pages
    from crmbridge.http.replies import Reply
    from crmbridge.http.rpc import JsonRpc, rewrite, rpc_failed
    from crmbridge.http.slices import side_by_side, together

__all__ = [
    "Budget",
    "Dialect",
    "HttpClient",
    "JsonRpc",
    "Rate",
    "Reply",
    "Signed",
    "Signer",
    "StaticToken",
    "Token",
    "TokenEndpoint",
    "TokenSource",
    "Usage",
    "dump_json",
    "load_json",
    "mark",
    "open_client",
    "pages",
    "rewrite",
    "rpc_failed",
    "side_by_side",
    "together",
    "unmark",
]

_HOMES = {
    "Budget": "budget",
    "Dialect": "client",
    "HttpClient": "client",
    "JsonRpc": "rpc",
    "Rate": "budget",
    "Reply": "replies",
    "Signed": "auth",
    "Signer": "auth",
    "StaticToken": "auth",
    "Token": "auth",
    "TokenEndpoint": "grants",
    "TokenSource": "auth",
    "Usage": "budget",
    "dump_json": "exact_json",
    "load_json": "exact_json",
    "mark": "marks",
    "open_client": "opening",
    "pages": "paging",
    "rewrite": "rpc",
    "rpc_failed": "rpc",
    "side_by_side": "slices",
    "together": "slices",
    "unmark": "marks",
}


def __getattr__(name: str) -> Any:
    """Load a public name from its module."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415  only when a name is asked for

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
