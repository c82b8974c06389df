"""Random cases for the merge, judged from its promises: `python -m crmbridge.testing.merge_cases COUNT [FIRST_SEED]`.

A case is one field of one link with three sides, of which one may join late or lack the field. For some rounds people
edit, the sides are merged, and what was planned is written: it arrives (some CRMs keep a lossy form of it), is lost, or
is refused because a person edited meanwhile. Then people hold still. Values come from small pools, so that they are
often equal, or taken back. `replay SEED` tells a case step by step.
"""

from __future__ import annotations

import os
import random
import sys
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

from crmbridge.engine.forms import read, sent
from crmbridge.engine.merge import Merged, Side, decided_ref, merge
from crmbridge.engine.sameness import altered
from crmbridge.model.records import Kind, Ref
from crmbridge.model.values import Value
from crmbridge.settings import FieldSync
from crmbridge.testing.merge_oracle import Oracle

X, LINK, NAMES = "x", "link", ("a", "b", "c")
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
MOST_ROUNDS, QUIET_AFTER = 5, 2  # rounds in which people edit; passes that may still write after that
CHUNK = 5_000  # cases that one process plays at a time

POLICIES = tuple(
    [{"conflict": how} for how in ("ask", "newest", "only_if_empty", *(f"prefer: {name}" for name in NAMES))]
    + [{"direction": f"from: {name}"} for name in NAMES]
)
TEXTS = ("North Wind", "north wind", "Zo\u00eb", "Zoe\u0308", "Zo\u00eb ", "South", "", None)
NUMBERS = (*(Decimal(text) for text in ("1", "1.0", "1.24", "1.21", "1.2", "7.77")), None)
TIMES = tuple(NOON + timedelta(seconds=seconds) for seconds in (0, 30, 59, 60, 61, 3600))
SETS = (None, ("p",), ("q",), ("p", "q"), ("q", "r"), ("p", "q", "r"))
Lossy = Callable[[Any], Value]


def _as_is(value: Value) -> Value:
    return value


def _spaces(text: str) -> str:
    return text.strip()


def _tenths(number: Decimal) -> Decimal:
    return number.quantize(Decimal("0.1"), ROUND_HALF_UP)


def _to_minute(moment: datetime) -> datetime:
    return moment.replace(second=0)


POOLS: tuple[tuple[Sequence[Value], tuple[Lossy, ...]], ...] = (
    (("p", "q", "r", None), (_as_is,)),
    (TEXTS, (_as_is, str.lower, _spaces)),
    (NUMBERS, (_as_is, _tenths)),
    ((*TIMES, None), (_as_is, _to_minute)),
    (SETS, (_as_is,)),
)


@cache
def _policy(number: int) -> FieldSync:
    return FieldSync.model_validate(POLICIES[number])


_REFS = {name: Ref(name, Kind.DEAL, "1") for name in NAMES}
_DECIDED = decided_ref(LINK)


@dataclass(slots=True)
class _Crm:
    """One side's CRM, with what crmbridge keeps of it."""

    value: Value
    lossy: Lossy
    version: int = 0
    minute: int = 0
    awaits: list[Value] = field(default_factory=list)  # what was written and not seen yet
    base: dict[str, Value] = field(default_factory=dict)


class BrokenError(AssertionError):
    """A promise does not hold; the message says which."""


