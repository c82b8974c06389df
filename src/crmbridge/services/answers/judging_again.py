"""Compare how SLA cycles were judged when they ended with what the process and calendars of today would say."""

from __future__ import annotations

from msgspec import Struct, field

from crmbridge.engine.sla.again import JudgedAgain, judged_again
from crmbridge.model.records import Ref
from crmbridge.services.answers.replaying import subjects
from crmbridge.services.workspace import Workspace


class SlaTally(Struct, kw_only=True):
    """How many cycles of one SLA ended, and how many of them kept its goal: as it was judged, and as it would be."""

    sla: str
    closed: int = 0
    kept_then: int = 0
    kept_now: int = 0
    measured_now: int = 0  # those that an SLA of today asks for


class Differing(Struct, frozen=True, kw_only=True):
    """A cycle that would be judged otherwise today, and its deal's name."""

    deal: Ref
    name: str
    again: JudgedAgain


class Compared(Struct, frozen=True, kw_only=True):
    """All SLAs by their rule ids, and the cycles that would be judged otherwise."""

    slas: dict[str, SlaTally] = field(default_factory=dict)
    differing: list[Differing] = field(default_factory=list)


def compare(workspace: Workspace) -> Compared:
    """Judge all cycles that ended once more, beside how they were judged. Nothing is saved: what was said stays."""
    found, now = Compared(), workspace.clock.now()
    for subject in subjects(workspace):
        for again in judged_again(subject, now):
            tally = found.slas.setdefault(again.then.sla, SlaTally(sla=again.then.sla))
            tally.closed += 1
            tally.kept_then += again.kept_then
            tally.kept_now += again.kept_now
            tally.measured_now += again.now is not None
            if again.differs:
                name = str(subject.deal.fields.get("name") or "")
                found.differing.append(Differing(deal=subject.deal.ref, name=name, again=again))
    return found
