"""The weighted forecast: what the open deals will bring within a horizon, and how far off that may be.

Each open deal's chance is the Aalen-Johansen share, with losing as the competing end, of earlier deals that were in the
same stage for at least as long: how many of them were won within the horizon from there. Where fewer than 20 had been
there so long, the stage's deals from its first day count; where these are fewer than 20, those of all stages.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from itertools import islice
from math import floor, sqrt
from typing import Final, NamedTuple, TypeVar

import duckdb
from msgspec import Struct, field

from crmbridge.indicators.state import query
from crmbridge.indicators.tables import CREWS
from crmbridge.model.figures import Interval

HORIZON: Final = 90  # days
ENOUGH: Final = 20  # visits that a chance may rest on
_LANDMARKS: Final = 12  # ages per stage at which the history is looked at
_ALONE: Final = 60  # deals that are drawn one by one; the others are so small beside them that their sum is normal
_DRAWS: Final = 2000
_SEED: Final = 7  # the same state gives the same interval


class Basis(StrEnum):
    """What a deal's chance was learnt from."""

    AGE = "age"  # deals of its stage that had been there as long
    STAGE = "stage"  # deals of its stage, from the first day
    ALL = "all"  # deals of all stages, from the first day of each
    NONE = "none"  # there is no history, so no chance


Key = TypeVar("Key")
Window = tuple[int, int]  # days from now: from the first on, until the second


class Deal(NamedTuple):
    """An open deal: where it stands, for how many days, what it is worth, and what its CRM gives it (0 to 1)."""

    stage: int  # its place in the process, from 0
    days: float
    amount: float | None = None
    probability: float | None = None
    group: int | None = None  # the segment's number


class Cut(NamedTuple):
    """What a forecast is told apart by beside stages: by the deals' groups, and by when deals will be won."""

    by_group: bool = False
    windows: tuple[Window, ...] = ()  # one after the other, from now until the horizon


_WHOLE: Final = Cut()


class Outlook(Struct, frozen=True, kw_only=True):
    """What some open deals are expected to bring within the horizon.

    `expected` is the sum of amount times chance, and `interval` holds what they will bring in 95 of 100 cases; None
    where earlier deals are too few to tell, or all ended alike. `wins` is how many deals that is. `crm` is amount times
    the CRM's own probability, over the `crm_deals` that have both.
    """

    deals: int
    amount: float
    wins: float | None
    expected: float | None
    interval: Interval | None
    crm: float | None
    crm_deals: int
    without_amount: int


class Forecast(Struct, frozen=True, kw_only=True):
    """The outlook over all open deals, by stage, and by what it is cut into besides.

    `bases` counts the deals by what their chance was learnt from.

    `is_short` tells that the history does not reach as far as the horizon, so that chances are too low.
    """

    horizon: int
    total: Outlook
    stages: Mapping[int, Outlook]
    parts: Mapping[tuple[int | None, int | None], Outlook]  # by group, and by the place in the cut's windows
    bases: Mapping[Basis, int]
    is_short: bool


def forecast(database: duckdb.DuckDBPyConnection, horizon: int = HORIZON, cut: Cut = _WHOLE) -> Forecast:
    """Forecast the open deals of a database that has our views, `money` and `chances`; `horizon` is in days."""
    database.execute(query("forecast_history"))
    rows = database.execute(
        "SELECT stage, days, amount, probability, seg FROM standing ORDER BY connection, deal"
    ).fetchall()
    return outlook(database, [Deal(*row) for row in rows], horizon, cut)


def outlook(
    database: duckdb.DuckDBPyConnection, deals: Sequence[Deal], horizon: int = HORIZON, cut: Cut = _WHOLE
) -> Forecast:
    """Forecast deals from the table `history` of the database: stage, days, days_left, ending, crew."""
    chances = _learnt(database, deals, horizon)
    of = chances.of_all(deals)
    return Forecast(
        horizon=horizon,
        total=_outlook(deals, of),
        stages=_apart(deals, of, [deal.stage for deal in deals]),
        parts=dict(_parts(chances, deals, of, cut)),
        bases={basis: sum(chance.basis is basis for chance in of) for basis in Basis},
        is_short=any(chance.is_short for chance in of),
    )