@dataclass(slots=True)
class _Case:
    dice: random.Random
    how: FieldSync
    pool: Sequence[Value]
    crms: dict[str, _Crm]
    late: str | None
    oracle: Oracle
    say: Callable[[str], None]
    decided: dict[str, Value] = field(default_factory=dict)
    minute: int = 0

    def edit(self, name: str) -> None:
        """Let a person edit one side; an edit that may be a form of what was just written is a gap that is known."""
        crm, value = self.crms[name], self.dice.choice(self.pool)
        value = None if value is None else crm.lossy(value)
        if value == crm.value or any(altered(was, value) for was in crm.awaits):
            return
        self.minute += self.dice.randrange(2)
        crm.value, crm.version, crm.minute = value, crm.version + 1, self.minute
        self.say(f"a person writes {value!r} in {name}")

    def pass_once(self, *, people: bool) -> int:
        """Merge and write once; gives how many edits were planned."""
        sides = self._look()
        merged = merge(LINK, sides, lambda _: self.how, self.decided)
        self.say(f"merged: {_told(merged)}")
        self.oracle.judge(merged, sides)
        for ref, fields in merged.agreed.items():
            (self.decided if ref == _DECIDED else self.crms[ref.connection].base).update(fields)
        self._write(merged, {side.ref.connection: side for side in sides}, people=people)
        return len(merged.edits)

    def _look(self) -> list[Side]:
        """Pull all sides, as `services/syncing.py` makes them."""
        sides = []
        for name, crm in self.crms.items():
            if name == self.late:
                continue
            crm.awaits.clear()
            seen = read({X: crm.value}, crm.base, str(crm.version))
            side = Side(
                ref=_REFS[name],
                now=seen.now,
                base=dict(crm.base),
                updated_at=NOON + timedelta(minutes=crm.minute),
                held={X: crm.value},
            )
            crm.base.update(seen.news)
            self.oracle.see(name, crm.value, crm.minute)
            sides.append(side)
        return sides

    def _write(self, merged: Merged, sides: Mapping[str, Side], *, people: bool) -> None:
        going = False
        for ref, (edit,) in merged.edits.items():
            name, crm, version = ref.connection, self.crms[ref.connection], str(self.crms[ref.connection].version)
            if people and self.dice.random() < 0.1:
                self.edit(name)
            if str(crm.version) != version:
                self.say(f"{name} refuses {edit.after!r}: it was edited meanwhile")
                continue
            if not going:
                self._decide(edit.after, merged, sides)
            going = True
            if people and self.dice.random() < 0.15:
                self.say(f"the write of {edit.after!r} to {name} is lost")
                continue
            self._arrive(name, edit.after)

    def _decide(self, after: Value, merged: Merged, sides: Mapping[str, Side]) -> None:
        """Remember what is decided on, as `services/deciding.py` does."""
        self.decided[X] = after
        for name, side in sides.items():
            if side.ref in merged.edits or same_text(side.held[X]) == same_text(after):
                self.crms[name].base[X] = side.held[X] if side.ref in merged.edits else after
        self.oracle.decide(after, [ref.connection for ref in merged.edits])

    def _arrive(self, name: str, after: Value) -> None:
        crm = self.crms[name]
        crm.base.update(sent([(X, after)], str(crm.version)))
        crm.value = None if after is None else crm.lossy(after)
        crm.version, crm.minute = crm.version + 1, self.minute
        crm.awaits.append(after)
        self.oracle.write(name, after, crm.value)
        self.say(f"{name} is given {after!r} and keeps {crm.value!r}")


def same_text(value: Value) -> Any:
    """Give what two values of the pools have in common when they say the same."""
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value).strip() or None
    return value


def _told(merged: Merged) -> str:
    edits = {ref.connection: edit.after for ref, (edit,) in merged.edits.items()}
    return f"edits {edits}, asked {[dict(item.values) for item in merged.blocked]}"


def _deal(seed: int, say: Callable[[str], None]) -> _Case:
    dice = random.Random(seed)  # noqa: S311  it plays
    number = dice.randrange(len(POLICIES))
    pool, forms = dice.choice(POOLS)
    names = NAMES if dice.random() < 0.8 else tuple(dice.sample(NAMES, 2))
    crms = {}
    for name in names:
        lossy, value = dice.choice(forms), dice.choice(pool)
        crms[name] = _Crm(None if value is None else lossy(value), lossy)
    late = dice.choice(names) if len(names) == len(NAMES) and dice.random() < 0.3 else None
    say(f"seed {seed}: {POLICIES[number]}, late: {late}")
    say(f"{ {name: (crm.value, crm.lossy.__name__) for name, crm in crms.items()} }")
    return _Case(dice, _policy(number), pool, crms, late, Oracle(_policy(number), pool is SETS, same_text), say)


def play(seed: int, say: Callable[[str], None] = lambda _: None) -> None:
    """Play one case; raises BrokenError, naming the promise, when the merge does not keep it."""
    case = _deal(seed, say)
    dice = case.dice
    for number in range(dice.randrange(1, MOST_ROUNDS + 1)):
        say(f"— round {number}")
        if number and dice.random() < 0.5:
            case.late = None
        for name in case.crms:
            if dice.random() < 0.4:
                case.edit(name)
        case.pass_once(people=True)
    case.late = None
    say("— people hold still")
    wrote = [case.pass_once(people=False) for _ in range(QUIET_AFTER + 1)]
    if any(wrote[QUIET_AFTER:]):
        raise BrokenError(f"P3: it goes on writing: {wrote}")


def failures(first: int, count: int) -> list[tuple[int, str]]:
    """Play cases from a first seed on; gives those that fail, and why."""
    found = []
    for seed in range(first, first + count):
        try:
            play(seed)
        except AssertionError as error:
            found.append((seed, str(error)))
    return found


def main(arguments: Sequence[str]) -> int:
    """Play many cases on all cores, or replay one; gives 1 if any failed."""
    if arguments[0] == "replay":
        play(int(arguments[1]), print)
        return 0
    count, first = int(arguments[0]), int(arguments[1]) if len(arguments) > 1 else 1
    starts = range(first, first + count, CHUNK)
    failed = 0
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        for found in pool.map(failures, starts, [min(CHUNK, first + count - start) for start in starts]):
            failed += len(found)
            for seed, why in found:
                print(f"{seed}: {why}", flush=True)  # noqa: T201
    print(f"{count} played, {failed} failed")  # noqa: T201
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
