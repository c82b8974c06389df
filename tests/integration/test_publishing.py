"""Pushing reports: to files, to a chat, and as a note in a CRM, each at most once a day to people."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from crmbridge.errors import AuthenticationError, ConfigurationError, CrmbridgeError, RetryLaterError
from crmbridge.model.records import Kind
from crmbridge.plugins import Plugins, SinkSpec
from crmbridge.ports import Document
from crmbridge.report import Notice, notice_document, open_sink
from crmbridge.services.reports.publishing import Delivery, exit_code, make_document
from crmbridge.services.runs.running import Ran, run_reports, run_steps
from crmbridge.settings import SettingsPart
from crmbridge.store import open_store
from crmbridge.testing.workspaces import Bench, make_bench


@pytest.fixture
def chat() -> Iterator[tuple[str, list[Any]]]:
    """Give the address of a chat's webhook on this machine, and what it was told."""
    told: list[Any] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with HTTPServer(("127.0.0.1", 0), Webhook) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/hook", told
        server.shutdown()
        thread.join()


def make(tmp_path: Path, *sinks: dict[str, Any], **overrides: Any) -> Bench:
    store = f"sqlite:///{tmp_path / 'state.db'}"
    return make_bench(
        deals=20,
        parts={"north": (0, 1)},
        store=open_store(store),
        folder=tmp_path,
        store_url=store,
        reports=[{"name": "weekly", "sinks": list(sinks), **overrides}],
    )


def push(bench: Bench) -> Ran:
    return run_reports(bench.workspace, bench.workspace.project.settings.reports, None)


