"""Coming to rest: when all is calm, run after run has less to write, and soon none has anything."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from crmbridge.engine.sync.refusing import IN_PARTS, is_of_sync
from crmbridge.model.changes import Action, Change, Origin, Plan

CALM_RUNS = 3  # the last of them writes nothing
MOST_RUNS = 12  # however much was refused before


def come_to_rest(run: Callable[[], Plan | None], written: Callable[[], object]) -> Plan:
    """Run until nothing is written any more, and give the last plan. `written` says what was written so far.

    What a CRM refused as a whole gets there part by part, each in a run of its own, which does not count. Nor does one
    that takes a move back, or sets a field for a finding: the deal's counterparts follow in the next.
    """
    counted = 0
    for _ in range(MOST_RUNS):
        before = written()
        plan = run()
        assert plan is not None, "a calm run was killed"
        if counted and before == written():
            return plan
        counted += not (_goes_in_parts(plan) or any(_sets_a_field(change) for change in plan.changes))
        if counted == CALM_RUNS:
            break
    raise AssertionError("P3: the third calm run wrote")


def _goes_in_parts(plan: Plan) -> bool:
    """Tell whether a deal is written in parts; of several updates of one, the next run goes on with the second."""
    updates = Counter(change.target for change in plan.changes if is_of_sync(change))
    return max(updates.values(), default=0) > 1 or any(c.reason.startswith(IN_PARTS) for c in plan.changes)


def _sets_a_field(change: Change) -> bool:
    return change.origin is Origin.ENFORCE and change.action is Action.UPDATE
