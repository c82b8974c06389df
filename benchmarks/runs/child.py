"""The process that is measured: does one thing in a project and says what it cost, as JSON on standard output.

python -m runs.child pull FOLDER [--profile FILE]
"""

from __future__ import annotations

import argparse
import gc
import json
import resource
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmbridge.model.replacing import replace
from runs.memory import peak_mb
from runs.projects import CONNECTION

if TYPE_CHECKING:
    from crmbridge.model.changes import Plan
    from crmbridge.model.records import Record
    from crmbridge.services.workspace import Workspace

FIELD = "text_1"


def pull(folder: Path) -> dict[str, Any]:
    """Pull as `crmbridge pull` does, into the project's own store."""
    from crmbridge.app import open_workspace  # noqa: PLC0415  its imports are part of what is measured
    from crmbridge.services.runs.running import run_pull  # noqa: PLC0415  the same

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
    from crmbridge.services.runs.running import run_apply  # noqa: PLC0415  the same

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


def cycle(folder: Path) -> dict[str, Any]:
    """Do what `crmbridge run` does: pull, keep in step, enforce, write."""
    from crmbridge.app import open_workspace  # noqa: PLC0415  as above
    from crmbridge.services.runs.running import run_steps  # noqa: PLC0415  the same

    imported = cpu_seconds()
    with open_workspace(folder) as workspace:
        ran = run_steps(workspace, "cycle")
    done = ran.cycle
    return {
        "imports_cpu_s": imported,
        "exit_code": ran.exit_code,
        "outcomes": done.applied.counts if done else {},
        "planned": len(done.plan.changes) if done and done.plan else 0,
        "blocked": len(done.plan.blocked) if done and done.plan else 0,
        "judged": done.judged if done else 0,
        "errors": [error.message for _, error in done.errors] if done else [],
    }


def plan(folder: Path) -> dict[str, Any]:
    """Do what `crmbridge plan --no-pull --out plan.json` does; the file is told of apart."""
    from crmbridge.app import open_workspace  # noqa: PLC0415  as above
    from crmbridge.cli.plan_files import save_plan  # noqa: PLC0415  the same
    from crmbridge.services.runs.running import run_plan  # noqa: PLC0415  the same

    with open_workspace(folder) as workspace:
        start, before = time.perf_counter(), cpu_seconds()
        ran = run_plan(workspace, refresh=False)
        cost = {"plan_seconds": time.perf_counter() - start, "plan_cpu_s": cpu_seconds() - before, "plan_mb": peak_mb()}
        found = ran.cycle.plan if ran.cycle else None
        if found is not None:
            save_plan(found, folder / "plan.json")
    return {
        **cost,
        "planned": len(found.changes) if found else 0,
        "blocked": len(found.blocked) if found else 0,
        "judged": ran.cycle.judged if ran.cycle else 0,
    }


def edit(folder: Path) -> dict[str, Any]:
    """Let every deal of the first connection have been edited since, as a pull would have saved it."""
    from crmbridge.app import open_workspace  # noqa: PLC0415  as above
    from crmbridge.model.records import Kind  # noqa: PLC0415  the same
    from crmbridge.services.chunks import chunks  # noqa: PLC0415  the same

    with open_workspace(folder) as workspace:
        connection = workspace.connections[0]
        for part in chunks(list(workspace.store.records.records(connection, Kind.DEAL))):
            workspace.store.records.put([_edited(record) for record in part])
    return {}


def touch(folder: Path) -> dict[str, Any]:
    """Let every deal of the first connection be pending again."""
    from crmbridge.app import open_workspace  # noqa: PLC0415  as above
    from crmbridge.model.records import Kind  # noqa: PLC0415  the same

    with open_workspace(folder) as workspace:
        connection = workspace.connections[0]
        workspace.store.backlog.touch([r.ref for r in workspace.store.records.records(connection, Kind.DEAL)])
    return {}


def rouse(folder: Path) -> dict[str, Any]:
    """Let users, companies and contacts be read again by the next run, as they are once an hour."""
    from crmbridge.app import open_workspace  # noqa: PLC0415  as above
    from crmbridge.services.pull.resting import forget_reading  # noqa: PLC0415  the same

    with open_workspace(folder) as workspace:
        forget_reading(workspace, workspace.connections)
    return {}


def _edited(record: Record) -> Record:
    fields = {**record.fields, FIELD: f"edited {record.ref.id}"}
    later = record.updated_at + timedelta(hours=2)
    return replace(record, fields=fields, updated_at=later, version=later.isoformat())


TASKS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "pull": pull,
    "write": write,
    "cycle": cycle,
    "plan": plan,
    "edit": edit,
    "touch": touch,
    "rouse": rouse,
}


def main() -> None:
    """Do the task that was named."""
    parser = argparse.ArgumentParser()
    parser.add_argument("task", choices=TASKS)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--profile", type=Path)
    asked = parser.parse_args()
    gc.set_threshold(200_000, 20, 20)  # as `crmbridge` does for its commands
    start = time.perf_counter()
    task = TASKS[asked.task]
    found = _profiled(task, asked.folder, asked.profile) if asked.profile else task(asked.folder)
    seconds = time.perf_counter() - start
    print(json.dumps({"seconds": seconds, "cpu_s": cpu_seconds(), "peak_mb": peak_mb(), **found}))
    gc.freeze()  # as `crmbridge` does before it ends


def _profiled(task: Callable[[Path], dict[str, Any]], folder: Path, into: Path) -> dict[str, Any]:
    from runs.profiling import profiled  # noqa: PLC0415  its imports are not what is measured

    return profiled(lambda: task(folder), into)


def cpu_seconds() -> float:
    """Give what this process has used so far, user and system."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
