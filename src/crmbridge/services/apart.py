"""What a person told apart: records that are not the same thing, whatever the rules of matching say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from crmbridge.model.records import Ref
from crmbridge.services.workspace import Workspace

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


def remember_apart(workspace: Workspace, ref: Ref, others: Sequence[Ref]) -> None:
    """Remember that a record is none of these."""
    noted = apart(workspace, [ref, *others])
    bases = {apart_ref(ref): noted.get(ref, frozenset()) | set(map(str, others))}
    bases |= {apart_ref(other): noted.get(other, frozenset()) | {str(ref)} for other in others}
    _save_apart(workspace, bases)


def forget_apart(workspace: Workspace, refs: Sequence[Ref]) -> None:
    """Forget that any of these were told apart from each other."""
    together = set(map(str, refs))
    noted = apart(workspace, refs)
    _save_apart(workspace, {apart_ref(ref): said - together for ref, said in noted.items() if said & together})


def _save_apart(workspace: Workspace, noted: Mapping[Ref, Collection[str]]) -> None:
    workspace.store.links.save_bases({key: {APART: tuple(sorted(said))} for key, said in noted.items()})
