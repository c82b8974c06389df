"""Whether an address is this machine's own: nobody else can listen there, and no proxy is needed."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(url: str) -> bool:
    """Tell whether a URL leads to localhost, 127.0.0.0/8 or ::1; a host that can't be read is somewhere else."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
