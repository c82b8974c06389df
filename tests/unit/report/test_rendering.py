"""A rendered report is one quiet page that says what it counts."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmbridge.indicators import Coverage, IndicatorFigure, OwnerFindings, Scorecard
from crmbridge.indicators.scorecard import share
from crmbridge.report import render
from crmbridge.testing.factories import NOON

MakeScorecard = Callable[..., Scorecard]
VOID = {"meta", "br", "rect", "link", "img", "input", "hr"}
HOSTILE = "<script>alert(1)</script> \"' onload=x <img src=http://evil.example/x> {{ 7*7 }} \u202egnp.exe\x1b[2J"


class Page(HTMLParser):
    """Reads a page strictly: every element must be closed in order. Keeps elements, attributes and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self._open or self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def attributes(self) -> set[str]:
        return {name for _, attributes in self.elements for name in attributes}


def assert_quiet(html: str) -> Page:
    """A quiet page runs nothing, asks nobody, and is well-formed."""
    page = Page(html)
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & {tag for tag, _ in page.elements}
    assert not {"src", "href", "style", "srcset", "action"} & page.attributes()
    assert not [name for name in page.attributes() if name.startswith("on")]
    return page


def test_page_asks_nobody(make_scorecard: MakeScorecard) -> None:
    """The page has no script and no outside reference, and its policy allows its own style sheet only."""
    html = render(make_scorecard(), {"applied": 2}, "Weekly").html

    assert_quiet(html)
    assert "<script" not in html
    assert not re.search(r"https?://|url\(|@import", html)
    style = re.search(r"<style>(.*)</style>", html, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'" in html


def test_page_leads_with_what_needs_attention(make_scorecard: MakeScorecard) -> None:
    """The first section names open findings, breached SLAs and the weakest stage; figures follow."""
    text = assert_quiet(render(make_scorecard(), None, "Weekly").html).text

    assert text.index("What needs attention") < text.index("Indicators") < text.index("Stage conversion")
    assert "8 Open findings 3 errors, 4 warnings; the oldest since 2026-06-02" in text
    assert "3 SLAs breached now 2 more at risk; most breached: Qualification" in text
    assert "67% Weakest conversion: Qualification 60 of 90 that left it went on" in text


def test_numbers_stand_with_definition_denominator_and_target(make_scorecard: MakeScorecard) -> None:
    """Beside each number stand what it means, what it was counted from, its interval and its target."""
    document = render(make_scorecard(), None, "Weekly")
    text = Page(document.html).text

    assert "Deals won Won of closed. 22% ≥ 25% ✗ missed 9 of 40 12% – 38%" in text  # noqa: RUF001  a range
    assert "As of 2026-06-10 12:00 UTC" in text
    assert "120 deals: 80 open, 9 won, 31 lost. History for 118 of 120, back to 2026-03-12." in text
    assert "| Deals won | 22% | ≥ 25% | ✗ missed | 9 of 40 |" in document.markdown


def test_every_chart_has_a_table(make_scorecard: MakeScorecard) -> None:
    """Charts are hidden from screen readers, and the table after each says the same."""
    page = Page(render(make_scorecard(), None, "Weekly").html)

    charts = [attributes for tag, attributes in page.elements if attributes.get("class") == "chart"]
    assert 5 == len(charts)
    assert {"true"} == {attributes.get("aria-hidden") for attributes in charts}
    assert len(charts) + 1 == sum(tag == "table" for tag, _ in page.elements)


def test_bars_stay_inside_their_track(make_scorecard: MakeScorecard) -> None:
    """No part of a bar begins before its track or ends behind it."""
    page = Page(render(make_scorecard(), None, "Weekly").html)

    bars = [at for tag, at in page.elements if tag == "rect" and at.get("x") is not None]
    assert bars
    assert all(float(at["x"] or 0) + float(at["width"] or 0) <= 100.01 for at in bars)


def test_run_section_shows_the_counts_it_knows(make_scorecard: MakeScorecard) -> None:
    """What a run did is shown as counts; anything else in its summary is left out."""
    document = render(make_scorecard(), {"applied": 5, "unknown": 1, "error": "token=abc", "planned": True}, "Weekly")

    assert "What this run did What Number Changes applied 5 Unclear; being read back 1" in Page(document.html).text
    assert {"applied": 5, "unknown": 1} == document.facts["run"]
    assert "token" not in document.html + document.markdown + json.dumps(dict(document.facts))


def test_small_numbers_are_marked(make_scorecard: MakeScorecard) -> None:
    """A rate of few cases is marked as a hint, and no stage is called weakest because of it."""
    conversion = replace(make_scorecard().conversion[0], conversion=share(0, 3))
    text = Page(render(make_scorecard(conversion=(conversion,)), None, "Weekly").html).text

    assert "0% small n" in text
    assert "fewer than 10 cases" in text
    assert "Weakest" not in text


def test_no_data_is_said(make_scorecard: MakeScorecard) -> None:
    """Without deals the report says so, and shows no zeros that look like figures."""
    nothing = Coverage(deals=0, open=0, won=0, lost=0, with_history=0, since=None)
    card = make_scorecard(coverage=nothing, conversion=(), time_in_stage=(), sla=(), findings=(), win_rate=share(0, 0))
    document = render(card, None, "Weekly")

    assert "No data" in assert_quiet(document.html).text
    assert "0%" not in Page(document.html).text
    assert "**No data**" in document.markdown


def test_nothing_open_is_good_news(make_scorecard: MakeScorecard) -> None:
    """When every rule holds, the first card says so."""
    text = Page(render(make_scorecard(findings=()), None, "Weekly").html).text

    assert "0 Open findings Every rule and SLA holds" in text


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ({"target": None, "met": None, "comparable": False}, "22% – –"),  # noqa: RUF001  dashes for nothing
        ({"target": "3bd", "met": None, "comparable": False}, "22% 3bd not comparable"),
        ({"figure": share(0, 0), "met": None}, "No data ≥ 25% No data"),
        ({"met": True}, "22% ≥ 25% ✓ met"),
    ],
)
def test_target_column(
    make_scorecard: MakeScorecard,
    make_indicator: Callable[..., IndicatorFigure],
    overrides: dict[str, Any],
    expected: str,
) -> None:
    """No target, a target of another kind, no data and a met target read differently."""
    card = make_scorecard(indicators=(make_indicator(**overrides),))

    assert f"Won of closed. {expected}" in Page(render(card, None, "Weekly").html).text


