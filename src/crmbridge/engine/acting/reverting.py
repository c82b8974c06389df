"""Moving a deal back after a move that broke a rule: once, and never against a person who moved it again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from crmbridge.engine.acting.occasion import Occasion, reason
from crmbridge.engine.deals.moves import LastMove, last_move
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.deals.visits import in_order
from crmbridge.engine.mapping import WON
from crmbridge.model.changes import Action, Blocked, Cause, Change, FieldEdit, Origin, Outcome, change_id
from crmbridge.model.findings import Evaluation, FindingKind, Visit
from crmbridge.model.records import Position, Status

# Not what is undecided: `on_unknown: warn` asks to be told of it, and the move may have been right.
_ABOUT_MOVES = {FindingKind.EXIT_RULE, FindingKind.ENTRY_RULE, FindingKind.ILLEGAL_MOVE}


def revert(at: Occasion) -> Change | Blocked | None:
    """Move the deal back to the stage that its last move left, if that went forward and the deal is still open.

    A deal is never moved forward, nor out of or into won and lost. One that was moved back from this stage before is
    left where it is: somebody moved it there again, so a person decides.
    """
    deal, finding = at.subject.deal, at.finding
    move = last_move(at.evaluation.visits, at.evaluation.place, at.subject.process)
    if move is None or move.target is None or not _may_revert(move, at):
        return None
    position = at.subject.mapper.position(move.source.stage, _left(move, at.subject))
    if position is None:
        return None
    if any(_made(at, id_) for id_ in reverts_asked(at.evaluation)):
        return _stands(at, move.target)
    return Change(
        id=_revert_id(move.source, move.target),
        action=Action.UPDATE,
        origin=Origin.ENFORCE,
        connection=finding.deal.connection,
        target=finding.deal,
        edits=(FieldEdit("stage", move.target.stage, move.source.stage),),
        reason=reason(finding),
        position=position,
        position_before=deal.position,
        expects=deal.version,
        finding=finding.id,
    )


def reverts_asked(evaluation: Evaluation) -> Iterator[str]:
    """Name the reverts that took this deal back from the stage where it stands, as far as they were made."""
    here = evaluation.visits[-1].stage if evaluation.visits else ""
    for source, target in pairwise(evaluation.visits):
        if target.stage == here:
            yield _revert_id(source, target)


def _made(at: Occasion, id_: str) -> bool:
    entry = at.past.outcomes.get(id_)
    return entry is not None and entry.outcome is Outcome.APPLIED


def _stands(at: Occasion, target: Visit) -> Blocked:
    stage = at.subject.stage_name(target.stage)
    said = f"crmbridge moved it back from {stage} before, and it was moved there again, so it stays"
    return Blocked(
        link="",
        deal=at.finding.deal,
        name="stage",
        reason=f"{said} ({at.finding.rule})",
        values={at.finding.deal.connection: target.stage},
        cause=Cause.MOVE,
    )


def _revert_id(source: Visit, target: Visit) -> str:
    """Name a revert by the move that it takes back."""
    deal = source.deal
    steps = (source.stage, str(source.number), target.stage, str(target.number))
    return change_id(Action.UPDATE, deal.connection, "revert", deal.id, *steps)


def _may_revert(move: LastMove, at: Occasion) -> bool:
    origin = at.subject.process.stage(move.source.stage)
    still_open = at.evaluation.place.status is Status.OPEN and origin is not None and origin.status != WON
    about_it = at.finding.kind in _ABOUT_MOVES and at.finding.since == move.at  # and not about one before it
    return about_it and still_open and move.forward and move.direct


def _left(move: LastMove, subject: Subject) -> Position | None:
    """Give the CRM's own stage that the deal was in before, where the history knows it."""
    moves = in_order(subject.moves)
    before = moves[-1].before if moves else None
    return before if before and subject.mapper.place(before).stage == move.source.stage else None
