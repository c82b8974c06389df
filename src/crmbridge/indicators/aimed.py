"""The process's own indicators: their figures in the unit that they are aimed at, held against their targets."""

from __future__ import annotations

from crmbridge.indicators.measures import MEASURES, Raw
from crmbridge.indicators.shown import Shown
from crmbridge.indicators.targets import Target, held_against, read_money, read_target
from crmbridge.model.figures import Figure, IndicatorFigure, TrendPoint, Unit
from crmbridge.model.process import Indicator, Measure, Process

_HOURS = {Unit.HOURS: 1.0, Unit.MINUTES: 1 / 60, Unit.BUSINESS_HOURS: 1.0, Unit.BUSINESS_MINUTES: 1 / 60}
_TIMES = {Measure.TIME_IN_STAGE, Measure.CYCLE_TIME}


def indicator_figure(
    indicator: Indicator, shown: Shown, figure: Figure, trend: tuple[TrendPoint, ...]
) -> IndicatorFigure:
    """Hold a figure against what the indicator is aimed at."""
    is_business = figure.unit.value.startswith("b")
    return held_against(
        indicator,
        figure,
        language=shown.options.language,
        definition=shown.words.definitions["time_in_stage_business" if is_business else indicator.measure],
        stage=shown.stage(indicator.stage) if indicator.stage else None,
        trend=trend,
    )


def figure_of(indicator: Indicator, process: Process, raw: Raw) -> Figure:
    """Make an indicator's figure from what was counted for it; without anything counted it has no value."""
    if indicator.measure in _TIMES:
        return _time(raw, indicator, process, read_target(indicator.target))
    if indicator.measure is Measure.PIPELINE_COVERAGE and indicator.quota:
        return _coverage(raw, indicator.quota)
    return MEASURES[indicator.measure].main(raw)


def _coverage(raw: Raw, quota: str) -> Figure:
    """Say how many times the open pipeline covers what is to be sold; of another currency, there is no saying."""
    money = read_money(quota)
    amount = raw.get("amount")
    n = int(raw.get("priced") or 0)
    if money is None or amount is None or raw.get("currency") != money.currency or not money.amount:
        return Figure(unit=Unit.RATIO, value=None, n=n)
    aimed = float(money.amount)
    return Figure(
        unit=Unit.RATIO, value=amount / aimed, n=n, numerator=amount, denominator=aimed, currency=money.currency
    )


def _time(raw: Raw, indicator: Indicator, process: Process, target: Target | None) -> Figure:
    """Give the median in the target's unit; business time only where the stage's SLA measures it."""
    unit = target.unit if target else Unit.DAYS
    days = MEASURES[indicator.measure].main(raw)
    if unit in {Unit.HOURS, Unit.MINUTES}:
        return Figure(unit=unit, value=None if days.value is None else days.value * 24 / _HOURS[unit], n=days.n)
    hours = _business_unit_hours(unit, indicator.stage, process)
    if hours is None:
        return days
    seconds = raw.get("business_median_seconds")
    value = None if seconds is None else seconds / 3600 / hours
    return Figure(unit=unit, value=value, n=int(raw.get("business_closed") or 0))


def _business_unit_hours(unit: Unit, stage_id: str | None, process: Process) -> float | None:
    """Give how many open hours one of a business unit is in the stage's calendar; None where there is no saying."""
    stage = process.stage(stage_id) if stage_id else None
    calendar = process.calendars.get(stage.sla.calendar) if stage and stage.sla else None
    if calendar is None or not unit.value.startswith("b"):
        return None
    return float(calendar.day_hours) if unit is Unit.BUSINESS_DAYS else _HOURS[unit]
