"""Threads for what goes side by side, and a way to do without them where a history must be the same each time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class _OneAtATime(Executor):
    """Does each call when it is asked for, in the thread that asks."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do the call, and keep what it gives or raises."""
        done: Future[T] = Future()
        _settle(done, partial(fn, *args, **kwargs))
        return done


_alone = False


def alone() -> bool:
    """Tell whether everything is to be done in the one thread that there is."""
    return _alone


@contextlib.contextmanager
def one_at_a_time() -> Iterator[None]:
    """Until the block ends, do in order what would go side by side, for the whole process: for simulations."""
    global _alone  # noqa: PLW0603  there is one process, and every pool of it asks here
    before, _alone = _alone, True
    try:
        yield
    finally:
        _alone = before


def make_pool(max_workers: int) -> Executor:
    """Make a pool of threads, or what does its calls one at a time within `one_at_a_time`."""
    return _OneAtATime() if _alone else ThreadPoolExecutor(max_workers=max_workers)


def started(job: Callable[[], T]) -> Future[T]:
    """Start a job in a thread of its own; within `one_at_a_time`, do it. A process that ends does not wait for it."""
    if _alone:
        return _OneAtATime().submit(job)
    done: Future[T] = Future()
    threading.Thread(target=_settle, args=(done, job), daemon=True).start()
    return done


def _settle(done: Future[T], job: Callable[[], T]) -> None:
    try:
        done.set_result(job())
    except BaseException as error:  # noqa: BLE001  it is raised where the result is asked for
        done.set_exception(error)
