"""Show each indicator on a tile: what it is now, what it is aimed at, and how it went."""

from __future__ import annotations

import re

from crmbridge.model.aims import is_of_now
from crmbridge.model.figures import IndicatorFigure, Scorecard, TrendPoint
from crmbridge.report.charts import spark
from crmbridge.report.parts import Tile
from crmbridge.report.sections import where
from crmbridge.report.wording import against_target, counted_from, interval, small, target, value
from crmbridge.report.words import Words
from crmbridge.words import NOTHING

_NUMBER = re.compile(r"([^\s\w]*\w{0,3}[^\s\w]*\s?\d[\d.,]*[%×]?\w{0,2}) (.+)")  # noqa: RUF001  the sign of "times"


def tiles(scorecard: Scorecard, words: Words) -> tuple[Tile, ...]:
    """Make the tile of each indicator, in the order of the process file."""
    return tuple(_tile(each, words) for each in scorecard.indicators)


def course(each: IndicatorFigure, words: Words) -> tuple[TrendPoint, ...]:
    """Give how an indicator went: by periods, and now where that can be compared; nothing where it has no past."""
    now = (TrendPoint(words("now"), each.figure),) if each.trend and is_of_now(each.measure) else ()
    return (*each.trend, *now)


def _tile(each: IndicatorFigure, words: Words) -> Tile:
    figure = each.figure
    notes = [counted_from(figure, words), interval(figure, words)]
    number, unit = _parted(value(figure, words))
    went = course(each, words)
    return Tile(
        name=each.name,
        where=where(each),
        value=number,
        unit=unit,
        target="" if each.target is None else target(each, words),
        state=against_target(each, words),
        counted_from=" · ".join(note for note in notes if note != NOTHING),
        caution=small(figure, words),
        definition=each.definition,
        why=each.why or "",
        line=spark([point.figure.value for point in went]),
        history=tuple((point.period, value(point.figure, words)) for point in went),
    )


def _parted(text: str) -> tuple[str, str]:
    """Take the words of a unit from its number, as the number alone is written large: 4.0 and business days."""
    match = _NUMBER.fullmatch(text)
    return (match[1], match[2]) if match else (text, "")
