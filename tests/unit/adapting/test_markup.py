"""The text of HTML: line by line as people see it, whatever anybody wrote."""

from __future__ import annotations

import html
import signal
from collections.abc import Iterator
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.adapting import bare_text, text_of, unescaped

MEGABYTE = 1_000_000
PATIENCE = 20  # seconds of this process's own time; what looks at each place of a megabyte again takes hours


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("", ""),
        ("plain", "plain"),
        ("Hello<br>there", "Hello\nthere"),
        ("a<br/>b<BR />c", "a\nb\nc"),
        ("<p>One</p><p>Two</p>", "One\nTwo"),
        ("<p>One</p>Two", "One\nTwo"),
        ("a<div>b</div>c", "a\nb\nc"),
        ('<div dir="auto">a</div><div>b&nbsp;c</div>', "a\nb c"),
        ("<p>One</p>\n\n<p>Two</p>\n", "One\nTwo"),
        ("<p>One</p><p><br></p><p>Two</p>", "One\n\nTwo"),
        ("<p>One<br></p><p>Two</p>", "One\nTwo"),
        ("a<br><br><br><br>b", "a\n\nb"),
        ("<ul><li>A</li><li>B &amp; C</li></ul>", "A\nB & C"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><th>c</th></tr></table>", "a b\nc"),
        ("<div><div><p>deep</p></div></div>after", "deep\nafter"),
        ("wrapped\nin its <b>source</b>", "wrapped in its source"),
        ("<pre>as\nit is</pre>and\nnot", "as\nit is\nand not"),
        ("bo<b>l</b>d", "bold"),
    ],
)
def test_every_line_that_people_see_is_a_line(markup: str, text: str) -> None:
    """Blocks stand on lines of their own, breaks end one, and blanks run together."""
    assert text == text_of(markup)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("first\nsecond\r\nthird\rfourth", "first\nsecond\nthird\nfourth"),
        ("one\n\ntwo\n\n\n\nthree", "one\n\ntwo\n\nthree"),
        ("  much \t room \xa0 here  ", "much room here"),
        ("3 < 5 and 6 > 4", "3 < 5 and 6 > 4"),
        ("I <3 you -> me", "I <3 you -> me"),
        ("a < b", "a < b"),
    ],
)
def test_text_without_markup_stays_as_it_is(text: str, expected: str) -> None:
    """Programs write notes as plain text, with lines; a sign that begins no tag is one of its characters."""
    assert expected == text_of(text)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("a &lt;b&gt; c&nbsp;d", "a <b> c d"),
        ("&lt;script&gt;", "<script>"),
        ("&amp;lt;", "&lt;"),
        ("&#x1F600; &#65;&eacute;&hearts;", "😀 Aé♥"),
        ("&blurb; & &", "&blurb; & &"),
        ("a&#13;&#10;b<br>", "a b"),
        ("&#x110000;&#0;", "\ufffd\ufffd"),
        ("&#" + "1" * 5_000 + ";x", "\ufffdx"),
        ("&#x" + "f" * 5_000 + " x", "\ufffd x"),
    ],
)
def test_entities_are_characters(markup: str, text: str) -> None:
    """Once, and never markup; a number that is no character is an unknown one."""
    assert text == text_of(markup)


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<script>alert('<p>')</script>after", "after"),
        ("<SCRIPT type=x>a</ScRiPt >after", "after"),
        ("<style>p {color: red}</style>after", "after"),
        ("<script>a</scripty>b</script>after", "after"),
        ("<script>never ends", "never ends"),
        ("<!-- a <b> -->after", "after"),
        ("<!--[if mso]><p>x</p><![endif]-->after", "after"),
        ("<!-- never ends <b>after", "after"),
        ("<!doctype html><?xml version='1'?>after", "after"),
        ('a <b title="x > y">c</b>', "a c"),
        ("a <b title='x > y' id = \"z>\">c</b>", "a c"),
        ("<p class=it's>a</p> <p>it's</p>", "a\nit's"),
        ('<a title="never ends>a</a>b', "ab"),
        ("<b>unclosed", "unclosed"),
        ("</b></p>closed twice</p></p>", "closed twice"),
        ("<a", "<a"),
        ("text <a href=", "text <a href="),
        ("<<b>>", "<>"),
        ("<b<i>x", "x"),
        ("<p/>a<br/ >b", "a\nb"),
    ],
)
def test_broken_and_hostile_markup_is_read_as_well(markup: str, text: str) -> None:
    """What people don't see is left out; what is left open hides nothing of what comes after it."""
    assert text == text_of(markup)


@pytest.fixture
def _bounded() -> Iterator[None]:
    """End a test that needs more of the processor's time than any megabyte may."""

    def give_up(_signal: int, _frame: FrameType | None) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGVTALRM, give_up)
    signal.setitimer(signal.ITIMER_VIRTUAL, PATIENCE)
    yield
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


@pytest.mark.usefixtures("_bounded")
@pytest.mark.parametrize("end", ["", "\"'--></script>"])
@pytest.mark.parametrize(
    "part",
    [
        "<",
        "<a ",
        "</a",
        "<!--",
        "<!-- >",
        "<!",
        '<a b="',
        "<a b='>",
        '<a =">" ',
        "<a =",
        "<script>",
        "<style></script>",
        "<div>",
        "&",
        "&#1",
        "1",
        " ",
        "\n",
        "<br>",
        "<pre>\n",
    ],
)
def test_a_megabyte_of_anything_is_read_in_a_moment(part: str, end: str) -> None:
    """Nothing that is left open is looked for again at each place; a text comes out of it."""
    markup = part * (MEGABYTE // len(part)) + end

    assert len(text_of(markup)) <= len(markup)


@given(st.text(alphabet="ab<>/!-&#;\"'= \n1xpr"))
def test_any_text_ends_as_one(markup: str) -> None:
    """Neither of these raises anything, and no line has blanks at its ends."""
    lines = text_of(markup).split("\n")

    assert [line.strip() for line in lines] == lines
    assert bare_text(markup).split() == [] or text_of(markup)


@given(st.text())
def test_what_was_escaped_comes_back(text: str) -> None:
    """As our own notes are written: letter by letter, but for how much room is between them."""
    written = "<br>".join(html.escape(line) for line in text.split("\n"))

    assert "".join(text.split()) == "".join(text_of(written).split())


@given(st.text(alphabet="abc &;#1x<>é"))
def test_entities_mean_what_they_mean_elsewhere(text: str) -> None:
    """Where Python's own reading can be relied on, it is the same."""
    assert html.unescape(text) == unescaped(text)


def test_a_word_is_found_however_it_is_wrapped() -> None:
    """Without its tags, the text runs together."""
    assert "[crmbridge:sla-1]" in bare_text("<p>x</p><p>[crmbridge:<b>sla</b>-1]</p>")
