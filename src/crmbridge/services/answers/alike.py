"""Say once what is so for many deals: one setting, or one rule of a CRM, settles it for all of them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import TypeVar

from crmbridge.model.changes import Blocked, Cause

FEW = 3  # so many are shown one by one
_SETTLED_AT_ONCE = {Cause.COUNTERPART, Cause.CLEAR, Cause.REFUSED, Cause.VETO, Cause.APART}

T = TypeVar("T")


def together(items: Iterable[T], key: Callable[[T], Hashable]) -> list[list[T]]:
    """Put items with one key together where they are more than a few; the others stay apart, all in their order.

    What has None for its key is alone.
    """
    items = list(items)
    keys = [found if (found := key(item)) is not None else ("alone", place) for place, item in enumerate(items)]
    groups: dict[Hashable, list[T]] = {}
    for found, item in zip(keys, items, strict=True):
        groups.setdefault(found, []).append(item)
    parts = {found: [group] if len(group) > FEW else [[item] for item in group] for found, group in groups.items()}
    return [parts[found].pop(0) for found in keys if parts[found]]


def sameness_of(item: Blocked) -> Hashable:
    """Say what has to be the same in all that is settled at once; None for what a person decides deal by deal."""
    if item.cause not in _SETTLED_AT_ONCE:
        return None
    held = tuple(sorted((name, str(value)) for name, value in item.values.items())) if item.cause is Cause.APART else ()
    return item.cause, item.deal.connection, item.deal.kind, item.name, item.reason, held
