"""Play a deal's history again, move by move: what the process said, or would have said, at each."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from crmbridge.engine.deals.judging import known_of, on_entry, on_leaving
from crmbridge.engine.deals.moves import Illegal, LastMove, last_move
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.deals.visits import in_order, visits_of
from crmbridge.engine.evaluating.evaluate import BEYOND_BOUNDS, MOVE_RULE
from crmbridge.engine.evaluating.hindsight import rewind
from crmbridge.engine.evaluating.permission import permitted
from crmbridge.engine.rules.asking import JUDGEMENTS
from crmbridge.engine.rules.compiled import compiled_rule
from crmbridge.engine.sla.clocks import clocks
from crmbridge.model.findings import Judgement, SlaClock, SlaState, Visit
from crmbridge.model.process import OnUnknown
from crmbridge.model.replacing import replace


class Ruling(Struct, frozen=True):
    """What a rule said at a move. `of_today` tells that it saw a value of today, as that of then is not known."""

    rule: str
    judgement: Judgement
    of_today: bool


class Step(Struct, frozen=True, kw_only=True):
    """One move of a deal as it was judged at its moment. `flagged` are the rules that made a finding of it."""

    at: datetime
    rulings: tuple[Ruling, ...]
    flagged: frozenset[str]
    illegal: Illegal | None
    move: LastMove | None  # None where there is no move of the process: the deal was made, lost, or left the map


class Replay(Struct, frozen=True, kw_only=True):
    """A deal's moves since a moment, each as it was judged, the SLA clocks that ran since then, and all its visits."""

    steps: tuple[Step, ...]
    clocks: tuple[SlaClock, ...]
    visits: tuple[Visit, ...]

    @property
    def flagged(self) -> frozenset[str]:
        """Name the rules that made a finding at a move, and the SLAs that were broken."""
        late = (clock.sla for clock in self.clocks if clock.state is SlaState.BREACHED)
        return frozenset().union(*(step.flagged for step in self.steps), late)


def replay(subject: Subject, since: datetime, now: datetime) -> Replay:
    """Judge each move of a deal since a moment as of that move, and measure the visits that lasted into that time.

    Each is judged by the moves up to it, and by the values and activities of then where they are known. Of a deal that
    can't be calculated with there are only its visits.
    """
    visits = visits_of(subject.deal, subject.moves, subject.mapper)
    try:
        return _played(subject, visits, since, now)
    except BEYOND_BOUNDS:
        return Replay(steps=(), clocks=(), visits=visits)


def _played(subject: Subject, visits: tuple[Visit, ...], since: datetime, now: datetime) -> Replay:
    steps = tuple(_steps(subject, since, now))
    if not any(_lasted(visit, since) for visit in visits):  # of most deals that ended before, at no cost
        return Replay(steps=steps, clocks=(), visits=visits)
    measured = clocks(replace(subject, judged_before=()), visits, now)  # what was decided is not what is asked here
    ran = tuple(clock for clock in measured.clocks if _lasted(clock.visit, since))
    return Replay(steps=steps, clocks=ran, visits=visits)


def _lasted(visit: Visit, since: datetime) -> bool:
    return visit.left_at is None or visit.left_at >= since


def _steps(subject: Subject, since: datetime, now: datetime) -> Iterator[Step]:
    moves = in_order(subject.moves)
    if moves and moves[0].before is None:  # how the deal began
        moves = moves[1:]
    moments = sorted({move.at for move in moves if since <= move.at <= now})
    for at in moments:
        then = rewind(subject, at)
        if then is not None:
            yield _step(subject, then, at)


def _step(today: Subject, then: Subject, at: datetime) -> Step:
    """Judge what a move left behind, and where it came to, as `evaluate` did at its moment; without saying it in words.

    A test holds the two together.
    """
    visits = visits_of(then.deal, then.moves, then.mapper)
    place, process = then.place, then.process
    move = last_move(visits, place, process)
    move = permitted(move, then) if move is not None and move.at == at else None
    here = process.stage(place.stage) if place.stage else None
    into = here if visits and visits[-1].entered_at == at else None
    entered = on_entry(into, visits[-1], then, at) if into else ()
    left = [found for _, found in on_leaving((move,), then, at)] if move else []
    decided = [(rule, JUDGEMENTS[code & 3]) for part in left for rule, code, _ in part.each()]
    flagged = {rule.id for rule, judgement in decided if _is_broken(judgement, rule.on_unknown)}
    flagged |= {one.rule for one in entered if _is_broken(one.judgement, one.on_unknown)}
    flagged |= {MOVE_RULE} if move and move.illegal else set()
    rulings = [Ruling(rule.id, judgement, not known_of(rule, at, today)) for rule, judgement in decided]
    entry = [compiled_rule(rule, into, process) for rule in into.entry] if into else []
    rulings += [
        Ruling(one.rule, one.judgement, not known_of(rule, at, today)) for one, rule in zip(entered, entry, strict=True)
    ]
    return Step(
        at=at,
        rulings=tuple(rulings),
        flagged=frozenset(flagged),
        illegal=move.illegal if move else None,
        move=move,
    )


def _is_broken(judgement: Judgement, on_unknown: str) -> bool:
    unknown = judgement is Judgement.UNKNOWN and OnUnknown(on_unknown) is not OnUnknown.SKIP
    return judgement is Judgement.FAIL or unknown
