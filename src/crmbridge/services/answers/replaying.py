"""Give the deals whose history is played again, one after the other, however many there are."""

from __future__ import annotations

from collections.abc import Iterator

from crmbridge.engine.deals.activities import kinds_asked_for
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.mapping import stage_mapper
from crmbridge.engine.time.calendars import CompiledCalendar
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.services.chunks import chunks
from crmbridge.services.enforce.awaiting import asked_for
from crmbridge.services.enforce.evaluating import compile_for, leads, looked_up
from crmbridge.services.enforce.surrounding import surrounded
from crmbridge.services.workspace import Workspace


def subjects(workspace: Workspace, process: Process | None = None) -> Iterator[Subject]:
    """Give every deal once, linked ones by the deal that leads them, before the project's process or another one.

    With what the rules of either look at. They are read in parts, and what is held does not grow with their number.
    """
    project = workspace.project
    wanted = process or project.process
    if not kinds_asked_for(wanted) <= asked_for(workspace):
        workspace = replace(workspace, project=replace(project, process=wanted))
    calendars = calendars_of(workspace, wanted)
    mappers = {name: stage_mapper(name, wanted, project.settings.stages.get(name)) for name in workspace.connections}
    hanging = looked_up(workspace)
    for part in _parts(workspace):
        for subject in surrounded(workspace, part, calendars, hanging):
            mapper = mappers[subject.deal.ref.connection]
            deal = replace(subject.deal, fields=dict(subject.deal.fields))  # each move asks for all of them
            yield replace(subject, deal=deal, process=wanted, calendars=calendars, mapper=mapper)


def calendars_of(workspace: Workspace, process: Process) -> dict[str, CompiledCalendar]:
    """Compile a process's calendars for today."""
    year = workspace.clock.now().year
    return compile_for(process, range(year, year + 1))


def _parts(workspace: Workspace) -> Iterator[list[Record]]:
    """Give all deals that lead a link, or stand in none, of connections whose stages are mapped."""
    done: set[Ref] = set()
    stages = workspace.project.settings.stages
    for name in (name for name in workspace.connections if name in stages):
        for part in chunks(workspace.store.records.records(name, Kind.DEAL)):
            fresh = [deal for deal in part if deal.ref not in done]
            linked = workspace.store.links.of([deal.ref for deal in fresh])
            alone = [deal for deal in fresh if deal.ref not in linked]
            together, others = leads(workspace, list(linked)) if linked else ({}, set())
            done |= together.keys() | others
            yield [*alone, *together.values()]