def test_hostile_text_is_inert(make_scorecard: MakeScorecard, make_indicator: Callable[..., IndicatorFigure]) -> None:
    """Markup, links, templates, direction and control characters in names are shown as text or not at all."""
    owner = OwnerFindings(owner=HOSTILE, errors=1, warnings=0, infos=0, deals=1, oldest=NOON)
    card = make_scorecard(process=HOSTILE, findings=(owner,), indicators=(make_indicator(name=HOSTILE),))
    document = render(card, None, HOSTILE)

    page = assert_quiet(document.html)
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7*7 }}" in page.text
    assert not re.search("[\u202e\x1b]", document.html + document.markdown + json.dumps(document.facts["findings"]))
    assert "<script" not in document.html
    assert not re.search(r"(?<!\\)<|[^\\]://", document.markdown)


def test_markdown_table_survives_hostile_names(make_scorecard: MakeScorecard) -> None:
    """A name with bars, line breaks and links stays one cell."""
    owner = OwnerFindings(
        owner="a|b\n| c [x](http://evil.example) www.evil.example", errors=1, warnings=0, infos=0, deals=1, oldest=NOON
    )
    markdown = render(make_scorecard(findings=(owner,)), None, "Weekly").markdown

    (line,) = [line for line in markdown.splitlines() if "evil" in line]
    assert 7 == len(re.findall(r"(?<!\\)\|", line))
    assert r"\[x\](http\://evil.example) www\.evil" in line


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=80))
def test_any_name_makes_a_well_formed_page(make_scorecard: MakeScorecard, name: str) -> None:
    """Whatever characters a name has, the page stays well-formed and quiet, and can be stored as UTF-8."""
    owner = OwnerFindings(owner=name, errors=1, warnings=0, infos=0, deals=1, oldest=NOON)
    document = render(make_scorecard(findings=(owner,), process=name), None, name)

    assert_quiet(document.html)
    assert document.html.encode()
    assert document.markdown.encode()


@pytest.mark.parametrize(
    ("language", "lang", "word", "number"),
    [
        ("en", "en", "Time in stage", "4.2 days"),
        ("pt", "pt-BR", "Tempo na etapa", "4,2 dias"),
        ("zh", "zh-Hans", "阶段停留时长", "4.2 天"),
        ("xx", "en", "Time in stage", "4.2 days"),
    ],
)
def test_report_speaks_the_language(
    make_scorecard: MakeScorecard, language: str, lang: str, word: str, number: str
) -> None:
    """The report's own words and numbers are in the language asked for, else in English."""
    document = render(make_scorecard(), None, "Weekly", language)

    assert f'<html lang="{lang}">' in document.html
    assert word in Page(document.html).text
    assert number in Page(document.html).text


def test_catalogue_is_complete() -> None:
    """Every word is there in three languages, with the same values to fill in."""
    catalogue = tomllib.loads(files("crmbridge.report").joinpath("words.toml").read_text("utf-8"))

    for key, texts in catalogue.items():
        assert {"en", "pt", "zh"} == texts.keys(), key
        assert 1 == len({frozenset(re.findall(r"\{\w+\}", text)) for text in texts.values()}), key


def test_facts_are_plain_json(make_scorecard: MakeScorecard) -> None:
    """The facts can be written as JSON and hold the same figures."""
    facts = json.loads(json.dumps(dict(render(make_scorecard(), None, "Weekly").facts)))

    assert [0.225, 9, 40] == [facts["win_rate"][part] for part in ("value", "numerator", "denominator")]
    assert "2026-06-10T12:00:00Z" == facts["as_of"]


def test_document_is_named(make_scorecard: MakeScorecard) -> None:
    """A document carries the name it is stored under."""
    assert "weekly" == render(make_scorecard(), None, "Weekly", name="weekly").name
