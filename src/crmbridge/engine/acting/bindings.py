"""Which binding counts for a finding, which steps of its escalation are due, and who is meant by a role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import NamedTuple

from crmbridge.engine.deals.checks import holds, holds_until
from crmbridge.engine.deals.judging import case_now
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.people import LEADER, OWNER
from crmbridge.engine.rules.case import Case
from crmbridge.engine.time.calendars import CompiledCalendar, due
from crmbridge.model.findings import Finding
from crmbridge.model.process import Process, Stage
from crmbridge.settings import Binding, Escalation, Settings


class Step(NamedTuple):
    """A step of an escalation; `number` counts from 1, `at` is when it falls due."""

    number: int
    at: datetime
    says: Escalation


def binding_for(subject: Subject, finding: Finding, now: datetime) -> Binding | None:
    """Give the binding that counts for a finding of a deal: the last one that speaks of it."""
    found = (b for b in reversed(subject.settings.enforce) if _speaks_of(b, subject, finding, now))
    return next(found, None)


def _speaks_of(binding: Binding, subject: Subject, finding: Finding, now: datetime) -> bool:
    """Tell whether a binding is about this finding; a condition that can't be decided leaves the deal out."""
    if not binding.matches(finding.rule, finding.deal.connection):
        return False
    if binding.stages and finding.stage not in binding.stages:
        return False
    return binding.when is None or holds(binding.when, _case(subject, finding, now))


def turns_at(subject: Subject, finding: Finding, now: datetime) -> Iterator[datetime]:
    """Give the moments at which other bindings may count for a finding although nothing changes."""
    for binding in subject.settings.enforce:
        if binding.when is not None and binding.matches(finding.rule, finding.deal.connection):
            turns = holds_until(binding.when, _case(subject, finding, now))
            yield from (turns,) if turns else ()


def _case(subject: Subject, finding: Finding, now: datetime) -> Case:
    return case_now(_stage(subject, finding) or subject.process.stages[0], None, subject, now)


def _stage(subject: Subject, finding: Finding) -> Stage | None:
    return subject.process.stage(finding.stage) if finding.stage else None


def zone_of(subject: Subject, finding: Finding) -> tzinfo:
    """Say where the days of a finding begin and end: in its stage's calendar, else in the process's first, else UTC."""
    calendar = _calendar(subject, finding)
    return calendar.zone if calendar else UTC


def _calendar(subject: Subject, finding: Finding) -> CompiledCalendar | None:
    stage = _stage(subject, finding)
    named = stage.sla.calendar if stage and stage.sla else next(iter(subject.process.calendars), None)
    return subject.calendars.get(named) if named else None


def steps_of(binding: Binding, subject: Subject, finding: Finding, since: datetime) -> tuple[Step, ...]:
    """Give the steps of a binding's escalation in the order of time; one that never falls due is left out."""
    calendar = _calendar(subject, finding)
    moments = ((n, due(step.after, calendar, since), step) for n, step in enumerate(binding.escalate, 1))
    steps = (Step(number, at, step) for number, at, step in moments if at is not None)
    return tuple(sorted(steps, key=lambda step: (step.at, step.number)))


def latest_due(steps: tuple[Step, ...], now: datetime) -> Iterator[tuple[str, Step]]:
    """Give for each action the latest step that is due."""
    found = {step.says.action: step for step in steps if step.at <= now and step.says.action is not None}
    return ((str(action), step) for action, step in found.items())


class People(NamedTuple):
    """Who can be reached in one connection: user ids by e-mail, and the other way round."""

    ids: Mapping[str, str]
    emails: Mapping[str, str]

    def user(self, email: str | None) -> str | None:
        """Give the user whose e-mail this is."""
        return self.ids.get(email.casefold()) if email else None


def email_of(to: str, connection: str, settings: Settings, process: Process) -> str | None:
    """Give the e-mail of a role, or the e-mail itself; None for the deal's owner and a role that nobody has.

    `leader` stands for the role that leads the process.
    """
    if "@" in to or to == OWNER:
        return to if "@" in to else None
    found = settings.emails(to, connection) or (settings.emails(process.leader, connection) if to == LEADER else ())
    return next(iter(found), None)
