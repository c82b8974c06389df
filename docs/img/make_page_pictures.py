# ruff: noqa: INP001  a script beside its pictures, not a package
"""Make the pictures of the page in docs/img, light and dark, on a demo whose CRMs have edits that no run has seen.

    python docs/img/make_page_pictures.py [--keep FOLDER]

Needs playwright (in the development environment), Debian's chromium, and a font that has Chinese in it, such as
Debian's fonts-wqy-zenhei.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from playwright.sync_api import Browser, Page, sync_playwright

from crmbridge.app import open_workspace
from crmbridge.clock import SystemClock
from crmbridge.plugins import load_plugins
from crmbridge.services.answers.held_deals import held_deals
from crmbridge.services.projects.demo import demo_project, people_at_work
from crmbridge.services.runs.running import run_plan, run_steps

IMAGES = Path(__file__).parent


class Shot(NamedTuple):
    """A picture: page-NAME-light.png and page-NAME-dark.png."""

    name: str
    path: str
    width: int = 1280
    height: int = 1400
    language: str = "en"


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[dict[str, Any], str]]:
    """Serve a demo; gives what `serve` says, and the path of a deal that is held."""
    plugins, clock = load_plugins(), SystemClock()
    with demo_project(folder, plugins, clock) as (settings, crms):
        with open_workspace(settings, clock=clock, plugins=plugins) as workspace:
            run_steps(workspace, "cycle")
            people_at_work(crms, workspace.store.links.links())
            run_plan(workspace)
            deal = next(one.deal for one in held_deals(workspace) if one.is_open and len(one.holds) > 1)
        command = [sys.executable, "-m", "crmbridge", "--project", str(folder), "serve", "--port", "0", "--json"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603  our own program
            assert process.stdout is not None  # noqa: S101  a pipe was asked for
            try:
                yield json.loads(process.stdout.readline()), f"/deals/{deal.connection}/{deal.id}"
            finally:
                process.send_signal(signal.SIGINT)


def signed_in(browser: Browser, told: dict[str, Any], scheme: Any, shot: Shot) -> Page:
    """Come in as somebody who may act."""
    size = {"width": shot.width, "height": shot.height}
    context = browser.new_context(base_url=told["url"], color_scheme=scheme, viewport=size)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto("/sign-in")
    page.fill("input[name=token]", told["tokens"]["act"])
    page.click("main button")
    page.goto(f"/language/{shot.language}?next=/indicators")
    while not page.locator("ul.tiles").count():  # until the figures are counted
        page.wait_for_timeout(500)
        page.reload()
    return page


def main() -> None:
    """Take the pictures."""
    parser = argparse.ArgumentParser(description="Make the pictures of the page in docs/img.")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="put the pictures there instead")
    into = parser.parse_args().keep or IMAGES
    into.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or sys.exit("Chromium is needed to take pictures: apt-get install chromium")
    with (
        TemporaryDirectory() as name,
        serving(Path(name) / "demo") as (told, deal),
        sync_playwright() as started,
        contextlib.closing(started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])) as browser,
    ):
        shots = (
            Shot("overview", "/", height=1500),
            Shot("deal", deal, height=1000),
            Shot("telephone", "/", width=390, height=1400),
            Shot("chinese", deal, height=1000, language="zh"),
        )
        for shot in shots:
            for scheme in ("light", "dark"):
                page = signed_in(browser, told, scheme, shot)
                page.goto(shot.path)
                page.screenshot(path=into / f"page-{shot.name}-{scheme}.png")
                page.context.close()


if __name__ == "__main__":
    main()
