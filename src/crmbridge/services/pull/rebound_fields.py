"""Rebinding: a field that stands for another field of its CRM than before was not edited there."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from crmbridge.engine.sync.forms import missed, overwritten
from crmbridge.errors import RetryLaterError
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.ports import Page, tells_bound
from crmbridge.services.pull.bookmarks import marks_of
from crmbridge.services.pull.half_read import note_begun
from crmbridge.services.workspace import Workspace, field_bindings

BOUND = "crmbridge.bound"  # the CRM's field that each of ours was last read from, as the settings call it, as JSON
STANDS_FOR = "crmbridge.stands_for"  # the same as the CRM itself calls it, where the adapter tells
CAME_BACK = "crmbridge.came_back"  # fields that were not there for a while, until all deals are read anew
GONE = "~"  # before what the CRM called a field that is not there any more


def part_with_rebound(workspace: Workspace, connection: str) -> None:
    """Let what was agreed on with a connection's deals no longer count in fields that are bound to others since.

    What they hold in those stands beside what the others have, as in a field that is named for the first time. So it is
    where the settings name another field, and where the account has another one under the name: one that was deleted
    and made again is empty in all deals, and nobody emptied it. This comes before anything is read anew, as the first
    page that is saved says by which settings it was read.
    """
    memory = workspace.store.memory(connection)
    now = _named(workspace, connection)
    before = json.loads(memory.get(BOUND, "{}"))
    names = [name for name, native in now.items() if before.get(name, native) != native]
    if names:
        note_begun(workspace, connection, Kind.DEAL)
        _forget(workspace, connection, names)
    # Also of those that are left out now: they may be named again, and stand for another field then.
    _remember(workspace, connection, BOUND, {**before, **now})
    _part_with_remade(workspace, connection)


def _part_with_remade(workspace: Workspace, connection: str) -> None:
    """Do so for the fields that were made again.

    All deals are read anew for them, and for those that went or came back: each deal can be read otherwise then.
    """
    told = _stands_for(workspace, connection)
    if told is None:
        return
    before = _stood_for(workspace, connection)
    gone = {name: GONE + before[name].removeprefix(GONE) for name in _named(workspace, connection) if name in before}
    now = {**before, **gone, **told}
    if any(now[name] != native for name, native in before.items()):
        _read_anew(workspace, connection)
    if remade := [name for name, native in told.items() if before.get(name, native).removeprefix(GONE) != native]:
        _forget(workspace, connection, remade)
    if came_back := [name for name, native in told.items() if before.get(name) == GONE + native]:
        known = _came_back(workspace, connection)
        _remember(workspace, connection, CAME_BACK, dict.fromkeys([*known, *came_back], ""))
    _remember(workspace, connection, STANDS_FOR, now)


def must_be_bound_alike(workspace: Workspace, connection: str) -> None:
    """Raise RetryLaterError where fields stand for others by now than when the reading of deals began.

    What was read is not saved then: it may be read in part from the one field, and in part from the other.
    """
    before = _stood_for(workspace, connection)
    other = [
        name
        for name, native in (_stands_for(workspace, connection) or {}).items()
        if before.get(name, native) != native
    ]
    if other:
        raise RetryLaterError(
            f"{connection}: {', '.join(sorted(other))} came to stand for another field there while deals were read",
            advice=f"Run `crmbridge pull {connection}`: it reads all deals anew.",
        )


def part_with_emptied(workspace: Workspace, connection: str) -> None:
    """Let what was agreed on no longer count where a field that was away for a while is empty since it is back.

    All deals are read anew by now. A field that was hidden holds what it held; one that was made again under its old
    name is empty, and nobody emptied it.
    """
    names = _came_back(workspace, connection)
    if names:
        deals = workspace.store.records.records(connection, Kind.DEAL)
        for name in names:
            _forget_in(workspace, (deal.ref for deal in deals if _is_empty(deal, name)), [name])
        _remember(workspace, connection, CAME_BACK, {})


def _is_empty(deal: Record, name: str) -> bool:
    return deal.fields.get(name) in {None, ()} and all(problem.field != name for problem in deal.problems)


def _named(workspace: Workspace, connection: str) -> dict[str, str]:
    entry = workspace.project.settings.connections[connection]
    return {each.name: each.native for each in field_bindings(workspace.project.process, entry.fields)}


def _stands_for(workspace: Workspace, connection: str) -> Mapping[str, str] | None:
    adapter = workspace.adapter(connection)
    return adapter.bound_fields() if tells_bound(adapter) else None


def _stood_for(workspace: Workspace, connection: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(workspace.store.memory(connection).get(STANDS_FOR, "{}"))
    return found


def _came_back(workspace: Workspace, connection: str) -> Collection[str]:
    found: dict[str, str] = json.loads(workspace.store.memory(connection).get(CAME_BACK, "{}"))
    return found


def _remember(workspace: Workspace, connection: str, what: str, known: Mapping[str, str]) -> None:
    memory, said = workspace.store.memory(connection), json.dumps(known, sort_keys=True)
    if said != memory.get(what, "{}"):
        memory[what] = said


def _read_anew(workspace: Workspace, connection: str) -> None:
    """Let all deals be read anew, as if the settings had changed."""
    note_begun(workspace, connection, Kind.DEAL)
    mark = marks_of(workspace, connection).get(Kind.DEAL)
    if mark is not None:
        page = Page(cursor=str(replace(mark, settings="")))
        workspace.store.records.save_page(connection, Kind.DEAL, page, workspace.clock.now())


def _forget(workspace: Workspace, connection: str, names: Sequence[str]) -> None:
    _forget_in(workspace, _linked(workspace, connection), names)


def _linked(workspace: Workspace, connection: str) -> Iterator[Ref]:
    links = workspace.store.links.links().values()
    return (ref for refs in links for ref in refs if ref.connection == connection and ref.kind is Kind.DEAL)


def _forget_in(workspace: Workspace, deals: Iterable[Ref], names: Sequence[str]) -> None:
    from crmbridge.services.chunks import chunks  # noqa: PLC0415  what a pull does without

    unknown: dict[str, Value] = overwritten(names)
    for name in names:
        unknown |= {name: None, **missed(name, {})}
    for part in chunks(list(deals)):
        workspace.store.links.save_bases(dict.fromkeys(part, unknown))
        workspace.store.backlog.touch(part)
