"""A demo's project behind a real `crmbridge serve`, and Debian's Chromium to look at it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from crmbridge.app import open_workspace
from crmbridge.clock import SystemClock
from crmbridge.plugins import load_plugins
from crmbridge.services.projects.demo import DemoCrm, demo_project, people_at_work
from crmbridge.services.runs.running import run_plan, run_steps

CHROMIUM = Path("/usr/bin/chromium")
HOSTILE = "<img src=x onerror=\"document.title='ran'\"><script>document.title='ran'</script> \u202e=HYPERLINK(1)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A page that is being served. `hostile` is the address of a deal whose text is."""

    url: str
    tokens: dict[str, str]
    folder: Path
    crms: Sequence[DemoCrm]
    hostile: str


@contextlib.contextmanager
def serving(folder: Path, *args: str) -> Iterator[dict[str, Any]]:
    """Serve a project's page in a process of its own; gives what that said."""
    command = [sys.executable, "-m", "crmbridge", "--project", str(folder), "serve", "--port", "0", "--json", *args]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env={**os.environ}) as process:  # noqa: S603  our own program
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def wait_for_figures(told: Mapping[str, Any]) -> None:
    """Wait until the report has been written once, which a process of its own does meanwhile."""
    with httpx.Client(base_url=told["url"], headers={"origin": told["url"]}, trust_env=False) as client:
        client.post("/sign-in", data={"token": told["tokens"]["read"]})
        ends = time.monotonic() + 60
        while "tiles large" not in client.get("/indicators").text and time.monotonic() < ends:
            time.sleep(0.2)


@pytest.fixture(scope="session")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """Serve a demo after one cycle, with edits that wait for the next one, a conflict, and a hostile deal."""
    folder = tmp_path_factory.mktemp("page") / "demo"
    plugins, clock = load_plugins(), SystemClock()
    if len(plugins.sandboxes()) < 3:
        pytest.skip("the plugins with sandboxes are not installed")
    with demo_project(folder, plugins, clock) as (settings, crms):
        with open_workspace(settings, clock=clock, plugins=plugins) as workspace:
            run_steps(workspace, "cycle")
            people_at_work(crms, workspace.store.links.links())
            held = next(one.finding.deal for one in workspace.store.findings.findings())
            crm = next(crm for crm in crms if crm.connection == held.connection)
            crm.edit(held.id, "decision_maker", HOSTILE)
            run_plan(workspace)
        with serving(folder) as told:
            path = f"/deals/{held.connection}/{held.id}"
            wait_for_figures(told)
            yield Page(url=told["url"], tokens=told["tokens"], folder=folder, crms=crms, hostile=path)


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Start Debian's Chromium once; without one, what needs it is skipped."""
    if not CHROMIUM.exists():
        pytest.skip(f"no Chromium at {CHROMIUM}: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(served: Page, browser: Any) -> Iterator[Any]:
    """Give a way to come in with a token of a role, in a browser window of one's own."""
    with contextlib.ExitStack() as stack:

        def come_in(role: str = "act", **options: Any) -> Any:
            usual = {"base_url": served.url, "locale": "en-GB", "viewport": {"width": 1280, "height": 900}}
            context = browser.new_context(**{**usual, **options})
            stack.callback(context.close)
            page = context.new_page()
            page.goto("/sign-in")
            page.fill("input[name=token]", served.tokens[role])
            page.click("main button")
            return page

        yield come_in
