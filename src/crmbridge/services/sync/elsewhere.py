"""What is gone of a link in the CRMs of other entries, where two entries keep it in step through a CRM of both."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from crmbridge.engine.sync.deleting import ARCHIVED, UNDONE
from crmbridge.model.records import Ref, Tombstone
from crmbridge.services.links.gathering import Around
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Sync


def are_gone(workspace: Workspace, entry: Sync, around: Around, refs: Collection[Ref]) -> bool:
    """Tell whether all deals of a link are gone, in the CRMs of other entries as well."""
    return around.tombstones.keys() | _gone(workspace, entry, refs).keys() >= set(refs)


def deleted_elsewhere(workspace: Workspace, entry: Sync, around: Around, link: str) -> Mapping[Ref, Tombstone]:
    """Give the deals of a link that people deleted in CRMs of other entries, for which we took one away here."""
    refs, bases = around.links[link], around.bases
    ours = {ref.connection for ref in refs if ref.connection in entry.between and bases.get(ref, {}).get(ARCHIVED)}
    entries = [each for each in workspace.project.settings.sync if each.delete == "archive"]
    near = {name for each in entries if ours.intersection(each.between) for name in each.between}
    gone = _gone(workspace, entry, refs) if near else {}
    by_people = [ref for ref in gone if not any(bases.get(ref, {}).get(mark) for mark in (ARCHIVED, UNDONE))]
    return {ref: gone[ref] for ref in by_people if ref.connection in near}


def _gone(workspace: Workspace, entry: Sync, refs: Iterable[Ref]) -> Mapping[Ref, Tombstone]:
    elsewhere = [ref for ref in refs if ref.connection not in entry.between]
    return workspace.store.records.tombstones(elsewhere) if elsewhere else {}
