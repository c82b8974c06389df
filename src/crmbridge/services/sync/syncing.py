"""Sync: link the deals of several CRMs, merge them field by field, and say what has to be written where.

It costs what changed, not what there is: the store's backlog names the records that a sync has not dealt with yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from msgspec import Struct, field

from crmbridge.engine.sync.clearing import hold_clears
from crmbridge.engine.sync.deleting import (
    ENDED,
    hold_back,
    hold_ends,
    most_at_once,
)
from crmbridge.engine.sync.forms import outdone
from crmbridge.engine.sync.glance import Glance, glance_at
from crmbridge.engine.sync.matching import link_id, signed_by
from crmbridge.engine.sync.merge import decided_ref
from crmbridge.engine.views import AROUND, Viewer
from crmbridge.model.changes import Action, Blocked, Cause, Change
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value
from crmbridge.services.chunks import chunks
from crmbridge.services.links.bases import bases_after, still_open
from crmbridge.services.links.gathering import Around, follow_merged, gather, make_viewers, writable
from crmbridge.services.links.given import with_given
from crmbridge.services.links.linking import doubts, is_open, match_fresh, own_links, replaced
from crmbridge.services.links.native_ids import in_links
from crmbridge.services.links.signing import deals_to_look_at, sign, sign_all
from crmbridge.services.sync.remapped_stages import follow_remapped
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Cap, Sync

if TYPE_CHECKING:
    from crmbridge.services.sync.comparing import Seen

Bases = Mapping[Ref, Mapping[str, Value]]


class Synced(Struct):
    """What syncing wants, and how far it got. Links and what all sides agree on are saved already."""

    changes: list[Change] = field(default_factory=list)
    blocked: list[Blocked] = field(default_factory=list)
    looked: set[str] = field(default_factory=set)  # the links, and ids of those that single deals would get
    asked: set[Ref] = field(default_factory=set)  # deals and companies of which a person must say where they belong
    marks: dict[str, int] = field(default_factory=dict)  # how far each reader of the backlog got
    between: dict[str, tuple[str, ...]] = field(default_factory=dict)  # the connections of each reader


def sync(workspace: Workspace, fresh: Collection[str], cap: Cap | None = None) -> Synced:
    """Say what every `sync` entry of the settings wants. Entries with a connection that isn't fresh are left alone.

    `cap` stands in for the entries' own caps on deletions. `dealt` must be called with what is made of the result.
    """
    synced = Synced()
    viewers = make_viewers(workspace)
    for entry in workspace.project.settings.sync:
        if set(fresh).issuperset(entry.between):
            _sync_entry(workspace, entry, writable(workspace, viewers, entry), synced, cap or entry.delete_cap)
    return synced


def dealt(workspace: Workspace, synced: Synced, unfinished: Collection[str]) -> None:
    """Note what was dealt with: everything but the links of which something is still to be written, or to be asked."""
    backlog = workspace.store.backlog
    for reader, mark in synced.marks.items():
        asked = sorted(ref for ref in synced.asked if ref.connection in synced.between[reader])
        backlog.dealt(reader, mark, asked, unfinished)
    known = {reader for reader in backlog.readers() if reader.startswith(READER)}
    current = {_reader(workspace, entry) for entry in workspace.project.settings.sync}
    backlog.forget(sorted(known - current))


READER = "sync/"


def _reader(workspace: Workspace, entry: Sync) -> str:
    """Name an entry's reader of the backlog. Under other settings all deals are looked at anew."""
    return f"{READER}{entry.name}/{workspace.project.digest}"


class _Wants(Struct):
    """What an entry wants of its deals, before it is held against how much may be emptied and deleted at once."""

    updates: list[Change] = field(default_factory=list)  # and creations
    outdone: dict[Ref, Mapping[str, Value]] = field(default_factory=dict)  # what the updates win over
    archives: list[Change] = field(default_factory=list)
    ends: dict[str, tuple[Ref, Ref]] = field(default_factory=dict)  # links that end: what is gone, and what is left


def _sync_entry(workspace: Workspace, entry: Sync, viewers: Mapping[str, Viewer], synced: Synced, cap: Cap) -> None:
    reader = _reader(workspace, entry)
    mark, pending, first = _pending(workspace, entry, reader)
    # An idle run saves nothing that this could go along with, and need not ask.
    remembered = follow_remapped(workspace, viewers) if pending or first else {}
    synced.looked.update(_asked_before(workspace, entry))
    synced.marks[reader], synced.between[reader] = mark, entry.between
    deals = _deals_of(workspace, entry, pending, first=first)
    links, unsigned = _link_all(workspace, entry, deals, synced, set(pending))
    wants = _look_at(workspace, entry, viewers, links, synced, unsigned=unsigned, remembered=remembered)
    synced.changes += _few_clears(workspace, entry, wants, synced.blocked)
    _few_deletions(workspace, wants, synced, cap)


