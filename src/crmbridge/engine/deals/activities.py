"""A deal's activities, counted from the ones that were pulled."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from crmbridge.engine.rules.rule_fields import operands
from crmbridge.model.checks import Activities, Approval, Attachments, Check, Company, Contacts
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Record
from crmbridge.model.replacing import replace
from crmbridge.model.slas import SlaKind, SlaRule, TimeLimit
from crmbridge.model.values import Value

COUNTS = ("activities", "activities_done", "activities_open")
TIMES = ("last_activity_at", "next_activity_at")


class Tally(Struct):
    """What the activities of one deal come to."""

    done: int = 0
    open: int = 0
    last: datetime | None = None  # when the latest that is done was
    next: datetime | None = None  # when the earliest that is open is due, also when that has passed

    def add(self, activity: Record) -> None:
        """Count one more."""
        at = activity.fields.get("at")
        when = at if isinstance(at, datetime) else None
        if activity.fields.get("done") is True:
            self.done += 1
            self.last = max(filter(None, (self.last, when)), default=None)
        else:
            self.open += 1
            self.next = min(filter(None, (self.next, when)), default=None)

    @property
    def fields(self) -> dict[str, Value]:
        """Give the counts and times under the names of a deal's fields."""
        counts = dict(zip(COUNTS, map(Decimal, (self.done + self.open, self.done, self.open)), strict=True))
        return {**counts, **dict(zip(TIMES, (self.last, self.next), strict=True))}


def by_deal(activities: Iterable[Record]) -> dict[str, list[Record]]:
    """Give the activities of each deal, by the deal's id, in one pass. Deals without any are left out."""
    found: dict[str, list[Record]] = {}
    for activity in activities:
        for deal in _deals(activity):
            found.setdefault(deal, []).append(activity)
    return found


def tally(activities: Iterable[Record]) -> Tally:
    """Count the activities of one deal."""
    count = Tally()
    for activity in activities:
        count.add(activity)
    return count


def counted(deal: Record, activities: Iterable[Record]) -> Record:
    """Give the deal with its activities counted. Times that its CRM gives itself stay."""
    fields = tally(activities).fields
    given = {name: deal.fields[name] for name in TIMES if deal.fields.get(name) is not None}
    return replace(deal, fields={**deal.fields, **fields, **given})


def asks_for_activities(process: Process) -> bool:
    """Tell whether a rule or an SLA of the process looks at a deal's activities."""
    measured = any(isinstance(limit, SlaRule) and limit.kind is not SlaKind.RESPONSE for limit in _slas(process))
    return measured or any(map(_looks_at_activities, _checks(process)))


def _looks_at_activities(check: Check) -> bool:
    names = {*COUNTS, *TIMES}
    return isinstance(check, Activities) or any(operand.name in names for operand in operands((), check))


def kinds_asked_for(process: Process, conditions: Iterable[Check] = ()) -> frozenset[Kind]:
    """Name the kinds of records beside deals that a rule of the process looks at, or that say who made a move.

    `conditions` are the ones under which something is done about findings.
    """
    more = tuple(conditions)
    found = {kind for check in (*_checks(process), *more) for kind in _kinds_of(check)}
    if any(output.file is not None for stage in process.stages for output in stage.outputs):
        found.add(Kind.FILE)
    if process.moves.who:
        found.add(Kind.USER)
    counts = asks_for_activities(process) or any(map(_looks_at_activities, more))
    return frozenset(found | {Kind.ACTIVITY} if counts else found)


def _kinds_of(check: Check) -> Iterator[Kind]:
    match check:
        case Company():
            yield Kind.COMPANY
        case Contacts():
            yield Kind.CONTACT
        case Attachments(attachments=rule):
            yield from (Kind.NOTE,) if rule.note is not None else ()
            yield from (Kind.FILE,) if rule.files is not None else ()
        case Approval(approval=rule) if rule.who is not None or rule.not_owner:
            yield Kind.USER


def _slas(process: Process) -> Iterator[TimeLimit]:
    yield from process.slas
    for stage in process.stages:
        yield from (stage.sla, *stage.slas) if stage.sla else stage.slas


def _checks(process: Process) -> Iterator[Check]:
    for limit in _slas(process):
        yield from (segment.when for segment in limit.goals)
        if isinstance(limit, SlaRule) and limit.when is not None:
            yield limit.when
    for stage in process.stages:
        for rule in stage.rules:
            yield rule.check
            if rule.when is not None:
                yield rule.when


def _deals(activity: Record) -> tuple[str, ...]:
    deals = activity.fields.get("deals")
    return tuple(dict.fromkeys(deals)) if isinstance(deals, tuple) else ()
