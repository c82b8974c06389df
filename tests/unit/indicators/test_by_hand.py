"""A few deals whose figures can be counted on paper, from what a CRM tells of them to the scorecard."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from crmbridge.engine.deals.visits import visits_of
from crmbridge.engine.mapping import stage_mapper
from crmbridge.indicators import Options, compute
from crmbridge.indicators.currency import Rate, Rates
from crmbridge.model.figures import Scorecard
from crmbridge.model.findings import Evaluation, Place
from crmbridge.model.records import Move, Position, Record, Status
from crmbridge.model.values import Money
from crmbridge.settings import StageMap
from crmbridge.testing.factories import NOON, make_deal, make_evaluation, make_process, make_ref

SaveState = Callable[..., str]
PROCESS = make_process()  # qualification, proposal, closing; won deals are in care
# `n_offer` is what the stage was called before; another pipeline has no stage of the process.
STAGES = StageMap.model_validate(
    {
        "pipeline": "sales",
        "map": {
            "qualification": "n_qualification",
            "proposal": ["n_proposal", "n_offer"],
            "closing": "n_closing",
            "won": "n_won",
            "lost": "n_lost",
        },
    }
)
MAPPER = stage_mapper("north", PROCESS, STAGES)
RATES = Rates(
    report_in="EUR",
    rates=(Rate(date(2020, 1, 1), "USD", Decimal("0.5")), Rate(date(2026, 3, 21), "USD", Decimal("0.9"))),
)
STATUSES = {"won": Status.WON, "lost": Status.LOST}


def position(name: str) -> Position:
    """Give a native position: `proposal`, or `old/proposal` for another pipeline."""
    pipeline, stage = name.split("/") if "/" in name else ("sales", name)
    return Position(pipeline, f"n_{stage}", STATUSES.get(stage, Status.OPEN))


def told(number: int, amount: str, *steps: tuple[str, str]) -> tuple[Record, Evaluation]:
    """Tell of a deal as its CRM does: where it came to on which day, and what it is worth."""
    ref, moves, before = make_ref(number), list[Move](), None
    for index, (day, name) in enumerate(steps):
        at, after = datetime.fromisoformat(day).replace(tzinfo=UTC), position(name)
        moves.append(Move(deal=ref, id=f"m{index}", at=at, before=before, after=after))
        before = after
    value, currency = amount.split()
    deal = make_deal(
        number, position=before, created_at=moves[0].at, fields={"amount": Money(Decimal(value), currency)}
    )
    visits = visits_of(deal, moves, MAPPER)
    return deal, make_evaluation(deal=ref, place=MAPPER.place(before), visits=visits)


@pytest.fixture
def card(save_state: SaveState) -> Scorecard:
    """Compute the figures of seven deals, which are ten days in a stage where nothing else is said."""
    found = [
        # Straight through, through a stage that was renamed meanwhile.
        told(
            1,
            "100 EUR",
            ("2026-01-01", "qualification"),
            ("2026-01-11", "offer"),
            ("2026-01-15", "proposal"),
            ("2026-01-21", "closing"),
            ("2026-01-31", "won"),
        ),
        # Lost, came back, passed over a stage, won in another currency.
        told(
            2,
            "200 USD",
            ("2026-02-01", "qualification"),
            ("2026-02-11", "lost"),
            ("2026-03-01", "qualification"),
            ("2026-03-11", "closing"),
            ("2026-03-21", "won"),
        ),
        # Went back, and is there for 20.5 days; worth less than nothing.
        told(
            3,
            "-50 EUR",
            ("2026-05-01", "qualification"),
            ("2026-05-11", "proposal"),
            ("2026-05-21", "qualification"),
        ),
        # Began in another pipeline, which was merged into this one; 20 days in the stage.
        told(6, "5 EUR", ("2026-03-01", "old/proposal"), ("2026-04-01", "proposal"), ("2026-04-21", "lost")),
        # Open for 9.5 days.
        told(7, "1000 EUR", ("2026-06-01", "closing")),
    ]
    # Won before anything was recorded, with a stage and without one.
    unknown = [
        (make_deal(4, fields={"amount": Money(Decimal(1000), "EUR")}), Place("care", Status.WON)),
        (make_deal(5, fields={"amount": Money(Decimal(10), "USD")}), Place(None, Status.WON)),
    ]
    evaluations = [each for _, each in found]
    evaluations += [make_evaluation(deal=deal.ref, place=place, visits=()) for deal, place in unknown]
    deals = [deal for deal, _ in (*found, *unknown)]
    return compute(save_state(*evaluations, deals=deals), PROCESS, NOON, Options(rates=RATES))


# By measure and row: each column's value, and of shares the numerator and denominator.
EXPECTED = {
    "stage_conversion": {
        "Qualification": {"conversion": (2, 2), "open": 1},  # what became of the last visit counts
        "Proposal": {"conversion": (1, 3), "lost": 1, "back": 1},
        "Closing": {"conversion": (2, 2), "open": 1},
    },
    "cohort_conversion": {
        "Qualification": {"reached_or_beyond": (5, 5), "strict": (2, 3), "direct": (2, 3)},
        "Proposal": {"reached_or_beyond": (3, 5), "strict": (1, 3), "direct": (1, 3)},
        "Closing": {"reached_or_beyond": (2, 3), "strict": (2, 3), "direct": (2, 3)},
    },
    "win_rate": {"All deals": {"win_rate": (4, 5), "won": 4, "lost": 1}},
    "win_rate_by_cohort": {"All deals": {"win_rate": (2, 5), "won": 2, "lost": 1, "open": 2}},
    "time_in_stage": {
        "Qualification": {"median": 10, "p90": None, "closed": 4, "open": 1, "open_median_age": 20.5},
        "Proposal": {"median": 10, "p90": 20, "closed": 3, "open": 0},
        "Closing": {"median": 10, "p90": 10, "closed": 2, "open": 1, "open_median_age": 9.5},
    },
    # Closed after 20 (of four that lasted so long), 30 (of three) and 48 days (of one): 3/4, 1/2, nothing is left.
    "cycle_time": {"All deals": {"median": 30, "p90": 48, "won_median": 39, "closed": 3, "open": 2}},
    "aging": {"Qualification": {"slow": 1, "old_share": (0, 0)}, "Closing": {"usual": 1, "old_share": (0, 1)}},
    "rework": {"Qualification": {"rework": (0, 4), "again": 2}, "Proposal": {"rework": (1, 3)}},
    "skips": {"Qualification": {"skipped": (1, 3)}, "Proposal": {"skipped": (0, 1)}, "Closing": {"skipped": (0, 2)}},
    "conforming": {"All deals": {"conforming": (3, 5), "reworked": 2, "skipped_deals": 1}},
    "pipeline_coverage": {"Qualification": {"amount": -50}, "Closing": {"amount": 1000}},
    # (100 + 200 x 0.9 + 1000 + 10 x 0.9) / 4, and two open deals x 4/5 x that / 39 days
    "sales_velocity": {"All deals": {"average_won": 322.25, "open_deals": 2, "velocity": 2 * 0.8 * 322.25 / 39}},
    "time_to_close": {"Won": {"by_30": 0.25, "by_90": 0.75}, "Lost": {"by_30": 0.25, "by_90": 0.25}},
}


@pytest.mark.parametrize("measure", EXPECTED)
def test_figures_are_those_of_paper_and_pencil(card: Scorecard, measure: str) -> None:
    """Reopened, sent back, skipping, renamed, from another pipeline, without a history, and of two currencies."""
    found = card.measure(measure)
    assert found is not None
    rows = {row.label: row.figures for row in found.rows}

    for label, columns in EXPECTED[measure].items():
        for column, value in columns.items():
            figure = rows[label][column]
            share = (figure.numerator, figure.denominator)
            assert value == (share if isinstance(value, tuple) else pytest.approx(figure.value)), (label, column)


def test_what_the_history_does_not_say_is_said(card: Scorecard) -> None:
    """Two deals have no history, and nobody knows when they were closed."""
    assert (7, 5, 2) == (card.coverage.deals, card.coverage.with_history, card.coverage.open)
    found = card.measure("cycle_time")
    assert found is not None
    closed, without = found.cautions
    assert closed.startswith("Of 2 closed deals the history does not say when they were closed")
    assert without.startswith("2 deals have no history")


@pytest.mark.parametrize(
    ("language", "closed", "without"),
    [
        ("en", "Of 1 closed deal the history does not say when it was closed", "1 deal has no history"),
        ("pt", "De 1 negócio fechado o histórico não diz quando fechou", "1 negócio não tem histórico"),
        ("zh", "1 个已关闭商机的历史未说明关闭时间", "1 个商机没有历史"),
    ],
)
def test_what_is_said_of_one_deal_is_said_of_one(
    save_state: SaveState, language: str, closed: str, without: str
) -> None:
    """In every language, also where it has no plurals."""
    deal = make_deal(4)
    won = make_evaluation(deal=deal.ref, place=Place("care", Status.WON), visits=())
    found = compute(save_state(won, deals=[deal]), PROCESS, NOON, Options(language=language)).measure("cycle_time")
    assert found is not None

    assert found.cautions[0].startswith(closed)
    assert found.cautions[1].startswith(without)
