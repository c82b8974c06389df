"""Build the manual as a site of static pages that need no server: links are relative, nothing comes from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from crmbridge.languages import LANGUAGES, tag
from crmbridge.manual.comparing import Version
from crmbridge.manual.flow_text import dot, mermaid
from crmbridge.manual.pages import Page, Source, pages, templates
from crmbridge.manual.searching import entries, groups, index_script
from crmbridge.manual.speech import Speech, languages_of
from crmbridge.manual.words import words_of
from crmbridge.model.process import Process

# Files opened from a disk have no origin that 'self' could mean, so they are named by their scheme. No page runs or
# shows anything that is written in it, and none sends anything.
POLICY = (
    "default-src 'none'; style-src 'self' file:; script-src 'self' file:; form-action 'self' file:; base-uri 'none'"
)
_LOCAL = re.compile(r'(?P<key> href| action)="(?P<page>[a-z][a-z0-9_-]*)\.html(?:#(?P<id>[^"]*))?"')
_HERE = re.compile(r'(?P<before> href="#| id="|url\(#| aria-labelledby=")')
_NAMED = re.compile(r'<section aria-labelledby="[^"]*"')  # the same name in every chapter would tell nobody where
_HEADING = re.compile(r"<(/?)h([1-5])\b")


def build_site(
    process: Process,
    languages: Sequence[str] | None = None,
    *,
    definitions: Mapping[str, Mapping[str, str]] | None = None,
    earlier: Sequence[Version] = (),
    years: Sequence[int] = (),
) -> Mapping[str, str]:
    """Build the manual of a process: the text of each file by its path in the site, such as `pt/index.html`.

    `languages` are en, pt and zh, or those of them that the process has when not said; raises KeyError for others.
    `definitions` say by language and measure what an indicator counts. `earlier` are versions of the process, oldest
    first, for the change log. `years` are those whose public holidays are listed. The same arguments give the same
    text, and whatever the process says is shown as text and nothing else.
    """
    spoken = tuple(dict.fromkeys(languages)) if languages else languages_of(process)
    site = {"manual.css": _file("manual.css"), "search.js": _file("search.js"), "language.js": _file("language.js")}
    names = []
    for language in spoken:
        speech = Speech(process, words_of(language))
        names.append((language, speech.plain(process.name)))
        source = Source(
            speech=speech,
            definitions=(definitions or {}).get(language, {}),
            earlier=tuple(earlier),
            years=tuple(years),
        )
        site |= {f"{language}/{name}": text for name, text in _language(source, spoken)}
    root = templates().get_template("root.html.j2")
    site["index.html"] = root.render(languages=_tongues(spoken), names=names, policy=POLICY)
    return site


def _language(source: Source, spoken: Sequence[str]) -> Iterator[tuple[str, str]]:
    speech = source.speech
    made = [*pages(source)]
    for page in made:
        yield f"{page.name}.html", _whole(page, speech, spoken)
    heading = Markup('<h1 class="whole-manual">{}</h1>').format(
        speech.words("whole_manual", process=speech.text(speech.process.name))
    )
    everything = Page(name="all", title=str(speech.words("page_all").unescape()), body=heading + _joined(made))
    yield "all.html", _whole(everything, speech, spoken)
    found = entries(speech)
    title = str(speech.words("page_search").unescape())
    body = templates().get_template("search.html.j2").render(w=speech.words, title=title, groups=groups(found, speech))
    search = Page(name="search", title=title, body=Markup(body))  # noqa: S704  rendered with escaping
    yield "search.html", _whole(search, speech, spoken, scripts=("index.js", "../search.js"))
    yield "index.js", index_script(found)
    yield "flow.mmd", mermaid(speech)
    yield "flow.dot", dot(speech)


def _whole(page: Page, speech: Speech, spoken: Sequence[str], *, scripts: Sequence[str] = ()) -> str:
    """Put a page's body into the frame that all pages share."""
    targets = ("index", "flow", "indicators", "glossary", "calendars", "changes", "search")
    text = (
        templates()
        .get_template("layout.html.j2")
        .render(
            name=page.name,
            title=page.title,
            body=page.body,
            w=speech.words,
            policy=POLICY,
            process_name=speech.plain(speech.process.name),
            languages=_tongues(spoken),
            nav=[(target, speech.words(f"page_{target}")) for target in targets],
            scripts=scripts,
        )
    )
    return "\n".join(line for line in text.splitlines() if line.strip()) + "\n"


def _tongues(spoken: Sequence[str]) -> list[tuple[str, str, str]]:
    return [(code, tag(code), LANGUAGES[code]) for code in spoken]


def _joined(made: Iterable[Page]) -> Markup:
    """Put all pages into one, with links that stay within it."""
    made = tuple(made)
    known = {page.name for page in made}
    return Markup("\n").join(_section(page, known) for page in made)


def _section(page: Page, known: set[str]) -> Markup:
    # What people wrote is escaped, so a quote that ends an attribute is always one of ours.
    body = _NAMED.sub("<section", str(page.body))
    body = _HERE.sub(lambda found: f"{found['before']}{page.name}--", body)
    body = _LOCAL.sub(lambda found: _within(found, known), body)
    body = _HEADING.sub(lambda found: f"<{found[1]}h{int(found[2]) + 1}", body)
    return Markup('<article class="chapter" id="{}">{}</article>').format(page.name, Markup(body))  # noqa: S704  ours


def _within(found: re.Match[str], known: set[str]) -> str:
    if found["page"] not in known:
        return found[0]
    return f'{found["key"]}="#{found["page"]}{"--" + found["id"] if found["id"] else ""}"'


@cache
def _file(name: str) -> str:
    return files(__package__).joinpath("templates", name).read_text("utf-8")
