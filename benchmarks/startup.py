"""Measure how long a command takes to start, beside other programs in the same minutes.

Prints a table of medians in milliseconds. The first call of each program is thrown away, so the disk is warm; then the
programs take turns, so that what else the machine does hits all of them alike.

    python benchmarks/startup.py [--runs 5] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from crmbridge.services.projects.creating import create_project

HERE = Path(sys.executable).parent


class Program(NamedTuple):
    """A command line to measure. `bar` is how many milliseconds it may take, where something was promised."""

    name: str
    command: tuple[str, ...]
    bar: int | None = None


def programs(project: Path) -> list[Program]:
    """Name what is measured; alternatives that are not installed are left out."""
    python = sys.executable
    found = [
        Program("crmbridge --help", (_beside_python("crmbridge"), "--help"), 150),
        Program("crmbridge check", (_beside_python("crmbridge"), "check", "--project", str(project)), 500),
        Program("python -c pass", (python, "-c", "pass")),
        Program("python -c 'import click'", (python, "-c", "import click")),
        Program("ruff --version", (_beside_python("ruff"), "--version")),
        Program("git --version", (shutil.which("git") or "", "--version")),
    ]
    return [program for program in found if program.command[0] and shutil.which(program.command[0])]


def _beside_python(name: str) -> str:
    beside = HERE / name
    return str(beside) if beside.exists() else (shutil.which(name) or "")


def time_once(program: Program) -> float:
    """Run a program and give the milliseconds until it ended; raises CalledProcessError when it fails."""
    start = time.perf_counter()
    subprocess.run(program.command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)  # noqa: S603  ours
    return (time.perf_counter() - start) * 1000


def measure(found: Sequence[Program], runs: int) -> dict[str, list[float]]:
    """Give each program's times; the programs take turns."""
    for program in found:
        time_once(program)
    times: dict[str, list[float]] = {program.name: [] for program in found}
    for _ in range(runs):
        for program in found:
            times[program.name].append(time_once(program))
    return times


def print_table(found: Sequence[Program], times: Mapping[str, Sequence[float]]) -> None:
    """Print medians, the fastest and slowest run, and the bar."""
    width = max(len(program.name) for program in found)
    print(f"{'program':<{width}}  median ms  fastest  slowest  bar")
    for program in found:
        own = times[program.name]
        bar = f"{program.bar:>3}" if program.bar else ""
        row = f"{program.name:<{width}}  {statistics.median(own):>9.0f}  {min(own):>7.0f}  {max(own):>7.0f}  {bar}"
        print(row.rstrip())


def as_json(found: Sequence[Program], times: Mapping[str, Sequence[float]]) -> str:
    """Give the same as JSON, with what it was measured on."""
    rows = [
        {
            "program": program.name,
            "median_ms": round(statistics.median(times[program.name]), 1),
            "runs_ms": [round(each, 1) for each in times[program.name]],
            "bar_ms": program.bar,
        }
        for program in found
    ]
    machine = {"python": platform.python_version(), "system": platform.system(), "cores": os.cpu_count()}
    return json.dumps({"machine": machine, "programs": rows}, indent=2) + "\n"


def main() -> None:
    """Measure, print the table, and write the file that was asked for."""
    parser = argparse.ArgumentParser(description="Measure how long commands take to start.")
    parser.add_argument("--runs", type=int, default=5, help="times that each program is run (5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        create_project(Path(folder))
        found = programs(Path(folder))
        times = measure(found, max(1, asked.runs))
    print_table(found, times)
    if asked.json:
        asked.json.write_text(as_json(found, times), "utf-8")


if __name__ == "__main__":
    main()
