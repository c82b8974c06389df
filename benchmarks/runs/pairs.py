"""Two accounts that hold the same deals, a project that keeps them in step, and what one step of it costs."""

from __future__ import annotations

import contextlib
import hashlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runs.measuring import run_child
from runs.projects import write_pair
from runs.serving import BENCHMARKS, Account, Serving, serving

BETWEEN = ("hubspot", "salesforce")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two stand-ins with as many deals of the same names, and the project's folder."""

    served: Mapping[str, Serving]
    folder: Path

    def run(self, task: str, *more: str) -> dict[str, Any]:
        """Do a task in a process of its own; beside what it says, `requests` and `paths` are the stand-ins' counts."""
        for each in self.served.values():
            each.reset()
        said = run_child(task, self.folder, *more)
        counts = {vendor: each.counts() for vendor, each in self.served.items()}
        wrong = {vendor: found["wrong"] for vendor, found in counts.items() if found["wrong"]}
        return {
            **said,
            "requests": {vendor: found["requests"] for vendor, found in counts.items()},
            "paths": {vendor: found["paths"] for vendor, found in counts.items()},
            **({"wrong": wrong} if wrong else {}),
        }

    def plain(self) -> dict[str, Any]:
        """Diff what is in the state by a plain script, in a process of its own."""
        command = [sys.executable, "-m", "runs.plain", str(self.folder / "state.db")]
        done = subprocess.run(command, cwd=BENCHMARKS, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603  ours
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def planned(self) -> str:
        """Give a digest of the plan that was saved last, but for when it was made and what is made from that."""
        content = json.loads((self.folder / "plan.json").read_text("utf-8"))
        for name in ("made_at", "digest"):
            del content[name]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()


@contextlib.contextmanager
def pair(deals: int, latency: float = 0.0, kinds: Sequence[str] | None = None) -> Iterator[Pair]:
    """Serve two accounts and write the project; all of it is gone after the block."""
    with contextlib.ExitStack() as stack:
        served = {
            vendor: stack.enter_context(serving(Account(vendor=vendor, deals=deals, latency=latency)))
            for vendor in BETWEEN
        }
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        write_pair(folder, {vendor: each.url for vendor, each in served.items()}, kinds)
        yield Pair(served=served, folder=folder)
