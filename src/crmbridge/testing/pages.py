"""Read an HTML page strictly, and tell whether it is a quiet one: nothing runs, nothing is fetched."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from types import MappingProxyType

VOID = {"meta", "br", "img", "input", "hr"}
_CELL_ENDS = {"td", "th", "tr", "tbody"}
# Parts of a table whose end may be left out, and what then ends them beside the end of the table.
ENDED_BY: Mapping[str, set[str]] = MappingProxyType(
    {"td": _CELL_ENDS, "th": _CELL_ENDS, "tr": {"tr", "tbody"}, "thead": {"tbody"}, "tbody": {"tbody"}}
)


class Page(HTMLParser):
    """Reads a page: every element must be closed in order, parts of tables as HTML has it. Keeps elements and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element that opens."""
        assert len(attrs) == len(dict(attrs)), f"an attribute of {tag} stands twice"
        self.elements.append((tag, dict(attrs)))
        while self._open and tag in ENDED_BY.get(self._open[-1], ()):
            self._open.pop()
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep an element without content."""
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        """Close the element that was opened last, and with a table what is still open in it."""
        while tag == "table" and self._open[-1] in ENDED_BY:
            self._open.pop()
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        """Keep text that people read."""
        if not self._open or self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        """Give all text that people read, with single spaces."""
        return " ".join(" ".join(self.words).split())

    def all(self, name: str, **attributes: str) -> list[dict[str, str | None]]:
        """Give the attributes of every element of a name that has these; `class_` stands for class."""
        wanted = {key.rstrip("_"): value for key, value in attributes.items()}
        return [at for tag, at in self.elements if tag == name and wanted.items() <= at.items()]


def assert_quiet(html: str) -> Page:
    """Hold a page to be quiet: it runs nothing, asks nobody, leads nowhere else, and is well-formed."""
    page = Page(html)
    names = {name for _, attributes in page.elements for name in attributes}
    links = [attributes["href"] or "" for _, attributes in page.elements if "href" in attributes]
    assert not {"script", "link", "img", "iframe", "object", "base", "form", "image", "use"} & {
        tag for tag, _ in page.elements
    }
    assert not {"src", "style", "srcset", "action", "xlink:href", "formaction"} & names
    assert not [name for name in names if name.startswith("on")]
    assert not [link for link in links if not link.startswith("#")]
    return page
