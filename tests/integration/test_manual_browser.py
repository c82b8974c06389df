"""The manual in a real browser, opened from a folder: search, languages, narrow screens, keyboard, accessibility."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crmbridge.files.reading import read_process
from crmbridge.manual import Version, build_site
from crmbridge.testing.factories import make_process

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PROCESS = Path(__file__).parents[2] / "config" / "processes" / "b2b.yaml"
PAGES = [
    "index",
    "stage-qualification",
    "role-ae",
    "role-sales_leader",
    "flow",
    "indicators",
    "glossary",
    "calendars",
    "changes",
    "search",
    "all",
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the manual of the shipped process to a folder."""
    process = read_process(PROCESS).model
    assert process is not None
    folder = tmp_path_factory.mktemp("manual")
    for name, text in build_site(process, earlier=(Version("before", make_process()),), years=(2026,)).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text, "utf-8")
    return folder


def opened(browser: Browser, path: Path, query: str = "", **options: object) -> Page:
    """Open a page in a context of its own; whatever the console says is an error."""
    page = browser.new_context(**options).new_page()  # type: ignore[arg-type]  options as playwright takes them
    page.on("console", lambda message: pytest.fail(message.text))
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(path.as_uri() + query)
    return page


@pytest.mark.parametrize(
    ("language", "query", "first"),
    [
        ("en", "research", "Research accounts"),
        ("pt", "negociacao", "Negociação"),
        ("zh", "预算决策", "BANT 沟通"),
        ("zh", "谈判", "谈判"),
    ],
)
def test_search_finds_without_a_server(browser: Browser, site: Path, language: str, query: str, first: str) -> None:
    """Parts of words, words without their accents, and Chinese that stands together otherwise in the text."""
    page = opened(browser, site / language / "search.html", f"?q={query}")

    assert first == page.locator("#found a").first.inner_text()
    page.locator("#found a").first.click()
    assert "/search.html" not in page.url
    page.context.close()


def test_search_shows_what_was_typed_as_text(browser: Browser, site: Path) -> None:
    """And says when there is nothing; an empty box shows the index again."""
    page = opened(browser, site / "en" / "search.html", "?q=<img src=x onerror=alert(1)>")

    assert "Nothing found. Try a shorter word." == page.locator("#told").inner_text()
    assert 0 == page.locator("img").count()
    page.fill("#q", "")
    assert page.locator("#index").is_visible()
    page.context.close()


def test_everything_is_there_without_scripts(browser: Browser, site: Path) -> None:
    """The first page lists the languages, and the search page is an index."""
    page = opened(browser, site / "index.html", java_script_enabled=False)

    assert ["English", "Português", "中文"] == page.locator("a.whole").all_inner_texts()
    page.goto((site / "en" / "search.html").as_uri())
    assert page.get_by_role("link", name="Needs survey").first.is_visible()
    page.context.close()


def test_the_first_page_opens_in_the_reader_s_language(browser: Browser, site: Path) -> None:
    """As the browser says it."""
    page = opened(browser, site / "index.html", locale="pt-PT")

    page.wait_for_url("**/pt/index.html")

    assert "pt-BR" == page.locator("html").get_attribute("lang")
    page.context.close()


@pytest.mark.parametrize("language", ["en", "pt", "zh"])
def test_nothing_is_wider_than_a_narrow_screen(browser: Browser, site: Path, language: str) -> None:
    """At 320 pixels no page scrolls sideways; what must be wide scrolls by itself."""
    page = opened(browser, site / language / "index.html", viewport={"width": 320, "height": 640})
    wide = {}
    for name in PAGES:
        page.goto((site / language / f"{name}.html").as_uri())
        wide[name] = page.evaluate("document.documentElement.scrollWidth")

    assert {} == {name: width for name, width in wide.items() if width > 320}
    page.context.close()


def test_the_keyboard_reaches_the_content_first(browser: Browser, site: Path) -> None:
    """The first stop skips what is the same on every page."""
    page = opened(browser, site / "en" / "index.html")
    page.keyboard.press("Tab")

    assert "Skip to the content" == page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    page.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everybody_can_read_it(browser: Browser, site: Path, scheme: str) -> None:
    """Axe finds nothing against WCAG 2.2 AA on any kind of page."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed here").Axe()
    options = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
    found = {}
    for name in PAGES if scheme == "light" else PAGES[:5]:
        page = browser.new_context(color_scheme=scheme, bypass_csp=True).new_page()  # type: ignore[arg-type]  one of the two
        page.goto((site / "en" / f"{name}.html").as_uri())
        violations = axe.run(page, options=options).response["violations"]
        found[name] = [(one["id"], one["nodes"][0]["html"]) for one in violations]
        page.context.close()

    assert {} == {name: wrong for name, wrong in found.items() if wrong}


def test_it_prints_with_every_answer_open_and_without_menus(browser: Browser, site: Path) -> None:
    """On paper nobody can click."""
    page = opened(browser, site / "en" / "role-ae.html")
    page.emulate_media(media="print")

    assert page.locator("header.top").is_hidden()
    assert page.locator("details li").first.bounding_box() is not None
    page.context.close()
