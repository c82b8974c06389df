"""Linking: find the counterparts of records that have none."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from crmbridge.engine.sync.deleting import ENDED, returned, with_lost
from crmbridge.engine.sync.matching import (
    EXTERNAL_KEY,
    MARKED,
    Around,
    Matched,
    doubtful,
    goes_by,
    link_id,
    link_of_key,
    match,
    may_be_alike,
    namesake,
)
from crmbridge.engine.sync.merge import decided_ref
from crmbridge.errors import CrmbridgeError
from crmbridge.model.changes import Blocked
from crmbridge.model.records import Kind, Record, Ref, Status
from crmbridge.services.links.apart import apart
from crmbridge.services.links.signing import KINDS, compared_by
from crmbridge.services.links.typed_refs import ref_of
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Sync


def is_open(deal: Record) -> bool:
    """Tell whether a deal is still being sold."""
    return deal.position is not None and deal.position.status is Status.OPEN


def match_fresh(workspace: Workspace, entry: Sync, kind: Kind, records: Mapping[Ref, Record]) -> Matched:
    """Match records of one kind that stand in no link, by the index, and save the links that this makes."""
    signed = compared_by(workspace, entry, records)
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
    matched = match(around, entry.match_rules(KINDS[kind]), entry.between, kind)
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


def replaced(workspace: Workspace, links: Mapping[str, tuple[Ref, ...]]) -> dict[Ref, Blocked]:
    """Ask about deals, given by their new links, that are back, while another one was made in the place they had.

    A counterpart of their own would be the second one. Of what a person told apart from others nothing is asked.
    """
    again = {link_id(ref): ref for link, (ref,) in links.items() if link != link_id(ref)}
    if not again:
        return {}
    taken, bases = workspace.store.links.get(again), workspace.store.links.bases(list(map(decided_ref, again)))
    had = {
        ref: taken[link] for link, ref in again.items() if str(ref) in with_lost(bases.get(decided_ref(link), {}), ())
    }
    told = apart(workspace, had)
    return {ref: returned(ref, had[ref]) for ref in sorted(had) if told.get(ref, set()).isdisjoint(map(str, had[ref]))}


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
        known = workspace.store.records.get([ref for ref in refs if ref.kind is kind and ref not in found])
        fresh = {ref: known[ref] for ref in sorted(known)}
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
    signed = {each for own in compared_by(workspace, entry, records).values() for each in own}
    alike = {ref for refs in workspace.store.matches.find(signed).values() for ref in refs}
    there = {ref for ref in alike if ref.connection == connection and ref.kind is members[0].kind}
    alone = workspace.store.records.get(sorted(there - workspace.store.links.of(there).keys()))
    matched = match_fresh(workspace, entry, members[0].kind, alone) if alone else None
    return matched.links.get(link, tuple(members)) if matched else tuple(members)


def _can_be_had(workspace: Workspace, entry: Sync, record: Record) -> bool:
    others = [name for name in entry.between if name != record.ref.connection]
    return record.natural_key is not None and all(may_make(workspace, entry, name, record.ref.kind) for name in others)


def is_another(workspace: Workspace, record: Record, connection: str) -> bool:
    """Tell whether what was made for a record would be found there: as another's, or as one told apart from it."""
    signature = goes_by(record)
    alike = workspace.store.matches.find({signature}).get(signature, ()) if signature else ()
    if workspace.store.links.of([ref for ref in alike if ref.connection == connection]):
        return True
    told = apart(workspace, [record.ref]).get(record.ref, frozenset())
    names = [ref for text in told if (ref := ref_of(workspace, text)) is not None and ref.connection == connection]
    others = workspace.store.records.get(names).values() if names else ()
    return any(other.natural_key == record.natural_key for other in others)


def may_make(workspace: Workspace, entry: Sync, connection: str, kind: Kind) -> bool:
    """Tell whether companies, or contacts, that are missing in a connection are created there."""
    policy = entry.contacts if kind is Kind.CONTACT else entry.companies
    if policy != "create" or connection not in entry.create:
        return False
    try:
        return kind in workspace.adapter(connection).capabilities.creates
    except CrmbridgeError:  # applying will say so, in words about signing in
        return True
