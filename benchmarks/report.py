"""Measure a report of 10 stages and 20 charts: how long it takes to make, and how large its one file is.

Beside it the same charts by matplotlib, written as SVG: only the drawings, without the page, its tables and the other
forms. It comes with pm4py, which the tests use; where it isn't installed it is left out, and said. Asserts nothing.

    python benchmarks/report.py [--runs 5] [--html FILE] [--json FILE] [--quick]
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from runs.tables import write_found

HERE = Path(__file__).parent
BARS = "bars: 300 KB and 1 s, first render"
Found = dict[str, Any]


def arguments() -> argparse.Namespace:
    """Read what is to be measured."""
    parser = argparse.ArgumentParser(description="Measure a report of 10 stages and 20 charts.")
    parser.add_argument("--runs", type=int, default=5, help="processes of each; the median is printed (5)")
    parser.add_argument("--html", type=Path, metavar="FILE", help="keep the page")
    parser.add_argument("--quick", action="store_true", help="once, only to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    asked = parser.parse_args()
    asked.runs = 1 if asked.quick else asked.runs
    return asked


def measured(who: str, runs: int) -> Found:
    """Draw in a process of its own, so that imports and first uses count; give the run in the middle."""
    found = []
    for _ in range(runs):
        command = [sys.executable, "-m", "runs.drawing", who]
        done = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False)  # noqa: S603  our own
        if done.returncode:
            return {"name": who, "error": (done.stderr.strip().splitlines() or ["it says nothing"])[-1]}
        found.append(json.loads(done.stdout))
    return {"name": who, **sorted(found, key=lambda one: one["seconds"])[len(found) // 2]}


def show(found: Found) -> None:
    """Print a row."""
    if "error" in found:
        print(f"{found['name']:<12} not measured: {found['error']}")
        return
    sizes = f"{found['bytes'] / 1000:>8.0f} {found['zipped'] / 1000:>10.0f}"
    print(
        f"{found['name']:<12} {found['charts']:>6} {found['seconds']:>9.2f} {found['again']:>9.2f} {sizes}", flush=True
    )


def main() -> None:
    """Measure and print."""
    asked = arguments()
    print(BARS)
    print(f"{'made by':<12} {'charts':>6} {'first, s':>9} {'again, s':>9} {'KB':>8} {'zipped, KB':>10}")
    found = []
    for who in ("crmbridge", "matplotlib"):
        found.append(measured(who, asked.runs))
        show(found[-1])
    if asked.html:
        from runs.drawing import page  # noqa: PLC0415  what is measured is imported where it is measured

        asked.html.write_text(page(), "utf-8")
        print(f"{asked.html}: {len(gzip.compress(asked.html.read_bytes())) / 1000:.0f} KB zipped")
    if asked.json:
        write_found(asked.json, found)


if __name__ == "__main__":
    main()
