"""Findings with their life, and waivers, in memory."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime

from crmbridge.model.findings import Evaluation, Severity, SlaClock, Visit, Waiver
from crmbridge.model.lives import RANK, FindingEvent, Known, Turn, accepted, event, events_of, next_life
from crmbridge.model.records import Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.ports import FindingQuery, StoredFinding
from crmbridge.store.memory.state import Opened, State


class MemoryFindings:
    """What evaluating said, in memory."""

    def __init__(self, memory: Opened) -> None:
        self._memory = memory

    def save(self, evaluations: Sequence[Evaluation], at: datetime) -> None:
        """Replace what is known of these deals."""
        with self._memory.write() as state:
            latest = {evaluation.deal: evaluation for evaluation in evaluations}
            state.evaluations |= latest
            holding = {finding.id: finding for each in latest.values() for finding in each.findings}
            for id_, finding in holding.items():
                before = state.findings.get(id_)
                state.events += events_of(before, finding, at)
                state.findings[id_] = Known(finding, next_life(before, finding, at))
            gone = [known for known in _open(state) if known.finding.deal in latest and known.finding.id not in holding]
            _clear(state, gone, at)

    def forget(self, deals: Collection[Ref], at: datetime) -> None:
        """Clear the findings of these deals, and drop their visits and clocks."""
        with self._memory.write() as state:
            gone = set(deals)
            _clear(state, [known for known in _open(state) if known.finding.deal in gone], at)
            state.evaluations = {deal: each for deal, each in state.evaluations.items() if deal not in gone}

    def known(self, deals: Collection[Ref]) -> dict[Ref, tuple[Known, ...]]:
        """Give all findings that these deals have or had, ordered by id."""
        wanted, found = set(deals), dict[Ref, list[Known]]()
        with self._memory.read() as state:
            for _, known in sorted(state.findings.items()):
                if known.finding.deal in wanted:
                    found.setdefault(known.finding.deal, []).append(known)
        return {deal: tuple(each) for deal, each in found.items()}

    def search(self, query: FindingQuery) -> Iterator[StoredFinding]:
        """Give the findings looked for: the gravest, found first and wrong for longest come first; then by id."""
        found = sorted(
            _wanted(self._memory, query),
            key=lambda k: (-RANK[k.finding.severity], k.life.opened_at, k.finding.since, k.finding.id),
        )
        end = None if query.limit is None else query.skip + query.limit
        return iter([_stored(known) for known in found[query.skip : end]])

    def total(self, query: FindingQuery) -> int:
        """Count the findings looked for."""
        return len(_wanted(self._memory, query))

    def deals(self, query: FindingQuery) -> int:
        """Count the open deals that have such findings."""
        having = {known.finding.deal for known in _wanted(self._memory, query)}
        with self._memory.read() as state:
            known = [state.evaluations[deal] for deal in having if deal in state.evaluations]
        return sum(each.place.status is Status.OPEN for each in known)

    def events(self, deal: Ref, rule: str) -> tuple[FindingEvent, ...]:
        """Give what happened to the findings of one rule on one deal, in order."""
        with self._memory.read() as state:
            return tuple(each for each in state.events if each.deal == deal and each.rule == rule)

    def open_deals(self) -> int:
        """Count the deals that were evaluated and are open."""
        with self._memory.read() as state:
            return sum(each.place.status is Status.OPEN for each in state.evaluations.values())

    def due(self, now: datetime) -> tuple[Ref, ...]:
        """Give the deals whose evaluation was good until now or earlier, ordered."""
        with self._memory.read() as state:
            return tuple(sorted(deal for deal, each in state.evaluations.items() if each.until and each.until <= now))

    def counts(self) -> dict[Severity, int]:
        """Count the open findings by severity, without the waived ones."""
        return dict(
            Counter(k.finding.severity for k in _wanted(self._memory, FindingQuery(states=frozenset({"open"}))))
        )

    def findings(self, *, cleared: bool = False) -> tuple[StoredFinding, ...]:
        """Give the open findings, with the cleared ones too if asked, oldest first."""
        with self._memory.read() as state:
            found = list(state.findings.values()) if cleared else _open(state)
        return tuple(_stored(each) for each in sorted(found, key=lambda k: (k.life.opened_at, k.finding.id)))

    def visits(self) -> Iterator[Visit]:
        """Give all visits, deal by deal, in each deal's own order."""
        return iter([visit for each in _in_order(self._memory) for visit in each.visits])

    def clocks(self) -> Iterator[SlaClock]:
        """Give all SLA clocks, in the order of their visits."""
        return iter([clock for each in _in_order(self._memory) for clock in _clocks_in_order(each)])

    def clocks_of(self, deals: Collection[Ref]) -> dict[Ref, tuple[SlaClock, ...]]:
        """Give the SLA clocks of these deals, in the order of their visits; deals without any are left out."""
        with self._memory.read() as state:
            known = [state.evaluations[deal] for deal in deals if deal in state.evaluations]
        return {each.deal: _clocks_in_order(each) for each in known if each.clocks}


