"""Play many short histories, or one to read it: `python -m crmbridge.testing.merge_cases COUNT [FIRST_SEED]`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor

from crmbridge.testing.merge_cases.bugs import BUGS, hunt
from crmbridge.testing.merge_cases.history import failures, play

SHARE = 2_000  # seeds that one worker plays before it says how they went


def main(arguments: Sequence[str] | None = None) -> int:
    """Play what is asked for; gives 1 when a history failed, or a planted bug was not caught."""
    parser = argparse.ArgumentParser(prog="python -m crmbridge.testing.merge_cases", description=__doc__)
    parser.add_argument("count", type=int, nargs="?", default=100_000, help="how many histories (100,000)")
    parser.add_argument("first", type=int, nargs="?", default=1, help="the first seed (1)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes (one for each CPU)")
    parser.add_argument("--show", action="store_true", help="show one history, that of the first seed, step by step")
    parser.add_argument("--plant", action="store_true", help="plant bugs, and show after how many seeds each is caught")
    asked = parser.parse_args(arguments)
    if asked.show:
        return _show(asked.first)
    return _plant(asked.count) if asked.plant else _play(range(asked.first, asked.first + asked.count), asked.jobs)


def _play(seeds: range, jobs: int) -> int:
    began, failed = time.monotonic(), 0
    for _, error in _played(seeds, jobs):
        failed += 1
        sys.stdout.write(f"{error}\n\n")
        sys.stdout.flush()
    rate = len(seeds) / max(time.monotonic() - began, 0.001)
    sys.stdout.write(f"{len(seeds):,} histories ({rate:,.0f} a second), {failed} failed\n")
    return int(failed > 0)


def _played(seeds: range, jobs: int) -> Iterator[tuple[int, str]]:
    shares = [seeds[start : start + SHARE] for start in range(0, len(seeds), SHARE)]
    with ProcessPoolExecutor(jobs) as workers:
        for found in workers.map(_failing, shares):
            yield from found


def _failing(seeds: range) -> list[tuple[int, str]]:
    return list(failures(seeds))


def _show(seed: int) -> int:
    log: list[str] = []
    try:
        play(seed, log)
    except AssertionError as error:
        sys.stdout.write(f"{error}\n")
        return 1
    sys.stdout.write("\n".join([*log, "as promised", ""]))
    return 0


def _plant(most: int) -> int:
    sys.stdout.write("| bug | caught after |\n|---|---|\n")
    survived = 0
    for bug in BUGS:
        seeds = hunt(bug, most)
        survived += seeds is None
        sys.stdout.write(f"| {bug.name} | {'never' if seeds is None else f'{seeds:,} histories'} |\n")
    return int(survived > 0)


if __name__ == "__main__":
    raise SystemExit(main())
