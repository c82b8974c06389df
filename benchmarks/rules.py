"""Measure exit rules: verdicts a second beside three other engines, explanations, and deals judged from a store.

- verdicts: the same twenty rules about the same deals, ours and each of the others in a process of its own. Ours come
  with their reasons and count exactly; the others say yes or no and count in binary fractions
- explain: one deal with all its verdicts in words
- store: every deal of a store judged as the cycle does it, then some of them changed and judged again

The others are installed into an environment of their own (`--peers FOLDER`; made there when it is missing). One that
can't be had is left out, and said. Asserts nothing.

    python benchmarks/rules.py [--only verdicts] [--deals 20000] [--stored 100000] [--json FILE] [--quick]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runs.peers import python_with
from runs.rule_set import RULES, deals, in_rule_engine, in_zen
from runs.tables import write_found

HERE = Path(__file__).parent
PEERS: dict[str, Callable[[str], str]] = {"cel-expr-python": str, "zen-engine": in_zen, "rule-engine": in_rule_engine}
SLOW = {"rule-engine": 20}  # asked about so many times fewer deals
BARS = "bars: 1,000,000 verdicts/s on one core with reasons; one deal with full explanation in 100 µs"
STORE_BARS = (
    "bars: 1,000,000 deals x 20 rules in 60 s and 500 MB; 1,000 changes among 1,000,000 deals judged again in 0.5 s"
)
Found = dict[str, Any]


def arguments() -> argparse.Namespace:
    """Read what is to be measured."""
    parser = argparse.ArgumentParser(description="Measure exit rules beside other engines.")
    parser.add_argument("--only", action="append", choices=("verdicts", "explain", "store"), help="may be repeated")
    parser.add_argument("--deals", type=int, default=20_000, help="deals in memory (20000)")
    parser.add_argument("--stored", type=int, default=100_000, help="deals in the store (100000)")
    parser.add_argument("--changes", type=int, default=1_000, help="of them that change (1000)")
    parser.add_argument("--peers", type=Path, default=Path(tempfile.gettempdir()) / "crmbridge-rule-peers")
    parser.add_argument("--quick", action="store_true", help="a few deals, only to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    asked = parser.parse_args()
    if asked.quick:
        asked.deals, asked.stored, asked.changes = 200, 500, 20
    return asked


def ours(*task: str) -> Found:
    """Do one of our tasks in a process of its own."""
    environ = {**os.environ, "BENCH_TOKEN": "none", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "runs.judging", *task]
    done = subprocess.run(command, cwd=HERE, env=environ, capture_output=True, text=True, check=True)  # noqa: S603
    found: Found = json.loads(done.stdout)
    return found


def theirs(python: Path, engine: str, count: int) -> Found:
    """Ask another engine."""
    spell = PEERS[engine]
    given = json.dumps({"rules": [spell(rule) for rule in RULES], "deals": list(deals(count))})
    command = [str(python), str(HERE / "runs" / "rule_peers.py"), engine]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)  # noqa: S603
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    found: Found = json.loads(done.stdout)
    return found


def measure_verdicts(asked: argparse.Namespace) -> list[Found]:
    """Measure all engines about the same deals."""
    print(BARS)
    print(f"{'engine':<24} {'verdicts':>10} {'a second':>12} {'that hold':>10}")
    found = [row({"name": "crmbridge", **ours("verdicts", str(asked.deals))}, asked.deals)]
    for engine in PEERS:
        count = max(asked.deals // SLOW.get(engine, 1), 1)
        if python := python_with(engine, asked.peers):
            found.append(row({"name": engine, **theirs(python, engine, count)}, count))
    return found


def row(found: Found, count: int) -> Found:
    """Print a row."""
    if "error" in found:
        print(f"{found['name']:<24} not measured: {found['error']}")
        return found
    name, rate = f"{found['name']} {found.get('version', '')}", found["verdicts"] / found["seconds"]
    print(f"{name:<24} {found['verdicts']:>10,} {rate:>12,.0f} {found['holds']:>10,} of {count:,} deals", flush=True)
    return found


def measure_explain(asked: argparse.Namespace) -> list[Found]:
    """Measure explanations."""
    found = {"name": "explain", **ours("explain", str(min(asked.deals, 2_000)))}
    usual, slow = found["microseconds"], found["worst_tenth"]
    print(f"one deal, {len(RULES)} verdicts in words: {usual:.0f} µs; one in ten takes {slow:.0f} µs or more")
    return [found]


def measure_store(asked: argparse.Namespace) -> list[Found]:
    """Measure what the cycle does with deals that are stored."""
    print(STORE_BARS)
    with tempfile.TemporaryDirectory() as folder:
        ours("fill", folder, str(asked.stored))
        found = [{"name": "all", "stored": asked.stored, **ours("all", folder)}]
        found.append({"name": "changes", "stored": asked.stored, **ours("changes", folder, str(asked.changes))})
    for one in found:
        cost = f"{one['seconds']:.2f} s, {one['cpu_s']:.1f} CPU s of the process, {one['peak_mb']:.0f} MB"
        print(f"{one['name']:<8} {one['deals']:>9,} of {one['stored']:,} deals judged in {cost}")
    return found


MEASURES = {"verdicts": measure_verdicts, "explain": measure_explain, "store": measure_store}


def main() -> None:
    """Measure, print, and write the file that was asked for."""
    asked = arguments()
    found = [one for name in asked.only or MEASURES for one in MEASURES[name](asked)]
    if asked.json:
        write_found(asked.json, found)


if __name__ == "__main__":
    main()
