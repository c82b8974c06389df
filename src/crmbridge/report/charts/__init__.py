"""Charts: a measure drawn as inline SVG, without scripts and without a style of its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from crmbridge.model.figures import ChartKind, Measured
from crmbridge.model.replacing import replace
from crmbridge.report.charts.bars import bars, funnel, stacked
from crmbridge.report.charts.curves import curves
from crmbridge.report.charts.heat import heat
from crmbridge.report.charts.lines import lines, spark
from crmbridge.report.charts.pivot import evenly, pivoted
from crmbridge.report.parts import Drawing
from crmbridge.report.words import Words

__all__ = ["draw", "spark"]

_MAKERS: Mapping[ChartKind, Callable[[Measured, Words], Drawing | None]] = MappingProxyType(
    {
        ChartKind.FUNNEL: funnel,
        ChartKind.BARS: bars,
        ChartKind.STACKED: stacked,
        ChartKind.LINES: lines,
        ChartKind.CURVES: curves,
        ChartKind.HEAT: heat,
    }
)
_WITHOUT_COLUMNS = {ChartKind.CURVES, ChartKind.HEAT}


def draw(measured: Measured, words: Words) -> Drawing | None:
    """Draw a measure as it looks best; None where there is nothing to draw."""
    shown = pivoted(measured)
    maker = _MAKERS.get(shown.chart)
    if maker is None or (not shown.charted and shown.chart not in _WITHOUT_COLUMNS):
        return None
    drawing = maker(evenly(shown) if shown.chart is ChartKind.LINES else shown, words)
    # The table of a chart that was turned around is another one: it has the other figures, too.
    return replace(drawing, is_table=False) if drawing is not None and shown is not measured else drawing
