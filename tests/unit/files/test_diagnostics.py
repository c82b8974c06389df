"""How a diagnostic is shown."""

from __future__ import annotations

from typing import Any

import pytest

from crmbridge.files.diagnostics import Diagnostic, InvalidFilesError, in_order
from crmbridge.files.display import columns, excerpt, harmless
from crmbridge.files.masking import mask_line


def make_diagnostic(**changes: Any) -> Diagnostic:
    usual = {"file": "p.yaml", "line": 3, "col": 8, "code": "unknown-role", "sentence": "there is no role 'bos'"}
    return Diagnostic(**{**usual, "source": "leader: bos", "width": 3, "col": 9, "nearest": "boss", **changes})


def test_it_names_the_place_shows_the_line_and_the_nearest_name() -> None:
    """Compilers taught everybody to read this form, editors too."""
    expected = (
        "p.yaml:3:9: error[unknown-role]: there is no role 'bos'\n"
        "  leader: bos\n"
        "          ^^^\n"
        "  did you mean 'boss'?\n"
        "  Ask."
    )

    assert expected == make_diagnostic(advice="Ask.").render()


@pytest.mark.parametrize(
    ("line", "col", "width", "shown", "carets"),
    [
        ("a: bc", 4, 2, "a: bc", "   ^^"),
        ("\ta: bc", 5, 2, "    a: bc", "       ^^"),
        ("名: 你好 x", 4, 2, "名: 你好 x", "    ^^^^"),
        ("名: 你好 x", 7, 1, "名: 你好 x", "         ^"),
        ("e\u0301: x", 5, 1, "e\u0301: x", "   ^"),
        ("a:", 3, 1, "a:", "  ^"),
        ("a: \x1b[31mred", 4, 1, "a: \ufffd[31mred", "   ^"),
    ],
)
def test_carets_stand_under_what_is_meant(line: str, col: int, width: int, shown: str, carets: str) -> None:
    """Tabs are drawn as blanks, wide characters take two columns, combining ones none."""
    assert (shown, carets) == excerpt(line, col, width)


def test_a_long_line_is_cut_around_the_place() -> None:
    """What is shown fits a screen and still has the carets in the right column."""
    line, carets = excerpt("x" * 500 + "HERE" + "y" * 500, 501, 4)

    assert columns(line) <= 102
    assert "HERE" == line[carets.index("^") : carets.index("^") + 4]


def test_control_and_direction_characters_are_made_visible() -> None:
    """A file can't write into the terminal or turn the text around."""
    assert "a\ufffdb\ufffdc\ufffd" == harmless("a\x1bb\u202ec\u2028")
    text = make_diagnostic(sentence="x\x1b]0;y\x07", file="a\nb", nearest="\u202ez", advice="\x9b1m").render()

    assert not any(char in text for char in "\x1b\x07\x9b\u202e")
    assert "a\ufffdb:3:9" in text


@pytest.mark.parametrize(
    "line",
    [
        "    token: S3CRET",
        "    client_secret: 'S3CRET'",
        "    store: postgresql://me:S3CRET@host/db",
        "  - {slack: https://hooks.example.com/services/S3CRET}",
        "    anything: a1b2S3CRETc3d4e5f6g7h8i9",
    ],
)
def test_what_looks_like_a_secret_is_masked_in_place(line: str) -> None:
    """The stars take the same room, so the carets still fit."""
    masked = mask_line(line)

    assert "S3CRET" not in masked
    assert len(line) == len(masked)


@pytest.mark.parametrize(
    "line", ["    token: {env: HUBSPOT_TOKEN}", "    key_field: null", "process: processes/b2b.yaml"]
)
def test_where_a_secret_is_kept_may_be_shown(line: str) -> None:
    """The name of a variable is no secret."""
    assert line == mask_line(line) or "null" in line


def test_they_come_in_the_order_of_the_lines_and_once() -> None:
    """Files keep the order in which they were read."""
    late, early = make_diagnostic(line=9), make_diagnostic(line=2)
    other = make_diagnostic(file="a.yaml", line=1)

    assert (early, late, other) == in_order([late, early, other, late])


def test_the_error_counts_the_errors_and_leaves_warnings_out() -> None:
    """The message has the first place, so that one line is enough to start with."""
    warning = make_diagnostic(severity="warning", line=1)
    error = InvalidFilesError([warning, make_diagnostic(), make_diagnostic(line=4)])

    assert "2 errors in the project's files: p.yaml:3:9: error[unknown-role]: there is no role 'bos'" == str(error)
    assert 3 == len(error.diagnostics)
