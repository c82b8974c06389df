"""Figures by groups and by periods, their trends, and what is said when something can't be counted."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import pytest
from tests.unit.indicators.cards import measured
from tests.unit.indicators.walks import LOST, shares, walked, watching

from crmbridge.errors import ConfigurationError
from crmbridge.indicators import Options, Period, compute
from crmbridge.indicators.currency import Rates
from crmbridge.model.figures import ChartKind, Unit
from crmbridge.model.findings import Place
from crmbridge.model.records import Kind
from crmbridge.model.values import Money
from crmbridge.ports import Page
from crmbridge.store import open_store
from crmbridge.testing.factories import (
    NOON,
    make_deal,
    make_evaluation,
    make_finding,
    make_process,
    make_record,
    make_ref,
    make_user,
)

SaveState = Callable[..., str]


@pytest.fixture
def three_deals(save_state: SaveState) -> str:
    """Save a won and a lost deal of Rita's, and one of nobody's that was lost, reopened and won."""
    return save_state(
        walked(1, ("qualification", "2026-01-10"), ("won", "2026-02-10")),
        walked(2, ("qualification", "2026-02-10"), ("lost", "2026-04-10")),
        walked(
            3,
            ("qualification", "2026-01-05"),
            ("lost", "2026-03-31T22:30"),
            ("proposal", "2026-04-20"),
            ("won", "2026-05-02"),
        ),
        deals=[
            make_deal(1, fields={"owner": "7", "source": "web", "amount": Money(Decimal(100), "EUR")}),
            make_deal(2, fields={"owner": "7", "source": "fair", "amount": Money(Decimal(50), "EUR")}),
            make_deal(3, fields={"owner": None, "source": "web", "amount": Money(Decimal(300), "EUR")}),
        ],
        users=[make_user(7, name="Rita Prado", email="Rita@Example.com")],
    )


@pytest.mark.parametrize(
    ("segment", "expected"),
    [
        ("owner", {"Nobody": (1, 1), "Rita Prado": (1, 2)}),
        ("source", {"fair": (0, 1), "web": (2, 2)}),
        ("connection", {"north": (2, 3)}),
        ("team", {"Not said": (2, 3)}),
    ],
)
def test_deals_are_grouped_by_owner_connection_or_any_field(
    three_deals: str, segment: str, expected: dict[str, tuple[int, int]]
) -> None:
    """A measure has a row per group; deals without a value are a group of their own, and no total changes."""
    card = compute(three_deals, make_process(), NOON, Options(segment=segment))

    assert expected == shares(card, "win_rate", "win_rate")
    headline = measured(card, "win_rate").headline
    assert headline is not None
    assert (2, 3) == (headline.numerator, headline.denominator)


def test_deals_are_grouped_by_the_team_of_their_owner(three_deals: str) -> None:
    """By the owner's e-mail address, however it is written; a deal without an owner is in no team."""
    teams = {"rita@example.com": "North", "bo@example.com": "South"}
    card = compute(three_deals, make_process(), NOON, Options(segment="team", teams=teams))

    assert {"North": (1, 2), "Not said": (1, 1)} == shares(card, "win_rate", "win_rate")
    assert "Team" == measured(card, "win_rate").rows_are


def test_teams_leave_other_groups_as_they_are(three_deals: str) -> None:
    """That somebody is in a team matters only where it is asked for."""
    card = compute(three_deals, make_process(), NOON, Options(segment="source", teams={"rita@example.com": "North"}))

    assert {"fair": (0, 1), "web": (2, 2)} == shares(card, "win_rate", "win_rate")


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        (Period.MONTH, {"2026-02": (1, 1), "2026-04": (0, 1), "2026-05": (1, 1)}),
        (Period.QUARTER, {"2026-Q1": (1, 1), "2026-Q2": (1, 2)}),
        (Period.YEAR, {"2026": (2, 3)}),
    ],
)
def test_deals_count_in_the_period_in_which_they_were_closed_last(
    three_deals: str, period: Period, expected: dict[str, tuple[int, int]]
) -> None:
    """A reopened deal counts once, as what it is now."""
    card = compute(three_deals, make_process(), NOON, Options(period=period))

    assert expected == shares(card, "win_rate", "win_rate")


def test_cohorts_are_of_when_deals_began(three_deals: str) -> None:
    """The win rate by cohort goes by the first stage, wherever the deal was closed."""
    card = compute(three_deals, make_process(), NOON, Options(period=Period.MONTH))

    assert {"2026-01": (2, 2), "2026-02": (0, 1)} == shares(card, "win_rate_by_cohort", "win_rate")