def chances(
    database: duckdb.DuckDBPyConnection, deals: Sequence[Deal], horizon: int = HORIZON
) -> list[float | None] | None:
    """Give each deal's chance from the same table, without an interval; None where the history is too short for one."""
    of = _learnt(database, deals, horizon).of_all(deals)
    return None if any(chance.is_short for chance in of) else [chance.won for chance in of]


def _apart(deals: Sequence[Deal], chances: Sequence[_Chance], keys: Sequence[Key]) -> dict[Key, Outlook]:
    """Give the outlook of each part of the deals."""
    found: dict[Key, list[int]] = defaultdict(list)
    for index, key in enumerate(keys):
        found[key].append(index)
    return {key: _outlook([deals[i] for i in of], [chances[i] for i in of]) for key, of in found.items()}


def _parts(
    chances: _Chances, deals: Sequence[Deal], of: Sequence[_Chance], cut: Cut
) -> Iterator[tuple[tuple[int | None, int | None], Outlook]]:
    groups = [deal.group if cut.by_group else None for deal in deals]
    for place, window in enumerate(cut.windows):
        within = chances.of_all(deals, window)
        yield from (((group, place), found) for group, found in _apart(deals, within, groups).items())
    if cut.by_group and not cut.windows:
        yield from (((group, None), found) for group, found in _apart(deals, of, groups).items())


# ── Chances ─────────────────────────────────────────────────────────────────────────────────────────────


class Landmark(NamedTuple):
    """A point from which earlier deals are followed: so many days in a stage, or in any stage."""

    stage: int | None
    days: int


class _Chance(NamedTuple):
    """The chance of a deal, the same with each crew left out, and what it rests on."""

    won: float | None
    without: Sequence[float]
    basis: Basis
    is_short: bool = False
    of: int = 0  # earlier deals


_NO_CHANCE = _Chance(None, (), Basis.NONE)


Column = Sequence[int]  # a number for each day, in order


class _Cells(NamedTuple):
    """How many were won, were lost, and were followed no longer, on each of the days that a landmark knows."""

    won: Column
    lost: Column
    leaving: Column

    def less(self, other: _Cells) -> _Cells:
        """Take some out."""
        won, lost, leaving = (
            [all_ - out for all_, out in zip(*each, strict=True)] for each in zip(self, other, strict=True)
        )
        return _Cells(won, lost, leaving)


class _Followed(Struct):
    """What became of those that were followed from a landmark: how many there were; cells of all, and by crew."""

    total: int = 0
    tells: bool = False  # whether any came to an end, or was followed as far as the horizon
    told: dict[int, tuple[Column, _Cells]] = field(default_factory=dict)  # by crew: its days, and what was on them
    sizes: dict[int, int] = field(default_factory=dict)

    def add(self, crew: int, days: Column, cells: _Cells) -> None:
        """Add what became of one crew. On its day 0 are those that were followed beyond the horizon."""
        self.sizes[crew] = size = sum(cells.leaving)
        self.total += size
        self.tells = self.tells or 0 in days or any(cells.won) or any(cells.lost)
        self.told[crew] = days, cells

    def chance(self, basis: Basis, window: Window | None = None) -> _Chance:
        """Estimate the chance, within a window if there is one, from all crews, and from all but each one."""
        days = sorted({day for of, _ in self.told.values() for day in of} - {0})
        crews = {crew: _spread_out(of, cells, days) for crew, (of, cells) in self.told.items()}
        won, lost, leaving = ([*map(sum, zip(*column, strict=True))] for column in zip(*crews.values(), strict=True))
        cells = _Cells(won, lost, leaving)
        chance, left = _won_within(days, cells, self.total, window)
        without = []
        for crew in range(CREWS):
            rest, size = cells, self.total - self.sizes.get(crew, 0)
            if crew in crews:
                rest = cells.less(crews[crew])
            without.append(_won_within(days, rest, size, window)[0] if size else chance)
        return _Chance(chance, without, basis, left == 0, self.total)


