"""A piece of a text's value is found in the file, however the text is written there."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.files.source import parse_source

LAST = "amout"


@pytest.mark.parametrize(
    ("written", "place"),
    [
        ("a > 5 && amout", (1, 13)),
        ('"a > 5 && amout"', (1, 14)),
        ("'a > 5 && amout'", (1, 14)),
        ("'a == ''x'' && amout'", (1, 19)),
        (r'"a == \"x\" && amout"', (1, 19)),
        (r'"a\t\x3E\u00205 && amout"', (1, 23)),
        (r'"a > 5 && \u0061mout"', (1, 14)),
        (r'"a == \"\\d\" && amout"', (1, 21)),
        ("&anchor 'a > 5 && amout'", (1, 22)),
        ("a >\n   5 &&\n   amout", (3, 4)),
        ('"a > \\\n   5 && \\\n   amout"', (3, 4)),
        ("'a >\n\n   5 && amout'", (3, 9)),
        ("|\n   a > 5\n   && amout\n", (3, 7)),
        ("|2-\n    a > 5\n    && amout\n", (3, 8)),
        (">-  # why\n   a > 5\n\n     && amout\n", (4, 9)),
        ("{x: a > 5 && amout}", (1, 17)),
        ("[a > 5 && amout, b]", (1, 14)),
    ],
)
@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_where_a_word_stands(written: str, place: tuple[int, int], ends: str) -> None:
    """Quotes, escapes, folded lines and blocks of all kinds; lines may end as on Windows."""
    source = parse_source("p.yaml", f"k: {written}".replace("\n", ends).encode())
    assert source.root is not None
    value = source.root.value["k"]
    path: tuple[str | int, ...] = ("k", *(["x"] if isinstance(value, dict) else [0] if isinstance(value, list) else []))
    text = value["x"] if isinstance(value, dict) else value[0] if isinstance(value, list) else value
    at = text.index(LAST)

    found = source.at(path, "expr-type", "wrong", within=(at, at + len(LAST)))

    assert place == (found.line, found.col)
    assert found.source[found.col - 1 :].startswith(("amout", r"\u0061mout"))


@given(st.text(st.sampled_from("ab'\" \\&#:{}é\U0001f600"), min_size=1, max_size=20), st.data())
def test_every_character_is_found_in_quotes(value: str, data: st.DataObject) -> None:
    """Whatever is quoted, a character that is no blank stands where it is said to stand."""
    quote = data.draw(st.sampled_from("'\""))
    inner = value.replace("'", "''") if quote == "'" else value.replace("\\", "\\\\").replace('"', '\\"')
    source = parse_source("p.yaml", f"k: {quote}{inner}{quote}\n".encode())
    assert source.root is not None
    assert value == source.root.value["k"]
    at = data.draw(st.integers(0, len(value) - 1))

    found = source.at(("k",), "expr-type", "wrong", within=(at, at + 1))
    seen = found.source[found.col - 1 : found.col - 1 + found.width]

    assert value[at] == " " or value[at] in seen


def test_the_end_of_a_text_is_a_place() -> None:
    """Where something is missing, it would have to stand behind the last character."""
    found = parse_source("p.yaml", b'k: "a >  "\n').at(("k",), "expr-type", "wrong", within=(5, 5))

    assert (1, 10) == (found.line, found.col)
