"""Pull: bring the state up to date with what the CRMs hold now."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from crmbridge.errors import ConfigurationError, CrmbridgeError
from crmbridge.model.records import Kind
from crmbridge.model.replacing import replace
from crmbridge.ports import Page, asks_ahead
from crmbridge.services.bulk import give_memory_back, made_for_bulk
from crmbridge.services.pull.bookmarking import bookmark_now
from crmbridge.services.pull.bookmarks import Bookmark, marks_of
from crmbridge.services.pull.forgotten import bury_forgotten, note_nothing_known
from crmbridge.services.pull.half_read import note_begun, note_ended
from crmbridge.services.pull.hinting import asks_for_pull, reread_hints
from crmbridge.services.pull.kinds import PLURALS, pulled_kinds
from crmbridge.services.pull.pace import Pace
from crmbridge.services.pull.paging import in_fewer
from crmbridge.services.pull.rebound_fields import (
    follow_other_reading,
    must_be_bound_alike,
    part_with_emptied,
    part_with_rebound,
    part_with_remade,
)
from crmbridge.services.pull.resting import RESTING, forget_reading, may_rest, names_unknown, note_read
from crmbridge.services.pull.unread_kinds import note_whole, pull_readable
from crmbridge.services.workspace import Workspace
from crmbridge.threads import make_pool

GIVEN_BACK = 2_000  # after so many records, freed memory goes back to the system


class ConnectionPull(Struct, frozen=True, kw_only=True):
    """What one connection gave. With an error, what came before it is stored and the next pull goes on from there."""

    connection: str
    records: int = 0
    moves: int = 0
    gone: int = 0
    problems: int = 0
    error: CrmbridgeError | None = None
    rested: tuple[Kind, ...] = ()  # kinds that were not asked for, as they were read a short time ago
    unknown: bool = False  # a deal that changed names a user, company or contact that was never seen


def pull(workspace: Workspace, connections: Sequence[str] = (), *, whole: bool = True) -> tuple[ConnectionPull, ...]:
    """Pull all connections, or the ones named, side by side. One that fails does not keep the others from going on.

    Unless the `whole` of each is asked for, users, companies and contacts that were read a short time ago rest
    (`around_every`), in all connections or in none.
    """
    names = chosen(workspace, connections)
    if not names:
        return ()
    with made_for_bulk(), make_pool(max_workers=len(names)) as threads:
        found = tuple(threads.map(lambda name: _pull_one(workspace, name, whole=whole), names))
        if any(one.unknown for one in found):
            found = tuple(threads.map(lambda one: _pull_rest(workspace, one), found))
            forget_reading(workspace, names)
        return found


def chosen(workspace: Workspace, connections: Sequence[str]) -> tuple[str, ...]:
    """Give the connections that were named, each once, or all of them.

    Raises ConfigurationError for a name that the settings don't have, before anything is read. One that can't be
    opened, as its secret is missing, costs only itself: pulling it tells why, as its error.
    """
    names = tuple(dict.fromkeys(connections or workspace.connections))
    for name in names:
        if name not in workspace.connections:
            workspace.adapter(name)
    return names


def pull_hinted(workspace: Workspace, connections: Sequence[str] = ()) -> tuple[ConnectionPull, ...]:
    """Re-read only what webhooks said has changed, of all connections or the ones named.

    One of which a webhook said that something changed, and could not say what, is pulled.
    """
    return tuple(_hinted(workspace, name) for name in chosen(workspace, connections))


def _hinted(workspace: Workspace, connection: str) -> ConnectionPull:
    if asks_for_pull(workspace, connection):
        return _pull_one(workspace, connection)
    try:
        bookmark_now(workspace, connection, marks_of(workspace, connection))  # it must not have become another account
        return ConnectionPull(connection=connection, records=reread_hints(workspace, connection))
    except CrmbridgeError as error:
        return ConnectionPull(connection=connection, error=error)


def _pull_one(workspace: Workspace, connection: str, *, whole: bool = True) -> ConnectionPull:
    total = ConnectionPull(connection=connection)
    workspace.progress("pull", f"{connection}: looking at the account")
    try:
        begun = workspace.clock.now()
        marks, kinds = marks_of(workspace, connection), _kinds(workspace, connection)
        if not marks:
            _ask_ahead(workspace, connection, kinds)
        bookmark = bookmark_now(workspace, connection, marks)
        part_with_rebound(workspace, connection)
        unnamed = asks_for_pull(workspace, connection)  # one that comes meanwhile may be about what was read already
        if not (whole or unnamed) and may_rest(workspace, connection):
            total = replace(total, rested=_resting(kinds, marks, bookmark))
        awake = [kind for kind in kinds if kind not in total.rested]
        for pulled in _pull_kinds(workspace, awake, total, marks, bookmark):
            total = pulled
        if Kind.DEAL in marks and not total.rested and not RESTING.isdisjoint(kinds):
            note_read(workspace, connection, begun)  # not of a first pull, which looks at no names
        workspace.store.hints.done(unnamed)
        # Past the CRM's search index, which may not know yet what a webhook told us of.
        reread_hints(workspace, connection)
    except CrmbridgeError as error:
        return replace(total, error=error)
    return total


def _ask_ahead(workspace: Workspace, connection: str, kinds: Sequence[Kind]) -> None:
    """Let a first pull begin while the account is looked at, so that people see sooner how it goes."""
    adapter = workspace.adapter(connection)
    if asks_ahead(adapter):
        adapter.ask_ahead(kinds)


def _pull_rest(workspace: Workspace, total: ConnectionPull) -> ConnectionPull:
    """Pull what rested in a connection, as a deal of this or another one named somebody or something new."""
    if total.error is not None or not total.rested:
        return total
    kinds, total = total.rested, replace(total, rested=())
    try:
        marks = marks_of(workspace, total.connection)
        for pulled in _pull_kinds(workspace, kinds, total, marks, bookmark_now(workspace, total.connection, marks)):
            total = pulled
    except CrmbridgeError as error:
        return replace(total, error=error)
    return total


def _kinds(workspace: Workspace, connection: str) -> tuple[Kind, ...]:
    project = workspace.project
    entry, capabilities = project.settings.connections[connection], workspace.adapter(connection).capabilities
    return pulled_kinds(project.process, entry, capabilities, project.settings.conditions)


def _resting(kinds: Sequence[Kind], marks: Mapping[Kind, Bookmark], bookmark: Bookmark) -> tuple[Kind, ...]:
    """Give those of the kinds that need not be read in each run, if all of them were read with these settings."""
    resting = tuple(kind for kind in kinds if kind in RESTING)
    known = all(kind in marks and marks[kind].settings == bookmark.settings for kind in resting)
    return resting if known else ()


def _pull_kinds(
    workspace: Workspace,
    kinds: Sequence[Kind],
    total: ConnectionPull,
    marks: Mapping[Kind, Bookmark],
    bookmark: Bookmark,
) -> Iterator[ConnectionPull]:
    """Pull kinds one after the other, and say after each page what there is so far."""
    for kind in kinds:
        for pulled in _pull_kind(workspace, kind, total, bookmark, marks):
            total = pulled
            yield total


def _pull_kind(
    workspace: Workspace, kind: Kind, total: ConnectionPull, bookmark: Bookmark, marks: Mapping[Kind, Bookmark]
) -> Iterator[ConnectionPull]:
    """Save what changed since the bookmark known, and what is gone; say after each page what there is so far.

    With other settings the records would look different: fields are bound, or money is read, in another way. So all are
    read anew. As that would not tell of what went before, what changed until now is read first, from where the old
    bookmark is. As some are read one way then and some another, all are read anew under whatever settings come next.
    """
    known = part_with_remade(workspace, total.connection, marks) if kind is Kind.DEAL else marks.get(kind)
    if known is not None and known.reading != bookmark.reading:
        with contextlib.suppress(ConfigurationError):  # another adapter, say, which can't read the cursor
            for pulled in _pull_since(workspace, kind, total, replace(known, settings=""), marks):
                total = pulled
                yield total
        known = None
    begin = replace(bookmark, cursor=known.cursor) if known else bookmark
    if known is None:
        note_begun(workspace, total.connection, kind)
    if kind not in marks:
        note_nothing_known(workspace, total.connection, kind)
    for pulled in _pull_since(workspace, kind, total, begin, marks):
        total = pulled
        yield total
    note_whole(workspace, total.connection, kind)
    if kind is Kind.DEAL:
        part_with_emptied(workspace, total.connection)
    note_ended(workspace, total.connection, kind)
    if gone := bury_forgotten(workspace, total.connection, kind):
        yield replace(total, gone=total.gone + gone)


def _pull_since(
    workspace: Workspace, kind: Kind, total: ConnectionPull, bookmark: Bookmark, marks: Mapping[Kind, Bookmark]
) -> Iterator[ConnectionPull]:
    """Save what changed since a bookmark, each page with its own, and say after each what there is so far."""
    connection, before, since = total.connection, total.records, bookmark.cursor or None
    pages = pull_readable(workspace, connection, kind, since)
    for page in in_fewer(_told(workspace, connection, kind, pages)):
        if kind is Kind.DEAL:
            must_be_bound_alike(workspace, connection)
            follow_other_reading(workspace, connection, page.records)
        marked = replace(page, cursor=str(replace(bookmark, cursor=page.cursor)))
        workspace.store.records.save_page(connection, kind, marked, workspace.clock.now())
        total = replace(
            total,
            records=total.records + len(page.records),
            moves=total.moves + len(page.moves),
            gone=total.gone + len(page.tombstones),
            problems=total.problems + sum(len(record.problems) for record in page.records),
            unknown=total.unknown or (since is not None and _brings_new(workspace, kind, page, marks)),
        )
        if total.records // GIVEN_BACK > before // GIVEN_BACK:
            give_memory_back()
        before = total.records
        yield total


def _brings_new(workspace: Workspace, kind: Kind, page: Page, marks: Mapping[Kind, Bookmark]) -> bool:
    """Tell whether deals of a page name one that was never seen, of the kinds that were pulled before."""
    return kind is Kind.DEAL and names_unknown(workspace, page.records, RESTING & marks.keys())


def _told(workspace: Workspace, connection: str, kind: Kind, pages: Iterator[Page]) -> Iterator[Page]:
    """Tell of pages as they come: people see the first one before enough are there to be saved together."""
    pace = Pace(workspace.clock, PLURALS[kind])
    for page in pages:
        if page.begun is not None:
            pace.began(page.begun)
        pace.total = page.total or pace.total
        pace.add(len(page.records))
        workspace.progress("pull", f"{connection}: {pace}")
        yield page
