"""A rendered report is one quiet page that says what it counts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmbridge.indicators.targets import is_met, read_target
from crmbridge.model.figures import ChartKind, Coverage, Figure, Measured, Row, Scorecard, Unit
from crmbridge.model.process import Measure
from crmbridge.model.replacing import replace
from crmbridge.report import render
from crmbridge.report.wording import against_target, target, value
from crmbridge.report.words import words_of
from crmbridge.testing.factories import NOON
from crmbridge.testing.figures import (
    make_count,
    make_curve,
    make_days,
    make_indicator_figure,
    make_measured,
    make_money,
    make_row,
    make_scorecard,
    make_share,
)
from crmbridge.testing.pages import Page, assert_quiet

HOSTILE = (
    "<script>alert(1)</script> \"' onload=x <img src=http://evil.example/x> {{ 7*7 }} \u202egnp.exe\x1b[2J"
    "\x1b]52;c;ZXZpbA==\x07 <!channel> javascript:alert(1) =HYPERLINK(1)"
)


def hostile_card(text: str) -> Scorecard:
    """Make a scorecard that has a text wherever one can stand, in each kind of chart."""
    kinds = [ChartKind.FUNNEL, ChartKind.BARS, ChartKind.STACKED, ChartKind.LINES, ChartKind.HEAT, ChartKind.NONE]
    rows = [
        Row(label=text, figures={text: make_count(5), "b": make_share(2, 5)}, stage=text, segment=text, period=text)
    ] * 3
    measures = [
        make_measured(
            text, *rows, name=text, definition=text, rows_are=text, chart=kind, charted=(text, "b"), cautions=(text,)
        )
        for kind in kinds
    ]
    measures.append(make_measured(text, chart=ChartKind.CURVES, curves=(make_curve(text, stage=text),), name=text))
    money = Figure(unit=Unit.MONEY, value=5, n=3, currency=text)
    made = make_indicator_figure(
        name=text, stage=text, why=text, target=text, comparable=False, definition=text, figure=money
    )
    return make_scorecard(*measures, process=text, indicators=(made,), currency=text)


def text_of(card: Scorecard, **options: Any) -> str:
    return assert_quiet(render(card, None, "Weekly", **options).html).text


def test_page_asks_nobody() -> None:
    """The page has no script and no outside reference, and its policy allows its own style sheet only."""
    html = render(make_scorecard(), {"applied": 2}, "Weekly").html

    assert_quiet(html)
    assert "<script" not in html
    assert not re.search(r"https?://|url\(|@import", html)
    style = re.search(r"<style>(.*)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in html


def test_page_leads_with_what_needs_attention() -> None:
    """The first section names missed targets, open findings, breached SLAs and the weakest stage; figures follow."""
    text = text_of(make_scorecard())

    assert text.index("What needs attention") < text.index("Indicators") < text.index("Stage conversion")
    assert "1 of 1 Targets missed Deals won" in text
    assert "8 Open findings Errors: 3, warnings: 4" in text
    assert "3 SLAs breached now 2 more at risk; most breached: Qualification" in text
    assert "67% Weakest conversion: Qualification 60 of 90 that left it went on" in text


def test_numbers_stand_with_definition_denominator_and_target() -> None:
    """Beside each number stand what it means, what it was counted from, its interval and its target."""
    document = render(make_scorecard(), None, "Weekly")
    text = Page(document.html).text

    assert "Deals won 22% ✗ missed Target ≥ 25%" in text
    assert "9 of 40 · 12% – 38% Won of closed." in text  # noqa: RUF001  a range
    assert "As of 2026-06-10 12:00 UTC" in text
    assert "Deals 120 Open 80 Won 9 Lost 31 History for 118 of 120, back to 2026-03-12." in text
    assert "| Deals won | 22% | ≥ 25% | ✗ missed | 9 of 40 |" in document.markdown
    assert "120 deals: 80 open, 9 won, 31 lost. History for 118 of 120" in document.markdown


def test_what_rounds_to_its_target_and_misses_it_says_so() -> None:
    """85% against at least 85% would read as a fault of the report."""
    each = make_indicator_figure(measure="win_rate", figure=make_share(9, 40), target="25%", met=False, comparable=True)
    missed = replace(each, figure=replace(each.figure, value=0.2496))

    assert ("25%", "≥ 25%") == (value(missed.figure, words_of("en")), target(missed, words_of("en")))
    assert "✗ just missed" == against_target(missed, words_of("en")).text
    assert "✗ missed" == against_target(each, words_of("en")).text


@pytest.mark.parametrize(
    ("measure", "figure", "target", "met", "shown"),
    [
        ("aging", make_share(3, 46), "15%", True, "≤ 15%"),
        ("rework", make_share(3, 10), "15%", False, "≤ 15%"),
        ("win_rate", make_share(3, 10), "15%", True, "≥ 15%"),
        ("activities", make_count(9), "5", True, "≥ 5"),
        ("open_findings", make_count(9), "5", False, "≤ 5"),
        ("time_in_stage", make_days(4.2), "1d", False, "≤ 1 day"),
        ("time_in_stage", make_days(4.2), "5d", True, "≤ 5 days"),
    ],
)
def test_target_points_the_way_it_is_judged(measure: str, figure: Figure, target: str, met: bool, shown: str) -> None:  # noqa: FBT001  a parameter of the test
    """Nobody reads that 7 % meets a target of at least 15 %."""
    assert met is is_met(figure, read_target(target), Measure(measure))
    made = make_indicator_figure(measure=measure, figure=figure, target=target, met=met, comparable=True)
    document = render(make_scorecard(indicators=(made,)), None, "Weekly")

    assert f"| {shown} |" in document.markdown


def test_every_chart_is_an_image_with_words_and_a_table() -> None:
    """Each chart is an image that says its figures, and beside it stands a table with the same."""
    page = Page(render(make_scorecard(), None, "Weekly").html)

    bars = [at for tag, at in page.elements if tag == "div" and (at.get("class") or "").startswith("bars")]
    assert 5 == len(bars)
    assert {"img"} == {at.get("role") for at in bars}
    assert "Stage conversion. Qualification: 100" == bars[0]["aria-label"]
    assert len(bars) + 1 == len(page.all("table", class_="data"))


def test_a_long_table_is_scrolled_and_not_taken_apart() -> None:
    """To put each cell below its label on a telephone would take half of the page's size."""
    rows = [make_row(f"Owner {n}", won=make_count(n)) for n in range(30)]
    long, short = (
        Page(render(make_scorecard(make_measured("own", *some)), None, "Weekly").html) for some in (rows, rows[:10])
    )

    assert 1 == len(long.all("table", class_="data long"))
    assert {("scroll", "0", "group")} == {
        (at["class"], at.get("tabindex"), at.get("role")) for at in long.all("div", class_="scroll")
    }
    assert [] == short.all("table", class_="data long")
    assert len(long.all("td")) == len(rows) + len(long.all("td", role="cell"))
    assert len(short.all("td")) == len(short.all("td", role="cell"))


