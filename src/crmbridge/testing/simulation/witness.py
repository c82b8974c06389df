"""What is known of a play from outside the core: what people did, what was sent, and what stands in the CRMs now."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from crmbridge.engine.views import OWNER
from crmbridge.model.changes import Action, Change, JournalEntry, Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import Value
from crmbridge.ports import Journal, StateStore
from crmbridge.settings import Sync
from crmbridge.testing.simulation.left_out import LeftOut
from crmbridge.testing.simulation.sight import Sight
from crmbridge.testing.simulation.verdicts import Edit

NOTHING = object()  # stands for a value that was never agreed on


class Agreed(NamedTuple):
    """What all deals of a link held in one field when a run had come to rest."""

    number: int  # of the last edit before it
    value: object
    refs: tuple[Ref, ...]


class Sent(NamedTuple):
    """One field's value that was sent to a CRM."""

    seen: int  # the number of the last edit that the run could see when it began
    at: int  # that of the last edit before it was sent
    ref: Ref | None
    before: Value
    value: Value
    applied: bool
    was_unclear: bool  # nobody knew at first what became of it


class Merged(NamedTuple):
    """Deals that were merged: what is left, and the deals of other CRMs that they were linked to, where that counts."""

    left: Ref
    is_new: bool  # it is none of the deals that were merged
    counterparts: frozenset[Ref]
    is_whole: bool  # nothing was unclear then that made counterparts of theirs


class WatchedCrm(Protocol):
    """A CRM as the oracle sees it from outside: what it holds now, and what it carried out, by change."""

    connection: str
    effects: Counter[str]

    @property
    def records(self) -> Mapping[Ref, Record]:
        """What it holds; deals at the least."""
        ...

    @property
    def attached(self) -> Mapping[Ref, tuple[Ref, str]]:
        """Tasks and notes: what each hangs on, and its marker."""
        ...


