"""Render a scorecard as one HTML file, as Markdown, and as plain JSON."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from itertools import groupby
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from crmbridge.engine.text import plain
from crmbridge.model.figures import Scorecard
from crmbridge.ports import Document
from crmbridge.report.attention import cards, summary
from crmbridge.report.cleaning import cleaned
from crmbridge.report.facts import facts_of
from crmbridge.report.parts import Section
from crmbridge.report.sections import indicator_table, run_counts, sections
from crmbridge.report.tiles import tiles
from crmbridge.report.wording import cautions
from crmbridge.report.words import Words, words_of


def render(
    scorecard: Scorecard,
    run: Mapping[str, Any] | None,
    title: str,
    language: str = "en",
    *,
    name: str = "scorecard",
) -> Document:
    """Render a scorecard and what the run did (counts by name, such as `applied`) as a document called `name`.

    The HTML is one file without scripts or outside references. Text from a CRM is shown as text and nothing else. The
    document's scorecard is the one that was shown: its texts are single lines without control characters.
    """
    words, card, heading = words_of(language), cleaned(scorecard), plain(title)
    values = {"title": heading, "words": words, **_values(card, run, words)}
    return Document(
        name=name,
        title=heading,
        html=_html(values),
        markdown=_tidy(_pages.get_template("report.md.j2").render(values)),
        facts={"title": heading, "summary": summary(card, words), "run": run_counts(run), **facts_of(card)},
        scorecard=card,
    )


def _values(card: Scorecard, run: Mapping[str, Any] | None, words: Words) -> dict[str, Any]:
    """Give what both templates show."""
    laid_out = sections(card, run, words)
    shown = card if card.coverage.deals else None
    return {
        "process": card.process,
        "as_of": words("as_of", when=words.minute(card.as_of)),
        "strip": _strip(card, words),
        "history": _history(card, words),
        "coverage": _coverage(card, words),
        "cards": cards(card, words),
        "tiles": tiles(shown, words) if shown else (),
        "indicators": indicator_table(shown, words) if shown else None,
        "cautions": cautions([each.figure for each in card.indicators], words) if shown else (),
        "sections": laid_out,
        "groups": _groups(laid_out, words),
    }


def _groups(laid_out: Sequence[Section], words: Words) -> list[tuple[str, str, list[Section]]]:
    """Put the sections under the headings of their groups; the run stands for itself."""
    return [
        (group, words(f"group_{group}"), list(members)) for group, members in groupby(laid_out, key=lambda s: s.group)
    ]


def _html(values: Mapping[str, Any]) -> str:
    css = files(__package__).joinpath("templates", "report.css").read_text("utf-8")
    # The page allows exactly this style sheet, so not even a style attribute could be smuggled in.
    digest = base64.b64encode(hashlib.sha256(css.encode()).digest()).decode()
    ours = Markup(css)  # noqa: S704  our own file, not somebody's text
    return _pages.get_template("report.html.j2").render(values, css=ours, digest=digest)


def _strip(card: Scorecard, words: Words) -> list[tuple[str, str]]:
    """Give the deals by what became of them, for the top of the page."""
    counts = card.coverage
    shown = (("deals", counts.deals), ("open", counts.open), ("won", counts.won), ("lost", counts.lost))
    return [(words(f"count_{name}"), words.number(count)) for name, count in shown]


def _history(card: Scorecard, words: Words) -> str:
    counts = card.coverage
    if not counts.deals:
        return ""
    since = words("since", when=words.day(counts.since)) if counts.since else ""
    numbers = {"deals": words.number(counts.deals), "with_history": words.number(counts.with_history)}
    currency = words("in_currency", currency=card.currency) if card.currency else ""
    return words("history", since=since, **numbers) + currency


def _coverage(card: Scorecard, words: Words) -> str:
    counts = card.coverage
    if not counts.deals:
        return ""
    numbers = {name: words.number(getattr(counts, name)) for name in ("deals", "open", "won", "lost")}
    return words.counted("coverage", counts.deals, **numbers) + _history(card, words)


_MARKED = re.compile(r"([\\`*_{}\[\]<>#|~&!])")


def marked(text: str) -> Markup:
    """Escape what Markdown would read as more than text, addresses that it would make links included."""
    text = _MARKED.sub(r"\\\1", text).replace("://", "\\://")
    text = re.sub(r"\bwww\.", r"www\\.", text, flags=re.IGNORECASE)
    return Markup(text)  # noqa: S704  escaped for Markdown, which is not HTML


def _tidy(text: str) -> str:
    """Leave one empty line between parts, however many the template left."""
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


_pages = Environment(
    loader=PackageLoader(__package__), autoescape=True, undefined=StrictUndefined, keep_trailing_newline=True
)
_pages.filters["md"] = marked
