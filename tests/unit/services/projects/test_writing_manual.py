"""The manual with what the indicators count, built in one step."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from html import unescape
from pathlib import Path

import pytest

from crmbridge.errors import ConfigurationError
from crmbridge.indicators.words import Words
from crmbridge.languages import LANGUAGES
from crmbridge.model.process import Measure
from crmbridge.services.projects.writing_manual import make_manual, read_versions
from crmbridge.testing.factories import make_calendar, make_process


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_measure_has_its_definition(language: str) -> None:
    """The same that is printed beside its figures."""
    own = {Measure.SQL, Measure.PLUGIN}  # these say themselves what they count
    indicators = [{"id": one.value, "name": "X", "measure": one} for one in Measure if one not in own]
    page = make_manual(make_process(indicators=indicators), date(2026, 6, 10), languages=[language])
    said = Words.of(language).definitions

    text = unescape(page[f"{language}/indicators.html"])
    assert [] == [measure for measure in Measure if measure not in own and said[measure.value] not in text]


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
    code = (
        "import sys, crmbridge.services.projects.writing_manual as m; m._definitions(); print('duckdb' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603  our own words

    assert "False" == done.stdout.strip()


def test_versions_of_a_folder_come_in_the_order_of_their_names(tmp_path: Path) -> None:
    """However the file system lists them; what is no process file is passed over."""
    text = (Path(__file__).parents[4] / "config" / "processes" / "meddicc.yaml").read_text("utf-8")
    for month in (7, 3, 11, 1, 9, 5, 12, 2, 10, 4, 8, 6):
        (tmp_path / f"2026-{month:02}.yaml").write_text(text, "utf-8")
    (tmp_path / "notes.txt").write_text("x", "utf-8")

    assert [f"2026-{month:02}" for month in range(1, 13)] == [one.name for one in read_versions([tmp_path])]


def test_a_folder_without_versions_is_said(tmp_path: Path) -> None:
    """Better than a change log that is empty for no reason."""
    with pytest.raises(ConfigurationError, match="no process files"):
        read_versions([tmp_path])
