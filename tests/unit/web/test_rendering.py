"""Text as pages show it."""

from __future__ import annotations

import pytest

from crmbridge.web.rendering import with_code


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Run `crmbridge run` again.", "Run <code>crmbridge run</code> again."),
        ("One ` alone", "One ` alone"),
        ("`<b>` & \u202e`x`", "<code>&lt;b&gt;</code> &amp; <code>x</code>"),
    ],
)
def test_commands_in_sentences_stand_as_code(text: str, shown: str) -> None:
    """All else is escaped and cleaned as ever."""
    assert shown == with_code(text)
