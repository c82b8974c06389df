"""A report as a Slack message: Block Kit blocks in which nothing is a link or a mention."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from crmbridge.engine.text import plain
from crmbridge.model.figures import IndicatorFigure, Scorecard
from crmbridge.ports import Document
from crmbridge.report.attention import cards
from crmbridge.report.note import summary_lines
from crmbridge.report.sections import where
from crmbridge.report.wording import against_target, small, target, value
from crmbridge.report.words import Words, words_of

# Limits of Slack's reference pages "Blocks", "Header block", "Section block" and "Text object".
MAX_BLOCKS = 50
MAX_HEADER = 150
MAX_TEXT = 3000
MAX_FIELDS = 10
MAX_FIELD = 2000
_MARKS = {"good": "🟢", "warn": "🟡", "bad": "🔴", "caution": "🟡"}

Block = dict[str, Any]


def message(document: Document) -> Block:
    """Make the message: what it is, when and of how many deals, the indicators, and what needs attention.

    A document that is no scorecard, such as a notice, gives its lines.
    """
    title = plain(document.title, MAX_HEADER)
    header = {"type": "header", "text": {"type": "plain_text", "text": title, "emoji": False}}
    card = document.scorecard
    rest = _of_scorecard(card) if card is not None and card.coverage.deals else _of_lines(summary_lines(document))
    return {
        "text": escaped(title),  # what notifications show, and clients without blocks
        "blocks": _within([header, *rest]),
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _of_scorecard(card: Scorecard) -> Iterator[Block]:
    words = words_of(card.language)
    yield {"type": "context", "elements": [_text(_about(card, words), MAX_FIELD)]}
    for first in range(0, len(card.indicators), MAX_FIELDS):
        group = card.indicators[first : first + MAX_FIELDS]
        yield {"type": "section", "fields": [_text(_field(each, words), MAX_FIELD) for each in group]}
    yield {"type": "divider"}
    lines = [
        f"{_MARKS.get(one.tone, '•')} *{_said(one.value)}* {_said(one.label)}: {_said(one.detail)}"
        for one in cards(card, words)
    ]
    yield from _sections(lines)


def _about(card: Scorecard, words: Words) -> str:
    counts = card.coverage
    numbers = {name: words.number(getattr(counts, name)) for name in ("deals", "open", "won", "lost")}
    said = words.counted("coverage", counts.deals, **numbers)
    return f"{_said(card.process)} · {words('as_of', when=words.minute(card.as_of))} · {said}"


def _field(each: IndicatorFigure, words: Words) -> str:
    """Say an indicator in three lines: its name, its value, and what it is aimed at."""
    state, stage = against_target(each, words), where(each)
    name = f"*{_said(each.name)}*" + (f" ({_said(stage)})" if stage else "")
    figure = " ".join(filter(None, [_MARKS.get(state.tone, ""), value(each.figure, words), _noted(each, words)]))
    if each.target is None:
        return f"{name}\n{figure}"
    return f"{name}\n{figure}\n{words('target')} {_said(target(each, words))}, {state.text}"


def _noted(each: IndicatorFigure, words: Words) -> str:
    mark = small(each.figure, words)
    return f"({mark})" if mark else ""


def _of_lines(lines: Sequence[str]) -> Iterator[Block]:
    return _sections(map(escaped, lines))


def _sections(lines: Iterable[str]) -> Iterator[Block]:
    """Join lines to texts that are each short enough."""
    text = ""
    for line in map(_cut, lines):
        if text and len(text) + 1 + len(line) > MAX_TEXT:
            yield {"type": "section", "text": _text(text, MAX_TEXT)}
            text = ""
        text = f"{text}\n{line}" if text else line
    if text:
        yield {"type": "section", "text": _text(text, MAX_TEXT)}


def _within(blocks: list[Block]) -> list[Block]:
    """Keep what one message holds; what is too much ends in an ellipsis."""
    if len(blocks) <= MAX_BLOCKS:
        return blocks
    return [*blocks[: MAX_BLOCKS - 1], {"type": "section", "text": _text("…", MAX_TEXT)}]


def _text(text: str, limit: int) -> Block:
    # Verbatim: addresses and names of channels stay text ("Text object").
    return {"type": "mrkdwn", "text": _cut(text, limit), "verbatim": True}


def _cut(line: str, limit: int = MAX_TEXT) -> str:
    """Cut a line to what one text holds, not through an escaped character."""
    return line if len(line) <= limit else re.sub(r"&[a-z]{0,3}$", "", line[: limit - 1]) + "…"


def _said(text: str) -> str:
    """Give text of a figure, without the signs that would end or begin its emphasis."""
    return escaped(re.sub(r"[*_~`]", " ", plain(text))).strip()


def escaped(text: str) -> str:
    """Write the three characters that carry mentions and links as text ("Formatting text for app surfaces")."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
