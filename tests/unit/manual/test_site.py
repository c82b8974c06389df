"""The site: which pages it has, that its links lead somewhere, and that whatever a process says is harmless there."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from crmbridge.files.reading import read_process
from crmbridge.languages import LANGUAGES
from crmbridge.manual import Version, build_site
from crmbridge.model.process import Process
from crmbridge.testing.factories import make_process, make_stage

PROCESSES = Path(__file__).parents[3] / "config" / "processes"
EVIL = "</title><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\"'{{7*7}}"


class Links(HTMLParser):
    """Collects the ids of a page, where its links lead, and whatever could do harm."""

    def __init__(self) -> None:
        super().__init__()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.harmful: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        found = dict(attrs)
        self.ids += [found["id"]] if found.get("id") else []
        self.links += [link for key in ("href", "src", "action") if (link := found.get(key))]
        self.harmful += [key for key in found if key.startswith("on") or key in {"style", "srcdoc"}]
        if tag in {"img", "iframe", "object"} or (tag == "script" and not found.get("src")):
            self.harmful.append(tag)


def read(text: str) -> Links:
    """Read a page."""
    parser = Links()
    parser.feed(text)
    return parser


def process(name: str = "b2b") -> Process:
    """Read a shipped process."""
    model = read_process(PROCESSES / f"{name}.yaml").model
    assert model is not None
    return model


@pytest.fixture(scope="module")
def site() -> Mapping[str, str]:
    """Build the manual of the shipped process in its three languages, with a version before it."""
    return build_site(process(), earlier=(Version("2026-03-01", make_process()),), years=(2026, 2027))


def hostile() -> Process:
    """Make a process in which every text that people write is hostile."""
    rule = {"id": "rule", "check": {"one_of": {"field": "plan", "values": [EVIL]}}, "message": EVIL}
    stage = make_stage(
        name=EVIL,
        purpose=EVIL,
        exit=[rule],
        activities=[{"id": "act", "name": EVIL, "how": f"- {EVIL}\n1. {EVIL}", "materials": ["paper", "mail", "data"]}],
        outputs=[{"id": "out", "name": EVIL, "field": "plan"}],
        slas=[{"id": "quick", "name": EVIL, "kind": "no_activity", "goal": "2d", "types": [EVIL]}],
        handoff={"to": "other", "accept_within": "2h", "accepted": "plan"},
        touch_points=["point"],
    )
    return make_process(
        name=EVIL,
        purpose=EVIL,
        languages=[EVIL, "en"],
        roles=[{"id": "seller", "name": {EVIL: EVIL}, "purpose": EVIL}, {"id": "other", "name": EVIL}],
        fields=[{"id": "plan", "name": EVIL, "help": EVIL, "type": "choice", "options": [EVIL]}],
        materials=[
            {"id": "paper", "name": EVIL, "link": "javascript:alert(1)"},
            {"id": "mail", "name": EVIL, "link": 'https://x.example/"onmouseover="alert(1)'},
            {"id": "data", "name": EVIL, "link": "data:text/html,x"},
        ],
        touch_points=[{"id": "point", "department": "legal", "name": EVIL, "agreement": EVIL}],
        indicators=[{"id": "wins", "name": EVIL, "measure": "win_rate", "target": EVIL, "why": EVIL}],
        stages=[stage, make_stage("care", status="won")],
    )


def test_every_stage_role_and_language_has_its_page(site: Mapping[str, str]) -> None:
    """And the flow chart is there for other programs."""
    names = {name.split("/")[1] for name in site if name.startswith("pt/")}

    assert {f"stage-{stage.id}.html" for stage in process().stages} <= names
    assert {f"role-{role.id}.html" for role in process().roles} <= names
    assert {"index.html", "flow.html", "flow.mmd", "flow.dot", "glossary.html", "indicators.html"} <= names
    assert {"calendars.html", "changes.html", "search.html", "index.js", "all.html"} <= names
    for language in LANGUAGES:
        assert names == {name.split("/")[1] for name in site if name.startswith(f"{language}/")}


def test_every_link_leads_somewhere(site: Mapping[str, str]) -> None:
    """From each page, also to a place within another one; nothing is absolute and nothing comes from elsewhere."""
    pages = {name: read(text) for name, text in site.items() if name.endswith(".html")}
    broken = []
    for name, page in pages.items():
        for link in page.links:
            path, _, place = link.partition("#")
            target = str((Path("/") / name).parent.joinpath(path).resolve())[1:] if path else name
            if target not in site or (place and place not in pages[target].ids):
                broken.append((name, link))

    assert [] == broken


def test_no_id_stands_twice_on_a_page(site: Mapping[str, str]) -> None:
    """Not even on the one that has all the others."""
    pages = {name: read(text).ids for name, text in site.items() if name.endswith(".html")}

    assert [] == [name for name, ids in pages.items() if len(set(ids)) < len(ids)]


def test_the_search_index_leads_somewhere(site: Mapping[str, str]) -> None:
    """Each thing that is found has its place."""
    for language in LANGUAGES:
        for path, place in re.findall(r'"([a-z_-]+\.html)(?:#([^"]+))?"', site[f"{language}/index.js"]):
            page = site[f"{language}/{path}"]
            assert not place or f'id="{place}"' in page, (path, place)


def test_every_page_switches_to_the_same_page_in_another_language(site: Mapping[str, str]) -> None:
    """By a link that people see, and by hreflang for machines."""
    page = site["en/stage-proposal.html"]

    for code, tag in (("en", "en"), ("pt", "pt-BR"), ("zh", "zh-Hans")):
        assert f'<link rel="alternate" hreflang="{tag}" href="../{code}/stage-proposal.html">' in page
        assert f'<a href="../{code}/stage-proposal.html" hreflang="{tag}" lang="{tag}"' in page
    assert '<html lang="pt-BR">' in site["pt/stage-proposal.html"]


def test_the_same_process_gives_the_same_bytes(site: Mapping[str, str]) -> None:
    """Whenever it is built."""
    assert site == build_site(process(), earlier=(Version("2026-03-01", make_process()),), years=(2026, 2027))


def test_pages_run_nothing_that_is_written_in_them(site: Mapping[str, str]) -> None:
    """Styles and scripts are files; the policy allows these and nothing else."""
    for name, text in site.items():
        if name.endswith(".html"):
            assert [] == read(text).harmful, name
            assert "default-src &#39;none&#39;; style-src &#39;self&#39; file:; script-src" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_hostile_process_is_shown_and_nothing_else(language: str) -> None:
    """No element, no attribute, no link and no turned-round text comes from what a process says."""
    site = build_site(hostile(), [language], earlier=(Version(EVIL, make_process()),))

    for name, text in site.items():
        assert "\u202e" not in text, name
        if name.endswith(".html"):
            page = read(text)
            assert [] == page.harmful, name
            assert [] == [link for link in page.links if re.match(r"(?i)\s*(javascript|data):", link)], name
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in site[f"{language}/stage-qualification.html"]
    assert "<script" not in site[f"{language}/flow.mmd"]
    assert "{{7*7}}" in site[f"{language}/stage-qualification.html"]
    assert "<" not in site[f"{language}/index.js"]


def test_only_links_to_the_web_or_a_mailbox_are_links() -> None:
    """Others are shown as names."""
    page = read(build_site(hostile(), ["en"])["en/stage-qualification.html"])

    assert ['https://x.example/"onmouseover="alert(1)'] == [link for link in page.links if ".example" in link]


def test_a_text_that_is_missing_in_a_language_is_marked() -> None:
    """The reader sees which language it is in, and so does what reads aloud."""
    stage = make_stage(purpose={"en": "Sell.", "pt": "Vender."})
    site = build_site(make_process(languages=["en", "zh"], stages=[stage]), ["pt", "zh"])

    assert (
        '<span lang="en" class="other">Sell. <span class="tongue">English</span></span>'
        in (site["zh/stage-qualification.html"])
    )
    assert '<p class="lead">Vender.</p>' in site["pt/stage-qualification.html"]


def test_a_process_of_one_language_is_marked_in_the_others() -> None:
    """Its plain texts are in that language; those of a process of several are for all."""
    assert '<span lang="en" class="other">Find the pain' in build_site(process("meddicc"), ["pt"])["pt/index.html"]
    assert 'class="other"' not in build_site(make_process(languages=["en", "pt"]), ["pt"])["pt/index.html"]


def test_without_a_language_those_of_the_process_are_built() -> None:
    """English, where the manual speaks none of them."""
    assert "pt/index.html" not in build_site(process("meddicc"))
    assert "en/index.html" in build_site(make_process(languages=["de"]))


def test_a_how_to_keeps_its_paragraphs_and_lists() -> None:
    """A text of several lines is more than one line."""
    activity: dict[str, Any] = {"id": "call", "name": "Call", "how": "Prepare.\n\n1. Dial.\n2. Ask.\n\n- Never shout."}
    site = build_site(make_process(stages=[make_stage(activities=[activity])]))

    assert (
        "<p>Prepare.</p><ol><li>Dial.</li><li>Ask.</li></ol><ul><li>Never shout.</li></ul>"
        in (site["en/stage-qualification.html"])
    )


def test_indicators_say_what_they_count_and_what_they_aim_at() -> None:
    """The definition is given by whoever counts; the aim is said in words."""
    definitions = {"en": {"time_in_stage": "Days.", "time_in_stage_business": "Business days."}}
    indicator = {"id": "quick", "name": "Quick", "measure": "time_in_stage", "stage": "proposal", "target": "5bd"}
    page = build_site(make_process(indicators=[indicator]), ["en"], definitions=definitions)["en/indicators.html"]

    assert "at most 5 business days" in page
    assert "<p>Business days.</p>" in page
