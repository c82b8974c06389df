"""The process that is measured: does one thing in a project and says what it cost, as JSON on standard output.

python -m runs.child pull FOLDER [--profile FILE]
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runs.projects import CONNECTION

if TYPE_CHECKING:
    from crmbridge.model.changes import Plan
    from crmbridge.services.workspace import Workspace

FIELD = "text_1"


def pull(folder: Path) -> dict[str, Any]:
    """Pull as `crmbridge pull` does, into the project's own store."""
    from crmbridge.app import open_workspace  # noqa: PLC0415  its imports are part of what is measured
    from crmbridge.services.running import run_pull  # noqa: PLC0415  the same

    with open_workspace(folder) as workspace:
        start = time.perf_counter()
        ran = run_pull(workspace)
        alone = time.perf_counter() - start
    pulled = ran.cycle.pulled if ran.cycle else ()
    problems = [one.error.message for one in pulled if one.error]
    return {
        "pull_seconds": alone,
        "records": sum(one.records for one in pulled),
        "moves": sum(one.moves for one in pulled),
        "unread_values": sum(one.problems for one in pulled),
        "errors": problems,
    }


def write(folder: Path) -> dict[str, Any]:
    """Update one field of every deal in the store by the one write path, and tell what that alone cost."""
    from crmbridge.app import open_workspace  # noqa: PLC0415  as above
    from crmbridge.services.running import run_apply  # noqa: PLC0415  the same

    with open_workspace(folder) as workspace:
        plan = updates(workspace)
        before, start = cpu_seconds(), time.perf_counter()
        ran = run_apply(workspace, plan)
        cost = {"seconds": time.perf_counter() - start, "cpu_s": cpu_seconds() - before}
    applied = ran.cycle.applied if ran.cycle else None
    errors = [error.message for error in applied.errors.values()] if applied else []
    return {**cost, "outcomes": applied.counts if applied else {}, "errors": errors}


def updates(workspace: Workspace) -> Plan:
    """Plan one update for every deal that was pulled."""
    from crmbridge.model.changes import Action, Change, FieldEdit, Origin, Plan, change_id  # noqa: PLC0415  as above
    from crmbridge.model.records import Kind  # noqa: PLC0415  the same

    changes = []
    for record in workspace.store.records.records(CONNECTION, Kind.DEAL):
        edits = (FieldEdit(FIELD, record.fields.get(FIELD), f"written {record.ref.id}"),)
        changes.append(
            Change(
                id=change_id(Action.UPDATE, CONNECTION, record.ref.id, edits=edits),
                action=Action.UPDATE,
                origin=Origin.ENFORCE,
                connection=CONNECTION,
                target=record.ref,
                edits=edits,
                reason="benchmark",
                expects=record.version,
            )
        )
    now = workspace.clock.now()
    return Plan(id="bench", made_at=now, settings=workspace.project.digest, changes=tuple(changes))


TASKS: dict[str, Callable[[Path], dict[str, Any]]] = {"pull": pull, "write": write}


def main() -> None:
    """Do the task that was named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--profile", type=Path)
    asked = parser.parse_args()
    start = time.perf_counter()
    task = TASKS[asked.task]
    found = _profiled(task, asked.folder, asked.profile) if asked.profile else task(asked.folder)
    seconds = time.perf_counter() - start
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    peak = most / (1024 if sys.platform == "linux" else 1024 * 1024)
    print(json.dumps({"seconds": seconds, "cpu_s": cpu_seconds(), "peak_mb": peak, **found}))


def _profiled(task: Callable[[Path], dict[str, Any]], folder: Path, into: Path) -> dict[str, Any]:
    from runs.profiling import profiled  # noqa: PLC0415  its imports are not what is measured

    return profiled(lambda: task(folder), into)


def cpu_seconds() -> float:
    """Give what this process has used so far, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
