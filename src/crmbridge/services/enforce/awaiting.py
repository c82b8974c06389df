"""Which deals wait to be judged, and which are done with: what an idle cycle asks, and loads nothing of judging for."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence

from msgspec import Struct

from crmbridge import __version__
from crmbridge.engine.deals.activities import kinds_asked_for
from crmbridge.model.changes import Blocked, Change
from crmbridge.model.records import Kind, Ref
from crmbridge.services.chunks import chunks
from crmbridge.services.links.associations import deals_naming, index_hanging, index_named
from crmbridge.services.pull.kinds import wanted_kinds
from crmbridge.services.pull.unread_kinds import unread
from crmbridge.services.workspace import Workspace

READER = "enforce/"
NAMED = (Kind.COMPANY, Kind.CONTACT)
HANGING = (Kind.ACTIVITY, Kind.NOTE, Kind.FILE)


class Awaiting(Struct, frozen=True, kw_only=True):
    """The deals that wait, in order, with who reads the backlog and how far that was read."""

    reader: str
    mark: int
    deals: Sequence[Ref]


class Judged(Struct, frozen=True, kw_only=True):
    """What came of looking at the deals that changed or fell due: what was said of them is saved already."""

    deals: int = 0
    changes: tuple[Change, ...] = ()
    blocked: tuple[Blocked, ...] = ()  # what needs a person before anything is done about it
    unheard: tuple[Ref, ...] = ()  # of which a CRM is still to be asked what they held when they moved
    reader: str = ""
    mark: int = 0


def awaiting(workspace: Workspace) -> Awaiting:
    """Give the deals that changed, that something around them changed of, or that fell due."""
    reader = reader_of(workspace)
    due = workspace.store.findings.due(workspace.clock.now())
    if due:  # once they are judged they are not due any more, and whoever is killed then would never act on them
        workspace.store.backlog.touch(due)
    mark, pending = workspace.store.backlog.pending(reader)
    deals = reached(workspace, pending) | dict.fromkeys(due)
    # Nearly all are in order already, as they were pending, which costs next to nothing.
    return Awaiting(reader=reader, mark=mark, deals=sorted(deals))


def dealt(workspace: Workspace, judged: Judged, unfinished: Iterable[Change]) -> None:
    """Note what was dealt with: all but the deals of which something is still to be written, asked or heard."""
    ids = {change.id for change in judged.changes}
    left = {change.target for change in unfinished if change.id in ids and change.target is not None}
    left |= {item.deal for item in judged.blocked}
    left |= set(judged.unheard)
    workspace.store.backlog.dealt(judged.reader, judged.mark, sorted(left))
    known = workspace.store.backlog.readers()
    workspace.store.backlog.forget(sorted(r for r in known if r.startswith(READER) and r != judged.reader))


def reader_of(workspace: Workspace) -> str:
    """Name the reader of the backlog.

    All is judged anew under another process, in a year of other holidays, and when a kind of records that rules look at
    was pulled for the first time: what could not be told of deals without any can be told then.
    """
    beside = hashlib.sha256("\n".join(pulled_beside(workspace)).encode()).hexdigest()[:8]
    return f"{READER}{workspace.project.digest}/{__version__}/{workspace.clock.now().year}/{beside}"


def reached(workspace: Workspace, pending: Collection[Ref]) -> dict[Ref, None]:
    """Bring the index up to date with what is pending, and give the deals that this may matter to.

    Those that are pending themselves come first, in the order in which they were given.
    """
    asked = asked_for(workspace)
    deals = dict.fromkeys(ref for ref in pending if ref.kind is Kind.DEAL)
    if asked.intersection(NAMED):
        for part in chunks(sorted(deals)):
            index_named(workspace, part)
        for part in chunks(ref for ref in pending if ref.kind in asked.intersection(NAMED)):
            deals |= dict.fromkeys(deals_naming(workspace, part))
    for kind in (Kind.ACTIVITY, *asked.intersection([Kind.NOTE, Kind.FILE])):
        for part in chunks(ref for ref in pending if ref.kind is kind):
            deals |= dict.fromkeys(index_hanging(workspace, part))
    if Kind.USER in asked:  # who approved and who moved is told by them; they seldom change
        changed = {ref.connection for ref in pending if ref.kind is Kind.USER}.intersection(workspace.connections)
        known = (deal.ref for name in changed for deal in workspace.store.records.records(name, Kind.DEAL))
        deals |= dict.fromkeys(known)
    return deals


def asked_for(workspace: Workspace) -> frozenset[Kind]:
    """Name the kinds of records beside deals that rules and bindings look at."""
    return kinds_asked_for(workspace.project.process, workspace.project.settings.conditions)


def pulled_beside(workspace: Workspace) -> tuple[str, ...]:
    """Name what has been pulled of what rules look at, as connection/kind: until then nobody can tell of it."""
    kinds = sorted(asked_for(workspace))
    return tuple(
        f"{name}/{kind}" for name in workspace.connections for kind in kinds if is_pulled(workspace, name, kind)
    )


def is_pulled(workspace: Workspace, connection: str, kind: Kind) -> bool:
    """Tell whether a connection pulls a kind, and has done so.

    Without a cursor none were pulled yet, or the adapter knows none: that is not the same as there being none. Nor is
    that a first pull has not read all yet. Files that may not be read any more may be others by now.
    """
    project = workspace.project
    wanted = wanted_kinds(project.process, project.settings.connections[connection], project.settings.conditions)
    if kind not in wanted or kind not in workspace.store.records.cursors(connection):
        return False
    return not unread(workspace, connection, kind)
