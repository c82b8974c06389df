"""Measure the page: how long each takes and how large it is, over a state of many deals, beside datasette on the same.

- pages: the median of repeated requests over one connection, the slowest of them, and the bytes
- paint: the first contentful paint in Debian's Chromium, each time in a new window that has nothing cached
- datasette: its table of findings with the same number of rows, from the same SQLite file, the nearest that there is to
  a list of held deals without writing one; it knows no deal, rule or clock

Datasette is installed into an environment of its own (`--peers FOLDER`; made there when it is missing). Where it or
Chromium can't be had, that is left out, and said. Asserts nothing.

    python benchmarks/page.py [--deals 10000] [--json FILE] [--quick]
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx

from runs.page_site import TOKEN
from runs.peers import python_with
from runs.tables import write_found

HERE = Path(__file__).parent
CHROMIUM = Path("/usr/bin/chromium")
BARS = "bars: first paint 1 s, pages of 300 KB"
FINDINGS = "/state/findings?_size=50&_sort=opened_at"
Found = dict[str, Any]


def arguments() -> argparse.Namespace:
    """Read what is to be measured."""
    parser = argparse.ArgumentParser(description="Measure the page.")
    parser.add_argument("--deals", type=int, default=10_000, help="deals in the state (10000)")
    parser.add_argument("--times", type=int, default=20, help="requests of each page (20)")
    parser.add_argument("--peers", type=Path, default=Path(tempfile.gettempdir()) / "crmbridge-page-peers")
    parser.add_argument("--quick", action="store_true", help="a few deals, only to see that it works")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    asked = parser.parse_args()
    if asked.quick:
        asked.deals, asked.times = 200, 3
    return asked


def environment() -> dict[str, str]:
    """Give our children what we import from."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}


@contextlib.contextmanager
def site(folder: Path) -> Iterator[Found]:
    """Serve the page on the state in a folder."""
    command = [sys.executable, "-m", "runs.page_site", "serve", str(folder)]
    with subprocess.Popen(command, cwd=HERE, env=environment(), stdout=subprocess.PIPE, text=True) as process:  # noqa: S603
        assert process.stdout is not None  # noqa: S101  a pipe was asked for
        try:
            found: Found = json.loads(process.stdout.readline())
            yield found
        finally:
            process.terminate()


def measure_pages(told: Found, times: int) -> list[Found]:
    """Ask for each page again and again."""
    paths = {
        "overview": "/",
        "deals held": "/deals",
        "deals held, last page": "/deals?page=9999",
        "deals held, one rule": "/deals?rule=qualification.bant",
        "one deal": f"/deals/north/{told['deal']}",
        "waiting": "/waiting",
        "runs": "/runs",
        "indicators": "/indicators",
        "report": "/report",
        "metrics": "/metrics",
    }
    with httpx.Client(base_url=told["url"], trust_env=False, headers={"origin": told["url"]}, timeout=60) as client:
        client.post("/sign-in", data={"token": TOKEN})
        while 'role="status"' in client.get("/indicators").text:
            time.sleep(0.1)
        counted, figures = told["counted_s"], told["figures_s"]
        print(
            f"off the requests: held deals counted in {counted:.2f} s, the report in three languages in {figures:.1f} s"
        )
        return [asked_again(client, name, path, times) for name, path in paths.items()]


def asked_again(client: httpx.Client, name: str, path: str, times: int) -> Found:
    """Measure one page."""
    took = []
    for _ in range(times):
        start = time.perf_counter()
        answer = client.get(path)
        took.append(time.perf_counter() - start)
    found: Found = {"name": name, "status": answer.status_code, "median_ms": 1000 * statistics.median(took),
             "slowest_ms": 1000 * max(took), "bytes": len(answer.content)}  # fmt: skip
    print(
        f"{name:<28} {found['median_ms']:>9.0f} {found['slowest_ms']:>10.0f} {found['bytes'] / 1000:>8.0f}", flush=True
    )
    return found


def measure_paint(url: str, paths: list[str], token: str | None, times: int) -> list[Found]:
    """Let Chromium paint pages, each time in a window of its own; without Chromium, say so."""
    try:
        from playwright.sync_api import sync_playwright  # noqa: PLC0415  it may not be there
    except ImportError:
        print("paint                        not measured: playwright is not installed")
        return []
    if not CHROMIUM.exists():
        print(f"paint                        not measured: no {CHROMIUM}")
        return []
    found = []
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox"])
        for path in paths:
            painted = [paint(browser, url, path, token) for _ in range(times)]
            found.append({"name": f"first paint of {path}", "median_ms": statistics.median(painted)})
            print(
                f"{'first paint of ' + path.partition('?')[0]:<28} {found[-1]['median_ms']:>9.0f} {max(painted):>10.0f}"
            )
        browser.close()
    return found


def paint(browser: Any, url: str, path: str, token: str | None) -> float:
    """Give the milliseconds to the first contentful paint."""
    context = browser.new_context(base_url=url)
    page = context.new_page()
    if token:
        page.goto("/sign-in")
        page.fill("input[name=token]", token)
        page.click("main button")
        page.wait_for_url("**/")
    page.goto(path)
    asked = "(performance.getEntriesByName('first-contentful-paint')[0] || {startTime: 0}).startTime"
    while not (seen := float(page.evaluate(asked))):  # waiting inside the page would take `eval`, which it forbids
        page.wait_for_timeout(10)
    context.close()
    return seen


def measure_datasette(folder: Path, asked: argparse.Namespace) -> list[Found]:
    """Measure datasette on the same file."""
    python = python_with("datasette", asked.peers)
    if python is None:
        return []
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    command = [str(python), "-m", "datasette", "serve", str(folder / "state.db"), "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:  # noqa: S603
        try:
            with httpx.Client(base_url=url, trust_env=False, timeout=60) as client:
                wait(client)
                found = [asked_again(client, "datasette: findings", FINDINGS, asked.times)]
            found += measure_paint(url, [FINDINGS], None, min(asked.times, 5))
        finally:
            process.terminate()
    return [{**one, "of": "datasette"} for one in found]


def wait(client: httpx.Client) -> None:
    """Wait until a server answers."""
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        with contextlib.suppress(httpx.TransportError):
            client.get("/")
            return
        time.sleep(0.1)


def main() -> None:
    """Measure, print, and write the file that was asked for."""
    asked = arguments()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        command = [sys.executable, "-m", "runs.page_site", "fill", name, str(asked.deals)]
        subprocess.run(command, cwd=HERE, env=environment(), check=True)  # noqa: S603  our own words
        print(f"{BARS}; {asked.deals:,} deals")
        with site(folder) as told:
            print(f"{'page':<28} {'median ms':>9} {'slowest ms':>10} {'KB':>8}")
            found = measure_pages(told, asked.times)
            paths = ["/", "/deals", f"/deals/north/{told['deal']}"]
            found += measure_paint(told["url"], paths, TOKEN, min(asked.times, 5))
        found += measure_datasette(folder, asked)
    if asked.json:
        write_found(asked.json, found)


if __name__ == "__main__":
    main()
