"""What waits for a person: what it is known by, and the order in which it is told."""

from __future__ import annotations

from crmbridge.model.changes import Blocked
from crmbridge.ports import Waiting


def called(item: Blocked) -> str:
    """Give what tells it from all else of its link, record and cause: a deal's two tasks are no one field."""
    return f"{item.name} {item.id}" if item.unwritten and not item.link else item.name


def in_order(waiting: Waiting) -> tuple[object, ...]:
    """Order by deal, name and reason."""
    item = waiting.item
    return item.deal, item.name, item.reason, item.link, item.cause, item.id
