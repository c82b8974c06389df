"""The process that is measured: does one thing in a project and says what it cost, as JSON on standard output.

python -m runs.child pull FOLDER [--profile FILE]
"""

from __future__ import annotations

import argparse
import cProfile
import json
import pstats
import resource
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

TOP = 25


def pull(folder: Path) -> dict[str, Any]:
    """Pull as `crmbridge pull` does, into the project's own store."""
    from crmbridge.app import open_workspace  # noqa: PLC0415  its imports are part of what is measured
    from crmbridge.services.running import run_pull  # noqa: PLC0415  the same

    with open_workspace(folder) as workspace:
        ran = run_pull(workspace)
    pulled = ran.cycle.pulled if ran.cycle else ()
    problems = [one.error.message for one in pulled if one.error]
    return {
        "records": sum(one.records for one in pulled),
        "moves": sum(one.moves for one in pulled),
        "unread_values": sum(one.problems for one in pulled),
        "errors": problems,
    }


TASKS: dict[str, Callable[[Path], dict[str, Any]]] = {"pull": pull}


def profiled(task: Callable[[Path], dict[str, Any]], folder: Path, into: Path) -> dict[str, Any]:
    """Do a task under the profiler, its threads as well: waiting counts as time, and all of it is slower than without."""
    made = [cProfile.Profile()]
    run = threading.Thread.run

    def watched(thread: threading.Thread) -> None:
        made.append(cProfile.Profile())
        made[-1].runcall(run, thread)

    threading.Thread.run = watched  # type: ignore[method-assign]  this process does nothing else
    found = made[0].runcall(task, folder)
    with into.open("w", encoding="utf-8") as text:
        stats = pstats.Stats(*made, stream=text)
        stats.sort_stats("cumulative").print_stats(TOP)
        stats.sort_stats("tottime").print_stats(TOP)
    return found


def main() -> None:
    """Do the task that was named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--profile", type=Path)
    asked = parser.parse_args()
    start = time.perf_counter()
    task = TASKS[asked.task]
    found = profiled(task, asked.folder, asked.profile) if asked.profile else task(asked.folder)
    seconds = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    figures = {
        "seconds": seconds,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / (1024 if sys.platform == "linux" else 1024 * 1024),
    }
    print(json.dumps({**figures, **found}))


if __name__ == "__main__":
    main()