class Witness:
    """Sees everything and judges nothing. What people do is told by the first half of its methods.

    `agreed` and `in_step` are by link and field: what all sides held when a run had come to rest, and when one began.
    """

    def __init__(
        self,
        crms: Mapping[str, WatchedCrm],
        sights: Mapping[str, Sight],
        store: Callable[[], StateStore],
        entry: Sync,
    ) -> None:
        self.crms = crms
        self.entry = entry
        self.stages: Sequence[str] = ()  # of the process, where deals are open
        self.left_out = LeftOut()
        self.parted: dict[tuple[str, str], int] = {}  # by link and field: since when sides that may differ do
        self.sights = sights
        self._store = store
        self._rows: Sequence[JournalEntry] | None = None
        self._outcomes: Mapping[str, Outcome] | None = None
        self._unclear: set[str] = set()  # changes of which nobody knew at first what became of them
        self.count = 0
        self.edits: list[Edit] = []
        self.touched: dict[Ref, list[float]] = defaultdict(list)
        self.agreed: dict[tuple[str, str], Agreed] = {}  # by link and field
        self.in_step: dict[tuple[str, str], Agreed] = {}  # the same for when a run began
        self.members: dict[str, set[Ref]] = defaultdict(set)  # everything that ever was in a link
        self.deleted_at: dict[Ref, int] = {}
        self.went_with: dict[Ref, Mapping[str, Value]] = {}  # what deals held when they were deleted
        self.merges: list[Merged] = []
        self.back_at: dict[Ref, int] = {}  # when a person brought back what was gone
        self.set_back: set[tuple[Ref, str, str]] = set()  # deals that were moved back: from which stage to which
        self.twins: list[frozenset[Ref]] = []  # deals of one name of which nobody can tell which belong together
        self.was_shaken: set[Ref] = set()  # merged, or deleted and brought back: what holds then is not all told
        self.sent: dict[str, list[tuple[int, int, Change]]] = defaultdict(list)  # by link: of when, when, and what
        self.began = 0
        self.begins: list[int] = [0]  # what runs that came to their end could see
        self.looked: dict[str, list[int]] = defaultdict(list)  # by connection: when all its deals had been looked at
        self.read: dict[Ref, set[str]] = defaultdict(set)  # of the fields that settings name: those a run looked at
        self.unread: dict[Ref, frozenset[str]] = {}  # the others, when a link went on without a deal that was deleted
        for ref in self.deals():
            self.created(ref)

    # ── What people do ──────────────────────────────────────────────────────────────────────────────────

    def created(self, ref: Ref) -> None:
        """Note a new deal: each of its fields is an edit."""
        for name in self.view(ref):
            self.edited(ref, name, fresh=True)

    def edited(self, ref: Ref, name: str, before: Value = None, *, fresh: bool = False) -> None:
        """Note an edit that was just made, with what `value` gave before it."""
        self.count += 1
        at = self.crms[ref.connection].records[ref].updated_at
        self.edits.append(Edit(self.count, ref, name, self.value(ref, name), before, fresh, at=at))
        self.touched[ref].append(self.count)

    def noted(self, ref: Ref) -> None:
        """Note that somebody wrote a note on a deal, which may make the deal itself a newer one."""
        self.count += 1
        self.touched[ref].append(self.count)

    def value(self, ref: Ref, name: str) -> Value:
        """Give what a field holds now, as sync sees it."""
        return self.view(ref).get(name)

    def deleted(self, ref: Ref) -> None:
        """Note that a deal is about to be deleted."""
        self.count += 1
        self.deleted_at[ref] = self.count
        if ref in self.deals():
            self.went_with[ref] = self.view(ref)

    def merged(self, deals: Sequence[Ref], left: Ref, linked: Sequence[Ref]) -> None:
        """Note that deals were merged and what is left of them; `linked` is what they were linked to, if it counts.

        What is left of an earlier merge may not be known yet, and then is to have what that one's deals had.
        """
        for ref in deals:
            if ref != left:
                self.deleted(ref)
        self.shaken(left, *deals)
        theirs = [*linked, *(ref for earlier in self.merges if earlier.left in deals for ref in earlier.counterparts)]
        counterparts = frozenset(ref for ref in theirs if ref.connection != left.connection)
        self.merges.append(Merged(left, left not in deals, counterparts, not self._are_awaited(deals)))

    def _are_awaited(self, deals: Sequence[Ref]) -> bool:
        """Tell whether counterparts of these deals were being made, and nobody has said yet what came of it."""
        open_ = {e.change.link for e in self.journal.unsettled() if e.change.action is Action.CREATE}
        return any(link in open_ for link, refs in self.links().items() if not set(refs).isdisjoint(deals))

    def shaken(self, *refs: Ref) -> None:
        """Note that deals were merged, or one was brought back: their links must be in step, whoever won."""
        self.count += 1
        self.was_shaken.update(refs)

    def brought_back(self, ref: Ref) -> None:
        """Note that a person brought back a deal that was gone; where no run had seen that, none can see this."""
        self.shaken(ref)
        if self.store.records.tombstones([ref]) and self.begins[-1] > self.deleted_at.get(ref, -1):
            self.back_at[ref] = self.count

    def decided(self, link: str, name: str, value: Value) -> None:
        """Note how a person settled a conflict."""
        self.count += 1
        for ref in self.links()[link]:
            if ref in self.deals():
                self.edits.append(Edit(self.count, ref, name, value, self.value(ref, name), decided=True))

    def undone(self, change: Change) -> None:
        """Note that something of a run was undone, which counts like what a person does."""
        if change.target is None:
            return
        if change.action is Action.ARCHIVE:
            self.deleted(change.target)
            self.shaken(change.target)
        elif change.target in self.deals():
            for edit in change.edits:
                self.edited(change.target, edit.name, self.sights[change.connection].shown(edit.name, edit.before))

    def happened_together(self, refs: Sequence[Ref]) -> None:
        """Note that these deals were edited at one moment, so that none of the edits is the newer one."""
        for ref in refs:
            self.touched[ref].append(self.count + 0.5)

    def untouched(self, ref: Ref, name: str, since: int) -> bool:
        """Tell whether nobody edited a field since so many edits."""
        return not any(e.number > since and (e.ref, e.name) == (ref, name) for e in self.edits)

    def edits_of(self, link: str, name: str) -> list[Edit]:
        """Give the edits of a field of all that ever was in a link, oldest first."""
        members = self.members[link]
        return [edit for edit in self.edits if edit.name == name and edit.ref in members]

    def is_owed(self, link: str, name: str, value: Value) -> bool:
        """Tell whether a person decided on another value, so that nothing is agreed on where all hold the same."""
        mine = self.edits_of(link, name)
        return bool(mine) and mine[-1].decided and mine[-1].value != value

    def sends(self, change: Change) -> None:
        """Note a change that is about to be sent."""
        if change.target is not None:
            self.touched[change.target].append(self.count + 0.5)  # after the last edit, before the next
        if change.link is not None:
            self.sent[change.link].append((self.began, self.count, change))

    def looks(self, connection: str, kind: Kind) -> None:
        """Note that a run has looked at everything of a kind that is new in a CRM."""
        if kind is Kind.DEAL:
            self.looked[connection].append(self.count)
            for ref in self.crms[connection].records:
                self.read[ref] |= self._named(connection)

    def _named(self, connection: str) -> set[str]:
        """Give the fields of a CRM that the settings name now."""
        fields = self.sights[connection].viewer.fields
        return {name for name in fields if (connection, name) not in self.left_out.fields}

    def goes_on(self) -> None:
        """Note which links have gone on without a deal that was deleted, when a run is over."""
        if waiting := self.deleted_at.keys() - self.unread.keys():
            linked = {ref for refs in self.links().values() for ref in refs}
            for ref in waiting - linked:
                self.unread[ref] = frozenset(self._named(ref.connection) - self.read[ref])

    def look_again(self) -> None:
        """Read anew what the journal says: something may have been written."""
        self._rows = self._outcomes = None

    @property
    def rows(self) -> Sequence[JournalEntry]:
        """All rows of the journal as it was at the last look."""
        if self._rows is None:
            self._rows = tuple(self.journal.entries())
        return self._rows

    def _outcomes_by_now(self) -> Mapping[str, Outcome]:
        if self._outcomes is None:
            self._outcomes = {row.change.id: row.outcome for row in self.rows if row.outcome is not None}
            self._unclear = {row.change.id for row in self.rows if row.outcome is Outcome.UNKNOWN}
        return self._outcomes

    def is_ended(self, link: str) -> bool:
        """Tell whether a deletion ended a link: its deals are not kept in step any more."""
        return self.entry.delete == "unlink" and any(ref in self.deleted_at for ref in self.members[link])

    def is_shaken(self, link: str) -> bool:
        """Tell whether deals of a link were merged, or brought back."""
        return not self.was_shaken.isdisjoint(self.members[link])

    def linked(self, ref: Ref) -> tuple[Ref, ...]:
        """Give the refs that are linked with this one, itself among them."""
        return next((refs for refs in self.links().values() if ref in refs), (ref,))

    def values_seen(self, ref: Ref, name: str) -> list[Value]:
        """Give the CRM's own values that a field had on this deal and the ones linked to it."""
        if name == OWNER:
            return []
        together = self.linked(ref)
        return [edit.value for edit in self.edits if edit.ref in together and edit.name == name]

    # ── Looking ─────────────────────────────────────────────────────────────────────────────────────────

    @property
    def journal(self) -> Journal:
        """The journal, as it is now."""
        return self.store.journal

    @property
    def store(self) -> StateStore:
        """The state, as it is now."""
        return self._store()

    def links(self) -> dict[str, tuple[Ref, ...]]:
        """Give the links as they are now."""
        links = self.store.links.links()
        for link, refs in links.items():
            self.members[link].update(refs)
        return links

    def deals(self) -> dict[Ref, Record]:
        """Give all deals as they are now."""
        crms = self.crms.values()
        return {ref: record for crm in crms for ref, record in crm.records.items() if ref.kind is Kind.DEAL}

    def is_there(self, ref: Ref) -> bool:
        """Tell whether a deal is there now."""
        return ref in self.crms[ref.connection].records

    def view(self, ref: Ref) -> Mapping[str, Value]:
        """Give what a deal holds now, as sync sees it."""
        return self.sights[ref.connection].view(self.crms[ref.connection].records[ref])

    def equal_fields(self, links: Mapping[str, Sequence[Ref]]) -> dict[tuple[str, str], Value]:
        """Find the fields, as (link, name), in which all deals of these links hold the same."""
        equal: dict[tuple[str, str], Value] = {}
        for link, refs in links.items():
            views = [self.view(ref) for ref in refs if self.is_there(ref)]
            for name in {name for view in views for name in view if not self.left_out.has_any(refs, name)}:
                values = [view[name] for view in views if name in view]
                if len(values) > 1 and all(value == values[0] for value in values):
                    equal[link, name] = values[0]
        return equal

    def settled(self, link: str, name: str) -> int:
        """Give the last edit after which all deals of a link held the same in a field, and a run had come to rest."""
        return self.agreed.get((link, name), Agreed(0, NOTHING, ())).number

    def values_sent(self, link: str, name: str) -> list[Sent]:
        """Give what was sent of one field of a link, oldest first, as sync sees it."""
        outcomes = self._outcomes_by_now()
        found = []
        for seen, at, change in self.sent[link]:
            sight, applied = self.sights[change.connection], outcomes.get(change.id) is Outcome.APPLIED
            unclear = change.id in self._unclear
            for edit in change.edits:
                if edit.name == name:
                    before, value = sight.shown(name, edit.before), sight.shown(name, edit.after)
                    found.append(Sent(seen, at, change.target, before, value, applied, unclear))
        return found

    def taken_back(self, link: str, edit: Edit, agreed: object) -> bool:
        """Tell whether somebody went back to an earlier value before the edit in between was written anywhere.

        That may count as a later edit, or as none at all: what happened in between may never have been seen.
        """
        mine = [e for e in self.edits if (e.ref, e.name) == (edit.ref, edit.name) and e.number < edit.number]
        sent = [one for one in self.values_sent(link, edit.name) if one.ref == edit.ref]
        written = [value for one in sent for value in (one.before, one.value)]
        earlier = [agreed, *(e.value for e in mine), *(e.before for e in mine), *written]
        return edit.value in earlier and not (mine and self._moved_on(link, edit, mine[-1]))

    def _moved_on(self, link: str, edit: Edit, before: Edit) -> bool:
        """Tell whether the edit before this one was written elsewhere meanwhile, or something was written over it.

        Only what the journal knows was applied counts.
        """
        since = [sent for sent in self.values_sent(link, edit.name) if before.number <= sent.seen < edit.number]
        # What was sent over the edit itself came later, though its run may have begun before it.
        since = [sent for sent in since if sent.at < edit.number or (sent.ref, sent.before) != (edit.ref, edit.value)]
        over = [sent for sent in since if sent.ref == edit.ref]
        if over:
            # A person who enters just what was sent, and did not arrive, can't be told from its arrival. Nor can one
            # who puts back what was there, while nobody knows of the arrival, from a write that never arrived.
            undone = over[-1].was_unclear and over[-1].before == edit.value
            return over[-1].applied and over[-1].value != edit.value and not undone
        return any(sent.applied and sent.value == before.value for sent in since)

    def may_be_ours(self, link: str, ref: Ref, name: str) -> bool:
        """Tell whether what stands there can't be told from something that was sent and not clearly answered."""
        now = self.value(ref, name)
        return any(s.ref == ref and not s.applied and s.value == now for s in self.values_sent(link, name))
