"""A store in memory whose every transaction is a boundary at which a process may die, and people may act."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from crmbridge.ports import StateStore
from crmbridge.testing.simulation.fuse import Fuse

# What of a store's parts changes the state, one transaction each.
CHANGING: Mapping[str, tuple[str, ...]] = {
    "records": ("put",),
    "links": ("save", "save_bases"),
    "backlog": ("dealt", "forget", "touch"),
    "waiting": ("replace",),
    "matches": ("put",),
    "findings": ("save", "forget"),
    "waivers": ("put", "drop"),
    "courses": ("save",),
    "journal": ("intend", "settle"),
    "runs": (),
}


class _Fused:
    """A part of a store whose changing calls are boundaries. `between` is called before each of them."""

    def __init__(self, part: object, changing: Sequence[str], fuse: Fuse, between: Callable[[], None]) -> None:
        self._part, self._changing, self._fuse, self._turn = part, changing, fuse, between

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        return self._between(found) if name in self._changing else found

    def _between(self, call: Callable[..., None]) -> Callable[..., None]:
        def fused(*arguments: Any) -> None:
            self._fuse.burn()
            self._turn()
            call(*arguments)
            self._fuse.burn()

        return fused


class FusedStore:
    """A store whose every transaction is a boundary, but for pages: those are saved side by side."""

    def __init__(self, store: StateStore, fuse: Fuse, interrupt: Callable[[], None]) -> None:
        for name, changing in CHANGING.items():
            # Findings are saved between the pull and the look at what changed since; after that look comes the write.
            turn = interrupt if name == "findings" else _nobody
            setattr(self, name, _Fused(getattr(store, name), changing, fuse, turn))
        # What these hold may be lost, so no kill between two of their steps could matter.
        self.hints, self.rates, self.memory = store.hints, store.rates, store.memory


def _nobody() -> None:
    """Let nobody do anything."""
