"""The measures of what is to come, over a state that the store wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.unit.indicators.walks import walked

from crmbridge.errors import ConfigurationError
from crmbridge.indicators import Options, Period, compute
from crmbridge.indicators.currency import Rate, Rates
from crmbridge.indicators.words import Words
from crmbridge.model.figures import ChartKind, Measured, Scorecard
from crmbridge.model.findings import Evaluation, Place
from crmbridge.model.records import Record, Status
from crmbridge.model.values import Money
from crmbridge.testing.factories import NOON, make_deal, make_evaluation, make_process, make_ref, make_visit

SaveState = Callable[..., str]
QUALIFICATION, WON, LOST = Place("qualification", Status.OPEN), Place("care", Status.WON), Place(None, Status.LOST)


def stayed(number: int, entered: float, left: float | None, place: Place) -> Evaluation:
    """Evaluate a deal that came into qualification so many days ago, and left it for where it is now."""
    visit = make_visit(
        "qualification",
        deal=make_ref(number),
        entered_at=NOON - timedelta(days=entered),
        left_at=None if left is None else NOON - timedelta(days=left),
        to=None if left is None else place,
    )
    return make_evaluation(deal=make_ref(number), visits=(visit,), place=place)


def history(won: int, lost: int) -> list[Evaluation]:
    """Make deals that were won or lost after ten days."""
    return [stayed(100 + n, 200, 190, WON if n < won else LOST) for n in range(won + lost)]


def worth(number: int, amount: str, currency: str, **fields: Any) -> Record:
    """Make a deal with an amount."""
    return make_deal(number, fields={"amount": Money(Decimal(amount), currency), **fields})


def measure(card: Scorecard, name: str) -> Measured:
    """Find a measure that must be there."""
    found = card.measure(name)
    assert found is not None
    return found


def computed(
    save_state: SaveState, evaluations: Sequence[Evaluation], deals: Sequence[Record] = (), **options: Any
) -> Scorecard:
    """Compute the scorecard of a state."""
    return compute(save_state(*evaluations, deals=deals), make_process(), NOON, Options(**options))


def test_the_forecast_stands_beside_the_crms_own(save_state: SaveState) -> None:
    """Of 30 earlier deals 12 were won, so a deal of 1,000 is worth 400; its CRM says 70 %, which is kept as 70."""
    card = computed(
        save_state,
        [*history(12, 18), stayed(1, 3, None, QUALIFICATION)],
        [worth(1, "1000", "EUR", probability=Decimal(70))],
    )

    found = measure(card, "forecast")
    figures = found.rows[0].figures
    assert ("qualification", 400.0, 700.0, 0.4) == pytest.approx(
        (found.rows[0].stage, *(figures[name].value for name in ("expected", "crm", "wins")))
    )
    assert found.headline == figures["expected"]
    assert ("EUR", "EUR") == (card.currency, figures["expected"].currency)
    assert (0.0, 1000.0) == figures["expected"].interval
    assert () == found.cautions


@pytest.mark.parametrize("written", ["nan", "inf", "1e999", "-inf"])
def test_what_is_no_probability_does_not_make_shares_of_percentages(save_state: SaveState, written: str) -> None:
    """A field may hold any text: what is no finite number says nothing of how the others are kept."""
    card = computed(
        save_state,
        [*history(12, 18), stayed(1, 3, None, QUALIFICATION), stayed(2, 3, None, QUALIFICATION)],
        [worth(1, "1000", "EUR", probability=Decimal("0.7")), worth(2, "1000", "EUR", probability=written)],
    )

    crm = measure(card, "forecast").rows[0].figures["crm"]
    assert (700.0, 1) == (crm.value, crm.n)


def test_the_forecast_follows_groups_and_the_periods_to_come(save_state: SaveState) -> None:
    """Rows are of the deals' groups; by periods, of those until the horizon, the present one first, and of both."""
    state = [*history(12, 18), stayed(1, 3, None, QUALIFICATION), stayed(2, 3, None, QUALIFICATION)]
    deals = [worth(1, "1000", "EUR", source="web"), worth(2, "500", "EUR")]

    def told(**options: Any) -> list[tuple[str, float | None]]:
        found = measure(computed(save_state, state, deals, **options), "forecast")
        assert ("expected",) == found.charted
        return [(row.label, row.figures["expected"].value) for row in found.rows]

    # Earlier deals were closed on their tenth day, which is a week from now for these: still in June.
    assert [("Not said", 200.0), ("web", 400.0)] == told(segment="source")
    assert [("2026-06", 600.0), ("2026-07", 0.0)] == told(period=Period.MONTH, horizon=50)
    assert [("web · 2026-Q2", 400.0), ("web · 2026-Q3", 0.0)] == told(segment="source", period=Period.QUARTER)[2:]
    assert [("2026", 600.0)] == told(period=Period.YEAR, horizon=20)


