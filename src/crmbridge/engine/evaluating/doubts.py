"""What of a deal's past would decide a rule, and is not known: what its CRM is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from crmbridge.engine.deals.history import is_known
from crmbridge.engine.deals.judging import BROKEN, on_entry, on_leaving
from crmbridge.engine.deals.moves import LastMove, standing_moves
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.deals.visits import visits_of
from crmbridge.engine.mapping import WON
from crmbridge.engine.people import OWNER
from crmbridge.engine.rules.asking import JUDGEMENTS
from crmbridge.engine.rules.compiled import compiled_rule
from crmbridge.model.courses import DIFFERS
from crmbridge.model.edits import COUNTED
from crmbridge.model.findings import Visit
from crmbridge.model.values import is_empty

# Of older moves nothing is asked: a team that begins with years of deals must not begin with thousands of requests.
RECENT = timedelta(days=14)


class Doubt(NamedTuple):
    """Fields of a deal of which it matters what they held since a moment; `newest` is the last move it is about."""

    since: datetime
    fields: frozenset[str]
    newest: datetime


class _Question(NamedTuple):
    """Fields that something which is broken now looks at, and the moment of which that speaks."""

    moment: datetime
    fields: frozenset[str]


def doubt(subject: Subject, now: datetime) -> Doubt | None:
    """Say what is to be asked of a deal; None where nothing is, as is so of nearly every one.

    That are the fields of rules which are broken now, and may have held at a move of the last days that the deal was
    edited after. What the CRM was asked for of that moment before is not asked again.
    """
    changed = subject.deal.updated_at
    if not any(now - RECENT <= move.at < changed for move in subject.moves):
        return None
    asked = list(_questions(subject, now))
    recent = [one for one in asked if now - RECENT <= one.moment < changed]
    still = {one.moment: fields for one in recent if (fields := _open(subject, one))}
    if not still:
        return None
    fields = frozenset().union(*(_open(subject, one) for one in recent))
    # From the earliest move on that matters for one of them, so that what is kept of it has no gap.
    return Doubt(min(one.moment for one in asked if one.fields & fields), fields, max(still))


def _open(subject: Subject, asked: _Question) -> frozenset[str]:
    """Give those of the fields of which nobody knows yet, and the CRM was not asked."""
    return frozenset(name for name in asked.fields if not _is_answered(subject, name, asked.moment))


def _is_answered(subject: Subject, name: str, moment: datetime) -> bool:
    course = subject.courses.get(name)
    if course is not None and course.asked_until >= (subject.deal.updated_at if course.why == DIFFERS else moment):
        return True
    return is_known(subject, [name], moment)


def _questions(subject: Subject, now: datetime) -> Iterator[_Question]:
    process, place = subject.process, subject.place
    visits = visits_of(subject.deal, subject.moves, subject.mapper)
    moves = standing_moves(visits, place, process)
    found = [*_of_leaving(moves, subject, now), *_of_moves(moves, subject), *_of_entry(visits, subject, now)]
    for moment, names in found:
        if own := frozenset(names) - COUNTED:
            yield _Question(moment, own)


def _of_leaving(moves: Sequence[LastMove], subject: Subject, now: datetime) -> Iterator[tuple[datetime, Iterable[str]]]:
    for move, found in on_leaving(moves, subject, now):
        for rule, code in zip(found.stage.rules, found.codes, strict=True):
            if JUDGEMENTS[code & 3] in BROKEN and rule.has_history:
                yield move.at, rule.names


def _of_entry(visits: Sequence[Visit], subject: Subject, now: datetime) -> Iterator[tuple[datetime, Iterable[str]]]:
    stage = subject.process.stage(subject.place.stage) if subject.place.stage else None
    if stage is None or not visits:
        return
    for rule, said in zip(stage.entry, on_entry(stage, visits[-1], subject, now), strict=True):
        compiled = compiled_rule(rule, stage, subject.process)
        if said.judgement in BROKEN and compiled.has_history:
            yield visits[-1].entered_at, compiled.names


def _of_moves(moves: Sequence[LastMove], subject: Subject) -> Iterator[tuple[datetime, Iterable[str]]]:
    """Give what tells whether a move was allowed: why it went back, and whose deal it was."""
    reason, who = subject.process.moves.reason, subject.process.moves.who
    for move in moves:
        if reason is not None and move.back and is_empty(subject.deal.fields.get(reason)):
            yield move.at, (reason,)
        if OWNER in who.get(move.target.stage if move.target else WON, ()):
            yield move.at, (OWNER,)
