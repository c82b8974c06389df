"""Hints, and what adapters keep between runs, in memory."""

from __future__ import annotations

from collections.abc import Iterator, MutableMapping, Sequence
from datetime import datetime, timedelta

from crmbridge.model.records import Ref
from crmbridge.store.memory.state import Opened


class MemoryHints:
    """Hints, in memory."""

    def __init__(self, memory: Opened) -> None:
        self._memory = memory

    def add(self, refs: Sequence[Ref], at: datetime) -> None:
        """Note that these may have changed; one that was noted later already keeps that time."""
        with self._memory.write() as state:
            state.hints |= {ref: max(at, state.hints.get(ref, at)) for ref in refs}

    def pending(self, connection: str) -> tuple[tuple[Ref, datetime], ...]:
        """Give the refs noted, oldest first, each with when it was last noted."""
        with self._memory.read() as state:
            found = [(ref, at) for ref, at in state.hints.items() if ref.connection == connection]
        return tuple(sorted(found, key=lambda hint: (hint[1], hint[0])))

    def done(self, seen: Sequence[tuple[Ref, datetime]]) -> None:
        """Forget the refs that were re-read, unless they were noted again since the time given."""
        with self._memory.write() as state:
            for ref, at in seen:
                if ref in state.hints and state.hints[ref] <= at:
                    del state.hints[ref]

    def first_seen(
        self, deliveries: Sequence[str], at: datetime, keep: timedelta, refs: Sequence[Ref] = ()
    ) -> frozenset[str]:
        """Give the deliveries that are seen for the first time within `keep`, and note them, with the refs."""
        with self._memory.write() as state:
            state.deliveries = {name: seen for name, seen in state.deliveries.items() if seen > at - keep}
            new = frozenset(deliveries) - state.deliveries.keys()
            if new:
                self.add(refs, at)
            state.deliveries |= dict.fromkeys(new, at)
            return new


class MemoryMemory(MutableMapping[str, str]):
    """What one connection's adapter keeps, in memory."""

    def __init__(self, memory: Opened, connection: str) -> None:
        self._memory = memory
        self._connection = connection

    def __getitem__(self, name: str) -> str:
        with self._memory.read() as state:
            return state.memories.get(self._connection, {})[name]

    def __setitem__(self, name: str, value: str) -> None:
        with self._memory.write() as state:
            state.memories.setdefault(self._connection, {})[name] = value

    def __delitem__(self, name: str) -> None:
        with self._memory.write() as state:
            del state.memories.get(self._connection, {})[name]

    def __iter__(self) -> Iterator[str]:
        with self._memory.read() as state:
            return iter(sorted(state.memories.get(self._connection, {})))

    def __len__(self) -> int:
        with self._memory.read() as state:
            return len(state.memories.get(self._connection, {}))
