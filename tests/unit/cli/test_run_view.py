"""What is shown of a run."""

from __future__ import annotations

from crmbridge.cli.output import Tinted
from crmbridge.cli.run_view import error_lines
from crmbridge.errors import RetryLaterError


def test_a_connection_is_named_once() -> None:
    """Errors of the wire name it themselves, as they are also shown alone."""
    found = list(error_lines("north", RetryLaterError("north: /deals: out of order (503)")))
    said = "".join(part.text if isinstance(part, Tinted) else part for part in found[0])

    assert "north: /deals: out of order (503)" == said
