"""Text as pages show it."""

from __future__ import annotations

from types import SimpleNamespace
from zoneinfo import ZoneInfo

import pytest

from crmbridge.revealed import remember
from crmbridge.web.rendering import rendered, with_code
from crmbridge.web.words import words_of


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


def test_no_page_shows_a_secret() -> None:
    """Whatever a CRM or an adapter repeats of it, as nothing that is printed does."""
    remember("a-secret-of-a-crm")
    said = SimpleNamespace(step="pull", about="north: GET /deals?key=a-secret-of-a-crm was refused")
    page = rendered("work_step.html.j2", {"t": words_of("en", ZoneInfo("UTC")), "job": said})

    assert ("key=*****" in page, "a-secret-of-a-crm" in page) == (True, False)
    assert "<code>*****</code>" == with_code("`a-secret-of-a-crm`")
