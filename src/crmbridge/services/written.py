"""What sync remembers of the changes that were made: the bases that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from crmbridge.engine.deleting import ARCHIVED, UNDONE
from crmbridge.engine.forms import sent
from crmbridge.engine.views import OWNER, Viewer
from crmbridge.model.changes import Action, Change, Origin
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value


def bases_after(viewers: Mapping[str, Viewer], written: Iterable[tuple[Change, Ref]]) -> dict[Ref, dict[str, Value]]:
    """Give the bases that follow from changes that were made: what was written there. Enforcement has none to keep."""
    bases: dict[Ref, dict[str, Value]] = {}
    for change, ref in written:
        if change.action is Action.ARCHIVE:
            bases.setdefault(ref, {})[UNDONE if change.origin is Origin.UNDO else ARCHIVED] = True
        elif change.link is not None and change.origin is Origin.SYNC and ref.kind is Kind.DEAL:
            bases.setdefault(ref, {}).update(sent(canonical_edits(change, viewers[change.connection]), change.expects))
    return bases


def canonical_edits(change: Change, viewer: Viewer) -> Iterator[tuple[str, Value]]:
    """Give what a change writes as sync sees it: owners by e-mail."""
    for edit in change.edits:
        after = edit.after
        if edit.name == OWNER:
            after = viewer.users.get(str(after))
        yield edit.name, after
