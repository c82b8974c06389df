"""What the promises mean for one field of one link, where its policy is not about who wins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from crmbridge.model.records import Ref
from crmbridge.model.values import Value


class Edit(NamedTuple):
    """What one person did to one field."""

    number: int
    ref: Ref
    name: str
    value: Value
    before: Value = None
    fresh: bool = False  # what a new deal starts with
    decided: bool = False  # how a conflict was settled, which no deal holds yet
    at: datetime | None = None  # when, as the CRM says it of the record


def judge_one_way(
    source: str, values: Mapping[Ref, Value], net: Sequence[Edit], edits: Sequence[Edit], story: str
) -> None:
    """Check a field in which one side speaks alone: what it changed last, and nobody else did since, is everywhere.

    Who undoes a run there has changed it, too, though back to what was agreed: `net` leaves that out, `edits` does not.
    """
    speaker = next((ref for ref in values if ref.connection == source), None)
    if speaker is None or not net:
        return
    last = max(net, key=lambda edit: edit.number)
    if last.ref == speaker and not last.fresh and not any(edit.number > last.number for edit in edits):
        wrong = [ref for ref, value in values.items() if value != values[speaker]]
        assert not wrong, f"P1: what {source} says did not get to {wrong} {story}"


def judge_filled(values: Mapping[Ref, Value], net: Sequence[Edit], story: str) -> None:
    """Check a field of which only what is empty is filled: what somebody wrote last is there wherever nothing was."""
    last = max(net, key=lambda edit: edit.number, default=None)
    if last is not None and last.value is not None and not last.fresh and values.get(last.ref) == last.value:
        empty = [ref for ref, value in values.items() if value is None]
        assert not empty, f"P1: not filled in {empty} {story}"


def judge_members(value: Value, agreed: object, edits: Sequence[Edit], story: str, unseen: Sequence[Edit] = ()) -> None:
    """Check a set: what somebody added last, and not `unseen`, is in, and what nobody ever put there is not."""
    found = members(value)
    known = members(agreed).union(*(members(edit.value) | members(edit.before) for edit in edits))
    assert found <= known, f"P1: nobody put {sorted(found - known)} there {story}"
    last: dict[str, Edit] = {}
    for edit in edits:
        for member in members(edit.value) ^ members(edit.before):
            last[member] = edit
    added = {m: edit for m, edit in last.items() if m in members(edit.value) and edit not in unseen and not edit.fresh}
    lost = [member for member in added if member not in found]
    assert not lost, f"P1: {lost} was lost {story}"


def members(value: object) -> frozenset[str]:
    """Give the members of a set; of what is none, nothing."""
    return frozenset(value) if isinstance(value, tuple) else frozenset()