def by_month(*, size: int) -> Measured:
    """Make figures of as many owners in two months each, as a report by owner and month has them."""
    rows = [
        Row(
            label=f"Proposal · {owner} · {month}",
            figures={"won": make_count(number)},
            stage="proposal",
            segment=owner,
            period=month,
        )
        for month in ("2026-04", "2026-05")
        for number, owner in enumerate(f"Owner {n}" for n in range(size))
    ]
    return make_measured("own", *rows, name="Own")


@pytest.mark.parametrize("size", [3, 20])
def test_what_rows_have_in_common_is_said_once_above_them(size: int) -> None:
    """The months of an owner stand together under the owner's name, in whatever order the rows came."""
    html = render(make_scorecard(by_month(size=size)), None, "Weekly").html
    tables = re.findall(r'<table class="data.*?</table>', html, re.DOTALL)
    (table,) = [each for each in tables if "<caption>Own</caption>" in each]
    found = re.findall(r"<th[^>]*>([^<\n]+)", table.split("<tbody", 1)[1])

    assert ["Proposal · Owner 0", "2026-04", "2026-05", "Proposal · Owner 1", "2026-04", "2026-05"] == found[:6]
    assert size == table.count('scope="rowgroup"')
    assert size == table.count("<tbody")


def test_rows_of_which_few_begin_alike_keep_their_names() -> None:
    """A heading for each row would be longer than what it saves; Markdown's tables have whole names always."""
    rows = [make_row(f"Owner {n}", won=make_count(n)) for n in range(30)]
    plain = render(make_scorecard(make_measured("own", *rows)), None, "Weekly")

    assert 'scope="rowgroup"' not in plain.html
    assert "Proposal · Owner 0 · 2026-04" in render(make_scorecard(by_month(size=3)), None, "Weekly").markdown


