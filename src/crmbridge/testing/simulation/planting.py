"""Bugs planted on purpose, one at a time, to see that the simulation catches each.

A bug is a line of the source that reads otherwise. It is planted while its module is imported, in a process of its own:
`python -m crmbridge.testing.simulation.planting FIRST COUNT BUG` plays seeds until one fails, and prints what it was.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, SourceFileLoader
from types import CodeType, ModuleType
from typing import NamedTuple

from crmbridge.testing.simulation.bugs import Bug

MOST_SEEDS = 20_000


class Caught(NamedTuple):
    """What became of a planted bug: the first seed that failed, after how many, and by which promise."""

    bug: str
    seeds: int
    promise: str  # empty when it survived
    message: str


def hunt(bug: Bug, most: int = MOST_SEEDS, first: int = 1) -> Caught:
    """Play seeds with a bug in a process of its own, until one fails."""
    command = [sys.executable, "-m", __name__, str(first), str(most), *bug]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own command
    if done.returncode:
        raise RuntimeError(f"{bug.name}: {done.stderr[-2000:]}")
    return Caught(bug.name, *json.loads(done.stdout.splitlines()[-1]))


def plant(bug: Bug) -> None:
    """Let the bug's module read otherwise from now on; raises ValueError when its line is not there to be changed."""
    planted(bug)
    if bug.module in sys.modules:
        raise ValueError(f"{bug.module} is imported already")
    sys.meta_path.insert(0, _Planter(bug))


def planted(bug: Bug) -> str:
    """Give the source of a bug's module with the bug in it; raises ValueError when its line is not there."""
    source = _loader(bug).get_source(bug.module) or ""
    if source.count(bug.right) != 1:
        raise ValueError(f"{bug.name}: {bug.module} has {source.count(bug.right)} times {bug.right!r}")
    return source.replace(bug.right, bug.wrong)


def _loader(bug: Bug) -> SourceFileLoader:
    spec = importlib.util.find_spec(bug.module)
    if spec is None or spec.origin is None:
        raise ValueError(f"there is no source of {bug.module}")
    return SourceFileLoader(bug.module, spec.origin)


class _Planter(MetaPathFinder):
    """Finds the one module that has the bug."""

    def __init__(self, bug: Bug) -> None:
        self._bug = bug
        self._path = _loader(bug).path

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002  the protocol's
        target: ModuleType | None = None,  # noqa: ARG002  the protocol's
    ) -> ModuleSpec | None:
        """Find it."""
        if fullname != self._bug.module:
            return None
        loader = _Planted(fullname, self._path)
        loader.bug = self._bug
        return importlib.util.spec_from_file_location(fullname, self._path, loader=loader)


class _Planted(SourceFileLoader):
    """Loads a module with a bug in it."""

    bug: Bug

    def get_code(self, fullname: str) -> CodeType:
        """Give what the module does with the bug."""
        source = (self.get_source(fullname) or "").replace(self.bug.right, self.bug.wrong)
        return compile(source, self.path, "exec", dont_inherit=True)


def _play(bug: Bug, first: int, most: int) -> Caught:
    plant(bug)
    stage = importlib.import_module(f"crmbridge.testing.simulation.{bug.stage}")  # only with the bug in place
    for number, seed in enumerate(range(first, first + most), start=1):
        try:
            stage.simulate(seed)
        except AssertionError as error:
            said = str(error)
            promise = re.search(r"\bP[1-8]\b", said)
            return Caught(bug.name, number, promise[0] if promise else "broken", said[:500])
        except NameError:  # what it says is not even Python of its module, so nothing is proved by it
            raise
        except Exception as error:  # noqa: BLE001  it stops itself, which is being caught as well
            return Caught(bug.name, number, f"stops: {type(error).__name__}", str(error)[:500])
    return Caught(bug.name, most, "", "")


if __name__ == "__main__":
    found = _play(Bug(*sys.argv[3:]), int(sys.argv[1]), int(sys.argv[2]))
    sys.stdout.write(f"{json.dumps(found[1:])}\n")
