"""The text of a piece of HTML, as people see it: line by line, without its markup.

Whoever may write a note may write anything into it. So reading it takes time in proportion to its length, whatever is
left open in it, and it always ends with a text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import NamedTuple

# What begins and ends a line, and what keeps the words beside it apart. All else stands within a line.
BLOCKS = frozenset(
    {"p", "div", "li", "ul", "ol", "dl", "dt", "dd", "tr", "table", "caption", "thead", "tbody", "tfoot", "hr"}
    | {"h1", "h2", "h3", "h4", "h5", "h6", "title", "blockquote", "pre", "address", "figure", "figcaption", "form"}
    | {"article", "aside", "details", "summary", "header", "footer", "main", "nav", "section"}
)
CELLS = frozenset({"td", "th"})
# What people don't see, up to where it ends.
UNSEEN: Mapping[str, re.Pattern[str]] = MappingProxyType(
    {name: re.compile(rf"</{name}(?![a-z0-9])", re.IGNORECASE) for name in ("script", "style")}
)
_NAME = re.compile(r"/?([a-zA-Z][^\s/>]*+)")
# The rest of a tag. Quotes count after an equals sign only; what stands in them ends no tag.
_REST = re.compile(r"""(?:[^>=]++|=\s*+(?:"[^"]*+"|'[^']*+')?+)*+>""")
_ENDLESS = re.compile(r"&#[xX]?[0-9a-fA-F]{100,}+;?")  # Python reads no number of more than 4,300 digits
_LINE, _EDGE = "\n", "\r"  # a break, and where a block begins or ends


class _Piece(NamedTuple):
    """Some text, and the name of the tag after it: none at the end, nor of a comment."""

    text: str
    tag: str = ""
    closes: bool = False


def text_of(markup: str) -> str:
    """Give the text of HTML: blocks and breaks make lines, blanks run together, entities are characters.

    Text without any markup keeps its lines. Of several empty lines one is left.
    """
    lines: list[str] = []
    for block in "".join(_told(list(_pieces(markup)))).split(_EDGE):
        own = [" ".join(line.split()) for line in block.split(_LINE)]
        lines += own if own[-1] else own[:-1]  # a break at the end of a block makes no line
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def bare_text(markup: str) -> str:
    """Give the text of HTML without its tags, run together, so that a word is found however an editor wrapped it."""
    return "".join(unescaped(piece.text) for piece in _pieces(markup))


def unescaped(text: str) -> str:
    """Put characters in the place of entities; of a number that can't be one, the sign for what is unknown."""
    return html.unescape(_ENDLESS.sub("\ufffd", text)) if "&" in text else text


def _told(pieces: list[_Piece]) -> Iterator[str]:
    """Yield the texts, with what breaks and blocks mean to them; elsewhere than in `pre`, line ends are blanks."""
    as_it_is = len(pieces) == 1
    for piece in pieces:
        text = unescaped(piece.text).replace("\r\n", "\n").replace("\r", "\n")
        yield text if as_it_is else text.replace("\n", " ")
        if piece.tag == "br":
            yield _LINE
        elif piece.tag in BLOCKS:
            yield _EDGE
        elif piece.tag in CELLS:
            yield " "
        if piece.tag == "pre":
            as_it_is = not piece.closes


def _pieces(markup: str) -> Iterator[_Piece]:
    """Cut HTML in its texts and tags. Nothing is looked for twice in what has none of it."""
    tags = _Tags(markup)
    begin = place = 0
    while 0 <= (start := markup.find("<", place)) < tags.last:
        name, place = tags.at(start)
        if place > start + 1:
            closes = markup[start + 1] == "/"
            yield _Piece(markup[begin:start], name, closes)
            begin = place = place if closes else tags.seen_again(name, place)
    yield _Piece(markup[begin:])


class _Tags:
    """Where the tags of one text end. What a search for an end did not find is not searched for again."""

    def __init__(self, markup: str) -> None:
        self._markup = markup
        self.last = markup.rfind(">")
        self._last_comment = markup.rfind("-->")
        self._heeds_quotes = True
        self._endless: set[str] = set()

    def at(self, start: int) -> tuple[str, int]:
        """Give the name of the tag that begins there, and the place after it, or after the sign if none does."""
        markup = self._markup
        if markup.startswith("<!--", start) and start + 4 <= self._last_comment:
            return "", markup.index("-->", start + 4) + 3
        if markup[start + 1] in "!?":
            return "", markup.index(">", start) + 1
        if (named := _NAME.match(markup, start + 1)) is None:
            return "", start + 1
        rest = _REST.match(markup, named.end()) if self._heeds_quotes else None
        self._heeds_quotes = rest is not None
        return named[1].lower(), rest.end() if rest else markup.index(">", start) + 1

    def seen_again(self, name: str, end: int) -> int:
        """Give the place from which on people see something, after a tag that ends there."""
        if name not in UNSEEN or name in self._endless:
            return end
        closing = UNSEEN[name].search(self._markup, end)
        if closing is None:
            self._endless.add(name)
            return end
        return closing.start()
