"""Parts of a list side by side: all of it, in order part by part, and never far ahead of the reader."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from crmbridge.http import side_by_side, slices, together


def part(*items: int) -> Callable[[], Iterator[int]]:
    """Give a part with these items."""
    return lambda: iter(items)


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_every_item_comes_once_and_in_its_parts_order(workers: int) -> None:
    """However many readers there are, nothing is lost, doubled, or out of its part's order."""
    parts = [part(*range(n * 10, n * 10 + n)) for n in range(12)]
    found = list(side_by_side(parts, workers=workers))

    for number in range(12):
        assert list(range(number * 10, number * 10 + number)) == [item for of, item in found if of == number]


def test_no_parts_give_nothing() -> None:
    """An empty list of parts is an empty list of items."""
    assert [] == list(side_by_side([]))


def test_parts_are_read_at_the_same_time() -> None:
    """Two parts that wait for each other both end."""
    both = threading.Barrier(2, timeout=60)

    def meeting() -> Iterator[int]:
        both.wait()
        yield 1

    assert [(0, 1), (1, 1)] == sorted(side_by_side([meeting, meeting], workers=2))


def test_no_more_than_the_workers_read_at_a_time() -> None:
    """A third part begins when one of the first two is done."""
    going, most = [0], [0]
    lock = threading.Lock()

    def counted() -> Iterator[int]:
        with lock:
            going[0] += 1
            most[0] = max(most[0], going[0])
        yield from range(20)
        with lock:
            going[0] -= 1

    assert 200 == len(list(side_by_side([counted] * 10, workers=2)))
    assert 2 >= most[0]


def test_the_first_error_ends_it_after_what_was_read_before() -> None:
    """What a part read before it failed is handed over, so a cursor can stand after it."""

    def failing() -> Iterator[int]:
        yield 1
        yield 2
        raise ValueError("broken off")

    walk = side_by_side([failing], workers=1)

    assert [(0, 1), (0, 2)] == [next(walk), next(walk)]
    with pytest.raises(ValueError, match="broken off"):
        next(walk)


def test_what_others_are_reading_when_one_fails_is_handed_over() -> None:
    """They have asked for it, and Pipedrive has counted what it costs; they ask for nothing more."""
    asked, failed = threading.Event(), threading.Event()
    begun: list[int] = []

    def failing() -> Iterator[int]:
        asked.wait(10)
        failed.set()
        raise ValueError("used up")
        yield

    def answered_late() -> Iterator[int]:
        for number in range(3):
            begun.append(number)
            asked.set()
            failed.wait(10)
            time.sleep(0.2)
            yield number

    found: list[tuple[int, int]] = []
    with pytest.raises(ValueError, match="used up"):
        found.extend(side_by_side([failing, answered_late, answered_late], workers=2))

    assert [(1, 0)] == found
    assert [0] == begun


def test_readers_stay_close_to_the_one_who_takes() -> None:
    """A reader that nobody takes from stops reading: the memory of a pull does not grow with the account."""
    read: list[int] = []

    def endless() -> Iterator[int]:
        for n in range(100_000):
            read.append(n)
            yield n

    walk = side_by_side([endless, endless], workers=2)
    next(walk)
    walk.close()

    assert 10 > len(read)


def test_readers_end_when_the_caller_stops() -> None:
    """A pull that is given up leaves no thread behind."""
    before = threading.active_count()
    walk = side_by_side([part(*range(1000))] * 4, workers=4)
    next(walk)
    walk.close()

    assert before == threading.active_count()


def test_a_reader_that_waits_long_holds_no_error_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """One may wait a minute for its turn; a disk that is full meanwhile is told now."""
    monkeypatch.setattr(slices, "PATIENCE", 0.1)
    turn = threading.Event()

    def waiting() -> Iterator[int]:
        turn.wait(60)
        yield 1

    walk = side_by_side([part(1), waiting], workers=2)
    next(walk)
    started = time.monotonic()
    walk.close()
    turn.set()

    assert 30 > time.monotonic() - started


