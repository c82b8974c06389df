"""An invented scorecard of 10 stages and 20 charts of every kind, the same each time."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from crmbridge.indicators.counting import wilson
from crmbridge.model.figures import (
    ChartKind,
    Column,
    Coverage,
    Curve,
    CurvePoint,
    Figure,
    IndicatorFigure,
    Interval,
    Measured,
    Row,
    Scorecard,
    TrendPoint,
    Unit,
    WaivedFindings,
)

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
STAGES = (
    "Prospecting", "Qualification", "Discovery", "Diagnosis", "Solution design", "Proposal", "Evaluation",
    "Negotiation", "Contract review", "Closing",
)  # fmt: skip
OWNERS = ("Ana Ribeiro", "Jonas Weber", "Li Na", "Maya Cohen", "Tom Baker", "Zoë Laurent")
MONTHS = tuple(f"2025-{month:02}" for month in range(7, 13)) + tuple(f"2026-{month:02}" for month in range(1, 7))
RULES = ("BANT 3 of 4", "Decision maker", "Need survey", "Scope agreed", "Discount approved", "Delivery date")


def scorecard() -> Scorecard:
    """Make it."""
    dice = random.Random(11)  # noqa: S311  the same report each time
    return Scorecard(
        process="Selling to companies",
        as_of=NOW,
        language="en",
        coverage=Coverage(deals=1240, open=402, won=231, lost=607, with_history=1198, since=NOW - timedelta(days=420)),
        indicators=_indicators(dice),
        measures=tuple(_measures(dice)),
        currency="EUR",
        waived=WaivedFindings(findings=7, ending=2, next_end=NOW + timedelta(days=4)),
    )


def share(part: float, whole: float) -> Figure:
    """Make a share with its interval."""
    return Figure(
        unit=Unit.SHARE,
        value=part / whole if whole else None,
        n=int(whole),
        numerator=part,
        denominator=whole,
        interval=wilson(int(part), int(whole)),
    )


def count(value: float) -> Figure:
    """Make a count."""
    return Figure(unit=Unit.COUNT, value=value, n=int(value))


def days(value: float, n: int = 120) -> Figure:
    """Make a length of time."""
    return Figure(unit=Unit.DAYS, value=value, n=n)


def money(value: float, n: int = 40, unit: Unit = Unit.MONEY) -> Figure:
    """Make an amount."""
    return Figure(unit=unit, value=value, n=n, currency="EUR")


def measure(name: str, chart: ChartKind, rows: Sequence[Row], charted: str, rows_are: str, **more: Any) -> Measured:
    """Make a measure with a column for each figure of its rows."""
    ids = dict.fromkeys(column for row in rows for column in row.figures)
    return Measured(
        name=name,
        id=more.pop("id", name.lower().replace(" ", "_").replace(",", "")),
        definition=more.pop("definition", f"{name}: what is counted, out of what, over the deals evaluated by now."),
        columns=tuple(Column(each, each.replace("_", " ").capitalize()) for each in ids),
        rows=tuple(rows),
        rows_are=rows_are,
        chart=chart,
        charted=tuple(charted.split()),
        **more,
    )


def _indicators(dice: random.Random) -> tuple[IndicatorFigure, ...]:
    made: tuple[tuple[str, str, Figure, str | None, bool | None, Callable[[], Figure]], ...] = (
        ("Win rate", "win_rate", share(231, 838), "25%", True, lambda: share(dice.randint(18, 30), 100)),
        ("Qualified", "stage_conversion", share(411, 702), "60%", False, lambda: share(dice.randint(50, 66), 100)),
        ("Proposals taken up", "stage_conversion", share(5, 8), "70%", False, lambda: share(dice.randint(5, 8), 9)),
        ("Time in diagnosis", "time_in_stage", days(11.4), "12d", True, lambda: days(dice.uniform(9, 16))),
        ("SLAs kept", "sla_attainment", share(1610, 1872), "90%", False, lambda: share(dice.randint(80, 95), 100)),
        ("Open findings", "open_findings", count(61), "40", False, lambda: count(dice.randint(35, 80))),
        ("Pipeline coverage", "pipeline_coverage",
         Figure(unit=Unit.RATIO, value=3.24, n=402), "3", True,
         lambda: Figure(unit=Unit.RATIO, value=dice.uniform(2.4, 3.6), n=400)),
        ("Velocity", "velocity", money(18430, 838, Unit.MONEY_A_DAY), None, None,
         lambda: money(dice.uniform(14e3, 20e3), 800, Unit.MONEY_A_DAY)),
    )  # fmt: skip
    return tuple(
        IndicatorFigure(
            id=name.lower().replace(" ", "_"),
            name=name,
            measure=measure_id,
            figure=figure,
            definition="What is counted, out of what, over the deals evaluated by now.",
            target=target,
            met=met,
            comparable=target is not None,
            trend=tuple(TrendPoint(month, earlier()) for month in MONTHS[:-1]),
        )
        for name, measure_id, figure, target, met, earlier in made
    )


def _measures(dice: random.Random) -> list[Measured]:
    return [*_flow(dice), *_time(dice), *_discipline(dice), *_money(dice)]


def _flow(dice: random.Random) -> list[Measured]:
    entered, rows = 1240, []
    for stage in STAGES:
        still, forward = entered // 12, int(entered * dice.uniform(0.66, 0.88))
        gone = entered - still - forward
        figures = {
            "entered": entered,
            "forward": forward,
            "lost": max(gone - 3, 0),
            "back": min(gone, 3),
            "open": still,
        }
        rows.append(
            Row(
                label=stage,
                figures={**{k: count(v) for k, v in figures.items()}, "conversion": share(forward, entered - still)},
            )
        )
        entered = forward
    by_owner = [_by(owner, win_rate=share(dice.randint(6, 30), dice.randint(40, 90))) for owner in OWNERS]
    by_owner.append(_by("Sam Ode", win_rate=share(2, 5)))
    months = [_by(month, win_rate=share(dice.randint(14, 26), dice.randint(64, 80))) for month in MONTHS]
    cohorts = [
        _by(month, reached=share(dice.randint(40, 60), 100), strict=share(dice.randint(30, 40), 100))
        for month in MONTHS
    ]
    rework = [
        _by(stage, rework_rate=share(dice.randint(2, 20), 120), skip_rate=share(dice.randint(0, 12), 120))
        for stage in STAGES
    ]
    return [
        measure("Stage conversion", ChartKind.FUNNEL, rows, "entered forward open", "Stage"),
        measure("Win rate by owner", ChartKind.BARS, by_owner, "win_rate", "Owner", headline=share(231, 838)),
        measure("Win rate by close date", ChartKind.LINES, months, "win_rate", "Month"),
        measure("Stage conversion by cohort", ChartKind.LINES, cohorts, "reached strict", "Month"),
        measure("Rework and skip rate", ChartKind.BARS, rework, "rework_rate skip_rate", "Stage"),
    ]  # fmt: skip


def _time(dice: random.Random) -> list[Measured]:
    times = []
    for stage in STAGES:
        middle = dice.uniform(2, 14)
        times.append(
            _by(
                stage,
                median=days(middle),
                p90=days(middle * dice.uniform(1.6, 3)),
                open_median_age=days(middle * 1.3, 30),
            )
        )
    cycle = [_by(month, median=days(dice.uniform(48, 70)), p90=days(dice.uniform(90, 130))) for month in MONTHS]
    staying = tuple(_curve(stage, dice, falls=True) for stage in STAGES)
    ages = [
        _by(stage, **{f"w{week}": count(max(0, int(dice.gauss(14 - 3 * week, 4)))) for week in range(1, 7)})
        for stage in STAGES
    ]
    return [
        measure("Time in stage", ChartKind.BARS, times, "median p90 open_median_age", "Stage"),
        measure("Cycle time", ChartKind.LINES, cycle, "median p90", "Month", headline=days(57.2, 838)),
        measure("Survival in stage", ChartKind.CURVES, [], "", "Stage", curves=staying),
        measure("Won by age", ChartKind.CURVES, [], "", "Outcome", id="time_to_win",
                curves=tuple(_curve(s, dice, falls=False) for s in ("Won", "Lost"))),
        measure("Aging", ChartKind.HEAT, ages, "w1 w2 w3 w4 w5 w6", "Stage"),
    ]  # fmt: skip


def _discipline(dice: random.Random) -> list[Measured]:
    slas = [
        _by(stage, attainment=share(dice.randint(70, 98), 100), running=count(dice.randint(8, 40)),
            at_risk=count(dice.randint(0, 5)), breached=count(dice.randint(0, 4)))
        for stage in STAGES
    ]  # fmt: skip
    kept = [_by(month, attainment=share(dice.randint(80, 95), 100)) for month in MONTHS]
    owners = [
        _by(o, errors=count(dice.randint(0, 6)), warnings=count(dice.randint(1, 9)), infos=count(dice.randint(0, 4)))
        for o in OWNERS
    ]
    rules = [_by(stage, **{rule: count(max(0, dice.randint(-6, 12))) for rule in RULES}) for stage in STAGES]
    return [
        measure("SLA attainment", ChartKind.BARS, slas, "attainment", "Stage"),
        measure("SLA attainment by month", ChartKind.LINES, kept, "attainment", "Month"),
        measure("Open findings", ChartKind.STACKED, owners, "errors warnings infos", "Owner"),
        measure("Findings by stage and rule", ChartKind.HEAT, rules, "", "Stage"),
    ]


def _money(dice: random.Random) -> list[Measured]:
    open_money = [_by(stage, amount=money(dice.uniform(4e4, 9e5), dice.randint(12, 60))) for stage in STAGES]
    forecast = [
        _by(m, weighted_forecast=_wide(dice.uniform(3e5, 6e5)), crm_forecast=money(dice.uniform(4e5, 8e5)))
        for m in MONTHS
    ]
    speed = [
        _by(m, velocity=money(dice.uniform(14e3, 20e3), 80, Unit.MONEY_A_DAY), deals=count(dice.randint(60, 90)))
        for m in MONTHS
    ]
    calls = [
        _by(
            o,
            calls=count(dice.randint(20, 90)),
            meetings=count(dice.randint(5, 30)),
            e_mails=count(dice.randint(40, 160)),
        )
        for o in OWNERS
    ]
    quarters = [
        _by(q, coverage=Figure(unit=Unit.RATIO, value=dice.uniform(1.8, 3.8), n=90))
        for q in ("2026-Q1", "2026-Q2", "2026-Q3")
    ]
    return [
        measure("Amount by stage", ChartKind.BARS, open_money, "amount", "Stage", headline=money(4.38e6, 402)),
        measure("Weighted forecast", ChartKind.LINES, forecast, "weighted_forecast", "Month"),
        measure(
            "Forecast beside the CRM's",
            ChartKind.LINES,
            forecast,
            "weighted_forecast crm_forecast",
            "Month",
            id="forecast_and_crm",
        ),
        measure("Pipeline coverage", ChartKind.BARS, quarters, "coverage", "Quarter"),
        measure("Velocity", ChartKind.LINES, speed, "velocity deals", "Month", id="velocity"),
        measure("Activities", ChartKind.STACKED, calls, "calls meetings e_mails", "Owner"),
    ]


def _wide(value: float) -> Figure:
    return Figure(unit=Unit.MONEY, value=value, n=400, currency="EUR", interval=Interval(value * 0.7, value * 1.35))


def _by(label: str, **figures: Figure) -> Row:
    return Row(label=label, figures=figures)


def _curve(label: str, dice: random.Random, *, falls: bool) -> Curve:
    """Make a curve of sixty events with a band that widens."""
    n, at, left = 60, 0.0, 1.0
    points = [CurvePoint(0, 1 if falls else 0, 1 if falls else 0, 1 if falls else 0)]
    for number in range(1, n):
        at, left = at + dice.expovariate(n / 28), left - dice.uniform(0.8, 1) / n
        share_now, half = (left if falls else (1 - left) * 0.6), 0.02 + 0.12 * number / n
        points.append(CurvePoint(at, share_now, max(0, share_now - half), min(1, share_now + half)))
    return Curve(label=label, points=tuple(points), n=n + 14, events=n)
