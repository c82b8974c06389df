"""What is shown is clean, aligned and plain where it must be."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.cli.output import Line, Screen, Tinted, Tone, clean, cut, plural, table, wants_colour, width
from crmbridge.revealed import STRUCK, remember, strike


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def shown(*lines: Line, stream: io.StringIO | None = None) -> str:
    """Give what a screen writes."""
    stream = stream or io.StringIO()
    Screen(stream, colour=True).show(lines)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("hostile", "harmless"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x9b31mred", "red"),
        ("\x1b]0;title\x07name", " ]0;title name"),
        ("\x1b]8;;http://evil.example\x1b\\link", " ]8;;http://evil.example \\link"),
        ("one\ntwo\r\nthree", "one two  three"),
        ("a\u202eb\u2066c\u200bd", "abcd"),
        ("bell\x07 null\x00", "bell  null "),
        ("\u2028line\u2029", " line "),
        ("\ud800lone", "lone"),
        ("中文 עברית é 👍🏽", "中文 עברית é 👍🏽"),
    ],
)
def test_hostile_text_is_made_harmless(hostile: str, harmless: str) -> None:
    """What drives a terminal goes; words in any script stay."""
    assert harmless == clean(hostile)


@given(st.text())
def test_clean_text_is_one_line_that_drives_nothing(text: str) -> None:
    """Whatever comes in."""
    categories = {unicodedata.category(char) for char in clean(text) if char not in "\u200c\u200d"}

    assert set() == categories & {"Cc", "Cf", "Cs", "Zl", "Zp"}


@pytest.mark.parametrize("start", ["\x1b]0;", "\x1bP", "\x1b_", "\x9d", "\x1b[8m", "\x1b[", "\x1b"])
def test_hostile_text_hides_nothing_behind_it(start: str) -> None:
    """A sequence that never ends must not swallow what we say next."""
    assert clean(f"{start} amount 12").endswith("amount 12")


@given(st.text(), st.integers(1, 40))
def test_cut_text_fits(text: str, columns: int) -> None:
    """In display columns, wide characters counted twice."""
    assert width(cut(text, columns)) <= columns


def test_wide_characters_take_two_columns() -> None:
    """And combining ones none."""
    assert (4, 1, 3) == (width("中文"), width("e\u0301"), width("abc"))


def test_columns_line_up_whatever_the_script() -> None:
    """Cells are padded by display width."""
    lines = shown(*table([["中文", "x"], ["abc", "y"]])).splitlines()

    assert ["中文  x", "abc   y"] == lines


def test_a_cell_can_forge_no_line() -> None:
    """A line end in a value is a blank."""
    assert 1 == shown(*table([["a\nPlan: nothing", "b"]])).count("\n")


def test_colour_only_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not where its user asked for none, or where it can't."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    line = Tinted("done", Tone.GOOD)
    assert "done\n" == shown(line)
    assert "\x1b[32mdone\x1b[0m\n" == shown(line, stream=Terminal())
    monkeypatch.setenv("NO_COLOR", "1")
    assert "done\n" == shown(line, stream=Terminal())
    monkeypatch.delenv("NO_COLOR")
    monkeypatch.setenv("TERM", "dumb")
    assert not wants_colour(Terminal())


def test_a_row_that_is_wider_than_the_terminal_breaks_between_its_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not in the middle of a word, wherever the terminal happens to end."""
    monkeypatch.setattr("crmbridge.cli.output.screen_width", lambda: 40)
    rows = [
        ["breached", "Qualification, first touch", "6 of 5 days", "office", "due on Friday"],
        ["a", "b", "c", "d", "e"],
    ]
    lines = ["".join(map(str, line)).rstrip() for line in table(rows, indent=2)]

    assert [
        "  breached  Qualification, first touch",
        "      6 of 5 days  office",
        "      due on Friday",
        "  a         b",
        "      c            d",
        "      e",
    ] == lines


def test_chinese_is_wrapped_behind_its_punctuation(monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no spaces between its words; each line fits, and nothing is lost."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout", Terminal())
    text = "请填写：痛点及其代价、技术需求。可处理者：客户经理、ann@example.com。"  # noqa: RUF001  as it is written
    lines = [str(line[-1]) for line in table([["a", text]])]

    assert len(lines) > 1
    assert text == "".join(lines)
    assert [] == [line for line in lines if width(line) + 3 > 60]


def test_a_terminal_gets_whole_words_in_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last cell is wrapped under its own column; with too little room, below the row."""
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr("sys.stdout", Terminal())
    text = "one two three four five six seven eight nine ten eleven"
    beside = shown(*table([["first", text]])).splitlines()
    below = shown(*table([["first column that takes a lot", text]])).splitlines()

    assert ["first  one two three four five six seven eight nine ten", "       eleven"] == beside
    assert "first column that takes a lot" == below[0]
    assert below[1].startswith("    one two")


def test_elsewhere_lines_stay_whole() -> None:
    """So that they can be searched."""
    text = "word " * 60

    assert 1 == shown(*table([["first", text]])).count("\n")


def test_a_known_secret_is_struck_wherever_it_stands() -> None:
    """Also in the forms that URLs and JSON give it; short ones are left, or ordinary words would go."""
    remember('pat"na/1 x')
    remember("abc")

    assert f"a {STRUCK} b {STRUCK} c {STRUCK} abc" == strike('a pat"na/1 x b pat%22na%2F1%20x c pat\\"na/1 x abc')
    assert f"{STRUCK}\n" == shown('pat"na/1 x')


def test_things_are_counted_in_words() -> None:
    """One, and more."""
    assert ["1 deal", "0 deals", "1,200 deals"] == [plural(n, "deal") for n in (1, 0, 1200)]