def _deals_of(workspace: Workspace, entry: Sync, pending: Collection[Ref], *, first: bool) -> list[Ref]:
    """Give the deals to look at for what is pending, in order, once merges of them and around them are followed."""
    for part in chunks(ref for ref in pending if ref.kind in AROUND.values() and not first):
        follow_merged(workspace, part)
    deals = deals_to_look_at(workspace, entry, pending, first=first)
    survivors = [end for part in chunks(deals) for end in follow_merged(workspace, part)]
    return sorted(dict.fromkeys((*deals, *survivors)))  # in order already, but for the few survivors


def _look_at(
    workspace: Workspace,
    entry: Sync,
    viewers: Mapping[str, Viewer],
    links: Collection[str],
    synced: Synced,
    *,
    unsigned: Collection[Ref],
    remembered: Bases,
) -> _Wants:
    """Look at links, some at a time, and save what their sides agree on, with what is `remembered` of stages."""
    unclear = bases_after(viewers, _unclear_updates(workspace, viewers))
    signing = signed_by(entry.match_rules("deal"))
    glance = glance_at([viewers[name] for name in entry.between], entry.policy, signing)
    wants = _Wants()
    for some in chunks(links):
        around = with_given(workspace, gather(workspace, entry, viewers, some, glance))
        unsigned_here = [ref for refs in around.links.values() for ref in refs if ref in unsigned]
        sign(workspace, entry, unsigned_here, around.deals, around.cuts)
        seen = _seen(workspace, entry, around, unclear, glance)
        if seen.members:
            # Another deal may lead them now, so enforcement has to look at what is left, whenever this is killed.
            workspace.store.backlog.touch([ref for refs in seen.members.values() for ref in refs])
        seen.agreed |= remembered
        workspace.store.links.save(seen.members, seen.agreed)  # one without the other would make no sense later
        synced.looked.update(some)
        synced.looked.update(around.companions)
        _ask_about(synced, around.unclear)
        synced.blocked += seen.blocked
        wants.ends |= seen.ends
        wants.outdone |= seen.outdone
        wants.archives += (change for change in seen.changes if change.action is Action.ARCHIVE)
        wants.updates += (change for change in seen.changes if change.action is not Action.ARCHIVE)
    if not links:
        workspace.store.links.save_bases(remembered)
    return wants


def _asked_before(workspace: Workspace, entry: Sync) -> Iterator[str]:
    """Name what companies wait under of which a person was asked: they are pending until nobody has to be.

    And companies and contacts that could not be made: the deals that need them are pending, or none needs them now.
    """
    for each in workspace.store.waiting.all():
        about, asked = each.item.deal, each.item.cause is Cause.LINK and each.item.deal.kind is Kind.COMPANY
        unmade = about.kind in {Kind.COMPANY, Kind.CONTACT} and not about.id
        if about.connection in entry.between and (asked or unmade):
            yield each.item.link


def _ask_about(synced: Synced, unclear: Iterable[Blocked]) -> None:
    """Ask about companies, each once, and look at their deals again in the next run."""
    for item in unclear:
        if item.deal not in synced.asked:
            synced.asked.add(item.deal)
            synced.blocked.append(item)


def _few_clears(workspace: Workspace, entry: Sync, wants: _Wants, blocked: list[Blocked]) -> Sequence[Change]:
    """Hold back what empties a field in too many deals. What it would have outdone still stands, and is no newer."""
    kept, held = hold_clears(wants.updates, entry.clear_cap, lambda: _count_links(workspace))
    blocked += held
    standing = {item.deal: set[str]() for item in held}
    for item in held:
        standing[item.deal].add(item.name)
    lost = wants.outdone
    marks = {ref: {n: v for n, v in lost[ref].items() if n in names} for ref, names in standing.items() if ref in lost}
    workspace.store.links.save_bases({ref: outdone(values) for ref, values in marks.items() if values})
    return kept


