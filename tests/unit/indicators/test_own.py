"""A team's own indicators: an SQL file beside the process, and what a plugin offers."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from crmbridge.errors import ConfigurationError
from crmbridge.hookspecs import hookimpl
from crmbridge.indicators import Options, Period, compute
from crmbridge.indicators.own import OwnMeasure, definition_of
from crmbridge.model.figures import IndicatorFigure, Measured, Unit
from crmbridge.model.findings import Evaluation, Place
from crmbridge.model.process import Process
from crmbridge.model.records import Status
from crmbridge.model.replacing import replace
from crmbridge.plugins import IndicatorSpec
from crmbridge.services.reports.measuring import indicator_options
from crmbridge.testing.factories import NOON, make_evaluation, make_process, make_ref, make_visit
from crmbridge.testing.workspaces import make_bench

SaveState = Callable[..., str]
SHARE = "SELECT count(*) FILTER (WHERE status = 'won') AS numerator, count(*) AS denominator FROM deals"


def closed(number: int, status: Status) -> Evaluation:
    """Evaluate a deal that is closed."""
    place = Place("care" if status is Status.WON else None, status)
    visit = make_visit(deal=make_ref(number), left_at=NOON - timedelta(days=1), to=place)
    return make_evaluation(deal=make_ref(number), visits=(visit,), place=place)


def own(sql: str, unit: Unit = Unit.COUNT) -> OwnMeasure:
    """Make a measure of one's own."""
    return OwnMeasure(id="mine", name="Mine", definition="What I count.", unit=unit, sql=sql, place="indicators/my.sql")


def process(target: str | None = None, unit: str = "share") -> Process:
    """Make a process with an indicator of one's own."""
    entry = {"id": "mine", "name": "Mine", "measure": "sql", "sql": "indicators/my.sql", "unit": unit, "target": target}
    return make_process(indicators=[entry])


def counted(
    save_state: SaveState, sql: str, unit: Unit = Unit.SHARE, target: str | None = None
) -> tuple[IndicatorFigure, Measured]:
    """Compute it over a won and three lost deals."""
    url = save_state(*(closed(n, Status.WON if n == 1 else Status.LOST) for n in range(1, 5)))
    card = compute(url, process(target, unit.value), NOON, Options(own=(own(sql, unit),)))
    found = card.measure("mine")
    assert found is not None
    return card.indicators[0], found


def test_a_share_has_its_parts_and_interval(save_state: SaveState) -> None:
    """What is counted out of what makes a share like ours, held against its target."""
    indicator, measured = counted(save_state, SHARE, target="25%")

    figure = indicator.figure
    assert (0.25, 4, 1, 4) == (figure.value, figure.n, figure.numerator, figure.denominator)
    assert figure.interval is not None
    assert (True, True, "What I count.") == (indicator.met, indicator.comparable, indicator.definition)
    assert figure == measured.headline


@pytest.mark.parametrize(("numerator", "value"), [("6", 1.2), ("-1", -0.2)])
def test_what_is_no_part_of_the_other_is_divided_and_has_no_interval(
    save_state: SaveState, numerator: str, value: float
) -> None:
    """As six of a quota of five are."""
    figure = counted(save_state, f"SELECT {numerator} AS numerator, 5 AS denominator")[0].figure

    assert (value, 5, None) == (figure.value, figure.n, figure.interval)


@pytest.mark.parametrize(
    ("unit", "value", "target", "met"),
    [
        (Unit.MONEY, "250000.5", "250000", True),
        (Unit.MONEY, "249999", "250000", False),
        (Unit.COUNT, "4", "5", True),
        (Unit.COUNT, "6", "5", False),
        (Unit.DAYS, "3.5", "4d", True),
        (Unit.SHARE, "0.2", "30%", False),
        (Unit.MONEY, "NULL", "5", None),
    ],
)
def test_amounts_and_shares_reach_a_target_others_stay_within(
    save_state: SaveState, unit: Unit, value: str, target: str, *, met: bool | None
) -> None:
    """By the unit that the file names; without a value there is no saying."""
    indicator, _ = counted(save_state, f"SELECT {value} AS value", unit, target)

    assert (met, True) == (indicator.met, indicator.comparable)


