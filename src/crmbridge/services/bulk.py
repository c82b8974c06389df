"""Bulk work: what suits Python while very many records go through its hands."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Callable, Iterator

_MOST_HEAPS = -8  # M_ARENA_MAX of <malloc.h>


@contextlib.contextmanager
def made_for_bulk() -> Iterator[None]:
    """Let Python work as suits a pull or a plan, and as before afterwards.

    They make millions of objects, most of which are gone at once, and the collector would look at all that live again
    and again. Whoever has turned the collector off has seen to that already.
    """
    if not gc.isenabled():
        yield
        return
    thresholds = gc.get_threshold()
    _share_one_heap()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        give_memory_back()
        gc.set_threshold(*thresholds)


def give_memory_back() -> None:
    """Hand freed memory back to the system, where the C library can (glibc).

    What readers in threads free lies in many pieces, and would add up to half as much again in a long pull.
    """
    if (trim := _of_c_library("malloc_trim")) is not None:
        trim(0)


def _share_one_heap() -> None:
    """Let all threads take memory from one place, where the C library can (glibc).

    Of a heap of its own for each reader, what one has freed is of no use to the others; the interpreter lets them take
    turns anyway.
    """
    if (set_option := _of_c_library("mallopt")) is not None:
        set_option(_MOST_HEAPS, 1)


def _of_c_library(name: str) -> Callable[..., int] | None:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
