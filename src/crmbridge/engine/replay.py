"""Play a deal's history again, move by move: what the process said, or would have said, at each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from crmbridge.engine.evaluate import Subject, evaluate
from crmbridge.engine.hindsight import rewind
from crmbridge.engine.history import is_known
from crmbridge.engine.moves import Illegal, LastMove, last_move
from crmbridge.engine.visits import in_order, visits_of
from crmbridge.model.findings import Evaluation, FindingKind, SlaClock, SlaState, Verdict, Visit
from crmbridge.model.records import Status

BESIDE = ("company.", "contact.")  # what begins the name of a value that stands beside the deal
_OF_MOVES = frozenset({FindingKind.EXIT_RULE, FindingKind.ENTRY_RULE, FindingKind.UNDECIDED, FindingKind.ILLEGAL_MOVE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a rule said at a move. `of_today` tells that it saw a value of today, as that of then is not known."""

    verdict: Verdict
    of_today: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One move of a deal as it was judged at its moment. `flagged` are the rules that made a finding of it."""

    at: datetime
    rulings: tuple[Ruling, ...]
    flagged: frozenset[str]
    illegal: Illegal | None
    move: LastMove | None  # None where there is no move of the process: the deal was made, lost, or left the map


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
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

    Each is judged by the moves up to it, and by the values and activities of then where they are known.
    """
    steps = tuple(_steps(subject, since, now))
    if not steps and subject.place.status is not Status.OPEN:  # nothing of it lies in this time
        return Replay(steps=(), clocks=(), visits=visits_of(subject.deal, subject.moves, subject.mapper))
    evaluation = evaluate(subject, now)
    clocks = tuple(c for c in evaluation.clocks if c.visit.left_at is None or c.visit.left_at >= since)
    return Replay(steps=steps, clocks=clocks, visits=evaluation.visits)


def _steps(subject: Subject, since: datetime, now: datetime) -> Iterator[Step]:
    moments = sorted({move.at for move in in_order(subject.moves)[1:] if since <= move.at <= now})
    for at in moments:
        then = rewind(subject, at)
        if then is not None:
            yield _step(subject, then, evaluate(then, at))


def _step(today: Subject, then: Subject, evaluation: Evaluation) -> Step:
    """Take out of an evaluation what is about the move that was made at its moment."""
    at = evaluation.at
    move = last_move(evaluation.visits, evaluation.place, then.process)
    move = move if move is not None and move.at == at else None
    behind = {stage.id for stage in move.left_behind} if move else set()
    entered = evaluation.entry if evaluation.visits and evaluation.visits[-1].entered_at == at else ()
    verdicts = (*(verdict for verdict in evaluation.judged if verdict.stage in behind), *entered)
    fresh = [found for found in evaluation.findings if found.since == at and found.kind in _OF_MOVES]
    return Step(
        at=at,
        rulings=tuple(Ruling(verdict=verdict, of_today=_of_today(today, verdict, at)) for verdict in verdicts),
        flagged=frozenset(found.rule for found in fresh),
        illegal=move.illegal if move else None,
        move=move,
    )


def _of_today(today: Subject, verdict: Verdict, at: datetime) -> bool:
    own = [name for name in verdict.seen if not name.startswith(BESIDE)]
    return len(own) < len(verdict.seen) or not is_known(today, own, at)
