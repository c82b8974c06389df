"""Which deals stand where sync moved them, after moves that were made elsewhere and are judged there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from crmbridge.engine.deals.moves import came_as_allowed, last_move
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.deals.visits import visits_of
from crmbridge.engine.views import STAGE
from crmbridge.model.findings import Evaluation, FindingKind, Place
from crmbridge.model.records import Ref, Status
from crmbridge.services.workspace import Workspace


def followed(workspace: Workspace, judged: Iterable[tuple[Subject, Evaluation]]) -> frozenset[Ref]:
    """Name the deals whose last move seems illegal and is another one's: sync may make several moves in one.

    All of its link have agreed on the stage where it stands, and a linked deal had come to it as the process allows.
    """
    moved = {s.deal.ref: s for s, e in judged if any(f.kind is FindingKind.ILLEGAL_MOVE for f in e.findings)}
    link_of = workspace.store.links.of(moved) if moved else {}
    bases = workspace.store.links.bases(sorted(link_of)) if link_of else {}
    agreed = [ref for ref in sorted(link_of) if bases.get(ref, {}).get(STAGE) == _stage(moved[ref].place)]
    links = workspace.store.links.get({link_of[ref] for ref in agreed}) if agreed else {}
    others = {ref: [other for other in links.get(link_of[ref], ()) if other != ref] for ref in agreed}
    return frozenset(ref for ref in agreed if _came_there(workspace, others[ref], moved[ref]))


def _stage(place: Place) -> str:
    return str(place.stage if place.status is Status.OPEN else place.status)


def _came_there(workspace: Workspace, deals: Sequence[Ref], moved: Subject) -> bool:
    """Tell whether one of these deals, which may be gone by now, came before this one as the process allows.

    One that came later may have been moved by us, or made where it stands.
    """
    process, records, place = workspace.project.process, workspace.store.records, moved.place
    last = last_move(visits_of(moved.deal, moved.moves, moved.mapper), place, process)
    if last is None:
        return False
    found = {**records.last_known(deals), **records.get(deals)}
    for ref, deal in found.items():
        if ref.connection in workspace.connections:
            visits = visits_of(deal, records.moves_of(ref), workspace.mapper(ref.connection))
            if came_as_allowed(visits, place, process, last.at):
                return True
    return False
