"""Run the SLA clocks: how long each cycle took or takes, against what the process allows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from crmbridge.engine.deals.history import intervals, seen_since
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.sla.cycles import Cycle, cycles_of, wakes_at
from crmbridge.engine.sla.limits import ClockRule, Limit, clock_rules
from crmbridge.engine.time.calendars import later, length, line_of
from crmbridge.engine.time.timeline import micros, spent
from crmbridge.model.findings import Pause, SlaClock, SlaState, Visit
from crmbridge.model.replacing import replace
from crmbridge.model.slas import SlaKind

_TICK = timedelta(microseconds=1)
_Key = tuple[str, str, int, datetime]  # rule, stage, number of the visit, start


class Clocks(NamedTuple):
    """The SLA clocks of one deal, and the next moment at which one may say something else."""

    clocks: tuple[SlaClock, ...]
    until: datetime | None


def clocks(subject: Subject, visits: Sequence[Visit], now: datetime) -> Clocks:
    """Measure every cycle of every SLA on a deal.

    A cycle that ended is judged once: as long as it began and ended when it did, what was said of it stays, whatever
    the process and its calendars say now; also when the process has its SLA no more.
    """
    rules = clock_rules(subject.process)
    before = {_key(each): each for each in subject.judged_before if each.ended_at is None or each.ended_at <= now}
    found: list[SlaClock] = []
    moments: list[datetime | None] = []
    for rule in rules:
        own = list(_of_rule(rule, visits, subject, before, now))
        found += own
        moments += (clock.turns_at for clock in own)
        moments += (rule.turns_at(subject, now), wakes_at(rule, subject, now))
    if before:
        known = {rule.id for rule in rules}
        found += _ended(visits, [clock for clock in before.values() if clock.judged_by and clock.sla not in known])
    return Clocks(tuple(found), min((at for at in moments if at is not None and at > now), default=None))


def measure(cycle: Cycle, limit: Limit, pauses: Iterable[Pause], now: datetime) -> SlaClock:
    """Measure one cycle against a limit: until it ended, or until now. What of the pauses lies in it does not count.

    Exactly the goal is still on time. A running clock is at risk from its first warning on; a closed one is either on
    time or breached.
    """
    still = merged((*pauses, *cycle.away), cycle.started_at, cycle.ended_at)
    goal, took = length(limit.goal, limit.counts), _took(cycle, limit, still, now)
    runs = cycle.ended_at is None
    shares = {share: _part(goal, share) for share in limit.shares} if runs else {}
    passed = [share for share, amount in shares.items() if amount <= took and cycle.started_at <= now]
    ahead = [amount for share, amount in shares.items() if share not in passed]
    ahead += [goal + _TICK] if runs and took <= goal else []

    def after(amount: timedelta) -> datetime | None:
        return _after(limit, cycle.started_at, amount, still)

    return SlaClock(
        visit=cycle.visit,
        sla=limit.rule,
        calendar=limit.calendar,
        limit=limit.goal,
        goal=goal,
        elapsed=took,
        started_at=cycle.started_at,
        ended_at=cycle.ended_at,
        due_at=after(goal),
        state=SlaState.BREACHED if took > goal else SlaState.AT_RISK if passed else SlaState.ON_TIME,
        pauses=still,
        judged_by=limit.judges,
        warned=max(passed, default=None),
        warned_at=after(shares[max(passed)]) if passed else None,
        turns_at=after(min(ahead)) if ahead else None,
    )


def merged(pauses: Iterable[Pause], start: datetime, end: datetime | None) -> tuple[Pause, ...]:
    """Give what of some pauses lies between two moments, in order, the ones that overlap or touch joined."""
    found: list[Pause] = []
    for since, until in sorted(pauses, key=lambda pause: pause[0]):
        first = max(since, start)
        last = until if end is None else min(until or end, end)
        if last is not None and last <= first:
            continue
        before = found[-1] if found else None
        if before is None or (before[1] is not None and before[1] < first):
            found.append((first, last))
        elif before[1] is not None:
            found[-1] = (before[0], None if last is None else max(before[1], last))
    return tuple(found)


def _of_rule(
    rule: ClockRule, visits: Sequence[Visit], subject: Subject, before: Mapping[_Key, SlaClock], now: datetime
) -> Iterator[SlaClock]:
    limit = rule.limit(subject, now)
    seen: set[datetime] = set()
    for cycle in cycles_of(rule, visits, subject, now):
        seen.add(cycle.started_at)
        known = before.get((rule.id, cycle.visit.stage, cycle.visit.number, cycle.started_at))
        if known and known.judged_by and known.ended_at is not None and known.ended_at == cycle.ended_at:
            yield replace(known, visit=cycle.visit)
        elif limit is not None:
            yield measure(cycle, limit, _pauses(rule, known, subject), now)
    if rule.measures is SlaKind.RESPONSE:  # of earlier messages only this is known: the fields hold the last one
        own = (clock for clock in before.values() if clock.sla == rule.id and clock.started_at not in seen)
        yield from _ended(visits, own)


def _ended(visits: Sequence[Visit], before: Iterable[SlaClock]) -> Iterator[SlaClock]:
    """Give what was said of cycles that ended, as long as there is the visit in which they began."""
    known = {(visit.stage, visit.number): visit for visit in visits}
    for clock in before:
        visit = known.get((clock.visit.stage, clock.visit.number))
        if visit and not clock.running:
            yield replace(clock, visit=visit)


def _pauses(rule: ClockRule, known: SlaClock | None, subject: Subject) -> Iterator[Pause]:
    """Give the times at which a field held a value that stops the clock: as far back as its values are known.

    What an earlier evaluation saw counts until then, as that copy of the deal may have been older.
    """
    if not rule.timing.pause_when:
        return
    for field, values in rule.timing.pause_when.items():
        yield from intervals(subject, field, values)
    if known and known.judged_by.partition("/")[0] == rule.timing.digest:
        seen = seen_since(subject)
        yield from ((since, min(until or seen, seen)) for since, until in known.pauses if since < seen)


def _took(cycle: Cycle, limit: Limit, pauses: Iterable[Pause], now: datetime) -> timedelta:
    start, end = cycle.started_at, cycle.ended_at or now
    still = [(micros(since), micros(until or end)) for since, until in pauses]
    (took,) = spent(line_of(limit.goal, limit.counts, start, end), [(micros(start), micros(end), still)])
    return timedelta(microseconds=took)


def _after(limit: Limit, start: datetime, amount: timedelta, pauses: Iterable[Pause]) -> datetime | None:
    """Give the moment at which so much of a cycle's time has passed; None when that never comes, as things are."""
    for since, until in pauses:
        at = later(limit.goal, limit.counts, start, amount)
        if at is None or at <= since:
            return at
        if until is None:
            return None
        line = line_of(limit.goal, limit.counts, start, since)
        amount -= timedelta(microseconds=line.before(micros(since)) - line.before(micros(start)))
        start = until
    return later(limit.goal, limit.counts, start, amount)


def _part(goal: timedelta, share: Decimal) -> timedelta:
    return timedelta(microseconds=int((goal // _TICK * share).to_integral_value()))


def _key(clock: SlaClock) -> _Key:
    return clock.sla, clock.visit.stage, clock.visit.number, clock.started_at