class MemoryWaivers:
    """Waivers, in memory."""

    def __init__(self, memory: Opened) -> None:
        self._memory = memory

    def put(self, waiver: Waiver) -> None:
        """Keep a waiver in the place of the one that the deal's rule had, and waive its open findings."""
        with self._memory.write() as state:
            _end(state, waiver.deal, waiver.rule, waiver.at)
            state.waivers[waiver.deal, waiver.rule] = waiver
            for known in _of(state, waiver.deal, waiver.rule):
                state.findings[known.finding.id] = known._replace(finding=replace(known.finding, waived=waiver.waived))
                state.events.append(event(known.finding, Turn.WAIVED, waiver.at, accepted(waiver.waived)))
            _fall_due(state, waiver.deal, waiver.at)

    def drop(self, deal: Ref, rule: str, at: datetime, by: str) -> bool:
        """Take back a waiver and tell whether there was one; its findings are open again."""
        with self._memory.write() as state:
            if not _end(state, deal, rule, at):
                return False
            for known in _of(state, deal, rule):
                if known.finding.waived:
                    finding = replace(known.finding, waived=None)
                    state.findings[finding.id] = Known(finding, next_life(known, finding, at))
                    state.events.append(event(finding, Turn.RESUMED, at, f"taken back by {by}"))
            _fall_due(state, deal, at)
            return True

    def all(self) -> tuple[Waiver, ...]:
        """Give all waivers, ordered by deal and rule."""
        with self._memory.read() as state:
            return tuple(state.waivers[key] for key in sorted(state.waivers))

    def at(self, moment: datetime) -> tuple[Waiver, ...]:
        """Give all waivers as they were at a moment, ordered by deal and rule: also those that are of the past now."""
        with self._memory.read() as state:
            past = [waiver for waiver, ended_at in state.past_waivers.values() if ended_at > moment]
            held = [waiver for waiver in (*state.waivers.values(), *past) if waiver.at <= moment]
        return tuple(sorted(held, key=lambda waiver: (waiver.deal, waiver.rule, waiver.at)))


def _end(state: State, deal: Ref, rule: str, at: datetime) -> bool:
    """Keep the waiver that there is as one of the past, and tell whether there is one."""
    found = state.waivers.pop((deal, rule), None)
    if found is not None:
        state.past_waivers[deal, rule, found.at] = found, at
    return found is not None


def _in_order(memory: Opened) -> list[Evaluation]:
    with memory.read() as state:
        return [state.evaluations[deal] for deal in sorted(state.evaluations)]


def _wanted(memory: Opened, query: FindingQuery) -> list[Known]:
    with memory.read() as state:
        return [known for known in state.findings.values() if _fits(known, query)]


def _open(state: State) -> list[Known]:
    return [known for known in state.findings.values() if known.life.cleared_at is None]


def _of(state: State, deal: Ref, rule: str) -> list[Known]:
    found = (known for known in _open(state) if known.finding.deal == deal and known.finding.rule == rule)
    return sorted(found, key=lambda known: known.finding.id)


def _clear(state: State, known: Sequence[Known], at: datetime) -> None:
    for each in sorted(known, key=lambda each: each.finding.id):
        state.findings[each.finding.id] = each._replace(life=each.life._replace(cleared_at=at))
        state.events.append(event(each.finding, Turn.CLEARED, at))


def _fall_due(state: State, deal: Ref, at: datetime) -> None:
    if deal in state.evaluations:
        state.evaluations[deal] = replace(state.evaluations[deal], until=at)


def _stored(known: Known) -> StoredFinding:
    return StoredFinding(known.finding, known.life.opened_at, known.life.cleared_at)


def _fits(known: Known, query: FindingQuery) -> bool:
    finding, life = known
    state = "cleared" if life.cleared_at else "waived" if finding.waived else "open"
    return (
        state in query.states
        and query.connection in {None, finding.deal.connection}
        and query.stage in {None, finding.stage}
        and (query.rule is None or _like(query.rule, finding.rule))
        and (query.severity is None or RANK[finding.severity] >= RANK[query.severity])
        and (query.id_begins is None or finding.id.startswith(query.id_begins.lower()))
        and (query.opened_before is None or life.opened_at <= query.opened_before)
    )


def _like(pattern: str, rule: str) -> bool:
    """Compare without case, with `*` and `?` for any characters."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, rule, re.IGNORECASE | re.DOTALL | re.ASCII) is not None


def _clocks_in_order(evaluation: Evaluation) -> tuple[SlaClock, ...]:
    visits = {(visit.stage, visit.number): ordinal for ordinal, visit in enumerate(evaluation.visits)}
    clocks = evaluation.clocks
    return tuple(
        sorted(clocks, key=lambda each: (visits[each.visit.stage, each.visit.number], each.sla, each.started_at))
    )
