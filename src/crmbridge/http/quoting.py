"""What an error may quote of an answer: its beginning, or the title of a page that came instead of one."""

from __future__ import annotations

import html
import re

from crmbridge.revealed import strike

MOST_WORDS = 2000  # how much of an answer errors may speak of
_PAGE = re.compile(r"\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_TITLE = re.compile(r"<title[^<>]*>([^<]*)", re.IGNORECASE)


def words_of(content: bytes) -> str:
    """Give the beginning of an answer as text, in the one encoding of JSON, whatever the answer says of itself.

    Of a page for people only its title is of use.
    """
    text = strike(content[: 4 * MOST_WORDS].decode("utf-8", "replace"))[:MOST_WORDS]
    if not _PAGE.match(text):
        return text
    title = _TITLE.search(text)
    called = html.unescape(title[1]).strip() if title else ""
    return f'a page, "{called}"' if called else "a page"
