"""Links lead somewhere, and nothing that was written stands alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.glob("**/*.md"), *ROOT.glob("*.md")])
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
FENCE = re.compile(r"^(```+).*?^\1", re.MULTILINE | re.DOTALL)
ELSEWHERE = ("https://", "http://", "mailto:")


def text_of(page: Path) -> str:
    """Give a page without its code blocks: what stands there is no link."""
    return FENCE.sub("", page.read_text("utf-8"))


def anchors(page: Path) -> set[str]:
    """Give the names that headings can be linked by, as code hosts make them."""
    titles = re.findall(r"^#+ (.+)$", text_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken(page: Path) -> list[str]:
    """Give the links of a page that lead nowhere."""
    found = []
    for target in LINK.findall(text_of(page)):
        if target.startswith(ELSEWHERE):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        if not file.exists() or (anchor and file.suffix == ".md" and anchor not in anchors(file)):
            found.append(target)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """Files and headings that are linked to exist."""
    assert [] == broken(page)


def test_a_dead_link_is_noticed(tmp_path: Path) -> None:
    """A missing file, a missing heading, and nothing else."""
    page = tmp_path / "page.md"
    page.write_text("# One `two`\n[a](no.md) [b](#three) [c](#one-two) [d](https://example.com)\n", "utf-8")

    assert ["no.md", "#three"] == broken(page)


@pytest.mark.parametrize("folder", ["guides", "reference", "decisions", "."])
def test_every_page_is_in_an_index(folder: str) -> None:
    """A page that no index names is found by nobody."""
    index = DOCS / "decisions" / "README.md" if folder == "decisions" else DOCS / "README.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in LINK.findall(text_of(index))}
    pages = {page.resolve() for page in (DOCS / folder).glob("*.md")} - {index.resolve()}

    assert set() == pages - linked


def test_decisions_are_numbered_without_gaps() -> None:
    """Each says its number and what was decided in its first line."""
    pages = sorted((DOCS / "decisions").glob("0*.md"))
    numbers = [int(page.name[:4]) for page in pages]
    titles = [page.read_text("utf-8").splitlines()[0] for page in pages]

    assert list(range(1, len(pages) + 1)) == numbers
    assert [] == [title for number, title in zip(numbers, titles, strict=True) if not title.startswith(f"# {number}. ")]


def test_the_tests_that_the_promises_name_exist() -> None:
    """A promise whose test was renamed would stand without one."""
    named = set(re.findall(r"`(test_\w+)`", (DOCS / "promises.md").read_text("utf-8")))
    places = ("tests/**/test_*.py", "plugins/*/tests/test_*.py", "src/crmbridge/testing/**/*.py")
    sources = [path for place in places for path in ROOT.glob(place)]
    known = {name for path in sources for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))}

    assert len(named) >= 10
    assert set() == named - known


def test_every_promise_says_what_keeps_and_shows_it_and_what_is_missing() -> None:
    """Eight promises, each with its three rows."""
    sections = re.split(r"^## (P\d) ", (DOCS / "promises.md").read_text("utf-8"), flags=re.MULTILINE)

    assert [f"P{n}" for n in range(1, 9)] == sections[1::2]
    for section in sections[2::2]:
        own = section.partition("\n## ")[0]
        assert ["kept by", "shown by", "not yet"] == re.findall(r"^\| ([a-z ]+) \|", own, re.MULTILINE)
