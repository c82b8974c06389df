"""What stands in for the network, for tests and simulations that want no sockets."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import httpx

_wires: dict[str, httpx.BaseTransport] = {}


@contextlib.contextmanager
def instead_of_network(wires: Mapping[str, httpx.BaseTransport]) -> Iterator[None]:
    """Until the block ends, let clients that are opened for one of these base URLs speak through its transport."""
    before = dict(_wires)
    _wires.update({url.rstrip("/"): wire for url, wire in wires.items()})
    try:
        yield
    finally:
        _wires.clear()
        _wires.update(before)


def wire_to(base_url: str) -> httpx.BaseTransport | None:
    """Give what stands in for the network to this base URL; None: nothing does."""
    return _wires.get(base_url.rstrip("/"))
