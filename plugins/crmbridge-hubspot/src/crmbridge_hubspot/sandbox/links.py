"""What hangs on what in the sandbox account: associations in both directions, with their types."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

from crmbridge_hubspot.sandbox.account import ASSOCIATIONS, PRIMARY_TYPES
from crmbridge_hubspot.sandbox.records import CrmObject, Table, Undo
from crmbridge_hubspot.sandbox.replies import validation

Pair = tuple[str, str]


class Links:
    """The associations of all records. Every link is kept from both ends."""

    def __init__(self, tables: Mapping[str, Table], undo: Undo) -> None:
        self._tables = tables
        self._undo = undo
        self._found: dict[Pair, dict[str, dict[str, set[int]]]] = {}

    def link(self, one: CrmObject, other: CrmObject, types: Iterable[int] = ()) -> None:
        """Associate two records in both directions, unlabelled and with these types of the first direction."""
        there, back = _pairs(one, other)
        wanted = set(types) or {ASSOCIATIONS[there][0]}
        if not wanted <= set(ASSOCIATIONS[there]):
            raise validation(f"One or more association types are not valid between {there[0]} and {there[1]}")
        primary = bool(wanted & PRIMARY_TYPES)
        for first, second, pair in ((one, other, there), (other, one, back)):
            if primary and pair in (("deals", "companies"), ("contacts", "companies")):
                self._demote(first, pair)
            known = self._found.setdefault(pair, {}).setdefault(first.id, {})
            if self._undo.is_on:
                self._undo.note(partial(_restoring, known, second.id))
            found = known.setdefault(second.id, set())
            found.add(ASSOCIATIONS[pair][0])
            if primary:
                found.add(ASSOCIATIONS[pair][1])

    def _demote(self, first: CrmObject, pair: Pair) -> None:
        """Let a record have one primary company: the one before is a company like any other from now on."""
        for other_id, types in self._found.get(pair, {}).get(first.id, {}).items():
            if types.isdisjoint(PRIMARY_TYPES):
                continue
            for known in (types, self._found[pair[::-1]][other_id][first.id]):
                self._undo.note(partial(_refilling, known))
                known.difference_update(PRIMARY_TYPES)

    def unlink(self, one: CrmObject, other: CrmObject) -> None:
        """Take a link away, its labels with it; nothing happens where there is none."""
        for first, second, pair in zip((one, other), (other, one), _pairs(one, other), strict=True):
            known = self._found.get(pair, {}).get(first.id, {})
            self._undo.note(partial(_restoring, known, second.id))
            known.pop(second.id, None)

    def unlabel(self, one: CrmObject, other: CrmObject, types: Iterable[int]) -> None:
        """Take labels away; without the unlabelled type there is no link."""
        there, back = _pairs(one, other)
        gone = {ASSOCIATIONS[there].index(each) for each in types if each in ASSOCIATIONS[there]}
        if 0 in gone:
            self.unlink(one, other)
            return
        for first, second, pair in ((one, other, there), (other, one, back)):
            known = self._found.get(pair, {}).get(first.id, {}).get(second.id, set())
            known.difference_update(ASSOCIATIONS[pair][place] for place in gone)

    def of(self, name: str, record_id: str, other: str) -> list[tuple[CrmObject, set[int]]]:
        """Give the records of another type that hang on one and are not deleted, with the association types."""
        found = self._found.get((name, other), {}).get(record_id, {})
        table = self._tables[other]
        pairs = ((table.get(other_id), types) for other_id, types in found.items())
        return [(record, types) for record, types in pairs if record is not None and record.archived_at is None]

    def move(self, gone: CrmObject, kept: CrmObject) -> None:
        """Hang everything that hangs on one record on another of its type, as a merge does."""
        for start, end in [pair for pair in self._found if pair[0] == gone.kind.name]:
            for record, types in self.of(start, gone.id, end):
                taken = self.of(start, kept.id, end)
                has_primary = any(known & PRIMARY_TYPES for _, known in taken)
                self.link(kept, record, {each for each in types if not (has_primary and each in PRIMARY_TYPES)})
                self.unlink(gone, record)


def _pairs(one: CrmObject, other: CrmObject) -> tuple[Pair, Pair]:
    there = (one.kind.name, other.kind.name)
    if there not in ASSOCIATIONS:
        raise validation(f"{one.kind.name} can't be associated with {other.kind.name}")
    return there, there[::-1]


def _restoring(known: dict[str, set[int]], other_id: str) -> Callable[[], None]:
    before = set(known[other_id]) if other_id in known else None

    def put_back() -> None:
        if before is None:
            known.pop(other_id, None)
        else:
            known[other_id] = before

    return put_back


def _refilling(known: set[int]) -> Callable[[], None]:
    before = set(known)
    return lambda: known.update(before)
