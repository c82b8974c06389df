"""Remapping: where a CRM's stage stands for another stage of the process than before, nobody has moved a deal."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from itertools import pairwise

from crmbridge.engine.mapping import LOST, WON, StageMapper
from crmbridge.engine.sync.merge import APART, Merged, Side, decided_ref
from crmbridge.engine.sync.sameness import same
from crmbridge.engine.views import STAGE, Viewer
from crmbridge.model.changes import Blocked, Cause
from crmbridge.model.records import Kind, Record, Ref, Status
from crmbridge.model.values import Fields, Value
from crmbridge.services.chunks import chunks
from crmbridge.services.workspace import Workspace

MEANINGS = "@stages"  # which stage each of a CRM's stood for last, as JSON

Meanings = Mapping[str, str]
Bases = Mapping[Ref, Mapping[str, Value]]
DIFFER = "its stages differ since the settings were changed, and nobody has moved it since"


def follow_remapped(workspace: Workspace, viewers: Mapping[str, Viewer]) -> dict[Ref, Mapping[str, Value]]:
    """Let what was agreed on of stages mean what it means by now, in connections whose stage map is another one.

    What a deal that did not move stands for now is what is known of it. Where sides differ then, they may, until
    somebody moves one of them. A move that others have not followed yet still counts, with what it means now, and the
    others have said nothing.

    Gives what is to be remembered as bases the next time that any are saved, where nothing means anything else yet.
    """
    remembered: dict[Ref, Mapping[str, Value]] = {}
    for connection in sorted(viewers):
        place, now = _kept_under(connection), _meanings(viewers[connection].mapper)
        before: Meanings = json.loads(str(workspace.store.links.bases([place]).get(place, {}).get(MEANINGS) or "{}"))
        known: Fields = {MEANINGS: json.dumps({**before, **now}, sort_keys=True)}
        if changed := {native for native, stage in now.items() if before.get(native, stage) != stage}:
            # In one transaction: after half of it, nobody could tell a deal that somebody moved from one that is done.
            news = _translated(workspace, viewers, connection, before, changed)
            workspace.store.links.save_bases({**news, place: known})
        elif now.items() - before.items():
            remembered[place] = known
    return remembered


def stages_apart(link: str, sides: Mapping[Ref, Side], merged: Merged) -> list[Blocked]:
    """Ask for a move where sides may differ in the stage, do so, and merging had nothing to say of it.

    Nobody would hear of it otherwise: each of the deals stands where it stood before.
    """
    stages = {ref.connection: side.now.get(STAGE) for ref, side in sides.items()}
    differ = any(not same(one, other) for one, other in pairwise(stages.values()))
    said = {edit.name for edits in merged.edits.values() for edit in edits} | {item.name for item in merged.blocked}
    if not differ or STAGE in said:
        return []
    return [Blocked(link=link, deal=next(iter(sides)), name=STAGE, reason=DIFFER, values=stages, cause=Cause.APART)]


def _kept_under(connection: str) -> Ref:
    return Ref(connection, Kind.DEAL, MEANINGS)


def _meanings(mapper: StageMapper) -> dict[str, str]:
    """Give which stage a deal that is open in the CRM is in, or that it counts as won or lost, by the CRM's stage."""
    closed = {Status.WON: WON, Status.LOST: LOST}
    meant = {native: closed.get(place.status, place.stage) for native, place in mapper.places.items()}
    return {_native(mapper.pipeline, native): stage for native, stage in meant.items() if stage}


def _native(pipeline: str | None, stage: str | None) -> str:
    return json.dumps([pipeline, stage])


def _translated(
    workspace: Workspace, viewers: Mapping[str, Viewer], connection: str, before: Meanings, changed: Collection[str]
) -> dict[Ref, Mapping[str, Value]]:
    """Give the bases of the deals that stand where something else is meant now, and of their links."""
    news: dict[Ref, Mapping[str, Value]] = {}
    for links in chunks(workspace.store.links.links().items()):
        refs = {link: [ref for ref in found if ref.kind is Kind.DEAL] for link, found in links}
        deals = workspace.store.records.get([ref for found in refs.values() for ref in found])
        bases = workspace.store.links.bases([*deals, *map(decided_ref, refs)])
        for link, found in refs.items():
            sides = [deals[ref] for ref in found if ref in deals]
            there = [deal for deal in sides if deal.ref.connection == connection and _has_stayed(deal, bases, before)]
            kept = [deal for deal in sides if deal.ref.connection in viewers]  # others may have missed much
            if any(_native_of(deal) in changed for deal in there):
                known = _agreed if _is_settled(link, kept, bases) else _waiting
                news |= known(link, sides, there, bases, viewers)
    return news


def _native_of(deal: Record) -> str:
    at = deal.position
    return _native(at.pipeline, at.stage) if at and at.status is Status.OPEN else ""


def _has_stayed(deal: Record, bases: Bases, before: Meanings) -> bool:
    """Tell whether a deal stands where it stood when something was last agreed on."""
    meant = before.get(_native_of(deal))
    return meant is not None and same(bases.get(deal.ref, {}).get(STAGE), meant)


def _is_settled(link: str, sides: Collection[Record], bases: Bases) -> bool:
    """Tell whether what was decided on is known to have got to all sides; also where they may differ."""
    decided = bases.get(decided_ref(link), {}).get(STAGE)
    known = [bases.get(deal.ref, {}).get(STAGE) for deal in sides]
    return decided == APART or all(same(each, decided) for each in known)


def _agreed(
    link: str, sides: Collection[Record], there: Collection[Record], bases: Bases, viewers: Mapping[str, Viewer]
) -> dict[Ref, Mapping[str, Value]]:
    """Let those that have stayed be known to mean what they mean now, and all to agree on it if all of them do."""
    now = {deal.ref: viewers[deal.ref.connection].stage(deal) for deal in there}
    meant = {deal.ref: now.get(deal.ref, bases.get(deal.ref, {}).get(STAGE)) for deal in sides}
    values = list(meant.values())
    alike = values[0] if all(same(value, values[0]) for value in values) else APART
    return {**{ref: {STAGE: stage} for ref, stage in now.items()}, decided_ref(link): {STAGE: alike}}


def _waiting(
    link: str, _sides: Collection[Record], there: Collection[Record], bases: Bases, viewers: Mapping[str, Viewer]
) -> dict[Ref, Mapping[str, Value]]:
    """Let those that what was decided on has not got to be known to mean what they mean now; it still gets to them."""
    decided = bases.get(decided_ref(link), {}).get(STAGE)
    waiting = [deal for deal in there if not same(bases.get(deal.ref, {}).get(STAGE), decided)]
    return {deal.ref: {STAGE: viewers[deal.ref.connection].stage(deal)} for deal in waiting}
