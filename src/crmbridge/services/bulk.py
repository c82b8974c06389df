"""Bulk work: what suits Python while very many records go through its hands."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
from collections.abc import Iterator


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
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        give_memory_back()
        gc.set_threshold(*thresholds)
        gc.unfreeze()


def give_memory_back() -> None:
    """Hand freed memory back to the system, where the C library can (glibc).

    What readers in threads free lies in many pieces, and would add up to half as much again in a long pull.
    """
    if sys.platform == "linux" and (trim := getattr(ctypes.CDLL(None), "malloc_trim", None)):
        trim(0)
