"""What evaluating says of findings, once it is known how long they have been there and what was accepted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from msgspec import Struct, field

from crmbridge.engine.acting.bindings import People, binding_for, steps_of, turns_at, zone_of
from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.text import plain
from crmbridge.engine.time.moments import LAST
from crmbridge.model.changes import JournalEntry
from crmbridge.model.findings import Evaluation, Finding, Severity, Waived, Waiver
from crmbridge.model.lives import Known, Life, next_life
from crmbridge.model.process import ExitRule
from crmbridge.model.replacing import replace
from crmbridge.model.values import is_empty, show

NAME = 120  # characters of an approver's name


class Past(Struct, frozen=True, kw_only=True):
    """What is remembered of one deal.

    `known` are all its findings by id, the cleared ones too, `waivers` what was accepted of it, by rule. `outcomes`
    has the last outcome of the changes that findings asked for, by change id. `amends` says whether its CRM lets us
    change tasks.
    """

    known: Mapping[str, Known] = field(default_factory=dict)
    waivers: Mapping[str, Waiver] = field(default_factory=dict)
    outcomes: Mapping[str, JournalEntry] = field(default_factory=dict)
    people: People = field(default_factory=lambda: People({}, {}))
    amends: bool = True

    def life(self, finding: Finding, now: datetime) -> Life:
        """Give the life that a finding has from now on."""
        return next_life(self.known.get(finding.id), finding, now)


def aged(subject: Subject, evaluation: Evaluation, past: Past, now: datetime) -> Evaluation:
    """Say which findings are waived and which grew graver, and let the evaluation be good until that changes."""
    if not evaluation.findings:
        return evaluation
    findings: list[Finding] = []
    moments = [evaluation.until] if evaluation.until else []
    for found in evaluation.findings:
        waived = _waived(subject, found, past, now)
        finding = replace(found, waived=waived)
        binding = binding_for(subject, finding, now)
        since = past.life(finding, now).asks_since
        steps = steps_of(binding, subject, finding, since) if binding and not waived else ()
        graver = [step.says.severity for step in steps if step.at <= now and step.says.severity]
        severity = binding.severity if binding else Severity.INFO
        findings.append(replace(finding, severity=graver[-1] if graver else severity))
        moments += [step.at for step in steps]
        moments += [waived.until] if waived and waived.until else []
        moments += turns_at(subject, finding, now)
    until = min((moment for moment in moments if moment > now), default=None)
    return replace(evaluation, findings=tuple(findings), until=until)


def _waived(subject: Subject, finding: Finding, past: Past, now: datetime) -> Waived | None:
    waiver = past.waivers.get(finding.rule)
    if waiver is not None and waiver.holds(now):
        return waiver.waived
    approved = _approved(subject, finding, past.people)
    return approved if approved and (approved.until is None or now < approved.until) else None


def _approved(subject: Subject, finding: Finding, people: People) -> Waived | None:
    """Give the approval that a CRM's field holds, where the rule takes one for a waiver."""
    rule = rule_of(subject, finding)
    if rule is None or rule.waived_by is None:
        return None
    by = subject.deal.fields.get(rule.waived_by.field)
    if is_empty(by) or by is False:
        return None
    name = people.emails.get(str(by), show(by))  # of a user, the CRM gives an id
    until = subject.deal.fields.get(rule.waived_by.until) if rule.waived_by.until else None
    if not (is_empty(until) or isinstance(until, date)) or rule.waived_by.until in subject.deal.unreadable:
        return None  # when it ends can't be read, so it may be over
    why = f"approved in {finding.deal.connection}"
    return Waived(plain(name, NAME), why, _end(until, subject, finding))


def _end(until: object, subject: Subject, finding: Finding) -> datetime | None:
    """Give the end of a day that a waiver still holds on, or the moment."""
    if isinstance(until, datetime):
        return until
    if isinstance(until, date):
        zone = zone_of(subject, finding)
        return _day_after(until, zone)
    return None


def _day_after(day: date, zone: tzinfo) -> datetime:
    if day.year >= date.max.year:  # how people write that it never ends
        return LAST
    return datetime.combine(day + timedelta(days=1), time.min, tzinfo=zone).astimezone(UTC)


def rule_of(subject: Subject, finding: Finding) -> ExitRule | None:
    """Give the rule that a finding is about; None where it is about no rule of a stage."""
    stage_id, _, name = finding.rule.rpartition(".")
    stage = subject.process.stage(stage_id)
    return next((rule for rule in stage.rules if rule.id == name), None) if stage else None
