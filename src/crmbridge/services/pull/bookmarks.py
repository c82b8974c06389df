"""Bookmarks: how far a kind of records was pulled, and of which account, read in which way."""

from __future__ import annotations

import contextlib
import json

from msgspec import Struct

from crmbridge.model.records import Kind
from crmbridge.services.workspace import Workspace


class Bookmark(Struct, frozen=True, kw_only=True):
    """An adapter's cursor with what it is good for: one account, read with these settings."""

    account: str
    settings: str  # two digests: of what decides how records are read, and of how the connection signs in
    cursor: str = ""

    @property
    def reading(self) -> str:
        """The digest of what decides how records are read."""
        return self.settings.partition(".")[0]

    def __str__(self) -> str:
        """Write it as it is stored."""
        return json.dumps([self.account, self.settings, self.cursor])

    @classmethod
    def parse(cls, text: str) -> Bookmark | None:
        """Read back what was stored; None for anything else, which is then pulled anew."""
        with contextlib.suppress(ValueError):
            account, settings, cursor = json.loads(text)
            return cls(account=str(account), settings=str(settings), cursor=str(cursor))
        return None


def marks_of(workspace: Workspace, connection: str) -> dict[Kind, Bookmark]:
    """Give the bookmark of each kind that was pulled."""
    found = {kind: Bookmark.parse(text) for kind, text in workspace.store.records.cursors(connection).items()}
    return {kind: mark for kind, mark in found.items() if mark is not None}
