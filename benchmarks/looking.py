"""Measure looking back: `explain`, `simulate-rules` and `review` over many stored deals.

A world of deals is pulled from a CRM in memory into a SQLite state, and judged once; neither is measured. Then, each in
a process of its own:

- explain: one deal by its ref, by a part of its name, and as it was a month ago
- simulate: all moves and visits of 90 days again, under the shipped process and under one with other rules
- review: the same of a year

Asserts nothing.

    python benchmarks/looking.py [--deals 100000]
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from crmbridge.files.reading import read_process
from crmbridge.files.shipped import shipped_folder
from crmbridge.model.process import Process
from crmbridge.model.replacing import replace
from crmbridge.services.answers.explaining import explain
from crmbridge.services.answers.reviewing import review
from crmbridge.services.answers.simulating import Candidate, simulate
from crmbridge.services.enforce.awaiting import dealt
from crmbridge.services.enforce.evaluating import judge_pending
from crmbridge.services.pull.pulling import pull
from crmbridge.services.workspace import Workspace
from crmbridge.store import open_store
from crmbridge.testing.workspaces import MONDAY, Bench, make_bench
from runs.memory import peak_mb


def shipped() -> Process:
    """Give the seven-stage process."""
    process = read_process(shipped_folder() / "processes" / "b2b.yaml").model
    if process is None:
        raise TypeError("the shipped process is right")
    return process


def bench(folder: Path, deals: int) -> Bench:
    """Open the state, on a CRM with so many deals."""
    store = open_store(f"sqlite:///{folder / 'state.db'}")
    return make_bench(process=shipped(), store=store, deals=deals, parts={"north": (0, 1)}, sync=[])


def fill(folder: Path, deals: int) -> None:
    """Make the state."""
    made = bench(folder, deals)
    pull(made.workspace)
    dealt(made.workspace, judge_pending(made.workspace), ())


def other(process: Process) -> Candidate:
    """Give the process with no more than the first rule of each stage."""
    stages = tuple(stage.model_copy(update={"exit": stage.exit[:1]}) for stage in process.stages)
    return Candidate(process=process.model_copy(update={"stages": stages}), places={})


def explain_by_ref(workspace: Workspace) -> str:
    """Explain a deal by its ref."""
    return str(explain(workspace, "north:77").subject.ref)


def explain_by_name(workspace: Workspace) -> str:
    """Explain the same deal by its name."""
    name = str(explain(workspace, "north:77").subject.fields["name"])
    return str(explain(workspace, name).subject.ref)


def explain_earlier(workspace: Workspace) -> str:
    """Explain a deal as it was a while ago."""
    return str(explain(workspace, "north:77", MONDAY - timedelta(days=1)).evaluation.place)


def simulate_both(workspace: Workspace) -> str:
    """Simulate a changed process."""
    said = simulate(workspace, MONDAY - timedelta(days=90), other(workspace.project.process))
    return f"{said.deals} deals, {said.moves} moves"


def review_year(workspace: Workspace) -> str:
    """Review a year."""
    said = review(workspace, MONDAY - timedelta(days=365))
    return f"{said.deals} deals, {said.moves} moves"


def measure(folder: Path, task: Callable[[Workspace], str]) -> None:
    """Do one task, and print what it took."""
    opened = bench(folder, 0)
    workspace = replace(opened.workspace)
    before, began = time.process_time(), time.perf_counter()
    came = task(workspace)
    cpu, took = time.process_time() - before, time.perf_counter() - began
    peak = peak_mb()
    print(f"{task.__name__:16} {took:8.2f} s  {cpu:8.2f} s CPU  {peak:6.0f} MB  {came}", flush=True)


def main() -> None:
    """Measure all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--deals", type=int, default=100_000)
    deals: int = parser.parse_args().deals
    fresh = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        making = fresh.Process(target=fill, args=(folder, deals))
        tasks = (explain_by_ref, explain_by_name, explain_earlier, simulate_both, review_year)
        for one in [making, *(fresh.Process(target=measure, args=(folder, task)) for task in tasks)]:
            one.start()
            one.join()


if __name__ == "__main__":
    main()
