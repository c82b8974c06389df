"""Companions: companies and contacts that deals need where they are written, made first or left out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence

from msgspec import Struct, field

from crmbridge.engine.sync.deleting import lost_in
from crmbridge.engine.sync.merge import decided_ref
from crmbridge.engine.sync.wanted import create_around, renamed, without
from crmbridge.engine.views import COMPANY, CONTACTS
from crmbridge.model.changes import Action, Blocked, Cause, Change, FieldEdit, JournalEntry, Outcome
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value, show
from crmbridge.services.links.gathering import Around
from crmbridge.services.links.linking import is_another, matched_since, may_make
from crmbridge.services.links.native_ids import needed_links, several
from crmbridge.services.workspace import Workspace
from crmbridge.settings import Sync


def with_companions(
    workspace: Workspace, entry: Sync, around: Around, changes: Iterable[Change]
) -> tuple[list[Change], list[Blocked]]:
    """Give the changes with the creations that they wait for.

    Where the settings only match, what has no counterpart is left out: of contacts without a word, as they hang
    together loosely; a company that a deal can't have is told of.
    """
    changes = list(changes)
    named = {link for change in changes for link in needed_links(change)}
    members = [ref for link in sorted(named) for ref in around.companions.get(link, ())]
    deleted = workspace.store.records.tombstones(members) if members else ()
    book = _Book(workspace, entry, around, deleted)
    kept = [whole for change in changes if (whole := book.completed(change)) is not None]
    return [*book.made.values(), *kept], book.blocked


def without_refused(
    changes: Sequence[Change], outcomes: Mapping[str, JournalEntry]
) -> tuple[list[Change], list[Blocked]]:
    """Leave out what needs a company or contact whose creation was refused, and say that it waits for that.

    A contact waits for its company, a deal for both; of an update all else goes on.
    """
    refused: dict[tuple[str, str], str] = {}
    made = [change for change in changes if change.action is Action.CREATE and change.link]
    for kind in (Kind.COMPANY, Kind.CONTACT):
        for change in (change for change in made if change.creates is kind):
            entry = outcomes.get(change.id)
            if (entry is not None and entry.outcome is Outcome.REFUSED) or _waits(change, refused):
                refused[change.connection, str(change.link)] = show(
                    change.after.get("name") or change.after.get("email")
                )
    if not refused:
        return list(changes), []
    kept: list[Change] = []
    blocked: list[Blocked] = []
    for change in changes:
        waits = _waits(change, refused)
        rest = change if not waits else None if change.action is Action.CREATE else without(change, waits)
        kept += [rest] if rest is not None else []
        blocked += [_awaited(change, name, called) for name, called in waits.items()]
    return kept, blocked


def _waits(change: Change, refused: Mapping[tuple[str, str], str]) -> dict[str, str]:
    """Name the fields of a change that wait, each with what was refused."""
    return {
        edit.name: refused[change.connection, link]
        for edit in change.edits
        if edit.name in change.linked
        for link in several(edit.after)
        if (change.connection, link) in refused
    }


def _awaited(change: Change, name: str, called: str) -> Blocked:
    return Blocked(
        link=change.link or "",
        deal=change.target or Ref(change.connection, change.kind, ""),
        name=name,
        reason=f"{change.connection} refused to make {called!r}, which it needs; settle that first",
        cause=Cause.COUNTERPART,
    )


class _Book(Struct):
    """The creations so far, by connection and link, and what can't be had."""

    workspace: Workspace
    entry: Sync
    around: Around
    deleted: Collection[Ref]  # of the companies and contacts that are linked
    made: dict[tuple[str, str], Change] = field(default_factory=dict)
    found: dict[tuple[str, str], tuple[Ref, ...]] = field(default_factory=dict)  # what is linked by now
    blocked: list[Blocked] = field(default_factory=list)

    def completed(self, change: Change) -> Change | None:
        """Give a change with what it can have of what hangs on its deal; None when nothing of it is left."""
        if not change.linked:
            return change
        edits = [kept for edit in change.edits if (kept := self._edit(change, edit)) is not None]
        if edits == list(change.edits):
            return change
        if not edits:
            return None
        names = {edit.name for edit in edits}
        return renamed(
            replace(change, edits=tuple(edits), linked=tuple(name for name in change.linked if name in names))
        )

    def _edit(self, change: Change, edit: FieldEdit) -> FieldEdit | None:
        if edit.name not in change.linked:
            return edit
        if edit.name == CONTACTS:
            return self._contacts(change, edit)
        if edit.after is None or self._can_have(change.connection, str(edit.after)):
            return edit
        if change.action is Action.UPDATE:
            self.blocked.append(_lacking(change, edit, self._name(str(edit.after))))
        return None

    def _contacts(self, change: Change, edit: FieldEdit) -> FieldEdit | None:
        links = edit.after if isinstance(edit.after, tuple) else ()
        after = tuple(link for link in links if self._can_have(change.connection, link))
        if after == (edit.before or ()):
            return None  # all that is new to it has no counterpart here
        return edit._replace(after=after or None)

    def _can_have(self, connection: str, link: str) -> bool:
        """Tell whether a company or contact is there in a connection, or is made there first.

        One that somebody deleted there is not made again.
        """
        members = self._members(connection, link)
        there = [ref for ref in members if ref.connection == connection]
        if there:
            return any(ref not in self.deleted for ref in there)
        if (connection, link) in self.made:
            return True
        record = next(iter(self.workspace.store.records.get(members).values()), None)
        if record is None or not may_make(self.workspace, self.entry, connection, record.ref.kind):
            return False
        if is_another(self.workspace, record, connection):
            return False
        base = self.workspace.store.links.bases([decided_ref(link)]).get(decided_ref(link), {})
        change = create_around(
            record,
            link=link,
            connection=connection,
            company=self._company(connection, record),
            again=lost_in(base, connection),
        )
        if change is not None:
            self.made[connection, link] = change
        return change is not None

    def _members(self, connection: str, link: str) -> tuple[Ref, ...]:
        """Give what is linked with a company or contact, with the one of this connection if it has one."""
        if (connection, link) not in self.found:
            members = self.around.companions.get(link, ())
            if members and all(ref.connection != connection for ref in members):
                members = matched_since(self.workspace, self.entry, link, members, connection)
            self.found[connection, link] = members
        return self.found[connection, link]

    def _company(self, connection: str, contact: Record) -> str | None:
        """Give the link of a contact's company, where that is there or made too."""
        native: Value = contact.fields.get(COMPANY)
        if contact.ref.kind is not Kind.CONTACT or not native:
            return None
        company = Ref(contact.ref.connection, Kind.COMPANY, str(native))
        link = self.around.viewers[contact.ref.connection].links.get(company)
        return link if link and self._can_have(connection, link) else None

    def _name(self, link: str) -> str:
        records = self.workspace.store.records.get(self.around.companions.get(link, ())).values()
        return next((str(record.fields.get("name")) for record in records), link)


def _lacking(change: Change, edit: FieldEdit, name: str) -> Blocked:
    return Blocked(
        link=change.link or "",
        deal=change.target or Ref(change.connection, Kind.DEAL, ""),
        name=edit.name,
        reason=f"{change.connection} has no {edit.name} {name!r}",
        values={change.connection: edit.before},
        cause=Cause.COUNTERPART,
    )
