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

from crmbridge.model.records import Kind
from crmbridge.services.running import Ran, run_reports, run_steps
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


def make(tmp_path: Path, *sinks: dict[str, Any]) -> Bench:
    store = f"sqlite:///{tmp_path / 'state.db'}"
    return make_bench(
        deals=20,
        parts={"north": (0, 1)},
        store=open_store(store),
        folder=tmp_path,
        store_url=store,
        reports=[{"name": "weekly", "sinks": list(sinks)}],
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

    assert (5, 2) == (ran.exit_code, len(errors))
    assert "secret-path" not in "".join(f"{error} {error.advice}" for error in errors)
    assert (tmp_path / "reports" / "weekly.html").exists()
    bench.workspace.close()


def test_a_report_without_data_says_so(tmp_path: Path) -> None:
    """Before the first pull there is nothing to count, and the page says that."""
    bench = make(tmp_path, {"html": "reports/"})

    assert 0 == push(bench).exit_code
    assert "no data" in (tmp_path / "reports" / "weekly.html").read_text("utf-8").casefold()
    bench.workspace.close()