def _spread_out(of: Column, cells: _Cells, days: Column) -> _Cells:
    """Put the cells of some days, in any order, on all days that there are."""
    known = [dict(zip(of, column, strict=True)) for column in cells]
    won, lost, leaving = ([column.get(day, 0) for day in days] for column in known)
    return _Cells(won, lost, leaving)


def _won_within(days: Column, cells: _Cells, at_risk: int, window: Window | None) -> tuple[float, int]:
    """Give the share that is won within a window, else by the last day; and `_incidence`'s second."""
    if window is None:
        return _incidence(cells, at_risk, len(days))
    before, until = (_incidence(cells, at_risk, bisect_right(days, end))[0] if end else 0.0 for end in window)
    return until - before, 1


def _incidence(cells: _Cells, at_risk: int, days: int) -> tuple[float, int]:
    """Give the Aalen-Johansen share that is won in so many of the days, and how many were followed beyond them.

    The second is 0 only when all went out of sight before, while deals were still open.
    """
    staying, reached = 1.0, 0.0
    for won, lost, leaving in islice(zip(*cells, strict=True), days):
        if not at_risk:
            break
        reached += staying * won / at_risk
        staying *= 1 - (won + lost) / at_risk
        at_risk -= leaving
    if not any(cells.lost):
        reached = 1 - staying  # the same, but for the sum's rounding, which may come to more than all
    return reached, at_risk if staying > 0 else 1


class _Chances(Struct, frozen=True):
    landmarks: Mapping[int, Sequence[int]]  # by stage, in order; the first is 0
    found: Mapping[Landmark, _Followed]

    def of_all(self, deals: Sequence[Deal], window: Window | None = None) -> list[_Chance]:
        """Give each deal's chance; of one window, if it is asked for."""
        known: dict[Landmark, _Chance] = {}
        each_age: dict[tuple[int, int], _Chance] = {}
        chances = []
        for deal in deals:
            ages = self.landmarks[deal.stage]
            place = deal.stage, ages[bisect_right(ages, deal.days) - 1]
            chance = each_age.get(place)
            if chance is None:
                chance = each_age[place] = self._of(*place, window, known)
            chances.append(chance)
        return chances

    def _of(self, stage: int, age: int, window: Window | None, known: dict[Landmark, _Chance]) -> _Chance:
        """Give the chance from the closest history that is large enough; `known` are those of landmarks so far."""
        for landmark, basis, enough in (
            (Landmark(stage, age), Basis.AGE, ENOUGH),
            (Landmark(stage, 0), Basis.STAGE, ENOUGH),
            (Landmark(None, 0), Basis.ALL, 1),
        ):
            followed = self.found.get(landmark)
            if followed is not None and followed.total >= enough and followed.tells:
                if landmark not in known:
                    known[landmark] = followed.chance(basis, window)
                return known[landmark]._replace(basis=basis)
        return _NO_CHANCE


def _learnt(database: duckdb.DuckDBPyConnection, deals: Sequence[Deal], horizon: int) -> _Chances:
    landmarks = _landmarks(deals)
    numbered = [Landmark(None, 0), *(Landmark(stage, age) for stage, ages in landmarks.items() for age in ages)]
    database.execute(
        "CREATE OR REPLACE TEMP TABLE landmarks AS "
        "SELECT unnest($ids) AS id, unnest($stages)::TINYINT AS stage, unnest($days) AS days",
        {
            "ids": [*range(len(numbered))],
            "stages": [each.stage for each in numbered],
            "days": [each.days for each in numbered],
        },
    )
    found: dict[Landmark, _Followed] = defaultdict(_Followed)
    for number, crew, days, *columns in database.execute(query("forecast_chances"), {"horizon": horizon}).fetchall():
        found[numbered[number]].add(crew, days, _Cells(*columns))
    return _Chances(landmarks, dict(found))


