"""Where the notices of a play go: a chat that now and then can't be reached, and what is judged of what it was told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from crmbridge.errors import RetryLaterError, UnclearError
from crmbridge.model.changes import Action, Change, JournalEntry, Outcome
from crmbridge.plugins import SinkSpec
from crmbridge.ports import Document
from crmbridge.settings import SettingsPart
from crmbridge.testing.simulation.by_hand_on_sandboxes import Trouble

NOTICES: Mapping[str, Any] = {"chat": {"room": {}}}  # what the settings say of it
_MARK = re.compile(r"crmbridge:[\w.]+")


class Chat:
    """A chat that keeps what it was told, by the markers of the findings."""

    def __init__(self, trouble: Trouble) -> None:
        self._trouble = trouble
        self.told: Counter[str] = Counter()
        self.spec = SinkSpec(name="room", settings=SettingsPart, open=lambda _: self)

    def deliver(self, document: Document) -> str:
        """Take notices, or not, or take them without a word; the process may end before and after."""
        trouble = self._trouble
        trouble.fuse.burn()
        fault = trouble.rng.choice(("", "", "away", "silent")) if trouble.storms else ""
        if fault == "away":
            raise RetryLaterError("the chat can't be reached")
        self.told.update(_MARK.findall(document.html))
        trouble.fuse.burn()
        if fault == "silent":
            raise UnclearError("the chat did not answer")
        return "the room"

    def judge(self, rows: Iterable[JournalEntry]) -> None:
        """Check that it was told each notice that the journal says it was, once; of some nobody can tell."""
        entries = [e for e in rows if e.outcome is Outcome.APPLIED and e.change.action is Action.NOTIFY]
        ids = Counter(entry.change.id for entry in entries)
        assert not (twice := [id_ for id_, n in ids.items() if n > 1]), f"P2: told more than once: {twice}"
        surely = Counter(mark_of(e.change) for e in entries if e.message == "told chat: the room")
        perhaps = Counter(mark_of(entry.change) for entry in entries)
        for mark in {*self.told, *perhaps}:
            n = self.told[mark]
            assert n >= surely[mark], f"P6: the chat was told {n} times of {mark}, and the journal says more"
            assert n <= perhaps[mark], f"P2: the chat was told {n} times of {mark}, and the journal says less"


def mark_of(notice: Change) -> str:
    """Give the marker of the finding that a notice tells of."""
    return str(_MARK.findall(str(notice.after["body"]))[-1])
