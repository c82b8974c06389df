"""Charts show the figures that they are given, inside their frame."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.model.figures import ChartKind, Figure, Interval, Measured, Row, Unit
from crmbridge.report.charts import draw, spark
from crmbridge.report.charts.curves import half, thinned
from crmbridge.report.charts.heat import step
from crmbridge.report.charts.looks import looks
from crmbridge.report.charts.scale import ticks
from crmbridge.report.parts import Drawing
from crmbridge.report.words import words_of
from crmbridge.testing.figures import (
    make_count,
    make_curve,
    make_days,
    make_measured,
    make_money,
    make_row,
    make_share,
)
from crmbridge.testing.pages import Page

WORDS = words_of("en")


def drawn(measured: Measured) -> Drawing:
    """Draw a measure that can be drawn."""
    drawing = draw(measured, WORDS)
    assert drawing is not None
    return drawing


def rects(drawing: Drawing, look: str) -> list[tuple[float, float]]:
    """Give where the bars of a look begin and how wide they are."""
    found = Page(str(drawing.body)).all("rect", class_=look)
    return [(float(at["x"] or 0), float(at["width"] or 0)) for at in found]


def strokes(drawing: Drawing, look: str) -> list[str]:
    """Give how each path of a look is drawn."""
    return [at["d"] or "" for at in Page(str(drawing.body)).all("path", class_=look)]


def heights(drawing: Drawing, look: str) -> list[list[float]]:
    """Give the heights of the points of each line of a look, from the top."""
    lines = Page(str(drawing.body)).all("polyline", class_=look)
    return [[float(pair.split(",")[1]) for pair in (at["points"] or "").split()] for at in lines]


def test_bars_of_shares_are_as_long_as_the_share() -> None:
    """A share of a quarter fills a quarter of its track, and its interval lies around its end."""
    drawing = drawn(make_measured("win_rate", make_row("Ana", won=make_share(10, 40))))

    assert [(0, 25)] == rects(drawing, "f-good")
    assert ["M20,5 30,5"] == [each[:10] for each in strokes(drawing, "whisker")]
    assert ["95% interval"] == [key.word for key in drawing.keys]


def test_bars_of_other_units_share_a_scale_by_unit() -> None:
    """The longest of a unit fills the track; lengths of time and counts do not disturb each other."""
    rows = (make_row("a", x=make_days(5), y=make_days(10), z=make_count(1000)), make_row("b", x=make_days(2.5)))
    drawing = drawn(make_measured("times", *rows))

    assert [(0, 50), (0, 25)] == rects(drawing, "f-s1")
    assert [(0, 100)] == rects(drawing, "f-s2")
    assert [(0, 100)] == rects(drawing, "f-s3")


def test_estimates_have_their_interval_within_the_track() -> None:
    """The scale of money reaches to the end of its interval."""
    guess = Figure(unit=Unit.MONEY, value=60, n=9, currency="EUR", interval=Interval(40, 120))
    drawing = drawn(make_measured("forecast", make_row("Proposal", expected=guess)))

    assert [(0, 50)] == rects(drawing, "f-s1")
    assert ["M33.33,5 100,5"] == [each[:14] for each in strokes(drawing, "whisker")]


def test_bars_below_nothing_go_to_the_left() -> None:
    """Of -5 and 15 the track holds both; the bar of -5 ends where the other begins."""
    rows = (make_row("a", x=make_money(-5)), make_row("b", x=make_money(15)))

    assert [(0, 25), (25, 75)] == rects(drawn(make_measured("change", *rows)), "f-s1")


def test_stacked_bars_add_up() -> None:
    """Parts stand side by side; the row with the most fills the width, and its number is the sum."""
    rows = (
        make_row("Ana", errors=make_count(3), warnings=make_count(5)),
        make_row("Bo", errors=make_count(0), warnings=make_count(4)),
    )
    drawing = drawn(make_measured("open_findings", *rows, chart=ChartKind.STACKED))

    assert [(0, 37.5)] == rects(drawing, "f-bad")
    assert [(37.5, 62.5), (0, 50)] == rects(drawing, "f-warn")
    assert re.search(r"Ana 3 5 8|Ana Errors: 3 Warnings: 5 8", Page(str(drawing.body)).text)


def cohort(name: str, won: int, lost: int, left: int) -> Row:
    """Make a row of the win rate of cohorts."""
    counts = {"won": make_count(won), "lost": make_count(lost), "open": make_count(left)}
    return make_row(name, win_rate=make_share(won, won + lost + left), **counts)


def test_stacked_bars_stand_for_the_share_that_is_their_number() -> None:
    """A bar whose number is a share is the whole of it: a small cohort's can be held against a large one's."""
    rows = (cohort("Ana", 19, 25, 46), cohort("Bo", 1, 1, 2))
    drawing = drawn(make_measured("cohorts", *rows, chart=ChartKind.STACKED, charted=("won", "lost", "open")))

    assert [(0, 21.11), (0, 25)] == rects(drawing, "f-good")
    assert [(48.89, 51.11), (50, 50)] == rects(drawing, "f-open")
    text = Page(str(drawing.body)).text
    assert "21% 19 of 90" in text
    assert "25% 1 of 4 small n" in text


def test_stacked_bars_leave_room_for_what_is_in_no_part() -> None:
    """A row's number is what the measure leads with, also where some of it is in none of the parts."""
    rows = [
        make_row(name, open=make_count(4), usual=make_count(n), old=make_count(1)) for name, n in (("a", 3), ("b", 0))
    ]
    drawing = drawn(make_measured("aging", *rows, chart=ChartKind.STACKED, charted=("usual", "old")))

    assert [(0, 75)] == rects(drawing, "f-good")
    assert [(75, 25), (0, 25)] == rects(drawing, "f-late")
    assert 2 == len(re.findall(r"<b>4</b>", str(drawing.body)))