def test_trend_is_what_was_known_when_the_period_ended(three_deals: str) -> None:
    """The deal that came back in April was lost in March, and won in May: both stand in the trend."""
    (watched,) = compute(three_deals, watching(measure="win_rate"), NOON).indicators

    points = {point.period: (point.figure.numerator, point.figure.denominator) for point in watched.trend}
    assert {"2026-02": (1, 1), "2026-03": (0, 1), "2026-04": (0, 1), "2026-05": (1, 1)} == points
    assert (2, 3) == (watched.figure.numerator, watched.figure.denominator)


def test_periods_are_of_the_reports_time_zone(three_deals: str) -> None:
    """Half past ten in the evening of 31 March in UTC is April in Berlin, in which that deal came back."""
    (watched,) = compute(three_deals, watching(measure="win_rate"), NOON, Options(timezone="Europe/Berlin")).indicators

    points = {point.period: (point.figure.numerator, point.figure.denominator) for point in watched.trend}
    assert ((0, 0), (0, 1)) == (points["2026-03"], points["2026-04"])


def test_trend_of_findings_is_what_was_open_then(save_state: SaveState) -> None:
    """Findings that were opened this month are in no earlier period."""
    found = make_finding(id="f", deal=make_ref(1))
    url = save_state(make_evaluation(found, deal=make_ref(1), visits=()))

    (watched,) = compute(url, watching(measure="open_findings"), NOON).indicators

    assert (1, ()) == (watched.figure.value, watched.trend)


def test_velocity_has_its_four_inputs(three_deals: str) -> None:
    """Nothing is open, so nothing is won a day; the inputs stand beside it."""
    (row,) = measured(compute(three_deals, make_process(), NOON), "sales_velocity").rows

    values = {name: figure.value for name, figure in row.figures.items()}
    assert {"velocity": 0.0, "open_deals": 0, "average_won": 200.0, "average_cycle": 74.0} == {
        name: values[name] for name in ("velocity", "open_deals", "average_won", "average_cycle")
    }
    assert (Unit.MONEY_A_DAY, "EUR") == (row.figures["velocity"].unit, row.figures["velocity"].currency)


def test_pipeline_covers_the_quota(save_state: SaveState) -> None:
    """The open pipeline is held against the quota of the process file; won and lost deals are not in it."""
    url = save_state(
        walked(1, ("qualification", "2026-05-10")),
        walked(2, ("qualification", "2026-05-10"), ("won", "2026-05-11")),
        deals=[make_deal(n, fields={"amount": Money(Decimal(1500), "EUR")}) for n in (1, 2)],
    )
    process = watching(measure="pipeline_coverage", quota="500 EUR", target="3x", warn="4x")

    (watched,) = compute(url, process, NOON).indicators

    assert (Unit.RATIO, 3.0, True, True) == (watched.figure.unit, watched.figure.value, watched.met, watched.near)


def test_several_currencies_are_not_added_up(save_state: SaveState) -> None:
    """Without rates, amounts of two currencies have no sum, and the measure says why."""
    url = save_state(
        *(walked(n, ("qualification", "2026-05-10")) for n in (1, 2)),
        deals=[make_deal(n, fields={"amount": Money(Decimal(5), code)}) for n, code in ((1, "EUR"), (2, "USD"))],
    )

    pipeline = measured(compute(url, make_process(), NOON), "pipeline_coverage")

    assert [None] == [row.figures["amount"].value for row in pipeline.rows]
    assert any("EUR, USD" in caution for caution in pipeline.cautions)


@pytest.mark.parametrize("rates", [None, Rates(report_in="EUR")])
def test_what_a_lost_deal_was_worth_in_another_currency_is_not_added_up(
    save_state: SaveState, rates: Rates | None
) -> None:
    """It needs no rate as no figure shows it; so the pipeline of when it was open leaves it out, too."""
    url = save_state(
        walked(1, ("qualification", "2026-04-10")),
        walked(2, ("qualification", "2026-04-10"), ("lost", "2026-05-11")),
        deals=[
            make_deal(n, fields={"amount": Money(Decimal(amount), code)})
            for n, amount, code in ((1, 5, "EUR"), (2, 1_000_000, "JPY"))
        ],
    )
    process = watching(measure="pipeline_coverage")

    (watched,) = compute(url, process, NOON, Options(rates=rates)).indicators

    assert {5.0} == {point.figure.value for point in watched.trend}