@pytest.mark.parametrize(("value", "near"), [("250000", True), ("300000", False), ("100", False), ("NULL", None)])
def test_a_warning_comes_before_a_target_is_missed(save_state: SaveState, value: str, near: bool | None) -> None:  # noqa: FBT001  a parameter of the test
    """A number of one's own that is met and no more than that is near its target, as ours are."""
    url = save_state(closed(1, Status.WON))
    entry = {
        "id": "mine",
        "name": "Mine",
        "measure": "sql",
        "sql": "indicators/my.sql",
        "unit": "money",
        "target": "200000",
        "warn": "280000",
    }
    options = Options(own=(own(f"SELECT {value} AS value", Unit.MONEY),))

    indicator = compute(url, make_process(indicators=[entry]), NOON, options).indicators[0]

    assert ("280000", near) == (indicator.warn, indicator.near)


CUT = """
    SELECT coalesce(segment, 'none') AS segment, period_of(closed_at) AS period, count(*) AS value
    FROM deals
    GROUP BY GROUPING SETS ((), (1), (2), (1, 2))
"""


@pytest.mark.parametrize(
    ("cut", "rows"),
    [
        ({}, []),
        ({"segment": "connection"}, [("north", "north", None, 4.0)]),
        ({"period": Period.QUARTER}, [("2026-Q2", None, "2026-Q2", 4.0)]),
        ({"segment": "connection", "period": Period.YEAR}, [("north · 2026", "north", "2026", 4.0)]),
    ],
)
def test_rows_follow_the_cut_of_the_report(
    save_state: SaveState, cut: dict[str, Any], rows: list[tuple[str, str | None, str | None, float]]
) -> None:
    """Rows that have a segment or a period and no label are shown where the report is cut so; the total is not."""
    url = save_state(*(closed(n, Status.WON) for n in range(1, 5)))

    card = compute(url, process(unit="count"), NOON, Options(own=(own(CUT),), **cut))

    found = card.measure("mine")
    assert found is not None
    assert rows == [(row.label, row.segment, row.period, row.figures["value"].value) for row in found.rows]
    assert 4.0 == card.indicators[0].figure.value


def test_a_measure_by_period_has_a_trend(save_state: SaveState) -> None:
    """Rows by period alone are the indicator's trend over the whole periods before now, in the report's time zone."""
    days = {1: 1, 2: 12, 3: 13, 4: 50, 5: 500}  # NOON is the tenth of June: the first is of now, the last too old
    visits = {
        n: make_visit(deal=make_ref(n), left_at=NOON - timedelta(days=ago), entered_at=NOON - timedelta(days=600))
        for n, ago in days.items()
    }
    won = Place("care", Status.WON)
    url = save_state(
        *(make_evaluation(deal=make_ref(n), visits=(replace(each, to=won),), place=won) for n, each in visits.items())
    )

    (found,) = compute(url, process(unit="count"), NOON, Options(own=(own(CUT),))).indicators

    assert [("2026-04", 1.0), ("2026-05", 2.0)] == [(point.period, point.figure.value) for point in found.trend]


def test_rows_have_labels(save_state: SaveState) -> None:
    """A row per group, and the one without a label is the number of all."""
    sql = (
        "SELECT status AS label, status AS segment, count(*) AS value, count(*) AS n FROM deals "
        "GROUP BY ROLLUP (status) ORDER BY status"
    )
    indicator, measured = counted(save_state, sql, Unit.COUNT)

    assert [("lost", 3.0), ("won", 1.0)] == [(row.label, row.figures["value"].value) for row in measured.rows]
    assert 4.0 == indicator.figure.value


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("SELECT 1 AS number", "nothing is done with the column 'number'"),
        ("SELECT 'x' AS label", "there is no column value"),
        ("SELECT 'x' AS value", "str is no number"),
        ("SELECT 1 AS value FROM deals", "two rows have no label"),
        ("SELECT range AS value, range AS label FROM range(2000)", "more than 1,000 rows"),
        ("SELECT\n amout AS value FROM deals", "indicators/my.sql:2: "),
    ],
)
def test_wrong_sql_says_what_and_where(save_state: SaveState, sql: str, said: str) -> None:
    """The file is named, and what to do."""
    with pytest.raises(ConfigurationError) as caught:
        counted(save_state, sql, Unit.COUNT)

    assert caught.value.message.startswith("indicators/my.sql:")
    assert said in caught.value.message
    assert caught.value.advice


