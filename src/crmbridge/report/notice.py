"""Say what was found as a notice for people: a few lines for a chat, a page for a file."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import NamedTuple

from crmbridge.engine.text import plain
from crmbridge.ports import Document
from crmbridge.report.rendering import marked
from crmbridge.report.words import Words, words_of

LINE = 450  # characters of a notice in a chat


class Notice(NamedTuple):
    """One thing to tell: what it is about, for whom, and all there is to say."""

    subject: str
    to: str
    body: str


def notice_document(name: str, notices: Sequence[Notice], language: str = "en") -> Document:
    """Make a document of notices. What came from a CRM is shown as text and nothing else."""
    words = words_of(language)
    title = plain(notices[0].subject) if len(notices) == 1 else words("notice_findings", n=len(notices))
    lines = [plain(f"{each.subject}. {words('line_for_whom', to=each.to)}. {each.body}", LINE) for each in notices]
    parts = [
        [f"## {marked(plain(each.subject))}", words("line_for_whom", to=marked(plain(each.to))), *_lines(each)]
        for each in notices
    ]
    markdown = "\n\n".join([f"# {marked(title)}", *("\n\n".join(part) for part in parts)]) + "\n"
    return Document(
        name=name,
        title=title,
        html=_page(title, notices, words),
        markdown=markdown,
        facts={"title": title, "language": words.tag, "summary": lines},
    )


def _lines(notice: Notice) -> list[str]:
    return [str(marked(plain(line, 2000))) for line in notice.body.splitlines() if line.strip()]


def _page(title: str, notices: Sequence[Notice], words: Words) -> str:
    parts = [
        f"<h2>{_text(each.subject)}</h2><p>{words('line_for_whom', to=_text(each.to))}</p>"
        + "".join(f"<p>{_text(line, 2000)}</p>" for line in each.body.splitlines() if line.strip())
        for each in notices
    ]
    head = f'<!doctype html><html lang="{words.tag}"><meta charset="utf-8"><title>{_text(title)}</title>'
    return f"{head}<h1>{_text(title)}</h1>{''.join(parts)}</html>\n"


def _text(text: str, limit: int = 200) -> str:
    return html.escape(plain(text, limit))