def test_links_lead_to_sections_of_the_page() -> None:
    """What the contents and the cards link to is there, once."""
    page = Page(render(make_scorecard(), None, "Weekly").html)

    names = [at["id"] for _, at in page.elements if "id" in at]
    assert len(names) == len(set(names))
    links = {(at["href"] or "")[1:] for at in page.all("a")}
    assert {"attention", "indicators", "stage-conversion", "open-findings"} <= links <= set(names)


def test_short_report_has_no_contents() -> None:
    """Contents are for reports that are longer than a screen."""
    assert not Page(render(make_scorecard(make_measured("a", make_row(x=make_count(1)))), None, "W").html).all("nav")


def test_run_section_shows_the_counts_it_knows() -> None:
    """What a run did is shown as counts; anything else in its summary is left out."""
    done = {"applied": 5, "unknown": 1, "error": "token=abc", "planned": True}
    document = render(make_scorecard(), done, "Weekly")

    assert "What this run did What Number Changes applied 5 Unclear; being read back 1" in Page(document.html).text
    assert {"applied": 5, "unknown": 1} == document.facts["run"]
    assert "token" not in document.html + document.markdown + json.dumps(document.facts)


def test_small_numbers_are_marked() -> None:
    """A rate of few cases is marked as a hint, and no stage is called weakest because of it."""
    few = make_measured("stage_conversion", make_row(conversion=make_share(0, 3)))
    text = text_of(make_scorecard(few))

    assert "0% 0 of 3 small n" in text
    assert "small n: fewer than 10 cases" in text
    assert "Weakest" not in text


def test_counts_are_never_called_a_small_sample() -> None:
    """Five open findings are five; no sample stands behind them."""
    assert "small n" not in text_of(make_scorecard(make_measured("open_findings", make_row(errors=make_count(5)))))


def test_state_without_deals_says_so() -> None:
    """With nothing evaluated the report says that there is nothing to count, and shows no zeros."""
    nothing = Coverage(deals=0, open=0, won=0, lost=0, with_history=0, since=None)
    document = render(make_scorecard(coverage=nothing), None, "Weekly")

    text = assert_quiet(document.html).text
    assert "No data No deal has been evaluated yet" in text
    assert "Stage conversion" not in text
    assert "History for" not in text + document.markdown
    assert "No data. No deal has been evaluated yet" in document.facts["summary"][1]


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"target": None, "met": None, "comparable": False}, "Deals won 22% Trend"),
        ({"target": "10bd", "met": None, "comparable": False}, "not comparable Target 10bd"),
        ({"figure": make_share(0, 0), "met": None}, "No data Target ≥ 25%"),
        ({"figure": make_share(9, 40), "met": True}, "✓ met Target ≥ 25%"),
        ({"figure": make_share(9, 40), "met": True, "near": True}, "✓ met, but close Target ≥ 25%"),
        ({"figure": make_count(3), "target": "0"}, "3 ✗ missed Target 0"),
        ({"figure": make_count(3), "target": "5"}, "3 ✗ missed Target ≤ 5"),
        ({"figure": make_money(1234567), "target": "2000000"}, "€1,234,567 ✗ missed Target ≥ €2,000,000"),
        (
            {"measure": "pipeline_coverage", "figure": Figure(unit=Unit.RATIO, value=3.24, n=12), "target": "3"},
            "3.2× ✗ missed Target ≥ 3×",  # noqa: RUF001
        ),
    ],
)
def test_targets_read_differently(overrides: dict[str, Any], expected: str) -> None:
    """No target, a target of another kind, no data and a met target read differently."""
    made = make_indicator_figure(**overrides)
    text = text_of(make_scorecard(indicators=(made,)))

    assert expected.removesuffix(" Trend") in text


