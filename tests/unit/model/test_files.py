"""What a file's name says of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.model.files import extension, with_extension


@pytest.mark.parametrize(
    ("name", "ending"),
    [
        ("Proposal.pdf", "pdf"),
        ("Proposal.PDF ", "pdf"),
        ("v2.final.docx", "docx"),
        ("Proposal", None),
        (".profile", None),
        ("Agreed. See below", None),
        ("No end.", None),
        ("a.aVeryLongWordThatIsNone", None),
        ("", None),
    ],
)
def test_the_extension_is_what_follows_the_last_dot(name: str, ending: str | None) -> None:
    """In small letters, and only where it can be one."""
    assert ending == extension(name)


@pytest.mark.parametrize(
    ("name", "ending", "whole"),
    [
        ("Proposal", "pdf", "Proposal.pdf"),
        ("Proposal.pdf", "pdf", "Proposal.pdf"),
        ("Proposal.PDF", "pdf", "Proposal.PDF"),
        ("Proposal", "", "Proposal"),
        ("", "pdf", ""),
        ("Proposal v1.2", ".pdf", "Proposal v1.2.pdf"),
    ],
)
def test_a_name_is_put_together_with_its_extension(name: str, ending: str, whole: str) -> None:
    """Once, whichever of both has the dot."""
    assert whole == with_extension(name, ending)


@given(st.text(max_size=20), st.text("abcPDF", min_size=1, max_size=5))
def test_what_was_put_together_has_that_extension(name: str, ending: str) -> None:
    """And putting it together again changes nothing."""
    whole = with_extension(name, ending)

    assert whole == with_extension(whole, ending)
    assert not name.strip() or ending.lower() == extension(whole)
