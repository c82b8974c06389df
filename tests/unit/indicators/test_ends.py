"""When deals were won and lost, for deals that came to their end by other ways than the usual one."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.unit.indicators.cards import measured
from tests.unit.indicators.walks import shares, walked, watching

from crmbridge.indicators import Options, Period, compute
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money
from crmbridge.testing.factories import NOON, make_deal, make_finding, make_process, make_ref

SaveState = Callable[..., str]


def trend_of(url: str, **options: Any) -> dict[str, tuple[float | None, float | None]]:
    """Give numerator and denominator of the win rate's trend by period."""
    (watched,) = compute(url, watching(measure="win_rate"), NOON, Options(**options)).indicators
    return {point.period: (point.figure.numerator, point.figure.denominator) for point in watched.trend}


def test_trend_by_quarter_counts_a_deal_once_as_it_stood_at_the_quarters_end(save_state: SaveState) -> None:
    """Lost in January and won in February is one deal won; lost in January and open in March is no closed one."""
    url = save_state(
        walked(
            1, ("proposal", "2026-01-01"), ("lost", "2026-01-10"), ("proposal", "2026-02-01"), ("won", "2026-02-10")
        ),
        walked(2, ("proposal", "2026-01-01"), ("lost", "2026-01-10"), ("proposal", "2026-03-01")),
    )

    assert {"2026-01": (0, 2), "2026-02": (1, 1)} == {
        month: share for month, share in trend_of(url).items() if share != (0, 0)
    }
    assert {"2026-Q1": (1, 1)} == trend_of(url, period=Period.QUARTER)


def test_trend_knows_a_deal_that_went_from_lost_straight_to_won(save_state: SaveState) -> None:
    """It left no stage on that way, and is won all the same; also where that and a loss are of one moment."""
    url = save_state(
        walked(1, ("proposal", "2026-05-01"), ("lost", "2026-05-10"), ("won", "2026-05-20")),
        walked(2, ("proposal", "2026-05-10"), ("lost", "2026-05-10"), ("won", "2026-05-10")),
    )

    assert {"2026-05": (2, 2)} == trend_of(url)


def test_trend_counts_what_was_closed_in_the_second_in_which_it_began(save_state: SaveState) -> None:
    """A deal that came and went at one moment did not come back after it was lost."""
    url = save_state(
        walked(1, ("proposal", "2026-05-10"), ("lost", "2026-05-10")),
        walked(2, ("proposal", "2026-05-01"), ("lost", "2026-05-10"), ("proposal", "2026-05-10")),
    )

    assert {"2026-05": (0, 1)} == trend_of(url)


def test_a_deal_that_was_closed_beside_the_process_was_not_closed_when_it_was_before(save_state: SaveState) -> None:
    """Lost in April, opened again, and lost from beside the process: nobody knows when, but not in April."""
    url = save_state(
        walked(
            1,
            ("proposal", "2026-04-01"),
            ("lost", "2026-04-10"),
            ("proposal", "2026-05-01"),
            ("beside", "2026-05-10"),
            ("lost", "2026-05-20"),
        )
    )

    card = compute(url, make_process(), NOON, Options(period=Period.MONTH))

    assert ((), ()) == (measured(card, "win_rate").rows, measured(card, "cycle_time").rows)
    assert any("history does not say when" in caution for caution in measured(card, "win_rate").cautions)


def test_deals_that_were_brought_in_as_won_have_no_history(save_state: SaveState) -> None:
    """Nobody sold them here: they are won, in no period, and took no time; as it is with those brought in as lost."""
    url = save_state(
        walked(1, ("won", "2026-05-01")),
        walked(2, ("lost", "2026-05-01")),
        walked(3, ("proposal", "2026-05-01"), ("won", "2026-05-11")),
        deals=[make_deal(n, fields={"amount": Money(Decimal(100), "EUR")}) for n in (1, 2, 3)],
    )

    card = compute(url, make_process(), NOON)
    by_month = compute(url, make_process(), NOON, Options(period=Period.MONTH))

    assert (3, 1) == (card.coverage.deals, card.coverage.with_history)
    assert {"All deals": (2, 3)} == shares(card, "win_rate", "win_rate")
    assert {"2026-05": (1, 1)} == shares(by_month, "win_rate", "win_rate") == trend_of(url)
    assert {"All deals": (1, 1)} == shares(card, "win_rate_by_cohort", "win_rate")
    assert [10.0] == [row.figures["median"].value for row in measured(card, "cycle_time").rows]
    assert [10.0] == [row.figures["average_cycle"].value for row in measured(card, "sales_velocity").rows]