@pytest.mark.parametrize(
    ("figure", "language", "expected"),
    [
        (make_days(4), "en", "4.0 <small>days</small>"),
        (make_days(4), "zh", "4.0 <small>天</small>"),
        (make_money(1500), "en", "€1,500</span>"),
        (make_money(1500, currency="CHF"), "pt", "CHF\u00a01.500</span>"),
        (make_share(1, 4), "en", "25%</span>"),
        (make_share(0, 0), "en", "No data</span>"),
    ],
)
def test_tiles_write_the_number_large_and_its_unit_small(figure: Figure, language: str, expected: str) -> None:
    """Three long words would push the number aside."""
    card = make_scorecard(indicators=(make_indicator_figure(figure=figure),))

    assert f'<span class="value">{expected}' in render(card, None, "Weekly", language).html


def test_hostile_text_is_inert_in_every_form() -> None:
    """Markup, links, templates, direction and control characters in names are shown as text or not at all."""
    document = render(hostile_card(HOSTILE), None, HOSTILE)

    page = assert_quiet(document.html)
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    every = document.html + document.markdown + json.dumps(document.facts, ensure_ascii=False)
    assert not re.search("[\u202e\x1b\x07]", every)
    assert not re.search(r"<(script|img|!channel)", document.html)
    assert not re.search(r"(?<!\\)<|[^\\]://", document.markdown)
    assert not re.search(r"(?<!\\)\]\(", document.markdown)


def test_endless_text_is_cut() -> None:
    """A name of 65,000 characters, as a CRM may hold, does not make an endless page."""
    document = render(hostile_card("x" * 65_000), None, "y" * 65_000)

    assert_quiet(document.html)
    assert "x" * 1001 not in document.html + document.markdown + json.dumps(document.facts)
    assert len(document.title) <= 200


def test_markdown_table_survives_hostile_names() -> None:
    """A name with bars, line breaks and links stays one cell."""
    name = "a|b\n| c [x](http://evil.example) www.evil.example"
    row = make_row(name, errors=make_count(1), deals=make_count(2))
    markdown = render(make_scorecard(make_measured("open_findings", row)), None, "Weekly").markdown

    (line,) = [line for line in markdown.splitlines() if "evil" in line]
    assert 4 == len(re.findall(r"(?<!\\)\|", line))
    assert r"\[x\](http\://evil.example) www\.evil" in line


@settings(max_examples=25, deadline=None)
@given(name=st.text(max_size=80))
def test_any_name_makes_a_well_formed_page(name: str) -> None:
    """Whatever characters a name has, the page stays well-formed and quiet, and can be stored as UTF-8."""
    document = render(hostile_card(name), None, name)

    assert_quiet(document.html)
    assert document.html.encode()
    assert document.markdown.encode()


