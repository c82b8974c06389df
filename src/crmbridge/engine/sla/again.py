"""Judge cycles that ended once more, by the process and the calendars of today, beside how they were judged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from crmbridge.engine.deals.subject import Subject
from crmbridge.engine.sla.clocks import measure
from crmbridge.engine.sla.cycles import Cycle
from crmbridge.engine.sla.limits import clock_rule
from crmbridge.model.findings import SlaClock, SlaState


class JudgedAgain(NamedTuple):
    """A cycle that ended, as it was judged then, and as it would be now; nothing where no SLA of today asks for it."""

    then: SlaClock
    now: SlaClock | None

    @property
    def differs(self) -> bool:
        """Tell whether it would end otherwise: in time, or late, or not measured at all."""
        return self.now is None or self.now.state is not self.then.state

    @property
    def kept_then(self) -> bool:
        """Tell whether the goal was kept, as it was judged."""
        return self.then.state is not SlaState.BREACHED

    @property
    def kept_now(self) -> bool:
        """Tell whether the goal is kept, as it would be judged today."""
        return self.now is not None and self.now.state is not SlaState.BREACHED


def judged_again(subject: Subject, now: datetime) -> Iterator[JudgedAgain]:
    """Judge each cycle of a deal that ended once more: from when to when it ran, and its pauses, stay as they were."""
    for clock in subject.judged_before:
        if clock.ended_at is None or not clock.judged_by:
            continue
        rule = clock_rule(clock.sla, subject.process)
        limit = rule.limit(subject, now) if rule else None
        cycle = Cycle(clock.visit, clock.started_at, clock.ended_at)
        yield JudgedAgain(clock, measure(cycle, limit, clock.pauses, now) if limit else None)
