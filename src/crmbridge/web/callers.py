"""Who calls: the address that is counted when somebody tries tokens, also where a proxy stands in between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


class Proxies:
    """The proxies whose word counts. Without any, who calls is whoever is connected.

    Each proxy adds to X-Forwarded-For who called it, at the end, and may keep what the caller wrote there (MDN,
    *X-Forwarded-For*). So it is read from the end, up to the first address that is not a proxy of ours.
    """

    def __init__(self, networks: Iterable[str] = ()) -> None:
        self._networks: Sequence[Network] = tuple(ip_network(each) for each in networks)

    def caller(self, peer: str, forwarded: Sequence[str]) -> str:
        """Give the address of who calls: `peer` is who is connected, `forwarded` the headers in their order."""
        here = _address(peer)
        if here is None or not self._has(here):
            return peer
        for hop in reversed(",".join(forwarded).split(",")):
            before = _address(hop)
            if before is None:  # nobody that we know of wrote this
                break
            here = before
            if not self._has(here):
                break
        return str(here)

    def _has(self, address: Address) -> bool:
        return any(address in network for network in self._networks)


def counted_as(address: str) -> str:
    """Give what tries are counted by: who has an address of IPv6 has its whole network (RFC 6177, /64 and more)."""
    found = _address(address)
    return str(IPv6Network((found.packed, 64), strict=False)) if isinstance(found, IPv6Address) else address


def _address(text: str) -> Address | None:
    """Read an address with or without a port; one of IPv4 that is written as IPv6 is that of IPv4."""
    bare = text.strip().strip('"')
    if bare.startswith("["):
        bare = bare[1:].partition("]")[0]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        found = ip_address(bare)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found