def test_periods_to_come_are_not_said_to_be_of_the_whole_horizon(save_state: SaveState) -> None:
    """Each row has days of its own, so its column says no number of days; over all, it does.

    The first row and the last are not of a whole month, which is said.
    """
    state = [*history(12, 18), stayed(1, 3, None, QUALIFICATION)]
    deals = [worth(1, "1000", "EUR")]

    def told(**options: Any) -> tuple[list[str], bool]:
        found = measure(computed(save_state, state, deals, **options), "forecast")
        return [column.name for column in found.columns], any("90 days from now" in each for each in found.cautions)

    assert (["Wins expected", "Expected"], True) == told(period=Period.MONTH)
    assert (["Deals", "Amount", "Wins expected", "Expected in 90 days", "By the CRM's probability"], False) == told()


def test_a_forecast_from_one_lost_deal_says_how_little_it_knows(save_state: SaveState) -> None:
    """Nothing is expected, with no interval, and a sentence says why."""
    state = [*history(0, 1), stayed(1, 3, None, QUALIFICATION)]

    found = measure(computed(save_state, state, [worth(1, "1000", "EUR")]), "forecast")

    assert (0.0, None) == (found.rows[0].figures["expected"].value, found.rows[0].figures["expected"].interval)
    assert any("there is no interval" in caution for caution in found.cautions)


@pytest.mark.parametrize(("language", "said"), [("en", "in 1 day"), ("pt", "em 1 dia"), ("zh", "1 天内预期")])
def test_a_horizon_of_one_day_is_one(language: str, said: str) -> None:
    """As people write it."""
    words = Words.of(language, 1)

    assert words.columns["expected"].endswith(said)
    assert not any(many in text for text in words.definitions.values() for many in ("1 days", "1 dias"))


def test_the_horizon_is_said_where_it_counts(save_state: SaveState) -> None:
    """What is won later than it looks is not in it, and its words name the days."""
    state = [*history(12, 18), stayed(1, 3, None, QUALIFICATION)]

    found = measure(computed(save_state, state, [worth(1, "1000", "EUR")], horizon=5), "forecast")

    assert 0.0 == found.rows[0].figures["expected"].value
    assert "within 5 days" in found.definition
    assert "Expected in 5 days" in [column.name for column in found.columns]


@pytest.mark.parametrize(
    ("stage", "target", "expected"),
    [(None, "350 EUR", (400.0, True)), (None, "450 EUR", (400.0, False)), ("proposal", "1 EUR", (None, None))],
)
def test_a_forecast_may_be_aimed_at(
    save_state: SaveState, stage: str | None, target: str, expected: tuple[float | None, bool | None]
) -> None:
    """An indicator of the process holds what is expected, of all stages or one, against its target, shown or not."""
    entry = {"id": "coming", "name": "Coming", "measure": "forecast", "stage": stage, "target": target}
    url = save_state(*history(12, 18), stayed(1, 3, None, QUALIFICATION), deals=[worth(1, "1000", "EUR")])

    card = compute(url, make_process(indicators=[entry]), NOON, Options(measures=("win_rate",)))

    (found,) = card.indicators
    assert expected == (found.figure.value, found.met)
    assert "90 days" in found.definition
    assert ["win_rate"] == [each.id for each in card.measures]


def test_money_is_turned_into_the_currency_of_the_report(save_state: SaveState) -> None:
    """A deal in yen is worth its euros of the report's day; a rate that is missing stops the report."""
    state = [*history(30, 0), stayed(1, 3, None, QUALIFICATION)]
    deals = [worth(1, "100000", "JPY")]
    rates = Rates(report_in="EUR", rates=(Rate(date(2026, 1, 1), "JPY", Decimal("0.006")),))
    card = computed(save_state, state, deals, rates=rates)

    assert (600.0, "EUR") == (measure(card, "forecast").rows[0].figures["amount"].value, card.currency)
    with pytest.raises(ConfigurationError, match="no rate for 'JPY'"):
        computed(save_state, state, deals, rates=Rates(report_in="EUR"))


