"""Refs as people type them."""

from __future__ import annotations

import pytest

from crmbridge.model.records import Kind, Ref
from crmbridge.services.links.typed_refs import ref_of
from crmbridge.testing.workspaces import make_bench


@pytest.mark.parametrize(
    ("text", "ref"),
    [
        ("north:1", Ref("north", Kind.DEAL, "1")),
        ("north:deal:1", Ref("north", Kind.DEAL, "1")),
        ("north:company:7", Ref("north", Kind.COMPANY, "7")),
        ("north:a:b", Ref("north", Kind.DEAL, "a:b")),
        ("west:1", None),
        ("north", None),
    ],
)
def test_refs_are_read_as_they_are_shown(text: str, ref: Ref | None) -> None:
    """Of a deal unless they say otherwise."""
    assert ref == ref_of(make_bench().workspace, text)