@pytest.mark.parametrize(
    ("language", "lang", "word", "number", "money"),
    [
        ("en", "en", "What needs attention", "4.2 days", "€1,234,567"),
        ("pt", "pt-BR", "O que pede atenção", "4,2 dias", "€\u00a01.234.567"),
        ("zh", "zh-Hans", "需要关注", "4.2 天", "€1,234,567"),
        ("xx", "en", "What needs attention", "4.2 days", "€1,234,567"),
    ],
)
def test_report_speaks_the_language(language: str, lang: str, word: str, number: str, money: str) -> None:
    """The report's own words and numbers are in the language asked for, else in English."""
    rows = make_row(median=make_days(4.2), amount=make_money(1234567))
    html = render(make_scorecard(make_measured("time_in_stage", rows)), None, "Weekly", language).html

    assert f'<html lang="{lang}">' in html
    for expected in (word, number, money):
        assert expected in html


def test_catalogue_is_complete() -> None:
    """Every word is there in three languages, with the same values to fill in."""
    catalogue = tomllib.loads(files("crmbridge.report").joinpath("words.toml").read_text("utf-8"))

    for key, texts in catalogue.items():
        assert {"en", "pt", "zh"} == texts.keys(), key
        assert 1 == len({frozenset(re.findall(r"\{\w+\}", text)) for text in texts.values()}), key


def test_catalogue_has_no_word_that_nobody_says() -> None:
    """Every word of the catalogue is asked for somewhere in the report or its terminal view."""
    catalogue = tomllib.loads(files("crmbridge.report").joinpath("words.toml").read_text("utf-8"))
    source = Path(str(files("crmbridge.report")))
    texts = [path.read_text("utf-8") for path in source.rglob("*") if path.suffix in {".py", ".j2"}]
    said = "".join([*texts, (source.parent / "cli" / "report_view.py").read_text("utf-8")])

    made_up = ("unit_", "run_", "group_", "count_")
    asked = {key.removesuffix("_one") for key in catalogue if not key.startswith(made_up)}
    assert [] == [key for key in sorted(asked) if not re.search(rf"[\"']{key}[\"']", said)]


def test_facts_are_plain_json_with_every_figure() -> None:
    """The facts can be written as JSON and hold the same figures, by name."""
    facts = json.loads(json.dumps(render(make_scorecard(), None, "Weekly").facts))

    assert ["form", "process", "as_of"] == [key for key in facts if key in {"form", "process", "as_of"}]
    assert "2026-06-10T12:00:00Z" == facts["as_of"]
    win_rate = facts["measures"][1]
    assert "win_rate" == win_rate["id"]
    assert [0.225, 9, 40] == [win_rate["headline"][part] for part in ("value", "numerator", "denominator")]
    assert {"low", "high"} == win_rate["headline"]["interval"].keys()
    assert win_rate["headline"] == win_rate["rows"][0]["figures"]["win_rate"]
    assert "2026-03" == facts["indicators"][0]["trend"][0]["period"]


def test_one_row_and_one_deal_are_no_rows_and_deals() -> None:
    """The sentence is that of one."""
    rows = [make_row(f"Owner {number}", errors=make_count(number)) for number in range(101)]
    card = make_scorecard(make_measured("open_findings", *rows))
    one = replace(card, coverage=replace(card.coverage, deals=1, open=1, won=0, lost=0, with_history=1))
    document = render(one, None, "Weekly")

    assert "1 more row is in the CSV and JSON forms." in Page(document.html).text
    assert "1 deal: 1 open, 0 won, 0 lost." in document.markdown


def test_long_tables_say_what_they_leave_out() -> None:
    """A table of a thousand owners shows the first and says how many more there are; the facts have all."""
    rows = [make_row(f"Owner {number}", errors=make_count(number)) for number in range(1000)]
    document = render(make_scorecard(make_measured("open_findings", *rows)), None, "Weekly")

    assert "900 more rows are in the CSV and JSON forms." in Page(document.html).text
    assert 1000 == len(document.facts["measures"][0]["rows"])


def test_document_is_named_and_has_what_it_was_made_from() -> None:
    """A document carries the name it is stored under, and its scorecard."""
    document = render(make_scorecard(), None, "Weekly", name="weekly")

    assert "weekly" == document.name
    assert make_scorecard() == document.scorecard
    assert NOON == document.scorecard.as_of
