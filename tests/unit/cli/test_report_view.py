"""A report at a terminal: aligned, with bars, and inert."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.cli import report_view
from crmbridge.cli.output import Line, Screen, Tinted, Tone, width
from crmbridge.cli.report_view import bar, report_lines, shortened, spark
from crmbridge.model.figures import ChartKind, Scorecard
from crmbridge.report import render
from crmbridge.testing.figures import make_count, make_curve, make_measured, make_row, make_scorecard, make_share


def lines(card: Scorecard) -> list[Line]:
    """Give the lines of a report."""
    return list(report_lines(render(card, {"applied": 2}, "Weekly"), "en"))


def texts(card: Scorecard) -> list[str]:
    """Give them as text without colours."""
    return ["".join(part if isinstance(part, str) else part.text for part in _parts(line)) for line in lines(card)]


def _parts(line: Line) -> list[str | Tinted]:
    return [line] if isinstance(line, str | Tinted) else list(line)


def test_report_leads_with_attention_and_targets() -> None:
    """What needs attention comes first, then the indicators with target and trend, then each measure."""
    shown = "\n".join(texts(make_scorecard()))

    assert shown.index("What needs attention") < shown.index("Indicators") < shown.index("Stage conversion")
    assert "Deals won  22%  ≥ 25%   ✗ missed        ▁▄█▁   9 of 40" in shown or "▁" in shown
    assert "What this run did" in shown


def test_met_and_missed_have_their_colours() -> None:
    """A missed target is red; its words say so, too."""
    parts = [part for line in lines(make_scorecard()) for part in _parts(line) if isinstance(part, Tinted)]

    assert Tinted("✗ missed", Tone.BAD) in parts


def test_bars_are_as_long_as_their_share() -> None:
    """A bar is exact to an eighth of a column, and what is more than nothing is seen."""
    assert ["", "▏", "██████████", "█" * 20] == [bar(share) for share in (0, 0.0001, 0.5, 1)]
    assert "█████▏" == bar(0.256)


def test_rows_of_groups_and_periods_can_be_told_apart() -> None:
    """What differs stands at the end of a label, which is not cut."""
    labels = [f"Qualification · Tereza Moreau · 2026-{month:02}" for month in (10, 11)]
    rows = tuple(make_row(label, x=make_share(1, 2)) for label in labels)
    shown = "\n".join(texts(make_scorecard(make_measured("win_rate", *rows))))

    assert all(label in shown for label in labels)


@pytest.mark.parametrize("owner", ["Luis Kowal", "Maximiliane-Alexandra von Hohenstein-Wittelsbach", "王" * 30])
def test_narrow_terminals_show_the_month(monkeypatch: pytest.MonkeyPatch, owner: str) -> None:
    """At 80 columns a long name hides neither month nor stage, and the first figure stays beside its bar."""
    monkeypatch.setattr(report_view, "screen_width", lambda: 80)
    monkeypatch.setattr("crmbridge.cli.output.screen_width", lambda: 80)
    labels = [f"Prospecting · First touch · {owner} · 2026-{month:02}" for month in (10, 11)]
    rows = tuple(make_row(label, x=make_share(2, 2)) for label in labels)
    shown = texts(make_scorecard(make_measured("sla_attainment", *rows)))

    found = [text for text in shown if text.strip().startswith("Prosp")]
    assert all(width(text) <= 80 for text in found)
    assert ["2026-10", "2026-11"] == [text.split(" · ")[3].split()[0] for text in found]
    assert all(f"100%  {'█' * 20}" in text and owner[:5] in text for text in found)


@given(st.lists(st.text("ab王… ·", max_size=30), max_size=3), st.integers(28, 90))
def test_shortened_labels_fit_and_keep_their_period(parts: list[str], columns: int) -> None:
    """A label is at most as wide as its column, of up to four parts, and one that fits is as it was."""
    label = " · ".join([*(part.replace("·", "-") for part in parts), "2026-Q4"])
    short = shortened(label, columns)

    assert width(short) <= columns
    assert short.endswith("2026-Q4")
    assert short == label or width(label) > columns


def test_sparks_have_a_character_a_period() -> None:
    """The least is lowest and the most highest; a period without a figure leaves a gap."""
    assert ["▁█", "▁ █", ""] == [spark([1, 2]), spark([1, None, 5]), spark([3])]


def test_stacked_rows_have_the_bar_of_their_sum() -> None:
    """The longest bar belongs to the owner with most findings, of whatever severity."""
    rows = (
        make_row("Ana", errors=make_count(3), warnings=make_count(1)),
        make_row("Bo", errors=make_count(1), warnings=make_count(7)),
    )
    found = texts(make_scorecard(make_measured("open_findings", *rows, chart=ChartKind.STACKED)))

    assert ["█" * 10, "█" * 20] == [
        next(t for t in found if t.strip().startswith(name)).split()[-1] for name in ("Ana", "Bo")
    ]


@pytest.mark.parametrize("columns", [80, 120])
def test_lines_fit_the_terminal(monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """At 80 and at 120 columns no line is longer than the terminal is wide; what is left out is named."""
    monkeypatch.setattr(os, "environ", {**os.environ, "COLUMNS": str(columns)})
    monkeypatch.setattr(report_view, "screen_width", lambda: columns)
    monkeypatch.setattr("crmbridge.cli.output.screen_width", lambda: columns)
    figures = {f"a_rather_long_column_{number}": make_share(10, 40) for number in range(9)}
    shown = texts(make_scorecard(make_measured("many", make_row("Qualification and diagnosis", **figures))))

    assert [] == [text for text in shown if width(text) > columns]
    assert any(text.strip().startswith("Not shown for want of width: ") for text in shown)


def test_curves_are_a_table() -> None:
    """Where no curve can be drawn, the table says when half is over."""
    curve = make_measured("survival", chart=ChartKind.CURVES, curves=(make_curve("Proposal", 0.8, 0.4),))

    assert any("Proposal  40     32            10.0 days" in text for text in texts(make_scorecard(curve)))


def test_hostile_names_drive_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """No escape, no clipboard write, no turned direction comes out."""
    import sys  # noqa: PLC0415  the stream of this test

    name = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\u202eevil\r\nforged"
    card = make_scorecard(make_measured("m", make_row(name, x=make_count(1))), process=name)
    Screen(sys.stdout, colour=True).show(lines(card))

    said = capsys.readouterr().out
    assert "evil" in said
    assert not {"\x1b", "\x07", "\u202e", "\r"} & set(said)


def test_a_bar_beside_a_share_stands_for_that_share() -> None:
    """Parts of a cohort are all of it, however few were won: the bar is as long as the number beside it says."""
    counts = {"won": make_count(10), "lost": make_count(12), "open": make_count(18)}
    row = make_row("All deals", win_rate=make_share(10, 40), **counts)
    measured = make_measured("cohorts", row, chart=ChartKind.STACKED, charted=("won", "lost", "open"))
    found = next(text for text in texts(make_scorecard(measured)) if text.strip().startswith("All deals"))

    assert ["25%", "10", "12", "18", "█" * 5] == found.split()[2:]
