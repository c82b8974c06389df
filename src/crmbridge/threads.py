"""Threads for what goes side by side, and a way to do without them where a history must be the same each time."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import ParamSpec, TypeVar

T = TypeVar("T")
P = ParamSpec("P")


class _OneAtATime(Executor):
    """Does each call when it is asked for, in the thread that asks."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Do the call, and keep what it gives or raises."""
        done: Future[T] = Future()
        try:
            done.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  it is raised where the result is asked for
            done.set_exception(error)
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