def test_a_deal_that_was_brought_in_as_won_and_opened_later_was_won_in_no_period(save_state: SaveState) -> None:
    """Whoever opens it in May changes no figure of April, and what comes of it then counts."""
    url = save_state(
        walked(1, ("won", "2026-04-01"), ("proposal", "2026-05-01"), ("lost", "2026-05-20")),
        walked(2, ("proposal", "2026-04-01"), ("lost", "2026-04-11")),
        deals=[make_deal(n, fields={"amount": Money(Decimal(100), "EUR")}) for n in (1, 2)],
    )

    (watched,) = compute(url, watching(measure="sales_velocity"), NOON).indicators

    assert {"2026-04": (0, 1), "2026-05": (0, 1)} == trend_of(url)
    assert [None, None] == [point.figure.value for point in watched.trend]


def test_deals_of_a_stage_in_which_all_are_stuck_do_not_look_as_if_none_were(save_state: SaveState) -> None:
    """Eight deals came through, and two never did: nobody knows how long nine in ten take, so nothing is met."""
    url = save_state(
        *(walked(n, ("proposal", "2026-05-01"), ("closing", "2026-05-05")) for n in range(8)),
        *(walked(n, ("proposal", "2025-05-01")) for n in (8, 9)),
    )

    card = compute(url, watching(measure="aging", stage="proposal", target="15%"), NOON)

    (watched,) = card.indicators
    assert (None, None, 0) == (watched.met, watched.figure.value, watched.figure.denominator)
    assert any(each.startswith("10 open deals are in stages in which") for each in measured(card, "aging").cautions)


def test_findings_about_no_stage_are_in_the_sum(save_state: SaveState) -> None:
    """By stage they come to as many as by owner; those of deals that stand in none have a row of their own."""
    found = [make_finding(id=str(n), deal=make_ref(1), stage=stage) for n, stage in enumerate(("proposal", None))]
    url = save_state(replace(walked(1, ("proposal", "2026-05-01"), ("beside", "2026-05-02")), findings=tuple(found)))

    by_stage, by_owner = (
        measured(compute(url, make_process(), NOON), name) for name in ("findings_by_stage", "open_findings")
    )

    assert ["Proposal", "No stage"] == [row.label for row in by_stage.rows]
    assert by_stage.headline == by_owner.headline


def test_velocity_counts_the_open_deals_that_are_in_the_pipeline(save_state: SaveState) -> None:
    """Open deals beside the process are none of it: the velocity is of those whose worth is shown, as in its trend."""
    url = save_state(
        walked(1, ("proposal", "2026-05-01"), ("won", "2026-05-11")),
        walked(2, ("proposal", "2026-05-01")),
        walked(3, ("proposal", "2026-05-01"), ("beside", "2026-05-02")),
        deals=[make_deal(n, fields={"amount": Money(Decimal(100), "EUR")}) for n in (1, 2, 3)],
    )

    (watched,) = compute(url, watching(measure="sales_velocity"), NOON).indicators

    assert [10.0, 10.0] == [watched.figure.value, *(point.figure.value for point in watched.trend)]


def test_forecast_learns_from_deals_that_were_won_from_beside_the_process(save_state: SaveState) -> None:
    """Of 20 earlier deals all went through a stage that is not mapped; half of them were won, and half lost."""
    earlier = [
        walked(n, ("proposal", "2026-03-01"), ("beside", "2026-03-05"), ("won", "2026-03-11")) for n in range(1, 11)
    ]
    earlier += [walked(n, ("proposal", "2026-03-01"), ("lost", "2026-03-11")) for n in range(11, 21)]
    url = save_state(
        *earlier,
        walked(21, ("proposal", "2026-06-10")),
        deals=[make_deal(n, fields={"amount": Money(Decimal(100), "EUR")}) for n in range(1, 22)],
    )

    (watched,) = compute(url, watching(measure="forecast"), NOON).indicators

    assert 50.0 == watched.figure.value


def test_what_stands_or_was_closed_beside_the_process_is_said_where_it_is_left_out_or_counts(
    save_state: SaveState,
) -> None:
    """The report counts these deals at its top, so each figure that has fewer, or as many, says why."""
    url = save_state(
        walked(1, ("proposal", "2026-05-01"), ("won", "2026-05-11")),
        walked(2, ("proposal", "2026-05-01"), ("beside", "2026-05-02")),
        walked(3, ("lost", "2026-05-01")),
    )

    card = compute(url, make_process(), NOON)

    def said(*beginnings: str) -> list[str]:
        return [
            each.id
            for each in card.measures
            if all(any(caution.startswith(one) for caution in each.cautions) for one in beginnings)
        ]

    assert (1, 1, 1) == (card.coverage.open, card.coverage.won, card.coverage.lost)
    assert ["aging", "pipeline_coverage", "sales_velocity", "forecast"] == said("1 open deal stands where")
    assert ["win_rate", "sales_velocity"] == said("1 closed deal never was in a stage")
    assert ["cycle_time", "time_to_close"] == said("Of 1 closed deal", "1 deal has no history")
    assert "win_rate" not in said("1 deal has no history")
