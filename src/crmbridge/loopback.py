"""Whether an address is this machine's own: nobody else can listen there, and no proxy is needed.

And whether a credential may go to one.
"""

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


def fit_for_a_credential(url: str) -> str:
    """Give an address back to which a credential travels encrypted, or not at all; raises ValueError for any other.

    Its words don't repeat an address that may hold a secret.
    """
    if not url.startswith("https://") and not is_loopback(url):
        raise ValueError("plain http:// is for this machine only, as the credential could be read on the way")
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise ValueError("no user can stand in it, as that would be sent instead of the connection's credential")
    return url
