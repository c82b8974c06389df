"""Draw the full report once, then again, and say what it took: `python -m runs.drawing crmbridge` or `matplotlib`."""

from __future__ import annotations

import gzip
import io
import json
import sys
import time
from collections.abc import Callable
from typing import Any

from crmbridge.model.figures import ChartKind, Measured, Row
from runs.full_report import scorecard


def page() -> str:
    """Make the whole report and give its page; the Markdown and the facts are made with it."""
    from crmbridge.report import render  # noqa: PLC0415  its import is part of what is measured

    run = {"found": 61, "planned": 48, "applied": 46}
    return render(scorecard(), run, "Weekly sales report", name="weekly").html


def charts() -> str:
    """Draw the charts by matplotlib, one after the other."""
    import matplotlib as mpl  # noqa: PLC0415  its import is part of what is measured

    mpl.use("svg")
    import matplotlib.pyplot as plt  # noqa: PLC0415  the same

    drawn = []
    for measured in scorecard().measures:
        figure, axes = plt.subplots(figsize=(9, 4))
        _plot(axes, measured)
        axes.set_title(measured.name)
        file = io.StringIO()
        figure.savefig(file, format="svg")
        plt.close(figure)
        drawn.append(file.getvalue())
    return "".join(drawn)


def _plot(axes: Any, measured: Measured) -> None:
    labels = [row.label for row in measured.rows]
    columns = measured.charted or tuple(column.id for column in measured.columns)
    match measured.chart:
        case ChartKind.CURVES:
            for curve in measured.curves:
                days = [point.days for point in curve.points]
                axes.step(days, [point.share for point in curve.points], where="post", label=curve.label)
                ends = ([point.low for point in curve.points], [point.high for point in curve.points])
                axes.fill_between(days, *ends, step="post", alpha=0.2)
        case ChartKind.LINES:
            for column in columns:
                axes.plot(labels, _values(measured.rows, column), marker="o", label=column)
        case ChartKind.HEAT:
            axes.pcolormesh([_values([row], *columns) for row in measured.rows])
        case _:
            for number, column in enumerate(columns):
                places = [index + number / 4 for index in range(len(labels))]
                axes.barh(places, _values(measured.rows, column), 0.25, label=column)
            axes.set_yticks(range(len(labels)), labels)


def _values(rows: Any, *columns: str) -> list[float]:
    kept: list[Row] = list(rows)
    return [row.figures[column].value or 0.0 if column in row.figures else 0.0 for row in kept for column in columns]


def timed(make: Callable[[], str]) -> tuple[float, str]:
    """Make it and give the seconds with what was made."""
    start = time.perf_counter()
    made = make()
    return time.perf_counter() - start, made


def main() -> None:
    """Draw twice and print what it took as JSON."""
    make = {"crmbridge": page, "matplotlib": charts}[sys.argv[1]]
    first, made = timed(make)
    again, _ = timed(make)
    text = made.encode()
    count = sum(measured.chart is not ChartKind.NONE for measured in scorecard().measures)
    sizes = {"bytes": len(text), "zipped": len(gzip.compress(text)), "charts": count}
    print(json.dumps({"seconds": first, "again": again, **sizes}))


if __name__ == "__main__":
    main()
