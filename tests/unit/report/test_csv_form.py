"""Every figure as a line, which no spreadsheet runs."""

from __future__ import annotations

import csv
import io

from crmbridge.model.figures import ChartKind
from crmbridge.model.replacing import replace
from crmbridge.report import csv_text
from crmbridge.testing.figures import (
    make_curve,
    make_indicator_figure,
    make_measured,
    make_money,
    make_row,
    make_scorecard,
    make_share,
)


def lines(text: str) -> list[dict[str, str]]:
    """Read a CSV back."""
    return list(csv.DictReader(io.StringIO(text)))


def test_a_figure_is_a_line_with_what_it_is_counted_from() -> None:
    """A share has its parts and its interval; money its currency; numbers have a dot and no grouping."""
    row = make_row("Ana", won=make_share(10, 40), amount=make_money(-1234567.5))
    share, money = lines(csv_text(make_scorecard(make_measured("win_rate", row), indicators=())))

    assert ["measure", "win_rate", "Ana", "won", "share"] == [
        share[key] for key in ("part", "id", "row", "column", "unit")
    ]
    assert ["0.25", "40", "10", "40", "0.2", "0.3"] == [
        share[key] for key in ("value", "n", "numerator", "denominator", "low", "high")
    ]
    assert ["-1234567.5", "EUR", ""] == [money[key] for key in ("value", "currency", "low")]


def test_indicators_have_their_target_and_their_past() -> None:
    """An indicator is a line of now and one for each earlier period."""
    *earlier, now = [line for line in lines(csv_text(make_scorecard())) if line["part"] == "indicator"]

    assert ["2026-03", "2026-04", "2026-05"] == [line["period"] for line in earlier]
    assert ["25%", "false", "0.225"] == [now[key] for key in ("target", "met", "value")]


def test_stages_are_told_by_their_ids_throughout() -> None:
    """Lines of indicators and of measures are joined by them, in whatever language the report is."""
    watched = make_indicator_figure(stage="Proposta", stage_id="proposal", trend=())
    row = replace(make_row("Proposta", won=make_share(10, 40)), stage="proposal")

    found = lines(csv_text(make_scorecard(make_measured("win_rate", row), indicators=(watched,))))

    assert ["proposal", "proposal"] == [line["stage"] for line in found]


def test_curves_are_there_step_by_step() -> None:
    """Each step of a curve says after how many days which share is left."""
    curve = make_measured("survival", chart=ChartKind.CURVES, curves=(make_curve("Proposal", 0.8),))
    found = lines(csv_text(make_scorecard(curve, indicators=())))

    assert [("after 0 d", "1"), ("after 5 d", "0.8")] == [(line["column"], line["value"]) for line in found]


def test_hostile_names_stay_one_field() -> None:
    """Quotes, commas, line breaks and control characters neither break a line nor hide in it."""
    name = '=HYPERLINK("http://evil")\r\n,"x\u202e\x1b]52;c;eA==\x07'
    (line,) = lines(csv_text(make_scorecard(make_measured("m", make_row(name, x=make_money(1))), indicators=())))

    assert line["row"].startswith("'=HYPERLINK(")
    assert not {"\n", "\r", "\x1b", "\u202e"} & set(line["row"])
    assert "1" == line["value"]


def test_indicator_names_are_inert_too() -> None:
    """A name from the process file is treated like one from a CRM."""
    card = make_scorecard(indicators=(make_indicator_figure(name="@evil"),))

    assert {"'@evil"} == {line["name"] for line in lines(csv_text(card)) if line["part"] == "indicator"}
