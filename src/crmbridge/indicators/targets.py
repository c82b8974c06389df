"""Compare a figure with what its indicator is aimed at."""

from __future__ import annotations

import re
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from crmbridge.model.business_time import Duration
from crmbridge.model.figures import Figure, Unit


class Target(NamedTuple):
    """A target as written in the process file: a share, a length of time, or a count."""

    amount: Fraction
    unit: Unit


def read_target(text: str | None) -> Target | None:
    """Read `25%`, `10bd` or `0`; None for no target and for anything else."""
    if text is None:
        return None
    if match := re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*%", text.strip()):
        return Target(Fraction(match[1]) / 100, Unit.SHARE)
    if re.fullmatch(r"\d{1,9}", text.strip()):
        return Target(Fraction(text.strip()), Unit.COUNT)
    try:
        amount, unit = Duration.parse(text)
    except ValueError:
        return None
    return Target(Fraction(amount), Unit(unit.value))


def is_comparable(figure: Figure, target: Target | None) -> bool:
    """Tell whether the target is of the figure's kind."""
    return target is not None and target.unit is figure.unit


def is_met(figure: Figure, target: Target | None) -> bool | None:
    """Tell whether the target is met: a share must reach it, a time or a count must not exceed it.

    None when there is nothing to compare.
    """
    if target is None or target.unit is not figure.unit or figure.value is None:
        return None
    if figure.unit is Unit.SHARE:
        # As a fraction: 3 of 10 reach 30 %, which they would miss as binary floating point.
        return Fraction(figure.numerator or 0) / Fraction(figure.denominator or 1) >= target.amount
    # A median is interpolated in floating point; nine digits keep an exact hit a hit.
    return Fraction(Decimal(figure.value).quantize(Decimal("1e-9"))) <= target.amount
