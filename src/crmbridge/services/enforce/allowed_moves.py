"""Whether the process allows the moves that brought deals to where they stand, so that others may follow them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from crmbridge.engine.deals.moves import LastMove, last_move, why_forbidden
from crmbridge.engine.deals.visits import visits_of
from crmbridge.engine.evaluating.permission import permitted
from crmbridge.engine.mapping import StageMapper
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.services.enforce.surrounding import surrounded
from crmbridge.services.workspace import Workspace


def why_not(workspace: Workspace, deals: Iterable[tuple[Record, StageMapper]]) -> str:
    """Say why none of a link's deals that stand in a stage came there by a move that others may follow.

    Nothing where one did, and where nobody can tell. A deal that was made there, maybe by us, says nothing of a move.
    """
    moves = [move for deal, mapper in deals if (move := _last_move(workspace, deal, mapper)) is not None]
    reasons = [why_forbidden(move) for move in moves]
    return reasons[0] if reasons and all(reasons) else ""


def _last_move(workspace: Workspace, deal: Record, mapper: StageMapper) -> LastMove | None:
    """Give a deal's last move with what a finding says of it as well.

    It went where the process does not lead, it went back and nobody said why, or somebody made it who may not.
    """
    process = workspace.project.process
    visits = visits_of(deal, workspace.store.records.moves_of(deal.ref), mapper)
    move = last_move(visits, mapper.place(deal.position), process)
    if move is not None and move.illegal is None and (process.moves.who or (move.back and process.moves.reason)):
        (subject,) = surrounded(workspace, [deal], {}, _nothing)
        move = permitted(move, subject)
    return move


def _nothing(_workspace: Workspace, _deals: Sequence[Ref], _kind: Kind) -> Mapping[str, Sequence[Record]]:
    """Leave out what hangs on deals, which says nothing of who moved them, or why."""
    return {}
