"""Write figures as people read them: values, what they are counted from, intervals, targets."""

from __future__ import annotations

from collections.abc import Sequence

from crmbridge.report.facts import FigureFacts, IndicatorFacts
from crmbridge.report.parts import Bar, Cell, Segment, Table
from crmbridge.report.words import NOTHING, Words

SMALL_N = 10  # rates of fewer cases are marked


def table(caption: str, columns: Sequence[str], rows: Sequence[tuple[Cell, ...]], words: Words) -> Table:
    """Head a table with words by key."""
    return Table(caption=words(caption), columns=tuple(words(column) for column in columns), rows=tuple(rows))


def share_bar(label: str, figure: FigureFacts, lanes: tuple[tuple[Segment, ...], ...], words: Words) -> Bar:
    """Make the bar of a share, with what it is counted from beside it."""
    return Bar(
        label=label,
        value=words.percent(figure["value"]),
        detail=counted_from(figure, words),
        lanes=lanes,
        caution=small(figure, words),
    )


def valued(figure: FigureFacts, words: Words) -> Cell:
    """Put a figure into a cell, marked when it rests on few cases."""
    return Cell(words.amount(figure["value"], figure["unit"]), small(figure, words), "figure")


def or_dash(days: float | None, words: Words) -> str:
    """Write a length of time in days; a dash for none."""
    return NOTHING if days is None else words.amount(days, "d")


def counted_from(figure: FigureFacts, words: Words) -> str:
    """Say what a figure is counted from."""
    if figure["denominator"] is not None:
        return words("n_of", **fraction(figure, words))
    return NOTHING if figure["unit"] == "count" else f"n = {words.number(figure['n'])}"


def fraction(figure: FigureFacts, words: Words) -> dict[str, str]:
    """Write a share's two counts, for a sentence."""
    return {"numerator": words.number(figure["numerator"]), "denominator": words.number(figure["denominator"])}


def interval(figure: FigureFacts, words: Words) -> str:
    """Write a figure's interval; a dash for none."""
    if figure["interval"] is None:
        return NOTHING
    low, high = figure["interval"]
    return f"{words.percent(low)} – {words.percent(high)}"  # noqa: RUF001  the dash of a range


def small(figure: FigureFacts, words: Words) -> str:
    """Give the mark of a figure that rests on few cases, or nothing."""
    return words("small_n") if _is_small(figure) else ""


def _is_small(figure: FigureFacts) -> bool:
    return figure["unit"] != "count" and 0 < figure["n"] < SMALL_N


def cautions(figures: Sequence[FigureFacts], words: Words) -> tuple[str, ...]:
    """Explain that mark, where any of the figures has it."""
    return (words("small_n_why", n=SMALL_N),) if any(_is_small(figure) for figure in figures) else ()


def target(each: IndicatorFacts, words: Words) -> str:
    """Write a target as people read it; one that can't be compared stays as it stands in the file."""
    text = each["target"]
    if text is None or not each["comparable"]:
        return text or NOTHING
    unit = each["figure"]["unit"]
    number = text.rstrip("%bdhm ")
    if unit == "count":
        return f"≤ {number}" if number != "0" else number
    return f"≥ {number}%" if unit == "share" else f"≤ {words(f'unit_{unit}', n=number)}"


def against_target(each: IndicatorFacts, words: Words) -> Cell:
    """Say whether a target is met."""
    if each["target"] is None:
        return Cell(NOTHING)
    if not each["comparable"]:
        return Cell(words("not_comparable"), tone="caution")
    if each["met"] is None:
        return Cell(words("no_data"))
    return Cell(words("met"), tone="good") if each["met"] else Cell(words("missed"), tone="bad")
