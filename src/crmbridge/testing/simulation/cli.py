"""The command line of the simulation: `crmbridge-sim run`, `replay` and `plant`."""

from __future__ import annotations

import argparse
import gc
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor, as_completed
from functools import partial
from importlib import import_module
from multiprocessing import get_context

from crmbridge.testing.simulation.bugs import BUGS
from crmbridge.testing.simulation.planting import hunt

STAGES = ("play", "acting", "by-hand", "by-hand-on-sandboxes")
SHARE = 3  # seeds that one worker plays before it says how it went: so few that at the end none waits long for another


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; gives 1 when a promise was broken, or a planted bug was not caught."""
    asked = make_parser().parse_args(arguments)
    try:
        return int(asked.call(asked))
    except BrokenPipeError:  # whoever read along has seen enough
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123  closed by the process's end
        return 1


def make_parser() -> argparse.ArgumentParser:
    """Make what reads the command line."""
    parser = argparse.ArgumentParser(prog="crmbridge-sim", description="Play whole histories, each from a seed.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser("run", help="play seeds, and name the ones in which a promise is broken")
    run.add_argument("count", type=int, nargs="?", default=500, help="how many (500 when not said)")
    run.add_argument("--first", type=int, default=1, help="the first seed (1 when not said)")
    run.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes (one for each CPU)")
    run.add_argument("--stage", choices=STAGES, default="play", help="which plays (the main ones when not said)")
    fakes = "the main ones on CRMs in memory, without a wire: twenty times as fast"
    run.add_argument("--fakes", action="store_const", dest="stage", const="fakes", help=fakes)
    run.set_defaults(call=_run)
    replay = commands.add_parser("replay", help="show the history of a seed, step by step")
    replay.add_argument("seed", type=int)
    replay.add_argument("--stage", choices=STAGES, default="play", help="of which plays (the main ones when not said)")
    replay.add_argument("--requests", action="store_true", help="show the requests as well")
    replay.set_defaults(call=_replay)
    bugs = commands.add_parser("plant", help="plant bugs on purpose, and show after how many seeds each is caught")
    bugs.add_argument("words", nargs="*", help="only the bugs with one of these words in their name")
    bugs.add_argument("--most", type=int, default=20_000, help="seeds to play before a bug has survived (20,000)")
    bugs.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many processes (one for each CPU)")
    bugs.set_defaults(call=_plant)
    return parser


# ── run ─────────────────────────────────────────────────────────────────────────────────────────────────


def _run(asked: argparse.Namespace) -> int:
    began, failed = time.monotonic(), 0
    for seed, error in _played(range(asked.first, asked.first + asked.count), asked.jobs, asked.stage):
        failed += 1
        stage = "" if asked.stage == "play" else f" --stage {asked.stage}"
        again = (
            f"crmbridge-sim run 1 --fakes --first {seed}"
            if asked.stage == "fakes"
            else f"crmbridge-sim replay {seed}{stage}"
        )
        sys.stdout.write(f"{error}\n  again: {again}\n")
        sys.stdout.flush()
    rate = asked.count / max(time.monotonic() - began, 0.001)
    sys.stdout.write(f"{asked.count} seeds played ({rate:.1f} a second), {failed} failed\n")
    return int(failed > 0)


def _played(seeds: range, jobs: int, stage: str) -> Iterator[tuple[int, str]]:
    """Give the seeds that failed, with why, as they are found."""
    job = partial(seeds_that_fail, stage)
    shares = [seeds[start : start + SHARE] for start in range(0, len(seeds), SHARE)]
    if jobs < 2 or len(shares) < 2:
        for share in shares:
            yield from job(share)
        return
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as workers:
        for found in workers.map(job, shares):
            yield from found


def seeds_that_fail(stage: str, seeds: Sequence[int]) -> list[tuple[int, str]]:
    """Play seeds on a stage, and give those that failed, with why."""
    simulate, found = _simulate(stage), []
    gc.disable()
    for seed in seeds:
        try:
            simulate(seed)
        except AssertionError as error:
            found.append((seed, str(error)))
        except Exception as error:  # noqa: BLE001  any error of any seed is a result
            found.append((seed, f"seed {seed}: {type(error).__name__}: {error}"))
        gc.collect(1)  # now that nobody holds any of it: what is looked at while it is held is looked at twice
    gc.enable()
    return found


def _simulate(stage: str) -> Callable[..., object]:
    """Give what plays a seed: slow to import, so each worker does it, side by side."""
    found: Callable[..., object] = import_module(f"crmbridge.testing.simulation.{stage.replace('-', '_')}").simulate
    return found


# ── replay ──────────────────────────────────────────────────────────────────────────────────────────────


def _replay(asked: argparse.Namespace) -> int:
    from crmbridge.testing.simulation.diary import Diary  # noqa: PLC0415  the same

    diary = Diary(_show, requests=asked.requests)
    try:
        _simulate(asked.stage)(asked.seed, diary)
    except AssertionError as error:
        diary.note("oracle", str(error))
        return 1
    sys.stdout.write("every promise held\n")
    return 0


def _show(line: str) -> None:
    sys.stdout.write(f"{line}\n")


# ── plant ───────────────────────────────────────────────────────────────────────────────────────────────


def _plant(asked: argparse.Namespace) -> int:
    chosen = [bug for bug in BUGS if not asked.words or any(word in bug.name for word in asked.words)]
    sys.stdout.write("| bug | caught by | after seeds |\n|---|---|---|\n")
    survived = 0
    with ThreadPoolExecutor(asked.jobs) as hunters:
        for done in as_completed([hunters.submit(hunt, bug, asked.most) for bug in chosen]):
            caught = done.result()
            survived += not caught.promise
            sys.stdout.write(f"| {caught.bug} | {caught.promise or 'nobody'} | {caught.seeds:,} |\n")
            sys.stdout.flush()
    return int(survived > 0)


if __name__ == "__main__":
    raise SystemExit(main())
