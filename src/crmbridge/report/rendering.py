"""Render a scorecard as one HTML file, as Markdown, and as plain JSON."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from crmbridge.engine.text import plain
from crmbridge.ports import Document
from crmbridge.report.attention import cards, summary
from crmbridge.report.facts import HasFacts, ScorecardFacts, clean_facts
from crmbridge.report.sections import run_counts, sections
from crmbridge.report.words import Words, words_of


def render(
    scorecard: HasFacts,
    run: Mapping[str, Any] | None,
    title: str,
    language: str = "en",
    *,
    name: str = "scorecard",
) -> Document:
    """Render a scorecard and what the run did (counts by name, such as `applied`) as a document called `name`.

    The HTML is one file without scripts or outside references. Text from a CRM is shown as text and nothing else.
    """
    words, facts, heading = words_of(language), clean_facts(scorecard), plain(title)
    values = {
        "language": words.html_language,
        "title": heading,
        "process": facts["process"],
        "as_of": words("as_of", when=words.minute(facts["as_of"])),
        "coverage": _coverage(facts, words),
        "attention_title": words("attention"),
        "no_data": words("no_data"),
        "no_data_why": words("no_data_why"),
        "cards": cards(facts, words),
        "sections": sections(facts, run, words),
    }
    return Document(
        name=name,
        title=heading,
        html=_html(values),
        markdown=_pages.get_template("report.md.j2").render(values).rstrip() + "\n",
        facts={**facts, "title": heading, "summary": summary(facts, words), "run": run_counts(run)},
    )


def _html(values: Mapping[str, Any]) -> str:
    css = files(__package__).joinpath("templates", "report.css").read_text("utf-8")
    # The page allows exactly this style sheet, so not even a style attribute could be smuggled in.
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    ours = Markup(css)  # noqa: S704  our own file, not somebody's text
    return _pages.get_template("report.html.j2").render(values, css=ours, digest=digest)


def _coverage(facts: ScorecardFacts, words: Words) -> str:
    counts = facts["coverage"]
    since = words("since", when=words.day(counts["since"])) if counts["since"] else ""
    numbers = {name: words.number(counts[name]) for name in ("deals", "open", "won", "lost", "with_history")}
    return words("coverage", since=since, **numbers)


_MARKED = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def marked(text: str) -> Markup:
    """Escape what Markdown would read as more than text, addresses that it would make links included."""
    text = _MARKED.sub(r"\\\1", text).replace("://", "\\://")
    text = re.sub(r"\bwww\.", r"www\\.", text, flags=re.IGNORECASE)
    return Markup(text)  # noqa: S704  escaped for Markdown, which is not HTML


_pages = Environment(
    loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
)
_pages.filters["md"] = marked
