"""What sync remembers of the changes that were made: the bases that follow from them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from crmbridge.engine.sync.deleting import ARCHIVED, UNDONE
from crmbridge.engine.sync.forms import overwritten, refused, sent
from crmbridge.engine.sync.sameness import same
from crmbridge.engine.views import OWNER, Viewer
from crmbridge.model.changes import Action, Change, FieldEdit, Origin
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value

MADE = "@made"  # of a deal: sync made it, and it could not be read since, so what its CRM gave it is not known


def bases_after(viewers: Mapping[str, Viewer], written: Iterable[tuple[Change, Ref]]) -> dict[Ref, dict[str, Value]]:
    """Give the bases that follow from changes that were made: what was written there. Enforcement has none to keep.

    What an undo wrote is an edit, as if a person had made it.
    """
    bases: dict[Ref, dict[str, Value]] = {}
    for change, ref in written:
        if change.action is Action.ARCHIVE:
            bases.setdefault(ref, {})[UNDONE if change.origin is Origin.UNDO else ARCHIVED] = True
        elif change.link is not None and change.origin is Origin.SYNC and ref.kind is Kind.DEAL:
            made = {MADE: True} if change.action is Action.CREATE else {}
            edits = canonical_edits(change, viewers[change.connection])
            bases.setdefault(ref, {}).update(sent(edits, change.expects) | made)
        elif change.origin is Origin.UNDO and change.action is Action.UPDATE and ref.kind is Kind.DEAL:
            bases.setdefault(ref, {}).update(overwritten(edit.name for edit in change.edits))
    return bases


def bases_of_refused(viewers: Mapping[str, Viewer], changes: Iterable[Change]) -> dict[Ref, dict[str, Value]]:
    """Give what to remember of updates of sync that a CRM refused: their values, beside the bases."""
    return {
        change.target: refused(canonical_edits(change, viewers[change.connection]))
        for change in changes
        if change.action is Action.UPDATE and change.origin is Origin.SYNC and change.link and change.target
    }


def still_open(change: Change, base: Mapping[str, Value], viewer: Viewer) -> Change:
    """Give an unclear update without the fields in which another value was seen and agreed on since it was sent.

    What was sent is over there, whatever became of it: if the field holds it now, somebody wrote it again. So it is in
    a field of which nothing is agreed: a person put the deal into another link, whose others know nothing of it.
    """
    return replace(change, edits=tuple(edit for edit in change.edits if _is_open(edit, base, viewer)))


def _is_open(edit: FieldEdit, base: Mapping[str, Value], viewer: Viewer) -> bool:
    ends = (_canonical(edit.name, value, viewer) for value in (edit.before, edit.after))
    return edit.name in base and any(same(base[edit.name], value) for value in ends)


def canonical_edits(change: Change, viewer: Viewer) -> Iterator[tuple[str, Value]]:
    """Give what a change writes as sync sees it: owners by e-mail."""
    for edit in change.edits:
        yield edit.name, _canonical(edit.name, edit.after, viewer)


def canonical_before(change: Change, viewer: Viewer) -> dict[str, Value]:
    """Give what a change was to write over, as sync sees it."""
    return {edit.name: _canonical(edit.name, edit.before, viewer) for edit in change.edits}


def _canonical(name: str, value: Value, viewer: Viewer) -> Value:
    return viewer.users.get(str(value)) if name == OWNER else value
