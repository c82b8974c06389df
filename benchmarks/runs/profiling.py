"""Where a task's time goes: by layer, then the functions that took most of it."""

from __future__ import annotations

import cProfile
import pstats
import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TextIO, TypeVar
from unittest import mock

T = TypeVar("T")
TOP = 25
# The first one that is found in a function's place and name counts. Builtins have no place, and are their callers'
# work as a rule; the ones that wait, read JSON or speak to SQLite are told by name.
LAYERS = (
    ("waiting", r"acquire|sleep|\brecv|'poll'|select\.|'send|'sendall'|'connect'|getaddrinfo"),
    ("sqlite", r"sqlite3\.(Cursor|Connection)|'commit'"),
    ("json", r"/json/|exact_json|raw_decode|scanstring|_json"),
    ("http", r"/httpx/|/httpcore/|/h11/|/tenacity/|/crmbridge/http/|/crmbridge/(ledger|engine/pacing)|/urllib/|/http/"),
    ("adapter", r"/crmbridge_(hubspot|pipedrive|salesforce)/"),
    ("store", r"/sqlalchemy/|/crmbridge/store/|/crmbridge/model/"),
    ("imports", r"importlib|marshal|builtins\.compile|'read' of '_io|posix\.stat|__build_class__|/pydantic/|/alembic/"),
)


def profiled(task: Callable[[], T], into: Path) -> T:
    """Do a task under the profiler, its threads as well: all is slower than without, and calls more than loops."""
    made = [cProfile.Profile()]
    run = threading.Thread.run

    def watched(thread: threading.Thread) -> None:
        made.append(cProfile.Profile())
        made[-1].runcall(run, thread)

    with mock.patch.object(threading.Thread, "run", watched):
        found = made[0].runcall(task)
    with into.open("w", encoding="utf-8") as text:
        stats = pstats.Stats(*made, stream=text)
        write_layers(stats, text)
        for order in ("cumulative", "tottime"):
            stats.sort_stats(order).print_stats(TOP)
    return found


def write_layers(stats: pstats.Stats, text: TextIO) -> None:
    """Write how many seconds each layer took itself. Threads that wait side by side each count their waiting."""
    seconds: Counter[str] = Counter()
    for (file, _, name), (_, _, own, _, _) in vars(stats)["stats"].items():
        seconds[layer_of(f"{file} {name}")] += own
    text.writelines(f"{layer:<8} {took:8.2f} s\n" for layer, took in seconds.most_common())


def layer_of(function: str) -> str:
    """Name the layer of a function, given as its place and name."""
    return next((layer for layer, pattern in LAYERS if re.search(pattern, function)), "other")