def test_funnel_narrows_in_the_middle() -> None:
    """Each step is as wide as its share of the widest, stands in the middle, and its parts start at its left."""
    rows = [make_row(name, entered=make_count(n), forward=make_count(n // 2)) for name, n in (("a", 80), ("b", 40))]
    drawing = drawn(make_measured("stage_conversion", *rows, chart=ChartKind.FUNNEL))

    assert [(0, 100), (25, 50)] == rects(drawing, "base")
    assert [(0, 50), (25, 25)] == rects(drawing, "f-good")


def test_lines_go_up_with_the_figure_and_break_where_there_is_none() -> None:
    """More stands higher; a period without a figure leaves a gap rather than a zero."""
    shares = [make_share(10, 100), make_share(40, 100), make_share(0, 0), make_share(30, 100), make_share(20, 100)]
    rows = [make_row(f"2026-0{number}", rate=share) for number, share in enumerate(shares, 1)]
    first, second = heights(drawn(make_measured("rate", *rows, chart=ChartKind.LINES)), "l-s1")

    assert first[0] > first[1]
    assert second[0] < second[1]


def test_lines_of_other_units_have_a_plot_of_their_own() -> None:
    """Money and counts are not drawn on one scale."""
    rows = [make_row(f"2026-0{n}", money=make_money(1e6 * n), deals=make_count(n)) for n in (1, 2)]
    page = Page(str(drawn(make_measured("velocity", *rows, chart=ChartKind.LINES)).body))

    assert 2 == len(page.all("svg", role="img"))
    assert "€2m" in page.text


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 12, 13, 60])
def test_few_periods_are_named_below_a_line(count: int) -> None:
    """However many periods there are, at most five are written, the first and the last among them."""
    rows = [make_row(f"P{number}", x=make_count(number)) for number in range(count)]
    body = str(drawn(make_measured("x", *rows, chart=ChartKind.LINES)).body)

    named = re.findall(r">(P\d+)</text>", body)
    assert [named[0], named[-1]] == ["P0", f"P{count - 1}"]
    assert len(named) <= 5


def test_curves_are_steps_and_say_when_half_is_over() -> None:
    """A curve holds its share until the next event; the words beside it say when half is over."""
    drawing = drawn(make_measured("survival", chart=ChartKind.CURVES, curves=(make_curve("Proposal", 0.8, 0.4),)))

    assert ["M10,0h45v24h45v48"] == strokes(drawing, "l-s1")
    assert "Proposal: half by 10.0 days, 40% after 10.0 days" == drawing.says
    assert "half by 10.0 days" in Page(str(drawing.body)).text


@pytest.mark.parametrize(
    ("shares", "anchor", "is_below"),
    [
        ((0.5, 0.4, 0.3, 0.2, 0.1), "start", False),
        ((0.9, 0.8, 0.7, 0.5, 0.1), "end", True),
    ],
)
def test_when_half_is_over_is_said_within_the_plot(shares: tuple[float, ...], anchor: str, *, is_below: bool) -> None:
    """Above a falling curve there is room to its right; to the left of a late half, below it."""
    drawing = drawn(make_measured("survival", chart=ChartKind.CURVES, curves=(make_curve("Proposal", *shares),)))

    (note,) = Page(str(drawing.body)).all("text", class_="note")
    (line,) = Page(str(drawing.body)).all("line", class_="middle")
    assert (anchor, is_below) == (note["text-anchor"], float(note["y"] or 0) > float(line["y1"] or 0))


@pytest.mark.parametrize(("shares", "expected"), [((0.9, 0.6), None), ((0.5,), 5), ((0.9, 0.2), 10)])
def test_half_is_where_the_curve_comes_to_it(shares: tuple[float, ...], expected: float | None) -> None:
    """A curve that never comes to a half says nothing about it."""
    assert expected == half(make_curve("x", *shares))


@given(st.lists(st.floats(0.001, 0.05), min_size=1, max_size=300))
def test_many_small_strokes_end_where_the_curve_does(falls: list[float]) -> None:
    """What is rounded are places, so a curve of hundreds of steps is nowhere more than a tenth off."""
    shares = [max(0.0, 1 - sum(falls[: number + 1])) for number in range(len(falls))]
    drawing = drawn(make_measured("survival", chart=ChartKind.CURVES, curves=(make_curve("x", *shares),)))
    (line,), (band,) = (strokes(drawing, look) for look in ("l-s1", "b-s1"))

    down = sum(float(each) for each in re.findall(r"v(-?[\d.]+)", line))
    assert down == pytest.approx(120 * (1 - shares[-1]), abs=0.06)
    across = [float(each) for each in re.findall(r"h(-?[\d.]+)", band)]
    assert sum(across) == pytest.approx(0, abs=1e-9)


def test_long_curves_are_thinned_and_keep_their_ends() -> None:
    """A curve of thousands of steps is drawn with as many as can be told apart."""
    curve = make_curve("x", *(1 - number / 5000 for number in range(5000)))

    kept = thinned(curve.points)
    assert len(kept) <= 120
    assert (curve.points[0], curve.points[-1]) == (kept[0], kept[-1])


def test_heat_is_darker_for_more() -> None:
    """Nothing is blank, the most is darkest, and the number stands in the cell."""
    rows = [make_row("Proposal", bant=make_count(0), scope=make_count(5)), make_row("Closing", scope=make_count(10))]
    drawing = drawn(make_measured("findings", *rows, chart=ChartKind.HEAT, charted=()))

    cells = re.findall(r'<td class="h(\d)">([^<]*)', str(drawing.body))
    assert [("0", "0"), ("3", "5"), ("0", "–"), ("5", "10")] == cells  # noqa: RUF001  the dash for none
    assert drawing.is_table


def test_heat_tells_rates_apart_that_are_all_high() -> None:
    """From nothing on, 80 and 100 % would look alike; one rate of few cases does not change that."""
    shares = ((80, 100), (90, 100), (100, 100), (0, 3), (1, 3))
    rows = [make_row(str(number), rate=make_share(*share)) for number, share in enumerate(shares)]
    drawing = drawn(make_measured("m", *rows, chart=ChartKind.HEAT))

    assert ["1", "3", "5", "0", "1"] == re.findall(r'<td class="h(\d)">', str(drawing.body))


@pytest.mark.parametrize(("share", "expected"), [(0, 0), (0.001, 1), (0.2, 1), (0.21, 2), (1, 5)])
def test_darkness_has_five_steps(share: float, expected: int) -> None:
    """Only nothing is blank."""
    assert expected == step(share)


@pytest.mark.parametrize(
    ("low", "high", "unit", "expected"),
    [
        (0, 0.43, Unit.SHARE, [0, 0.2, 0.4, 0.6]),
        (0, 3, Unit.COUNT, [0, 1, 2, 3]),
        (0, 97, Unit.DAYS, [0, 25, 50, 75, 100]),
        (-5, 15, Unit.MONEY, [-5, 0, 5, 10, 15]),
        (0, 0, Unit.COUNT, [0, 1]),
    ],
)
def test_scales_have_round_numbers(low: float, high: float, unit: str, expected: list[float]) -> None:
    """The numbers of a scale are round, enclose the figures, and are whole for counts."""
    assert expected == ticks(low, high, unit)


def test_looks_say_what_is_good_and_bad_and_are_never_the_same() -> None:
    """What has a meaning has its colour; of what has none each takes another."""
    assert ["good", "bad", "s1", "s2"] == looks(["won", "errors", "calls", "meetings"])


def test_no_two_of_one_meaning_look_alike() -> None:
    """Two columns that are both good news do not look the same."""
    assert ["good", "s1"] == looks(["won", "forward"])


def test_spark_needs_two_values() -> None:
    """One value is no trend; equal ones are a flat line in the middle."""
    assert spark([None, 3.0]) is None
    assert 'points="0,15 100,15"' in str(spark([2.0, 2.0]))


@pytest.mark.parametrize("kind", list(ChartKind))
def test_nothing_to_draw_is_no_chart(kind: ChartKind) -> None:
    """A measure without rows and curves has no chart of any kind, and breaks none."""
    assert draw(make_measured("empty", chart=kind), WORDS) is None


@pytest.mark.parametrize("kind", [kind for kind in ChartKind if kind not in {ChartKind.NONE, ChartKind.CURVES}])
@pytest.mark.parametrize(
    "figures",
    [
        {"x": Figure(unit=Unit.SHARE, value=None, n=0)},
        {"x": make_count(0)},
        {"x": make_money(-3)},
        {"x": Figure(unit=Unit.SHARE, value=1.4, n=3)},
        {},
    ],
)
def test_odd_figures_stay_inside_the_frame(kind: ChartKind, figures: dict[str, Any]) -> None:
    """Nothing, less than nothing, more than all, and no figure at all are drawn within the chart."""
    rows = (make_row("a", **figures), make_row("b", x=make_count(2)))
    body = str(drawn(make_measured("odd", *rows, chart=kind, charted=("x",))).body)

    assert "nan" not in body
    for at in Page(body).all("rect"):
        start, width = float(at.get("x") or 0), float(at["width"] or 0)
        assert start >= -0.01
        assert width >= 0
        assert start + width <= 100.01


def _monthly(*owners: str) -> Measured:
    """Make a win rate of each owner in two months."""
    rows = [
        Row(label=f"{owner} · {month}", figures={"win_rate": make_share(number, 10)}, segment=owner, period=month)
        for owner in owners
        for number, month in enumerate(("2026-05", "2026-04"), 3)
    ]
    return make_measured("win_rate", *rows)


@pytest.mark.parametrize(
    ("periods", "places"),
    [
        (("2025-11", "2025-12", "2026-02"), (6, 37, 99)),
        (("2025-Q3", "2025-Q4", "2026-Q2"), (6, 37, 99)),
        (("2023", "2024", "2026"), (6, 37, 99)),
        (("2026-01", "2026-02", "2026-03"), (6, 52.5, 99)),
        (("early", "late", "never"), (6, 52.5, 99)),
    ],
)
def test_equal_widths_are_equal_times(periods: tuple[str, ...], places: tuple[float, ...]) -> None:
    """A period in which nothing happened keeps its place in a line, which breaks there, as does its band."""
    rows = [
        Row(label=each, figures={"won": make_share(6, 9)}, period=each if each[0] == "2" else None) for each in periods
    ]

    drawing = drawn(make_measured("win_rate", *rows, chart=ChartKind.LINES))

    page = Page(str(drawing.body))
    assert list(places) == [float((at["cx"] or "").rstrip("%")) for at in page.all("circle", class_="spot")]
    count = 2 if 37 in places else 3
    shapes = [len((at["points"] or "").split()) for kind in ("polygon", "polyline") for at in page.all(kind)]
    assert [2 * count, count] == shapes


def test_lines_are_told_apart_without_colours() -> None:
    """Each has strokes of its own, which its legend shows, and a point says whose it is."""
    rows = [make_row(f"2026-0{month}", won=make_count(month), lost=make_count(9 - month)) for month in (1, 2)]

    drawing = drawn(make_measured("cohorts", *rows, chart=ChartKind.LINES))

    assert ["l-good", "l-late"] == [key.look for key in drawing.keys]
    assert ["Won, 2026-01: 1", "Won, 2026-02: 2", "Lost, 2026-01: 8", "Lost, 2026-02: 7"] == re.findall(
        "(?:Won|Lost), 2026-0[12]: [0-9]", str(drawing.body)
    )


def test_few_series_over_periods_are_lines() -> None:
    """Each owner is a line, and the periods stand in their order."""
    body = str(drawn(_monthly("Ana", "Bo")).body)

    assert 2 == len(re.findall("<polyline", body))
    assert ["2026-04", "2026-05"] == re.findall(r">(2026-\d\d)</text>", body)


def test_many_series_over_periods_are_a_heat_map_with_a_table() -> None:
    """Nobody follows six lines at once; the table of all figures stands beside."""
    drawing = drawn(_monthly(*"ABCDEF"))

    assert ["2026-04", "2026-05"] == re.findall(r'scope="col">(2026-\d\d)', str(drawing.body))
    assert not drawing.is_table


def test_stages_by_segment_show_the_share_that_says_most() -> None:
    """A funnel by owner becomes stages by owners, in which each cell is the conversion."""
    rows = [
        Row(
            label=f"Proposal · {owner}",
            figures={"entered": make_count(9), "conversion": make_share(6, 8)},
            stage="proposal",
            segment=owner,
        )
        for owner in ("Bo", "Ana")
    ]
    body = str(drawn(make_measured("m", *rows, chart=ChartKind.FUNNEL, charted=("entered",))).body)

    assert ["Ana", "Bo"] == re.findall(r'scope="col">(Ana|Bo)', body)
    assert ["Proposal"] == re.findall(r'scope="row">([^<]*)', body)
    assert 2 == body.count("75%")


def test_many_segments_go_down_and_the_stages_across() -> None:
    """Thirty owners beside each other would leave the screen; the stages keep their order."""
    rows = [
        Row(label=f"{stage} · {owner}", figures={"conversion": make_share(6, 8)}, stage=stage, segment=owner)
        for stage in ("Proposal", "Closing")
        for owner in "IHGFEDCBA"
    ]
    body = str(drawn(make_measured("m", *rows)).body)

    assert ["Proposal", "Closing"] == re.findall(r'scope="col">([^<]*)', body)
    assert list("ABCDEFGHI") == re.findall(r'scope="row">([^<]*)', body)
