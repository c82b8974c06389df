"""What each CRM has its own word for, written as a base has it: so that it is compared as text, and not read."""

from __future__ import annotations

from typing import Any

import msgspec

from crmbridge.engine.views import AROUND, OWNER, STAGE, Viewer
from crmbridge.model.cuts import Cut
from crmbridge.model.records import Position, Record
from crmbridge.model.values import NOTHING_WRITTEN, Value, is_empty, written

TRANSLATED = (STAGE, OWNER, *AROUND)
Words = tuple[Any, ...]  # in the order of TRANSLATED; None for what a view leaves out
_NEVER_ALIKE = object()  # for what can't be compared as text
_UNTOLD: Words = (_NEVER_ALIKE,) * len(TRANSLATED)


class Wording:
    """Tells what the views of one connection's deals say of what is translated.

    Deals share few stages and owners, so each of these is translated once.
    """

    def __init__(self, viewer: Viewer) -> None:
        self._viewer = viewer
        self._own: dict[tuple[Position | None, bytes], tuple[Any, Any]] = {}

    def words(self, deal: Record, cut: Cut) -> Words:
        """Give what the view of a deal says of what is translated, written as a base has it; `cut` has its fields."""
        owner = cut.held(OWNER)
        if type(owner) is not msgspec.Raw or self._viewer.shows_translated:
            return _UNTOLD
        key = deal.position, bytes(owner)
        own = self._own.get(key)
        if own is None:
            own = self._own[key] = self._own_of(deal, cut)
        around = self._viewer.around
        return *own, *[self._hanging(name, cut.get(name)) if name in around else None for name in AROUND]

    def _own_of(self, deal: Record, cut: Cut) -> tuple[Any, Any]:
        shown = self._viewer.view(deal, (), cut.get)
        stage, owner = (_written(shown[name]) if name in shown else None for name in (STAGE, OWNER))
        return stage, owner

    def _hanging(self, name: str, value: Value) -> Any:
        if value is None:
            return NOTHING_WRITTEN
        shown = self._viewer.hanging(name, value)
        return _written(shown[name]) if shown else None


def _written(value: Value) -> Any:
    if is_empty(value):
        return NOTHING_WRITTEN
    try:
        return written(value)
    except UnicodeEncodeError:  # half a surrogate pair, which is written in another way
        return _NEVER_ALIKE