def test_stages_that_the_process_lost_are_said(save_state: SaveState) -> None:
    """Visits of a removed stage are counted nowhere, and the measures of stages say how many there are."""
    url = save_state(walked(1, ("discovery", "2026-05-01"), ("proposal", "2026-05-10")))

    conversion = measured(compute(url, make_process(), NOON), "stage_conversion")

    assert ["Proposal"] == [row.label for row in conversion.rows]
    assert any(caution.startswith("1 visit is of a stage") for caution in conversion.cautions)


def test_deals_without_a_history_are_said(save_state: SaveState) -> None:
    """A closed deal of which no history is known is won or lost, in no period, and the measure says so."""
    url = save_state(make_evaluation(deal=make_ref(1), place=Place(None, LOST), visits=()))

    card = compute(url, make_process(), NOON, Options(period=Period.MONTH))

    rate = measured(card, "win_rate")
    assert ((), 1) == (rate.rows, rate.headline.denominator if rate.headline else None)
    assert any("history does not say when" in caution for caution in rate.cautions)


def test_only_the_measures_asked_for_are_shown(three_deals: str) -> None:
    """A report names its measures, in its order."""
    card = compute(three_deals, make_process(), NOON, Options(measures=("skips", "win_rate")))

    assert ["skips", "win_rate"] == [each.id for each in card.measures]


def test_unknown_measures_and_zones_are_refused(three_deals: str) -> None:
    """A report that asks for what there is not is a setting to correct."""
    with pytest.raises(ConfigurationError, match="no measure 'wins'"):
        compute(three_deals, make_process(), NOON, Options(measures=("wins",)))
    with pytest.raises(ConfigurationError, match="no time zone"):
        compute(three_deals, make_process(), NOON, Options(timezone="Berlin'"))


def test_a_warning_comes_before_the_target_is_missed(three_deals: str) -> None:
    """Two of three meet 50 %, but are past the 70 % from which on it is worth a warning."""
    (watched,) = compute(three_deals, watching(measure="win_rate", target="50%", warn="70%"), NOON).indicators

    assert (True, True) == (watched.met, watched.near)


def test_a_currency_in_small_letters_is_the_same(save_state: SaveState) -> None:
    """However a CRM writes it."""
    url = save_state(
        walked(1, ("qualification", "2026-01-10")),
        walked(2, ("qualification", "2026-01-10")),
        deals=[
            make_deal(1, fields={"amount": Money(Decimal(100), "EUR")}),
            make_deal(2, fields={"amount": Money(Decimal(50), " eur")}),
        ],
    )
    headline = measured(compute(url, make_process(), NOON, Options()), "pipeline_coverage").headline

    assert headline is not None
    assert (150, "EUR") == (headline.value, headline.currency)


def test_what_was_done_is_named_in_the_reports_language(save_state: SaveState) -> None:
    """A type of activity that has no word of ours stays as its CRM names it."""
    url = save_state(make_evaluation(deal=make_ref(1), visits=()))
    store, deal = open_store(url), make_ref(1).id
    made = [
        make_record(Kind.ACTIVITY, n, fields={"type": kind, "deals": (deal,), "at": NOON, "done": True})
        for n, kind in enumerate(("call", "call", "task", "visit"), 1)
    ]
    store.records.save_page("north", Kind.ACTIVITY, Page(records=tuple(made), cursor="1"), NOON)
    store.close()

    said = {name: compute(url, make_process(), NOON, Options(language=name)) for name in ("en", "pt")}
    labels = {name: [row.label for row in measured(card, "activities").rows] for name, card in said.items()}
    assert {"en": ["Calls", "Tasks", "visit"], "pt": ["Ligações", "Tarefas", "visit"]} == labels
    by_month = measured(compute(url, make_process(), NOON, Options(period=Period.MONTH)), "activities")
    assert (3, ChartKind.STACKED) == (
        len(by_month.rows),
        by_month.chart,
    )  # not one line through all types


@pytest.mark.parametrize("language", ["en", "pt", "zh"])
def test_in_which_period_something_counts_is_said_where_it_is_shown(three_deals: str, language: str) -> None:
    """Measures that periods cut say so in their definitions, and the others stay as they are."""
    whole = compute(three_deals, make_process(), NOON, Options(language=language))
    by_month = compute(three_deals, make_process(), NOON, Options(language=language, period=Period.MONTH))

    uncut = [
        one.id for one, cut in zip(whole.measures, by_month.measures, strict=True) if one.definition == cut.definition
    ]
    assert ["aging", "open_findings", "findings_by_stage", "pipeline_coverage", "sales_velocity"] == uncut
