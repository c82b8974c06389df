"""Signing: keep what records are matched by up to date, in an index of their signatures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from crmbridge.engine.sync.matching import (
    BELONGS,
    UNREAD,
    Rule,
    belongs_to,
    looks_at_company,
    signatures,
    signed_by,
    unseen,
)
from crmbridge.model.cuts import Cutter
from crmbridge.model.records import Kind, Record, Ref, Signature
from crmbridge.model.values import Fields
from crmbridge.services.chunks import CHUNK, chunks
from crmbridge.services.links.associations import index_hanging
from crmbridge.services.workspace import Workspace
from crmbridge.settings import MatchedKind, MatchRules, Sync

KINDS: Mapping[Kind, MatchedKind] = {Kind.COMPANY: "company", Kind.CONTACT: "contact", Kind.DEAL: "deal"}


def deals_to_look_at(workspace: Workspace, entry: Sync, pending: Collection[Ref], *, first: bool) -> list[Ref]:
    """Bring the index up to date with all that is pending but deals, and give the deals that this may matter to.

    These are the pending ones, and those of a company that is pending, or of its look-alikes. `first` says that all
    deals are pending anyway. They are to be signed before anything is matched with them.
    """
    by_kind: dict[Kind, list[Ref]] = defaultdict(list)
    for ref in pending:
        by_kind[ref.kind].append(ref)
    reached: set[Ref] = set()
    for kind in (Kind.COMPANY, Kind.CONTACT):
        for part in chunks(by_kind[kind]):
            signed = sign(workspace, entry, part, workspace.store.records.get(part))
            if not first:
                reached.update(_deals_around(workspace, signed))
    for part in chunks(ref for ref in by_kind[Kind.NOTE] if ref.connection == entry.notes_source):
        reached |= index_hanging(workspace, part)
    return sorted(dict.fromkeys((*by_kind[Kind.DEAL], *reached)))  # in order already, but for the ones reached


def sign(
    workspace: Workspace,
    entry: Sync,
    refs: Collection[Ref],
    records: Mapping[Ref, Record],
    cuts: Mapping[Ref, Fields] = MappingProxyType({}),
) -> dict[Ref, tuple[Signature, ...]]:
    """Save what these records are matched by; the ones that are not there, as they are gone, by nothing.

    `cuts` has the fields that `signed_by` names of those of which somebody has cut them out.
    """
    signed = _signed(workspace, entry, refs, records, cuts)
    workspace.store.matches.put(signed)
    return signed


def sign_all(workspace: Workspace, entry: Sync, refs: Iterable[Ref]) -> None:
    """Save what many records are matched by. The index grows all over, so few large steps cost less than many."""
    for many in chunks(refs, 10 * CHUNK):
        signed: dict[Ref, tuple[Signature, ...]] = {}
        for part in chunks(many):
            signed |= _signed(workspace, entry, part, workspace.store.records.get(part))
        workspace.store.matches.put(signed)


def compared_by(workspace: Workspace, entry: Sync, records: Mapping[Ref, Record]) -> dict[Ref, tuple[Signature, ...]]:
    """Give the signatures by which counterparts of records can be told; none is saved."""
    companies = _companies(workspace, entry, records.values())
    return {ref: _comparable(_signatures(entry, record, companies)) for ref, record in records.items()}


def _signed(
    workspace: Workspace,
    entry: Sync,
    refs: Collection[Ref],
    records: Mapping[Ref, Record],
    cuts: Mapping[Ref, Fields] = MappingProxyType({}),
) -> dict[Ref, tuple[Signature, ...]]:
    companies = _companies(workspace, entry, (records[ref] for ref in refs if ref in records))
    return {ref: _signatures(entry, records[ref], companies, cuts.get(ref)) if ref in records else () for ref in refs}


def _signatures(
    entry: Sync, record: Record, companies: Mapping[Ref, Record], cut: Fields | None = None
) -> tuple[Signature, ...]:
    rules = entry.match_rules(KINDS[record.ref.kind])
    fields = _cutter(rules).cut(record.fields) if cut is None else cut
    company = Ref(record.ref.connection, Kind.COMPANY, str(fields.get("company"))) if companies else None
    return signatures(record, companies.get(company) if company else None, rules, fields)


@lru_cache(maxsize=16)
def _cutter(rules: MatchRules) -> Cutter:
    return Cutter(sorted(signed_by(rules)))


def _companies(workspace: Workspace, entry: Sync, records: Iterable[Record]) -> dict[Ref, Record]:
    """Give the companies of records, where a rule of matching looks at them."""
    rules = [rule for kind in KINDS.values() for rule in entry.match_rules(kind) if looks_at_company(rule)]
    if not rules:
        return {}
    named = {(each.ref.connection, str(each.fields["company"])) for each in records if each.fields.get("company")}
    refs = [Ref(connection, Kind.COMPANY, id_) for connection, id_ in sorted(named)]
    found = workspace.store.records.get(refs)
    others = [ref for ref in refs if ref not in found] if len(found) < len(refs) else ()
    return {**found, **_unseen(workspace, others, rules)} if others else found


def _unseen(workspace: Workspace, companies: Sequence[Ref], rules: Iterable[Rule]) -> dict[Ref, Record]:
    """Give what stands for companies that deals name and that no pull brought: nothing of them can be read.

    Those that are gone are none, and where no companies are pulled nobody looks at them.
    """
    store = workspace.store.records
    gone = store.tombstones(companies)
    pulled = {name for name in {ref.connection for ref in companies} if Kind.COMPANY in store.cursors(name)}
    return {ref: unseen(ref, rules) for ref in companies if ref.connection in pulled and ref not in gone}


def _deals_around(workspace: Workspace, signed: Mapping[Ref, Collection[Signature]]) -> set[Ref]:
    """Find the deals of companies or contacts, and those of the ones that look like them."""
    matches = workspace.store.matches
    alike = matches.find({signature for each in signed.values() for signature in each})
    refs = {*signed, *(ref for refs in alike.values() for ref in refs)}
    found = matches.find(set(map(belongs_to, refs)))
    return {ref for refs in found.values() for ref in refs}


def _comparable(signed: Iterable[Signature]) -> tuple[Signature, ...]:
    return tuple(each for each in signed if not each.rule.startswith(BELONGS) and not each.rule.endswith(UNREAD))
