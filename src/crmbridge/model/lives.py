"""The life of findings: since when they are there and ask for something, and what happened to them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from msgspec import Struct

from crmbridge.model.findings import Finding, FindingKind, Severity, Waived
from crmbridge.model.records import Ref
from crmbridge.model.values import show

RANK = {Severity.INFO: 1, Severity.WARNING: 2, Severity.ERROR: 3}


class Life(NamedTuple):
    """How long a finding has been there.

    `asks_since` is when it began to ask for something to be done: when it was opened, or when its waiver ended.
    `openings` counts how often it did so; what is done about it is done once for each.
    """

    opened_at: datetime
    asks_since: datetime
    openings: int = 1
    cleared_at: datetime | None = None


class Known(NamedTuple):
    """A finding as it is stored, with its life so far."""

    finding: Finding
    life: Life


class Turn(StrEnum):
    """What can happen to a finding."""

    OPENED = "opened"
    AT_RISK = "at_risk"  # an SLA that is about to be broken: how its finding is opened
    BREACHED = "breached"  # an SLA that is broken: the same
    ESCALATED = "escalated"  # it became graver
    WAIVED = "waived"
    RESUMED = "resumed"  # its waiver ran out, or was taken back
    CLEARED = "cleared"


class FindingEvent(Struct, frozen=True, kw_only=True):
    """One thing that happened to a finding. `said` is who and why, or what else there is to say."""

    finding: str
    deal: Ref
    rule: str
    visit: int | None
    turn: Turn
    at: datetime
    said: str = ""


_OPENING = {FindingKind.SLA_AT_RISK: Turn.AT_RISK, FindingKind.SLA_BREACHED: Turn.BREACHED}


def next_life(before: Known | None, finding: Finding, at: datetime) -> Life:
    """Give the life of a finding that holds, from what was known of it before."""
    if before is None:
        return Life(at, at)
    if before.life.cleared_at is not None:
        return Life(at, at, before.life.openings + 1)
    if before.finding.waived and not finding.waived:
        return before.life._replace(asks_since=at, openings=before.life.openings + 1)
    return before.life


def events_of(before: Known | None, finding: Finding, at: datetime) -> Iterator[FindingEvent]:
    """Say what happened to a finding that holds; nothing where all is as it was."""
    if before is None or before.life.cleared_at is not None:
        yield event(finding, _OPENING.get(finding.kind, Turn.OPENED), at, finding.message)
        if finding.waived:
            yield event(finding, Turn.WAIVED, at, accepted(finding.waived))
        return
    was = before.finding
    if RANK[finding.severity] > RANK[was.severity]:
        yield event(finding, Turn.ESCALATED, at, f"from {was.severity} to {finding.severity}")
    if finding.waived and finding.waived != was.waived:
        yield event(finding, Turn.WAIVED, at, accepted(finding.waived))
    if was.waived and not finding.waived:
        yield event(finding, Turn.RESUMED, at, f"the waiver by {was.waived.by} ended")


def event(finding: Finding, turn: Turn, at: datetime, said: str = "") -> FindingEvent:
    """Make an event of a finding."""
    return FindingEvent(
        finding=finding.id, deal=finding.deal, rule=finding.rule, visit=finding.visit, turn=turn, at=at, said=said
    )


def accepted(waived: Waived) -> str:
    """Say who accepted a finding, until when, and why."""
    until = f" until {show(waived.until)}" if waived.until else ""
    return f"by {waived.by}{until}: {waived.why}"
