"""Linking: keep what records are matched by up to date, and find the counterparts of those that have none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import count
from types import MappingProxyType
from typing import NamedTuple

from crmbridge.engine.deleting import ENDED
from crmbridge.engine.matching import (
    BELONGS,
    EXTERNAL_KEY,
    MARKED,
    UNREAD,
    Around,
    Matched,
    Rule,
    belongs_to,
    doubtful,
    goes_by,
    link_id,
    link_of_key,
    looks_at_company,
    match,
    may_be_alike,
    namesake,
    natural_key,
    signatures,
    signed_by,
    unseen,
)
from crmbridge.engine.merge import decided_ref
from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Blocked
from crmbridge.model.cuts import Cutter
from crmbridge.model.records import Kind, Record, Ref, Signature, Status
from crmbridge.model.values import Fields
from crmbridge.services.chunks import CHUNK, chunks
from crmbridge.services.links.apart import apart
from crmbridge.services.links.associations import index_hanging
from crmbridge.services.links.typed_refs import ref_of
from crmbridge.services.workspace import Workspace
from crmbridge.settings import MatchedKind, MatchRules, Sync

_KINDS: Mapping[Kind, MatchedKind] = {Kind.COMPANY: "company", Kind.CONTACT: "contact", Kind.DEAL: "deal"}


def is_open(deal: Record) -> bool:
    """Tell whether a deal is still being sold."""
    return deal.position is not None and deal.position.status is Status.OPEN


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
    rules = entry.match_rules(_KINDS[record.ref.kind])
    fields = _cutter(rules).cut(record.fields) if cut is None else cut
    company = Ref(record.ref.connection, Kind.COMPANY, str(fields.get("company"))) if companies else None
    return signatures(record, companies.get(company) if company else None, rules, fields)


@lru_cache(maxsize=16)
def _cutter(rules: MatchRules) -> Cutter:
    return Cutter(sorted(signed_by(rules)))


def _companies(workspace: Workspace, entry: Sync, records: Iterable[Record]) -> dict[Ref, Record]:
    """Give the companies of records, where a rule of matching looks at them."""
    rules = [rule for kind in _KINDS.values() for rule in entry.match_rules(kind) if looks_at_company(rule)]
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


def match_fresh(workspace: Workspace, entry: Sync, kind: Kind, records: Mapping[Ref, Record]) -> Matched:
    """Match records of one kind that stand in no link, by the index, and save the links that this makes."""
    companies = _companies(workspace, entry, records.values())
    signed = {ref: _comparable(_signatures(entry, record, companies)) for ref, record in records.items()}
    alike = workspace.store.matches.find({signature for each in signed.values() for signature in each})
    links = workspace.store.links
    named = {link_of_key(s.text) for s in alike if s.rule == EXTERNAL_KEY} - {""}
    if kind is not Kind.DEAL:  # which have a key of ours
        named |= set(map(link_id, records))
    taken = links.of({ref for refs in alike.values() for ref in refs})
    known = links.get({*named, *taken.values()})
    members = sorted({ref for refs in known.values() for ref in refs})
    around = Around(
        signatures=signed,
        alike=alike,
        links=known,
        present=workspace.store.records.get(members).keys(),
        apart=_told_apart(workspace, {*records, *members, *(ref for refs in alike.values() for ref in refs)}),
    )
    matched = match(around, entry.match_rules(_KINDS[kind]), entry.between, kind)
    # What was made again takes up a link that ended when the one before it was deleted.
    longer = [decided_ref(link) for link in matched.links if known.get(link)] if entry.delete == "unlink" else []
    links.save(matched.links, {base: {ENDED: None} for base in longer})
    return matched


def _told_apart(workspace: Workspace, refs: Collection[Ref]) -> set[frozenset[Ref]]:
    by_text = {str(ref): ref for ref in refs}
    noted = apart(workspace, refs)
    return {frozenset((ref, by_text[text])) for ref, others in noted.items() for text in others if text in by_text}


def doubts(workspace: Workspace, entry: Sync, deals: Collection[Ref]) -> dict[Ref, Blocked]:
    """Say of which of these deals, which are to be given counterparts, nobody knows whether they have them already.

    That is so where what a rule compares can't all be read, of them or of deals without a link that may be theirs. Of
    what a person told apart from others nothing is asked.
    """
    matches = workspace.store.matches
    hidden = matches.find({MARKED}).get(MARKED, ()) if deals else ()
    if not hidden:
        return {}
    known = {*workspace.store.links.of(hidden), *apart(workspace, {*hidden, *deals})}
    unread = {ref: signed for ref, signed in matches.of(hidden).items() if ref not in known}
    found: dict[Ref, Blocked] = {}
    for deal, signed in matches.of([ref for ref in deals if ref not in known]).items():
        there = {name for name in entry.create if name != deal.connection}
        others: dict[str, list[Ref]] = defaultdict(list)
        for ref, theirs in unread.items():
            if ref.connection in there and any(may_be_alike(one, other) for one in signed for other in theirs):
                others[ref.connection].append(ref)
        if others or (there and deal in unread):
            found[deal] = doubtful(deal, others)
    return found


def _comparable(signed: Iterable[Signature]) -> tuple[Signature, ...]:
    return tuple(each for each in signed if not each.rule.startswith(BELONGS) and not each.rule.endswith(UNREAD))


class LinksAround(NamedTuple):
    """The links of companies and contacts, and of which companies a person must say what they belong to."""

    links: Mapping[Ref, str]
    unclear: Sequence[Blocked] = ()


def links_around(workspace: Workspace, entry: Sync, refs: Collection[Ref]) -> LinksAround:
    """Give the links of companies and contacts, matching those that have none.

    Where the missing ones can be created in all the other CRMs, what has no counterpart gets a link of its own. What
    has none and can't be had is nobody's matter: in a deal's view it would stand as somebody's edit for ever. Nor is a
    contact that several fit, as contacts hang together loosely.
    """
    found = dict(workspace.store.links.of(refs))
    unclear: tuple[Blocked, ...] = ()
    for kind, policy in ((Kind.COMPANY, entry.companies), (Kind.CONTACT, entry.contacts)):
        fresh = workspace.store.records.get(sorted(ref for ref in refs if ref.kind is kind and ref not in found))
        if not fresh:
            continue
        matched = match_fresh(workspace, entry, kind, fresh)
        unclear += tuple(item for item in matched.ambiguous if kind is Kind.COMPANY and item.deal in fresh)
        found.update({ref: link for link, members in matched.links.items() for ref in members})
        if policy == "create":
            told = apart(workspace, matched.single)
            had = (ref for ref in matched.single if ref not in told and _can_be_had(workspace, entry, fresh[ref]))
            firsts, others = _firsts(workspace, {ref: fresh[ref] for ref in had})
            unclear += tuple(others if kind is Kind.COMPANY else ())
            alone = own_links(workspace, firsts)
            workspace.store.links.save(alone)
            found.update({ref: link for link, (ref,) in alone.items()})
    return LinksAround(found, unclear)


def _firsts(workspace: Workspace, records: Mapping[Ref, Record]) -> tuple[list[Ref], list[Blocked]]:
    """Give the first of those companies or contacts that go by one name, unless another one is linked; and the rest.

    What is made for one of them would be found to be there when it is made for the next, and taken for that one's.
    """
    named = {ref: signature for ref, record in records.items() if (signature := goes_by(record)) is not None}
    alike = workspace.store.matches.find(set(named.values()))
    linked = workspace.store.links.of({other for refs in alike.values() for other in refs})
    firsts: dict[Ref, None] = {}
    rest: list[Blocked] = []
    for ref in sorted(named):
        others = (other for other in alike.get(named[ref], ()) if other != ref and other[:2] == ref[:2])
        taken = next((other for other in others if other in linked or other in firsts), None)
        if taken is None:
            firsts[ref] = None
        else:
            rest.append(namesake(records[ref], taken))
    return list(firsts), rest


def own_links(workspace: Workspace, refs: Collection[Ref]) -> dict[str, tuple[Ref, ...]]:
    """Name links of their own for records that stand in none.

    Where a record was merged into another one and is back, that one has its link, with its counterparts.
    """
    taken = workspace.store.links.get(list(map(link_id, refs)))
    named = {ref: own_link(workspace, ref) if taken.get(link_id(ref)) else link_id(ref) for ref in refs}
    return {link: (ref,) for ref, link in named.items()}


def own_link(workspace: Workspace, ref: Ref) -> str:
    """Name a link that starts with a record, and that no others have."""
    links = workspace.store.links
    return next(link for again in count() if not links.get([link := link_id(ref, again)]).get(link))


def matched_since(
    workspace: Workspace, entry: Sync, link: str, members: Sequence[Ref], connection: str
) -> tuple[Ref, ...]:
    """Look in a connection for the counterpart of a company or contact that others have linked; give all members then.

    It may have come there since, or the connection was left out of the settings when the others were linked.
    """
    records = workspace.store.records.get(members)
    companies = _companies(workspace, entry, records.values())
    signed = {each for record in records.values() for each in _comparable(_signatures(entry, record, companies))}
    alike = {ref for refs in workspace.store.matches.find(signed).values() for ref in refs}
    there = {ref for ref in alike if ref.connection == connection and ref.kind is members[0].kind}
    alone = workspace.store.records.get(sorted(there - workspace.store.links.of(there).keys()))
    matched = match_fresh(workspace, entry, members[0].kind, alone) if alone else None
    return matched.links.get(link, tuple(members)) if matched else tuple(members)


def _can_be_had(workspace: Workspace, entry: Sync, record: Record) -> bool:
    others = [name for name in entry.between if name != record.ref.connection]
    return natural_key(record) is not None and all(may_make(workspace, entry, name, record.ref.kind) for name in others)


def is_another(workspace: Workspace, record: Record, connection: str) -> bool:
    """Tell whether what was made for a record would be found there, as one that a person told apart from it."""
    told = apart(workspace, [record.ref]).get(record.ref, frozenset())
    names = [ref for text in told if (ref := ref_of(workspace, text)) is not None and ref.connection == connection]
    others = workspace.store.records.get(names).values() if names else ()
    return any(natural_key(other) == natural_key(record) for other in others)


def may_make(workspace: Workspace, entry: Sync, connection: str, kind: Kind) -> bool:
    """Tell whether companies, or contacts, that are missing in a connection are created there."""
    policy = entry.contacts if kind is Kind.CONTACT else entry.companies
    if policy != "create" or connection not in entry.create:
        return False
    try:
        return kind in workspace.adapter(connection).capabilities.creates
    except CrmbridgeError:  # applying will say so, in words about signing in
        return True
