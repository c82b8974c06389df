# ruff: noqa: INP001  a script beside its pictures, not a package
"""Make the pictures of docs/img: the pages as Chromium shows them, light and dark, from the demo's own state.

    python docs/img/make_pictures.py [NAME ...] [--keep FOLDER]

Needs playwright (in the development environment) and Debian's chromium. To add a picture, add a line to SHOTS: a name,
and a function that makes the page in a folder and gives its address.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from playwright.sync_api import Browser, sync_playwright

IMAGES = Path(__file__).parent
SCHEMES = ("light", "dark")


class Shot(NamedTuple):
    """A picture: NAME-light.png and NAME-dark.png. `page` gets the demo's project and an empty folder."""

    name: str
    page: Callable[[Path, Path], str]  # gives the address to open
    width: int = 1280
    height: int = 1400  # of the picture; the page may be longer


def report(project: Path, folder: Path) -> str:
    """Make the demo's weekly report."""
    crmbridge("--project", str(project), "report", "weekly", "--format", "html", "--out", str(folder))
    return (folder / "weekly.html").as_uri()


def report_by_month(project: Path, folder: Path) -> str:
    """Make the same over the months, from its first chart on."""
    asked = ("--by", "owner", "--period", "month", "--measure", "win_rate", "--measure", "activities")
    crmbridge("--project", str(project), "report", "weekly", *asked, "--format", "html", "--out", str(folder))
    return (folder / "weekly.html").as_uri() + "#win-rate"


def manual(page: str) -> Callable[[Path, Path], str]:
    """Make the manual of the demo's process, and open one of its pages."""

    def make(project: Path, folder: Path) -> str:
        crmbridge("--project", str(project), "manual", "--out", str(folder))
        return (folder / "en" / f"{page}.html").as_uri()

    return make


SHOTS = (
    Shot("report", report),
    Shot("report-by-month", report_by_month, height=1000),
    Shot("report-telephone", report, width=390, height=1400),
    Shot("manual-start", manual("index")),
    Shot("manual-stage", manual("stage-qualification")),
    Shot("manual-role", manual("role-sdr")),
    Shot("manual-flow", manual("flow")),
    Shot("manual-telephone", manual("stage-qualification"), width=390, height=1400),
)


def crmbridge(*words: str) -> None:
    """Run a command; ends with what it says when it fails."""
    command = [sys.executable, "-m", "crmbridge", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  our own words
    if done.returncode not in {0, 7}:  # the demo ends with a question that needs a person
        sys.exit(done.stderr or f"{command} ended with {done.returncode}")


def photograph(browser: Browser, shot: Shot, address: str, into: Path) -> None:
    """Take the picture, light and dark."""
    for scheme in SCHEMES:
        size = {"width": shot.width, "height": shot.height}
        page = browser.new_page(viewport=size, color_scheme=scheme)  # type: ignore[arg-type]
        page.goto(address)
        page.screenshot(path=into / f"{shot.name}-{scheme}.png")
        page.close()


def main() -> None:
    """Take the pictures that were asked for, or all of them."""
    parser = argparse.ArgumentParser(description="Make the pictures of docs/img.")
    parser.add_argument("names", nargs="*", help=f"of {', '.join(shot.name for shot in SHOTS)}")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="put the pictures there instead")
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or sys.exit("Chromium is needed to take pictures: apt-get install chromium")
    into = asked.keep or IMAGES
    into.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory() as scratch, sync_playwright() as playwright:
        project = Path(scratch) / "demo"
        crmbridge("demo", "--folder", str(project))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for number, shot in enumerate(SHOTS):
            if not asked.names or shot.name in asked.names:
                folder = Path(scratch) / str(number)
                folder.mkdir()
                photograph(browser, shot, shot.page(project, folder), into)
        browser.close()


if __name__ == "__main__":
    main()
