"""A report in a real browser: nothing runs, nothing is fetched, everybody can read it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crmbridge.model.figures import ChartKind
from crmbridge.ports import Document
from crmbridge.report import render
from crmbridge.testing.figures import (
    make_count,
    make_curve,
    make_indicator_figure,
    make_measured,
    make_row,
    make_scorecard,
    make_share,
)

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HOSTILE = (
    "<script>window.ran=1</script><img src='http://127.0.0.1:9/x' onerror='window.ran=1'>\" onmouseover=\"window.ran=1"
    "</title></style><svg onload='window.ran=1'><a href='javascript:window.ran=1'>javascript:window.ran=1</a>"
)


def document(name: str) -> Document:
    """Make a report with charts of every kind, in which everything is called `name`."""
    rows = [make_row(name, a=make_count(3), b=make_count(5), c=make_share(2, 7)) for _ in range(8)]
    kinds = [kind for kind in ChartKind if kind is not ChartKind.CURVES]
    measures = [
        make_measured(f"m_{kind}", *rows, name=name, chart=kind, charted=("a", "b"), cautions=(name,)) for kind in kinds
    ]
    curves = tuple(make_curve(name) for _ in range(4))
    measures.append(make_measured("m_curves", name=name, chart=ChartKind.CURVES, curves=curves))
    made = make_indicator_figure(name=name, stage=name, definition=name)
    return render(make_scorecard(*measures, indicators=(made,), process=name), {"applied": 1}, name)


def test_nothing_runs_and_nothing_is_fetched(browser: Browser, tmp_path: Path) -> None:
    """Hostile names run no script, ask no server and are seen as what they are; the console has nothing to say."""
    (tmp_path / "report.html").write_text(document(HOSTILE).html, "utf-8")
    page = browser.new_page()
    asked: list[str] = []
    said: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))

    page.goto((tmp_path / "report.html").as_uri())
    page.mouse.move(300, 300)

    assert [(tmp_path / "report.html").as_uri()] == asked
    assert [] == said
    assert page.evaluate("window.ran") is None
    assert 0 == page.locator("script, img, iframe, a:not([href^='#'])").count()
    assert "<script>window.ran=1</script>" in page.inner_text("body")
    page.close()


def test_policy_would_stop_a_script_that_got_in(browser: Browser, tmp_path: Path) -> None:
    """Even markup that somebody put into the file runs nothing: the page's own policy forbids it."""
    html = document("Proposal").html.replace("</main>", "<script>window.ran=1</script></main>")
    (tmp_path / "report.html").write_text(html, "utf-8")
    page = browser.new_page()

    page.goto((tmp_path / "report.html").as_uri())

    assert page.evaluate("window.ran") is None
    page.close()


@pytest.mark.parametrize("width", [320, 768, 1280])
def test_page_is_never_wider_than_the_screen(browser: Browser, tmp_path: Path, width: int) -> None:
    """At a telephone's width and at any other, nothing but a heat map has to be moved sideways."""
    (tmp_path / "report.html").write_text(document("Qualification and diagnosis").html, "utf-8")
    page = browser.new_page(viewport={"width": width, "height": 800})

    page.goto((tmp_path / "report.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")

    assert width == page.evaluate("document.documentElement.scrollWidth")
    page.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_checks_find_nothing(browser: Browser, tmp_path: Path, scheme: str) -> None:
    """axe finds no breach of WCAG 2.2 A and AA, contrast included, with every table open."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed here")
    (tmp_path / "report.html").write_text(document("Proposal").html, "utf-8")
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()

    page.goto((tmp_path / "report.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
    found = axe.Axe().run(page, options={"runOnly": tags})

    assert [] == [
        (each["id"], [node["html"][:120] for node in each["nodes"][:3]]) for each in found.response["violations"]
    ]
    context.close()


def test_tables_are_printed(browser: Browser, tmp_path: Path) -> None:
    """On paper nobody can open a table, so there they are open."""
    (tmp_path / "report.html").write_text(document("Proposal").html, "utf-8")
    page = browser.new_page()
    page.goto((tmp_path / "report.html").as_uri())

    hidden = page.locator(".group details table.data").first.is_visible()
    page.emulate_media(media="print")
    printed = page.locator(".group details table.data").first.is_visible()

    assert (False, True) == (hidden, printed)
    page.close()