def test_a_report_goes_to_all_its_sinks(
    tmp_path: Path, chat: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page, a Markdown file, a message, and a note on the company that the settings name."""
    monkeypatch.setenv("CHAT_URL", chat[0])
    bench = make(
        tmp_path,
        {"html": "reports/"},
        {"markdown": "reports/"},
        {"slack": {"env": "CHAT_URL"}},
        {"crm": {"connection": "north", "company": "1"}},
    )
    run_steps(bench.workspace, "cycle")
    notes = [record for ref, record in bench.crms["north"].records.items() if ref.kind is Kind.NOTE]

    assert "<html" in (tmp_path / "reports" / "weekly.html").read_text("utf-8")
    assert "# " in (tmp_path / "reports" / "weekly.md").read_text("utf-8")
    assert 1 == len(chat[1])
    assert 1 == len(notes)
    bench.workspace.close()


def test_people_are_told_once_a_day(
    tmp_path: Path, chat: tuple[str, list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second run of a day writes nothing to the CRM and sends no message; the next day's does."""
    monkeypatch.setenv("CHAT_URL", chat[0])
    bench = make(tmp_path, {"slack": {"env": "CHAT_URL"}}, {"crm": {"connection": "north", "company": "1"}})
    run_steps(bench.workspace, "cycle")
    writes = bench.crms["north"].writes
    bench.clock.advance(timedelta(hours=2))
    run_steps(bench.workspace, "cycle")
    today = (len(chat[1]), bench.crms["north"].writes - writes)
    bench.clock.advance(timedelta(days=1))
    run_steps(bench.workspace, "cycle")

    assert (1, 0) == today
    assert (2, 1) == (len(chat[1]), bench.crms["north"].writes - writes)
    bench.workspace.close()


def test_a_sink_that_fails_costs_only_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others are told, the run says what failed, and the secret address is not in it."""
    monkeypatch.setenv("CHAT_URL", "http://127.0.0.1:1/secret-path")
    bench = make(
        tmp_path,
        {"slack": {"env": "CHAT_URL"}},
        {"crm": {"connection": "north", "company": "nowhere.example"}},
        {"html": "reports/"},
    )
    run_steps(bench.workspace, "cycle")
    ran = push(bench)
    errors = [delivery.error for delivery in ran.delivered if delivery.error is not None]

    assert (6, [5, 3]) == (ran.exit_code, [error.exit_code for error in errors])
    assert "secret-path" not in "".join(f"{error} {error.advice}" for error in errors)
    assert (tmp_path / "reports" / "weekly.html").exists()
    bench.workspace.close()


def test_a_field_that_deals_do_not_have_is_no_group(tmp_path: Path) -> None:
    """A typing error gives no report in which nobody has anything."""
    bench = make(tmp_path)
    run_steps(bench.workspace, "cycle")
    report = bench.workspace.project.settings.reports[0].model_copy(update={"by": "onwer"})

    with pytest.raises(ConfigurationError, match="Deals have no field 'onwer' to group by") as error:
        make_document(bench.workspace, report, None)
    assert "Did you mean owner?" in error.value.advice
    bench.workspace.close()


def test_deals_are_grouped_by_the_teams_of_the_settings(tmp_path: Path) -> None:
    """Without teams it says where they go; with them each deal counts in its owner's."""
    bench = make(tmp_path)
    run_steps(bench.workspace, "cycle")
    report = bench.workspace.project.settings.reports[0].model_copy(update={"by": "team", "measures": ("win_rate",)})
    with pytest.raises(ConfigurationError, match="no field 'team' to group by") as error:
        make_document(bench.workspace, report, None)
    owners = {str(user.fields["email"]) for user in bench.workspace.store.records.records("north", Kind.USER)}
    bench = bench.again(bench.workspace.project.settings.model_copy(update={"teams": {"Nordlicht": (*owners,)}}))

    assert "under `teams:` in the settings" in str(error.value.advice)
    assert "Nordlicht" in make_document(bench.workspace, report, None).markdown
    bench.workspace.close()


def test_a_report_without_data_says_so(tmp_path: Path) -> None:
    """Before the first pull there is nothing to count, and the page says that."""
    bench = make(tmp_path, {"html": "reports/"})

    assert 0 == push(bench).exit_code
    assert "no data" in (tmp_path / "reports" / "weekly.html").read_text("utf-8").casefold()
    bench.workspace.close()


def test_a_report_speaks_the_language_of_the_settings_unless_it_names_another(tmp_path: Path) -> None:
    """Its figures and its own words both."""
    bench = make(tmp_path)
    bench = bench.again(bench.workspace.project.settings.model_copy(update={"language": "pt"}))
    report = bench.workspace.project.settings.reports[0]
    named = report.model_copy(update={"language": "zh"})

    facts = [make_document(bench.workspace, each, None).facts["language"] for each in (report, named)]
    assert ["pt", "zh"] == facts
    bench.workspace.close()


def test_a_report_is_headed_by_its_title(tmp_path: Path) -> None:
    """An id can't be written in every language; without a title it has to do."""
    bench = make(tmp_path)
    report = bench.workspace.project.settings.reports[0].model_copy(update={"name": "the_week"})
    titled = report.model_copy(update={"title": "Vendas da semana"})

    made = [make_document(bench.workspace, each, None) for each in (report, titled)]
    assert [("the_week", "The week"), ("the_week", "Vendas da semana")] == [(each.name, each.title) for each in made]
    assert "<h1>Vendas da semana</h1>" in made[1].html
    bench.workspace.close()


class Killed(BaseException):
    """Stands for the end of the process."""


class _Room:
    """A plugin's sink that does what it is told."""

    told = 0
    dies: BaseException | None = None

    def deliver(self, document: Document) -> str:
        type(self).told += 1
        if type(self).dies is not None:
            raise type(self).dies
        return "the room"


@pytest.fixture
def room(monkeypatch: pytest.MonkeyPatch) -> type[_Room]:
    """Give a sink that a plugin brings, for a sink that dies on the way."""

    class Room(_Room):
        pass

    spec = SinkSpec(name="room", settings=SettingsPart, open=lambda _: Room())
    monkeypatch.setattr(Plugins, "sinks", lambda _: {"room": spec})
    return Room


def test_killed_between_sending_and_noting_is_not_sent_again(tmp_path: Path, room: type[_Room]) -> None:
    """The next run says that it may have arrived and needs a look (7); later ones repeat that and send nothing."""
    bench = make(tmp_path, {"room": {}})
    room.dies = Killed()
    with pytest.raises(Killed):
        push(bench)
    room.dies = None
    first, second = push(bench), push(bench)
    bench.clock.advance(timedelta(days=1))
    next_day = push(bench)

    assert (7, "may have arrived") == (first.exit_code, _within(first.delivered[0].error, "may have arrived"))
    assert (0, "look there") == (second.exit_code, _within(second.delivered[0].note, "look there"))
    assert (0, "the room") == (next_day.exit_code, next_day.delivered[0].place)
    assert 2 == room.told
    bench.workspace.close()


def _within(said: object, words: str) -> str:
    return words if words in str(said) else f"no {words!r} in {said}"


def test_what_certainly_failed_is_sent_by_the_next_run(tmp_path: Path, room: type[_Room]) -> None:
    """A sink that was busy is told the same day, once."""
    bench = make(tmp_path, {"room": {}})
    room.dies = RetryLaterError("busy")
    failed = push(bench)
    room.dies = None
    codes = [push(bench).exit_code, push(bench).exit_code]

    assert (5, [0, 0], 2) == (failed.exit_code, codes, room.told)
    bench.workspace.close()


def test_a_plugins_sink_that_breaks_costs_only_itself(tmp_path: Path, room: type[_Room]) -> None:
    """Whatever a plugin raises, the other sinks are told, and what may have arrived is not sent twice."""
    bench = make(tmp_path, {"room": {}}, {"json": "reports/"})
    room.dies = RuntimeError("s3cret")
    ran = push(bench)

    assert 7 == ran.exit_code
    assert "RuntimeError" in str(ran.delivered[0].error)
    assert "s3cret" not in str(ran.delivered[0].error)
    assert (tmp_path / "reports" / "weekly.json").exists()
    assert (0, 1) == (push(bench).exit_code, room.told)
    bench.workspace.close()


def test_the_same_figures_are_not_told_again_across_midnight(tmp_path: Path, room: type[_Room]) -> None:
    """A second push a little later is the same report, though the day of the report's zone is another by then."""
    bench = make(tmp_path, {"room": {}}, timezone="Asia/Tokyo")
    bench.clock.advance(timedelta(hours=14, minutes=50) - timedelta(hours=bench.clock.now().hour))
    push(bench)
    bench.clock.advance(timedelta(minutes=20))
    push(bench)

    assert 1 == room.told
    bench.workspace.close()


def test_moving_a_sink_in_the_settings_tells_nobody_twice(tmp_path: Path, room: type[_Room]) -> None:
    """Who was told is known by the sink's settings, not by its place among the others."""
    bench = make(tmp_path, {"room": {}}, {"html": "reports/"})
    push(bench)
    bench.workspace.close()
    moved = make(tmp_path, {"html": "reports/"}, {"room": {}})
    push(moved)

    assert 1 == room.told
    moved.workspace.close()


def test_failures_of_one_kind_keep_their_code() -> None:
    """5 says try later, 4 mend the credential; several kinds together are partly done."""

    def code(*errors: CrmbridgeError | None) -> int:
        return exit_code([Delivery(report="weekly", sink="1:slack", error=error) for error in errors])

    busy, signed_out = RetryLaterError("busy"), AuthenticationError("signed out")

    assert [0, 5, 5, 4, 6] == [
        code(None),
        code(busy, None),
        code(busy, busy),
        code(signed_out),
        code(busy, signed_out, None),
    ]


def test_a_notice_goes_to_the_new_sinks_too(tmp_path: Path) -> None:
    """What is found is told in a file as well as in a chat, by the sinks under `notices`."""
    bench = make(tmp_path)
    workspace = bench.workspace
    document = notice_document("notice-1", [Notice("Acme", "ann@acme.example", "The budget is missing.")])
    open_sink({"json": "out.json"}, tmp_path, workspace.plugins.sinks()).deliver(document)

    assert "The budget is missing." in (tmp_path / "out.json").read_text("utf-8")
    workspace.close()