def test_the_first_comment_is_the_definition() -> None:
    """What a file's first lines say in words is printed beside its number; else the indicator's name is."""
    assert "Deals won. Of all." == definition_of("-- Deals won.\n--   Of all.\nSELECT 1 -- not this", "Mine")
    assert "Mine" == definition_of("SELECT 1", "Mine")


@pytest.mark.parametrize(
    "wrong",
    [
        {"measure": "sql"},
        {"measure": "sql", "sql": "my.sql"},
        {"measure": "win_rate", "sql": "my.sql"},
        {"measure": "win_rate", "unit": "share"},
        {"measure": "plugin"},
        {"measure": "plugin", "plugin": "x", "stage": "qualification"},
        {"measure": "sql", "sql": "my.sql", "unit": "bananas"},
    ],
)
def test_an_indicator_names_its_source(wrong: dict[str, Any]) -> None:
    """A file and a unit belong to `sql`, a name to `plugin`, and neither to the others."""
    with pytest.raises(ValidationError):
        make_process(indicators=[{"id": "mine", "name": "Mine", **wrong}])


class Offers:
    """A plugin that offers an indicator."""

    @hookimpl
    def crmbridge_indicators(self) -> list[IndicatorSpec]:
        return [
            IndicatorSpec(name="wins", title="Wins", definition="Deals won.", unit="count", sql="SELECT 3 AS value")
        ]


def test_a_plugins_indicator_is_measured_and_aimed_at(save_state: SaveState) -> None:
    """What is offered stands among the measures, and an indicator of the process can name it with a target."""
    entry = {"id": "goal", "name": "Goal", "measure": "plugin", "plugin": "wins", "target": "5"}
    bench = make_bench(process=make_process(indicators=[entry]), plugins={"offers": Offers()})

    card = compute(save_state(), bench.workspace.project.process, NOON, indicator_options(bench.workspace))

    assert (3.0, True, "Deals won.") == (
        card.indicators[0].figure.value,
        card.indicators[0].met,
        card.indicators[0].definition,
    )
    assert "Wins" == next(each.name for each in card.measures if each.id == "wins")


def test_an_indicator_that_nobody_offers_is_an_error() -> None:
    """The one that was probably meant is named."""
    entry = {"id": "goal", "name": "Goal", "measure": "plugin", "plugin": "winz"}
    bench = make_bench(process=make_process(indicators=[entry]), plugins={"offers": Offers()})

    with pytest.raises(ConfigurationError, match="No plugin offers the indicator 'winz'") as caught:
        indicator_options(bench.workspace)

    assert "Did you mean wins? Offered: wins." == caught.value.advice


def test_the_file_lies_beside_the_process(tmp_path: Path) -> None:
    """It is read from the process's folder, its comment is the definition; outside of it nothing is read."""
    folder = tmp_path / "project"
    (folder / "indicators").mkdir(parents=True)
    (folder / "indicators" / "my.sql").write_text(f"-- Won of all.\n{SHARE}", "utf-8")
    (tmp_path / "secret.sql").write_text("SELECT 1", "utf-8")
    bench = make_bench(process=process(), folder=folder)

    (found,) = indicator_options(bench.workspace).own

    assert ("mine", "Won of all.", "indicators/my.sql") == (found.id, found.definition, found.place)
    for name, said in (("../secret.sql", "lies outside"), ("none.sql", "can't be read: No such file")):
        entry = {"id": "mine", "name": "Mine", "measure": "sql", "unit": "count", "sql": name}
        wrong = make_bench(process=make_process(indicators=[entry]), folder=folder)
        with pytest.raises(ConfigurationError, match=said):
            indicator_options(wrong.workspace)


def test_rates_come_from_the_settings_or_their_file(tmp_path: Path) -> None:
    """Both ways give the same rates."""
    (tmp_path / "rates.csv").write_text("date,currency,rate\n2026-01-01,USD,0.9\n", "utf-8")
    inline = [{"date": "2026-01-01", "currency": "USD", "rate": "0.9"}]

    found = [
        indicator_options(make_bench(folder=tmp_path, currency={"report_in": "EUR", "rates": rates}).workspace).rates
        for rates in ("rates.csv", inline)
    ]

    assert found[0] is not None
    assert found[1] is not None
    assert found[0].rates == found[1].rates
    assert ("rates.csv", "crmbridge.yaml") == (found[0].source, found[1].source)
    assert None is indicator_options(make_bench().workspace).rates
