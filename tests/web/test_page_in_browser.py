"""The page as people use it: in a browser, by keyboard, on a small screen, and with hostile text in the CRMs."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
from axe_playwright_python.sync_playwright import Axe
from tests.web.conftest import Page

PAGES = ["/", "/deals", "/waiting", "/plan", "/indicators", "/runs", "/nothing-here"]


def addresses(page: Any, served: Page) -> list[str]:
    """Give one address of every kind of page."""
    page.goto("/runs")
    run = page.locator("tbody a").first.get_attribute("href")
    return [*PAGES, served.hostile, str(run)]


def objections(page: Any) -> list[str]:
    """Give what axe objects to, of all that it knows."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {node['html'][:90]}" for one in found for node in one["nodes"]]


def focused(page: Any, attribute: str) -> str | None:
    """Give an attribute of what has the focus."""
    found: str | None = page.evaluate(f"document.activeElement.getAttribute('{attribute}')")
    return found


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "light"), (1280, "dark")])
def test_every_page_is_usable_by_everybody(served: Page, visit: Any, width: int, scheme: str) -> None:
    """The usual checks find nothing to object to, and nothing has to be scrolled sideways."""
    page = visit(viewport={"width": width, "height": 800}, color_scheme=scheme)
    wrong = {}
    paths = addresses(page, served)
    for path in paths if scheme == "light" else ["/", "/waiting", paths[-2]]:  # other colours, the same structure
        page.goto(path)
        found = objections(page)
        wide = page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
        if found or wide:
            wrong[path] = ["wide"] * wide + found

    assert {} == wrong


def test_the_sign_in_page_is_usable_by_everybody(served: Page, browser: Any) -> None:
    """Also when it says that a token is wrong."""
    context = browser.new_context(base_url=served.url, locale="pt-BR", viewport={"width": 320, "height": 800})
    page = context.new_page()
    page.goto("/deals?stage=closing")
    page.fill("input[name=token]", "guessed")
    page.keyboard.press("Enter")

    page.locator("#wrong").wait_for()
    assert "Este token não abre nada aqui." == page.inner_text("#wrong")
    assert page.title().startswith("Entrar: Este token não abre nada aqui.")
    assert ("true", "token") == (page.get_attribute("input[name=token]", "aria-invalid"), focused(page, "name"))
    assert 0 == Axe().run(page).violations_count
    page.fill("input[name=token]", served.tokens["read"])
    page.keyboard.press("Enter")
    page.wait_for_url("**/deals?stage=closing")
    assert "pt-BR" == page.get_attribute("html", "lang")
    context.close()


def test_the_way_to_a_deal_by_keyboard(visit: Any) -> None:
    """Past the menu by the first link, to the first deal, and what is focused can be seen."""
    page = visit()
    page.goto("/deals")
    page.keyboard.press("Tab")
    assert "Skip to the content" == page.evaluate("document.activeElement.innerText")
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('tbody') !== null"):
            break
    outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    name = page.evaluate("document.activeElement.innerText")
    page.keyboard.press("Enter")
    page.wait_for_url("**/deals/**")

    assert ("solid", name) == (outline, page.inner_text("h1"))


def test_hostile_text_runs_nothing(served: Page, visit: Any) -> None:
    """It is shown as text, without what turns it around; the browser has nothing to complain about."""
    page = visit()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("dialog", lambda dialog: said.append(dialog.message))
    page.goto(served.hostile)
    text = page.inner_text("main")

    assert ("<script>document.title='ran'</script> =HYPERLINK(1)" in text, "\u202e" in text) == (True, False)
    assert 0 == page.locator("main img, main script").count()
    assert ("ran" in page.title(), []) == (False, said)


def test_deals_are_filtered_and_explained(visit: Any) -> None:
    """By a form that works without a script; the explanation says what to do and leads to the CRM."""
    page = visit(java_script_enabled=False)
    page.goto("/deals")
    before = page.locator("tbody tr").count()
    page.select_option("select[name=stage]", "negotiation")
    page.click("form.filter button")
    assert "found" == focused(page, "id")  # on a telephone, the form fills the screen
    stages = set(page.locator("tbody tr td:nth-child(2)").all_inner_texts())
    assert ({"Negotiation"}, True) == (stages, page.locator("tbody tr").count() < before)

    page.locator("tbody a").first.click()
    link = page.locator("dl.facts a").first
    assert re.match(r"https?://", link.get_attribute("href"))
    assert "noopener noreferrer" == link.get_attribute("rel")
    assert "To leave this stage" in page.inner_text("main")
    assert "Negotiation: " in page.locator("ul.rules").first.inner_text()


