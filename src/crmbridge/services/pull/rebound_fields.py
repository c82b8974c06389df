"""Rebinding: a field that stands for another field of its CRM than before was not edited there."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from crmbridge.engine.sync.forms import missed, overwritten
from crmbridge.engine.sync.sameness import same
from crmbridge.errors import RetryLaterError
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge.ports import BoundTo, Page, tells_bound
from crmbridge.services.pull.bookmarks import Bookmark
from crmbridge.services.pull.half_read import note_begun
from crmbridge.services.workspace import Workspace, field_bindings

BOUND = "crmbridge.bound"  # the CRM's field that each of ours was last read from, as the settings call it, as JSON
READ_FROM = "crmbridge.read_from"  # the same as the CRM itself calls it, and how it is read, where the adapter tells
# Until all deals are read anew: the fields that were not there for a while, and those that are read otherwise by now.
CAME_BACK, READ_OTHERWISE = "crmbridge.came_back", "crmbridge.read_otherwise"
GONE = "~"  # before what the CRM called a field that is not there any more

Bases = Mapping[Ref, Mapping[str, Value]]


def part_with_rebound(workspace: Workspace, connection: str) -> None:
    """Let what was agreed on with a connection's deals no longer count in fields that are bound to others since.

    What they hold in those stands beside what the others have, as in a field that is named for the first time. This
    comes before anything is read anew, as the first page that is saved says by which settings it was read.
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


def part_with_remade(workspace: Workspace, connection: str, marks: Mapping[Kind, Bookmark]) -> Bookmark | None:
    """Do so where the account has another field under a name, and give from where on deals are read.

    One that was deleted and made again is empty in all deals, and nobody emptied it. All deals are read anew for that,
    and for fields that went, came back or are read by another set-up: each deal reads otherwise then.
    """
    mark, told = marks.get(Kind.DEAL), _sources(workspace, connection)
    if told is None:
        return mark
    before = _read_from(workspace, connection)
    # Also those that never were there: once they are, each deal that was read before says still that it can't be read.
    away = {name: _gone(before.get(name, BoundTo(""))) for name in _named(workspace, connection)}
    now = {**before, **away, **told}
    if any(now[name] != source for name, source in before.items()):
        mark = _anew(workspace, connection, mark)
    pairs = {name: (before[name], source) for name, source in told.items() if name in before}
    if remade := [name for name, (was, source) in pairs.items() if was.native.removeprefix(GONE) != source.native]:
        _forget(workspace, connection, remade)
    _note(
        workspace,
        connection,
        CAME_BACK,
        [n for n, (was, source) in pairs.items() if was.native == GONE + source.native],
    )
    _note(
        workspace,
        connection,
        READ_OTHERWISE,
        [name for name, (was, source) in pairs.items() if was.native == source.native and was != source],
    )
    _remember(workspace, connection, READ_FROM, now)
    return mark


def note_made(workspace: Workspace, connection: str, names: Collection[str]) -> None:
    """Note that fields were made in the account just now: what they stood for before, if anything, was not there."""
    before = _read_from(workspace, connection)
    _remember(
        workspace,
        connection,
        READ_FROM,
        {name: _gone(source) if name in names else source for name, source in before.items()},
    )


def must_be_bound_alike(workspace: Workspace, connection: str) -> None:
    """Raise RetryLaterError where fields are read from others by now than when the reading of deals began.

    What was read is not saved then: it may be read in part from the one field, and in part from the other.
    """
    before = _read_from(workspace, connection)
    other = [name for name, now in (_sources(workspace, connection) or {}).items() if before.get(name, now) != now]
    if other:
        raise RetryLaterError(
            f"{connection}: {', '.join(sorted(other))} came to stand for something else there while deals were read",
            advice=f"Run `crmbridge pull {connection}`: it reads all deals anew.",
        )


def follow_other_reading(workspace: Workspace, connection: str, deals: Sequence[Record]) -> None:
    """Let what was agreed on still count in deals that read otherwise since the account has another zone, or currency.

    Their CRM counts them as unchanged, so nobody edited them; what they held is what the others hold.
    """
    names = _noted(workspace, connection, READ_OTHERWISE)
    if not names:
        return
    refs = [deal.ref for deal in deals]
    held, bases = workspace.store.records.get(refs), workspace.store.links.bases(refs)
    news = {
        deal.ref: _unsaid({name: deal.fields.get(name) for name in names if _reads_otherwise(deal, held, bases, name)})
        for deal in deals
    }
    workspace.store.links.save_bases({ref: base for ref, base in news.items() if base})


def _reads_otherwise(deal: Record, held: Mapping[Ref, Record], bases: Bases, name: str) -> bool:
    """Tell whether a deal that its CRM did not change holds something else than what it held and was agreed on."""
    was, base = held.get(deal.ref), bases.get(deal.ref, {}).get(name)
    if was is None or base is None or was.version != deal.version:
        return False
    return same(base, was.fields.get(name)) and not same(base, deal.fields.get(name))


