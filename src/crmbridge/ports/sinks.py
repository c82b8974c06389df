"""Where a report goes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from crmbridge.model.figures import Scorecard


class Document(Struct, frozen=True, kw_only=True):
    """A report, rendered in every form that a sink may want."""

    name: str
    title: str
    html: str
    markdown: str
    facts: Mapping[str, Any]  # the same figures as plain JSON
    scorecard: Scorecard | None = None  # what it was made from, where it is a report of indicators


class Sink(Protocol):
    """Where a report goes. Delivering the same document twice shows it once where the place allows that."""

    def deliver(self, document: Document) -> str:
        """Send it and say in a few words where it went; raises an error of `crmbridge.errors` when it did not."""
        ...