def test_a_long_name_without_blanks_leaves_the_other_columns_their_room(visit: Any) -> None:
    """It is broken where its column ends; what holds a deal stays as easy to read as beside short names."""
    page = visit(viewport={"width": 1280, "height": 800})
    page.goto("/deals")
    why = "document.querySelector('tbody td.why').offsetWidth"
    before = page.evaluate(why)
    page.evaluate("document.querySelector('tbody th a').textContent = 'W'.repeat(120)")

    assert page.evaluate(why) > 0.9 * before


def test_who_may_only_look_finds_nothing_to_press(visit: Any) -> None:
    """Neither for conflicts nor for the plan."""
    page = visit("read")
    for path in ("/waiting", "/plan"):
        page.goto(path)
        assert (0, True) == (
            page.locator("main button").count(),
            "Your token may look, not act." in page.inner_text("main"),
        )


def test_a_conflict_is_decided_and_the_plan_written_after_a_confirmation(visit: Any) -> None:
    """The decision is in the next plan; nothing is written before it was confirmed, and then exactly what was shown."""
    page = visit()
    page.goto("/waiting")
    page.locator("article button").first.click()
    assert "Decided." in page.inner_text("[role=status]")
    assert "status" == focused(page, "role")

    page.goto("/plan")
    page.click("text=Make a plan")
    page.locator("text=See the plan").wait_for(timeout=30_000)
    assert [] == objections(page)
    page.click("text=See the plan")
    shown = page.locator("li.change").count()
    assert shown > 0
    assert [] == objections(page)
    page.click("text=Apply this plan")
    assert [] == objections(page)
    assert f"Write {shown} changes" == page.inner_text("button.main")
    page.go_back()
    page.click("text=Apply this plan")
    page.click("button.main")
    page.locator("text=See the run").wait_for(timeout=30_000)
    assert f"{shown} written" in page.inner_text("ul.counts").replace("\n", " ")

    page.click("text=See the run")
    assert shown == page.locator("main table").last.locator("tbody tr").count()
    page.goto("/plan")
    assert "This plan has been applied." in page.inner_text("main")


def test_it_speaks_three_languages(visit: Any) -> None:
    """That of the browser at first; then what was chosen."""
    page = visit(locale="zh-CN")
    assert ("zh-Hans", "概览") == (page.get_attribute("html", "lang"), page.inner_text("h1"))
    page.click("footer >> text=Português")
    assert ("pt-BR", "Visão geral") == (page.get_attribute("html", "lang"), page.inner_text("h1"))
    page.goto("/deals")
    assert "Negócios retidos" == page.inner_text("h1")


def test_signing_out_ends_the_session(served: Page, visit: Any) -> None:
    """Also for who kept the cookie, which is named by the port: browsers keep one for all ports of a host."""
    page = visit("read")
    kept = page.context.cookies()
    name = f"crmbridge_{urlsplit(served.url).port}"
    assert [(True, "Strict")] == [(one["httpOnly"], one["sameSite"]) for one in kept if one["name"] == name]
    page.click("text=Sign out")
    page.context.add_cookies(kept)
    page.goto("/runs")

    assert page.url.startswith(f"{served.url}/sign-in")


def test_the_report_and_the_manual_are_shown_as_they_are_made(visit: Any) -> None:
    """With their own styles, and the manual's search, under policies that let nothing else in."""
    page = visit()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for path, heading in (("/report", "Weekly"), ("/manual/", "Business-to-business sales")):
        page.goto(path)
        assert heading == page.inner_text("h1")
        assert "0px" == page.evaluate("getComputedStyle(document.body).margin")
        page.click("text=← Overview")
        assert "Overview" == page.inner_text("h1")
    page.goto("/manual/en/search.html")

    assert [] == said


def test_on_paper_the_page_is_dark_on_white(visit: Any) -> None:
    """Also for somebody whose screen is dark, and with no column of a table squeezed."""
    page = visit(viewport={"width": 700, "height": 900})
    light = page.evaluate("getComputedStyle(document.body).color")
    page.emulate_media(media="print", color_scheme="dark")

    assert light == page.evaluate("getComputedStyle(document.body).color")
    page.set_viewport_size({"width": 900, "height": 900})
    assert "block" == page.evaluate("getComputedStyle(document.querySelector('table.stack tr')).display")
