"""An entry of the settings opens the sink it names, and files are written whole."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from crmbridge.errors import ConfigurationError
from crmbridge.model.figures import Figure, Unit
from crmbridge.plugins import SinkSpec
from crmbridge.ports import Document, Sink
from crmbridge.report import open_sink, render
from crmbridge.testing.figures import make_indicator_figure, make_scorecard


def make_document(**overrides: Any) -> Document:
    """Make a small document."""
    usual: dict[str, Any] = {"name": "weekly", "title": "Weekly", "html": "<p>é", "markdown": "é\n", "facts": {}}
    return Document(**{**usual, **overrides})


@pytest.mark.parametrize(("form", "suffix", "text"), [("html", ".html", "<p>é"), ("markdown", ".md", "é\n")])
def test_folder_gets_the_report_and_the_latest(tmp_path: Path, form: str, suffix: str, text: str) -> None:
    """A folder is made, and holds the report under its name and as the latest; a second delivery replaces both."""
    sink = open_sink({form: "reports/"}, tmp_path, {})
    sink.deliver(make_document(html="old", markdown="old"))

    where = sink.deliver(make_document())

    folder = tmp_path / "reports"
    assert str(folder / f"weekly{suffix}") == where
    assert {f"weekly{suffix}": text, f"latest{suffix}": text} == {
        path.name: path.read_text("utf-8") for path in folder.iterdir()
    }


def test_file_is_written_where_it_is_named(tmp_path: Path) -> None:
    """An entry that names a file writes that file only."""
    open_sink({"html": "out/page.html"}, tmp_path, {}).deliver(make_document())

    assert ["page.html"] == [path.name for path in (tmp_path / "out").iterdir()]


def test_reader_never_meets_half_a_report(tmp_path: Path) -> None:
    """Who has the old report open goes on reading all of it while the new one takes its place."""
    sink = open_sink({"html": "page.html"}, tmp_path, {})
    sink.deliver(make_document(html="old"))

    with (tmp_path / "page.html").open(encoding="utf-8") as reader:
        sink.deliver(make_document())

        assert "old" == reader.read()


def test_failed_write_leaves_the_old_report(tmp_path: Path) -> None:
    """When a report can't be put in place, the message names the path and no scrap stays behind."""
    folder = tmp_path / "reports"
    (folder / "weekly.html").mkdir(parents=True)

    with pytest.raises(ConfigurationError, match=r"weekly\.html"):
        open_sink({"html": "reports"}, tmp_path, {}).deliver(make_document())

    assert ["weekly.html"] == [path.name for path in folder.iterdir()]


def test_report_cannot_leave_its_folder(tmp_path: Path) -> None:
    """A document's name is never a path."""
    with pytest.raises(ConfigurationError, match="file's name"):
        open_sink({"html": "reports"}, tmp_path, {}).deliver(make_document(name="../weekly"))

    assert [] == list(tmp_path.iterdir())


def test_figures_are_written_as_json_and_csv(tmp_path: Path) -> None:
    """Machines get the figures whole, in which -5 is a number and a formula is text."""
    figure = make_indicator_figure(name="=1+1", trend=(), figure=Figure(unit=Unit.COUNT, value=-5, n=5))
    document = render(make_scorecard(indicators=(figure,)), None, "Weekly", name="weekly")
    for form in ("json", "csv"):
        open_sink({form: f"out.{form}"}, tmp_path, {}).deliver(document)
    (told,) = json.loads((tmp_path / "out.json").read_text("utf-8"))["indicators"]
    assert (tmp_path / "out.csv").read_bytes().startswith(b"\xef\xbb\xbfpart,")  # by which Excel knows UTF-8
    with (tmp_path / "out.csv").open(encoding="utf-8-sig", newline="") as file:
        line = next(csv.DictReader(file))

    assert ("=1+1", -5) == (told["name"], told["figure"]["value"])
    assert ("'=1+1", -5.0) == (line["name"], float(line["value"]))


def test_a_notice_is_no_sheet(tmp_path: Path) -> None:
    """What has no figures makes no CSV file, and says which forms there are."""
    with pytest.raises(ConfigurationError, match="no figures"):
        open_sink({"csv": "out.csv"}, tmp_path, {}).deliver(make_document())


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, "one key"),
        ({"html": "a", "slack": {"env": "X"}}, "html, slack"),
        ({"fax": "1"}, "no sink 'fax'"),
        ({"html": {"path": "x"}}, "needs a folder"),
        ({"markdown": " "}, "needs a folder"),
        ({"slack": {"env": "A", "file": "B"}}, "where its webhook"),
        ({"slack": None}, "where its webhook"),
        ({"email": {"host": "smtp.acme.example", "from": "a@acme.example"}}, "to: Field required"),
        ({"email": "head@acme.example"}, "email"),
        ({"webhook": {"url": "https://acme.example/hook"}}, "secret: Field required"),
        ({"apprise": "tgram://s3cret"}, "where the place's URL"),
    ],
)
def test_wrong_entries_are_explained(tmp_path: Path, entry: dict[str, Any], expected: str) -> None:
    """An entry that can't be opened is a setting to correct, with advice."""
    with pytest.raises(ConfigurationError, match=expected) as caught:
        open_sink(entry, tmp_path, {})

    assert caught.value.advice


def test_url_in_the_settings_is_refused_unseen(tmp_path: Path) -> None:
    """A webhook's URL written into the settings is refused without being repeated."""
    with pytest.raises(ConfigurationError) as caught:
        open_sink({"slack": "https://hooks.example/T0/s3cret"}, tmp_path, {})

    assert "s3cret" not in f"{caught.value.message} {caught.value.advice}"


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid")
    room: str


class _Room:
    def __init__(self, settings: _Settings) -> None:
        self.settings = settings

    def deliver(self, document: Document) -> str:
        return f"{document.name} in {self.settings.room}"


def test_plugins_sink_is_opened_with_its_settings(tmp_path: Path) -> None:
    """A plugin's sink reads its entry with its own model."""
    extra = {"room": SinkSpec(name="room", settings=_Settings, open=_Room)}

    sink: Sink = open_sink({"room": {"room": "lobby"}}, tmp_path, extra)

    assert "weekly in lobby" == sink.deliver(make_document())


def test_plugins_settings_are_checked_without_showing_them(tmp_path: Path) -> None:
    """What is wrong with a plugin's entry is said by name, without the values."""
    extra = {"room": SinkSpec(name="room", settings=_Settings, open=_Room)}

    with pytest.raises(ConfigurationError, match="extra: Extra inputs") as caught:
        open_sink({"room": {"room": "lobby", "extra": "s3cret"}}, tmp_path, extra)

    assert "s3cret" not in caught.value.message
