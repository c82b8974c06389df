"""Reports on the command line: where they are saved, in which form, of what, and who is told."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import openpyxl
import pytest

if TYPE_CHECKING:
    from tests.integration.shop import Shop


def test_a_report_is_saved_where_it_is_wanted(shop: Shop, tmp_path: Path) -> None:
    """As HTML and as Markdown."""
    shop.call("run")
    said = shop.call("report", "--out", str(tmp_path / "here"))

    assert 0 == said.code
    assert {"indicators.html", "indicators.md"} == {path.name for path in (tmp_path / "here").iterdir()}


@pytest.mark.parametrize("name", ["r.html", "r.md", "R.CSV", "r.json", "r.xlsx", "r.parquet"])
def test_a_name_that_ends_as_a_report_does_is_that_file(shop: Shop, tmp_path: Path, name: str) -> None:
    """As with a sink, it is no folder of that name; the ending says the form."""
    shop.call("run")
    said = shop.call("report", "--out", str(tmp_path / "new" / name), "--json").document

    assert [str(tmp_path / "new" / name)] == said["result"]["files"]
    assert (tmp_path / "new" / name).is_file()


def test_one_file_holds_one_report_in_its_own_form(shop: Shop, tmp_path: Path) -> None:
    """Anything else is said before a figure is computed; a folder that is there is a folder, whatever it is called."""
    shop.setting("reports: [{name: weekly}, {name: monthly}]\n")
    shop.call("run")
    out = tmp_path / "r.html"
    two = shop.call("report", "--out", str(out))
    other = shop.call("report", "weekly", "--format", "csv", "--out", str(out))
    (tmp_path / "notes.txt").write_text("mine", "utf-8")
    file = shop.call("report", "weekly", "--out", str(tmp_path / "notes.txt"))

    assert (2, 2, 2) == (two.code, other.code, file.code)
    assert "r.html is one file, and there are 2 reports: name one of them, or give a folder." in two.err
    assert "--format csv is not what r.html is called; leave --format out, or name the file otherwise." in other.err
    assert "notes.txt is a file" in file.err
    out.mkdir()
    assert 0 == shop.call("report", "weekly", "--format", "csv", "--out", str(out)).code
    assert ["weekly.csv"] == [path.name for path in out.iterdir()]


@pytest.mark.parametrize(
    ("form", "begins"), [("html", "<!DOCTYPE html>"), ("markdown", "# Indicators"), ("json", "{"), ("csv", "part,id,")]
)
def test_a_report_is_written_in_the_form_asked_for(shop: Shop, tmp_path: Path, form: str, begins: str) -> None:
    """What is printed is what is saved, but for the time that went by, and the mark of UTF-8 before a CSV."""
    shop.call("run")
    printed = shop.call("report", "--format", form).out
    shop.call("report", "--format", form, "--out", str(tmp_path / "here"))

    (saved,) = (tmp_path / "here").iterdir()
    steady = re.compile(r"[0-9.]+(?:e-[0-9]+)?")
    assert printed.startswith(begins)
    assert [steady.sub("0", line.rstrip()) for line in saved.read_text("utf-8-sig").splitlines()] == [
        steady.sub("0", line) for line in printed.splitlines()
    ]


def test_a_report_is_saved_as_sheets_and_never_printed_so(shop: Shop, tmp_path: Path) -> None:
    """XLSX and Parquet are files; without a folder the command says what is missing."""
    shop.call("run")
    for form in ("xlsx", "parquet"):
        assert 2 == shop.call("report", "--format", form).code
        assert 0 == shop.call("report", "--format", form, "--out", str(tmp_path / "new" / "here")).code

    sheets = openpyxl.load_workbook(tmp_path / "new" / "here" / "indicators.xlsx").sheetnames
    assert len(sheets) > 10
    assert (tmp_path / "new" / "here" / "indicators.parquet").read_bytes().startswith(b"PAR1")
    assert {0o644} == {each.stat().st_mode & 0o777 for each in (tmp_path / "new" / "here").iterdir()}


def test_a_report_is_of_the_measures_asked_for(shop: Shop) -> None:
    """Only these are shown; one that is not there is named with those that are."""
    shop.call("run")
    (only,) = shop.call("report", "--measure", "win_rate", "--json").document["result"]["reports"]
    wrong = shop.call("report", "--measure", "luck")

    assert ["win_rate"] == [measure["id"] for measure in only["facts"]["measures"]]
    assert 3 == wrong.code
    assert "no measure 'luck'" in wrong.err
    assert "win_rate" in wrong.err


def test_a_report_is_by_segment_and_period_as_asked(shop: Shop) -> None:
    """The rows say what they are of; the settings' report is asked the same, and the command has the last word."""
    shop.setting("reports: [{name: weekly, by: owner, measures: [win_rate, time_in_stage]}]\n")
    shop.call("run")
    asked = ("report", "weekly", "--by", "connection", "--period", "year", "--measure", "time_in_stage", "--json")
    (set_up,) = shop.call("report", "weekly", "--json").document["result"]["reports"]
    (wanted,) = shop.call(*asked).document["result"]["reports"]

    assert ["win_rate", "time_in_stage"] == [measure["id"] for measure in set_up["facts"]["measures"]]
    (measure,) = wanted["facts"]["measures"]
    assert {("north", True)} <= {(row["segment"], row["period"].isdigit()) for row in measure["rows"]}


def test_a_run_pushes_the_reports_that_have_no_time(shop: Shop) -> None:
    """The summary names the files."""
    shop.setting('reports: [{name: weekly, sinks: [{html: "reports/"}]}]\n')
    said = shop.call("run")

    assert 0 == said.code, said.err
    assert "report weekly" in said.out
    assert [] != list((shop.folder / "reports").iterdir())


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Give what a chat's webhook was sent."""
    sent: list[bytes] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Webhook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("CHAT", f"http://127.0.0.1:{server.server_port}/hook")
        yield sent
        server.shutdown()


def test_people_are_told_once_a_day_and_files_are_kept_up_to_date(shop: Shop, chat: list[bytes]) -> None:
    """However often the report is pushed; the answer says which."""
    shop.setting("reports: [{name: weekly, sinks: [{slack: {env: CHAT}}, {html: reports/}]}]\n")
    first, second = shop.call("report", "--push"), shop.call("report", "weekly", "--push")

    assert (0, 0) == (first.code, second.code), first.out
    assert 1 == len(chat)
    assert "1:slack" in second.out
    assert "nothing new since it was last told" in second.out
    assert f"{shop.folder}/reports/weekly.html" in second.out


@pytest.mark.parametrize("other", [("--format", "csv"), ("--by", "owner"), ("--measure", "win_rate"), ("--out", "x")])
def test_a_push_takes_no_other_options(shop: Shop, other: tuple[str, str]) -> None:
    """What would be left out of the report that is sent is not taken."""
    said = shop.call("report", "--push", *other)

    assert 2 == said.code
    assert "--push sends reports as the settings have them" in said.out + said.err


def test_a_sink_that_fails_costs_only_itself(shop: Shop) -> None:
    """The others have the report; the exit code and the message are the sink's."""
    shop.setting("reports: [{name: weekly, sinks: [{slack: {env: NOBODY_SET_THIS}}, {html: reports/}]}]\n")
    said = shop.call("report", "--push")

    assert 3 == said.code
    assert "NOBODY_SET_THIS" in said.out
    assert "reports/weekly.html" in said.out
