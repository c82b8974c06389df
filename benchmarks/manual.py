"""Measure the manual: how long its site takes, beside MkDocs and Sphinx rendering the same text.

- ours: a new process that reads the shipped process file and builds the site in three languages, with the imports;
  then the same once more in that process, which is what a page that serves the manual pays
- MkDocs with its search plugin, and Sphinx, each in a process of its own, over Markdown and reStructuredText that has
  the words of our pages: they know no process, so the words are made for them, and that is not measured. They have no
  rules in words, no chart, no first week, no changes; ours have none of their themes

The others are installed into an environment of their own (`--peers FOLDER`; made there when it is missing). One that
can't be had is left out, and said. Asserts nothing.

    python benchmarks/manual.py [--runs 3] [--json FILE] [--quick]
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from runs.peers import python_with
from runs.tables import write_found

ROOT = Path(__file__).parents[1]
PROCESS = ROOT / "config" / "processes" / "b2b.yaml"
BARS = "bar: the shipped process in three languages in 2 s"
CHILD = """
import json, resource, sys, time
from datetime import date
begin = time.perf_counter()
from pathlib import Path
from crmbridge.files.reading import read_process
from crmbridge.services.projects.writing_manual import make_manual
process = read_process(Path(sys.argv[1])).model
site = make_manual(process, date(2026, 6, 10))
first = time.perf_counter() - begin
begin = time.perf_counter()
make_manual(process, date(2026, 6, 10))
again = time.perf_counter() - begin
usage = resource.getrusage(resource.RUSAGE_SELF)
size = sum(len(text.encode()) for text in site.values())
pages = sum(name.endswith(".html") for name in site)
print(json.dumps({"seconds": first, "again": again, "cpu": usage.ru_utime + usage.ru_stime,
                  "mb": usage.ru_maxrss / 1024, "pages": pages, "kb": size / 1024}))
"""
Found = dict[str, Any]


class Words(HTMLParser):
    """Collects a page's headings and paragraphs as plain lines."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._tag = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002  the parser's signature
        """Note which element the text is in."""
        self._tag = tag

    def handle_data(self, data: str) -> None:
        """Take a text."""
        text = re.sub(r"[\\\\`*_|<>{}\[\]#]", "", " ".join(data.split()))
        if text and self._tag not in {"script", "style", "title"}:
            self.lines.append(("# " if self._tag in {"h1", "h2", "h3"} else "") + text)


def arguments() -> argparse.Namespace:
    """Read what is to be measured."""
    parser = argparse.ArgumentParser(description="Measure the manual beside MkDocs and Sphinx.")
    parser.add_argument("--runs", type=int, default=3, help="new processes each; the median counts (3)")
    parser.add_argument("--peers", type=Path, default=Path(tempfile.gettempdir()) / "crmbridge-manual-peers")
    parser.add_argument("--quick", action="store_true", help="once, without the others")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures to this file, too")
    asked = parser.parse_args()
    if asked.quick:
        asked.runs = 1
    return asked


def median(found: list[Found]) -> Found:
    """Give the median of each figure."""
    return {key: statistics.median(one[key] for one in found) for key in found[0]}


def ours(runs: int) -> Found:
    """Build the site in new processes."""
    command = [sys.executable, "-c", CHILD, str(PROCESS)]
    said = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(runs)]  # noqa: S603  our own words
    return median([json.loads(text) for text in said])


def words_of_pages() -> Mapping[str, list[str]]:
    """Give the lines of our pages by name, one language a folder; the page with all others is left out."""
    from crmbridge.files.reading import read_process  # noqa: PLC0415  the measured processes import for themselves
    from crmbridge.manual import build_site  # noqa: PLC0415  the same

    process = read_process(PROCESS).model
    if process is None:
        sys.exit(f"{PROCESS} can't be read")
    found = {}
    for name, text in build_site(process).items():
        if name.endswith(".html") and "/" in name and not name.endswith(("all.html", "search.html")):
            parser = Words()
            parser.feed(text)
            found[name.removesuffix(".html")] = parser.lines
    return found


def write_markdown(folder: Path, pages: Mapping[str, list[str]]) -> list[str]:
    """Write the pages for MkDocs; gives the words that build them."""
    for name, lines in pages.items():
        path = folder / "docs" / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n\n".join(lines), "utf-8")
    (folder / "mkdocs.yml").write_text("site_name: Manual\nplugins: [search]\n", "utf-8")
    return [
        "mkdocs",
        "build",
        "--quiet",
        "--site-dir",
        str(folder / "site"),
        "--config-file",
        str(folder / "mkdocs.yml"),
    ]


def write_rst(folder: Path, pages: Mapping[str, list[str]]) -> list[str]:
    """Write the pages for Sphinx; gives the words that build them."""
    for name, lines in pages.items():
        path = folder / "docs" / f"{name}.rst"
        path.parent.mkdir(parents=True, exist_ok=True)
        title = Path(name).name
        body = [line.removeprefix("# ") for line in lines]
        path.write_text("\n\n".join([f"{title}\n{'=' * len(title)}", *body]), "utf-8")
    tree = "\n".join(f"   {name}" for name in pages)
    (folder / "docs" / "index.rst").write_text(f"Manual\n======\n\n.. toctree::\n\n{tree}\n", "utf-8")
    (folder / "docs" / "conf.py").write_text('project = "Manual"\n', "utf-8")
    return ["sphinx", "-q", "-b", "html", str(folder / "docs"), str(folder / "site")]


def peer(name: str, folder: Path, pages: Mapping[str, list[str]], runs: int) -> Found | None:
    """Let one of the others build the same words, each time anew."""
    python = python_with(name, folder)
    if python is None:
        return None
    seconds = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as scratch:
            words = (write_markdown if name == "mkdocs" else write_rst)(Path(scratch), pages)
            begin = time.perf_counter()
            done = subprocess.run([str(python), "-m", *words], capture_output=True, text=True, check=False)  # noqa: S603  our own words
            seconds.append(time.perf_counter() - begin)
            if done.returncode:
                print(f"{name:<10} not measured: {done.stderr.strip().splitlines()[-1:]}")
                return None
            made = sum(1 for _ in (Path(scratch) / "site").rglob("*.html"))
    return {"seconds": statistics.median(seconds), "pages": made}


def main() -> None:
    """Measure, and print what was found."""
    asked = arguments()
    found: dict[str, Any] = {"ours": ours(asked.runs)}
    own = found["ours"]
    size = f"{own['pages']:.0f} pages, {own['kb']:.0f} KB, {own['mb']:.0f} MB"
    print(f"{'crmbridge':<10} {own['seconds']:6.2f} s   {size}; once more in the same process {own['again']:.2f} s")
    if not asked.quick:
        pages = words_of_pages()
        for name in ("mkdocs", "sphinx"):
            one = peer(name, asked.peers, pages, asked.runs)
            if one is not None:
                found[name] = one
                print(f"{name:<10} {one['seconds']:6.2f} s   {one['pages']} pages of the same words")
    print(BARS)
    if asked.json:
        write_found(asked.json, [{"what": name, **one} for name, one in found.items()])


if __name__ == "__main__":
    main()
