"""Whether a move was made by somebody who may, and one back with a reason."""

from __future__ import annotations

from collections.abc import Sequence

from crmbridge.engine.deals.history import fields_at, is_known
from crmbridge.engine.deals.moves import Illegal, LastMove
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.deals.visits import in_order
from crmbridge.engine.mapping import WON
from crmbridge.engine.people import OWNER, email_of, listed
from crmbridge.model.records import Move, Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import is_empty


def permitted(move: LastMove, subject: Subject) -> LastMove:
    """Give a move with what is wrong with it, also by who made it and why it was made.

    Where nobody can tell who made it, nothing is said of that.
    """
    if move.illegal is not None:
        return move
    if _lacks_reason(move, subject):
        return replace(move, illegal=Illegal.WITHOUT_REASON)
    return replace(move, illegal=Illegal.BY_ANOTHER) if _is_by_another(move, subject) else move


def mover(move: LastMove, subject: Subject) -> str | None:
    """Name the user who made a move, or a linked deal's before it; None where the history does not say."""
    made = _made(move, subject)
    return subject.first_movers.get(made.id, made.by) if made else None


def _made(move: LastMove, subject: Subject) -> Move | None:
    stage = move.target.stage if move.target else None
    for each in reversed(in_order(subject.moves)):
        place = subject.mapper.place(each.after)
        if each.at == move.at and place.stage == stage and (stage is not None or place.status is Status.WON):
            return each
    return None


def _lacks_reason(move: LastMove, subject: Subject) -> bool:
    reason = subject.process.moves.reason
    if reason is None or not move.back or reason in subject.deal.unreadable:
        return False
    if not is_empty(subject.deal.fields.get(reason)):
        return False
    then = fields_at(subject, move.at) if is_known(subject, [reason], move.at) else {}
    return is_empty(then.get(reason))


def _is_by_another(move: LastMove, subject: Subject) -> bool:
    """Tell whether nobody who made a move may make it: one that we carried on is made in the name of somebody else."""
    words = subject.process.moves.who.get(move.target.stage if move.target else WON)
    made = _made(move, subject) if words else None
    if not words or made is None:
        return False
    if move.undone and not move.forward:  # whoever does that, and maybe it was us
        return False
    by = {made.by, subject.first_movers.get(made.id, made.by)}
    return all(_may_not(each, words, move, subject) for each in by)


def _may_not(by: str | None, words: Sequence[str], move: LastMove, subject: Subject) -> bool:
    users = subject.beside.users
    if by is None or users is None:
        return False
    allowed, nobody = listed([word for word in words if word != OWNER], subject.beside.people)
    if OWNER in words:
        if OWNER in subject.deal.unreadable or not is_known(subject, [OWNER], move.at):
            return False  # whose deal it was then, nobody can tell
        owner = fields_at(subject, move.at).get(OWNER)
        allowed |= {address} if (address := email_of(owner, users)) else set()
    address = email_of(by, users)
    return address is not None and not nobody and address not in allowed