def test_several_currencies_without_rates_are_not_added_up(save_state: SaveState) -> None:
    """There is a caution instead of a sum."""
    open_deals = [stayed(1, 3, None, QUALIFICATION), stayed(2, 3, None, QUALIFICATION)]
    deals = [worth(1, "1", "JPY"), worth(2, "1", "EUR")]

    found = measure(computed(save_state, [*history(30, 0), *open_deals], deals, language="pt-BR"), "forecast")

    assert None is found.rows[0].figures["expected"].value
    assert 2.0 == pytest.approx(found.rows[0].figures["wins"].value)
    assert "(EUR, JPY)" in found.cautions[0]
    assert "Previsão ponderada" == found.name


def test_curves_have_their_table(save_state: SaveState) -> None:
    """Half of the visits ended after ten days, the others last; of all deals, a quarter was won by day 30."""
    card = computed(
        save_state, [*history(1, 1), stayed(1, 50, None, QUALIFICATION), stayed(2, 60, None, QUALIFICATION)]
    )

    stays, ends = measure(card, "stage_survival"), measure(card, "time_to_close")
    figures = stays.rows[0].figures
    assert (4, 2, 10.0, None) == tuple(figures[name].value for name in ("visits", "open", "median", "p90"))
    assert [(0.0, 1.0), (10.0, 0.5)] == [(point.days, point.share) for point in stays.curves[0].points]
    assert ["Won", "Lost"] == [curve.label for curve in ends.curves]
    assert (0.25, None) == tuple(ends.rows[0].figures[name].value for name in ("by_30", "by_90"))
    assert ChartKind.CURVES is stays.chart


def test_a_median_that_is_not_reached_is_said(save_state: SaveState) -> None:
    """With one of three visits over, half is not; the reader is told why there is no number."""
    card = computed(
        save_state, [*history(1, 0), stayed(1, 50, None, QUALIFICATION), stayed(2, 60, None, QUALIFICATION)]
    )

    found = measure(card, "stage_survival")
    assert None is found.rows[0].figures["median"].value
    assert 1 == len(found.cautions)


def test_a_visit_ends_with_the_first_end_after_it(save_state: SaveState) -> None:
    """Deals that were lost in the next stage, and won when they came back, are losses seen from the first stage."""
    proposal = Place("proposal", Status.OPEN)
    steps = (
        ("qualification", 1, 100, 98, proposal),
        ("proposal", 1, 98, 90, LOST),
        ("proposal", 2, 80, 70, WON),
    )
    came_back = [
        make_evaluation(
            deal=make_ref(number),
            place=WON,
            visits=tuple(
                make_visit(
                    stage,
                    deal=make_ref(number),
                    number=visit,
                    entered_at=NOON - timedelta(days=entered),
                    left_at=NOON - timedelta(days=left),
                    to=to,
                )
                for stage, visit, entered, left, to in steps
            ),
        )
        for number in range(100, 120)
    ]

    found = measure(computed(save_state, [*came_back, stayed(1, 1, None, QUALIFICATION)]), "forecast")

    assert 0.0 == found.rows[0].figures["wins"].value


def test_a_reopened_deal_teaches_what_came_first(save_state: SaveState) -> None:
    """A visit's end is the first one after it: a deal that was lost, reopened and won is a loss, and then a win."""
    reopened = [
        make_evaluation(
            deal=make_ref(number),
            place=WON,
            visits=tuple(
                make_visit(
                    "qualification",
                    deal=make_ref(number),
                    number=visit,
                    entered_at=NOON - timedelta(days=entered),
                    left_at=NOON - timedelta(days=entered - 10),
                    to=to,
                )
                for visit, entered, to in ((1, 300, LOST), (2, 200, WON))
            ),
        )
        for number in range(100, 120)
    ]

    found = measure(computed(save_state, [*reopened, stayed(1, 3, None, QUALIFICATION)]), "forecast")

    assert 0.5 == found.rows[0].figures["wins"].value


def test_stages_that_were_passed_at_the_moment_of_the_end_teach_it_too(save_state: SaveState) -> None:
    """Some CRMs move a deal through several stages and win it within one second; it was in each of them.

    Of 61 visits, one of them by the deal that is still there, 20 were won.
    """
    at_once = [
        walked(number, ("qualification", "2026-05-01"), ("proposal", "2026-05-01"), ("won", "2026-05-01"))
        for number in range(100, 120)
    ]
    reopened = [
        walked(number, *(("qualification", "2026-05-01"), ("lost", "2026-05-01")) * 2, ("proposal", "2026-05-20"))
        for number in range(120, 140)
    ]

    found = measure(computed(save_state, [*at_once, *reopened, stayed(1, 0, None, QUALIFICATION)]), "forecast")

    assert [20 / 61] == [row.figures["wins"].value for row in found.rows if row.stage == "qualification"]
