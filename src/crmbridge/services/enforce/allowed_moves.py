"""Whether the process allows the move that brought a deal to where it stands, so that others may follow it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crmbridge.engine.mapping import StageMapper
from crmbridge.engine.moves import last_move, why_forbidden
from crmbridge.engine.permission import permitted
from crmbridge.engine.visits import visits_of
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.services.enforce.surrounding import surrounded
from crmbridge.services.workspace import Workspace


def why_not(workspace: Workspace, deal: Record, mapper: StageMapper) -> str:
    """Say why a deal's last move may not be made in another CRM as well; nothing where it may.

    A finding says the same of it: it went where the process does not lead, it went back and nobody said why, or
    somebody made it who may not. What nobody can tell is not held back.
    """
    process = workspace.project.process
    visits = visits_of(deal, workspace.store.records.moves_of(deal.ref), mapper)
    move = last_move(visits, mapper.place(deal.position), process)
    if move is not None and move.illegal is None and (process.moves.who or (move.back and process.moves.reason)):
        (subject,) = surrounded(workspace, [deal], {}, _nothing)
        move = permitted(move, subject)
    return why_forbidden(move)


def _nothing(_workspace: Workspace, _deals: Sequence[Ref], _kind: Kind) -> Mapping[str, Sequence[Record]]:
    """Leave out what hangs on deals, which says nothing of who moved them, or why."""
    return {}