def part_with_emptied(workspace: Workspace, connection: str) -> None:
    """Let what was agreed on no longer count where a field that was away for a while is empty since it is back.

    All deals are read anew by now. A field that was hidden holds what it held; one that was made again under its old
    name is empty, and nobody emptied it. A checkbox can't be empty: it says the same in all deals then.
    """
    for name in _noted(workspace, connection, CAME_BACK):
        blank = {None, (), *_defaults(workspace, connection, name)}
        deals = workspace.store.records.records(connection, Kind.DEAL)
        empty = [(deal.ref, {name: deal.fields.get(name)}) for deal in deals if _is_empty(deal, name, blank)]
        _forget_in(workspace, empty)
    for what in (CAME_BACK, READ_OTHERWISE):
        _remember(workspace, connection, what, {})


def _is_empty(deal: Record, name: str, blank: Collection[Value]) -> bool:
    return deal.fields.get(name) in blank and name not in deal.unreadable


def _defaults(workspace: Workspace, connection: str, name: str) -> Iterator[bool]:
    """Give what a checkbox says where nobody ticked it since it is back: what most deals say that said the other."""
    from crmbridge.services.chunks import chunks  # noqa: PLC0415  what a pull does without

    said: Counter[tuple[Value, Value]] = Counter()
    for deals in chunks(workspace.store.records.records(connection, Kind.DEAL)):
        bases = workspace.store.links.bases([deal.ref for deal in deals])
        pairs = ((bases.get(deal.ref, {}).get(name), deal.fields.get(name)) for deal in deals)
        said.update(pair for pair in pairs if {bool} == {*map(type, pair)})
    for value in (False, True):
        if said[not value, value] > said[not value, not value]:
            yield value


def _gone(source: BoundTo) -> BoundTo:
    return source._replace(native=GONE + source.native.removeprefix(GONE))


def _named(workspace: Workspace, connection: str) -> dict[str, str]:
    entry = workspace.project.settings.connections[connection]
    return {each.name: each.native for each in field_bindings(workspace.project.process, entry.fields)}


def _sources(workspace: Workspace, connection: str) -> Mapping[str, BoundTo] | None:
    adapter = workspace.adapter(connection)
    return adapter.bound_fields() if tells_bound(adapter) else None


def _read_from(workspace: Workspace, connection: str) -> dict[str, BoundTo]:
    known = json.loads(workspace.store.memory(connection).get(READ_FROM, "{}"))
    return {name: BoundTo(*source) for name, source in known.items()}


def _noted(workspace: Workspace, connection: str, what: str) -> Collection[str]:
    found: dict[str, str] = json.loads(workspace.store.memory(connection).get(what, "{}"))
    return found


def _note(workspace: Workspace, connection: str, what: str, names: Sequence[str]) -> None:
    _remember(workspace, connection, what, dict.fromkeys([*_noted(workspace, connection, what), *names], ""))


def _remember(workspace: Workspace, connection: str, what: str, known: Mapping[str, object]) -> None:
    memory, said = workspace.store.memory(connection), json.dumps(known, sort_keys=True)
    if said != memory.get(what, "{}"):
        memory[what] = said


def _anew(workspace: Workspace, connection: str, mark: Bookmark | None) -> Bookmark | None:
    """Let all deals be read anew, as if the settings had changed."""
    note_begun(workspace, connection, Kind.DEAL)
    if mark is not None:
        mark = replace(mark, settings="")
        page = Page(cursor=str(mark))
        workspace.store.records.save_page(connection, Kind.DEAL, page, workspace.clock.now())
    return mark


def _forget(workspace: Workspace, connection: str, names: Sequence[str]) -> None:
    links = workspace.store.links.links().values()
    deals = (ref for refs in links for ref in refs if ref.connection == connection and ref.kind is Kind.DEAL)
    _forget_in(workspace, ((ref, dict.fromkeys(names)) for ref in deals))


def _forget_in(workspace: Workspace, deals: Iterable[tuple[Ref, Mapping[str, Value]]]) -> None:
    """Let deals say nothing by these values, so that what the others agreed on counts."""
    from crmbridge.services.chunks import chunks  # noqa: PLC0415  what a pull does without

    for part in chunks(deals):
        workspace.store.links.save_bases({ref: _unsaid(values) for ref, values in part})
        workspace.store.backlog.touch([ref for ref, _ in part])


def _unsaid(values: Mapping[str, Value]) -> dict[str, Value]:
    """Give the base of a deal that holds this in some fields and says nothing by it: what others agreed on counts."""
    found: dict[str, Value] = overwritten(values)
    for name, value in values.items():
        found |= {name: value, **missed(name, {name: value})}
    return found
