"""Cut changes in batches that one write call takes, and put those together that may be written side by side."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from crmbridge.model.changes import Action, Change
from crmbridge.model.records import Kind, Ref
from crmbridge.services.apply import notices
from crmbridge.services.workspace import Workspace

_ON_RECORDS = {Action.UPDATE, Action.ARCHIVE}  # of which one call has at most one for each record


def groups(workspace: Workspace, changes: Sequence[Change]) -> Iterator[list[list[Change]]]:
    """Put batches together that may be written side by side: of one sort, and no record in two of them."""
    group: list[list[Change]] = []
    targets: set[Ref | None] = set()
    for batch in _batches(workspace, changes):
        first, updated = batch[0], {change.target for change in batch if change.action in _ON_RECORDS}
        alike = group and _sort_of(first) == _sort_of(group[0][0])
        most = workspace.adapter(first.connection).capabilities.writers
        if group and (not alike or len(group) >= most or targets & updated):
            yield group
            group, targets = [], set()
        group.append(batch)
        targets |= updated
    if group:
        yield group


def _batches(workspace: Workspace, changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Cut the changes, in their order, in runs of one connection, action and kind that fit one write call."""
    for (connection, action, _, sink), group in groupby(changes, key=_sort_of):
        can = workspace.adapter(connection).capabilities.batch
        yield from _cut(group, notices.AT_ONCE if sink else can.get(action, 1))  # what it can't do is refused


def _sort_of(change: Change) -> tuple[str, Action, Kind, str]:
    """Give what one write call has one of. A company is created before the deals that hang on it, not beside them."""
    return change.connection, change.action, change.kind, notices.sink_of(change)


def _cut(changes: Iterable[Change], size: int) -> Iterator[list[Change]]:
    """Cut changes in parts of at most `size`, none of which writes to one record twice."""
    part: list[Change] = []
    for change in changes:
        again = change.action in _ON_RECORDS and any(change.target == other.target for other in part)
        if part and (again or len(part) == size):
            yield part
            part = []
        part.append(change)
    if part:
        yield part
