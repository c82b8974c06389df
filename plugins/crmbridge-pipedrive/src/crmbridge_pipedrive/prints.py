"""Fingerprints: the versions of records, and what tells whether a row was delivered before just as it is."""

from __future__ import annotations

from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec

from crmbridge.model.values import iso

SECONDS = len("2026-06-10T12:00:00")

_write = msgspec.json.Encoder(decimal_format="number", order="sorted").encode


def digest(data: Any) -> str:
    """Give a short fingerprint of what came as JSON: the same data, the same fingerprint."""
    try:
        text = _write(data)
    except UnicodeEncodeError:  # half a surrogate pair, which is JSON all the same
        text = repr(_sorted(data)).encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=6).hexdigest()


def version_of(data: Any, updated: datetime) -> str:
    """Make a version: the time of the last edit, and a fingerprint because that time has only whole seconds."""
    return f"{iso(updated)[:SECONDS]}Z-{digest(data)}"


def _sorted(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: _sorted(data[name]) for name in sorted(data)}
    return [_sorted(item) for item in data] if isinstance(data, list | tuple) else data
