"""Reading parts of a list side by side, with as few items in memory as there are readers."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from functools import partial
from typing import Any, Generic, NamedTuple, TypeVar

from crmbridge.threads import alone

T = TypeVar("T")
Part = Callable[[], Iterator[T]]

LOOK_UP = 0.1  # seconds after which a waiting reader looks whether it is still wanted
ROOM = 1  # answers of one call that are unpacked and not taken yet: the next one is unpacked while this one is used
# Seconds that a reader waits for room while nothing is taken: what it needs it for can't be known here, and the others
# may be waiting for just that.
LONGEST_WAIT = 2.0
PATIENCE = 5.0  # seconds that readers have to end when no more is wanted


def side_by_side(parts: Sequence[Part[T]], *, workers: int = 8) -> Generator[tuple[int, T], None, None]:
    """Yield what the parts yield, each item with its part's number; a part's own items come in their order.

    At most `workers` parts are read at a time, in the order given, each in a thread of its own; a reader waits while
    the caller is behind, and unpacks a big answer only while few others lie unpacked. The first error of a part ends
    everything and is raised here, after what was read before it and what the other readers are at: a CRM may count
    what their answers cost. When the caller stops early, the readers end after their current item. One that the CRM
    keeps waiting for long, such as for its turn, is not waited for.
    """
    if alone():
        yield from ((number, found) for number, part in enumerate(parts) for found in part())
        return
    reading = _Reading(parts, workers)
    threads = [threading.Thread(target=reading.run, daemon=True) for _ in range(min(workers, len(parts)))]
    try:
        for thread in threads:
            thread.start()
        yield from reading.items(len(threads))
    finally:
        reading.stop.set()
        latest = time.monotonic() + PATIENCE
        for thread in threads:
            thread.join(max(0.0, latest - time.monotonic()))


def together(jobs: Sequence[Callable[[], T]], *, workers: int = 8) -> list[T]:
    """Do jobs side by side, and give what they give in their order; the first error ends it and is raised."""
    if len(jobs) < 2:
        return [job() for job in jobs]
    done = dict(side_by_side([partial(_once, job) for job in jobs], workers=workers))
    return [done[number] for number in range(len(jobs))]


def _once(job: Callable[[], T]) -> Iterator[T]:
    yield job()


def wait_for_room() -> None:
    """Let a reader that holds a big answer wait until few others lie unpacked; anybody else goes on at once.

    An answer takes ten times its size once it is unpacked, and readers that unpack at the same time only take the
    interpreter from each other.
    """
    reading: _Reading[Any] | None = getattr(_reader, "reading", None)
    if reading is not None and not _reader.has_room:
        _reader.has_room = reading.make_room()


_reader = threading.local()  # the reader that a thread is: its `reading`, and whether it `has_room`


class _Done:
    """Says that a reader has found nothing more to read."""


class _Item(NamedTuple, Generic[T]):
    number: int
    found: T
    has_room: bool


class _Reading(Generic[T]):
    """What the readers of one call share."""

    def __init__(self, parts: Sequence[Part[T]], workers: int) -> None:
        self.stop = threading.Event()  # nobody takes anything more
        self._ends = threading.Event()  # readers give what they are at, and begin nothing more
        self._parts = parts
        self._waiting = iter(range(len(parts)))
        self._lock = threading.Lock()
        self._room = threading.Semaphore(ROOM)
        self._taken = 0  # items, so far
        self._ready: queue.Queue[_Item[T] | _Done | BaseException] = queue.Queue(maxsize=workers)

    def run(self) -> None:
        """Read parts until there are none left, or nobody wants more."""
        _reader.reading, _reader.has_room = self, False
        try:
            while (number := self._next()) is not None:
                for found in self._parts[number]():
                    has_room, _reader.has_room = _reader.has_room, False
                    if not self._put(_Item(number, found, has_room)):
                        return
                    if self._ends.is_set():
                        break
            self._put(_Done())
        except BaseException as error:  # noqa: BLE001  it is raised where the items are taken
            self._put(error)
        finally:
            if _reader.has_room:
                self._room.release()

    def items(self, readers: int) -> Iterator[tuple[int, T]]:
        """Give what the readers find until all are done, or one failed and the others had time for what they are at."""
        failed: BaseException | None = None
        latest: float | None = None
        while readers:
            try:
                ready = self._ready.get(timeout=None if latest is None else max(0.0, latest - time.monotonic()))
            except queue.Empty:
                break
            match ready:
                case _Done():
                    readers -= 1
                case BaseException():
                    readers -= 1
                    failed, latest = failed or ready, latest or time.monotonic() + PATIENCE
                    self._ends.set()
                case _Item(number, found, has_room):
                    self._taken += 1
                    if has_room:
                        self._room.release()
                    yield number, found
        if failed is not None:
            raise failed

    def make_room(self) -> bool:
        """Wait for room as long as items are taken; tell whether there is some."""
        taken, latest = self._taken, time.monotonic() + LONGEST_WAIT
        while not self.stop.is_set():
            if self._room.acquire(timeout=LOOK_UP):
                return True
            if taken != self._taken:
                taken, latest = self._taken, time.monotonic() + LONGEST_WAIT
            elif time.monotonic() >= latest:
                break
        return False

    def _next(self) -> int | None:
        with self._lock:
            over = self.stop.is_set() or self._ends.is_set()
            return None if over else next(self._waiting, None)

    def _put(self, item: _Item[T] | _Done | BaseException) -> bool:
        while not self.stop.is_set():
            try:
                self._ready.put(item, timeout=LOOK_UP)
            except queue.Full:
                continue
            return True
        return False
