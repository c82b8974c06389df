"""Whether the process that took the lease is still there: told only where it is certain, and of this machine."""

from __future__ import annotations

import functools
import os
from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")


class Identity(NamedTuple):
    """One process among all that ever were: its machine's boot, the process ids it is counted in, and its start.

    Processes of two containers on one machine count apart, and an id is given anew when its process is gone.
    """

    boot: str
    counted_in: str
    pid: int
    start: str

    def __str__(self) -> str:
        """Write it as one word."""
        return f"{self.boot}/{self.counted_in}/{self.pid}/{self.start}"

    @classmethod
    def parse(cls, text: str) -> Identity | None:
        """Read back what `str` gave; None for anything else."""
        match text.split("/"):
            case [boot, counted_in, pid, start] if boot and pid.isdecimal():
                return cls(boot, counted_in, int(pid), start)
            case _:
                return None


@functools.cache
def myself() -> Identity | None:
    """Give this process's identity; None where the system does not tell enough, such as outside Linux."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        spaces = [str((_PROC / "self/ns" / name).readlink()) for name in ("pid", "time")]
        start = _start_of(os.getpid())
    except OSError:
        return None
    return Identity(boot, "+".join(spaces), os.getpid(), start) if start else None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=myself.cache_clear)  # a child is another process


def is_dead(other: Identity, me: Identity | None) -> bool:
    """Tell whether a process is certainly gone. One of another machine, boot or container never is."""
    if me is None or (other.boot, other.counted_in) != (me.boot, me.counted_in):
        return False
    try:
        os.kill(other.pid, 0)  # asks only; it also knows of processes that /proc may be told to hide
    except ProcessLookupError:
        return True
    except OSError:
        return False
    try:
        start = _start_of(other.pid)
    except OSError:
        return False
    return start != other.start and start is not None


def _start_of(pid: int) -> str | None:
    """Give when a process started, in ticks since the boot; empty for one that has ended and was not waited for."""
    # proc_pid_stat(5): the name stands in brackets and may hold anything; the state follows, the start 19 later.
    fields = (_PROC / str(pid) / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    if len(fields) < 20:
        return None
    ended = fields[0] in "ZX" and len(list((_PROC / str(pid) / "task").iterdir())) <= 1
    return "" if ended else fields[19]
