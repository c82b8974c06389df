"""When a person at a terminal sees something, and what: `crmbridge pull` in a terminal of its own."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from runs.measuring import PER_REQUEST, Figures, environment, measure
from runs.serving import Account, Serving

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SPINNER = re.compile(r"[\u2800-\u28ff]")


def watch_screen(account: Account) -> Figures:
    """Pull at a terminal; notes when the first words came and what stood there last."""
    return measure(account, _watch, PER_REQUEST[account.vendor])


def print_screen(figures: Figures) -> Figures:
    """Print when something showed, and a few of the lines."""
    found = figures.found or {}
    shown = " and ".join(f"{what} after {_seconds(found[f'first_{what}'])}" for what in ("words", "deals", "left"))
    print(f"{figures.vendor:<10} {shown}, from the start of the process (bar 1 s): {found['words'][:1]}")
    for words in found["words"][1:]:
        print(f"    {words}")
    return figures


def _watch(_served: Serving, folder: Path) -> dict[str, Any]:
    command = [str(Path(sys.executable).parent / "crmbridge"), "pull", "--project", str(folder)]
    ours, theirs = pty.openpty()
    start = time.perf_counter()
    shown: list[tuple[float, str]] = []
    terminal = {**environment(), "TERM": "xterm-256color", "COLUMNS": "100"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=terminal) as process:  # noqa: S603  ours
        os.close(theirs)
        while (text := _read(ours)) is not None:
            words = SPINNER.sub("", CONTROL.sub("", text)).strip()
            if words:
                shown.append((time.perf_counter() - start, words.splitlines()[-1].strip()))
        process.wait()
    os.close(ours)
    seconds = time.perf_counter() - start
    step = max(1, len(shown) // 5)
    lines = [f"{at:.1f} s: {line}" for at, line in [*shown[::step], *shown[-1:]]]
    first = {
        f"first_{what}": _first(shown, word) for what, word in (("words", ""), ("deals", " deals"), ("left", " left"))
    }
    return {"seconds": seconds, "cpu_s": 0.0, "peak_mb": 0.0, **first, "words": lines}


def _first(shown: Sequence[tuple[float, str]], word: str) -> float | None:
    """Give when a word was first seen; None when it never was."""
    return next((at for at, line in shown if word in line), None)


def _seconds(at: float | None) -> str:
    return "the end" if at is None else f"{at:.2f} s"


def _read(terminal: int) -> str | None:
    """Read what came; None when the program has ended."""
    select.select([terminal], [], [])
    try:
        data = os.read(terminal, 65_536)
    except OSError:  # the other end is closed
        return None
    return data.decode("utf-8", "replace") if data else None
