"""Fill a SQLite state with deals that have a history, for the indicators to be computed from.

    python -m runs.indicator_state STATE MOVES

Rows go in by SQL, past everything that pulls and judges: what is measured comes afterwards. The same count gives the
same state.
"""

from __future__ import annotations

import random
import sqlite3
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from crmbridge.store import open_store

STAGES = ("prospecting", "qualification", "diagnosis", "proposal", "negotiation", "closing")
WON_STAGE = "monitoring"
AS_OF = datetime(2026, 6, 1, 12)  # noqa: DTZ001  in UTC, as everything here
START = datetime(2022, 6, 1)  # noqa: DTZ001  the same
_AT_ONCE = 50_000
_DAYS = (6, 4, 12, 9, 14, 5)  # how long deals usually stay in a stage
_LOST, _BACK, _SKIP = 0.12, 0.05, 0.05  # of the times that a deal leaves a stage
_GOAL = 5 * 8 * 3600


class Stay(NamedTuple):
    """A visit; times in seconds since START, `left` None while it lasts."""

    stage: str
    number: int
    entered: int
    left: int | None
    to_stage: str | None
    to_status: str | None


def walk(chance: random.Random) -> Iterator[Stay]:
    """Let a deal go through the stages until it is won, lost, or the time is over."""
    end = int((AS_OF - START).total_seconds())
    now, at, counted = int(chance.random() * end), 0, dict.fromkeys(STAGES, 0)
    while True:
        stage = STAGES[at]
        counted[stage] += 1
        left = now + 60 + int(chance.expovariate(1 / (_DAYS[at] * 86_400)))
        if left > end:
            yield Stay(stage, counted[stage], now, None, None, None)
            return
        luck = chance.random()
        if luck < _LOST:
            yield Stay(stage, counted[stage], now, left, None, "lost")
            return
        step = -1 if luck < _LOST + _BACK and at else 2 if luck > 1 - _SKIP else 1
        if at + step >= len(STAGES):
            yield Stay(stage, counted[stage], now, left, WON_STAGE, "won")
            yield Stay(WON_STAGE, 1, left, None, None, None)
            return
        to = STAGES[at + step]
        yield Stay(stage, counted[stage], now, left, to, "open")
        now, at = left, at + step


def moment(seconds: int | None) -> str | None:
    """Write a time as the store does."""
    return None if seconds is None else (START + timedelta(seconds=seconds)).isoformat() + ".000000Z"


def fill(path: Path, moves: int) -> int:
    """Fill a new state until so many moves are in it; gives how many deals that took."""
    open_store(f"sqlite:///{path}").close()
    state = sqlite3.connect(path, isolation_level=None)
    state.execute("PRAGMA synchronous = OFF")
    state.execute("BEGIN")
    chance, deals, done = random.Random(7), 0, 0  # noqa: S311  nothing secret
    rows = _Rows(state)
    for number in range(40):
        name = f"Seller {number}"
        rows.records.append(("bench", "user", f"u{number}", None, None, name, None, None, None, "{}", "[]"))
    while done < moves:
        stays = list(walk(chance))
        done += len(stays) + (stays[-1].to_status == "lost")
        rows.deal(chance, deals, stays)
        deals += 1
        if len(rows.visits) > _AT_ONCE:
            rows.write()
    rows.write()
    state.execute("COMMIT")
    state.close()
    return deals


class _Rows:
    """Rows that wait to be written."""

    def __init__(self, state: sqlite3.Connection) -> None:
        self.state = state
        self.records: list[tuple[object, ...]] = []
        self.places: list[tuple[object, ...]] = []
        self.visits: list[tuple[object, ...]] = []
        self.clocks: list[tuple[object, ...]] = []
        self.findings: list[tuple[object, ...]] = []

    def deal(self, chance: random.Random, number: int, stays: list[Stay]) -> None:
        """Add a deal with all that is known of it."""
        deal, last = f"{10_000_000 + number}", stays[-1]
        status = "won" if last.stage == WON_STAGE else last.to_status or "open"
        stage = None if status == "lost" else last.stage
        amount, since = f"{1000 + chance.randrange(90_000)}.00", moment(stays[0].entered)
        fields = f'{{"name":"Deal {number}","source":"{chance.choice(("web", "fair", "partner"))}"}}'
        named = (f"Deal {number}", amount, "EUR", f"u{chance.randrange(40)}")
        self.records.append(("bench", "deal", deal, since, since, *named, fields, "[]"))
        self.places.append(("bench", deal, stage, status, moment(int((AS_OF - START).total_seconds()))))
        for ordinal, stay in enumerate(stays):
            entered, left = moment(stay.entered), moment(stay.left)
            self.visits.append(
                ("bench", deal, stay.stage, stay.number, ordinal, entered, left, stay.to_stage, stay.to_status)
            )
            if stay.stage != WON_STAGE:
                self._clock(chance, deal, stay, entered, left)
        if chance.random() < 0.1:
            self.findings.append((f"f{number}", "bench", deal, last.stage, since, since))

    def _clock(self, chance: random.Random, deal: str, stay: Stay, entered: str | None, left: str | None) -> None:
        spent = chance.random() * 1.3 * _GOAL
        state = "breached" if spent > _GOAL else "at_risk" if spent > 0.8 * _GOAL else "on_time"
        of = ("bench", deal, stay.stage, stay.number, f"{stay.stage}.sla")
        self.clocks.append((*of, entered, left, spent, state, int(left is None)))

    def write(self) -> None:
        """Write what waits."""
        put = self.state.executemany
        put(
            "INSERT INTO records (connection, kind, id, created_at, updated_at, name, amount, currency, owner, fields,"
            " problems) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            self.records,
        )
        put("INSERT INTO places (connection, deal, stage, status, evaluated_at) VALUES (?, ?, ?, ?, ?)", self.places)
        put("INSERT INTO visits VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", self.visits)
        put(
            "INSERT INTO sla_clocks VALUES (?, ?, ?, ?, ?, ?, ?, 'office', '5bd', 144000, ?, NULL, ?, ?, '[]', '')",
            self.clocks,
        )
        put(
            "INSERT INTO findings (id, connection, deal, rule, kind, stage, severity, message, since, seen, opened_at)"
            " VALUES (?, ?, ?, 'qualification.bant', 'exit_rule', ?, 'warning', '', ?, '{}', ?)",
            self.findings,
        )
        for each in (self.records, self.places, self.visits, self.clocks, self.findings):
            each.clear()


if __name__ == "__main__":
    print(fill(Path(sys.argv[1]), int(sys.argv[2])))
