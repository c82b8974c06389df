"""When an expression may turn out otherwise although nobody changed anything: what it asks of `now` and `today`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec import Struct

from crmbridge.engine.expr.compiling import Run, compiled
from crmbridge.engine.expr.terms import (
    DATE,
    DATETIME,
    DURATION,
    Calculate,
    Choose,
    Compare,
    Day,
    Loop,
    Now,
    Term,
    looks_at_time,
    parts,
    within,
)
from crmbridge.engine.time.moments import Moment
from crmbridge.model.values import Fields

HOUR = timedelta(hours=1)
INSTANT = timedelta(microseconds=1)


class Turning(Struct, frozen=True):
    """Which moments matter: a new day, each hour where nothing better is known, and the zeros of some differences."""

    daily: bool = False
    hourly: bool = False
    differences: tuple[Run, ...] = ()

    def __bool__(self) -> bool:
        """Tell whether time matters at all."""
        return self.daily or self.hourly or bool(self.differences)

    def next(self, fields: Fields, at: Moment) -> datetime | None:
        """Give the next moment at which it may turn out otherwise for a deal; None: never."""
        moments = [at.tomorrow] if self.daily else []
        moments += [at.now + HOUR] if self.hourly else []
        for difference in self.differences:
            moments += _zeros(difference, fields, at)
        return min((moment for moment in moments if moment > at.now), default=None)


def joined(turnings: list[Turning]) -> Turning:
    """Join what matters to several."""
    return Turning(
        any(one.daily for one in turnings),
        any(one.hourly for one in turnings),
        tuple(difference for one in turnings for difference in one.differences),
    )


def turning_of(term: Term) -> Turning:
    """Say which moments matter to a term."""
    return joined(list(_turnings(term)))


def _turnings(term: Term) -> Iterator[Turning]:
    if isinstance(term, Now):
        yield Turning(daily=True) if term.type == DATE else Turning(hourly=True)
    elif isinstance(term, Day) and isinstance(term.of, Now):
        yield Turning(daily=True)
    elif isinstance(term, Compare) and _is_line(term):
        left, right = term.left, term.right
        yield Turning(differences=(compiled(Calculate(term.span, DURATION, "-", left, right)),))
    elif isinstance(term, Loop) and looks_at_time(term.body):
        yield Turning(daily=True, hourly=True)
    else:
        for part in within(term):
            yield from _turnings(part)


def _is_line(term: Compare) -> bool:
    """Tell whether the two sides come closer by the same amount each hour, so that it is known when they meet."""
    if term.left.type not in {DATETIME, DURATION} or not looks_at_time(term):
        return False
    return not any(isinstance(part, Choose | Day | Loop) and looks_at_time(part) for part in parts(term)) and not any(
        isinstance(part, Now) and part.type == DATE for part in parts(term)
    )


def _zeros(difference: Run, fields: Fields, at: Moment) -> Iterator[datetime]:
    here, later = difference(fields, at), difference(fields, Moment(at.now + HOUR, at.zone))
    if not isinstance(here, timedelta) or not isinstance(later, timedelta):
        return
    slope = (later - here) // HOUR  # whole: `now` is only ever added or taken away
    try:
        zero = at.now - here / slope
    except (OverflowError, ZeroDivisionError):
        return
    # On one side of it the comparison says something else than on the other, and perhaps in it.
    yield from (zero, zero + INSTANT)
