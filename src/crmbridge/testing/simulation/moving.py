"""Stages: a sync follows no move that the process forbids where it was made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime

from crmbridge.engine.mapping import WON
from crmbridge.model.changes import Change
from crmbridge.model.records import Ref
from crmbridge.model.values import Value
from crmbridge.testing.simulation.verdicts import Edit


def check_move(
    change: Change, value: Value, edits: Sequence[Edit], stages: Sequence[str], made: Mapping[Ref, datetime | None]
) -> None:
    """Check that a stage which is written was reached by a move that the process allows.

    `edits` are those of the link, `stages` those of the process where deals are open, in their order, `made` when its
    deals were made.
    """
    order = order_of(stages)
    moves = [edit for edit in edits if edit.value == value and edit.ref != change.target]
    # Of two moves in one instant a CRM may tell as of one, and a deal moved in that of its creation was made there.
    instants = Counter([*((edit.ref, edit.at) for edit in edits), *made.items()])
    forbidden = moves and all(skips(edit, order) and instants[edit.ref, edit.at] == 1 for edit in moves)
    assert not forbidden, f"P7: {change.target} is moved to {value}, as {moves[-1]} was, which the process forbids"


def order_of(stages: Sequence[str]) -> dict[str, int]:
    """Give the number of each stage of a process; after the last one comes being won."""
    return {stage: number for number, stage in enumerate((*stages, WON))}


def skips(edit: Edit, order: Mapping[str, int]) -> bool:
    """Tell whether a move is certainly one past a stage, which the process of a play allows nobody."""
    if edit.fresh or edit.decided:
        return False
    before, after = order.get(str(edit.before)), order.get(str(edit.value))
    return before is not None and after is not None and after > before + 1
