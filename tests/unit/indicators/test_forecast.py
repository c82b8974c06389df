"""The weighted forecast: chances by the history of the stage and age, and an interval that keeps its word."""

from __future__ import annotations

import random
from collections.abc import Sequence
from fractions import Fraction

import duckdb
import pytest

from crmbridge.indicators.forecast import Basis, Cut, Deal, Forecast, outlook

DEMO, OFFER = 0, 1
Visit = tuple[int, float, float, int, int]  # stage, days in it, days until the deal's end, how it ended, crew


WHOLE = Cut()


def forecast_of(history: Sequence[Visit], deals: Sequence[Deal], horizon: int = 90, cut: Cut = WHOLE) -> Forecast:
    """Forecast deals from a history that is given."""
    with duckdb.connect() as database:
        database.execute(
            "CREATE TABLE history (stage TINYINT, days DOUBLE, days_left DOUBLE, ending INTEGER, crew INTEGER)"
        )
        if history:
            parts = [tuple(column) for column in zip(*history, strict=True)]
            database.execute("INSERT INTO history SELECT unnest(?), unnest(?), unnest(?), unnest(?), unnest(?)", parts)
        return outlook(database, deals, horizon, cut)


def ended(stage: int, days: float, ending: int, count: int, left: float | None = None) -> list[Visit]:
    """Make visits that lasted so many days and whose deals ended so, at once or after `left` days."""
    return [(stage, days, left or days, ending, number % 20) for number in range(count)]


def test_a_chance_is_what_became_of_deals_that_stayed_as_long() -> None:
    """Deals that left before this one's age say nothing: of those still there after 10 days, a quarter was won."""
    history = [*ended(DEMO, 5, 1, 100), *ended(DEMO, 20, 1, 10), *ended(DEMO, 20, 2, 30)]

    found = forecast_of(history, [Deal(DEMO, 10, 1000.0)])

    assert 250.0 == pytest.approx(found.total.expected)
    assert 0.25 == pytest.approx(found.total.wins)
    assert {Basis.AGE: 1} == {basis: count for basis, count in found.bases.items() if count}


def test_what_is_won_after_the_horizon_does_not_count() -> None:
    """Of 40 deals of which 10 were won in 30 days and 30 in 200, a quarter is won within 90."""
    history = [*ended(DEMO, 30, 1, 10), *ended(DEMO, 200, 1, 30)]

    assert 0.25 == pytest.approx(forecast_of(history, [Deal(DEMO, 0, 1.0)]).total.wins)
    assert 1.0 == pytest.approx(forecast_of(history, [Deal(DEMO, 0, 1.0)], 365).total.wins)


def test_the_way_through_later_stages_counts() -> None:
    """A deal is won from wherever it goes: what matters is its end, not the end of the visit."""
    history = [*ended(DEMO, 5, 1, 15, left=40), *ended(DEMO, 5, 2, 15, left=60)]

    assert 0.5 == pytest.approx(forecast_of(history, [Deal(DEMO, 2, 1.0)]).total.wins)


def test_open_deals_are_censored() -> None:
    """Deals still open are followed as far as they go: the share is Aalen-Johansen's, not that of closed deals."""
    history = [
        *ended(DEMO, 10, 1, 10),
        *ended(DEMO, 20, 0, 10),
        *ended(DEMO, 30, 2, 10),
        *ended(DEMO, 40, 1, 10),
    ]

    expected = Fraction(10, 40) + Fraction(30, 40) * Fraction(10, 20)

    assert float(expected) == pytest.approx(forecast_of(history, [Deal(DEMO, 0, 1.0)]).total.wins)


def test_a_small_history_falls_back_and_says_so() -> None:
    """With too few deals of that age the whole stage counts; with too few in the stage, all stages do; else nothing."""
    history = [*ended(DEMO, 10, 1, 20), *ended(DEMO, 50, 2, 10), *ended(OFFER, 3, 2, 5)]
    deals = [Deal(DEMO, 5, 1.0), Deal(DEMO, 30, 1.0), Deal(OFFER, 1, 1.0)]

    found = forecast_of(history, deals)

    assert {Basis.AGE: 1, Basis.STAGE: 1, Basis.ALL: 1, Basis.NONE: 0} == found.bases
    assert 20 / 30 == pytest.approx(forecast_of(history, deals[1:2]).total.wins)
    assert 20 / 35 == pytest.approx(forecast_of(history, deals[2:]).total.wins)


def test_without_history_there_is_no_forecast() -> None:
    """Nothing to learn from gives no number, not zero."""
    found = forecast_of([], [Deal(DEMO, 5, 10.0)])

    assert (None, None, None) == (found.total.expected, found.total.wins, found.total.interval)
    assert 10.0 == found.total.amount
    assert 1 == found.bases[Basis.NONE]