def _landmarks(deals: Sequence[Deal]) -> dict[int, list[int]]:
    """Choose the ages to look from: those of the open deals in whole days, or some of them, evenly."""
    ages: dict[int, list[int]] = defaultdict(list)
    for deal in deals:
        ages[deal.stage].append(floor(deal.days))
    return {stage: sorted({0, *_spread(sorted(set(found)))}) for stage, found in sorted(ages.items())}


def _spread(ages: Sequence[int]) -> Iterator[int]:
    if len(ages) <= _LANDMARKS:
        yield from ages
    else:
        yield from (ages[i * len(ages) // _LANDMARKS] for i in range(_LANDMARKS))


# ── Sums ────────────────────────────────────────────────────────────────────────────────────────────────


def _outlook(deals: Sequence[Deal], chances: Sequence[_Chance]) -> Outlook:
    known = [(deal, chance) for deal, chance in zip(deals, chances, strict=True) if chance.won is not None]
    money = [(deal.amount, chance) for deal, chance in known if deal.amount is not None]
    expected = sum(amount * (chance.won or 0.0) for amount, chance in money)
    crm = [
        (deal.amount, deal.probability) for deal in deals if deal.amount is not None and deal.probability is not None
    ]
    return Outlook(
        deals=len(deals),
        amount=sum(deal.amount or 0.0 for deal in deals),
        wins=sum(chance.won or 0.0 for _, chance in known) if known else None,
        expected=expected if money else None,
        interval=_interval(money) if _tell_how_far(money) else None,
        crm=sum(amount * probability for amount, probability in crm) if crm else None,
        crm_deals=len(crm),
        without_amount=sum(deal.amount is None for deal in deals),
    )


def _tell_how_far(money: Sequence[tuple[float, _Chance]]) -> bool:
    """Tell whether earlier deals say how far off their chances may be: few, or such as all ended alike, do not."""
    return all(chance.of >= ENOUGH for _, chance in money) and any(_spread_of(chance) for _, chance in money)


def _interval(money: Sequence[tuple[float, _Chance]]) -> Interval:
    """Give what the deals bring in 95 of 100 cases: each is won or not by itself, and the chances are only estimates.

    How far off the chances may be, all together, is the jackknife over crews of earlier deals; deals that share an
    estimate go wrong together, which no deal's own error would show.
    """
    ordered = sorted(money, key=lambda each: -abs(each[0]) * sqrt(_spread_of(each[1])))
    alone, others = ordered[:_ALONE], ordered[_ALONE:]
    mean = sum(amount * (chance.won or 0.0) for amount, chance in others)
    variance = sum(amount * amount * _spread_of(chance) for amount, chance in others) + _jackknife(money)
    chance, deviation = random.Random(_SEED), sqrt(variance)  # noqa: S311  a figure, not a secret
    draw, each_alone = chance.random, [(amount, each.won or 0.0) for amount, each in alone]
    drawn = sorted(
        mean + deviation * chance.gauss(0, 1) + sum([amount for amount, won in each_alone if draw() < won])
        for _ in range(_DRAWS)
    )
    least, most = (sum(bound(amount, 0.0) for amount, _ in money) for bound in (min, max))
    low, high = drawn[_DRAWS // 40], drawn[-_DRAWS // 40 - 1]
    return Interval(max(least, low), min(most, high))


def _spread_of(chance: _Chance) -> float:
    won = chance.won or 0.0
    return won * (1 - won)


def _jackknife(money: Sequence[tuple[float, _Chance]]) -> float:
    """Give the variance of the expected sum: how it moves as each crew of earlier deals is left out."""
    weights: dict[int, tuple[float, _Chance]] = {}
    for amount, chance in money:
        before = weights.get(id(chance.without), (0.0, chance))[0]
        weights[id(chance.without)] = (before + amount, chance)
    sums = [sum(weight * chance.without[crew] for weight, chance in weights.values()) for crew in range(CREWS)]
    middle = sum(sums) / CREWS
    return (CREWS - 1) / CREWS * sum((each - middle) ** 2 for each in sums)
