"""Where deals may go forward to in a process, and which stages they leave behind on the way."""

from __future__ import annotations

from collections import deque

from crmbridge.model.process import Process, Stage
from crmbridge.model.records import Status

WON = Status.WON.value  # beside the stages' ids: being won, in a process that has no stage for it


def following(stage_id: str, process: Process) -> tuple[str, ...]:
    """Name where a deal may go forward to from a stage; after the last stage comes being won."""
    stage = process.stage(stage_id)
    if stage and stage.next is not None:
        return stage.next
    index = process.order(stage_id) + 1
    return (process.stages[index].id if index < len(process.stages) else WON,)


def road(source: str, target: str, process: Process) -> tuple[Stage, ...]:
    """Give the stages from the source up to the target, which is left out: the shortest way along `next`.

    Where `next` does not lead there, the stages between them in the file.
    """
    ways: deque[tuple[str, ...]] = deque([(source,)])
    seen = {source}
    while ways:
        way = ways.popleft()
        if way[-1] == target:
            return tuple(stage for step in way[:-1] if (stage := process.stage(step)))
        ahead = [step for step in following(way[-1], process) if step not in seen] if way[-1] != WON else []
        seen.update(ahead)
        ways.extend((*way, step) for step in ahead)
    end = process.order(target) if target != WON else len(process.stages)
    return process.stages[process.order(source) : end]
