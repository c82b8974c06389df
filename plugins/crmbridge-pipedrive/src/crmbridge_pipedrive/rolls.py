"""Who was there, of all but deals: lists just leave out what was deleted, so the roll is called once a day."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from datetime import datetime, timedelta
from itertools import chain
from typing import NamedTuple

from msgspec import Struct

from crmbridge.model.records import Kind, Ref, Tombstone
from crmbridge.model.values import iso, parse_iso
from crmbridge.ports import Clock
from crmbridge_pipedrive.limits import Limits

EVERY = timedelta(days=1)
A_PAGE = 500
FEW = 20  # so many may be gone at once without a doubt, whatever share of all that is


class Members(NamedTuple):
    """How to ask who is there: all of them, and which of some."""

    everybody: Callable[[], Iterable[int]]
    among: Callable[[list[int]], set[int]]


class Roll(Struct, frozen=True, kw_only=True):
    """The ids of one kind that an account had, kept between runs.

    Whoever was known and is not in the list any more was deleted. What is not remembered any more is only noticed
    later: the list is called again after a day, if that costs little beside the day's tokens. Where most of them are
    missing at once, that is believed when they still are a day later: a user who may see less from one day to the next
    looks just like that, and what is gone by mistake has lost its links.
    """

    memory: MutableMapping[str, str]
    clock: Clock
    limits: Limits
    connection: str
    kind: Kind
    tokens: int  # of one page of the list

    def call(self, met: set[int], members: Members, *, is_all: bool) -> Iterator[tuple[Tombstone, ...]]:
        """Yield who is gone, in lots; `met` are the ids that a pull has just brought, all there are if `is_all`."""
        now = self.clock.now()
        at, known, doubted = self._remembered()
        is_due = at is not None and not timedelta(0) <= now - at < EVERY  # a clock that was put back puts nothing off
        present = met if is_all else self._listed(members) if is_due else None
        if present is None:
            if at is None or is_due or not met <= known:
                self._keep(now if at is None or is_due else at, known | met, doubted)
            return
        everybody = known | met
        if _are_most(everybody - present - doubted, everybody):
            self._keep(now, everybody, everybody - present)
            return
        missing = sorted(everybody - present)
        for start in range(0, len(missing), A_PAGE):
            lot = missing[start : start + A_PAGE]
            there = members.among(lot)  # a list may have had a gap; only who is not found by id is gone
            gone = [number for number in lot if number not in there]
            refs = (Ref(self.connection, self.kind, str(number)) for number in gone)
            yield tuple(Tombstone(ref=ref, at=now) for ref in refs)
        self._keep(now, present)  # only now: until here, what is gone may not have been stored

    def _listed(self, members: Members) -> set[int] | None:
        """Give all there are now, unless that costs more than a small part of the day's tokens."""
        most = self.limits.few // self.tokens * A_PAGE
        found: set[int] = set()
        for number in members.everybody():
            if len(found) == most:
                return None
            found.add(number)
        return found

    def _remembered(self) -> tuple[datetime | None, set[int], set[int]]:
        try:
            kept = json.loads(self.memory[self._name])
            return parse_iso(kept["at"]), _ids_in(kept["ids"]), _ids_in(kept.get("doubted", ()))
        except (KeyError, TypeError, ValueError, AttributeError):
            return None, set(), set()

    def _keep(self, at: datetime, ids: set[int], doubted: Iterable[int] = ()) -> None:
        """Keep who was there, and who was missing that day, which is not believed yet."""
        kept = {"at": iso(at), "ids": runs_of(ids), "doubted": runs_of(doubted)}
        self.memory[self._name] = json.dumps(kept, separators=(",", ":"))

    @property
    def _name(self) -> str:
        return f"roll of {self.kind}"


def _are_most(missing: set[int], everybody: set[int]) -> bool:
    return len(missing) > max(FEW, len(everybody) // 2)


def _ids_in(runs: Iterable[tuple[int, int]]) -> set[int]:
    return set(chain.from_iterable(range(first, last + 1) for first, last in runs))


def runs_of(ids: Iterable[int]) -> list[list[int]]:
    """Write ids as runs of following ones, which is short, as ids are given out in a row."""
    runs: list[list[int]] = []
    for number in sorted(ids):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    return runs
