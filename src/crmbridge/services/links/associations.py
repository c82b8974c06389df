"""What hangs on deals, and what deals name, found in both directions without reading all of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from crmbridge.engine.sync.matching import BELONGS, around, belongs_to, hangs_on
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.services.workspace import Workspace


def index_hanging(workspace: Workspace, refs: Sequence[Ref]) -> set[Ref]:
    """Save which deals these activities or notes hang on; name those deals, and the ones that they hung on before."""
    matches = workspace.store.matches
    records = workspace.store.records.get(refs)
    before = matches.of(refs)
    after = {ref: [hangs_on(deal, ref.kind) for deal in _deals_of(records.get(ref))] for ref in refs}
    matches.put(after)
    return {
        Ref(ref.connection, Kind.DEAL, signature.text.partition("/")[2])
        for found in (before, after)
        for ref, signatures in found.items()
        for signature in signatures
    }


def hanging_on(workspace: Workspace, deals: Collection[Ref], kind: Kind) -> dict[Ref, list[Record]]:
    """Give the activities, or notes, of deals, in the order of their ids; deals without any are left out."""
    by_signature = {hangs_on(deal, kind): deal for deal in deals}
    found = workspace.store.matches.find(by_signature)
    records = workspace.store.records.get(sorted({ref for refs in found.values() for ref in refs}))
    hanging: dict[Ref, list[Record]] = defaultdict(list)
    for signature, refs in found.items():
        hanging[by_signature[signature]] += [records[ref] for ref in refs if ref in records]
    return hanging


def index_named(workspace: Workspace, deals: Sequence[Ref]) -> None:
    """Save which companies and contacts these deals name. What else they are matched by stays."""
    matches = workspace.store.matches
    records = workspace.store.records.get(deals)
    before = matches.of(deals)
    after = {}
    for deal in deals:
        held = before.get(deal, ())
        named = {belongs_to(ref) for ref in around(records[deal])} if deal in records else set()
        others = {signature for signature in held if not signature.rule.startswith(BELONGS)}
        if others | named != set(held):
            after[deal] = sorted(others | named)
    matches.put(after)


def deals_naming(workspace: Workspace, refs: Collection[Ref]) -> set[Ref]:
    """Find the deals that name one of these companies or contacts."""
    found = workspace.store.matches.find(set(map(belongs_to, refs)))
    return {ref for refs in found.values() for ref in refs if ref.kind is Kind.DEAL}


def _deals_of(record: Record | None) -> tuple[Ref, ...]:
    deals = record.fields.get("deals") if record else None
    natives = deals if record and isinstance(deals, tuple) else ()
    return tuple(Ref(record.ref.connection, Kind.DEAL, native) for native in natives) if record else ()
