"""The most memory that a process has had."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_mb() -> float:
    """Give the most memory that this process has had so far, in MB.

    What `getrusage` says begins at what its parent had when it started this one, so a benchmark that fills a large
    world would show that. Linux knows the program's own.
    """
    if STATUS.exists():
        lines = STATUS.read_text("ascii", "replace").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) / 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / (1024 if sys.platform == "linux" else 1024 * 1024)