def test_an_error_is_told_although_another_reader_waits_long(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a moment for what the others are at. The first error is the one that counts."""
    monkeypatch.setattr(slices, "PATIENCE", 0.5)
    first, turn = threading.Event(), threading.Event()

    def failing() -> Iterator[int]:
        first.set()
        raise ValueError("first")
        yield

    def failing_later() -> Iterator[int]:
        first.wait(60)
        time.sleep(0.2)
        raise ValueError("second")
        yield

    def waiting() -> Iterator[int]:
        turn.wait(60)
        yield 1

    started = time.monotonic()
    with pytest.raises(ValueError, match="first"):
        list(side_by_side([failing, failing_later, waiting], workers=3))
    turn.set()

    assert 30 > time.monotonic() - started


def test_an_error_is_told_at_once_when_nobody_else_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is nothing to wait for."""
    monkeypatch.setattr(slices, "PATIENCE", 60.0)

    def failing() -> Iterator[int]:
        raise ValueError("no")
        yield

    started = time.monotonic()
    with pytest.raises(ValueError, match="no"):
        list(side_by_side([failing, failing], workers=2))

    assert 30 > time.monotonic() - started


def test_few_answers_lie_unpacked_at_a_time() -> None:
    """Eight readers have their answer; while nobody takes what the first ones unpacked, the others wait with theirs."""
    unpacked: list[int] = []
    done = threading.Event()

    def reading(number: int) -> Callable[[], Iterator[int]]:
        def read() -> Iterator[int]:
            slices.wait_for_room()
            unpacked.append(number)
            if len(unpacked) == slices.ROOM + 1:  # one was taken, which made room for another
                done.set()
            yield number

        return read

    walk = side_by_side([reading(number) for number in range(8)], workers=8)
    next(walk)

    assert done.wait(60)
    assert slices.ROOM + 1 == len(unpacked)
    assert set(range(8)) == {unpacked[0]} | {item for _, item in walk} | set(unpacked)


def test_a_reader_waits_for_room_once_for_each_item(monkeypatch: pytest.MonkeyPatch) -> None:
    """What an item needs several answers for is unpacked in the room of the first: it could wait for itself."""
    monkeypatch.setattr(slices, "LONGEST_WAIT", 30.0)

    def read() -> Iterator[int]:
        for number in range(20):
            for _ in range(slices.ROOM + 1):
                slices.wait_for_room()
            yield number

    begun = time.monotonic()

    assert list(range(20)) == [item for _, item in side_by_side([read], workers=1)]
    assert slices.LONGEST_WAIT > time.monotonic() - begun


def test_readers_that_hold_room_without_giving_anything_stop_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers that wait for another one hold all the room; that one goes on without, after a while."""
    monkeypatch.setattr(slices, "LONGEST_WAIT", 0.2)
    told = threading.Event()
    holding = threading.Barrier(slices.ROOM + 1, timeout=60)

    def waiting() -> Iterator[int]:
        slices.wait_for_room()
        holding.wait()
        assert told.wait(60)
        yield 1

    def telling() -> Iterator[int]:
        holding.wait()
        slices.wait_for_room()
        told.set()
        yield 2

    parts = [waiting] * slices.ROOM + [telling]

    assert [1] * slices.ROOM + [2] == sorted(item for _, item in side_by_side(parts, workers=len(parts)))


def test_a_reader_that_ends_gives_its_room_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where its answer held nothing."""
    monkeypatch.setattr(slices, "LONGEST_WAIT", 60.0)
    holding = threading.Barrier(slices.ROOM + 1, timeout=60)

    def empty() -> Iterator[int]:
        slices.wait_for_room()
        holding.wait()
        yield from ()

    def full() -> Iterator[int]:
        holding.wait()
        slices.wait_for_room()
        yield 1

    parts = [empty] * slices.ROOM + [full]
    begun = time.monotonic()

    assert [(slices.ROOM, 1)] == list(side_by_side(parts, workers=len(parts)))
    assert 30 > time.monotonic() - begun


def test_readers_wait_for_room_as_long_as_items_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow that goes: a machine that is busy with other things must not fill its memory with answers."""
    now, unpacked, ahead = [0.0], [0], list[int]()
    monkeypatch.setattr(slices.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(slices, "LOOK_UP", 0.005)

    def read() -> Iterator[int]:
        slices.wait_for_room()
        unpacked[0] += 1
        yield 1

    for taken, _ in enumerate(side_by_side([read] * 8, workers=8), 1):
        now[0] += slices.LONGEST_WAIT * 0.6
        threading.Event().wait(0.03)  # so that they look whether it goes on
        ahead.append(unpacked[0] - taken)

    assert slices.ROOM == max(ahead)


def test_who_is_no_reader_does_not_wait() -> None:
    """A single request is nobody's slice, however many there are."""
    begun = time.monotonic()
    for _ in range(slices.ROOM + 2):
        slices.wait_for_room()

    assert slices.LONGEST_WAIT > time.monotonic() - begun


def test_jobs_are_done_together_and_answer_in_their_order() -> None:
    """Two that wait for each other both end, and the one that ends first does not come first."""
    both, later = threading.Barrier(2, timeout=60), threading.Event()

    def slow() -> str:
        both.wait()
        later.wait(60)
        return "slow"

    def quick() -> str:
        both.wait()
        later.set()
        return "quick"

    assert ["slow", "quick"] == together([slow, quick])
    assert list(range(20)) == together([lambda n=n: n for n in range(20)], workers=3)


def test_a_single_job_needs_no_thread() -> None:
    """And none gives nothing."""
    assert [threading.get_ident()] == together([threading.get_ident])
    assert [] == together([])


def test_the_first_job_that_fails_ends_it() -> None:
    """Its error is raised, whatever the others give."""

    def fails() -> int:
        raise ValueError("no")

    for jobs in ([fails], [fails, lambda: 1], [lambda: 1, lambda: 2, fails]):
        with pytest.raises(ValueError, match="no"):
            together(jobs)
