"""Deletions that a CRM forgot: what is known is looked for by its ids, as often as it forgets what is gone.

A CRM tells of a deletion for some days. Who does not pull for longer hears nothing of it, nor does anybody once a
person empties the recycle bin, and the record would be kept for ever.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec import Struct

from crmbridge.errors import CrmbridgeError, RefusedError
from crmbridge.model.records import Kind, Record, Ref, Tombstone
from crmbridge.model.values import iso, parse_iso
from crmbridge.ports import Page, names_all
from crmbridge.revealed import strike
from crmbridge.services.chunks import chunks
from crmbridge.services.pull.kinds import PLURALS
from crmbridge.services.pull.unread_kinds import unread
from crmbridge.services.workspace import Workspace

SOONER = 0.9  # of the time for which a CRM tells of a deletion: neither clean-ups nor clocks are to the minute
LOT = 1_000  # ids that an adapter is asked for at once
FEW = 20  # so many may be gone at once without a doubt, whatever share of all that is
DOUBTED_FOR = timedelta(days=1)
# Refusals one after the other, of a lot and its parts, until it is for no single id; and after a lot of which the CRM
# answered nothing, as the whole and its halves.
TRIES, FEWER = 20, 3

log = logging.getLogger(__name__)


class _SoFar(Struct, frozen=True):
    """How far a look came that an error ended: begun then, it came up to this id, and so much was missing."""

    begun: str
    after: str = ""
    missing: list[str] = []


def note_nothing_known(workspace: Workspace, connection: str, kind: Kind) -> None:
    """Note that a kind is read for the first time, so that nothing known of it can be gone yet."""
    workspace.store.memory(connection)[_looked_at(kind)] = iso(workspace.clock.now())


def bury_forgotten(workspace: Workspace, connection: str, kind: Kind) -> int:
    """Look for everything known of a kind, if it is time to, and save that the rest is gone; give how many those are.

    Where most are missing at once, that is believed when they still are a day later: a user who may see less from one
    day to the next looks just like that. Where all can be named, only who is not named is looked for, or nobody where
    that costs too much: to ask for each would cost more still.
    """
    if not _is_due(workspace, connection, kind):
        return 0
    memory, now = workspace.store.memory(connection), iso(workspace.clock.now())
    named = _named(workspace, connection, kind)
    if named is None and kind in workspace.adapter(connection).capabilities.names_all:
        memory[_looked_at(kind)] = now
        return 0
    so_far = _so_far(memory.get(_broken_off(kind), "")) or _SoFar(now)
    _bring_back(workspace, connection, kind, named)
    known = _known(workspace, connection, kind)
    sought = known if named is None else [ref for ref in known if ref.id not in named]
    missing = _missing(workspace, connection, sought, so_far)
    memory.pop(_broken_off(kind), None)
    if _are_most(missing, known) and not _was_doubted(workspace, connection, kind):
        memory[_doubted_at(kind)] = now
        said = f"{len(missing)} of {len(known)} {PLURALS[kind]} are not found any more, which is believed in a day"
        log.warning("%s: %s", connection, said)
        return 0
    _bury(workspace, connection, kind, missing)
    memory[_looked_at(kind)] = so_far.begun
    memory.pop(_doubted_at(kind), None)
    return len(missing)


def _known(workspace: Workspace, connection: str, kind: Kind) -> list[Ref]:
    """Give what was pulled of a kind and is not known to be gone, and what was made for a link and never pulled."""
    records, links = workspace.store.records, workspace.store.links.links().values()
    linked = {ref for refs in links for ref in refs if ref.connection == connection and ref.kind is kind}
    pulled = {record.ref for record in records.records(connection, kind)}
    return sorted(pulled | linked.difference(stone.ref for stone in records.gone(connection)))


def _is_due(workspace: Workspace, connection: str, kind: Kind) -> bool:
    told_for = workspace.adapter(connection).capabilities.forgets.get(kind)
    if told_for is None or unread(workspace, connection, kind):  # what may not be read can't be looked for either
        return False
    if _is_within(workspace, _noted(workspace, connection, _doubted_at(kind)), DOUBTED_FOR):
        return False
    return not _is_within(workspace, _noted(workspace, connection, _looked_at(kind)), told_for * SOONER)


def _was_doubted(workspace: Workspace, connection: str, kind: Kind) -> bool:
    """Tell whether most were missing a day ago already; of a time that is still to come, a clock was wrong."""
    at = _noted(workspace, connection, _doubted_at(kind))
    return at is not None and at + DOUBTED_FOR <= workspace.clock.now()


def _noted(workspace: Workspace, connection: str, name: str) -> datetime | None:
    with suppress(KeyError, ValueError):  # never noted, or by another version
        return parse_iso(workspace.store.memory(connection)[name])
    return None


def _is_within(workspace: Workspace, at: datetime | None, span: timedelta) -> bool:
    """Tell whether something was so short a time ago; a clock that was put back makes nothing younger."""
    return at is not None and at <= workspace.clock.now() < at + span


def _named(workspace: Workspace, connection: str, kind: Kind) -> Collection[str] | None:
    """Give the ids of all that are there, where the adapter can name them; one that is refused names nobody."""
    adapter = workspace.adapter(connection)
    try:
        return adapter.name_all(kind) if names_all(adapter, kind) else None
    except RefusedError as error:
        log.warning("%s: %s can't be looked for: %s", connection, PLURALS[kind], strike(error.message))
        return None


def _missing(workspace: Workspace, connection: str, sought: Sequence[Ref], so_far: _SoFar) -> list[Ref]:
    """Give those of the ones sought that are not found, by a look that goes on where an error ended the one before.

    So many requests may be more than the limit of a day lets through. What was missing then may be back by now.
    """
    before, after = set(so_far.missing), so_far.after
    missing, rest = [ref for ref in sought if ref.id in before], [ref for ref in sought if ref.id > after]
    done = len(sought) - len(rest)
    try:
        missing = [ref for one in _answers(workspace, connection, missing) for ref in one.missing]
        for one in _answers(workspace, connection, rest):
            missing += one.missing
            after, done = one.lot[-1].id, done + len(one.lot)
            workspace.progress("pull", f"{connection}: looked for {done} of {len(sought)} {PLURALS[one.lot[0].kind]}")
    except CrmbridgeError:
        came = _SoFar(so_far.begun, after, [ref.id for ref in missing])
        workspace.store.memory(connection)[_broken_off(sought[0].kind)] = msgspec.json.encode(came).decode()
        raise
    return missing


def _so_far(written: str) -> _SoFar | None:
    with suppress(msgspec.DecodeError):  # there is none, or it is of another version
        return msgspec.json.decode(written, type=_SoFar)
    return None


def _bring_back(workspace: Workspace, connection: str, kind: Kind, named: Collection[str] | None) -> None:
    """Save what was taken for gone and is there: a user may not have seen it for a while, or somebody restored it."""
    stones = (stone for stone in workspace.store.records.gone(connection) if stone.ref.kind is kind)
    gone = [stone.ref for stone in stones if stone.merged_into is None and (named is None or stone.ref.id in named)]
    for one in _answers(workspace, connection, gone, fields=None):
        workspace.store.records.put([one.found[ref] for ref in one.lot if ref in one.found])


class _Answer(NamedTuple):
    """What a CRM said of a lot: which of it it answered, what of that is there, and why it refused the rest."""

    lot: Sequence[Ref]
    answered: Collection[Ref]
    found: Mapping[Ref, Record]
    why: str

    @property
    def missing(self) -> list[Ref]:
        return [ref for ref in self.lot if ref in self.answered and ref not in self.found]

    @property
    def refused(self) -> list[Ref]:
        """Give those of which nobody knows whether they are there."""
        return [ref for ref in self.lot if ref not in self.answered]


def _answers(
    workspace: Workspace, connection: str, refs: Sequence[Ref], *, fields: Collection[str] | None = ()
) -> Iterator[_Answer]:
    """Read records by their ids, and give what the CRM said of each lot in their order; say what it refused."""
    tries = TRIES
    refused: list[Ref] = []
    why = ""
    try:
        for lot in chunks(refs, LOT):
            answer = _answer(workspace, connection, lot, fields, tries)
            refused, why = [*refused, *answer.refused], answer.why or why
            tries = TRIES if answer.answered else FEWER
            yield answer
    finally:
        if refused:
            several = f"{len(refused):,} {PLURALS[refused[0].kind]} can't be looked for, {refused[0]} among them"
            said = several if len(refused) > 1 else f"{refused[0]} can't be looked for"
            log.warning("%s: %s: %s", connection, said, strike(why))


def _answer(
    workspace: Workspace, connection: str, lot: Sequence[Ref], fields: Collection[str] | None, tries: int
) -> _Answer:
    """Read a lot, in ever smaller parts where the CRM refuses it: one id that it can't take says nothing of the others.

    All parts of one size come before the smaller ones, so that ids next to each other that it refuses hide few others.
    """
    answered: set[Ref] = set()
    found: dict[Ref, Record] = {}
    why, refused = "", 0  # one after the other
    todo = deque([lot])
    while todo and refused < tries:
        part = todo.popleft()
        try:
            found |= workspace.adapter(connection).read(part, fields=fields)
        except RefusedError as error:
            why, refused = error.message, refused + 1
            middle = len(part) // 2
            todo += [part[:middle], part[middle:]] if middle else []
        else:
            answered.update(part)
            refused = 0
    return _Answer(lot, answered, found, why)


def _are_most(missing: Sequence[Ref], known: Sequence[Ref]) -> bool:
    return len(missing) > max(FEW, len(known) // 2)


def _bury(workspace: Workspace, connection: str, kind: Kind, missing: Sequence[Ref]) -> None:
    records, now = workspace.store.records, workspace.clock.now()
    cursor = records.cursors(connection)[kind]
    for lot in chunks(missing):
        stones = tuple(Tombstone(ref=ref, at=now) for ref in lot)
        records.save_page(connection, kind, Page(tombstones=stones, cursor=cursor), now)


def _looked_at(kind: Kind) -> str:
    return f"crmbridge.{kind}_looked_for"  # when that was last begun, by our clock


def _doubted_at(kind: Kind) -> str:
    return f"crmbridge.{kind}_doubted"  # since when most of them are missing


def _broken_off(kind: Kind) -> str:
    return f"crmbridge.{kind}_looked_so_far"
