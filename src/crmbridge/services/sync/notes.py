"""Notes: copy what people write on a deal in one CRM to its counterparts, where the settings ask for it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from crmbridge.engine.sync.matching import PREFIX
from crmbridge.engine.sync.wanted import copy_note
from crmbridge.model.changes import Change
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.services.links.associations import hanging_on
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Sync

# A marker stands in brackets or, as some adapters write it, on a line of its own; people may have written around it.
_OURS = re.compile(rf"\[{PREFIX}\S|^\s*{PREFIX}\S+\s*$", re.MULTILINE)


def copied_notes(workspace: Workspace, entry: Sync, link: str, deals: Sequence[Ref]) -> list[Change]:
    """Plan the notes that the other deals of a link shall have; the ones that are there already are planned as well.

    Their ids are the same each time, so what the journal says is done is not done again.
    """
    source = entry.notes_source
    if source is None or (origin := next((ref for ref in deals if ref.connection == source), None)) is None:
        return []
    notes = hanging_on(workspace, [origin], Kind.NOTE).get(origin, [])
    by_people = [note for note in notes if not _is_ours(note)]
    return [copy_note(note, link=link, target=ref) for ref in deals if ref.connection != source for note in by_people]


def _is_ours(note: Record) -> bool:
    """Tell whether a note carries a marker of ours: what crmbridge wrote in one CRM is no news for the others."""
    return _OURS.search(str(note.fields.get("body"))) is not None
