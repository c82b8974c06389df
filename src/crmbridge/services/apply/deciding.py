"""Decide: remember what sync decides on before it is written, so that it stands whatever becomes of the writes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct, field

from crmbridge.engine.sync.merge import decided_ref, may_differ
from crmbridge.engine.sync.sameness import same
from crmbridge.engine.views import CONTACTS, Viewer
from crmbridge.model.changes import Action, Change, Origin
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value
from crmbridge.services.links.bases import canonical_before, canonical_edits
from crmbridge.services.links.gathering import around_deals, with_links
from crmbridge.services.workspace import Workspace

View = Mapping[str, Value]
Bases = dict[Ref, dict[str, Value]]
_DECIDE = {Action.UPDATE, Action.CREATE}


class Decisions(Struct, frozen=True, kw_only=True):
    """What a plan decides on, link by link, seen from where it starts to be applied. Make it with `decisions_of`."""

    edits: Mapping[str, View]  # change -> what it writes, as sync sees it
    before: Mapping[str, View] = field(default_factory=dict)  # the same for what the plan saw there
    changes: Mapping[str, Sequence[Change]]  # by link
    views: Mapping[str, Mapping[Ref, View]]  # link -> what each deal has
    decided: Mapping[str, View]  # link -> what was decided on before
    members: Mapping[str, Collection[Ref]] = field(default_factory=dict)  # of the links that changes are made for
    deleted: frozenset[Ref] = frozenset()  # those of them that are gone, where others are to be archived for it
    alone: Mapping[str, Collection[str]] = field(default_factory=dict)  # creation -> fields of which it alone speaks
    contacts: Mapping[str, Value] = field(default_factory=dict)  # update -> all of them, where its CRM can't have some
    _taken: set[tuple[str, str]] = field(default_factory=set)  # the links and fields that were decided on here

    def lost(self, change: Change) -> bool:
        """Tell whether what an update writes is nobody's value any more: neither held nor decided on before.

        So is all that is meant for a deal that a person parted from the others since, or of which a later pull brought
        something else than the plan saw: that is an edit which is still to be dealt with.
        """
        return self._has_no_reason(change) or not all(
            self._stands(change, name) for name in self.edits.get(change.id, ())
        )

    def _stands(self, change: Change, name: str) -> bool:
        """Tell whether what an update is to write in a field, and to write over, is still what is known of it."""
        if change.link is None or change.target is None or change.action is not Action.UPDATE:
            return True
        views = self.views[change.link]
        here = views.get(change.target, {})
        places = [self.decided.get(change.link, {}), *(view for ref, view in views.items() if ref != change.target)]
        before = self.before.get(change.id, here)
        as_seen = name not in here or same(here[name], before[name])
        return as_seen and _is_said(name, self.edits[change.id][name], places, here)

    def _has_no_reason(self, change: Change) -> bool:
        """Tell whether a deal is none of its link any more, or is to be archived for one that is back."""
        if change.origin is not Origin.SYNC or change.link is None or change.target is None:
            return False
        members = self.members.get(change.link, ())
        return change.target not in members or (change.action is Action.ARCHIVE and self.deleted.isdisjoint(members))

    def bases(self, going: Iterable[Change]) -> Bases:
        """Give the bases that follow from deciding on what these changes write.

        Each side's base becomes what it had, and the link's own base what all should hold, so what a person does from
        now on is a later edit. Other changes of the same fields are the same decision, taken once, but for those that
        stand no more.
        """
        fields = {(c.link or "", name) for c in going for name in self.edits.get(c.id, {})}
        new = fields - self._taken
        self._taken.update(new)
        bases: Bases = {}
        for link in {link for link, _ in new}:
            for change in self.changes[link]:
                if not self._has_no_reason(change):
                    self._decide(change, link, {name for taken, name in new if taken == link}, bases)
        return bases

    def _decide(self, change: Change, link: str, fields: Collection[str], bases: Bases) -> None:
        views = self.views[link]
        for name, written in self.edits[change.id].items():
            after = self.contacts.get(change.id, written) if name == CONTACTS else written
            sides = {ref: view[name] for ref, view in views.items() if name in view and ref != change.target}
            holders = [ref for ref, value in sides.items() if same(value, after)]
            if name not in fields or not self._stands(change, name):
                continue
            # A new deal is made from one side; where others differ, that is for the merge to decide. If it alone
            # speaks of the field, it has nothing to say to the side that it was made from.
            is_open = change.action is Action.CREATE and len(holders) < len(sides)
            if is_open and name not in self.alone.get(change.id, ()):
                continue
            for ref in (*holders, *(() if is_open else (decided_ref(link),))):
                bases.setdefault(ref, {})[name] = after
            if change.target is not None and name in views.get(change.target, {}):
                bases.setdefault(change.target, {})[name] = views[change.target][name]


def _is_said(name: str, value: Value, places: Sequence[View], here: View) -> bool:
    """Tell whether a value stands in one of these places; the members of a set may stand in several, and here."""
    if any(name in place and same(place[name], value) for place in places):
        return True
    sets = [found for place in (*places, here) if isinstance(found := place.get(name), tuple) and not may_differ(found)]
    if not sets or not (value is None or isinstance(value, tuple)):
        return False
    return {member for found in sets for member in found}.issuperset(value or ())  # None: each side removed some


def decisions_of(workspace: Workspace, viewers: Mapping[str, Viewer], changes: Sequence[Change]) -> Decisions:
    """Look at what these changes of one plan decide on; what enforcement wants alone is no matter of sync."""
    by_link: dict[str, list[Change]] = defaultdict(list)
    for change in changes:
        if change.link is not None and change.kind is Kind.DEAL and change.action in _DECIDE:
            by_link[change.link].append(change)
    creations = [c for found in by_link.values() for c in found if c.action is Action.CREATE]
    archived = {change.link for change in changes if change.link is not None and change.action is Action.ARCHIVE}
    links = workspace.store.links.get({change.link for change in changes if change.link is not None})
    maybe = sorted({ref for link in archived for ref in links.get(link, ())})
    bases = workspace.store.links.bases([decided_ref(link) for link in by_link])
    refs = {link: links.get(link, ()) for link in by_link}
    records = workspace.store.records.get([ref for found in refs.values() for ref in found])
    viewers = with_links(viewers, workspace.store.links.of(around_deals(viewers, records.values())))
    views = {
        link: {
            ref: viewers[ref.connection].view(records[ref])
            for ref in found
            if ref in records and ref.connection in viewers  # not of one that the settings leave out now
        }
        for link, found in refs.items()
    }
    return Decisions(
        edits={c.id: dict(canonical_edits(c, viewers[c.connection])) for found in by_link.values() for c in found},
        before={c.id: canonical_before(c, viewers[c.connection]) for found in by_link.values() for c in found},
        changes=by_link,
        views=views,
        decided={link: bases.get(decided_ref(link), {}) for link in by_link},
        members=links,
        deleted=frozenset(workspace.store.records.tombstones(maybe)) if maybe else frozenset(),
        alone={creation.id: _spoken_of(workspace, creation) for creation in creations},
        contacts=_all_contacts(workspace, by_link, views),
    )


def _all_contacts(
    workspace: Workspace, by_link: Mapping[str, Sequence[Change]], views: Mapping[str, Mapping[Ref, View]]
) -> dict[str, Value]:
    """Give, for updates of contacts, those that all deals should have: also what its CRM can't have, as others do.

    Without these it would seem, as soon as somebody adds another one, that they were taken off.
    """
    changes = [c for found in by_link.values() for c in found if c.action is Action.UPDATE and _says_contacts(c)]
    others = {c.id: _held_elsewhere(c, by_link[c.link or ""], views[c.link or ""]) for c in changes}
    links = {link for found in others.values() for link in found}
    members = workspace.store.links.get(links) if links else {}
    there = workspace.store.records.get([ref for refs in members.values() for ref in refs]) if links else {}
    had = {(link, ref.connection) for link, refs in members.items() for ref in refs if ref in there}
    return {
        c.id: tuple(sorted(_set(c.after[CONTACTS]).union(link for link in lacking if (link, c.connection) not in had)))
        for c in changes
        if (lacking := others[c.id])
    }


def _held_elsewhere(change: Change, beside: Sequence[Change], views: Mapping[Ref, View]) -> frozenset[str]:
    """Name the contacts that an update does not write, and that deals have which get no others now."""
    busy = {each.target for each in beside if _says_contacts(each)}
    held = (_set(view.get(CONTACTS)) for ref, view in views.items() if ref not in busy)
    return frozenset[str]().union(*held) - _set(change.after[CONTACTS])


def _says_contacts(change: Change) -> bool:
    return CONTACTS in change.linked and CONTACTS in change.after


def _set(value: Value) -> frozenset[str]:
    return frozenset(value) if isinstance(value, tuple) else frozenset()


def _spoken_of(workspace: Workspace, creation: Change) -> frozenset[str]:
    """Name the fields of a deal to be made of which its connection alone speaks."""
    entries = [each for each in workspace.project.settings.sync if creation.connection in each.between]
    names = [edit.name for edit in creation.edits]
    return frozenset(n for each in entries for n in names if each.policy(n).source == creation.connection)
