"""Compare a figure with what its indicator is aimed at."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from crmbridge.model.aims import must_reach
from crmbridge.model.business_time import Duration
from crmbridge.model.figures import Figure, IndicatorFigure, TrendPoint, Unit
from crmbridge.model.process import Indicator, Measure
from crmbridge.model.values import Money

_MONEY = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s+([A-Z]{3})")


class Target(NamedTuple):
    """A target as written in the process file: a share, a length of time, a count, an amount of money, or a ratio."""

    amount: Fraction
    unit: Unit
    currency: str | None = None


def read_target(text: str | None) -> Target | None:
    """Read `25%`, `10bd`, `0`, `3x` or `500 EUR`; None for no target and for anything else."""
    if text is None:
        return None
    if match := re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*(%|x)", text.strip()):
        return (
            Target(Fraction(match[1]) / 100, Unit.SHARE) if match[2] == "%" else Target(Fraction(match[1]), Unit.RATIO)
        )
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return Target(Fraction(text.strip()), Unit.COUNT)
    if money := read_money(text):
        return Target(Fraction(money.amount), Unit.MONEY, money.currency)
    try:
        length, unit = Duration.parse(text)
    except ValueError:
        return None
    return Target(Fraction(length), Unit(unit.value))


def read_money(text: str) -> Money | None:
    """Read `500000 EUR`; None for anything else."""
    match = _MONEY.fullmatch(text.strip())
    return Money(Decimal(match[1]), match[2]) if match else None


def held_against(
    indicator: Indicator,
    figure: Figure,
    *,
    language: str,
    definition: str,
    stage: str | None = None,
    trend: tuple[TrendPoint, ...] = (),
) -> IndicatorFigure:
    """Hold a figure against what its indicator is aimed at. `stage` is the name of the stage that it is about."""
    target, warn = (_aim(text, figure) for text in (indicator.target, indicator.warn))
    met = is_met(figure, target, indicator.measure)
    return IndicatorFigure(
        id=indicator.id,
        name=indicator.name.in_language(language),
        measure=indicator.measure,
        stage=stage,
        stage_id=indicator.stage,
        why=indicator.why.in_language(language) if indicator.why else None,
        figure=figure,
        definition=definition,
        target=indicator.target,
        met=met,
        comparable=is_comparable(figure, target),
        warn=indicator.warn,
        near=None if met is None else met and is_met(figure, warn, indicator.measure) is False,
        trend=trend,
    )


def _aim(text: str | None, figure: Figure) -> Target | None:
    """Read what a figure is held against; a number without a currency is of the figure's own."""
    aim = read_target(text)
    if aim is not None and (figure.unit, aim.unit) == (Unit.MONEY, Unit.COUNT):
        return aim._replace(unit=Unit.MONEY, currency=figure.currency)
    return aim


def is_comparable(figure: Figure, target: Target | None) -> bool:
    """Tell whether the target is of the figure's kind."""
    if target is None:
        return False
    if target.unit is Unit.MONEY:
        return figure.unit in {Unit.MONEY, Unit.MONEY_A_DAY} and figure.currency in {None, target.currency}
    return target.unit is figure.unit


def is_met(figure: Figure, target: Target | None, measure: Measure | None = None) -> bool | None:
    """Tell whether the target is met, in the way that `must_reach` says; None when there is nothing to compare."""
    if target is None or not is_comparable(figure, target) or figure.value is None:
        return None
    if figure.unit is Unit.SHARE:
        # As a fraction: 3 of 10 reach 30 %, which they would miss as binary floating point.
        value = Fraction(figure.numerator or 0) / Fraction(figure.denominator or 1)
    else:
        # A median is interpolated in floating point; nine digits keep an exact hit a hit.
        value = Fraction(repr(round(figure.value, 9)))
    return value >= target.amount if must_reach(measure, figure.unit) else value <= target.amount
