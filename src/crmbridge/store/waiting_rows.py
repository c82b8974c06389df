"""What waits for a person, in the order in which it is told."""

from __future__ import annotations

from crmbridge.ports import Waiting


def in_order(waiting: Waiting) -> tuple[object, ...]:
    """Order by deal, name and reason."""
    item = waiting.item
    return item.deal, item.name, item.reason, item.link, item.cause
