"""P7 of an undo: it brings back what a run changed, and takes nothing away that people did since."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from crmbridge.engine.views import STAGE
from crmbridge.model.changes import Action, Change, JournalEntry, Plan
from crmbridge.model.records import Ref
from crmbridge.model.values import Value
from crmbridge.testing.simulation.witness import Witness


def judge_undo(seen: Witness, wrote: Sequence[JournalEntry], plan: Plan) -> None:
    """Check a plan that is about to undo a run: what it writes over, or takes away, is what the run wrote."""
    deals = seen.deals()
    for change in plan.changes:
        if change.target not in deals:
            continue
        written, now = _written(seen, wrote, change.target), seen.view(change.target)
        edits = [edit for edit in seen.edits if edit.ref == change.target]
        before = {edit.name: edit.before for edit in reversed(edits)}  # of the first edit of each field
        touched = {edit.name for edit in edits} & _reached(change, before)
        lost = sorted(name for name in touched if now.get(name) != written.get(name, before[name]))
        assert not lost, f"P7: an undo takes away {lost} of {change.target}, which somebody changed since"


def _reached(change: Change, fields: Mapping[str, Value]) -> set[str]:
    """Name the fields that a change takes away: of a deal that goes, all."""
    return set(fields) if change.action is Action.ARCHIVE else {edit.name for edit in change.edits}


def _written(seen: Witness, wrote: Sequence[JournalEntry], target: Ref) -> dict[str, Value]:
    """Give what a run wrote to a deal, or made it with."""
    mine = [entry.change for entry in wrote if target in {entry.change.target, entry.ref}]
    return {name: value for change in mine for name, value in seen.sights[target.connection].written(change)}


def judge_undone(seen: Witness, wrote: Sequence[JournalEntry], plan: Plan, since: int) -> None:
    """Check that all that a run wrote is as before, but for what people changed since, which is told of."""
    said = {(item.deal, name) for item in plan.blocked for name in item.name.split(", ")}
    deals = seen.deals()
    for change in (entry.change for entry in wrote):
        target = change.target
        if change.action is not Action.UPDATE or target is None or target not in deals:
            continue
        sight, now = seen.sights[change.connection], seen.view(target)
        for edit in change.edits:
            before = sight.shown(edit.name, edit.before)
            kept = not seen.untouched(target, edit.name, since)
            told_of = (target, edit.name) in said
            is_back = now.get(edit.name) == before or edit.name == STAGE
            assert kept or told_of or is_back, f"P7: {edit} of {target} is not undone: {now.get(edit.name)}"
