"""A deal as it was at an earlier moment, as far as its history tells: to be judged as it was then."""

from __future__ import annotations

from datetime import datetime

from crmbridge.engine.deals.history import fields_at, in_time
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.deals.visits import in_order
from crmbridge.engine.rules.activities import beside_then, known_then
from crmbridge.model.records import Move, Position
from crmbridge.model.replacing import replace


def rewind(subject: Subject, at: datetime) -> Subject | None:
    """Give a deal with the moves, edits and activities up to a moment; None where it was not there yet.

    Its fields are those of then where they are known (`history.is_known`), else those of today, and so are the records
    that stand beside it. An activity that was open then and is done now is left out: when that happened is not known.
    What CRMs recorded stays whole, as nobody looks at what it tells of later.
    """
    moves = in_order(subject.moves)
    began = min(filter(None, (subject.deal.created_at, moves[0].at if moves else None)), default=None)
    if began is not None and at < began:
        return None
    past = tuple(move for move in moves if move.at <= at)
    deal = replace(
        subject.deal,
        fields=fields_at(subject, at),
        position=_position(subject, moves, past, at),
        updated_at=_changed_at(subject, past, at),
    )
    activities = None if subject.activities is None else known_then(subject.activities, at)
    return replace(
        subject,
        deal=deal,
        moves=past,
        edits=tuple(edit for edit in in_time(subject.edits) if edit.at <= at),
        activities=activities,
        beside=beside_then(subject.beside, at),
    )


def _changed_at(subject: Subject, past: tuple[Move, ...], at: datetime) -> datetime:
    """Say when the deal had last changed by then; of what changed later, the copy before tells when it was made."""
    if subject.deal.updated_at <= at:
        return subject.deal.updated_at
    known = [edit.at for edit in subject.edits if edit.at <= at]
    known += [edit.since for edit in subject.edits if edit.since <= at]
    return max([*known, *(move.at for move in past)], default=at)


def _position(subject: Subject, moves: tuple[Move, ...], past: tuple[Move, ...], at: datetime) -> Position | None:
    """Say where the deal stood: where the record says it does, when nothing is known to have changed since."""
    if len(past) == len(moves) and (not moves or at >= subject.deal.updated_at):
        return subject.deal.position
    if past:
        return past[-1].after
    return moves[0].before or moves[0].after
