"""How the sandbox merges two records: into the primary one, or into a new one, as accounts were seen to do both."""

from __future__ import annotations

from crmbridge_hubspot.sandbox.objects import HubSpotState
from crmbridge_hubspot.sandbox.records import CrmObject, Source
from crmbridge_hubspot.sandbox.replies import validation

MERGES = frozenset({"deals", "contacts", "companies"})
LOSERS = "hs_merged_object_ids"


def merge(state: HubSpotState, name: str, winner: str, loser: str) -> CrmObject:
    """Merge a record into another and give what is left; the ids that are gone lead to it.

    Which id that has is not documented for certain: the primary record's, or with `state.merges_make_new_ids` a new
    one ("Deals now support merging").
    """
    if name not in MERGES:
        raise validation(f"Records of type {name} can't be merged")
    primary, gone = state.get(name, winner), state.get(name, loser)
    if primary is gone:
        raise validation("A record can't be merged with itself")
    kept = _renewed(state, primary, gone) if state.merges_make_new_ids else primary
    for record in (primary, gone):
        if record is not kept:
            _swallow(state, kept, record)
    state.touch(kept)
    return kept


def _renewed(state: HubSpotState, primary: CrmObject, gone: CrmObject) -> CrmObject:
    table = state.tables[primary.kind.name]
    made = CrmObject(
        state.next_id(primary.kind),
        primary.kind,
        min(primary.created_at, gone.created_at),
        state.now(),
        dict(primary.properties),
        {n: list(v) for n, v in primary.history.items()},
    )
    table[made.id] = made
    return made


def _swallow(state: HubSpotState, kept: CrmObject, gone: CrmObject) -> None:
    """Take over what the record that goes has and the other lacks: values, links, and the ids merged into it."""
    now = state.now()
    state.links.move(gone, kept)
    for prop, value in gone.properties.items():
        if prop not in kept.properties and prop != LOSERS:
            kept.put(prop, value, now, Source("MERGE_OBJECTS"))
    known = [kept.properties.get(LOSERS, ""), gone.properties.get(LOSERS, ""), gone.id]
    ids = dict.fromkeys(each for text in known for each in text.split(";") if each)
    kept.put(LOSERS, ";".join(ids), now, Source("CALCULATED"))
    del state.tables[gone.kind.name][gone.id]
    state.merged[gone.id] = kept.id
