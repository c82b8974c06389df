"""P7: what is sent is the plan, all of it or what was chosen, and whatever was left out is said."""

from __future__ import annotations

from crmbridge.model.changes import Action, Change
from crmbridge.model.replacing import replace
from crmbridge.services.runs.cycle import Cycle


class Promised:
    """What a run sends, held against its plan when it is over."""

    def __init__(self) -> None:
        self._sent: list[Change] = []

    def begin(self) -> None:
        """Note that a run begins."""
        self._sent = []

    def sends(self, changes: list[Change]) -> None:
        """Note what is about to be sent."""
        self._sent += changes

    def judge(self, cycle: Cycle) -> None:
        """Check a run that came to its end."""
        plan = cycle.chosen.plan if cycle.chosen else cycle.plan
        if plan is None:
            return
        planned = {change.id: change for change in plan.changes}
        told = [change.id for change, _ in cycle.applied.done]
        assert len(told) == len(set(told)), "P7: a change is told of twice"
        assert set(told) <= set(planned), "P7: something is told of that was not planned"
        silent = [c for c in planned.values() if c.id not in told and c.connection not in dict(cycle.errors)]
        assert not silent, f"P7: nothing is said of {silent}"
        ids = [change.id for change in self._sent]
        assert len(ids) == len(set(ids)), "P7: a change was sent twice in one run"
        for change in self._sent:
            meant = planned.get(change.id)
            assert meant is not None, f"P7: {change} was sent and not planned"
            assert _without_ids(change, meant) == _without_ids(meant, meant), f"P7: {change} was sent, not {meant}"


def _without_ids(change: Change, plan: Change) -> Change:
    """Leave out what is looked up only when it is written: the CRM's own ids of what is linked."""
    edits = tuple(edit for edit in change.edits if edit.name not in plan.linked)
    return replace(change, edits=edits, linked=(), expects=None if change.action is Action.UPDATE else change.expects)
