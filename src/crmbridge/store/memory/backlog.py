"""What readers have not dealt with, what waits, and what records are matched by, in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from crmbridge.model.changes import Blocked
from crmbridge.model.records import Ref, Signature
from crmbridge.ports import Waiting
from crmbridge.store.memory.state import Opened
from crmbridge.store.waiting_rows import called, in_order


class MemoryBacklog:
    """What readers have not dealt with yet, in memory."""

    def __init__(self, memory: Opened) -> None:
        self._memory = memory

    def pending(self, reader: str) -> tuple[int, tuple[Ref, ...]]:
        """Give the mark that all of this reaches to, and the refs that are pending, ordered."""
        with self._memory.read() as state:
            since = state.readers.get(reader, 0)
            changed = {ref for ref, mark in state.marks.items() if mark > since}
            return state.mark, tuple(sorted(changed | state.left.get(reader, frozenset())))

    def dealt(self, reader: str, mark: int, left: Collection[Ref] = (), links: Collection[str] = ()) -> None:
        """Note that a reader has dealt with everything up to a mark, but for what it left: records, and whole links."""
        with self._memory.write() as state:
            state.readers[reader] = mark
            whole = frozenset(links)
            state.left[reader] = frozenset([*left, *(ref for ref, link in state.owners.items() if link in whole)])

    def touch(self, refs: Collection[Ref]) -> None:
        """Let these records count as changed for every reader."""
        with self._memory.write() as state:
            state.mark_all(ref for ref in refs if ref in state.marks)

    def readers(self) -> frozenset[str]:
        """Name the readers that there are."""
        with self._memory.read() as state:
            return frozenset(state.readers)

    def forget(self, readers: Collection[str]) -> None:
        """Forget readers; one that comes back begins with everything."""
        with self._memory.write() as state:
            for reader in readers:
                state.readers.pop(reader, None)
                state.left.pop(reader, None)


class MemoryWaiting:
    """What waits for a person, in memory."""

    def __init__(self, memory: Opened) -> None:
        self._memory = memory

    def replace(self, links: Collection[str], items: Sequence[Blocked], at: datetime) -> None:
        """Put these in the place of everything that waits under these links; what waited already keeps its time."""
        with self._memory.write() as state:
            before = dict(state.waiting)
            state.waiting = {key: each for key, each in before.items() if each.item.link not in links}
            for item in items:
                key = (item.link, item.deal, called(item), item.cause)
                state.waiting[key] = Waiting(item, before[key].since if key in before else at)

    def all(self) -> tuple[Waiting, ...]:
        """Give everything that waits, ordered by deal, name and reason."""
        with self._memory.read() as state:
            found = list(state.waiting.values())
        return tuple(sorted(found, key=in_order))


class MemoryMatches:
    """What records are matched by, in memory."""

    def __init__(self, memory: Opened) -> None:
        self._memory = memory

    def put(self, signatures: Mapping[Ref, Collection[Signature]]) -> None:
        """Set the signatures of these refs in the place of those they had."""
        with self._memory.write() as state:
            state.signatures |= {ref: frozenset(found) for ref, found in signatures.items()}

    def of(self, refs: Collection[Ref]) -> dict[Ref, tuple[Signature, ...]]:
        """Give the signatures of those of these refs that have any, ordered."""
        with self._memory.read() as state:
            return {ref: tuple(sorted(state.signatures[ref])) for ref in refs if state.signatures.get(ref)}

    def find(self, signatures: Collection[Signature]) -> dict[Signature, tuple[Ref, ...]]:
        """Give the refs that have each of these signatures, ordered; signatures that none has are left out."""
        found: dict[Signature, list[Ref]] = defaultdict(list)
        wanted = set(signatures)
        with self._memory.read() as state:
            for ref, signed in state.signatures.items():
                for signature in signed & wanted:
                    found[signature].append(ref)
        return {signature: tuple(sorted(refs)) for signature, refs in found.items()}
