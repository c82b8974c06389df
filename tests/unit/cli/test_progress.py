"""Progress: what the status line shows."""

from __future__ import annotations

from crmbridge.cli.progress import Told


def test_connections_at_work_side_by_side_are_shown_together() -> None:
    """Each with what was told of it last; another step starts anew."""
    told = Told()

    assert "pull: north: 50 deals" == told.add("pull", "north: 50 deals")
    assert "pull: north: 50 deals · south: 1 deals" == told.add("pull", "south: 1 deals")
    assert "pull: north: 90 deals · south: 1 deals" == told.add("pull", "north: 90 deals")
    assert "evaluate: 91 deals" == told.add("evaluate", "91 deals")
    assert "evaluate: 92 deals" == told.add("evaluate", "92 deals")
