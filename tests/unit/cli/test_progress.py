"""Progress: what the status line shows."""

from __future__ import annotations

import io
import sys
import threading

import pytest

from crmbridge.cli.call import Call
from crmbridge.cli.progress import Told, showing_progress


class Terminal(io.StringIO):
    """A terminal that says when a text was shown."""

    def __init__(self, awaited: str = "\0") -> None:
        super().__init__()
        self._awaited = awaited
        self.shown = threading.Event()

    def isatty(self) -> bool:
        """Be one."""
        return True

    def write(self, text: str) -> int:
        """Take text."""
        if self._awaited in text:
            self.shown.set()
        return super().write(text)


def test_connections_at_work_side_by_side_are_shown_together() -> None:
    """Each with what was told of it last; another step starts anew."""
    told = Told()

    assert "pull: north: 50 deals" == told.add("pull", "north: 50 deals")
    assert "pull: north: 50 deals · south: 1 deals" == told.add("pull", "south: 1 deals")
    assert "pull: north: 90 deals · south: 1 deals" == told.add("pull", "north: 90 deals")
    assert "evaluate: 91 deals" == told.add("evaluate", "91 deals")
    assert "evaluate: 92 deals" == told.add("evaluate", "92 deals")


def test_what_is_over_soon_shows_that_it_starts_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """What comes after it is written over it; there is nothing to take away but blanks."""
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with showing_progress(Call()) as progress:
        progress("pull", "crm: looking at the account")

    assert ["⠋ starting", " " * 10, ""] == terminal.getvalue().split("\r")


def test_what_takes_longer_shows_what_was_told_last(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also what was told before the spinner turned, and at once what is told from then on; it goes away at the end."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal("pull: crm: looking"))
    with showing_progress(Call()) as progress:
        progress("pull", "crm: looking at the account")
        assert terminal.shown.wait(10)
        progress("pull", "crm: 50 of ~200 deals")
        told = terminal.getvalue()

    assert "pull: crm: 50 of ~200 deals" in told
    assert "\x1b[2K" in terminal.getvalue()[len(told) :]
