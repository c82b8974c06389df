"""Where deals can go: whether every stage has a way in, and a way on to the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from crmbridge.engine.issues import Issue, Path, issue, listed, unknown
from crmbridge.engine.mapping import LOST
from crmbridge.model.process import Process

Flow = Mapping[str, tuple[str, ...]]


def flow_of(process: Process) -> dict[str, tuple[str, ...]]:
    """Give the stages a deal may go forward to, for each stage."""
    ids = [stage.id for stage in process.stages]
    flow: dict[str, tuple[str, ...]] = {}
    for i, stage in enumerate(process.stages):
        following = tuple(ids[i + 1 : i + 2]) if stage.next is None else stage.next
        later = tuple(ids[i + 1 :]) if process.moves.skip else ()
        flow[stage.id] = tuple(dict.fromkeys((*following, *later)))
    return flow


def check_flow(process: Process) -> Iterator[Issue]:
    """Stages named in `next` exist, all are reachable, all lead to the end, and one at most is won."""
    flow = flow_of(process)
    for i, stage in enumerate(process.stages):
        named = listed(("stages", i, "next"), stage.next or ())
        yield from unknown("stage", [(path, name) for path, name in named if name != LOST], flow)
        yield from (_lost_is_no_stage(path) for path, name in named if name == LOST)
    won = [i for i, stage in enumerate(process.stages) if stage.status == "won"]
    for i in won[1:]:
        sentence = f"{process.stages[won[0]].id!r} is already the stage of won deals; there can be one"
        yield issue(("stages", i, "status"), "several-won-stages", sentence)
    yield from _check_ways(process, flow)


def _lost_is_no_stage(path: Path) -> Issue:
    advice = "A deal may be lost from any stage, so leave it out."
    return issue(path, "unknown-stage", f"there is no stage {LOST!r}", advice=advice)


def _check_ways(process: Process, flow: Flow) -> Iterator[Issue]:
    reachable = _spread([process.stages[0].id], flow)
    ends = [stage.id for stage in process.stages if stage.status == "won"]
    leading_on = _spread(ends or [name for name, following in flow.items() if not following], _reversed(flow))
    for i, stage in enumerate(process.stages):
        if stage.id not in reachable:
            sentence = f"no deal can get to {stage.id!r}: no `next` that starts at the first stage leads here"
            yield issue(("stages", i, "id"), "unreachable-stage", sentence)
        elif stage.id not in leading_on:
            sentence = f"no deal can get from {stage.id!r} to the end of the process"
            yield issue(("stages", i, "next"), "dead-end", sentence)


def _spread(starts: Iterable[str], flow: Flow) -> set[str]:
    """Give everything that can be reached from the starts, themselves included."""
    found: set[str] = set()
    border = list(starts)
    while border:
        name = border.pop()
        if name not in found:
            found.add(name)
            border += flow.get(name, ())
    return found


def _reversed(flow: Flow) -> dict[str, tuple[str, ...]]:
    names = dict.fromkeys((*flow, *(name for following in flow.values() for name in following)))
    return {name: tuple(source for source, following in flow.items() if name in following) for name in names}