def _few_deletions(workspace: Workspace, wants: _Wants, synced: Synced, cap: Cap) -> None:
    """Hold back what archives too many deals, or ends too many links; note which links end where they are few."""
    count = _count_links(workspace) if wants.archives or wants.ends else 0
    kept, held = hold_back(wants.archives, cap, count)
    synced.changes += kept
    synced.blocked += held
    most = most_at_once(cap, count)
    if len(wants.ends) > most:
        synced.blocked += hold_ends(wants.ends, most)
    else:
        workspace.store.links.save_bases({decided_ref(link): {ENDED: True} for link in wants.ends})


def _seen(workspace: Workspace, entry: Sync, around: Around, unclear: Bases, glance: Glance) -> Seen:
    from crmbridge.services.sync.comparing import Seen  # noqa: PLC0415  what an idle cycle does without

    seen = Seen(workspace, entry, around, unclear, glance)
    seen.look()
    return seen


def _count_links(workspace: Workspace) -> int:
    links = workspace.store.links.links().values()
    return sum(len(refs) > 1 and refs[0].kind is Kind.DEAL for refs in links)


def _pending(workspace: Workspace, entry: Sync, reader: str) -> tuple[int, list[Ref], bool]:
    """Give what is pending between the connections of an entry, and whether that is everything."""
    backlog = workspace.store.backlog
    first = reader not in backlog.readers()
    if first:
        # What was signed for other rules is signed anew, so who looked by those may not go on where it was.
        others = f"{READER}{entry.name}/"
        backlog.forget([each for each in backlog.readers() if each.startswith(others)])
    mark, pending = backlog.pending(reader)
    here = [ref for ref in pending if ref.connection in entry.between]
    if not first and any(ref.kind is Kind.USER for ref in here):  # an e-mail may stand for another owner now
        backlog.forget([reader])
        return _pending(workspace, entry, reader)
    return mark, here, first


def _link_all(
    workspace: Workspace, entry: Sync, deals: Collection[Ref], synced: Synced, pending: Collection[Ref]
) -> tuple[Mapping[str, None], frozenset[Ref]]:
    """Give the links of these deals, and those of the deals that are still to be signed.

    Where all are linked nothing is matched with them, so that can be done when they are loaded to be looked at. The
    links are in the order of the deals, in which records and bases lie in the state and are read fastest.
    """
    links: dict[str, None] = {}
    alone: list[Ref] = []
    for part in chunks(deals):
        known = workspace.store.links.of(part)
        links.update(dict.fromkeys(known[ref] for ref in part if ref in known))
        alone += [ref for ref in part if ref not in known]
    if not alone:
        return links, frozenset(deals)
    sign_all(workspace, entry, deals)
    for part in chunks(alone):
        links.update(dict.fromkeys(sorted(_link(workspace, entry, part, synced, pending))))
    return links, frozenset()


def _link(
    workspace: Workspace, entry: Sync, deals: Collection[Ref], synced: Synced, pending: Collection[Ref]
) -> set[str]:
    """Give the links of deals that stood in none. One without a counterpart has its own, where others may be created.

    Enforcement has to look at deals that are linked without having changed, as another one may lead them now.
    """
    known = workspace.store.links.of(deals)  # by now some are the counterparts of others
    links = set(known.values())
    alone = [ref for ref in deals if ref not in known]
    synced.looked.update(map(link_id, alone))
    fresh = workspace.store.records.get(alone)
    if not fresh:
        return links
    matched = match_fresh(workspace, entry, Kind.DEAL, fresh)
    workspace.store.backlog.touch([r for refs in matched.links.values() for r in refs if r not in pending])
    synced.blocked += matched.ambiguous
    synced.asked.update(item.deal for item in matched.ambiguous)
    links.update(matched.links)
    alone = [ref for ref in matched.single if entry.create and is_open(fresh[ref])]
    unsure = doubts(workspace, entry, alone)
    synced.blocked += unsure.values()
    synced.asked.update(unsure)
    single = own_links(workspace, [ref for ref in alone if ref not in unsure])
    again = replaced(workspace, single)
    synced.blocked += again.values()
    synced.asked.update(again)
    single = {link: refs for link, refs in single.items() if again.keys().isdisjoint(refs)}
    workspace.store.links.save(single)
    links.update(single)
    return links


def _unclear_updates(workspace: Workspace, viewers: Mapping[str, Viewer]) -> list[tuple[Change, Ref]]:
    changes = in_links(workspace, [entry.change for entry in workspace.store.journal.unsettled()])
    targets = [(c, c.target) for c in changes if c.target is not None and c.connection in viewers]
    bases = workspace.store.links.bases([ref for _, ref in targets]) if targets else {}
    return [(still_open(change, bases.get(ref, {}), viewers[change.connection]), ref) for change, ref in targets]
