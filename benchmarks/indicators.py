"""Measure indicators: all of them from a SQLite state, beside the part that pm4py has, each in a process of its own.

pm4py's part is what it has of the same: how often stages are visited, the directly-follows graph and how long its ways
take, how long cases take, and variants, all from the same visits of the same state. Ours is the whole scorecard: that,
and money, SLA clocks, findings, survival with intervals, the forecast, and trends. Runs of the two take turns, and the
one in the middle counts.

The states are filled by SQL, which is not measured: about five visits a deal over four years, an SLA clock on each
visit of a stage where deals are sold, a finding on every tenth deal. Asserts nothing.

    python benchmarks/indicators.py [--moves 1000000] [--only ours] [--state FOLDER] [--runs 3] [--json FILE] [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from runs.indicator_state import fill
from runs.tables import write_found

HERE = Path(__file__).parent
BARS = (
    "bars: 1,000,000 moves in 4 s, 5 times as fast as pm4py's part and in half its memory; "
    "10,000,000 in 25 s and 1,500 MB"
)
WHO = ("ours", "pm4py")
Found = dict[str, Any]


def arguments() -> argparse.Namespace:
    """Read what is to be measured."""
    parser = argparse.ArgumentParser(description="Measure indicators beside pm4py.")
    parser.add_argument("--moves", type=int, action="append", help="in the state; may be repeated (1000000)")
    parser.add_argument("--only", action="append", choices=WHO, help="may be repeated")
    parser.add_argument("--runs", type=int, default=3, help="processes of each; the median is printed (3)")
    parser.add_argument("--state", type=Path, metavar="FOLDER", help="keep the states here, for the next time")
    parser.add_argument("--quick", action="store_true", help="a few moves, only to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    asked = parser.parse_args()
    asked.moves = [5_000] if asked.quick else asked.moves or [1_000_000]
    asked.runs = 1 if asked.quick else asked.runs
    return asked


def state(folder: Path, moves: int) -> Path:
    """Give a state with so many moves, filled now if it is not there."""
    path = folder / f"{moves}.db"
    if not path.exists():
        fill(path, moves)
    return path


def measured(who: str, path: Path) -> Found:
    """Measure one of them."""
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "runs.counting", who, str(path)]
    done = subprocess.run(command, cwd=HERE, env=environ, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["it says nothing"])[-1]}
    found: Found = json.loads(done.stdout.strip().splitlines()[-1])  # what comes before is a library's own banner
    return found


def in_turns(asked: argparse.Namespace, path: Path, moves: int) -> list[Found]:
    """Measure both, a run of the one after a run of the other; print the middle run of each, and how they compare."""
    found: dict[str, list[Found]] = {who: [] for who in asked.only or WHO}
    for _ in range(asked.runs):
        for who, runs in found.items():
            runs.append(measured(who, path))
    rows = [row(who, moves, middle(runs)) for who, runs in found.items()]
    if len(rows) == len(WHO) and not any("error" in each for each in rows):
        ours, theirs = rows
        times, memory = theirs["seconds"] / ours["seconds"], ours["peak_mb"] / theirs["peak_mb"]
        print(f"ours is {times:.1f} times as fast, with {memory:.0%} of the memory", flush=True)
    return rows


def middle(runs: list[Found]) -> Found:
    """Give the run in the middle by time; one that failed, if any did."""
    failed = next((each for each in runs if "error" in each), None)
    return failed or sorted(runs, key=lambda each: each["seconds"])[len(runs) // 2]


def row(who: str, moves: int, found: Found) -> Found:
    """Print a row."""
    if "error" in found:
        print(f"{who:<8} {moves:>11,} not measured: {found['error']}", flush=True)
    else:
        cost = f"{found['seconds']:>8.2f} {found['cpu_s']:>7.1f} {found['peak_mb']:>8.0f}"
        print(f"{who:<8} {moves:>11,} {found['deals']:>10,} {cost}", flush=True)
    return {"name": who, "moves": moves, **found}


def main() -> None:
    """Measure, print, and write the file that was asked for."""
    asked = arguments()
    print(BARS)
    print(f"{'':<8} {'moves':>11} {'deals':>10} {'seconds':>8} {'CPU s':>7} {'peak MB':>8}")
    with tempfile.TemporaryDirectory() as made:
        folder = asked.state or Path(made)
        found = [each for moves in asked.moves for each in in_turns(asked, state(folder, moves), moves)]
    if asked.json:
        write_found(asked.json, found)


if __name__ == "__main__":
    main()