def test_deals_that_were_only_just_begun_teach_nothing() -> None:
    """Nobody knows yet what becomes of any: that is no forecast, and not one of nothing that is certain."""
    begun = ended(DEMO, 3, 0, 40)

    found = forecast_of(begun, [Deal(DEMO, 3, 100.0)])

    assert (None, None, {Basis.NONE: 1}) == (
        found.total.expected,
        found.total.interval,
        {basis: count for basis, count in found.bases.items() if count},
    )
    assert 0.0 == forecast_of([*begun, *ended(DEMO, 4, 2, 1)], [Deal(DEMO, 3, 100.0)]).total.expected
    assert 0.0 == forecast_of(begun, [Deal(DEMO, 0, 100.0)], 2).total.expected


@pytest.mark.parametrize(("ending", "earlier"), [(1, 1), (2, 1), (1, 40), (2, 40)])
def test_deals_that_all_ended_alike_give_no_interval(ending: int, earlier: int) -> None:
    """From one lost deal, or from many of which none was won, nobody knows that nothing comes; nor that all comes."""
    found = forecast_of(ended(DEMO, 10, ending, earlier), [Deal(DEMO, 3, 100.0)])

    assert (100.0 * (ending == 1), None) == (found.total.expected, found.total.interval)


@pytest.mark.parametrize("ending", [1, 2])
@pytest.mark.parametrize("earlier", [20, 21, 22, 40])
def test_deals_that_ended_alike_on_different_days_give_no_interval_either(ending: int, earlier: int) -> None:
    """All of them is exactly all, however many days it is the sum of."""
    history = [visit for day in range(earlier) for visit in ended(DEMO, 10 + day, ending, 1)]

    found = forecast_of(history, [Deal(DEMO, 3, 100.0)])

    assert (100.0 * (ending == 1), None) == (found.total.expected, found.total.interval)


def test_too_few_earlier_deals_give_no_interval() -> None:
    """With 19 earlier deals there is an expectation but nothing to say how far off it may be; with 20 there is."""
    few = [*ended(DEMO, 10, 1, 9), *ended(DEMO, 10, 2, 10)]

    assert forecast_of(few, [Deal(DEMO, 3, 100.0)]).total.interval is None
    assert (0.0, 100.0) == forecast_of([*few, *ended(DEMO, 10, 2, 1)], [Deal(DEMO, 3, 100.0)]).total.interval


def test_a_history_shorter_than_the_horizon_is_said() -> None:
    """When all deals go out of sight before the horizon, chances are too low, and the forecast knows it."""
    assert forecast_of([*ended(DEMO, 10, 0, 30), *ended(DEMO, 5, 1, 1)], [Deal(DEMO, 0, 1.0)]).is_short
    assert not forecast_of(ended(DEMO, 100, 0, 30), [Deal(DEMO, 0, 1.0)]).is_short
    assert not forecast_of(ended(DEMO, 10, 1, 30), [Deal(DEMO, 0, 1.0)]).is_short


def test_each_period_to_come_has_its_share() -> None:
    """Of 40 deals 10 were won by day 10, 10 more by day 20 and 10 after 80: who stays open is won later, or never."""
    history = [*ended(DEMO, 10, 1, 10), *ended(DEMO, 20, 1, 10), *ended(DEMO, 80, 1, 10), *ended(DEMO, 85, 2, 10)]
    windows = ((0, 10), (10, 30), (30, 79), (79, 90))

    found = forecast_of(history, [Deal(DEMO, 0, 400.0)], cut=Cut(windows=windows))

    assert [100.0, 100.0, 0.0, 100.0] == pytest.approx([found.parts[None, place].expected for place in range(4)])
    assert found.total.expected == pytest.approx(sum(part.expected or 0.0 for part in found.parts.values()))


def test_a_period_is_what_is_won_until_its_end_and_not_before_it() -> None:
    """With open and lost deals among them, a window is the difference of two forecasts, by crews as well."""
    chance = random.Random(5)
    history = [
        (DEMO, float(days := chance.randrange(1, 120)), float(days + chance.randrange(60)), chance.randrange(3), n % 20)
        for n in range(300)
    ]
    deals = [Deal(DEMO, float(chance.randrange(40)), 100.0 + number) for number in range(50)]

    found = forecast_of(history, deals, cut=Cut(windows=((0, 25), (25, 90))))

    until_25 = forecast_of(history, deals, 25).total
    assert until_25.expected == pytest.approx(found.parts[None, 0].expected)
    assert until_25.interval == pytest.approx(found.parts[None, 0].interval)
    assert (found.total.expected or 0) - (until_25.expected or 0) == pytest.approx(found.parts[None, 1].expected)


