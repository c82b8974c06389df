"""Write figures as people read them: values, what they are counted from, intervals, targets."""

from __future__ import annotations

from collections.abc import Iterable

from crmbridge.model.aims import must_reach
from crmbridge.model.figures import Figure, IndicatorFigure, Unit
from crmbridge.report.parts import Cell
from crmbridge.report.words import Words
from crmbridge.words import NOTHING

SMALL_N = 10  # rates and lengths of fewer cases are marked
# Counting needs no sample: five open findings are five.
_NO_SAMPLE = {Unit.COUNT, Unit.MONEY}


def value(figure: Figure, words: Words) -> str:
    """Write a figure's value in its unit."""
    return words.amount(figure.value, figure.unit, figure.currency)


def counted_from(figure: Figure, words: Words) -> str:
    """Say what a figure is counted from; a dash where the value itself says it."""
    if figure.unit is Unit.SHARE and figure.denominator is not None:
        return words("n_of", **fraction(figure, words))
    return NOTHING if figure.unit is Unit.COUNT else f"n = {words.number(figure.n)}"


def fraction(figure: Figure, words: Words) -> dict[str, str]:
    """Write a share's two parts, for a sentence."""
    unit = Unit.MONEY if figure.currency else Unit.COUNT
    parts = {"numerator": figure.numerator, "denominator": figure.denominator}
    return {
        name: NOTHING if part is None else words.amount(part, unit, figure.currency) for name, part in parts.items()
    }


def interval(figure: Figure, words: Words) -> str:
    """Write a figure's interval; a dash for none."""
    if figure.interval is None:
        return NOTHING
    low, high = (words.amount(end, figure.unit, figure.currency) for end in figure.interval)
    return f"{low} – {high}"  # noqa: RUF001  the dash of a range


def small(figure: Figure, words: Words) -> str:
    """Give the mark of a figure that rests on few cases, or nothing."""
    return words("small_n") if is_small(figure) else ""


def is_small(figure: Figure) -> bool:
    """Tell whether a figure rests on so few cases that it is only a hint."""
    return figure.unit not in _NO_SAMPLE and 0 < figure.n < SMALL_N


def cautions(figures: Iterable[Figure], words: Words) -> tuple[str, ...]:
    """Explain that mark, where any of the figures has it."""
    return (words("small_n_why", n=SMALL_N),) if any(map(is_small, figures)) else ()


def target(each: IndicatorFigure, words: Words) -> str:
    """Write a target as people read it; one that can't be compared stays as it stands in the file."""
    text = each.target
    if text is None or not each.comparable:
        return text or NOTHING
    number = text.strip()
    return f"{_sense(each)} {_target_value(number, each, words)}" if number != "0" else number


def _sense(each: IndicatorFigure) -> str:
    """Say whether the target is a least or a most."""
    return "≥" if must_reach(each.measure, each.figure.unit) else "≤"


def _target_value(text: str, each: IndicatorFigure, words: Words) -> str:
    number = text.rstrip("%bdhmx× ")  # noqa: RUF001  the sign that is read as "times"
    try:
        amount = float(number.replace(",", ""))
    except ValueError:
        return text
    unit = each.figure.unit
    if unit is Unit.SHARE:
        return f"{words.number(amount, 0 if amount == int(amount) else 1)}%"
    if unit is Unit.RATIO:
        return f"{words.number(amount, 0 if amount == int(amount) else 1)}×"  # noqa: RUF001  the same
    if unit in {Unit.MONEY, Unit.MONEY_A_DAY, Unit.COUNT}:
        return words.amount(amount, unit, each.figure.currency)
    return words.length(words.number(amount, 0 if amount == int(amount) else 1), unit)


def against_target(each: IndicatorFigure, words: Words) -> Cell:
    """Say whether a target is met, and whether the figure is past what the process wants to be warned of."""
    if each.target is None:
        return Cell(NOTHING)
    if not each.comparable:
        return Cell(words("not_comparable"), tone="caution")
    if each.met is None:
        return Cell(words("no_data"))
    if not each.met:
        reads_as_met = target(each, words) == f"{_sense(each)} {value(each.figure, words)}"  # as both are rounded
        return Cell(words("just_missed" if reads_as_met else "missed"), tone="bad")
    return Cell(words("near"), tone="caution") if each.near else Cell(words("met"), tone="good")
