"""What a person told apart: records that are not the same thing, whatever the rules of matching say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from crmbridge.model.records import Ref
from crmbridge.model.values import Value
from crmbridge.services.workspace import Workspace

Bases = dict[Ref, Mapping[str, Value]]
APART = "apart"  # the name under which a record's base holds what it does not belong to


def apart_ref(ref: Ref) -> Ref:
    """Name what a record's own base is kept under that says which records it does not belong to."""
    return Ref("", ref.kind, f"{APART}/{ref.connection}/{ref.id}")


def apart(workspace: Workspace, refs: Collection[Ref]) -> dict[Ref, frozenset[str]]:
    """Give, for those of these records that have any, the refs (as text) of what a person said they are not."""
    named = {apart_ref(ref): ref for ref in refs}
    bases = workspace.store.links.bases(list(named))
    return {named[key]: _noted(base) for key, base in bases.items() if key in named}


def _noted(base: Mapping[str, object]) -> frozenset[str]:
    noted = base.get(APART)
    return frozenset(map(str, noted)) if isinstance(noted, tuple) else frozenset()


def as_apart(workspace: Workspace, ref: Ref, others: Sequence[Ref]) -> Bases:
    """Give the bases that say that a record is none of these."""
    noted = apart(workspace, [ref, *others])
    said = {ref: noted.get(ref, frozenset()) | set(map(str, others))}
    said |= {other: noted.get(other, frozenset()) | {str(ref)} for other in others}
    return _bases(said)


def as_together(workspace: Workspace, refs: Sequence[Ref]) -> Bases:
    """Give the bases that say no longer that any of these were told apart from each other."""
    together = set(map(str, refs))
    noted = apart(workspace, refs)
    return _bases({ref: said - together for ref, said in noted.items() if said & together})


def _bases(said: Mapping[Ref, Collection[str]]) -> Bases:
    return {apart_ref(ref): {APART: tuple(sorted(others))} for ref, others in said.items()}