def test_groups_learn_from_all_deals() -> None:
    """A deal's chance does not hang on its group; the groups add up, by periods as well."""
    history = [*ended(DEMO, 10, 1, 10), *ended(DEMO, 20, 1, 10), *ended(DEMO, 30, 2, 20)]
    deals = [Deal(DEMO, 0, 100.0, group=0), Deal(DEMO, 0, 300.0, group=1), Deal(DEMO, 0, None, group=1)]

    by_group = forecast_of(history, deals, cut=Cut(by_group=True)).parts
    by_both = forecast_of(history, deals, cut=Cut(by_group=True, windows=((0, 15), (15, 90)))).parts

    assert {(0, None): 50.0, (1, None): 150.0} == pytest.approx({key: part.expected for key, part in by_group.items()})
    assert {(0, 0): 25.0, (0, 1): 25.0, (1, 0): 75.0, (1, 1): 75.0} == pytest.approx(
        {key: part.expected for key, part in by_both.items()}
    )
    assert (2, 1) == (by_group[1, None].deals, by_group[1, None].without_amount)


def test_the_crms_own_probabilities_stand_beside_it() -> None:
    """Amount times the CRM's probability, over the deals that have both; deals without an amount are counted."""
    deals = [Deal(DEMO, 0, 100.0, 0.5), Deal(DEMO, 0, 100.0), Deal(DEMO, 0, None, 0.9)]

    total = forecast_of(ended(DEMO, 10, 1, 30), deals).total

    assert (50.0, 1, 1) == (total.crm, total.crm_deals, total.without_amount)


def test_deals_that_share_an_estimate_go_wrong_together() -> None:
    """Of 400 deals that hang on 40 earlier ones, what these may be off by outweighs each deal's own luck by far."""
    chance = random.Random(3)
    few = [(DEMO, 10.0, 10.0, 1 + number % 2, chance.randrange(20)) for number in range(40)]

    found = forecast_of(few, [Deal(DEMO, 0, 1.0)] * 400).total.interval

    assert found is not None
    assert 2 * 1.96 * 20 < found.high - found.low < 2 * 1.96 * 50  # each by itself would give 2 * 1.96 * 10


def test_stages_add_up() -> None:
    """The outlooks of the stages add up to the one over all."""
    history = [*ended(DEMO, 10, 1, 30), *ended(DEMO, 10, 2, 30), *ended(OFFER, 10, 1, 30)]
    found = forecast_of(history, [Deal(DEMO, 0, 100.0), Deal(OFFER, 3, 50.0)])

    assert {DEMO: 50.0, OFFER: 50.0} == pytest.approx({stage: each.expected for stage, each in found.stages.items()})
    assert 100.0 == pytest.approx(found.total.expected)


# ── Held against worlds whose truth is known ────────────────────────────────────────────────────────────

WINS = {DEMO: 0.35, OFFER: 0.6}  # the chance of a deal that leaves the stage to go on


def life(chance: random.Random) -> list[tuple[int, float, int]]:
    """Live one deal: its stages with the days it stays in each, and how each ends: 0 goes on, 1 won, 2 lost."""
    first = (DEMO, chance.weibullvariate(20, 1.5), 0 if chance.random() < WINS[DEMO] else 2)
    if first[2] == 2:
        return [first]
    return [first, (OFFER, chance.expovariate(1 / 30), 1 if chance.random() < WINS[OFFER] else 2)]


def world(seed: int, deals: int = 400, today: float = 500.0) -> tuple[list[Visit], list[Deal], float]:
    """Give a world as it is known today, its open deals, and what these really bring within 60 days."""
    chance = random.Random(seed)
    history: list[Visit] = []
    standing: list[Deal] = []
    brought = 0.0
    for number in range(deals):
        start = chance.uniform(0, today)
        steps = life(chance)
        end = start + sum(days for _, days, _ in steps)
        amount = chance.lognormvariate(9, 0.8)
        for stage, days, _ in steps:
            if start < today:
                ending = steps[-1][2] if end < today else 0
                until = min(end, today) - start
                history.append((stage, min(days, today - start), until, ending, number % 20))
                if start + days >= today:
                    standing.append(Deal(stage, today - start, amount))
                    brought += amount if steps[-1][2] == 1 and end <= today + 60 else 0.0
            start += days
    return history, standing, brought


def test_the_interval_holds_as_often_as_it_says() -> None:
    """Over 100 worlds the truth lies in the interval about 95 times of 100, and misses are on both sides alike."""
    held, below, above = 0, 0, 0
    error, scale = 0.0, 0.0
    for seed in range(100):
        history, deals, brought = world(seed)
        total = forecast_of(history, deals, 60).total
        assert total.interval is not None
        assert total.expected is not None
        held += total.interval.low <= brought <= total.interval.high
        below += brought < total.interval.low
        above += brought > total.interval.high
        error += total.expected - brought
        scale += brought

    assert 0.90 <= held / 100 <= 0.995, (held, below, above)
    assert max(below, above) <= 8
    assert abs(error / scale) < 0.06
