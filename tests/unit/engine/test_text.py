"""Text from a CRM can be shown without harm."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.text import cell, fill, plain


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ann\nSmith\t & Co", "Ann Smith & Co"),
        ("safe\u202egpj.exe", "safegpj.exe"),
        ("\x1b]0;title\x07rest", "]0;title rest"),
        ("\u2066a\u2069\ufeffb\u200b", "ab"),
        ("👩\u200d💻 नमस्ते", "👩\u200d💻 नमस्ते"),
        ("x" * 300, "x" * 199 + "…"),
        ("", ""),
    ],
)
def test_text_becomes_one_harmless_line(text: str, expected: str) -> None:
    """Words and emoji stay, what steers a terminal or turns the reading direction goes."""
    assert expected == plain(text)


@given(st.text(), st.integers(1, 20))
def test_nothing_harmful_is_left(text: str, limit: int) -> None:
    """Whatever the text."""
    line = plain(text, limit)

    assert len(line) <= limit
    assert not {unicodedata.category(c) for c in line} & {"Cc", "Cs", "Zl", "Zp"}
    assert line == plain(line, limit)


def test_only_known_names_are_filled_in_and_only_once() -> None:
    """A value that looks like a placeholder is just text."""
    assert "{b} {c} {a.b} {{b}}" == fill("{a} {c} {a.b} {{a}}", {"a": "{b}", "b": "no"})


@pytest.mark.parametrize(
    "text",
    ["=HYPERLINK(1)", "+cmd", "@SUM(1)", "-2+3", "  =1", "\t=1", "|calc", "%x", "\uff1d1", "\uff0b1", "-", "=1"],
)
def test_formulas_get_an_apostrophe(text: str) -> None:
    """What a spreadsheet would run is text for it."""
    assert f"'{text}" == cell(text)


@pytest.mark.parametrize("text", ["-5", "+5", "-1234.5", "5", "", "Ana", "a=b", "2026-06", "-5%", "-1e5", "-1.234,5"])
def test_numbers_and_words_stay_as_they_are(text: str) -> None:
    """A number below nothing stays a number."""
    assert text == cell(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Blue; =1+1", "Blue;' =1+1"),
        ("Blue;=HYPERLINK(A1);@SUM(A1)", "Blue;'=HYPERLINK(A1);'@SUM(A1)"),
        ('"Blue";-2+3', '"Blue";\'-2+3'),
        (";\uff1d1", ";'\uff1d1"),
        ("Blue; Green;-5", "Blue; Green;-5"),
        ("1;-5;+3,2 %", "1;-5;'+3,2 %"),
    ],
)
def test_a_semicolon_begins_no_formula(text: str, expected: str) -> None:
    """Excel in Berlin or São Paulo cuts the cells of a CSV at semicolons, also within quotes."""
    assert expected == cell(text)
