"""The manual with what the indicators count, built in one step."""

from __future__ import annotations

import subprocess
import sys
from datetime import date

import pytest

from crmbridge.indicators.words import Words
from crmbridge.manual import LANGUAGES
from crmbridge.model.process import Measure
from crmbridge.services.writing_manual import make_manual
from crmbridge.testing.factories import make_calendar, make_process


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_measure_has_its_definition(language: str) -> None:
    """The same that is printed beside its figures."""
    indicators = [{"id": measure.value, "name": "X", "measure": measure} for measure in Measure]
    page = make_manual(make_process(indicators=indicators), date(2026, 6, 10), languages=[language])
    said = Words.of(language).definitions

    text = page[f"{language}/indicators.html"].replace("&#39;", "'").replace("&gt;", ">").replace("&amp;", "&")
    assert [] == [measure for measure in Measure if said[measure.value] not in text]


def test_holidays_are_those_of_this_year_and_the_next() -> None:
    """So the pages stay the same until the year changes."""
    calendars = {"office": make_calendar(holidays={"country": "BR"})}
    process = make_process(calendars=calendars)
    page = make_manual(process, date(2026, 6, 10))["en/calendars.html"]

    assert "Public holidays in 2026" in page
    assert "Public holidays in 2027" in page
    assert make_manual(process, date(2026, 1, 1)) == make_manual(process, date(2026, 12, 31))


def test_what_counts_is_not_loaded_for_its_words() -> None:
    """A manual needs neither a database nor what asks it."""
    code = "import sys, crmbridge.services.writing_manual as m; m._definitions(); print('duckdb' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  our own words

    assert "False" == done.stdout.strip()
