"""One measurement: a stand-in, a project, a process that does one thing in it, and what both of them counted."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from runs.projects import TOKEN, write_project
from runs.serving import BENCHMARKS, Account, Serving, serving

# Deals in one request, and requests in a second where the vendor limits them: the ceiling is one times the other.
PER_REQUEST = {"hubspot": 100, "pipedrive": 500, "salesforce": 2_000}
PER_WRITE = {"hubspot": 100, "pipedrive": 1, "salesforce": 200}
PER_SECOND = {"hubspot": 19.0, "pipedrive": 10.0}
# Deals in one request that looks whether somebody changed them, where the vendor has no conditional write.
PER_GUARD = {"hubspot": 100, "pipedrive": 100}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one measurement gave. `seconds` is the pull with the imports it needs, without the interpreter's start."""

    vendor: str
    deals: int
    latency_ms: float
    limited: bool
    seconds: float
    cpu_s: float
    peak_mb: float
    requests: int
    refused: int  # by 429
    per_request: int  # how many deals one request may carry
    errors: tuple[str, ...] = ()
    bare: dict[str, Any] | None = None
    found: dict[str, Any] | None = None  # what else the measured process said
    counts: dict[str, Any] | None = None  # what else the stand-in counted

    @property
    def rate(self) -> float:
        """Deals in a second."""
        return self.deals / self.seconds if self.seconds else 0.0

    @property
    def ceiling(self) -> float | None:
        """Deals in a second that the vendor's limit lets through; None where it limits none or only whole days."""
        per_second = PER_SECOND.get(self.vendor)
        return per_second * self.per_request if self.limited and per_second else None

    @property
    def share(self) -> float | None:
        """Tell how much of the ceiling was used; above 1 while the first window's requests went out at once."""
        return self.rate / self.ceiling if self.ceiling else None

    @property
    def guarded(self) -> float | None:
        """Updates in a second where the limit counts the reads that guard them as well."""
        per_second, per_guard = PER_SECOND.get(self.vendor), PER_GUARD.get(self.vendor)
        if not (self.limited and per_second and per_guard):
            return None
        return per_second / (1 / self.per_request + 1 / per_guard)

    @property
    def share_of_guarded(self) -> float | None:
        """Tell how much of that was used."""
        return self.rate / self.guarded if self.guarded else None

    @property
    def share_of_requests(self) -> float | None:
        """Tell how many of the requests that the limit allows were sent; more than the ceiling counts may be needed."""
        per_second = PER_SECOND.get(self.vendor)
        return self.requests / (per_second * self.seconds) if self.limited and per_second and self.seconds else None

    def as_json(self) -> dict[str, Any]:
        """Give all of it as plain JSON."""
        worked_out = {
            "deals_per_s": round(self.rate, 1),
            "ceiling": self.ceiling,
            "share_of_ceiling": self.share,
            "share_of_requests": self.share_of_requests,
            "ceiling_with_guards": self.guarded,
            "share_with_guards": self.share_of_guarded,
        }
        return {**asdict(self), **worked_out}


def run_child(task: str, folder: Path, *more: str) -> dict[str, Any]:
    """Run the process that is measured; what it says is its last line.

    `process_cpu_s` is what all of it took, with the interpreter's start and end.
    """
    command = [sys.executable, "-m", "runs.child", task, str(folder), *more]
    before, start = _children_cpu(), time.perf_counter()
    done = subprocess.run(  # noqa: S603  our own module
        command, cwd=BENCHMARKS, env=environment(), stdout=subprocess.PIPE, text=True, check=True
    )
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**said, "process_seconds": time.perf_counter() - start, "process_cpu_s": _children_cpu() - before}


def _children_cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def environment() -> dict[str, str]:
    """Give what the measured process finds in its environment: the token that any stand-in takes.

    Its modules are compiled once and kept so, as those of an installed crmbridge are.
    """
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, TOKEN: "bench-token-that-opens-nothing"}


def measure(account: Account, steps: Callable[[Serving, Path], dict[str, Any]], per_request: int) -> Figures:
    """Let `steps` do its work with a fresh stand-in and a fresh project, and put the figures together."""
    with serving(account) as served, tempfile.TemporaryDirectory() as folder:
        write_project(Path(folder), account.vendor, served.url, limited=account.limited)
        said = steps(served, Path(folder))
        counts = served.counts()
        said["stored"] = stored_deals(Path(folder))
    known = {name: said.pop(name) for name in ("seconds", "cpu_s", "peak_mb")}
    return Figures(
        vendor=account.vendor,
        deals=account.deals,
        latency_ms=account.latency,
        limited=account.limited,
        requests=counts["requests"],
        refused=counts["refused"],
        per_request=per_request,
        errors=tuple(said.pop("errors", ())),
        found=said,
        counts=counts,
        **known,
    )


def stored_deals(folder: Path) -> int:
    """Count the deals in a project's store."""
    with contextlib.closing(sqlite3.connect(folder / "state.db")) as state:
        return int(state.execute("SELECT count(*) FROM records WHERE kind = 'deal'").fetchone()[0])


def pull_once(account: Account, *more: str) -> Figures:
    """Pull everything."""
    return measure(account, lambda _, folder: run_child("pull", folder, *more), PER_REQUEST[account.vendor])


def pull_changes(account: Account, changes: int) -> Figures:
    """Pull everything, then only the pull of a few changes by a new process counts."""

    def steps(served: Serving, folder: Path) -> dict[str, Any]:
        run_child("pull", folder)
        served.touch(changes)
        served.reset()
        return run_child("pull", folder)

    return measure(account, steps, PER_REQUEST[account.vendor])


def pull_beside_another(account: Account, after: float) -> Figures:
    """Pull everything; after so many seconds another app takes half of what the account may be sent."""

    def steps(served: Serving, folder: Path) -> dict[str, Any]:
        command = [sys.executable, "-m", "runs.child", "pull", str(folder)]
        with subprocess.Popen(  # noqa: S603  our own module
            command, cwd=BENCHMARKS, env=environment(), stdout=subprocess.PIPE, text=True
        ) as child:
            time.sleep(after)
            served.let_another_app_in()
            said, _ = child.communicate()
        if child.returncode:
            raise subprocess.CalledProcessError(child.returncode, command)
        found: dict[str, Any] = json.loads(said.splitlines()[-1])
        return found

    return measure(account, steps, PER_REQUEST[account.vendor])


def write_all(account: Account, *more: str) -> Figures:
    """Pull everything, then only the updates of a new process count."""

    def steps(served: Serving, folder: Path) -> dict[str, Any]:
        run_child("pull", folder)
        served.reset()
        return run_child("write", folder, *more)

    return measure(account, steps, PER_WRITE[account.vendor])


def bare(account: Account) -> dict[str, Any]:
    """Read the same deals by a bare client, into nothing."""
    with serving(account) as served:
        command = [sys.executable, "-m", "runs.bare", account.vendor, served.url]
        done = subprocess.run(command, cwd=BENCHMARKS, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603  ours
        found: dict[str, Any] = json.loads(done.stdout)
        return {**found, "requests": served.counts()["requests"]}


def median(runs: Sequence[Figures]) -> Figures:
    """Give the run whose time is the median, with the medians of time, CPU and memory."""
    middle = sorted(runs, key=lambda each: each.seconds)[len(runs) // 2]
    return replace(
        middle,
        seconds=statistics.median(each.seconds for each in runs),
        cpu_s=statistics.median(each.cpu_s for each in runs),
        peak_mb=statistics.median(each.peak_mb for each in runs),
    )
